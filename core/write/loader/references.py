"""The reference functions of libraries that are loaded (sdk/include/onnx2fx/reference.h): tensors cross as in DLPack."""

from __future__ import annotations

import ctypes
import itertools
import threading
import types
from typing import Any, Callable, NamedTuple, Sequence

import torch

from .errors import PackageError
from .reference_table import CONCURRENT, Str, read_table

OK, INVALID, NO_MEMORY = 0, -1, -5
_CPU = 1  # kDLCPU
_MOST_TEXT, _MOST_RANK = 1 << 20, 1024

# dtype -> (code, bits) of DLPack
_DTYPES = {
    torch.int8: (0, 8),
    torch.int16: (0, 16),
    torch.int32: (0, 32),
    torch.int64: (0, 64),
    torch.uint8: (1, 8),
    torch.uint16: (1, 16),
    torch.uint32: (1, 32),
    torch.uint64: (1, 64),
    torch.float16: (2, 16),
    torch.float32: (2, 32),
    torch.float64: (2, 64),
    torch.bfloat16: (4, 16),
    torch.complex64: (5, 64),
    torch.complex128: (5, 128),
    torch.bool: (6, 8),
}
_NAMES = {dlpack: str(dtype).removeprefix("torch.") for dtype, dlpack in _DTYPES.items()}


class _Tensor(ctypes.Structure):
    _fields_ = [
        ("data", ctypes.c_void_p),
        ("device_type", ctypes.c_int32),
        ("device_id", ctypes.c_int32),
        ("ndim", ctypes.c_int32),
        ("code", ctypes.c_uint8),
        ("bits", ctypes.c_uint8),
        ("lanes", ctypes.c_uint16),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byte_offset", ctypes.c_uint64),
    ]


_TensorPointer = ctypes.POINTER(_Tensor)


class _Call(ctypes.Structure):
    _fields_ = [
        ("struct_size", ctypes.c_uint64),
        ("inputs", ctypes.POINTER(_TensorPointer)),
        ("options", Str),
        ("n_inputs", ctypes.c_uint32),
        ("n_outputs", ctypes.c_uint32),
    ]


_SetError = ctypes.CFUNCTYPE(
    ctypes.c_int32, ctypes.c_void_p, ctypes.c_int32, ctypes.c_char_p, ctypes.c_int32, Str
)
_Output = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_uint32, _TensorPointer)


class _Host(ctypes.Structure):
    _fields_ = [("struct_size", ctypes.c_uint64), ("set_error", _SetError), ("output", _Output)]


_Compute = ctypes.CFUNCTYPE(
    ctypes.c_int32,
    ctypes.POINTER(_Host),
    ctypes.c_void_p,
    ctypes.POINTER(_Call),
    ctypes.c_void_p,
)


class _Function(NamedTuple):
    library: str
    compute: Callable[..., int]
    user: int | None
    serial: threading.Lock | None  # of its library; None: any number of calls at a time
    run: Callable[..., int]


_functions: dict[str, _Function] = {}


def is_known(name: str) -> bool:
    return name in _functions


def add_references(path: str) -> None:
    """Those of a library that is loaded; none if it is no plugin, or one without such."""
    table = read_table(ctypes.CDLL(path), path)
    if table is None:
        return
    serial = None if table.flags & CONCURRENT else threading.Lock()
    for name, *_ in table.functions:
        if is_known(name):
            raise PackageError(
                f"{path}: torch library: reference function '{name}': expected a name of its own, "
                f"got one that {_functions[name].library} has; give one of the two; a process has one "
                "function of a name"
            )
    for name, address, user in table.functions:
        run = _named(_run, f"{name} of {table.plugin} in {path}")
        _functions[name] = _Function(path, _Compute(address), user, serial, run)


def _named(function: Callable[..., int], name: str) -> Callable[..., int]:
    """The same function under this name: in a traceback, and in what faulthandler says of a crash."""
    assert isinstance(function, types.FunctionType)
    return types.FunctionType(function.__code__.replace(co_name=name), function.__globals__, name)


# ---- one call ----


def _shown(dtype: str, dims: Sequence[int]) -> str:
    return f"{dtype}[{', '.join(map(str, dims))}]"


