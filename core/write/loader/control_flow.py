"""Control flow as modules: plain Python with ordinary autograd when run, torch's higher-order operators while traced.

torch's ``cond``, ``while_loop`` and ``scan`` refuse or compute wrong gradients in eager mode in too many places: results
that alias an operand, branches of other lengths, leaves inside a branch, loops of no step. The operators stay what a
tracer (torch.export, torch.compile, make_fx) gets to see.
"""

from __future__ import annotations

from typing import Any, Callable, Sequence

import torch
from torch import fx, nn
from torch._subclasses.fake_tensor import FakeTensor
from torch.fx.experimental.proxy_tensor import get_proxy_mode

from . import control_leaves
from .export_support import is_exporting
from .older_torch import WRONG_GRADIENTS, gradients, is_recorded, require_scan
from .recurrence import CELLS, is_bare


def _is_traced(predicate: Any = None) -> bool:
    """Whether a tracer is at work. `predicate`: what Python would have to look at."""
    if torch.compiler.is_compiling() or is_exporting() or get_proxy_mode() is not None:
        return True
    return isinstance(predicate, torch.Tensor) and torch._C._functorch.is_batchedtensor(predicate)


def _has_no_data(*values: Any) -> bool:
    """Meta and fake tensors: all that can be found is the types of the results."""
    return any(isinstance(v, torch.Tensor) and (v.is_meta or isinstance(v, FakeTensor)) for v in values)


def _owned(results: Sequence[Any]) -> tuple[Any, ...]:
    """Results of a body that share no memory with its operands or with each other."""
    return tuple(r.clone() if isinstance(r, torch.Tensor) else r for r in results)


def _apart(values: Sequence[Any]) -> tuple[Any, ...]:
    """Operands of which no two share memory, as the views of one weight do."""
    if torch.compiler.is_dynamo_compiling():  # it has no word for where a tensor lies
        return _owned(values)
    seen: set[Any] = set()
    apart = []
    for v in values:
        if isinstance(v, torch.Tensor):
            hidden = torch._C._functorch.is_functorch_wrapped_tensor(v)
            place = None if hidden else v.untyped_storage()._cdata
            v = v.clone() if hidden or place in seen else v
            seen.add(place)
        apart.append(v)
    return tuple(apart)


class ControlFlow(nn.Module):
    """What the forms have in common. `onnx`: how messages name the ONNX node."""

    onnx = ""

    def __call__(self, *values: Any) -> Any:
        for v in values:
            if isinstance(v, fx.Proxy):  # fx.symbolic_trace: one call, as of a module of torch.nn
                tracer: Any = v.tracer
                return tracer.create_proxy("call_module", tracer.path_of_module(self), values, {})
        return super().__call__(*values)

    def require_gradients(self, form: str, values: Sequence[Any]) -> None:
        """Gives no tracer what would be trained wrong: see WRONG_GRADIENTS."""
        if WRONG_GRADIENTS and is_recorded(*values, *self.parameters()):
            remedy = "run the module as it is, or trace it under torch.no_grad() and do not train what comes out"
            raise gradients(f"{self.onnx}: torch's {form}", remedy)

    def untraceable(self, why: str) -> RuntimeError:
        return RuntimeError(
            f"{self.onnx}: {why}: it runs as Python, and no tracer can hold it; "
            "run the module as it is, or trace what stands around this node"
        )


class If(ControlFlow):
    """ONNX If. `holds`: torch.cond can hold the branches."""

    def __init__(self, then_branch: nn.Module, else_branch: nn.Module, holds: bool) -> None:
        super().__init__()
        self.then_branch, self.else_branch, self.holds = then_branch, else_branch, holds

    def forward(self, predicate: Any, *operands: Any) -> tuple[Any, ...]:
        if isinstance(predicate, torch.SymBool) and self.holds:  # decided by sizes: both may come up
            return self._cond(predicate, operands)
        if not isinstance(predicate, torch.Tensor):  # likewise: a guard
            return self._branch(bool(predicate), operands)
        if not _is_traced(predicate):
            # of two branches without data each has the types that both have, or nobody knows them
            return self._branch(_has_no_data(predicate) or bool(predicate), operands)
        if not self.holds:
            raise self.untraceable("its branches return different types")
        return self._cond(predicate.reshape(()), operands)

    def _cond(self, predicate: Any, operands: Sequence[Any]) -> tuple[Any, ...]:
        return torch.ops.higher_order.cond(
            predicate,
            lambda *a: _owned(self.then_branch(*a)),
            lambda *a: _owned(self.else_branch(*a)),
            _apart(operands),
        )

    def _branch(self, then: bool, operands: Sequence[Any]) -> tuple[Any, ...]:
        return tuple((self.then_branch if then else self.else_branch)(*operands))


