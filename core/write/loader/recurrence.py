"""Recurrent cells that a Scan knows by name: where nothing is recorded, their steps are one loop over buffers.

On tensors as small as a state, a call of torch costs more than what it computes; the body of such a Scan, which every
tracer and autograd get to see, has four times the calls. Results are those of the body but for the order of sums.
"""

from __future__ import annotations

from ctypes import c_float
from typing import Any, Callable, Sequence

import torch
from torch.autograd import forward_ad

Product = Callable[[torch.Tensor, int], torch.Tensor]


def is_bare(values: Sequence[Any]) -> bool:
    """Whether nothing watches these tensors: no gradient, no transform, no autocast, no tracer."""
    if torch.is_autocast_enabled("cpu") or torch.jit.is_tracing() or forward_ad._current_level >= 0:
        return False
    recording = torch.is_grad_enabled()
    return all(
        isinstance(v, torch.Tensor)
        and type(v) in (torch.Tensor, torch.nn.Parameter)
        and v.dtype == torch.float32
        and v.device.type == "cpu"
        and not (recording and v.requires_grad)
        and not torch._C._functorch.is_functorch_wrapped_tensor(v)
        for v in values
    )


def _of_floats(weight: torch.Tensor, rows: int, largest: float) -> Product:
    sums = weight.new_empty((rows, weight.shape[1]))
    if 255 * largest * len(weight) <= 2**24:
        return lambda q, zero: torch.mm(q, weight, out=sums)
    wide = weight.double()
    return lambda q, zero: sums.copy_(torch.mm(q.double(), wide))


def _of_bytes(weight: torch.Tensor, rows: int) -> Product:
    """On processors that do not saturate: of q less 128, and then of what that takes away."""
    whole = weight.to(torch.int8)
    if rows == 1:  # the product with a vector reads columns
        whole = whole.t().contiguous().t()
    columns, x = weight.sum(0).to(torch.int32), whole.new_empty((rows, len(weight)))
    sums = columns.new_empty((rows, weight.shape[1]))

    def product(q: torch.Tensor, zero: int) -> torch.Tensor:
        torch._int_mm(x.copy_(q.add_(zero - 128)), whole, out=sums)
        return sums.add_(columns, alpha=128 - zero)

    return product


def _exact_product(weight: torch.Tensor, rows: int) -> Product:
    """q @ weight, both of whole numbers, q of 256 of them that begin at -zero."""
    least, most = (v.item() for v in torch.aminmax(weight))
    vnni = getattr(torch.cpu, "_is_vnni_supported", bool)()
    if vnni and rows * weight.numel() >= 2**18 and -128 <= least and most <= 127:
        return _of_bytes(weight, rows)
    return _of_floats(weight, rows, max(-least, most))


def dynamic_quantize_lstm(
    h: torch.Tensor, c: torch.Tensor, xs: torch.Tensor, *operands: torch.Tensor
) -> tuple[torch.Tensor, ...]:
    """com.microsoft.DynamicQuantizeLSTM: the last h and c, and all h.

    `xs`: what the inputs add to the gates i, o, f and c; `operands`: the recurrent weight, of whole numbers, in one part
    or several, and its scale, one or one of each column.
    """
    *parts, scale = operands
    rows, size = h.shape
    product = _exact_product(torch.cat(parts), rows)
    ys, q, gates = h.new_empty((len(xs), rows, size)), torch.empty_like(h), h.new_empty((rows, 4 * size))
    opening, (i, o, f, g) = gates[:, : 3 * size], gates.chunk(4, 1)
    least, most, step = h.new_empty(()), h.new_empty(()), h.new_empty(())
    c = c.clone()
    for x, y in zip(xs.unbind(0), ys.unbind(0)):
        torch.aminmax(h, out=(least, most))
        low, high = min(least.item(), 0.0), max(most.item(), 0.0)
        width = c_float(c_float(high - low).value / 255).value or 1.0
        zero = min(round(c_float(-low / width).value), 255)
        torch.div(h, step.fill_(width), out=q).round_()
        if round(c_float(high / width).value) + zero > 255:
            q.clamp_(max=255 - zero)
        torch.addcmul(x, product(q, zero), scale, value=width, out=gates)
        opening.sigmoid_()
        g.tanh_()
        c.mul_(f).addcmul_(i, g)
        torch.mul(o, torch.tanh(c, out=q), out=y)
        h = y
    return h.clone(), c, ys


CELLS: dict[str, Callable[..., tuple[torch.Tensor, ...]]] = {"dynamic_quantize_lstm": dynamic_quantize_lstm}
