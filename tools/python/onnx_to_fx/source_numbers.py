"""Arithmetic of sizes without what changes nothing: ``x.size(1) // 1 * 1`` is ``x.size(1)``."""

from __future__ import annotations

import math
import operator
from typing import Any, Callable

import torch
from torch import fx

_WHOLE: set[Any] = {operator.index, math.ceil, math.floor, math.trunc, torch.sym_int}
_OF_WHOLE: dict[Any, Callable[..., int]] = {
    operator.add: operator.add, operator.sub: operator.sub, operator.mul: operator.mul, operator.neg: operator.neg,
    operator.pos: operator.pos, operator.abs: operator.abs, operator.floordiv: operator.floordiv,
    operator.mod: operator.mod, torch.sym_max: max, torch.sym_min: min,
}  # fmt: skip
"""Functions that give whole numbers of whole numbers, and how they are computed of known ones."""


def is_size(node: fx.Node) -> bool:
    return node.op == "call_method" and node.target == "size" and len(node.args) == 2


def is_whole(a: Any) -> bool:
    """Whether it is known to be an int, and no tensor."""
    if not isinstance(a, fx.Node):
        return isinstance(a, int) and not isinstance(a, bool)
    if a.target in _OF_WHOLE:
        return all(map(is_whole, a.args)) and not a.kwargs
    return is_size(a) or a.target in _WHOLE


def same(node: fx.Node) -> Any:
    """The number, or the node, that a number is equal to; itself where there is none."""
    if not is_whole(node) or is_size(node):
        return node
    args = [same(a) if isinstance(a, fx.Node) else a for a in node.args]
    if node.target in _WHOLE:
        return args[0] if is_whole(args[0]) else node
    if all(isinstance(a, int) for a in args) and not (node.target in (operator.floordiv, operator.mod) and args[1] == 0):
        return _OF_WHOLE[node.target](*args)
    return _without_neutral(node, args)


def _without_neutral(node: fx.Node, args: list[Any]) -> Any:
    if node.target is operator.pos:
        return args[0]
    if len(args) != 2:
        return node
    a, b = args
    if node.target in (operator.mul, operator.floordiv) and b == 1 or node.target in (operator.add, operator.sub) and b == 0:
        return a
    if node.target is operator.mul and a == 1 or node.target is operator.add and a == 0:
        return b
    if node.target is operator.floordiv and isinstance(a, fx.Node) and a.target is operator.mul and b != 0:
        rest = [x for x in a.args if x != b]  # of (x * 4) // 4
        return same(rest[0]) if len(rest) == 1 and isinstance(rest[0], fx.Node) else node
    return node
