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
        return self.head(self.transformer(source, target, tgt_mask=causal, tgt_is_causal=True))


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


class MixtureOfExperts(nn.Module):
    """Every token goes to two of four experts, whose weights lie in one tensor."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.router = nn.Embedding(100, 16), nn.Linear(16, 4, bias=False)
        self.up = nn.Parameter(torch.randn(4, 16, 24) / 4)
        self.down = nn.Parameter(torch.randn(4, 24, 16) / 5)
        self.norm, self.head = RmsNorm(16), nn.Linear(16, 100)

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        x = self.embedding(input_ids)
        y = self.norm(x)
        weight, chosen = torch.topk(torch.softmax(self.router(y), -1), 2)
        gates = torch.zeros_like(y[..., :4]).scatter(-1, chosen, weight / weight.sum(-1, keepdim=True))
        hidden = F.silu(torch.einsum("bld,edh->bleh", y, self.up))
        return self.head(x + torch.einsum("bleh,ehd,ble->bld", hidden, self.down, gates))


class GraphNet(nn.Module):
    """Two rounds of messages along the edges, summed and averaged at the nodes."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Linear(5, 12)
        self.message = nn.ModuleList([nn.Linear(24, 12), nn.Linear(24, 12)])
        self.update, self.out = nn.GRUCell(12, 12), nn.Linear(12, 2)

    def forward(self, nodes: torch.Tensor, edges: torch.Tensor) -> torch.Tensor:
        source, target = edges[0], edges[1]
        x = self.embed(nodes)
        count = torch.zeros_like(x[:, :1]).scatter_add(0, target[:, None], torch.ones_like(x[source, :1]))
        for message in self.message:
            sent = F.relu(message(torch.cat((x[source], x[target]), -1)))
            index = target[:, None].expand(-1, sent.shape[1])
            x = self.update(torch.zeros_like(x).scatter_add(0, index, sent) / (count + 1), x)
        return self.out(x)
