"""Ten plain networks of the usual kinds, with an input for each and the names of its open dims."""

from __future__ import annotations

import warnings
from typing import Callable, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Residual(nn.Module):
    def __init__(self, channels: int, out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, out, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(out)
        self.conv2 = nn.Conv2d(out, out, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out)
        self.short = nn.Conv2d(channels, out, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(y)) + self.short(x))


class ResNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 7, 2, 3, bias=False)
        self.pool = nn.MaxPool2d(2)
        self.layers = nn.Sequential(Residual(8, 8, 1), Residual(8, 16, 2))
        self.fc = nn.Linear(16, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.layers(self.pool(F.relu(self.stem(x)))).mean((2, 3)))


def separable(channels: int, out: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(channels, channels, 3, 1, 1, groups=channels, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU6(),
        nn.Conv2d(channels, out, 1, bias=False),
        nn.BatchNorm2d(out),
        nn.ReLU6(),
    )


def mobile_net() -> nn.Module:
    stem = nn.Conv2d(3, 8, 3, 2, 1, bias=False)
    head = nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(24, 10)
    return nn.Sequential(stem, separable(8, 16), separable(16, 24), *head)


def encoder() -> nn.Module:
    layer = nn.TransformerEncoderLayer(16, 4, 32, batch_first=True)
    return nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)


class Tagger(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(50, 12)
        self.lstm = nn.LSTM(12, 16, 2, batch_first=True, bidirectional=True)
        self.tags = nn.Linear(32, 5)

    def forward(self, ids: Tensor) -> Tensor:
        return self.tags(self.lstm(self.words(ids))[0])


class Counter(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(6, 10, batch_first=True)
        self.head = nn.Linear(10, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.gru(x)[0][:, -1])


class UNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Conv2d(1, 4, 3, padding=1)
        self.bottom = nn.Conv2d(4, 8, 3, stride=2, padding=1)
        self.up = nn.ConvTranspose2d(8, 4, 2, stride=2)
        self.out = nn.Conv2d(8, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        d = F.relu(self.down(x))
        return self.out(torch.cat([d, self.up(F.relu(self.bottom(d)))], 1))


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(16, 48)
        self.out = nn.Linear(16, 16)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x).unflatten(-1, (3, 4, 4)).permute(2, 0, 3, 1, 4).unbind(0)
        return self.out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


class Bag(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(100, 8)
        self.hidden = nn.Linear(8, 16)
        self.out = nn.Linear(16, 4, bias=False)

    def forward(self, ids: Tensor) -> Tensor:
        return self.out(torch.tanh(self.hidden(self.words(ids).mean(1))))


def audio() -> nn.Module:
    convs = nn.Conv1d(1, 8, 9, 4), nn.GELU(), nn.Conv1d(8, 16, 5, 2, dilation=2), nn.GELU()
    return nn.Sequential(*convs, nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(16, 3))


def mlp() -> nn.Module:
    return nn.Sequential(nn.Linear(20, 32), nn.ReLU(), nn.Linear(32, 10))


class Network(NamedTuple):
    build: Callable[[], nn.Module]
    shape: tuple[int, ...]  # of its input
    dims: dict[int, str] = {0: "batch"}  # those that the exporter leaves open
    words: int = 0  # the input holds numbers below this one; 0: it is float32


NETWORKS = {
    "mlp": Network(mlp, (2, 20)),
    "resnet": Network(ResNet, (2, 3, 32, 32)),
    "mobile_net": Network(mobile_net, (2, 3, 32, 32)),
    "encoder": Network(encoder, (2, 5, 16), {0: "batch", 1: "time"}),
    "tagger": Network(Tagger, (2, 7), words=50),
    "unet": Network(UNet, (2, 1, 16, 16)),
    "attention": Network(Attention, (2, 6, 16)),
    "bag": Network(Bag, (2, 9), words=100),
    "audio": Network(audio, (2, 1, 400), {0: "batch", 2: "time"}),
    "gru": Network(Counter, (2, 8, 6)),
}


def built(name: str) -> nn.Module:
    """In eval(), no two of its tensors equal: the exporter makes one of those that are."""
    torch.manual_seed(0)
    module = NETWORKS[name].build().eval()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.uniform_(-1, 1)
    return module


def value(name: str) -> Tensor:
    _, shape, _, words = NETWORKS[name]
    return torch.randint(0, words, shape) if words else torch.randn(shape)


def export(name: str, path) -> None:
    dims = {axis: torch.export.Dim(text, min=100 if text == "time" and name == "audio" else None)
            for axis, text in NETWORKS[name].dims.items()}  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            built(name), (value(name),), path, dynamo=True, optimize=False, dynamic_shapes=(dims,), verbose=False
        )
