"""Calls of an FX graph as Python a person writes: ``x + y``, ``F.gelu(x)``, ``x[:, 0]``."""

from __future__ import annotations

import functools
import itertools
import json
import math
import operator
import re
from typing import Any, Callable, cast

import torch
from torch import fx

from .loader import sequence_leaves
from .loader.targets import resolve
from .loader.vocabulary import NN_FUNCTIONS, NN_NAMES, NUMBER_OPERATORS


class SourceError(ValueError):
    """Something in a module is no plain torch."""


_NUMBER = re.compile("\0(\\w+)=([^\0]*)\0")


def slot(value: Any, hint: str) -> str:
    """A number, which another module of the same class may have another of; with a hint at its name."""
    return f"\0{hint}={number_text(value)}\0"


def number_text(value: Any) -> str:
    """Of a number, or a list of them."""
    return repr(value).replace("e+", "e")


def slots(text: str) -> list[tuple[str, str]]:
    """The (hint, number) of a text, in order."""
    return _NUMBER.findall(text)


def filled(text: str, numbers: Callable[[int, str], str] = lambda _, number: number) -> str:
    """The text with its numbers; `numbers` gives the one of an index."""
    count = itertools.count()
    return _NUMBER.sub(lambda m: numbers(next(count), m[2]), text)

_INFIX = {  # function -> (sign, how tightly it binds)
    operator.pow: ("**", 9), operator.mul: ("*", 7), operator.truediv: ("/", 7), operator.floordiv: ("//", 7),
    operator.mod: ("%", 7), operator.add: ("+", 6), operator.sub: ("-", 6), operator.and_: ("&", 5),
    operator.xor: ("^", 4), operator.or_: ("|", 3), operator.eq: ("==", 2), operator.ne: ("!=", 2),
    operator.lt: ("<", 2), operator.le: ("<=", 2), operator.gt: (">", 2), operator.ge: (">=", 2),
}  # fmt: skip
_UNARY, _CALL = 8, 10
_PREFIX = {operator.neg: "-", operator.invert: "~"}
_SPACES = {"torch": "torch", "torch.nn.functional": "F", "torch.linalg": "torch.linalg", "torch.fft": "torch.fft"}


@functools.cache
def _names() -> dict[Any, str]:
    """Function -> how it is written."""
    names: dict[Any, str] = {}
    for target in sorted(NUMBER_OPERATORS | NN_FUNCTIONS | frozenset(NN_NAMES.values())):
        space, _, name = target.partition("::")
        if space != "torch.Tensor":
            names.setdefault(resolve(target), f"{_SPACES.get(space, space)}.{name}")
    return names


class Text(str):
    """An expression, and how tightly its outermost operator binds."""

    binds = _CALL


def _text(text: str, binds: int = _CALL) -> Text:
    made = Text(text)
    made.binds = binds
    return made


def _tight(text: str, binds: int = _CALL) -> str:
    """In parentheses, where the expression around it would take it apart."""
    return text if getattr(text, "binds", _CALL) >= binds else f"({text})"


def call(node: fx.Node, argument: Callable[[Any], str]) -> Text:
    """KeyError: it is no plain torch."""
    target = node.target
    if node.op == "call_method":
        return _text(f"{_tight(argument(node.args[0]))}.{target}({_arguments(node.args[1:], node.kwargs, argument)})")
    if target in _INFIX and len(node.args) == 2 and not node.kwargs:
        sign, binds = _INFIX[target]
        left, right = map(argument, node.args)
        repeats = binds in (6, 7)  # a - b + c is (a - b) + c
        left, right = _tight(left, binds + (not repeats)), _tight(right, binds + 1)
        space = "" if sign == "**" and _is_plain(left, ".") and _is_plain(right, ".") else " "
        return _text(f"{left}{space}{sign}{space}{right}", binds)
    if target in _PREFIX and len(node.args) == 1:
        return _text(f"{_PREFIX[target]}{_tight(argument(node.args[0]), _UNARY + 1)}", _UNARY)
    if target is operator.getitem:
        return _text(f"{_tight(argument(node.args[0]))}[{_index(node.args[1], argument)}]")
    if target is torch.ops.aten.index.Tensor and (text := _subscript(node, argument)):
        return _text(text)
    if target is sequence_leaves.sequence_length:
        return _text(f"len({argument(node.args[0])})")
    if target is sequence_leaves.sequence_insert and node.args[2] is None:
        return _text(f"[*{argument(node.args[0])}, {argument(node.args[1])}]")
    if target is getattr:
        return _text(f"{_tight(argument(node.args[0]))}.{node.args[1]}")
    return _text(f"{_function(target)}({_arguments(node.args, node.kwargs, argument)})")


def _subscript(node: fx.Node, argument: Callable[[Any], str]) -> str | None:
    """Of a call of aten::index with one index; with several, Python's rules are others, as they are for a number."""
    x, indices = cast("tuple[Any, list[Any]]", node.args)
    at = [i for i, index in enumerate(indices) if index is not None]
    shape = (indices[at[0]].meta.get("onnx_type") or {}).get("shape") if len(at) == 1 else None
    if shape is None:
        return None
    index = argument(indices[at[0]])
    text = f"{_tight(argument(x))}[{':, ' * at[0]}{index if shape else f'{_tight(index)}[None]'}]"
    return text if shape else f"{text}.squeeze({at[0]})"


def _function(target: Any) -> str:
    if isinstance(target, torch._ops.OpOverload) and target.namespace == "aten":
        return f"torch.ops.{target}"
    return _names()[target]


def _arguments(args: Any, kwargs: Any, argument: Callable[[Any], str]) -> str:
    return ", ".join([*map(argument, args), *(f"{k}={argument(v)}" for k, v in kwargs.items())])


def _index(index: Any, argument: Callable[[Any], str]) -> str:
    if isinstance(index, tuple) and index:
        return ", ".join(_index(i, argument) for i in index) + ("," if len(index) == 1 else "")
    if isinstance(index, slice):
        bounds = ["" if b is None else argument(b) for b in (index.start, index.stop, index.step)]
        space = "" if all(map(_is_plain, bounds)) else " "
        start, stop, step = bounds
        text = (f"{start}{space}" if start else "") + ":" + (f"{space}{stop}" if stop else "")
        return text + (f"{space}:{space}{step}" if step else "")
    return argument(index)


def _is_plain(text: str, joint: str = "") -> bool:
    """A name or a number, or names with `joint` between: nothing that spaces would help to read."""
    return re.fullmatch(rf"-?[\w{joint}]*", filled(text)) is not None


def literal(value: Any, hint: str = "n") -> Text:
    """What is no node."""
    negative = isinstance(value, (int, float)) and str(value).startswith("-")
    return _text(_literal(value, hint), _UNARY if negative else _CALL)


def _literal(value: Any, hint: str) -> str:
    if isinstance(value, (list, tuple)):
        items = ", ".join(_literal(v, hint) for v in value)
        return f"[{items}]" if isinstance(value, list) else f"({items}{',' if len(value) == 1 else ''})"
    if isinstance(value, float) and not math.isfinite(value):
        return f'float("{value}")'
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return slot(value, hint)
    if isinstance(value, torch.device):
        return f'torch.device("{value}")'
    if isinstance(value, str):
        return json.dumps(value)  # which Python reads as well; no text of a model ends it
    if value is None or isinstance(value, bool):
        return repr(value)
    if isinstance(value, (torch.dtype, torch.layout, torch.memory_format)):
        return str(value)
    raise KeyError(type(value).__name__)
