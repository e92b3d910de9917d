"""Networks over images."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F


def conv_bn(a: int, b: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(a, b, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(b))


class Residual(nn.Module):
    def __init__(self, a: int, b: int, stride: int) -> None:
        super().__init__()
        self.first, self.second = conv_bn(a, b, 3, stride), conv_bn(b, b)
        self.shortcut = conv_bn(a, b, 1, stride) if (a, stride) != (b, 1) else nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.relu(self.second(F.relu(self.first(x))) + self.shortcut(x))


class ResNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(conv_bn(3, 8), nn.ReLU(), nn.MaxPool2d(3, 2, 1))
        self.layers = nn.Sequential(Residual(8, 8, 1), Residual(8, 16, 2), Residual(16, 16, 1))
        self.fc = nn.Linear(16, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(F.adaptive_avg_pool2d(self.layers(self.stem(x)), 1).flatten(1))


class UNet(nn.Module):
    """One way up is a transposed convolution, the other an interpolation."""

    def __init__(self) -> None:
        super().__init__()
        self.down1 = nn.Sequential(conv_bn(3, 8), nn.ReLU())
        self.down2 = nn.Sequential(conv_bn(8, 16, 3, 2), nn.LeakyReLU(0.1))
        self.middle = nn.Sequential(conv_bn(16, 16, 3, 2), nn.PReLU(), nn.Dropout2d(0.1))
        self.up2 = nn.ConvTranspose2d(16, 16, 2, 2)
        self.merge2, self.merge1 = conv_bn(32, 8), conv_bn(16, 8)
        self.out = nn.Conv2d(8, 2, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        a = self.down1(x)
        b = self.down2(a)
        y = F.relu(self.merge2(torch.cat((self.up2(self.middle(b)), b), 1)))
        y = F.interpolate(y, scale_factor=2.0, mode="bilinear", align_corners=False)
        return self.out(F.relu(self.merge1(torch.cat((y, a), 1))))
