"""What a pack computes itself, by a C function of its library. There is no gradient."""

from __future__ import annotations

import itertools
from typing import Any, Sequence

import torch

from . import references


def _reference() -> Any:
    """As an operator of torch: what is around it can be traced and exported.

    dtypes and ranks of all results, then the extents of one after the other; -1: not known before.
    A loader of another package may have registered it.
    """
    name = "onnx2fx::reference"
    if hasattr(torch.ops.onnx2fx, "reference"):
        return torch.ops.onnx2fx.reference.default
    torch.library.define(
        name,
        "(str function, Tensor?[] inputs, str options, ScalarType[] dtypes, int[] ranks, "
        "SymInt[] sizes) -> Tensor[]",
    )

    def stated(dtypes: Any, ranks: Any, sizes: Any) -> list[tuple[torch.dtype, Sequence[Any]]]:
        ends = list(itertools.accumulate(ranks))
        if len(ranks) != len(dtypes) or min(ranks, default=0) < 0 or (ends or [0])[-1] != len(sizes):
            raise ValueError("expected a rank for each dtype, and an extent for each axis")
        return [(d, sizes[end - rank : end]) for d, rank, end in zip(dtypes, ranks, ends)]

    @torch.library.impl(name, "CompositeExplicitAutograd")
    def compute(
        function: str, inputs: Any, options: str, dtypes: Any, ranks: Any, sizes: Any
    ) -> list[torch.Tensor]:
        results = references.compute(function, inputs, options, stated(dtypes, ranks, sizes))
        device = next((t.device for t in inputs if t is not None), torch.device("cpu"))
        return [r.to(device) for r in results]

    @torch.library.register_fake(name)
    def types(
        function: str, inputs: Any, options: str, dtypes: Any, ranks: Any, sizes: Any
    ) -> list[torch.Tensor]:
        device = next((t.device for t in inputs if t is not None), torch.device("cpu"))
        size = lambda s: torch.library.get_ctx().new_dynamic_size() if type(s) is int and s == -1 else s  # noqa: E731
        return [
            torch.empty([size(s) for s in dims], dtype=dtype, device=device)
            for dtype, dims in stated(dtypes, ranks, sizes)
        ]

    def keep_name(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        ctx.function = inputs[0]

    def refuse(ctx: Any, *_: Any) -> Any:
        raise NotImplementedError(
            f"{ctx.function}: a reference function has no gradient; a torch operator with one, or a "
            "decomposition, can be trained through"
        )

    torch.library.register_autograd(name, refuse, setup_context=keep_name)
    return torch.ops.onnx2fx.reference.default


reference = _reference()
