"""Networks of few parts."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional as F


class Mlp(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Dropout(0.2), nn.Linear(32, 32), nn.GELU())
        self.head = nn.Linear(32, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.layers(x))


class RmsNorm(nn.Module):
    def __init__(self, size: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.weight * x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6)


class Norms(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(8, 8, 3, padding=1)
        self.batch, self.group = nn.BatchNorm2d(8), nn.GroupNorm(2, 8)
        self.instance, self.layer = nn.InstanceNorm2d(8, affine=True), nn.LayerNorm((12, 12))
        self.rms, self.scale = RmsNorm(12), nn.Parameter(torch.tensor(0.7))
        self.local = nn.LocalResponseNorm(3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.silu(self.batch(self.conv(x)))
        x = F.elu(self.group(x)) + self.scale * self.instance(x)
        return self.local(F.normalize(self.rms(self.layer(x)), dim=1))


class Transformer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.transformer = nn.Transformer(16, 2, 2, 2, 32, dropout=0.1, batch_first=True)
        self.head = nn.Linear(16, 7)

    def forward(self, source: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        length = target.shape[1]
        causal = torch.full((length, length), -math.inf, device=target.device).triu(1)
        return self.head(self.transformer(source, target, tgt_mask=causal))


class TiedEmbeddings(nn.Module):
    """A decoder whose head is its embedding, with fixed positions and a learnt scale."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(100, 16)
        angles = torch.arange(32)[:, None] / 100 ** (torch.arange(0, 16, 2) / 16)
        self.register_buffer("positions", torch.stack((angles.sin(), angles.cos()), -1).flatten(1))
        self.scale = nn.Parameter(torch.tensor(2.0))
        self.norm, self.up, self.down = nn.LayerNorm(16), nn.Linear(16, 32), nn.Linear(32, 16)
        self.head = nn.Linear(16, 100, bias=False)
        self.head.weight = self.embedding.weight

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        x = self.embedding(input_ids) * self.scale + self.positions[: input_ids.shape[1]]
        return self.head(x + self.down(F.gelu(self.up(self.norm(x)), approximate="tanh")))
