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
    slice: str = ""  # the form in which it is tried in tools/test

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
    """No two weights alike, none constant, none derived from another: exporters would merge or fold them."""
    with torch.no_grad():
        for p in network.parameters():
            constant = p.numel() == 1 or p.std() == 0
            p.add_((0.1 if constant else 0.1 * p.std()) * torch.randn_like(p))
        for name, b in network.named_buffers():
            if name.endswith("running_mean"):
                b.normal_(0, 0.1)
            elif name.endswith("running_var"):
                b.uniform_(0.5, 1.5)


_IMAGE = "x: float[batch, 3, 32, 32]"
_TEXT = "input_ids: int(100)[batch, length]; attention_mask: mask[batch, length]"
_IDS = "input_ids: int(100)[batch, length]"
_PAIR = "a: float[batch, length, 6]; b: float[batch, other, 6]"
_SEQUENCES = "source: float[batch, length, 16]; target: float[batch, other, 16]"
_DECODER = (
    "input_ids: int(100)[batch, length]; past_key: float[batch, 2, past, 8]; "
    "past_value: float[batch, 2, past, 8]; use_cache: bool[]"
)

MODELS = [
    Model("mlp", "plain.Mlp", "x: float[batch, 16]", wide=True, slice="dynamo"),
    Model("norms", "plain.Norms", "x: float[batch, 8, 12, 12]"),
    Model("resnet", "vision.ResNet", _IMAGE, wide=True, slice="preserve"),
    Model("bottleneck_resnet", "hub_vision.ResNet", _IMAGE),
    Model("mobilenet_v3", "hub_vision.MobileNetV3", _IMAGE),
    Model("efficientnet", "hub_vision.EfficientNet", _IMAGE),
    Model("convnext", "hub_vision.ConvNeXt", _IMAGE),
    Model("vit", "hub_vision.Vit", _IMAGE, wide=True),
    Model("swin", "hub_vision.Swin", _IMAGE),
    Model("unet", "vision.UNet", _IMAGE),
    Model("deeplab", "vision.DeepLab", _IMAGE),
    Model("segformer", "hub_media.Segformer", "pixel_values: float[batch, 3, 32, 32]"),
    Model("detector", "detection.Detector", "image: float[1, 3, 32, 32]"),
    Model("qdq_cnn", "vision.QuantizedCnn", _IMAGE, slice="unoptimized"),
    Model("bert", "hub_text.Bert", _TEXT, wide=True),
    Model("distilbert", "hub_text.DistilBert", _TEXT),
    Model("gpt2", "hub_text.Gpt2", _TEXT, wide=True),
    Model("llama", "hub_text.Llama", _TEXT, wide=True),
    Model("qwen", "hub_text.Qwen", _TEXT),
    Model("mixtral", "hub_text.Mixtral", _TEXT),
    Model("mixture_of_experts", "plain.MixtureOfExperts", _IDS, slice="unoptimized"),
    Model("t5", "hub_text.T5", f"{_IDS}; decoder_input_ids: int(100)[batch, other]"),
    Model("whisper_encoder", "hub_media.WhisperEncoder", "input_features: float[batch, 16, 48]"),
    Model("clip", "hub_media.Clip", f"{_IDS}; pixel_values: float[images, 3, 32, 32]"),
    Model("wav2vec2", "hub_media.Wav2Vec2", "input_values: float[batch, samples]"),
    Model("transformer", "plain.Transformer", _SEQUENCES, slice="legacy"),
    Model("tied_embeddings", "plain.TiedEmbeddings", _IDS, slice="dynamo"),
    Model("merged_decoder", "control.MergedDecoder", _DECODER),
    Model("lstm_tagger", "recurrent.LstmTagger", _IDS, wide=True),
    Model("gru_tagger", "recurrent.GruTagger", _IDS),
    Model("siamese_lstm", "recurrent.SiameseLstm", _PAIR, slice="legacy"),
    Model("vocoder", "audio.Vocoder", "frames: float[batch, 8, frames]"),
    Model("graph_net", "plain.GraphNet", "nodes: float[nodes, 5]; edges: int(6)[2, edges]"),
    Model("if", "control.If", "x: float[batch, 8]", slice="dynamo"),
    Model("while", "control.While", "x: float[batch, 8]; steps: int(4)[]"),
    Model("scan", "control.Scan", "frames: float[batch, frames, 6]"),
    Model("unrolled", "control.Unrolled", "x: float[batch, 8]"),
]
BY_NAME = {m.name: m for m in MODELS}
