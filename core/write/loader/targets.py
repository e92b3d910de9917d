"""Names in a graph document -> Python objects, by fixed lists: nothing from it is executed."""

from __future__ import annotations

import keyword
import math
import operator
import re
from typing import Any, Callable

import torch
from torch import nn

from . import (
    control_leaves,
    image_leaves,
    map_leaves,
    reference_leaves,
    references,
    sequence_leaves,
    string_leaves,
)
from .errors import PackageError
from .export_support import complete
from .older_torch import TESTED, is_older_than, lacks, part, require_scan
from .torch_libraries import Needed, remedy
from .vocabulary import DTYPES, HIGHER_ORDER, LEAVES, NN_FUNCTIONS, NN_NAMES, NUMBER_OPERATORS

_FAMILIES = {
    family.__name__.rpartition(".")[2]: family
    for family in (
        control_leaves,
        image_leaves,
        map_leaves,
        reference_leaves,
        sequence_leaves,
        string_leaves,
    )
}
_SPACES = {
    "math": math,
    "operator": operator,
    "torch": torch,
    "torch.Tensor": torch.Tensor,
    "torch.fft": torch.fft,
    "torch.linalg": torch.linalg,
    "torch.nn.functional": nn.functional,
    "higher_order": torch.ops.higher_order,
}
_TARGETS = NUMBER_OPERATORS | HIGHER_ORDER | NN_FUNCTIONS | frozenset(NN_NAMES.values())

_PATH = re.compile(r"\w+(\.\w+)*")
# Namespaces of torch itself beside aten: internals and side effects, never a pack's.
_INTERNAL_OPS = frozenset(
    "_c10d_functional _c10d_functional_autograd _dtensor _native _quantized _test c10d"
    " debug_mode_ops debugprims export higher_order inductor inductor_prims mkl mkldnn"
    " mkldnn_prepacked onednn prim prims profiler quantization quantized rngprims sparse"
    " static_runtime symm_mem".split()
)
_ATEN_REFUSED = frozenset(("from_file", "_print", "save"))
LAYOUTS = frozenset(("strided", "sparse_coo"))
MEMORY_FORMATS = frozenset(
    ("contiguous_format", "preserve_format", "channels_last", "channels_last_3d")
)


def named(kind: str, name: Any, allowed: frozenset[str], owner: Any) -> Any:
    if name not in allowed:
        raise PackageError(f"{kind}: expected one that this loader knows, got {name!r}")
    return part(owner, name, f"{kind} {name!r}")


def dtype_of(name: str) -> torch.dtype:
    """torch.float32 for "float32"."""
    return named("dtype", name, DTYPES, torch)


def resolve(target: str, needed: Needed = ()) -> Callable[..., Any]:
    """The callable that a target names; refuses what is not on a list.

    needed: the torch libraries of the document.
    """
    space, _, name = target.partition("::")
    complete(name.partition(".")[0])
    if space == "onnx2fx":
        return _leaf(name)
    if space not in _SPACES:
        return _registered_op(target, space, name, needed)
    if target not in _TARGETS:
        raise PackageError(f"target {space}: expected one that this loader knows, got {name!r}")
    if target == "higher_order::scan":
        require_scan(f"target {target!r}")
    return part(_SPACES[space], name, f"target {target!r}")


def _leaf(name: str) -> Callable[..., Any]:
    if name not in LEAVES:
        raise PackageError(f"target: expected a leaf of this loader, got {'onnx2fx::' + name!r}")
    family, _ = LEAVES[name]
    return getattr(_FAMILIES[family], name)


def require_function(name: Any, needed: Needed) -> None:
    """The first argument of onnx2fx::reference: what computes is in a library that is loaded."""
    if not isinstance(name, str) or not references.is_known(name):
        how = remedy(str(name), needed, "; load the library of the pack that has it first")
        raise PackageError(f"target 'onnx2fx::reference': no library that is loaded has {name!r}{how}")


def _registered_op(target: str, space: str, rest: str, needed: Needed) -> Callable[..., Any]:
    name, _, overload = rest.partition(".")
    words = (space, name, overload or "default")
    if (
        not all(w.isidentifier() for w in words)
        or space in _INTERNAL_OPS
        or (space == "aten" and name in _ATEN_REFUSED)
    ):
        raise PackageError(f"target: expected an operator that graphs may call, got {target!r}")
    try:
        return getattr(getattr(getattr(torch.ops, space), name), overload or "default")
    except AttributeError as e:
        if space == "aten" and is_older_than(TESTED):
            raise lacks(f"target {target!r}", TESTED) from e
        what = "" if space == "aten" else remedy(target, needed)
        raise PackageError(f"target {target!r}: torch has no such operator{what}") from e


def identifier(name: str) -> str:
    if not isinstance(name, str) or not name.isidentifier() or keyword.iskeyword(name):
        raise PackageError(f"name: expected an identifier, got {name!r}")
    return name


def split_path(path: str) -> list[str]:
    if not isinstance(path, str) or not _PATH.fullmatch(path):
        raise PackageError(f"path: expected identifiers joined by dots, got {path!r}")
    return path.split(".")
