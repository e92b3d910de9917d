"""Generators of exported models: a ResNet-50 and a BERT in plain torch, written by both of PyTorch's exporters.

    python tests/e2e/exports.py resnet50 legacy out.onnx
    python tests/e2e/exports.py bert_base dynamo out.onnx

Random weights with a fixed seed. Inputs have a dynamic batch (BERT: and sequence).
"""

from __future__ import annotations

import dataclasses
import math
import sys
import warnings

import torch
from torch import nn


class Bottleneck(nn.Module):
    def __init__(self, channels: int, width: int, stride: int):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, 4 * width, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * width)
        self.downsample = None
        if stride != 1 or channels != 4 * width:
            self.downsample = nn.Sequential(
                nn.Conv2d(channels, 4 * width, 1, stride, bias=False), nn.BatchNorm2d(4 * width)
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = torch.relu(self.bn1(self.conv1(x)))
        y = torch.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return torch.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet(nn.Module):
    def __init__(self, blocks=(3, 4, 6, 3), classes: int = 1000):
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(3, 2, 1)
        )
        layers, channels = [], 64
        for i, n in enumerate(blocks):
            for k in range(n):
                layers.append(Bottleneck(channels, 64 << i, 2 if i and k == 0 else 1))
                channels = 4 * (64 << i)
        self.layers = nn.Sequential(*layers)
        self.fc = nn.Linear(channels, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(self.layers(self.stem(x)).mean((2, 3)))


@dataclasses.dataclass
class BertConfig:
    layers: int = 12
    hidden: int = 768
    heads: int = 12
    vocabulary: int = 30522
    positions: int = 512


class SelfAttention(nn.Module):
    def __init__(self, c: BertConfig):
        super().__init__()
        self.query, self.key, self.value, self.output = (nn.Linear(c.hidden, c.hidden) for _ in range(4))
        self.heads = c.heads

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        batch, length, hidden = x.shape
        q, k, v = (
            f(x).view(batch, length, self.heads, hidden // self.heads).transpose(1, 2)
            for f in (self.query, self.key, self.value)
        )
        scores = q @ k.transpose(-1, -2) / math.sqrt(hidden // self.heads) + mask
        y = torch.dropout(scores.softmax(-1), 0.1, self.training) @ v
        return self.output(y.transpose(1, 2).reshape(batch, length, hidden))


class BertLayer(nn.Module):
    def __init__(self, c: BertConfig):
        super().__init__()
        self.attention = SelfAttention(c)
        self.attention_norm = nn.LayerNorm(c.hidden, eps=1e-12)
        self.intermediate = nn.Linear(c.hidden, 4 * c.hidden)
        self.output = nn.Linear(4 * c.hidden, c.hidden)
        self.output_norm = nn.LayerNorm(c.hidden, eps=1e-12)

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        x = self.attention_norm(x + self.attention(x, mask))
        return self.output_norm(x + self.output(nn.functional.gelu(self.intermediate(x))))


class Bert(nn.Module):
    def __init__(self, c: BertConfig):
        super().__init__()
        self.words = nn.Embedding(c.vocabulary, c.hidden)
        self.positions = nn.Embedding(c.positions, c.hidden)
        self.norm = nn.LayerNorm(c.hidden, eps=1e-12)
        self.layers = nn.ModuleList(BertLayer(c) for _ in range(c.layers))
        self.pooler = nn.Linear(c.hidden, c.hidden)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor):
        positions = torch.arange(input_ids.shape[1], device=input_ids.device)
        x = self.norm(self.words(input_ids) + self.positions(positions)[None])
        mask = (1.0 - attention_mask[:, None, None, :].to(x.dtype)) * -10000.0
        for layer in self.layers:
            x = layer(x, mask)
        return x, torch.tanh(self.pooler(x[:, 0]))


def resnet50():
    torch.manual_seed(0)
    model = ResNet().eval()
    for m in model.modules():  # statistics as training leaves them, not 0 and 1
        if isinstance(m, nn.BatchNorm2d):
            m.running_mean.normal_(0, 0.1)
            m.running_var.uniform_(0.5, 1.5)
    return model, (torch.randn(2, 3, 64, 64),), ["x"], ["y"], {"x": {0: "batch"}}


def bert(config: BertConfig | None = None):
    torch.manual_seed(0)
    model = Bert(config or BertConfig(layers=3, hidden=128, heads=4, vocabulary=1000)).eval()
    for m in model.modules():  # equal tensors would be merged by the exporters
        if isinstance(m, nn.LayerNorm):
            nn.init.normal_(m.weight, 1, 0.1)
            nn.init.normal_(m.bias, 0, 0.1)
    ids = torch.randint(0, 1000, (2, 16))
    axes = {name: {0: "batch", 1: "sequence"} for name in ("input_ids", "attention_mask")}
    return model, (ids, torch.ones_like(ids)), ["input_ids", "attention_mask"], ["hidden", "pooled"], axes


def mlp():
    torch.manual_seed(0)
    widths = (64, 512, 512, 10)
    layers = [layer for a, b in zip(widths, widths[1:]) for layer in (nn.Linear(a, b), nn.ReLU())][:-1]
    return nn.Sequential(*layers).eval(), (torch.randn(2, 64),), ["x"], ["y"], {"x": {0: "batch"}}


MODELS = {"mlp": mlp, "resnet50": resnet50, "bert": bert, "bert_base": lambda: bert(BertConfig())}


def export(name: str, exporter: str, path: str) -> nn.Module:
    """Writes the model, weights inside; returns the original module."""
    model, args, inputs, outputs, axes = MODELS[name]()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if exporter == "legacy":
            torch.onnx.export(model, args, path, dynamo=False, input_names=inputs, output_names=outputs,
                              dynamic_axes=axes, opset_version=17)
        else:
            dims = {n: torch.export.Dim(n, min=2) for a in axes.values() for n in a.values()}
            shapes = tuple({k: dims[n] for k, n in axes[i].items()} for i in inputs)
            torch.onnx.export(model, args, path, dynamo=True, input_names=inputs, output_names=outputs,
                              dynamic_shapes=shapes, external_data=False, verbose=False)
    return model


if __name__ == "__main__":
    export(*sys.argv[1:])
