"""What torch lacks to export an operator: meta kernels, without which nothing that calls it is exported with symbolic
sizes, and what its ONNX exporter has no function for, in terms of what it has one for. And whose calls it leaves out of a
program's module stacks: those of GraphModules."""

from __future__ import annotations

import functools
from typing import Any, Callable, Mapping

import torch
from torch import _decomp, fx, nn


def _with_mask(x: torch.Tensor, *_: object) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.empty_like(x), torch.empty_like(x, dtype=torch.bool)


def _sort(x: torch.Tensor, *, stable: bool | None, dim: int = -1, descending: bool = False) -> object:
    """As TopK of ONNX it is stable."""
    return torch.ops.aten.sort.default(x, dim, descending)


_META: dict[str, tuple[str, Callable[..., object]]] = {
    "fake_quantize_per_tensor_affine": ("fake_quantize_per_tensor_affine_cachemask", _with_mask),
    "fake_quantize_per_channel_affine": ("fake_quantize_per_channel_affine_cachemask", _with_mask),
}
_IN_ONNX: dict[str, tuple[str, Callable[..., object]]] = {"sort": ("stable", _sort)}


@functools.cache
def _library() -> torch.library.Library:
    return torch.library.Library("aten", "IMPL", "Meta")


@functools.cache
def complete(operator: str) -> None:
    """Registers what is missing for the operator, once, and leaves a torch that has it as it is."""
    if operator in _META:
        name, kernel = _META[operator]
        if not torch._C._dispatch_has_kernel_for_dispatch_key(f"aten::{name}", "Meta"):
            _library().impl(name, kernel)
    if operator in _IN_ONNX:
        overload, function = _IN_ONNX[operator]
        target = getattr(getattr(torch.ops.aten, operator), overload)
        if target not in _decomp.decomposition_table:
            _decomp.register_decomposition(target)(function)


def _is_exporting_before_2_7() -> bool:
    return torch.compiler.is_compiling() and not torch.compiler.is_dynamo_compiling()


is_exporting: Callable[[], bool] = getattr(torch.compiler, "is_exporting", _is_exporting_before_2_7)


def in_scope(module: nn.Module, call: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """Calls it, as one of the modules that the nodes of the program were computed in while torch.export traces."""
    if not is_exporting():
        return call(*args, **kwargs)
    from torch.fx.experimental import proxy_tensor

    tracer = getattr(proxy_tensor.get_proxy_mode(), "tracer", None)
    if not isinstance(tracer, proxy_tensor._ModuleStackTracer):
        return call(*args, **kwargs)
    try:
        tracer.path_of_module(module)
    except proxy_tensor._ModuleNotInstalledAsSubmoduleError:  # the root, and bodies of control flow
        return call(*args, **kwargs)
    return fx.Tracer.call_module(tracer, module, call, args, dict(kwargs))
