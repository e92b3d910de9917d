"""The forward of a block: its graph as statements, with what is used once written where it is used."""

from __future__ import annotations

import builtins
import keyword
import operator
from typing import AbstractSet, Any, Sequence, cast

from torch import fx, nn

from . import source_control_flow as control_flow
from .loader.control_flow import ControlFlow
from .loader.program import Mode
from .source_expressions import SourceError, Text, call, filled, literal
from .source_layers import Layers
from .source_layout import WIDTH
from .source_names import Names
from .source_nodes import is_device, is_tensor, mentions, nodes_of, results_of
from .source_numbers import is_size, same

_TAKEN = {*dir(builtins), *keyword.kwlist, "self", "torch", "F", "nn", "itertools", "math", "operator", "pathlib"}


class Forward:
    """`path` writes how a path of the block is reached: self.layers[0].weight. `names`: those of its values."""

    def __init__(self, module: fx.GraphModule, inputs: list[str], path: Any, names: Names) -> None:
        self.module, self.path, self.readable = module, path, names
        self.layers = Layers(module, path)
        self.names: dict[fx.Node, Text] = {}
        self.loops = _loops(module)
        self.taken: set[str] = {"layer"} if self.loops else set()
        self.statements: list[tuple[fx.Node, Text | list[str]]] = []  # of a node of `loops`: what the loop starts with
        placeholders = [n for n in module.graph.nodes if n.op == "placeholder"]
        for node, wanted in zip(placeholders, inputs):
            self.names[node] = self._unused(wanted)
        self.inputs = [str(self.names[n]) for n in placeholders if n in self.names]
        self.tensors = [self.names[n] for n in placeholders if n in self.names and is_tensor(n)]
        self.given: set[fx.Node] = set()  # by another forward, which may read it again

    def inside(self, path: str, inputs: Sequence[Any]) -> Forward:
        """A body of control flow, in place: `inputs` are what it is called with, nodes or texts."""
        module = cast(fx.GraphModule, self.module.get_submodule(path))
        body = Forward(module, [], lambda p: self.path(f"{path}.{p}"), self.readable)
        placeholders = [n for n in module.graph.nodes if n.op == "placeholder"]
        body.names = {p: i if isinstance(i, Text) else self.argument(i) for p, i in zip(placeholders, inputs)}
        self.taken |= body.taken
        body.taken, body.tensors, body.given, body.layers = self.taken, self.tensors, set(placeholders), self.layers
        return body

    def lines(self) -> list[str]:
        before, result = self.returning()
        return [*before, f"return {result}"]

    def returning(self) -> tuple[list[str], Text]:
        """The statements, and what comes out."""
        node = self._walk()
        text = self.fitted(node, node.args[0])
        bare = isinstance(node.args[0], tuple) and len(node.args[0]) > 1
        return self._written(), Text(text[1:-1]) if bare else text

    def assigning(self, names: dict[int, Text], lists: dict[int, Text] | None = None) -> list[str]:
        """The statements of a body; results get names, by their places, or go to the ends of lists."""
        node = self._walk()
        results = cast(tuple[Any, ...], node.args[0])
        lists = lists or {}
        named = {results[k]: name for k, name in names.items()}
        late = {k: named[results[k]] for k in lists if results[k] in named}
        given = [results[k] for k in names]
        self.fitted(node, given, {results[k] for k in late if given.count(results[k]) == 1})  # the last first
        early = [f"{lists[k]}.append({self.fitted(node, results[k])})" for k in reversed(lists) if k not in late]
        pairs = [(name, text) for name, text in ((n, self.argument(results[k])) for k, n in names.items()) if name != text]
        set_ = [f"{', '.join(n for n, _ in pairs)} = {', '.join(t for _, t in pairs)}"] if pairs else []
        return [*self._written(), *reversed(early), *set_, *(f"{lists[k]}.append({name})" for k, name in late.items())]

    def _walk(self) -> fx.Node:
        """To the output node."""
        for node in self.module.graph.nodes:
            if node.op == "output":
                return node
            if node.op != "placeholder":
                self._add(node)
        raise AssertionError("a graph ends with its output")

    def _written(self) -> list[str]:
        return [line for n, t in self.statements for line in (t if isinstance(t, list) else self._assignment(n, t))]

    def _assignment(self, node: fx.Node, text: str) -> list[str]:
        if not node.users:
            return [text]
        if node not in self.loops:
            return [f"{self.names[node]} = {text}"]
        name, (_, place) = self.names[node], self.loops[node]
        modules = self.path(str(node.target).rpartition(".")[0])
        arguments = [name if i == place else self.argument(a) for i, a in enumerate(node.args)]
        start = [] if text == name else [f"{name} = {text}"]
        return [*start, f"for layer in {modules}:", f"    {name} = layer({', '.join(arguments)})"]

    def claim(self, wanted: str) -> Text:
        return self._unused(self.readable.of(wanted))

    def _unused(self, base: str) -> Text:
        name, number = base + "_" * (base in _TAKEN), 1
        while name in self.taken:
            name, number = f"{base}_{number}", number + 1
        self.taken.add(name)
        return Text(name)

    def taken_over(self, user: fx.Node, value: Any, wanted: str) -> Text | None:
        """The name of a value that `user` alone reads, which may be set anew; None: others read it, or it has none."""
        if not isinstance(value, fx.Node) or list(value.users) != [user] or mentions(user, value) != 1:
            return None
        if value in self.given or self.names[value] not in self.taken:
            return None
        if isinstance(self._statement(value), Text) and value not in self.loops:
            self.taken.discard(self.names[value])
            self.names[value] = self.claim(wanted)
        return self.names[value]

    def _statement(self, node: fx.Node) -> Text | list[str] | None:
        return next((text for n, text in self.statements if n is node), None)

    def _add(self, node: fx.Node) -> None:
        leaf = self.module.get_submodule(str(node.target)) if node.op == "call_module" else None
        if node in self.names:
            pass  # a result of control flow
        elif isinstance(leaf, ControlFlow):
            self.statements.append((node, control_flow.statements(self, node, leaf)))
        elif node.op == "get_attr":
            self.names[node] = Text(self.path(str(node.target)))
        elif self._is_mode(node):
            self.names[node] = Text("self.training")
        elif node.target is operator.getitem and self._is_mode(node.args[0]):
            self.names[node] = Text("self.training")
        elif self._is_device_of_constant(node):
            self.names[node] = Text(f"{self.tensors[0]}.device")
        elif self._is_size(node):
            self.names[node] = self._text(node)
        elif (equal := same(node)) is not node:
            self.names[node] = self.argument(equal)
        elif any(node in calls[:-1] for calls, _ in self.loops.values()):
            self.names[node] = Text("_")  # inside the loop
        elif node in self.loops:
            calls, place = self.loops[node]
            first = cast(fx.Node, calls[0].args[place])
            self.statements.append((node, self.argument(first)))
            alone = list(first.users) == calls[:1] and first not in self.given
            self.names[node] = self.names[first] if alone else self.claim(node.name)
        else:
            text = self._fitting(lambda: self._text(node), node, node.all_input_nodes)
            self.statements.append((node, text))
            self.names[node] = self._unpacked(node) or (self.claim(node.name) if node.users else Text("_"))

    def _unpacked(self, node: fx.Node) -> Text | None:
        """What a call that returns several is assigned to, where each is read by its place."""
        count = results_of(self.module, node)
        if count is None or not all(u.target is operator.getitem and u.args[1] in range(count) for u in node.users):
            return None
        parts = {user.args[1]: user for user in node.users}
        if len(parts) < len(node.users):
            return None
        for part in parts.values():
            self.names[part] = self.claim(part.name)
        return Text(", ".join(self.names[parts[i]] if i in parts else "_" for i in range(count)))

    def _is_mode(self, node: Any) -> bool:
        is_call = isinstance(node, fx.Node) and node.op == "call_module"
        return is_call and isinstance(self.module.get_submodule(node.target), Mode)

    def _is_device_of_constant(self, node: fx.Node) -> bool:
        owner = node.args[0] if is_device(node) else None
        return bool(self.tensors) and isinstance(owner, fx.Node) and owner.op == "get_attr"

    def _is_size(self, node: fx.Node) -> bool:
        """Cheap, and short: written wherever it is used."""
        return is_size(node) or is_device(node)

    def fitted(self, node: fx.Node, a: Any, named: AbstractSet[Any] = frozenset()) -> Text:
        """An argument of the node. `named`: what the node's others have by a name that `a` is given."""
        return self._fitting(lambda: self.argument(a), node, nodes_of(a), named)

    def _fitting(
        self, write: Any, node: fx.Node, nodes: list[fx.Node], named: AbstractSet[Any] = frozenset()
    ) -> Text:
        """What `write` gives for `nodes`, with the statements before it in it as far as a line can hold them.

        In their order: what comes last in the expression is computed last.
        """
        text = write()
        for operand in reversed(nodes):
            if not self.statements or self.statements[-1][0] is not operand:
                continue  # it has a name, or is written anew
            if len(operand.users) != 1 or (mentions(node, operand) != 1 and operand not in named):
                break
            kept, name, alone = self.statements[-1], self.names[operand], self.statements[-1][1]
            if operand in self.loops or isinstance(alone, list):
                break
            self.statements.pop()
            self.names[operand] = alone
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
            arguments = ", ".join(map(self.argument, node.args))
            return Text(f"{self.path(str(node.target))}({arguments})")
        try:
            return self.layers.call(node, self.argument) or call(node, self.argument)
        except KeyError:
            onnx = node.meta.get("onnx", {})
            what = getattr(node.target, "__name__", str(node.target))
            raise SourceError(
                f"node {onnx.get('name') or node.name!r} ({onnx.get('op_type', 'FX')}): expected a call of torch, got {what}"
            ) from None

    def argument(self, a: Any) -> Text:
        if isinstance(a, fx.Node):
            return self.names[a]
        if isinstance(a, (list, tuple)) and any(isinstance(x, (fx.Node, list, tuple)) for x in a):
            items = ", ".join(map(self.argument, a))
            return Text(f"[{items}]" if isinstance(a, list) else f"({items}{',' if len(a) == 1 else ''})")
        return literal(a)


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
