"""Other types, and torch.func."""

from __future__ import annotations

import torch

from ..compare import (
    Wrong,
    cloned,
    distance,
    gradients_of,
    loss_of,
    require_equal,
    require_gradients,
    tensors,
)
from ..inputs import TRACED
from ..subject import Subject
from . import Skip, column


def require_as_near(got, low, full, what: str) -> None:
    """As near to the full result as the original comes in the low type, to a factor of three."""
    got, low, full = tensors(got), tensors(low), tensors(full)
    for i, (g, low_f, f) in enumerate(zip(got, low, full)):
        if low_f.shape != f.shape:
            raise Skip("the original's outputs have another shape in the low type")
        if g.shape != f.shape:
            raise Wrong(f"{what}: another shape", f"#{i}: expected {tuple(f.shape)}, got {tuple(g.shape)}")
        if f.is_floating_point():
            mine, theirs = distance(g.float(), f), distance(low_f.float(), f)
            if not mine <= 3 * theirs + 0.02:
                raise Wrong(f"{what} differ", f"#{i}: by {mine:.1e}, the original by {theirs:.1e}")


@column("autocast", quick=True)
def autocast(s: Subject):
    """Forward and backward under autocast to bfloat16."""
    module, original, full = s.module(), s.module_of_original(), s.reference()
    with torch.autocast("cpu", torch.bfloat16):
        with torch.no_grad():
            low = original(*s.model_args())
        got = module(*s.args())
        require_as_near(got, low, full, "outputs under autocast")
        loss = loss_of([t.float() for t in tensors(got) if t.is_floating_point()])
    loss.backward()
    bad = [n for n, p in module.named_parameters() if p.grad is not None and not p.grad.isfinite().all()]
    if bad:
        raise Wrong("gradients under autocast are not finite", ", ".join(bad[:3]))


def _low(args: tuple) -> tuple:
    return tuple(a.bfloat16() if a.is_floating_point() else a for a in cloned(args))


@column("bfloat16", quick=True)
def bfloat16(s: Subject):
    """.to(torch.bfloat16)."""
    original = s.module_of_original().to(torch.bfloat16)
    with torch.no_grad():
        low = original(*_low(s.model_args()))
        got = s.module().to(torch.bfloat16)(*_low(s.args()))
    require_as_near(got, low, s.reference(), "outputs in bfloat16")
    kinds = [t.dtype for t in tensors(low)]
    if (found := [t.dtype for t in tensors(got)]) != kinds:
        raise Wrong("outputs in bfloat16: another dtype", f"{found}, expected {kinds}")


@column("functional_call", "func.grad", "vmap", quick=True)
def functional(s: Subject):
    """functional_call, torch.func.grad through it, and vmap over two sets of inputs."""
    module = s.module()
    state = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    call = torch.func.functional_call
    with torch.no_grad():
        require_equal(call(module, state, s.args()), s.reference(), "outputs of functional_call")
    yield
    parameters = {n: p.detach() for n, p in module.named_parameters() if p.is_floating_point()}
    got = torch.func.grad(lambda p: loss_of(call(module, {**state, **p}, s.args())))(parameters)
    frozen = [n for n, p in module.named_parameters() if not p.requires_grad]
    want = {n: g for n, g in gradients_of(module, s.args()).items() if n in got and n not in frozen}
    require_gradients(got, want)
    yield
    sets = [s.args(TRACED, seed) for seed in (0, 1)]
    stacked = tuple(torch.stack(pair) for pair in zip(*sets))
    with torch.no_grad():
        y = tensors(torch.func.vmap(lambda *args: call(module, state, args))(*stacked))
    for i in (0, 1):
        require_equal([t[i] for t in y], s.reference(TRACED, i), "outputs of vmap")
    yield
