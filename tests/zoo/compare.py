"""How far two results are apart, and the exception that says so."""

from __future__ import annotations

import copy
from typing import Any, Iterable, Mapping

import torch
from torch.utils import _pytree


class Wrong(Exception):
    """A result that is not the expected one. `kind` is the same wherever the cause is the same."""

    def __init__(self, kind: str, detail: str = "") -> None:
        super().__init__(f"{kind}: {detail}" if detail else kind)
        self.kind = kind


def tensors(y: Any) -> list[torch.Tensor]:
    return [t for t in _pytree.tree_leaves(y) if isinstance(t, torch.Tensor)]


def distance(got: torch.Tensor, want: torch.Tensor) -> float:
    """The largest difference over the largest wanted number; 0 where both are NaN or the same infinity."""
    if want.numel() == 0:
        return 0.0
    if not (want.is_floating_point() or want.is_complex()):
        return float((got != want).any())
    got, want = got.detach().double(), want.detach().double()
    difference = torch.where((got == want) | (got.isnan() & want.isnan()), 0.0, (got - want).abs())
    scale = max(want.abs().nan_to_num(0, 0, 0).max().item(), 1e-3)
    return difference.nan_to_num(float("inf")).max().item() / scale


def require_equal(got: Any, want: Any, what: str = "outputs", tolerance: float = 1e-4) -> None:
    got, want = tensors(got), tensors(want)
    if len(got) != len(want):
        raise Wrong(f"{what}: another count", f"expected {len(want)}, got {len(got)}")
    for i, (g, w) in enumerate(zip(got, want)):
        if g.shape != w.shape:
            raise Wrong(f"{what}: another shape", f"#{i}: expected {tuple(w.shape)}, got {tuple(g.shape)}")
        if g.dtype != w.dtype:
            raise Wrong(f"{what}: another dtype", f"#{i}: expected {w.dtype}, got {g.dtype}")
        if (d := distance(g, w)) > tolerance:
            raise Wrong(f"{what} differ", f"#{i}: by {d:.1e} of the largest number")


def listed(names: Iterable[str], limit: int = 4) -> str:
    names = list(names)
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more


def loss_of(y: Any) -> torch.Tensor:
    """A fixed random sum of the outputs, so that every element counts."""
    generator = torch.Generator().manual_seed(7)
    floats = [t for t in tensors(y) if t.is_floating_point()]
    return sum((t * torch.randn(t.shape, generator=generator).to(t.dtype)).sum() for t in floats)


def gradients_of(module: torch.nn.Module, args: tuple) -> dict[str, torch.Tensor | None]:
    """Of every parameter under each of its names."""
    module.zero_grad()
    loss_of(module(*cloned(args))).backward()
    return {n: p.grad for n, p in module.named_parameters(remove_duplicate=False)}


def require_gradients(got: Mapping[str, Any], want: Mapping[str, Any], tolerance: float = 1e-3) -> None:
    """Of the names in `want`; relative to the largest of the tensor, or what rounding leaves of the model's."""
    scale = max((g.abs().max().item() for g in want.values() if g is not None), default=0.0)
    none, wrong = [], []
    for name, w in want.items():
        g = got.get(name)
        if w is None or w.abs().max() <= 1e-6 * scale:
            if g is not None and g.abs().max() > 1e-4 * scale:
                wrong.append(f"{name} (expected none)")
        elif g is None:
            none.append(name)
        elif (g - w).abs().max() > tolerance * w.abs().max() + 1e-6 * scale:
            wrong.append(f"{name} ({(g - w).abs().max() / w.abs().max():.0e})")
    if wrong:
        raise Wrong("gradients differ", f"{len(wrong)} of {len(want)}: {listed(wrong)}")
    if none:
        raise Wrong("parameters without a gradient", f"{len(none)} of {len(want)}: {listed(none)}")


def cloned(args: tuple) -> tuple:
    return tuple(copy.deepcopy(a) for a in args)
