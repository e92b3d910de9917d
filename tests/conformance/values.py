"""ONNX values as the converted module takes and gives them, and their comparison."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from onnx_to_fx import Strings

_BITS = {  # NumPy has these by ml_dtypes only: moved as bits
    "bfloat16": (np.int16, torch.bfloat16),
    "float8_e4m3fn": (np.uint8, torch.float8_e4m3fn),
    "float8_e4m3fnuz": (np.uint8, torch.float8_e4m3fnuz),
    "float8_e5m2": (np.uint8, torch.float8_e5m2),
    "float8_e5m2fnuz": (np.uint8, torch.float8_e5m2fnuz),
}
if hasattr(torch, "float8_e8m0fnu"):  # since 2.7
    _BITS["float8_e8m0fnu"] = (np.uint8, torch.float8_e8m0fnu)
_CARRIERS = {  # torch computes with none of these: one element each, in the next larger type
    "int2": np.int8,
    "int4": np.int8,
    "uint2": np.uint8,
    "uint4": np.uint8,
    "float4_e2m1fn": np.float32,
}
_LOW_PRECISION = (torch.bfloat16, *(t for _, t in _BITS.values()))


def to_torch(value: Any) -> Any:
    """A value of a data set: tensors, Strings, lists, dicts, None."""
    if value is None:
        return None
    if isinstance(value, onnx.TensorProto):
        value = numpy_helper.to_array(value)
    if isinstance(value, (list, tuple)):
        return [to_torch(v) for v in value]
    if isinstance(value, dict):
        return {k: to_torch(v) for k, v in value.items()}
    array = np.asarray(value)
    if array.dtype.kind in "OSU":
        return Strings(array.shape, [_text(s) for s in array.reshape(-1)])
    name = array.dtype.name
    array = np.ascontiguousarray(array).reshape(array.shape)
    if name in _BITS:
        bits, dtype = _BITS[name]
        return torch.from_numpy(array.view(bits).copy()).view(dtype)
    if name in _CARRIERS:
        array = array.astype(_CARRIERS[name])
    return torch.from_numpy(array.copy())


def _text(item: Any) -> str:
    return item.decode("utf-8") if isinstance(item, bytes) else str(item)


def difference(
    got: Any, expected: Any, rtol: float, atol: float, where: str = "output", values: bool = True
) -> str | None:
    """What differs, in one line; None when nothing does. values False: kinds, dtypes and shapes only."""
    if isinstance(expected, (list, tuple)):
        return _list_difference(got, expected, rtol, atol, where, values)
    if not values and isinstance(expected, Strings) and isinstance(got, Strings):
        same = got.shape == expected.shape
        return None if same else f"{where}: expected shape {list(expected.shape)}, got {list(got.shape)}"
    if expected is None or isinstance(expected, Strings):
        same = got is None if expected is None else got == expected
        return None if same else f"{where}: expected {expected}, got {_short(got)}"
    if not isinstance(got, torch.Tensor):
        return f"{where}: expected a tensor, got {_short(got)}"
    if got.dtype != expected.dtype:
        return f"{where}: expected dtype {expected.dtype}, got {got.dtype}"
    if got.shape != expected.shape:
        return f"{where}: expected shape {list(expected.shape)}, got {list(got.shape)}"
    if not values:
        return None
    if expected.dtype == torch.bfloat16:
        rtol = max(rtol, 2**-6)  # two units in the last place, as in onnx's own runner
    return _tensor_difference(_numpy(got), _numpy(expected), rtol, atol, where)


def _list_difference(
    got: Any, expected: Any, rtol: float, atol: float, where: str, values: bool
) -> str | None:
    if not isinstance(got, (list, tuple)) or len(got) != len(expected):
        return f"{where}: expected a list of {len(expected)}, got {_short(got)}"
    for i, (g, e) in enumerate(zip(got, expected)):
        text = difference(g, e, rtol, atol, f"{where}[{i}]", values)
        if text:
            return text
    return None


def _tensor_difference(
    got: np.ndarray, expected: np.ndarray, rtol: float, atol: float, where: str
) -> str | None:
    if got.dtype.kind in "biu":
        near = _near_integers(got, expected, rtol, atol)
    else:
        near = np.isclose(got, expected, rtol=rtol, atol=atol, equal_nan=True)
    if near.all():
        return None
    at = tuple(int(i) for i in np.argwhere(~near)[0])
    count = int((~near).sum())
    first = f"first at {list(at)}: expected {expected[at]}, got {got[at]}"
    return f"{where}: {count} of {near.size} values differ, {first}"


def _near_integers(got: np.ndarray, expected: np.ndarray, rtol: float, atol: float) -> np.ndarray:
    same = got == expected
    if same.all() or got.dtype.kind == "b":
        return same
    return same | np.isclose(
        got.astype(np.float64), expected.astype(np.float64), rtol=rtol, atol=atol
    )


def _numpy(tensor: torch.Tensor) -> np.ndarray:
    tensor = tensor.detach().cpu().resolve_conj().resolve_neg()
    return (tensor.float() if tensor.dtype in _LOW_PRECISION else tensor).numpy()


def _short(value: Any) -> str:
    if isinstance(value, torch.Tensor):
        return f"a tensor {value.dtype} {list(value.shape)}"
    if isinstance(value, (list, tuple)):
        return f"a {type(value).__name__} of {len(value)}"
    return repr(value)[:80]
