"""Runs a converted module node by node and holds each result against the type that the conversion stated for it."""

from __future__ import annotations

import re
from typing import Any

import torch

_FUNCTIONS = {"floordiv": lambda a, b: a // b, "mod": lambda a, b: a % b, "max": max, "min": min}


class TypedRun(torch.fx.Interpreter):
    """`wrong`: what differs, a line each. `names`: the value of each symbol, from where it stands alone first."""

    def __init__(self, module: torch.fx.GraphModule, names: dict[str, int] | None = None) -> None:
        super().__init__(module)
        self.names: dict[str, int] = {} if names is None else names
        self.wrong: list[str] = []
        self.open = self.extents = 0

    def run_node(self, node: torch.fx.Node) -> Any:
        result = super().run_node(node)
        if isinstance(result, torch.Tensor) and node.op != "output":
            said = node.meta.get("onnx_type") or {"dtype": None, "shape": None}
            self.check(node, said, result)
        return result

    def check(self, node: torch.fx.Node, said: dict[str, Any], got: torch.Tensor) -> None:
        dtype = str(got.dtype).removeprefix("torch.")
        self.extents += got.dim()
        if said["dtype"] not in (None, dtype):
            self.wrong.append(f"node {node.name} ({node.target}): dtype {said['dtype']}, got {dtype}")
        if said["shape"] is None:
            self.open += got.dim()
            return
        if len(said["shape"]) != got.dim():
            self.wrong.append(f"node {node.name} ({node.target}): shape {said['shape']}, got {list(got.shape)}")
            return
        for text, extent in zip(said["shape"], got.shape):
            value = self.value(text, extent)
            self.open += value is None
            if value not in (None, extent):
                self.wrong.append(f"node {node.name} ({node.target}): extent {text} = {value}, got {extent}")

    def value(self, text: Any, extent: int) -> int | None:
        if isinstance(text, int) or text.isdecimal():
            return int(text)
        if re.fullmatch(r"\w+", text):
            return self.names.setdefault(text, extent)
        if text == "?" or not set(re.findall(r"[A-Za-z_]\w*", text)) <= self.names.keys() | _FUNCTIONS.keys():
            return None
        return eval(text, {"__builtins__": {}}, {**_FUNCTIONS, **self.names})  # noqa: S307: of our own program


def wrong_types(module: torch.fx.GraphModule, inputs: list[Any]) -> str:
    """The first node whose result is not of the type that was stated; empty: there is none."""
    run = TypedRun(module)
    run.run(*inputs)
    return run.wrong[0] if run.wrong else ""