class While(ControlFlow):
    """ONNX Loop as torch's while_loop: carried tensors that keep their types."""

    def __init__(self, condition: nn.Module, body: nn.Module, carried: int) -> None:
        super().__init__()
        self.condition, self.body, self.carried = condition, body, carried

    def forward(self, *values: Any) -> tuple[Any, ...]:
        traced = _is_traced()
        if traced:
            self.require_gradients("while_loop", values)
        values = _apart(values) if traced else values
        state, operands = values[: self.carried], values[self.carried :]
        if traced:
            return torch.ops.higher_order.while_loop(
                lambda *a: self.condition(*a).clone(), lambda *a: _owned(self.body(*a)), state, operands
            )
        if _has_no_data(*values):
            return tuple(self.body(*state, *operands))
        while bool(self.condition(*state, *operands)):
            state = self.body(*state, *operands)
        return tuple(state)


class Scan(ControlFlow):
    """ONNX Scan, and Loop of a number of steps known before the first, as torch's scan along axis 0.

    `cell`: the name of a body that CELLS knows.
    """

    def __init__(self, body: nn.Module, carried: int, sliced: int, cell: str | None) -> None:
        super().__init__()
        self.body, self.carried, self.sliced, self.cell = body, carried, sliced, cell

    def forward(self, *values: Any) -> tuple[Any, ...]:
        if _is_traced():
            return self._traced(values)
        state, slices, operands = self._divided(values)
        if _has_no_data(*values) or not slices[0].shape[0]:
            return self._types(state, slices, operands)
        if self.cell and is_bare(values):
            return CELLS[self.cell](*values)
        rows = []
        for row in zip(*(s.unbind(0) for s in slices)):
            results = self.body(*state, *row, *operands)
            state = results[: self.carried]
            rows.append(results[self.carried :])
        return (*state, *(torch.stack(column) for column in zip(*rows)))

    def _divided(self, values: Sequence[Any]) -> tuple[Any, Any, Any]:
        end = self.carried + self.sliced
        return values[: self.carried], values[self.carried : end], values[end:]

    def _traced(self, values: Sequence[Any]) -> tuple[Any, ...]:
        self.require_gradients("scan", values)
        state, slices, operands = self._divided(_apart(values))
        if not torch.compiler.is_dynamo_compiling():
            require_scan(f"{self.onnx}: torch's scan")
            step = lambda *a: _owned(self.body(*a))  # noqa: E731
            return tuple(torch.ops.higher_order.scan(step, list(state), list(slices), operands))

        def step_of_pairs(carried: Any, row: Any) -> tuple[list[Any], list[Any]]:
            results = _owned(self.body(*carried, *row, *operands))
            return list(results[: self.carried]), list(results[self.carried :])

        from torch._higher_order_ops.scan import scan

        carried, rows = scan(step_of_pairs, list(state), list(slices))
        return (*carried, *rows)

    def _types(self, state: Any, slices: Any, operands: Any) -> tuple[Any, ...]:
        """No row, or no data: the outputs are what one step would give, as many rows of it as there are."""
        with torch.no_grad():
            rows = (s.new_zeros(s.shape[1:]) for s in slices)
            results = self.body(*state, *rows, *operands)
        n = slices[0].shape[0]
        return (*state, *(r.new_empty((n, *r.shape)) for r in results[self.carried :]))


class Loop(ControlFlow):
    """ONNX Loop in full: run-time trip count and condition, scan outputs, any carried values."""

    def __init__(self, body: nn.Module, carried: int, scan_outputs: int) -> None:
        super().__init__()
        self.body, self.carried, self.scan_outputs = body, carried, scan_outputs

    def forward(self, trips: Any, condition: Any, *values: Any) -> tuple[Any, ...]:
        if _is_traced(condition) or _has_no_data(trips, condition):
            raise self.untraceable("what it carries changes its type or size")
        state, operands = values[: self.carried], values[self.carried :]
        return control_leaves.loop(self.body, trips, condition, state, operands, self.scan_outputs)


def _scan(body: nn.Module, state: Sequence[Any], slices: Sequence[Any]) -> Scan:
    assert isinstance(body, fx.GraphModule)
    said = next(iter(body.graph.nodes)).meta.get("onnx2fx", {})  # by the lowering, of the first state
    cell = said.get("cell")
    return Scan(body, len(state), len(slices), cell if cell in CELLS else None)


FORMS: dict[str, Callable[[Sequence[Any], Callable[[Any], nn.Module]], tuple[ControlFlow, list[Any]]]] = {
    "higher_order::cond": lambda a, p: (If(p(a[1]), p(a[2]), True), [a[0], *a[3]]),
    "onnx2fx::cond": lambda a, p: (If(p(a[1]), p(a[2]), False), [a[0], *a[3]]),
    "higher_order::while_loop": lambda a, p: (While(p(a[0]), p(a[1]), len(a[2])), [*a[2], *a[3]]),
    "higher_order::scan": lambda a, p: (_scan(p(a[0]), a[1], a[2]), [*a[1], *a[2], *a[3]]),
    "onnx2fx::loop": lambda a, p: (Loop(p(a[0]), len(a[3]), a[5]), [a[1], a[2], *a[3], *a[4]]),
}
"""Targets that become a module in the nn dialect: (arguments, program -> its module) to (module, arguments of its call)."""
