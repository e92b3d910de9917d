"""What the writers of the source ask of a node."""

from __future__ import annotations

from typing import Any

import torch
from torch import fx


def is_tensor(node: fx.Node) -> bool:
    return (node.meta.get("onnx_type") or {}).get("dtype") is not None


def is_device(node: fx.Node) -> bool:
    return node.target is getattr and node.args[1] == "device"


def mentions(node: fx.Node, operand: fx.Node) -> int:
    """How often one stands in the arguments of the other."""
    count = 0

    def see(n: fx.Node) -> fx.Node:
        nonlocal count
        count += n is operand
        return n

    fx.node.map_arg((node.args, node.kwargs), see)
    return count


def nodes_of(a: Any) -> list[fx.Node]:
    """In an argument, each once, in order."""
    found: dict[fx.Node, None] = {}
    fx.node.map_arg(a, lambda n: found.setdefault(n))
    return list(found)


def results_of(module: fx.GraphModule, node: fx.Node) -> int | None:
    """How many results a call returns; None: one, or nobody knows."""
    if node.op == "call_module" and isinstance(block := module.get_submodule(str(node.target)), fx.GraphModule):
        result = block.graph.output_node().args[0]
        return len(result) if isinstance(result, tuple) and len(result) > 1 else None
    if node.target is torch.split and isinstance(node.args[1], (list, tuple)) and len(node.args[1]) > 1:
        return len(node.args[1])
    return None
