"""The forward of a block: its graph as statements, with what is used once written where it is used."""

from __future__ import annotations

import builtins
import keyword
import operator
import re
from typing import Any, cast

from torch import fx, nn

from .loader.program import Mode
from .source_expressions import Text, call, filled, literal

WIDTH = 100
_TAKEN = {*dir(builtins), *keyword.kwlist, "self", "torch", "F", "nn", "math", "operator", "pathlib"}


class SourceError(ValueError):
    """Something in a module is no plain torch."""


class Forward:
    """`path` writes how a path of the block is reached: self.layers[0].weight."""

    def __init__(self, module: fx.GraphModule, inputs: list[str], path: Any) -> None:
        self.module, self.path = module, path
        self.names: dict[fx.Node, Text] = {}
        self.loops = _loops(module)
        self.taken: set[str] = {"layer"} if self.loops else set()
        self.statements: list[tuple[fx.Node, Text]] = []  # of a node of `loops`: what the loop starts with
        placeholders = [n for n in module.graph.nodes if n.op == "placeholder"]
        for node, wanted in zip(placeholders, inputs):
            self.names[node] = self._claim(wanted)
        self.inputs = [str(self.names[n]) for n in placeholders]
        self.tensors = [self.names[n] for n in placeholders if is_tensor(n)]

    def lines(self) -> list[str]:
        for node in self.module.graph.nodes:
            if node.op == "output":
                result = self._returned(node)
                break
            if node.op != "placeholder":
                self._add(node)
        return [*(line for n, t in self.statements for line in self._assignment(n, t)), f"return {result}"]

    def _returned(self, node: fx.Node) -> str:
        text = self._fitting(lambda: self._argument(node.args[0]), node)
        return text[1:-1] if isinstance(node.args[0], tuple) and len(node.args[0]) > 1 else text

    def _assignment(self, node: fx.Node, text: str) -> list[str]:
        if not node.users:
            return [text]
        if node not in self.loops:
            return [f"{self.names[node]} = {text}"]
        name, (_, place) = self.names[node], self.loops[node]
        modules = self.path(str(node.target).rpartition(".")[0])
        arguments = [name if i == place else self._argument(a) for i, a in enumerate(node.args)]
        start = [] if text == name else [f"{name} = {text}"]
        return [*start, f"for layer in {modules}:", f"    {name} = layer({', '.join(arguments)})"]

    def _claim(self, wanted: str) -> Text:
        base = re.sub(r"(_\d+)+$", "", wanted).strip("_") or "value"
        base = base if base.isidentifier() else f"value_{base}"
        name, number = base + "_" * (base in _TAKEN), 1
        while name in self.taken:
            name, number = f"{base}_{number}", number + 1
        self.taken.add(name)
        return Text(name)

    def _add(self, node: fx.Node) -> None:
        if node.op == "get_attr":
            self.names[node] = Text(self.path(str(node.target)))
        elif self._is_mode(node):
            self.names[node] = Text("self.training")
        elif node.target is operator.getitem and self._is_mode(node.args[0]):
            self.names[node] = Text("self.training")
        elif self._is_device_of_constant(node):
            self.names[node] = Text(f"{self.tensors[0]}.device")
        elif self._is_size(node):
            self.names[node] = self._text(node)
        elif any(node in calls[:-1] for calls, _ in self.loops.values()):
            self.names[node] = Text("_")  # inside the loop
        elif node in self.loops:
            calls, place = self.loops[node]
            first = cast(fx.Node, calls[0].args[place])
            self.statements.append((node, self._argument(first)))
            self.names[node] = self.names[first] if list(first.users) == calls[:1] else self._claim(node.name)
        else:
            text = self._fitting(lambda: self._text(node), node)
            self.statements.append((node, text))
            self.names[node] = self._claim(node.name) if node.users else Text("_")

    def _is_mode(self, node: Any) -> bool:
        is_call = isinstance(node, fx.Node) and node.op == "call_module"
        return is_call and isinstance(self.module.get_submodule(node.target), Mode)

    def _is_device_of_constant(self, node: fx.Node) -> bool:
        owner = node.args[0] if is_device(node) else None
        return bool(self.tensors) and isinstance(owner, fx.Node) and owner.op == "get_attr"

    def _is_size(self, node: fx.Node) -> bool:
        """Cheap, and short: written wherever it is used."""
        if node.op == "call_method" and node.target == "size":
            return True
        return is_device(node)

    def _fitting(self, write: Any, node: fx.Node) -> Text:
        """What `write` gives, with the statements before it in it as far as a line can hold them.

        In their order: what comes last in the expression is computed last.
        """
        text = write()
        operands = list(reversed(node.all_input_nodes))
        for operand in operands:
            if not self.statements or self.statements[-1][0] is not operand or len(operand.users) != 1:
                if operand.op in ("placeholder", "get_attr") or self._is_size(operand):
                    continue
                break
            if operand in self.loops:
                break
            if _mentions(node, operand) != 1:
                break
            kept, name = self.statements.pop(), self.names[operand]
            self.names[operand] = kept[1]
            wider = write()
            if len(filled(wider)) > WIDTH - 30:
                self.statements.append(kept)
                self.names[operand] = name
                break
            self.taken.discard(str(name))
            text = wider
        return text

    def _text(self, node: fx.Node) -> Text:
        if node.op == "call_module":
            arguments = ", ".join(map(self._argument, node.args))
            return Text(f"{self.path(str(node.target))}({arguments})")
        try:
            return call(node, self._argument)
        except KeyError:
            onnx = node.meta.get("onnx", {})
            what = getattr(node.target, "__name__", str(node.target))
            raise SourceError(
                f"node {onnx.get('name') or node.name!r} ({onnx.get('op_type', 'FX')}): expected a call of torch, got {what}"
            ) from None

    def _argument(self, a: Any) -> Text:
        if isinstance(a, fx.Node):
            return self.names[a]
        if isinstance(a, (list, tuple)) and any(isinstance(x, (fx.Node, list, tuple)) for x in a):
            items = ", ".join(map(self._argument, a))
            return Text(f"[{items}]" if isinstance(a, list) else f"({items}{',' if len(a) == 1 else ''})")
        return literal(a)


