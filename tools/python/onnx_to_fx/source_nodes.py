"""What the writers of the source ask of a node."""

from __future__ import annotations

from typing import Any

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
