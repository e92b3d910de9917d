"""Gives weights to a module that has none, or others to one that has."""

from __future__ import annotations

import os
from typing import Any, Callable, Iterable, Sequence

import torch
from torch import fx, nn

from . import matching, sharding, sources
from .loader import weightless
from .loader.layout import contiguous_transpose
from .matching import BindError, Target, is_empty
from .notes import notes_of
from .sources import Stored

Initialise = Callable[[str, torch.Tensor], "torch.Tensor | None"]


def bind(
    module: fx.GraphModule,
    source: Any,
    *,
    only: str | Iterable[str] | None = None,
    rename: matching.Rename | None = None,
    strict: bool = True,
    cast: bool = False,
    copy: bool = False,
    device: torch.device | str | None = None,
    directory: str | os.PathLike[str] | None = None,
) -> fx.GraphModule:
    """Gives the module's parameters and buffers the values of `source`; returns the module.

    All is checked before anything is assigned. A tensor without values (meta or fake) is replaced,
    in every place that shares it, by a new one with the same requires_grad: make the optimizer
    afterwards. One that has values is overwritten in place. Files are mapped privately and read
    when a value is first used; training never writes to them. A DTensor gets this process's shard,
    and nothing else is read: see onnx_to_fx.sharding.

    Args:
      source: one of
        an ONNX model: a file, an onnx.ModelProto or bytes; converted as the module was,
        a safetensors file, a *.safetensors.index.json, or a folder with either,
        an FX package,
        a state dict, whose tensors the module takes as they are,
        an init function ``init(path, tensor)``: called under no_grad for each parameter and each
        buffer without values, but not for constants of the graph, with its attribute path and a
        tensor of its shape and dtype that holds its values, or zeros; fills that in place, or
        returns another. For a DTensor it gets one.
        Keys are attribute paths, where the shape is the attribute's, or names of ONNX tensors that
        no other tensor of the module has, where it is the ONNX shape.
      only: glob or globs; what has neither a path nor an ONNX name that matches stays as it is.
      rename: key of the source -> path or ONNX name in the module, None to leave it out; a mapping
        keeps the keys that it lacks.
      strict: tensors that are missing (the source has none) or extra (the module has none) are an
        error. False: what is missing stays as it is, what is extra is ignored. Never missing:
        num_batches_tracked (then 0) and constants of the graph, whose values the module keeps.
      cast: floating-point values may have another floating-point dtype; else dtypes are equal.
      copy: nothing is a view of the source; what it holds later does not matter.
      directory: the folder that external data of a model in memory lies in; None: that of the
        conversion.
      device: of what had no values; None: the CPU, or that of the DTensors' mesh.

    Raises:
      BindError: every tensor that is missing, extra, or of another shape or dtype.
      TypeError, ValueError: source, only or rename are not as above.
      ConversionError, PackageError, OSError: the source cannot be read.
    """
    sharding.reshard(module)
    targets = matching.targets_of(module)
    chosen = matching.Globs(only, targets)
    place = _device(targets, device)
    with torch.no_grad(), weightless.outside_fake_mode():
        if callable(source) and not isinstance(source, nn.Module):
            values = _initialised([t for t in targets if chosen(*t.paths, t.name)], source)
        else:
            opened = sources.source_of(source, module, directory)
            stored = matching.renamed(opened.tensors, rename)
            found = matching.matched(
                targets, stored, chosen, label=opened.label, strict=strict, cast=cast
            )
            values = _apart(targets, _read(opened, found, copy))
        view = notes_of(module).get("weights_layout") == "view"
        new = [(target, _like(target.value, value, place, view)) for target, value in values]
        for target, value in new:
            _assign(target, value)
        weightless.restore_constants(module)
    return module


def _device(targets: Sequence[Target], device: torch.device | str | None) -> torch.device:
    if device is not None:
        return torch.device(device)
    meshes = (t.value.device_mesh.device_type for t in targets if sharding.is_sharded(t.value))
    return torch.device(next(meshes, "cpu"))


# ---- values


