"""Gives weights to a module that has none, or others to one that has."""

from __future__ import annotations

import json
import os
from typing import Any, Iterator, Mapping

import torch
from torch import fx, nn

from . import loader, weights


def bind(
    module: fx.GraphModule,
    source: str | os.PathLike[str] | Mapping[str, torch.Tensor],
    *,
    strict: bool = True,
) -> fx.GraphModule:
    """Assigns tensors of `source` by attribute path or by the name of the ONNX initializer.

    Args:
      source: a safetensors file, an FX package, or a state dict.
      strict: raise KeyError when a tensor of the module finds none.
    """
    tensors = _Source(source)
    missing = []
    for path, (entry, places) in _tensors(module).items():
        value = tensors.find(path, entry)
        if value is None:
            missing.append(path)
        else:
            _assign(path, places, value)
    if strict and missing:
        listed = ", ".join(missing[:5]) + (", ..." if len(missing) > 5 else "")
        raise KeyError(
            f"bind: {len(missing)} tensors of the module are not in the source: {listed}"
        )
    return module


class _Source:
    """Where tensors come from, by key."""

    def __init__(self, source: Any) -> None:
        self._stored_transposed: set[str] = set()
        if isinstance(source, Mapping):
            self._tensors = source
        elif os.path.isdir(source):
            self._tensors = _package(source)
        else:
            self._tensors = weights.read_safetensors(source)
            names = weights.safetensors_entries(source)[1].get("transposed", "[]")
            self._stored_transposed = set(json.loads(names))

    def find(self, path: str, entry: Mapping[str, Any]) -> torch.Tensor | None:
        if path in self._tensors:
            value = self._tensors[path]
            return value.t() if path in self._stored_transposed else value
        if entry.get("name") in self._tensors:
            value = self._tensors[entry["name"]]
            return value.t() if entry["transposed"] else value
        return None


def _package(folder: str | os.PathLike[str]) -> dict[str, torch.Tensor]:
    module = loader.load(folder)
    return {**dict(module.named_buffers()), **dict(module.named_parameters(remove_duplicate=False))}


def _tensors(
    module: fx.GraphModule,
) -> dict[str, tuple[Mapping[str, Any], list[tuple[nn.Module, str]]]]:
    """First path -> (entry of the conversion, every place that holds the tensor)."""
    entries = {t["path"]: t for t in module.meta.get("onnx2fx", {}).get("tensors", ())}
    by_object: dict[int, list[tuple[str, nn.Module, str]]] = {}
    for path, owner, name, value in _all_tensors(module):
        by_object.setdefault(id(value), []).append((path, owner, name))
    found = {}
    for uses in by_object.values():
        path = next((p for p, _, _ in uses if p in entries), uses[0][0])
        if path.endswith("num_batches_tracked") and path not in entries:
            continue  # torch's own counter
        found[path] = (entries.get(path, {}), [(owner, name) for _, owner, name in uses])
    return found


def _all_tensors(module: nn.Module) -> Iterator[tuple[str, nn.Module, str, torch.Tensor]]:
    for prefix, owner in module.named_modules():
        dot = prefix + "." if prefix else ""
        for name, value in (*owner._parameters.items(), *owner._buffers.items()):
            if value is not None:
                yield dot + name, owner, name, value


def _assign(path: str, places: list[tuple[nn.Module, str]], value: torch.Tensor) -> None:
    owner, name = places[0]
    old = getattr(owner, name)
    if value.shape != old.shape:
        raise ValueError(f"bind: {path}: expected shape {list(old.shape)}, got {list(value.shape)}")
    if not old.is_meta:
        with torch.no_grad():
            old.copy_(value)
        return
    new = value.detach().to(old.dtype)
    if isinstance(old, nn.Parameter):
        new = nn.Parameter(new, requires_grad=old.requires_grad)
    for owner, name in places:
        setattr(owner, name, new)
