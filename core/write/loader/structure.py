"""What FORMAT.md asks of graph.json, held against a document that comes from a file."""

from __future__ import annotations

import re
from typing import Any, Callable, Mapping

from .errors import PackageError
from .vocabulary import WEIGHTS_LAYOUTS

Check = Callable[[Any, str], None]


def _refuse(where: str, expected: str, got: Any) -> PackageError:
    shown = repr(got)
    return PackageError(
        f"graph.json: {where}: expected {expected}, got {shown if len(shown) < 80 else shown[:76] + '...'}"
    )


def _kind(expected: str, *types: type) -> Check:
    def check(value: Any, where: str) -> None:
        if type(value) not in types:
            raise _refuse(where, expected, value)

    return check


def _list_of(check: Check) -> Check:
    def check_list(value: Any, where: str) -> None:
        if type(value) is not list:
            raise _refuse(where, "a list", value)
        for i, x in enumerate(value):
            check(x, f"{where}[{i}]")

    return check_list


def _object(required: Mapping[str, Check], optional: Mapping[str, Check] | None = None) -> Check:
    """Keys that are in neither are refused."""
    known = {**required, **(optional or {})}

    def check(value: Any, where: str) -> None:
        if type(value) is not dict:
            raise _refuse(where, "an object", value)
        for key in required:
            if key not in value:
                raise _refuse(where, f"a key {key!r}", sorted(value))
        for key, x in value.items():
            if key not in known:
                raise _refuse(where, f"one of the keys {', '.join(known)}", key)
            known[key](x, f"{where}.{key}")

    return check


def _either(*checks: Check) -> Check:
    """The last one says what is wrong."""

    def check(value: Any, where: str) -> None:
        for c in checks[:-1]:
            try:
                return c(value, where)
            except PackageError:
                pass
        checks[-1](value, where)

    return check


def _anything(value: Any, where: str) -> None:
    pass


def _word(*words: str) -> Check:
    def check(value: Any, where: str) -> None:
        if type(value) is not str or value not in words:
            raise _refuse(where, f"one of {', '.join(words)}", value)

    return check


def _index(value: Any, where: str) -> None:
    if type(value) is not int or value < 0:
        raise _refuse(where, "an index", value)


def _text(value: Any, where: str) -> None:
    """JSON can write half of a surrogate pair, which no text in UTF-8 has."""
    if type(value) is not str:
        raise _refuse(where, "a text", value)
    if not value.isascii() and any("\ud800" <= c <= "\udfff" for c in value):
        raise _refuse(where, "a text in Unicode", value)


def _version(value: Any, where: str) -> None:
    if type(value) is not str or not re.fullmatch(r"[0-9]{1,4}\.[0-9]{1,4}", value):
        raise _refuse(where, "a version such as 2.10", value)


TEXT, NUMBER, FLAG = _text, _kind("a whole number", int), _kind("true or false", bool)
NULL = _kind("null", type(None))
MAP = _kind("an object", dict)
ARGUMENTS = _kind("a list of arguments", list)  # each is checked when the graph is built
DTYPE = _either(NULL, TEXT)
SHAPE = _either(NULL, _list_of(_either(NUMBER, TEXT)))
TYPE = _object({"dtype": DTYPE, "shape": SHAPE})
PORT = _object({"name": TEXT}, {"onnx_name": TEXT, "dtype": DTYPE, "shape": SHAPE})
_COMMON = {"onnx": _index, "meta": MAP, "type": TYPE}
_CALL = {"op": TEXT, "name": TEXT, "args": ARGUMENTS}
NODES: dict[str, Check] = {
    "placeholder": _object({"op": TEXT, "name": TEXT}, _COMMON),
    "get_attr": _object({"op": TEXT, "name": TEXT, "tensor": _index}, _COMMON),
    "call_function": _object({**_CALL, "target": TEXT}, {**_COMMON, "kwargs": MAP}),
    "call_module": _object({**_CALL, "module": _index}, {**_COMMON, "kwargs": MAP}),
    "output": _object(_CALL, _COMMON),
}
DATA = _either(
    NULL,
    _object({"safetensors": TEXT}),
    _object({"memory": _index}),
    _object({"source": _index, "offset": NUMBER, "length": NUMBER}),
)
TENSOR = _object(
    {
        "name": TEXT,
        "path": TEXT,
        "dtype": TEXT,
        "shape": _list_of(_index),
        "role": _word("parameter", "buffer", "constant"),
        "requires_grad": FLAG,
        "data": DATA,
    },
    {"transposed": FLAG},
)
MODULE = _object(
    {
        "path": TEXT,
        "type": TEXT,
        "args": MAP,
        "tensors": _list_of(_object({"attribute": TEXT, "tensor": _index}, {"transposed": FLAG})),
    },
    {"program": TEXT},
)
SOURCE = _object(
    {
        "path": TEXT,
        "relative": _either(NULL, TEXT),
        "size": _index,
        "mtime_ns": _either(NULL, NUMBER),
    }
)
TORCH_LIBRARY = _object(
    {"file": TEXT, "plugin": TEXT, "version": TEXT, "targets": _list_of(TEXT)},
    {"sha256": TEXT, "min_torch": _version},
)


def _node(value: Any, where: str) -> None:
    op = value.get("op") if type(value) is dict else None
    if type(op) is not str or op not in NODES:
        raise _refuse(where, f"a node whose op is one of {', '.join(NODES)}", value)
    NODES[op](value, where)


def _program(value: Any, where: str) -> None:
    _object({"name": TEXT, "nodes": _list_of(_node)})(value, where)
    nodes, names, calls = value["nodes"], set(), False
    for i, n in enumerate(nodes):
        if n["name"] in names:
            raise _refuse(f"{where}.nodes[{i}].name", "one that no other node has", n["name"])
        names.add(n["name"])
        if n["op"] == "placeholder" and calls:
            raise _refuse(f"{where}.nodes[{i}]", "placeholders before all other nodes", n["name"])
        calls |= n["op"] != "placeholder"
        if (n["op"] == "output") != (i == len(nodes) - 1):
            raise _refuse(f"{where}.nodes[{i}]", "exactly one output, the last node", n["name"])
        if n["op"] == "output" and len(n["args"]) != 1:
            raise _refuse(f"{where}.nodes[{i}].args", "one argument", n["args"])
    if not nodes:
        raise _refuse(f"{where}.nodes", "an output node", nodes)


DOCUMENT: dict[str, Check] = {
    "generator": TEXT,
    "dialect": _word("aten", "nn"),
    "weights": _word("copy", "reference", "meta", "random", "memory"),
    "inputs": _list_of(PORT),
    "outputs": _list_of(PORT),
    "programs": _list_of(_program),
    "tensors": _list_of(TENSOR),
    "modules": _list_of(MODULE),
    "sources": _list_of(SOURCE),
    "provenance": _list_of(MAP),
    "metadata": MAP,
}


def check_structure(document: Mapping[str, Any]) -> None:
    """Refuses a document that FORMAT.md does not allow; indices and paths are left to its readers."""
    for key, check in DOCUMENT.items():
        if key not in document:
            raise _refuse("the document", f"a key {key!r}", sorted(document))
        check(document[key], key)
    if "torch_libraries" in document:
        _list_of(TORCH_LIBRARY)(document["torch_libraries"], "torch_libraries")
    if "weights_layout" in document:
        _word(*WEIGHTS_LAYOUTS)(document["weights_layout"], "weights_layout")
    names = [p["name"] for p in document["programs"]]
    if not names or len(set(names)) != len(names):
        raise _refuse("programs", "at least one, each with a name of its own", names)
