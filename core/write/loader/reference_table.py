"""The table of reference functions in a library that is loaded, judged before it is used: as core/plugin/reference_table.cpp does, in the same words."""

from __future__ import annotations

import ctypes
from typing import NamedTuple

from .errors import PackageError

CONCURRENT = 1
_MAJOR, _MINOR = 1, 0
_MOST_NAME, _MOST_ROWS, _MOST_STRUCT = 4096, 65536, 65536
_EXTENSION = "onnx2fx.reference/1"


class Str(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("len", ctypes.c_uint64)]

    def bytes(self, most: int) -> bytes | None:
        if self.len > most or (self.len and not self.data):
            return None
        return ctypes.string_at(self.data, self.len) if self.len else b""


class Row(ctypes.Structure):
    _fields_ = [
        ("name", Str),
        ("flags", ctypes.c_uint32),
        ("reserved", ctypes.c_uint32),
        ("compute", ctypes.c_void_p),
        ("user", ctypes.c_void_p),
    ]


class Extension(ctypes.Structure):
    _fields_ = [
        ("struct_size", ctypes.c_uint64),
        ("functions", ctypes.c_void_p),
        ("n_functions", ctypes.c_uint32),
        ("function_size", ctypes.c_uint32),
    ]


GetExtension = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_char_p)


class Plugin(ctypes.Structure):
    """o2fx_plugin, minor 0."""

    _fields_ = [
        ("struct_size", ctypes.c_uint64),
        ("abi_major", ctypes.c_uint32),
        ("abi_minor", ctypes.c_uint32),
        ("abi_min_minor", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("id", Str),
        ("version", Str),
        ("ops", ctypes.c_void_p),
        ("n_ops", ctypes.c_uint32),
        ("op_size", ctypes.c_uint32),
        ("init", ctypes.c_void_p),
        ("deinit", ctypes.c_void_p),
        ("get_extension", ctypes.c_void_p),
    ]


class Function(NamedTuple):
    name: str
    compute: int  # addresses
    user: int | None


class Table(NamedTuple):
    plugin: str  # "com.acme.pack 1.0.0"
    flags: int
    functions: list[Function]


def read_table(library: ctypes.CDLL, path: str) -> Table | None:
    """None: it is no plugin, or one without such functions. Raises PackageError with every fault."""
    try:
        entry = library.onnx2fx_plugin_entry_1
    except AttributeError:
        return None
    entry.restype = ctypes.POINTER(Plugin)
    table = entry()
    faults = _faults_of_head(table)
    plugin = table.contents if table else None
    functions: list[Function] = []
    if plugin is not None and not faults:
        answer = plugin.get_extension and GetExtension(plugin.get_extension)(_EXTENSION.encode())
        if not answer:
            return None
        functions, found = _functions_of(Extension.from_address(answer))
        faults = [f"{_EXTENSION}: {what}" for what in found]
    if plugin is None or faults:
        raise PackageError("\n".join(f"{path}: {what}" for what in faults))
    words = [(s.bytes(_MOST_NAME) or b"").decode(errors="replace") for s in (plugin.id, plugin.version)]
    return Table(" ".join(words), plugin.flags, functions)


def _size_fault(what: str, size: int, least: int) -> list[str]:
    if least <= size <= _MOST_STRUCT and size % 8 == 0:
        return []
    return [f"{what}: expected a multiple of 8 from {least} to {_MOST_STRUCT}, got {size}"]


def _faults_of_head(table: ctypes._Pointer[Plugin]) -> list[str]:
    if not table:
        return ["onnx2fx_plugin_entry_1: expected a table, got NULL"]
    p = table.contents
    spoken = f"this host speaks {_MAJOR}.{_MINOR}"
    if faults := _size_fault("struct_size", p.struct_size, ctypes.sizeof(Plugin)):
        return faults
    if p.abi_major != _MAJOR:
        return [
            f"plugin ABI {p.abi_major}.{p.abi_minor}, {spoken}; "
            "rebuild the plugin against this SDK, or upgrade onnx2fx"
        ]
    if p.abi_min_minor > _MINOR:
        return [
            f"needs a host of ABI {p.abi_major}.{p.abi_min_minor} or newer, {spoken}; upgrade onnx2fx"
        ]
    if p.flags & ~CONCURRENT:
        return [f"flags: expected known ones, got {p.flags}"]
    return []


def _functions_of(table: Extension) -> tuple[list[Function], list[str]]:
    """And what is wrong with them."""
    if faults := _size_fault("struct_size", table.struct_size, ctypes.sizeof(Extension)):
        return [], faults
    if not table.functions or not 0 < table.n_functions <= _MOST_ROWS:
        got = table.n_functions if table.functions else "NULL"
        return [], [f"functions: expected 1 to {_MOST_ROWS} rows, got {got}"]
    if faults := _size_fault("function_size", table.function_size, ctypes.sizeof(Row)):
        return [], faults
    functions: dict[str, Function] = {}
    for i in range(table.n_functions):
        row = Row.from_address(table.functions + i * table.function_size)
        faults += [f"function row {i}: {what}" for what in _faults_of(row, functions)]
    return list(functions.values()), faults


def _faults_of(row: Row, before: dict[str, Function]) -> list[str]:
    """Of a row; it is one of them from here on, if it has a name."""
    data = row.name.bytes(_MOST_NAME)
    name = (data or b"").decode(errors="replace")
    words = name.split("::")
    if len(words) != 2 or not all(w.isascii() and w.isidentifier() for w in words):
        return [f"expected a name such as acme::rope, got '{_beginning(row.name)}'"]
    faults = [f"'{name}' stands there twice"] if name in before else []
    if not row.compute:
        faults.append("compute: expected a function, got NULL")
    if row.flags or row.reserved:
        faults.append(f"flags, reserved: expected 0, got {row.flags}, {row.reserved}")
    before[name] = Function(name, row.compute or 0, row.user)
    return faults


def _beginning(name: Str) -> str:
    return ctypes.string_at(name.data, min(name.len, 64)).decode(errors="replace") if name.data else ""