def _mentions(node: fx.Node, operand: fx.Node) -> int:
    count = 0

    def see(n: fx.Node) -> fx.Node:
        nonlocal count
        count += n is operand
        return n

    fx.node.map_arg((node.args, node.kwargs), see)
    return count


def is_tensor(node: fx.Node) -> bool:
    return (node.meta.get("onnx_type") or {}).get("dtype") is not None


def is_device(node: fx.Node) -> bool:
    return node.target is getattr and node.args[1] == "device"


def _loops(module: fx.GraphModule) -> dict[fx.Node, tuple[list[fx.Node], int]]:
    """Last call -> all calls of the modules of a list, one after the other, and the argument that is handed on."""
    found = {}
    calls = [n for n in module.graph.nodes if n.op == "call_module" and str(n.target).rpartition(".")[2].isdigit()]
    for first in calls:
        path = str(first.target).rpartition(".")[0]
        if not str(first.target).endswith(".0") or not isinstance(module.get_submodule(path), nn.ModuleList):
            continue
        run = [n for n in calls if str(n.target).rpartition(".")[0] == path]
        count = len(module.get_submodule(path))  # type: ignore[arg-type]
        if count < 2 or [str(n.target) for n in run] != [f"{path}.{i}" for i in range(count)]:
            continue
        places = [i for i, a in enumerate(run[1].args) if a is first]
        if len(places) == 1 and _hand_on(run, places[0]):
            found[run[-1]] = run, places[0]
    return found


def _hand_on(run: list[fx.Node], place: int) -> bool:
    others = [[a for i, a in enumerate(n.args) if i != place] for n in run]
    return all(
        n.args[place] is before and list(before.users) == [n] and n.prev is before
        for before, n in zip(run, run[1:])
    ) and all(o == others[0] for o in others)


def wrapped(line: str, indent: str) -> list[str]:
    """A line that is too long, with the arguments of its call on lines of their own."""
    if len(filled(indent + line)) <= WIDTH or "(" not in line or not line.endswith(")"):
        return [indent + line]
    head, _, rest = line.partition("(")
    items = _items(rest[:-1])
    if items is None:
        return [indent + line]
    inside = ", ".join(items)
    if len(filled(indent + inside)) + 4 <= WIDTH:
        return [f"{indent}{head}(", f"{indent}    {inside}", f"{indent})"]
    return [f"{indent}{head}(", *(f"{indent}    {item}," for item in items), f"{indent})"]


def _items(text: str) -> list[str] | None:
    """What stands between the commas of one call; None: the text is of several."""
    items, depth, start = [], 0, 0
    for i, c in enumerate(text):
        depth += (c in "([{") - (c in ")]}")
        if depth < 0:
            return None
        if c == "," and depth == 0:
            items.append(text[start:i].strip())
            start = i + 1
    return [*items, text[start:].strip()]
