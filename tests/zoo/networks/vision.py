"""Networks over images."""

from __future__ import annotations

import torch
import torch.ao.quantization.fx._decomposed  # noqa: F401: the operators
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


class DeepLab(nn.Module):
    """Atrous pyramid with image pooling over depthwise convolutions, as large as its input."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(conv_bn(3, 8, 3, 2), nn.Hardswish())
        self.depthwise = nn.Sequential(nn.Conv2d(8, 8, 3, 2, 1, groups=8, bias=False), nn.BatchNorm2d(8), nn.ReLU6())
        self.rates = nn.ModuleList(
            nn.Sequential(nn.Conv2d(8, 8, 3, padding=r, dilation=r, bias=False), nn.BatchNorm2d(8), nn.ReLU())
            for r in (1, 2, 4)
        )
        self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(8, 8, 1), nn.ReLU())
        self.project = nn.Sequential(conv_bn(32, 8, 1), nn.ReLU(), nn.Dropout(0.1))
        self.classes = nn.Conv2d(8, 3, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.depthwise(self.stem(x))
        size = y.shape[-2:]
        pooled = F.interpolate(self.pool(y), size=size, mode="bilinear", align_corners=False)
        y = self.project(torch.cat([*(r(y) for r in self.rates), pooled], 1))
        return F.interpolate(self.classes(y), size=x.shape[-2:], mode="bilinear", align_corners=False)


class QuantizedCnn(nn.Module):
    """As quantisation-aware training leaves it: activations by tensor, weights by channel."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2, self.fc = nn.Conv2d(3, 8, 3, 2, 1), nn.Conv2d(8, 16, 3, 2, 1), nn.Linear(16, 5)
        for i, layer in enumerate((self.conv1, self.conv2, self.fc), 1):
            self.register_buffer(f"scales{i}", layer.weight.detach().flatten(1).abs().amax(1) / 127 * (1 + 0.01 * i))
            self.register_buffer(f"zeros{i}", torch.zeros(len(layer.weight), dtype=torch.int32))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.activation(x, 0.031)
        x = self.activation(F.relu(F.conv2d(x, self.weight(1, self.conv1), self.conv1.bias, 2, 1)), 0.017)
        x = self.activation(F.relu(F.conv2d(x, self.weight(2, self.conv2), self.conv2.bias, 2, 1)), 0.013)
        x = self.activation(F.adaptive_avg_pool2d(x, 1).flatten(1), 0.011)
        return F.linear(x, self.weight(3, self.fc), self.fc.bias)

    def activation(self, x: torch.Tensor, scale: float) -> torch.Tensor:
        if torch.compiler.is_exporting():  # which has no fake quantisation
            q = torch.ops.quantized_decomposed.quantize_per_tensor(x, scale, 0, -128, 127, torch.int8)
            return torch.ops.quantized_decomposed.dequantize_per_tensor(q, scale, 0, -128, 127, torch.int8)
        return torch.fake_quantize_per_tensor_affine(x, scale, 0, -128, 127)

    def weight(self, i: int, layer: nn.Module) -> torch.Tensor:
        scales, zeros = getattr(self, f"scales{i}"), getattr(self, f"zeros{i}")
        if torch.compiler.is_exporting():
            how = (scales, zeros, 0, -128, 127, torch.int8)
            q = torch.ops.quantized_decomposed.quantize_per_channel(layer.weight, *how)
            return torch.ops.quantized_decomposed.dequantize_per_channel(q, *how)
        return torch.fake_quantize_per_channel_affine(layer.weight, scales, zeros, 0, -128, 127)