class _Running:
    """What output() and set_error() of one call write to."""

    def __init__(self, stated: Sequence[tuple[torch.dtype, Sequence[int]]]) -> None:
        self.stated = stated
        self.outputs: list[torch.Tensor | None] = [None] * len(stated)
        self.error: tuple[int, str] = (OK, "")
        self.kept: list[Any] = []  # shapes and strides

    def tensor(self, t: torch.Tensor) -> _Tensor:
        if t.dtype not in _DTYPES:
            raise ValueError(f"expected a dtype that DLPack has, got {t.dtype}")
        numbers = ctypes.c_int64 * max(t.dim(), 1)
        shape, strides = numbers(*t.shape), numbers(*t.stride())
        self.kept += [shape, strides, t]
        return _Tensor(t.data_ptr(), _CPU, 0, t.dim(), *_DTYPES[t.dtype], 1, shape, strides, 0)

    def fail(self, status: int, text: str) -> int:
        self.error = (status, text)
        return status

    def output(self, index: int, asked: Any) -> int:
        at = f"output {index}: "
        if index >= len(self.stated):
            return self.fail(INVALID, f"{at}expected one of {len(self.stated)}")
        if self.outputs[index] is not None:
            return self.fail(INVALID, f"{at}asked for twice")
        t = asked.contents if asked else None
        if t is None or not 0 <= t.ndim <= _MOST_RANK or (t.ndim and not t.shape):
            return self.fail(INVALID, f"{at}expected a tensor with ndim and shape")
        dtype, dims = self.stated[index]
        got = t.shape[: t.ndim] if t.ndim else []
        same = len(got) == len(dims) and all(g >= 0 and s in (-1, g) for g, s in zip(got, dims))
        if not same or (t.code, t.bits, t.lanes) != (*_DTYPES[dtype], 1):
            name = _NAMES.get((t.code, t.bits)) if t.lanes == 1 else None
            return self.fail(
                INVALID,
                f"{at}expected {_shown(_NAMES[_DTYPES[dtype]], dims)}, "
                f"got {_shown(name or f'code {t.code} of {t.bits} bits', got)}",
            )
        self.outputs[index] = result = torch.zeros(got, dtype=dtype)
        asked[0] = self.tensor(result)
        return OK


_calls: dict[int, tuple[int, _Running]] = {}  # ctx -> thread, call
_tokens = itertools.count(16, 16)


def _running(ctx: int | None) -> _Running | None:
    thread, running = _calls.get(ctx or 0, (0, None))
    return running if thread == threading.get_ident() else None


@_SetError
def _set_error(ctx: Any, status: int, file: Any, line: int, message: Str) -> int:
    running = _running(ctx)
    if running is None:
        return INVALID
    text = message.bytes(_MOST_TEXT)
    if text is None:
        return running.fail(INVALID, "set_error: message: expected a text")
    if status >= 0:
        return running.fail(INVALID, f"set_error: status: expected one below 0, got {status}")
    return running.fail(status, text.decode(errors="replace"))


@_Output
def _output(ctx: Any, index: int, tensor: Any) -> int:
    running = _running(ctx)
    if running is None:
        return INVALID
    try:
        return running.output(index, tensor)
    except Exception as e:  # nothing is thrown into C
        return running.fail(NO_MEMORY, f"output {index}: no memory: {str(e)[:200]}")


_HOST = _Host(ctypes.sizeof(_Host), _set_error, _output)


def compute(
    name: str,
    inputs: Sequence[torch.Tensor | None],
    options: str,
    stated: Sequence[tuple[torch.dtype, Sequence[int]]],
) -> list[torch.Tensor]:
    function = _functions.get(name)
    if function is None:
        raise RuntimeError(f"{name}: expected a reference function of a library that is loaded")
    for dtype, _ in stated:
        if dtype not in _DTYPES:
            raise RuntimeError(f"{name}: expected a dtype that DLPack has, got {dtype}")
    running = _Running(stated)
    on_cpu = [None if t is None else t.detach().cpu().contiguous().resolve_conj().resolve_neg() for t in inputs]
    pointers = (_TensorPointer * max(len(inputs), 1))(
        *(_TensorPointer() if t is None else ctypes.pointer(running.tensor(t)) for t in on_cpu)
    )
    data = options.encode()
    text = ctypes.create_string_buffer(data)
    said = Str(ctypes.addressof(text), len(data))
    call = _Call(ctypes.sizeof(_Call), pointers, said, len(inputs), len(stated))
    if function.serial:
        with function.serial:
            status = function.run(function, running, call)
    else:
        status = function.run(function, running, call)
    if status != OK:
        told, what = running.error
        silent = told != status or not what
        raise RuntimeError(f"{name}: " + (f"returned status {status} without a text" if silent else what))
    for k, output in enumerate(running.outputs):
        if output is None:
            raise RuntimeError(f"{name}: output {k}: expected a tensor, got none")
    return running.outputs  # type: ignore[return-value]


def _run(function: _Function, running: _Running, call: _Call) -> int:
    token = next(_tokens)
    _calls[token] = (threading.get_ident(), running)
    try:
        return function.compute(_HOST, token, call, function.user)
    finally:
        del _calls[token]
