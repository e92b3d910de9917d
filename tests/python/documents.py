"""Graph documents written by hand, for tests of the loader."""

from __future__ import annotations

import struct
from typing import Any, Callable, Mapping

import torch
from onnx_to_fx import loader


def document(nodes: list[dict], result: list[Any], **parts: Any) -> dict[str, Any]:
    """A document of one program; `parts` overrule its other keys."""
    root = program("root", nodes, result[0] if len(result) == 1 else result)
    programs = [root, *parts.pop("programs", [])]
    return {
        "format": "onnx2fx.graph",
        "version": "1.0",
        "generator": "test",
        "dialect": "nn",
        "weights": "memory",
        "inputs": [],
        "outputs": [{"name": f"y{i}"} for i in range(len(result))],
        "programs": programs,
        "tensors": [],
        "modules": [],
        "sources": [],
        "provenance": [],
        "metadata": {},
        **parts,
    }


def program(name: str, nodes: list[dict], result: Any) -> dict[str, Any]:
    return {"name": name, "nodes": [*nodes, {"op": "output", "name": "output", "args": [result]}]}


def ref(name: str) -> dict[str, str]:
    return {"node": name}


def inputs(*names: str) -> list[dict]:
    return [{"op": "placeholder", "name": n} for n in names]


def call(name: str, target: str, *args: Any, **kwargs: Any) -> dict[str, Any]:
    node = {"op": "call_function", "name": name, "target": target, "args": list(args)}
    return {**node, "kwargs": kwargs} if kwargs else node


def call_module(name: str, index: int, *args: Any) -> dict[str, Any]:
    return {"op": "call_module", "name": name, "module": index, "args": list(args)}


def get_attr(name: str, index: int) -> dict[str, Any]:
    return {"op": "get_attr", "name": name, "tensor": index}


def tensor(path: str, value: torch.Tensor, role: str = "parameter", **parts: Any) -> dict[str, Any]:
    """An entry that carries its value under "value", which `values` takes out."""
    return {
        "name": path,
        "path": path,
        "dtype": str(value.dtype).removeprefix("torch."),
        "shape": list(value.shape),
        "role": role,
        "requires_grad": role == "parameter",
        "data": None,
        "value": value,
        **parts,
    }


def build(doc: Mapping[str, Any], **options: Any):
    return loader.build(doc, lambda entry: entry["value"], **options)


def floats(*values: float) -> bytes:
    return struct.pack(f"<{len(values)}f", *values)


Built = Callable[..., torch.Tensor]
