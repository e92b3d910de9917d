"""Control flow in full: what the higher-order operators of torch cannot hold."""

from __future__ import annotations

from typing import Any, Callable, Sequence

import torch

from .errors import UnsupportedOperatorError
from .leaf import leaf


@leaf
def cond(
    predicate: Any,
    then_branch: Callable[..., Any],
    else_branch: Callable[..., Any],
    operands: Sequence[Any],
) -> tuple[Any, ...]:
    """ONNX If in full: branches may return anything, of different types too."""
    return tuple((then_branch if bool(predicate) else else_branch)(*operands))


@leaf
def loop(
    body: Callable[..., Any],
    trips: Any,
    condition: Any,
    state: Sequence[Any],
    operands: Sequence[Any],
    scan_outputs: int,
) -> tuple[Any, ...]:
    """ONNX Loop in full: run-time trip count and condition, scan outputs, any carried values."""
    state = list(state)
    slices: list[list[Any]] = [[] for _ in range(scan_outputs)]
    alive = torch.tensor(True) if condition is None else condition
    limit = None if trips is None else int(trips)
    step = 0
    while (limit is None or step < limit) and bool(alive):
        alive, *results = body(torch.tensor(step), alive, *state, *operands)
        slices = [old + [new] for old, new in zip(slices, results[len(state) :])]
        state = results[: len(state)]
        step += 1
    if step == 0 and scan_outputs:
        return (*state, *_no_slices(body, alive, state, operands))
    return (*state, *(torch.stack(s) for s in slices))


def _no_slices(
    body: Callable[..., Any], alive: Any, state: Sequence[Any], operands: Sequence[Any]
) -> list[torch.Tensor]:
    """Scan outputs of a loop of zero steps: what one step would give, with no rows."""
    with torch.no_grad():
        results = body(torch.tensor(0), alive, *state, *operands)
    return [slice_.new_empty((0, *slice_.shape)) for slice_ in results[1 + len(state) :]]


@leaf
def gradient(
    function: Callable[..., Any], xs: Sequence[torch.Tensor], operands: Sequence[Any]
) -> tuple[torch.Tensor, ...]:
    """The derivatives of ``function(*xs, *operands)`` by ``xs``, of the sum of its elements.

    Where autograd records, they are differentiable in turn.
    """
    again = torch.is_grad_enabled()
    with torch.enable_grad():
        # a step of its own: what else was computed from x does not count
        points = [x.view_as(x) if x.requires_grad else x.detach().requires_grad_() for x in xs]
        y = function(*points, *operands)
        if not y.requires_grad:
            return tuple(torch.zeros_like(x) for x in xs)
        ones = torch.ones_like(y)
        return torch.autograd.grad(
            y, points, ones, create_graph=again, allow_unused=True, materialize_grads=True
        )


@leaf
def opaque(
    domain: str,
    op_type: str,
    opset: int,
    inputs: Sequence[Any],
    attributes: Sequence[Any],
    outputs: int,
) -> tuple[Any, ...]:
    """Stands where ``--keep-going`` kept an operator that nothing lowers."""
    raise _kept(domain, op_type, opset)


def _kept(domain: str, op_type: str, opset: int) -> UnsupportedOperatorError:
    operator = f"{domain or 'ai.onnx'}::{op_type}"
    return UnsupportedOperatorError(
        f"{operator} (opset {opset}): this node was kept as an opaque one and cannot be run; "
        "the conversion's report says why",
        [(domain, op_type, opset, (), ())],
    )


def _custom_call() -> Any:
    """The same as an operator of torch, for one output, a tensor: what is around it can be traced and exported.

    A size of -1 is not known. A loader of another package may have registered it.
    """
    name = "onnx2fx::custom_call"
    if not hasattr(torch.ops.onnx2fx, "custom_call"):
        torch.library.define(
            name,
            "(str domain, str op_type, int opset, int output, Tensor?[] inputs, str attributes, "
            "ScalarType dtype, SymInt[] shape) -> Tensor",
        )

        @torch.library.impl(name, "CompositeExplicitAutograd")
        def refuse(domain: str, op_type: str, opset: int, *_: Any) -> Any:
            raise _kept(domain, op_type, opset)

        @torch.library.register_fake(name)
        def stated(*call: Any) -> torch.Tensor:
            *_, dtype, shape = call
            sizes = [torch.library.get_ctx().new_dynamic_size() if s == -1 else s for s in shape]
            return torch.empty(sizes, dtype=dtype)

    return torch.ops.onnx2fx.custom_call.default


custom_call = _custom_call()
