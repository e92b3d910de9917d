"""Which tensor of a source is meant for which tensor of a module, and whether it fits."""

from __future__ import annotations

import collections
import dataclasses
from typing import Any, Callable, Iterable, Mapping, Sequence, Union

import torch
from torch import nn

from . import sharding
from .loader import weightless
from .notes import notes_of
from .sources import Stored

Rename = Union[Mapping[str, "str | None"], Callable[[str], "str | None"]]


class BindError(ValueError):
    """The source does not fit the module; nothing was bound.

    Attributes:
      missing: paths of the module's tensors that the source has not.
      extra: keys of the source that the module has no tensor for.
      wrong: path -> what is wrong with the source's tensor.
    """

    def __init__(
        self,
        label: str,
        missing: Mapping[str, str],
        extra: Mapping[str, str],
        wrong: Mapping[str, str],
    ) -> None:
        self.missing, self.extra, self.wrong = tuple(missing), tuple(extra), dict(wrong)
        kinds = {"missing": missing, "extra": extra, "wrong": wrong}
        counts = ", ".join(f"{len(v)} {k}" for k, v in kinds.items() if v)
        lines = [f"bind: {label}: does not fit the module: {counts}"]
        lines += [f"  {k}: {n}: {text}" for k, v in kinds.items() for n, text in v.items()]
        if missing or extra:
            lines.append(
                "note: strict=False leaves out what is missing or extra; "
                "rename= maps keys of the source to paths of the module"
            )
        super().__init__("\n".join(lines))


# ---- the module's side


@dataclasses.dataclass
class Target:
    """A tensor of the module, and every place that holds it."""

    paths: list[str]
    places: list[tuple[nn.Module, str]]
    value: torch.Tensor
    name: str | None = None  # of the ONNX tensor; None: not known, or not the only one of this name
    transposed: bool = False  # the attribute is .t() of the ONNX tensor
    constant: bool = False  # no weight: has its values, or gets them when all weights are there

    @property
    def path(self) -> str:
        return self.paths[0]

    @property
    def is_counter(self) -> bool:
        """torch's own, which no ONNX model has."""
        return self.path.rpartition(".")[2] == "num_batches_tracked"

    @property
    def is_required(self) -> bool:
        return not self.is_counter and not self.constant

    def __str__(self) -> str:
        known = f" (ONNX {self.name!r})" if self.name not in (None, self.path) else ""
        return f"{_text(dtype_name(self.value), self.value.shape)}{known}"


def targets_of(module: nn.Module) -> list[Target]:
    """Every parameter and buffer, in the order of their first place; tied ones once."""
    found: dict[int, Target] = {}
    for prefix, owner in module.named_modules(remove_duplicate=False):
        dot = prefix + "." if prefix else ""
        for name, value in (*owner._parameters.items(), *owner._buffers.items()):
            if value is not None:
                target = found.setdefault(id(value), Target([], [], value))
                target.paths.append(dot + name)
                target.places.append((owner, name))
                transient = name in owner._non_persistent_buffers_set
                target.constant |= transient and not is_empty(value)
    targets = list(found.values())
    kept = notes_of(module).get("constants", ())
    entries = {t["path"]: t for t in notes_of(module).get("tensors", ())}
    names = collections.Counter(e["name"] for e in entries.values())
    for target in targets:
        target.paths.sort(key=lambda path: path not in entries)
        target.constant |= target.path in kept
        if entry := entries.get(target.path):
            target.transposed = entry["transposed"]
            target.name = entry["name"] if names[entry["name"]] == 1 else None
    return targets


class Globs:
    """What `only` says; None: everything."""

    def __init__(self, only: str | Iterable[str] | None, targets: Sequence[Target]) -> None:
        from ._native import glob_matches

        self._matches = glob_matches
        self._globs = [only] if isinstance(only, str) else None if only is None else list(only)
        for glob in self._globs or ():
            if not any(self._fits(name, glob) for t in targets for name in (*t.paths, t.name)):
                raise ValueError(
                    f"only: expected globs of paths or ONNX names, nothing matches {glob!r}"
                )

    def __call__(self, *names: str | None) -> bool:
        if self._globs is None:
            return True
        return any(self._fits(name, glob) for name in names for glob in self._globs)

    def _fits(self, name: str | None, glob: str) -> bool:
        return name is not None and self._matches(glob, name)


def is_empty(tensor: torch.Tensor) -> bool:
    """Has it no values?"""
    return weightless.is_absent(sharding.local(tensor))


