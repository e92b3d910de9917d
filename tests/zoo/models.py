"""The zoo: one line a model.

`network` is a class under networks/ (those of `hub_...` need what requirements.txt installs),
`inputs` the text that inputs.py reads.
"""

from __future__ import annotations

import dataclasses
import importlib
import zlib

import torch
from torch import nn

from . import inputs as _inputs


@dataclasses.dataclass(frozen=True)
class Model:
    name: str
    network: str
    inputs: str
    wide: bool = False  # also in the columns of inductor and of the ecosystem
    training: bool = True  # the PRESERVE form is exported in training mode

    def parsed(self) -> tuple[_inputs.Input, ...]:
        return _inputs.parse(self.inputs)

    def build(self) -> nn.Module:
        module, cls = self.network.split(".")
        torch.manual_seed(zlib.crc32(self.name.encode()))
        network = getattr(importlib.import_module(f"zoo.networks.{module}"), cls)()
        make_distinct(network)
        return network.eval()

    def needs_packages(self) -> bool:
        return self.network.startswith("hub_")


def make_distinct(network: nn.Module) -> None:
    """No two weights alike, and none constant: exporters would merge or fold them."""
    with torch.no_grad():
        for p in network.parameters():
            if p.is_floating_point() and (p.numel() == 1 or p.std() == 0):
                p.add_(0.1 * torch.randn_like(p))
        for name, b in network.named_buffers():
            if name.endswith("running_mean"):
                b.normal_(0, 0.1)
            elif name.endswith("running_var"):
                b.uniform_(0.5, 1.5)


_IMAGE = "x: float[batch, 3, 32, 32]"
_TEXT = "input_ids: int(100)[batch, length]; attention_mask: mask[batch, length]"
_IDS = "input_ids: int(100)[batch, length]"

MODELS = [
    Model("mlp", "plain.Mlp", "x: float[batch, 16]", wide=True),
    Model("norms", "plain.Norms", "x: float[batch, 8, 12, 12]"),
    Model("resnet", "vision.ResNet", _IMAGE, wide=True),
    Model("unet", "vision.UNet", _IMAGE),
    Model("transformer", "plain.Transformer", "source: float[batch, length, 16]; target: float[batch, other, 16]"),
    Model("lstm_tagger", "recurrent.LstmTagger", _IDS, wide=True),
    Model("gru_tagger", "recurrent.GruTagger", _IDS),
    Model("siamese_lstm", "recurrent.SiameseLstm", "a: float[batch, length, 6]; b: float[batch, other, 6]"),
    Model("tied", "plain.TiedEmbeddings", _IDS),
    Model("bert", "hub_text.Bert", _TEXT, wide=True),
    Model("gpt2", "hub_text.Gpt2", _IDS, wide=True),
    Model("llama", "hub_text.Llama", _IDS, wide=True),
]
BY_NAME = {m.name: m for m in MODELS}
