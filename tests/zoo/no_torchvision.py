"""A stand-in for torchvision, which timm imports and whose wheel wants another torch. Nothing of it is
used by timm's networks: every name in it is an empty class."""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import sys
import types


class _Anything(type):
    def __getattr__(cls, name: str) -> str:
        if name.startswith("__"):
            raise AttributeError(name)
        return name


class _Module(types.ModuleType):
    def __getattr__(self, name: str) -> type:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Anything(name, (), {})


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, name, path, target=None):
        if name.split(".")[0] == "torchvision":
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
        return None

    def create_module(self, spec):
        return _Module(spec.name)

    def exec_module(self, module) -> None:
        pass


class stand_in:
    """Within it torchvision can be imported; after it nobody finds it."""

    def __enter__(self) -> None:
        self._finder = _Finder()
        sys.meta_path.append(self._finder)

    def __exit__(self, *_) -> None:
        sys.meta_path.remove(self._finder)
        for name in [n for n in sys.modules if n.split(".")[0] == "torchvision"]:
            if isinstance(sys.modules[name], _Module):
                del sys.modules[name]
