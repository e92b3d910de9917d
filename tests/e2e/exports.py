"""Generators of exported models: CNNs, a BERT, a GPT-2 and a Llama in plain torch, written by both of PyTorch's exporters.

    python tests/e2e/exports.py resnet50 legacy out.onnx
    python tests/e2e/exports.py bert_base dynamo out.onnx

Random weights with a fixed seed. Inputs have a dynamic batch (transformers: and sequence).
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


@dataclasses.dataclass
class DecoderConfig:
    layers: int = 2
    hidden: int = 64
    heads: int = 4
    kv_heads: int = 2
    vocabulary: int = 211
    positions: int = 64


def causal(length: int, like: torch.Tensor) -> torch.Tensor:
    """Additive mask [1, 1, length, length]: -inf above the diagonal."""
    mask = torch.full((length, length), float("-inf"), dtype=like.dtype, device=like.device)
    return torch.triu(mask, diagonal=1)[None, None]


class Gpt2Layer(nn.Module):
    def __init__(self, c: DecoderConfig):
        super().__init__()
        self.heads = c.heads
        self.ln_1, self.ln_2 = nn.LayerNorm(c.hidden), nn.LayerNorm(c.hidden)
        self.c_attn, self.c_proj = nn.Linear(c.hidden, 3 * c.hidden), nn.Linear(c.hidden, c.hidden)
        self.c_fc, self.mlp_proj = nn.Linear(c.hidden, 4 * c.hidden), nn.Linear(4 * c.hidden, c.hidden)

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        batch, length, hidden = x.shape
        q, k, v = (
            t.view(batch, length, self.heads, hidden // self.heads).transpose(1, 2)
            for t in self.c_attn(self.ln_1(x)).split(hidden, dim=2)
        )
        y = (q @ k.transpose(-1, -2) / math.sqrt(hidden // self.heads) + mask).softmax(-1) @ v
        x = x + self.c_proj(y.transpose(1, 2).reshape(batch, length, hidden))
        return x + self.mlp_proj(nn.functional.gelu(self.c_fc(self.ln_2(x)), approximate="tanh"))


class Gpt2(nn.Module):
    def __init__(self, c: DecoderConfig):
        super().__init__()
        self.wte, self.wpe = nn.Embedding(c.vocabulary, c.hidden), nn.Embedding(c.positions, c.hidden)
        self.h = nn.ModuleList(Gpt2Layer(c) for _ in range(c.layers))
        self.ln_f = nn.LayerNorm(c.hidden)
        self.lm_head = nn.Linear(c.hidden, c.vocabulary, bias=False)
        self.lm_head.weight = self.wte.weight

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        length = input_ids.shape[1]
        x = self.wte(input_ids) + self.wpe(torch.arange(length, device=input_ids.device))[None]
        mask = causal(length, x)
        for layer in self.h:
            x = layer(x, mask)
        return self.lm_head(self.ln_f(x))


class RmsNorm(nn.Module):
    def __init__(self, hidden: int):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(hidden))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6))


def rotated(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    a, b = x.chunk(2, -1)
    return x * cos + torch.cat((-b, a), -1) * sin


class LlamaLayer(nn.Module):
    def __init__(self, c: DecoderConfig):
        super().__init__()
        self.heads, self.kv_heads, self.width = c.heads, c.kv_heads, c.hidden // c.heads
        linear = lambda a, b: nn.Linear(a, b, bias=False)  # noqa: E731
        self.q_proj, self.o_proj = linear(c.hidden, c.hidden), linear(c.hidden, c.hidden)
        self.k_proj, self.v_proj = (linear(c.hidden, c.kv_heads * self.width) for _ in range(2))
        self.gate_proj, self.up_proj = (linear(c.hidden, 3 * c.hidden) for _ in range(2))
        self.down_proj = linear(3 * c.hidden, c.hidden)
        self.input_layernorm, self.post_attention_layernorm = RmsNorm(c.hidden), RmsNorm(c.hidden)

    def forward(self, x: torch.Tensor, mask: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
        batch, length, _ = x.shape
        y = self.input_layernorm(x)
        q, k, v = (
            f(y).view(batch, length, -1, self.width).transpose(1, 2)
            for f in (self.q_proj, self.k_proj, self.v_proj)
        )
        q, k = rotated(q, cos, sin), rotated(k, cos, sin)
        groups = self.heads // self.kv_heads
        k, v = (
            t[:, :, None].expand(batch, self.kv_heads, groups, length, self.width).reshape(
                batch, self.heads, length, self.width)
            for t in (k, v)
        )
        y = nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        x = x + self.o_proj(y.transpose(1, 2).reshape(batch, length, -1))
        y = self.post_attention_layernorm(x)
        return x + self.down_proj(nn.functional.silu(self.gate_proj(y)) * self.up_proj(y))


class Llama(nn.Module):
    def __init__(self, c: DecoderConfig):
        super().__init__()
        self.embed_tokens = nn.Embedding(c.vocabulary, c.hidden)
        self.layers = nn.ModuleList(LlamaLayer(c) for _ in range(c.layers))
        self.norm = RmsNorm(c.hidden)
        self.lm_head = nn.Linear(c.hidden, c.vocabulary, bias=False)
        width = c.hidden // c.heads
        self.register_buffer("inv_freq", 10000.0 ** (-torch.arange(0, width, 2).float() / width), persistent=False)

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        length = input_ids.shape[1]
        x = self.embed_tokens(input_ids)
        angles = torch.arange(length, device=x.device).float()[:, None] * self.inv_freq
        angles = torch.cat((angles, angles), -1)
        mask, cos, sin = causal(length, x), angles.cos(), angles.sin()
        for layer in self.layers:
            x = layer(x, mask, cos, sin)
        return self.lm_head(self.norm(x))


class SmallCnn(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 16, 3, 2, 1, bias=False), nn.BatchNorm2d(16)
        self.depthwise, self.pointwise = nn.Conv2d(16, 16, 3, 1, 1, groups=16), nn.Conv2d(16, 32, 1)
        self.fc = nn.Linear(32 * 16, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.bn1(self.conv1(x)))
        x = nn.functional.hardswish(self.pointwise(self.depthwise(x)))
        return self.fc(nn.functional.max_pool2d(x, 4).flatten(1))


def cnn():
    torch.manual_seed(0)
    return SmallCnn().eval(), (torch.randn(2, 3, 32, 32),), ["x"], ["y"], {"x": {0: "batch"}}


def decoder(cls: type[nn.Module], config: DecoderConfig | None = None):
    torch.manual_seed(0)
    c = config or DecoderConfig()
    model = cls(c).eval()
    for m in model.modules():  # equal tensors would be merged by the exporters
        if isinstance(m, (nn.LayerNorm, RmsNorm)):
            for p in m.parameters():
                nn.init.normal_(p, 1, 0.1)
    axes = {"input_ids": {0: "batch", 1: "sequence"}}
    return model, (torch.randint(0, c.vocabulary, (2, 9)),), ["input_ids"], ["logits"], axes


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


MODELS = {
    "mlp": mlp, "cnn": cnn, "resnet50": resnet50, "bert": bert, "bert_base": lambda: bert(BertConfig()),
    "gpt2": lambda: decoder(Gpt2), "llama": lambda: decoder(Llama),
}


def export(name: str, exporter: str, path: str, external_data: bool = False) -> nn.Module:
    """Writes the model, weights inside or (dynamo only) in `path`.data; returns the original module."""
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
                              dynamic_shapes=shapes, external_data=external_data, verbose=False)
    return model


if __name__ == "__main__":
    export(*sys.argv[1:])
