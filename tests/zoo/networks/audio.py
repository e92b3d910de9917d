"""A vocoder: convolutions over time with weight norm."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import weight_norm


class ResidualUnit(nn.Module):
    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.conv1 = weight_norm(nn.Conv1d(channels, channels, 3, padding=dilation, dilation=dilation))
        self.conv2 = weight_norm(nn.Conv1d(channels, channels, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.conv2(F.leaky_relu(self.conv1(F.leaky_relu(x, 0.1)), 0.1))


class Vocoder(nn.Module):
    """Frames to samples, as HiFi-GAN does it."""

    def __init__(self) -> None:
        super().__init__()
        self.first = weight_norm(nn.Conv1d(8, 16, 7, padding=3))
        self.ups = nn.ModuleList(
            [weight_norm(nn.ConvTranspose1d(16, 8, 8, 4, 2)), weight_norm(nn.ConvTranspose1d(8, 4, 4, 2, 1))]
        )
        self.units = nn.ModuleList([ResidualUnit(8, 1), ResidualUnit(4, 3)])
        self.last = weight_norm(nn.Conv1d(4, 1, 7, padding=3))

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        x = self.first(frames)
        for up, unit in zip(self.ups, self.units):
            x = unit(up(F.leaky_relu(x, 0.1)))
        return torch.tanh(self.last(F.leaky_relu(x)))
