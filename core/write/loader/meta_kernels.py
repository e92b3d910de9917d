"""Meta kernels that torch lacks: without them nothing that calls the operator is exported with symbolic sizes."""

from __future__ import annotations

import functools

import torch


def _with_mask(x: torch.Tensor, *_: object) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.empty_like(x), torch.empty_like(x, dtype=torch.bool)


_KERNELS = {
    "fake_quantize_per_tensor_affine": ("fake_quantize_per_tensor_affine_cachemask", _with_mask),
    "fake_quantize_per_channel_affine": ("fake_quantize_per_channel_affine_cachemask", _with_mask),
}


@functools.cache
def _library() -> torch.library.Library:
    return torch.library.Library("aten", "IMPL", "Meta")


@functools.cache
def complete(operator: str) -> None:
    """Registers what is missing for the operator, once, and leaves a torch that has it as it is."""
    if operator not in _KERNELS:
        return
    name, kernel = _KERNELS[operator]
    if not torch._C._dispatch_has_kernel_for_dispatch_key(f"aten::{name}", "Meta"):
        _library().impl(name, kernel)
