"""Linear layers of which a body of control flow calls the function: they are modules, under the names of their weights."""

from __future__ import annotations

from typing import Any, Callable

import torch
import torch.nn.functional as F
from torch import fx, nn

from .loader.modules import Holder
from .source_expressions import Text, slot


class Layers:
    """Those of a block, which `path` writes: self.layers[0]."""

    def __init__(self, block: nn.Module, path: Callable[[str], str]) -> None:
        self.found = {path(name): m for name, m in block.named_modules() if isinstance(m, Holder) and _is_linear(m)}
        self.called: set[int] = set()

    def call(self, node: fx.Node, argument: Callable[[Any], str]) -> Text | None:
        """The call of a layer that says the same; None: there is none."""
        if node.target is not F.linear or node.kwargs:
            return None
        x, weight, bias = map(argument, (*node.args, None)[:3])
        owner, _, name = weight.rpartition(".")
        layer = self.found.get(owner)
        if layer is None or name != "weight" or bias != ("None" if len(layer._parameters) == 1 else f"{owner}.bias"):
            return None
        self.called.add(id(layer))
        return Text(f"{owner}({x})")

    def construction(self, holder: Holder) -> str | None:
        if id(holder) not in self.called:
            return None
        weight, *bias = (p for p in holder._parameters.values() if p is not None)
        features = f"{slot(weight.shape[1], 'in_features')}, {slot(weight.shape[0], 'out_features')}"
        dtype = "" if weight.dtype == torch.float32 else f", dtype={weight.dtype}"
        return f"nn.Linear({features}{'' if bias else ', bias=False'}{dtype})"


def _is_linear(holder: Holder) -> bool:
    shapes = {n: p.shape for n, p in holder._parameters.items() if p is not None}
    if holder._modules or holder._buffers or list(shapes) not in (["weight"], ["weight", "bias"]):
        return False
    return len(shapes["weight"]) == 2 and shapes.get("bias", shapes["weight"][:1]) == shapes["weight"][:1]