def dtype_name(tensor: torch.Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _text(dtype: str, shape: Sequence[int]) -> str:
    return f"{dtype}{list(shape)}"


# ---- both sides against each other


def renamed(tensors: Sequence[Stored], rename: Rename | None) -> dict[str, Stored]:
    """By the key that the module is to know them by. Raises ValueError: two get the same."""
    if rename is None:
        return {s.key: s for s in tensors}
    new_key = rename if callable(rename) else lambda key: rename.get(key, key)
    renamed: dict[str, Stored] = {}
    old_keys: dict[str, str] = {}
    for stored in tensors:
        key = new_key(stored.key)
        if key is None:
            continue
        if key in renamed:
            raise ValueError(f"rename: {old_keys[key]!r} and {stored.key!r}: both become {key!r}")
        old_keys[key] = stored.key
        same = key == stored.key
        renamed[key] = stored if same else dataclasses.replace(stored, name=None)
    return renamed


class _Keys:
    """Finds the tensors of a source that are meant for one of the module."""

    def __init__(self, targets: Sequence[Target], stored: Mapping[str, Stored]) -> None:
        self._stored = stored
        self._paths = {path for t in targets for path in t.paths}
        self._names: dict[str, list[str]] = {}
        for key, s in stored.items():
            self._names.setdefault(key if s.name is None else s.name, []).append(key)

    def find(self, target: Target) -> dict[str, Stored]:
        """By key. Several: the source has a tied tensor more than once."""
        found = {}
        for path in target.paths:
            s = self._stored.get(path)
            if s is not None and (None in (s.name, target.name) or s.name == target.name):
                found[path] = s
        keys = self._names.get(target.name, ()) if target.name is not None else ()
        if found or len(keys) != 1:
            return found
        s = self._stored[keys[0]]
        if s.name is None and keys[0] in self._paths:
            return found  # the path of another tensor
        return {keys[0]: dataclasses.replace(s, transposed=target.transposed)}


def matched(
    targets: Sequence[Target],
    stored: Mapping[str, Stored],
    chosen: Globs,
    *,
    label: str,
    strict: bool,
    cast: bool,
) -> list[tuple[Target, list[Stored]]]:
    """The chosen targets, each with what the source has for it.

    Several: a tied weight that the source has in more than one place. None: a counter without a
    value, which starts at zero. A target that keeps what it has is left out.

    Raises:
      BindError: with all that does not fit.
    """
    keys = _Keys(targets, stored)
    found = [(t, keys.find(t)) for t in targets]
    taken = {key for _, hits in found for key in hits}
    extra = {
        key: _text(s.dtype, s.shape)
        for key, s in stored.items()
        if key not in taken and chosen(key, s.name)
    }
    missing, wrong, result = {}, {}, []
    for target, hits in found:
        if not chosen(*target.paths, target.name):
            continue
        fits = {key: _as_viewed(target, key, _as_complex(target, s)) for key, s in hits.items()}
        faults = {key: f for key, s in fits.items() if (f := _fault(target, s, cast))}
        if faults:
            texts = (f if key == target.path else f"{key!r}: {f}" for key, f in faults.items())
            wrong[target.path] = "; ".join(texts)
        elif hits or (target.is_counter and is_empty(target.value)):
            result.append((target, _distinct(list(fits.values()))))
        elif target.is_required:
            missing[target.path] = str(target)
    if wrong or (strict and (missing or extra)):
        raise BindError(label, missing if strict else {}, extra if strict else {}, wrong)
    return result


def _distinct(stored: Sequence[Stored]) -> list[Stored]:
    """Without those that lie in the same place as the first."""
    return [s for i, s in enumerate(stored) if not i or _place(s) != _place(stored[0])]


def _place(s: Stored) -> Any:
    if not isinstance(s.data, torch.Tensor):
        return s.data
    part = sharding.local(s.data)
    return part.data_ptr(), part.shape, part.stride()


def _as_complex(target: Target, s: Stored) -> Stored:
    """complex128, which safetensors lacks, is stored as pairs of float64."""
    if target.value.dtype != torch.complex128 or s.dtype != "float64" or s.shape[-1:] != (2,):
        return s
    return dataclasses.replace(s, dtype="complex128", shape=s.shape[:-1])


def _as_viewed(target: Target, key: str, s: Stored) -> Stored:
    """Under the ONNX name a parameter may have axes of one element that are none of the module's."""
    wide = [[n for n in shape if n != 1] for shape in (s.shape, target.value.shape)]
    shape = tuple(target.value.shape)
    if key in target.paths or s.transposed or tuple(s.shape) == shape or wide[0] != wide[1]:
        return s
    data = s.data.reshape(shape) if isinstance(s.data, torch.Tensor) else s.data
    return dataclasses.replace(s, shape=shape, data=data)


def _fault(target: Target, s: Stored, cast: bool) -> str:
    """What is wrong with a tensor of the source; "" if nothing."""
    shape = s.shape[::-1] if s.transposed and len(s.shape) == 2 else s.shape
    if tuple(shape) != tuple(target.value.shape):
        return f"expected shape {list(target.value.shape)}, got {list(shape)}"
    if s.dtype != dtype_name(target.value):
        given = getattr(torch, s.dtype, None)
        floats = isinstance(given, torch.dtype) and given.is_floating_point
        can_cast = floats and target.value.dtype.is_floating_point
        if not (cast and can_cast):
            remedy = " (cast=True converts it)" if can_cast else ""
            return f"expected dtype {dtype_name(target.value)}, got {s.dtype}{remedy}"
    if not isinstance(s.data, torch.Tensor):
        return ""
    if is_empty(s.data):
        return "expected values, got a tensor without any (meta or fake)"
    return sharding_fault(target.value, s.data)


def sharding_fault(value: torch.Tensor, given: torch.Tensor) -> str:
    if not sharding.is_sharded(given):
        return ""
    if not sharding.is_sharded(value):
        return "expected a plain tensor, got a DTensor"
    wanted = (value.device_mesh, value.placements)
    if wanted != (given.device_mesh, given.placements):
        return f"expected placements {list(value.placements)}, got {list(given.placements)}"
    return ""
