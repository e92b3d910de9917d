"""Control flow as a person writes it: ``if``, ``while`` and ``for``, whose bodies stand where they run."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any, Callable, Sequence

from torch import fx, nn

from .loader.control_flow import ControlFlow, If, Loop, Scan, While
from .source_expressions import SourceError, Text, slot
from .source_nodes import is_tensor, mentions

if TYPE_CHECKING:
    from .source_forward import Forward

STEP = "    "


def statements(f: Forward, node: fx.Node, leaf: ControlFlow) -> list[str]:
    """Those of a call of `leaf` in `f`; they name its results."""
    write: Any = {If: _if, While: _while, Scan: _scan, Loop: _loop}[type(leaf)]
    if any(user.target is not operator.getitem for user in node.users):
        raise SourceError(f"{leaf.onnx}: expected its results one by one, got the use of all")
    return write(f, node, leaf)


def _indented(lines: Sequence[str]) -> list[str]:
    return [STEP + line for line in lines] or [STEP + "pass"]


def _results(node: fx.Node) -> dict[int, list[fx.Node]]:
    """Those that are read, by their places."""
    found: dict[int, list[fx.Node]] = {}
    for user in node.users:
        found.setdefault(user.args[1], []).append(user)  # type: ignore[arg-type]
    return dict(sorted(found.items()))


def _name_results(f: Forward, node: fx.Node, names: dict[int, Text]) -> None:
    for place, users in _results(node).items():
        if place in names:
            f.names.update(dict.fromkeys(users, names[place]))


# ---- If


def _if(f: Forward, node: fx.Node, leaf: If) -> list[str]:
    predicate, *operands = node.args
    condition = f.fitted(node, predicate)
    names = {place: f.claim(users[0].name) for place, users in _results(node).items()}
    _name_results(f, node, names)
    before, bodies = set(f.taken), []
    for branch in ("then_branch", "else_branch"):
        bodies.append(f.inside(f"{node.target}.{branch}", operands).assigning(names))
        after = set(f.taken)
        f.taken.intersection_update(before)  # the other may call its own the same
    f.taken |= after
    then, other = bodies
    if not then and other:
        return [f"if not {condition}:", *_indented(other)]
    return [f"if {condition}:", *_indented(then), *(["else:", *_indented(other)] if other else [])]


# ---- loops


class _Columns:
    """Scan outputs: a list for each that is read, stacked after the loop."""

    def __init__(self, f: Forward, node: fx.Node, carried: int) -> None:
        self.f, self.node = f, node
        self.results = {p - carried: users for p, users in _results(node).items() if p >= carried}
        self.names = {p: f.claim(users[0].name) for p, users in self.results.items()}
        _name_results(f, node, {p + carried: name for p, name in self.names.items()})

    def at(self, first: int) -> dict[int, Text]:
        """By the places of the body's results."""
        return {place + first: name for place, name in self.names.items()}

    def starts(self) -> list[str]:
        return [f"{name} = []" for name in self.names.values()]

    def stacked(self, again: Callable[[dict[int, Text]], list[str]]) -> list[str]:
        """`again` writes the statements of one step, of which results get names."""
        lines, unknown = [], {}
        for place, name in self.names.items():
            result = self.results[place][0]
            if _has_rows(result):
                lines.append(f"{name} = torch.stack({name})")
            elif empty := _empty(self.f, result):
                lines.append(f"{name} = torch.stack({name}) if {name} else {empty}")
            else:
                unknown[place] = name
        return lines + self._of_no_step(unknown, again) if unknown else lines

    def _of_no_step(self, names: dict[int, Text], again: Callable[[dict[int, Text]], list[str]]) -> list[str]:
        """The sizes of a row are those that one step would give."""
        one = ["with torch.no_grad():", *_indented(again(names))]
        none = [f"{n} = {n}.new_empty((0, *{n}.shape))" for n in names.values()]
        stacked = [f"{n} = torch.stack({n})" for n in names.values()]
        return [f"if {next(iter(names.values()))}:", *_indented(stacked), "else:", *_indented([*one, *none])]


def _while(f: Forward, node: fx.Node, leaf: While) -> list[str]:
    state, operands = node.args[: leaf.carried], node.args[leaf.carried :]
    names, starts = _variables(f, node, state)
    condition = f.inside(f"{node.target}.condition", [*names, *operands])
    before, test = condition.returning()
    body = f.inside(f"{node.target}.body", [*names, *operands]).assigning(dict(enumerate(names)))
    _name_results(f, node, dict(enumerate(names)))
    if not before:
        return [*starts, f"while {test}:", *_indented(body)]
    leaves = [f"if not {test}:", STEP + "break"]
    return [*starts, "while True:", *_indented([*before, *leaves, *body])]


def _scan(f: Forward, node: fx.Node, leaf: Scan) -> list[str]:
    if leaf.cell:
        raise SourceError(f"{leaf.onnx}: expected a body of torch's calls, got a cell of ours: {leaf.cell}")
    end = leaf.carried + leaf.sliced
    state, slices, operands = node.args[: leaf.carried], node.args[leaf.carried : end], node.args[end:]
    names, starts = _variables(f, node, state)
    columns = _Columns(f, node, leaf.carried)
    rows = [f.claim("row") for _ in slices]
    body = f.inside(f"{node.target}.body", [*names, *rows, *operands])
    lines = body.assigning(dict(enumerate(names)), columns.at(leaf.carried))

    def once(results: dict[int, Text]) -> list[str]:
        given = map(f.argument, slices)
        zeros = [f"{row} = {g}.new_zeros({g}.shape[1:])" for row, g in zip(rows, given)]
        again = f.inside(f"{node.target}.body", [*names, *rows, *operands])
        return zeros + again.assigning({place + leaf.carried: name for place, name in results.items()})

    stacked = columns.stacked(once)
    reads_again = any(f".new_zeros({f.argument(s)}" in line for s in slices for line in stacked)
    given = [f.argument(s) for s in slices] if reads_again or len(slices) > 1 else [f.fitted(node, slices[0])]
    _name_results(f, node, dict(enumerate(names)))
    over = given[0] if len(given) == 1 else f"zip({', '.join(given)})"
    return [*starts, *columns.starts(), f"for {', '.join(rows)} in {over}:", *_indented(lines), *stacked]