def _read(
    source: sources.Source, found: Sequence[tuple[Target, list[Stored]]], copy: bool
) -> list[tuple[Target, torch.Tensor]]:
    """The values of each target as its attribute is, of DTensors this process's part."""
    whole = [s for t, all_stored in found for s in all_stored if _block(t, s) is None]
    with source.reading(whole, copy) as read:
        raw = [(t, [(s, read(s, _block(t, s))) for s in stored]) for t, stored in found]
    values, wrong = [], {}
    for target, given in raw:
        parts = [v.t() if s.transposed and v.dim() == 2 else v for s, v in given]
        if not parts:  # a counter
            parts = [torch.zeros((), dtype=target.value.dtype)]
        if any(not _same(parts[0], p) for p in parts[1:]):
            keys = " and ".join(repr(s.key) for s, _ in given)
            wrong[target.path] = f"tied: expected equal values, {keys} differ"
        values.append((target, parts[0]))
    if wrong:
        raise BindError(source.label, {}, {}, wrong)
    return values


def _block(target: Target, s: Stored) -> sources.Block:
    """The part of the stored tensor that this process needs; None: all."""
    if not sharding.is_sharded(target.value) or sharding.is_sharded(s.data):
        return None
    offsets, shape = sharding.block(target.value)
    return (offsets[::-1], shape[::-1]) if s.transposed else (offsets, shape)


def _apart(
    targets: Sequence[Target], values: Sequence[tuple[Target, torch.Tensor]]
) -> list[tuple[Target, torch.Tensor]]:
    """Values that lie where another tensor of the module does are copied before that is written."""
    owned = {_storage(t.value): t for t in targets if not is_empty(t.value)}
    return [(t, v.clone() if owned.get(_storage(v), t) is not t else v) for t, v in values]


def _storage(tensor: torch.Tensor) -> int:
    return sharding.local(tensor).untyped_storage().data_ptr()


def _same(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Equal bit by bit."""
    if a.data_ptr() == b.data_ptr() and a.stride() == b.stride():
        return True
    return torch.equal(*(t.contiguous().view(-1).view(torch.uint8) for t in (a, b)))


def _initialised(
    targets: Sequence[Target], init: Initialise
) -> list[tuple[Target, torch.Tensor]]:
    values, wrong = [], {}
    for target in targets:
        is_weight = isinstance(target.value, nn.Parameter) or is_empty(target.value)
        if target.constant or not is_weight:
            continue
        given = _fresh(target.value)
        result = given if target.is_counter else init(target.path, given)
        result = given if result is None else result
        if not isinstance(result, torch.Tensor):
            wrong[target.path] = f"expected a tensor or None, got {type(result).__name__}"
        elif fault := _result_fault(target.value, result):
            wrong[target.path] = fault
        else:
            values.append((target, sharding.local(result).detach()))
    if wrong:
        raise BindError("the init function", {}, {}, wrong)
    return values


def _fresh(value: torch.Tensor) -> torch.Tensor:
    """Another tensor for the init function to fill."""
    if not is_empty(value):
        return value.detach().clone()
    if not sharding.is_sharded(value):
        return torch.zeros(value.shape, dtype=value.dtype)
    _, shape = sharding.block(value)
    part = torch.zeros(shape, dtype=value.dtype, device=value.device_mesh.device_type)
    return sharding.with_local(value, part)


def _result_fault(value: torch.Tensor, result: torch.Tensor) -> str:
    if result.shape != value.shape:
        return f"expected shape {list(value.shape)}, got {list(result.shape)}"
    if result.dtype != value.dtype:
        return f"expected dtype {matching.dtype_name(value)}, got {matching.dtype_name(result)}"
    if is_empty(result):
        return "expected values, got a tensor without any (meta or fake)"
    if sharding.is_sharded(value) and not sharding.is_sharded(result):
        return "expected a DTensor, got a plain tensor"
    return matching.sharding_fault(value, result)


# ---- assigning


def _like(
    old: torch.Tensor, value: torch.Tensor, device: torch.device, view: bool
) -> torch.Tensor:
    """What takes the place of a tensor without values; else the values to copy."""
    if not is_empty(old):
        return value
    new = value.to(device, old.dtype)
    if not view and new.dim() == 2 and not new.is_contiguous():
        new = contiguous_transpose(new.t()) if new.t().is_contiguous() else new.contiguous()
    if sharding.is_sharded(old):
        new = sharding.with_local(old, new.contiguous())
    if isinstance(old, nn.Parameter):
        return nn.Parameter(new, requires_grad=old.requires_grad)
    return new.requires_grad_(old.requires_grad)


def _assign(target: Target, value: torch.Tensor) -> None:
    if not is_empty(target.value):
        sharding.local(target.value).copy_(value)
        return
    for owner, name in target.places:
        setattr(owner, name, value)
