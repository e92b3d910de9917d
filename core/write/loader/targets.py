"""Names in a graph document -> Python objects, by fixed lists: nothing from it is executed."""

from __future__ import annotations

import keyword
import operator
import re
from typing import Any, Callable

import torch
from torch import nn

from . import (
    control_leaves,
    image_leaves,
    map_leaves,
    random_leaves,
    sequence_leaves,
    string_leaves,
)
from .errors import PackageError

_LEAVES = (
    control_leaves,
    image_leaves,
    map_leaves,
    random_leaves,
    sequence_leaves,
    string_leaves,
)

_PATH = re.compile(r"\w+(\.\w+)*")
_OPERATORS = frozenset(
    "abs add and_ eq floordiv ge getitem gt index invert le lshift lt matmul mod mul ne"
    " neg not_ or_ pos pow rshift sub truediv xor".split()
)
_TORCH = frozenset(
    "abs acos acosh addmm amax amin argmax argmin asin asinh atan atanh baddbmm bmm"
    " broadcast_to cat ceil clamp cos cosh cumsum erf exp expm1 flatten flip floor gather"
    " index_select isfinite isinf isnan log log1p log_softmax logical_and logical_not"
    " logical_or logical_xor matmul maximum mean minimum mm permute pow prod reciprocal"
    " relu reshape round rsqrt sigmoid sign sin sinh softmax sqrt squeeze stack sum tan"
    " tanh tile transpose tril triu unsqueeze where".split()
)
_FUNCTIONAL = frozenset(
    "adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d avg_pool1d avg_pool2d"
    " avg_pool3d celu conv1d conv2d conv3d conv_transpose1d conv_transpose2d"
    " conv_transpose3d dropout elu gelu glu group_norm hardsigmoid hardswish layer_norm"
    " leaky_relu linear logsigmoid mish pad pixel_shuffle relu6"
    " scaled_dot_product_attention selu silu softplus".split()
)
_SYMBOLIC = frozenset("sym_float sym_int sym_ite sym_max sym_min sym_not sym_sqrt sym_sum".split())
_HIGHER_ORDER = frozenset(("cond", "while_loop", "scan"))
# Namespaces of torch itself beside aten: internals and side effects, never a pack's.
_INTERNAL_OPS = frozenset(
    "_c10d_functional _c10d_functional_autograd _dtensor _native _quantized _test c10d"
    " debug_mode_ops debugprims export higher_order inductor inductor_prims mkl mkldnn"
    " mkldnn_prepacked onednn prim prims profiler quantization quantized rngprims sparse"
    " static_runtime symm_mem".split()
)
_ATEN_REFUSED = frozenset(("from_file", "_print", "save"))
MODULES = frozenset(
    "Linear Conv1d Conv2d Conv3d ConvTranspose1d ConvTranspose2d ConvTranspose3d"
    " BatchNorm1d BatchNorm2d BatchNorm3d LayerNorm GroupNorm InstanceNorm1d"
    " InstanceNorm2d InstanceNorm3d Embedding Dropout PReLU LSTM GRU RNN RMSNorm".split()
)
_DTYPES = frozenset(
    "float32 float64 float16 bfloat16 uint8 int8 int16 int32 int64 bool uint16 uint32"
    " uint64 complex64 complex128 float8_e4m3fn float8_e4m3fnuz float8_e5m2"
    " float8_e5m2fnuz float8_e8m0fnu".split()
)
LAYOUTS = frozenset(("strided", "sparse_coo"))
MEMORY_FORMATS = frozenset(
    ("contiguous_format", "preserve_format", "channels_last", "channels_last_3d")
)


def named(kind: str, name: Any, allowed: frozenset[str], owner: Any) -> Any:
    if name not in allowed:
        raise PackageError(f"{kind}: expected one that this loader knows, got {name!r}")
    return getattr(owner, name)


def dtype_of(name: str) -> torch.dtype:
    """torch.float32 for "float32"."""
    return named("dtype", name, _DTYPES, torch)


def resolve(target: str) -> Callable[..., Any]:
    """The callable that a target names; refuses what is not on a list."""
    space, _, rest = target.partition("::")
    if space == "operator":
        return named("target operator", rest, _OPERATORS, operator)
    if space == "torch":
        return named("target torch", rest, _TORCH | _SYMBOLIC, torch)
    if space == "torch.nn.functional":
        return named("target torch.nn.functional", rest, _FUNCTIONAL, nn.functional)
    if space == "higher_order":
        return named("target higher_order", rest, _HIGHER_ORDER, torch.ops.higher_order)
    if space == "onnx2fx":
        return _leaf(rest)
    return _registered_op(target, space, rest)


def _leaf(name: str) -> Callable[..., Any]:
    for module in _LEAVES:
        leaf = vars(module).get(name)
        own = getattr(leaf, "__module__", None) == module.__name__
        if own and not name.startswith("_") and not isinstance(leaf, type):
            return leaf
    raise PackageError(f"target: expected a leaf of this loader, got {'onnx2fx::' + name!r}")


def _registered_op(target: str, space: str, rest: str) -> Callable[..., Any]:
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
        remedy = (
            ""
            if space == "aten"
            else f"; import the package that registers torch.ops.{space} first"
        )
        raise PackageError(f"target {target!r}: torch has no such operator{remedy}") from e


def identifier(name: str) -> str:
    if not isinstance(name, str) or not name.isidentifier() or keyword.iskeyword(name):
        raise PackageError(f"name: expected an identifier, got {name!r}")
    return name


def split_path(path: str) -> list[str]:
    if not isinstance(path, str) or not _PATH.fullmatch(path):
        raise PackageError(f"path: expected identifiers joined by dots, got {path!r}")
    return path.split(".")