def _loop(f: Forward, node: fx.Node, leaf: Loop) -> list[str]:
    trips, condition, *values = node.args
    state, operands = values[: leaf.carried], values[leaf.carried :]
    number, given, *_ = _placeholders(leaf.body)
    kept = _body_results(leaf.body)[0]
    is_asked = condition not in (None, True) or kept is not given
    names, starts = _variables(f, node, state)
    columns = _Columns(f, node, leaf.carried)
    is_named = is_asked or any(user.op != "output" for user in given.users)
    alive = f.claim("alive") if is_named else Text("_")
    if is_named:
        starts.append(f"{alive} = {'torch.tensor(True)' if condition is None else f.argument(condition)}")
    head, inside, step = _steps(f, trips, number, alive if is_asked else None)
    body = f.inside(f"{node.target}.body", [step, alive, *names, *operands])
    carried = ([alive] if is_asked else []) + list(names)
    assigned = dict(enumerate(carried, 0 if is_asked else 1))
    lines = body.assigning(assigned, columns.at(leaf.carried + 1))

    def once(results: dict[int, Text]) -> list[str]:
        again = f.inside(f"{node.target}.body", [Text("torch.tensor(0)"), alive, *names, *operands])
        return again.assigning({place + leaf.carried + 1: name for place, name in results.items()})

    stacked = columns.stacked(once)
    _name_results(f, node, dict(enumerate(names)))
    return [*starts, *columns.starts(), *head, *_indented([*inside, *lines]), *stacked]


def _steps(f: Forward, trips: Any, number: fx.Node, alive: Text | None) -> tuple[list[str], list[str], Text]:
    """The head of a Loop, what its body begins with, and the number of the step as a tensor."""
    leaves = [f"if not {alive}:", STEP + "break"] if alive else []
    if trips is None and not number.users:
        return [f"while {alive or True}:"], [], Text("_")
    given = f.argument(trips)
    counts = "itertools.count()" if trips is None else f"range({given if isinstance(trips, int) else f'int({given})'})"
    if not number.users:
        return [f"for _ in {counts}:"], leaves, Text("_")
    i = f.claim("i")
    tensor = Text(f"torch.tensor({i})")
    if len(number.users) > 1 or mentions(next(iter(number.users)), number) > 1:
        step = f.claim("step")
        return [f"for {i} in {counts}:"], [*leaves, f"{step} = {tensor}"], step
    return [f"for {i} in {counts}:"], leaves, tensor


def _variables(f: Forward, node: fx.Node, state: Sequence[Any]) -> tuple[list[Text], list[str]]:
    """Of what a loop carries: names, and the statements that set those that are no name's last use."""
    names, starts, results = [], [], _results(node)
    for place, start in enumerate(state):
        known = results.get(place) or ([start] if isinstance(start, fx.Node) else [])
        wanted = known[0].name if known else "state"
        name = f.taken_over(node, start, wanted)
        if name is None:
            name = f.claim(wanted)
            starts.append(f"{name} = {f.argument(start)}")
        names.append(name)
    return names, starts


def _has_rows(result: fx.Node) -> bool:
    shape = (result.meta.get("onnx_type") or {}).get("shape")
    return shape is not None and len(shape) > 0 and isinstance(shape[0], int) and shape[0] > 0


def _empty(f: Forward, result: fx.Node) -> str | None:
    """A scan output of no step; None: its sizes are not known beforehand."""
    dtype, shape = ((result.meta.get("onnx_type") or {}).get(k) for k in ("dtype", "shape"))
    tensors = [n for n in f.names if n.op == "placeholder" and is_tensor(n)]
    sizes = [_size(f, d) for d in shape[1:]] if shape else [None]
    if dtype is None or None in sizes or not tensors:
        return None
    like = next((n for n in tensors if n.meta["onnx_type"]["dtype"] == dtype), tensors[0])
    extents = f"(0, {', '.join(map(str, sizes))})" if sizes else "0"
    other = "" if like.meta["onnx_type"]["dtype"] == dtype else f", dtype=torch.{dtype}"
    return f"{f.names[like]}.new_empty({extents}{other})"


def _size(f: Forward, dim: Any) -> str | None:
    """How a size is had from what the forward takes; None: it is not."""
    if isinstance(dim, int):
        return slot(dim, "size")
    for n in f.names:
        if n.op == "placeholder" and is_tensor(n) and dim in (shape := n.meta["onnx_type"].get("shape") or ()):
            return f"{f.names[n]}.size({shape.index(dim)})"
    return None


def _placeholders(body: nn.Module) -> list[fx.Node]:
    assert isinstance(body, fx.GraphModule)
    return [n for n in body.graph.nodes if n.op == "placeholder"]


def _body_results(body: nn.Module) -> Any:
    assert isinstance(body, fx.GraphModule)
    return body.graph.output_node().args[0]
