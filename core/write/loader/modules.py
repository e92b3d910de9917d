"""The nn modules of a graph document, and the plain ones that hold them."""

from __future__ import annotations

import functools
from typing import Any, Callable, Mapping, Sequence

import torch
from torch import nn

from .errors import PackageError
from .targets import dtype_of, identifier, named
from .vocabulary import MODULES, OWN_MODULES


def nn_module(entry: Mapping[str, Any], tensor: Callable[[int], torch.Tensor]) -> nn.Module:
    """The module of an entry of document["modules"]; `tensor` gives a tensor by its index."""
    cls = _class_of(entry["type"])
    arguments = {identifier(k): plain(v) for k, v in entry["args"].items()}
    if not entry["tensors"]:
        return cls(**arguments)
    module = _uninitialised(cls)(**arguments, device="meta")
    module.__class__ = cls
    missing = {n for n, _ in (*module.named_parameters(), *module.named_buffers())}
    for use in entry["tensors"]:
        _assign(module, use["attribute"], tensor(use["tensor"]), entry)
        missing.discard(use["attribute"])
    if "num_batches_tracked" in missing:
        missing.discard("num_batches_tracked")
        first = tensor(entry["tensors"][0]["tensor"])
        module.num_batches_tracked = first.detach().new_zeros((), dtype=torch.int64)
    if missing:
        raise PackageError(f"module {entry['path']!r}: no tensor for {sorted(missing)}")
    return module


def _class_of(name: str) -> Any:
    if name not in OWN_MODULES:
        return named("module type", name, MODULES, nn)
    from . import own_modules  # which may import transformers

    return getattr(own_modules, name)


@functools.cache
def _uninitialised(cls: type[nn.Module]) -> type[nn.Module]:
    """The class without the initialisation of its weights, which costs most of the construction."""
    return type(cls.__name__, (cls,), {"reset_parameters": lambda self: None})


def plain(a: Any) -> Any:
    """An argument without nodes."""
    if isinstance(a, list):
        return tuple(plain(x) for x in a)
    if isinstance(a, dict):
        ((kind, value),) = a.items()
        make: dict[str, Callable[[Any], Any]] = {"float": float, "dtype": dtype_of}
        return make[kind](value)
    return a


def _assign(module: nn.Module, name: str, value: torch.Tensor, entry: Mapping[str, Any]) -> None:
    old = getattr(module, identifier(name), None)
    if not isinstance(old, torch.Tensor) or old.shape != value.shape:
        shape = list(old.shape) if isinstance(old, torch.Tensor) else None
        raise PackageError(
            f"module {entry['path']!r}: {name}: expected shape {shape}, got {list(value.shape)}"
        )
    if isinstance(old, nn.Parameter) and not isinstance(value, nn.Parameter):
        value = nn.Parameter(value, requires_grad=False)
    if isinstance(old, nn.Parameter):
        setattr(module, name, value)  # not _parameters: nn.LSTM keeps a second list in __setattr__
    else:
        setattr(module, name, value.detach())


class Holder(nn.Module):
    """Holds tensors and modules under their paths.

    Constants of the aten dialect are plain tensors here: torch.export lifts those, and no state
    dict has them. They follow ``.to()`` all the same.
    """

    def hold(self, name: str, value: torch.Tensor) -> None:
        if hasattr(self, name):
            raise KeyError(f"attribute {name!r} already exists")
        setattr(self, name, value)

    def _apply(self, fn: Callable[[torch.Tensor], torch.Tensor], recurse: bool = True) -> Holder:
        super()._apply(fn, recurse)
        for name, value in self.__dict__.items():
            if isinstance(value, torch.Tensor):
                self.__dict__[name] = fn(value)
        return self


def is_transient(owner: nn.Module, name: str) -> bool:
    """Whether no state dict holds this tensor of the module."""
    return name in owner._non_persistent_buffers_set or name in owner.__dict__


def container(owner: nn.Module, names: Sequence[str]) -> nn.Module:
    for name in names:
        child = owner._modules.get(name)
        if child is None:
            if hasattr(owner, name):
                raise PackageError(f"path component {name!r}: torch.nn.Module uses this name")
            child = owner._modules[name] = Holder()
        owner = child
    return owner
