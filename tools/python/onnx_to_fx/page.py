"""A module to look at: both sides of the conversion in one HTML file that loads nothing."""

from __future__ import annotations

import html
import json
import operator
import os
import pathlib
import sys
from collections import Counter, defaultdict
from typing import Any, Iterator, Mapping

import torch
from torch import fx, nn

from . import load
from .loader.converted import ConvertedModule
from .loader.errors import PackageError
from .loader.weightless import is_absent
from .notes import notes_of

VERSION = "1.0"
_PAGE = pathlib.Path(__file__).with_name("view.html")


class View:
    """What `view` gives: a notebook shows it, `save` writes it.

    Attributes:
      document: the data of the page, as docs/view.md describes it.
    """

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document

    def html(self) -> str:
        """The page: one file that is complete and makes no request."""
        data = json.dumps(self.document, separators=(",", ":"))  # ASCII alone
        return _PAGE.read_text(encoding="utf-8").replace("@DATA@", data.replace("<", "\\u003c"), 1)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the page, beside `path`, and renames it at the end."""
        path = pathlib.Path(path)
        new = path.with_name(f".{path.name}.new-{os.getpid()}")
        try:
            new.write_text(self.html(), encoding="utf-8")
            os.replace(new, path)
        finally:
            new.unlink(missing_ok=True)

    def _repr_html_(self) -> str:
        page = html.escape(self.html())
        return f'<iframe srcdoc="{page}" title="onnx2fx view" style="width:100%;height:700px;border:0"></iframe>'


def view(module: fx.GraphModule, *, inspection: Mapping[str, Any] | None = None) -> View:
    """A page of the module's graph, block by block, and of the ONNX nodes that it comes from.

    It reads no weights, runs nothing, and shows the module as it is now: nodes that were added or replaced come from no
    ONNX node.

    Args:
      inspection: what ``onnx2fx inspect MODEL --json`` wrote of the same model, for multiply-accumulates and memory.
    Raises:
      TypeError: it is no module that onnx_to_fx made.
    """
    if not isinstance(module, ConvertedModule):
        raise TypeError(f"module: expected one that onnx_to_fx made, got {type(module).__name__}")
    return View(_Document(module, inspection or {}).whole())


class _Document:
    def __init__(self, module: ConvertedModule, inspection: Mapping[str, Any]) -> None:
        self.module, self.inspection = module, inspection
        self.notes = notes_of(module)
        self.report: Mapping[str, Any] = json.loads(self.notes.get("report", "{}"))
        self.onnx = _OnnxNodes(self.report.get("nodes", []))
        self.tensors: list[dict[str, Any]] = []
        self.tensor_of: dict[int, int] = {}  # by id
        self.told = {t["path"]: t for t in self.report.get("tensors", [])}
        self.modules = [(p, m) for p, m in module.named_modules() if isinstance(m, fx.GraphModule)]
        self.program_of = {id(m): i for i, (_, m) in enumerate(self.modules)}

    def whole(self) -> dict[str, Any]:
        self._hold("", self.module)
        programs = [self._program(path, m) for path, m in self.modules]
        of_report = {k: self.report.get(k, empty) for k, empty in (("warnings", []), ("unsupported", []), ("open_blocks", {}))}
        return {
            "format": "onnx2fx.view",
            "version": VERSION,
            "generator": self.notes.get("generator", ""),
            "model": {
                "file": self.report.get("model", {}).get("file", ""),
                **{ports: [_port(p) for p in self.notes.get(ports, ())] for ports in ("inputs", "outputs")},
            },
            "programs": programs,
            "onnx": self.onnx.all(),
            "tensors": self.tensors,
            **of_report,
            "cost": self.inspection.get("cost"),
            "modules": [{k: m[k] for k in ("path", "parameters", "macs")} for m in self.inspection.get("modules", ())],
        }

    def _hold(self, path: str, module: nn.Module) -> list[int]:
        """Indices of the tensors of a module at `path`; what is shared stands once."""
        prefix = path + "." if path else ""
        named = [*module.named_parameters(remove_duplicate=False), *module.named_buffers(remove_duplicate=False)]
        return list(dict.fromkeys(self._tensor(prefix + name, t) for name, t in named))

    def _tensor(self, path: str, tensor: torch.Tensor) -> int:
        if id(tensor) not in self.tensor_of:
            self.tensor_of[id(tensor)] = len(self.tensors)
            told = self.told.get(path, {})
            role = "parameter" if isinstance(tensor, nn.Parameter) else told.get("role", "buffer")
            self.tensors.append(
                {
                    "path": path,
                    "dtype": _dtype(tensor),
                    "shape": list(tensor.shape),
                    "role": role,
                    "trainable": tensor.requires_grad,
                    "absent": is_absent(tensor) or tensor.is_meta,
                    **({"name": told["name"], "because": told["because"]} if told else {}),
                }
            )
        return self.tensor_of[id(tensor)]

    def _program(self, path: str, module: fx.GraphModule) -> dict[str, Any]:
        index = {n: i for i, n in enumerate(module.graph.nodes)}
        code = module.code.rstrip().split("\n")
        blank = next((i for i, line in enumerate(code) if line), 0)
        lines = {node: line - blank for node, line in _lines(module)}
        return {
            "path": path,
            "class": type(module).__name__,
            "code": code[blank:],
            "nodes": [self._node(path, module, n, index, lines.get(i)) for n, i in index.items()],
        }

    def _node(
        self, path: str, module: fx.GraphModule, node: fx.Node, index: Mapping[fx.Node, int], line: int | None
    ) -> dict[str, Any]:
        said: dict[str, Any] = {"name": node.name, "op": node.op, "target": node._pretty_print_target(node.target)}
        if node.all_input_nodes:
            said["inputs"] = [index[n] for n in node.all_input_nodes]
        if (type := _type(node)) is not None:
            said["type"] = type
        if line is not None:
            said["line"] = line
        if "onnx" in node.meta:
            said["onnx"] = self.onnx.index(node.meta["onnx"])
        if node.op == "call_module":
            said.update(self._called(f"{path}.{node.target}" if path else str(node.target), module.get_submodule(str(node.target))))
        elif node.op == "get_attr":
            value = operator.attrgetter(str(node.target))(module)
            if isinstance(value, torch.Tensor):
                said["tensors"] = [self._tensor(f"{path}.{node.target}" if path else str(node.target), value)]
        elif isinstance(node.target, torch._ops.HigherOrderOperator):
            operands = [getattr(module, str(n.target)) for n in node.all_input_nodes if n.op == "get_attr"]
            said["bodies"] = [self.program_of[id(m)] for m in operands if isinstance(m, fx.GraphModule)]
        if said["target"].endswith((".opaque", "onnx2fx.custom_call.default")):
            said["opaque"] = True
        return said

    def _called(self, path: str, module: nn.Module) -> dict[str, Any]:
        if isinstance(module, fx.GraphModule):
            return {"path": path, "program": self.program_of[id(module)]}
        said: dict[str, Any] = {"path": path, "class": type(module).__name__}
        if bodies := [self.program_of[id(m)] for m in module.children() if isinstance(m, fx.GraphModule)]:
            said["bodies"] = bodies
        elif tensors := self._hold(path, module):
            said["tensors"] = tensors
        return said


class _OnnxNodes:
    """Those of the report, in its order, joined with what FX nodes say of theirs.

    The report has all nodes, and what was said of them; an FX node knows the outputs of the one that it comes from. They
    are joined by name where it is the only one of its name, which a checked model does not promise.
    """

    def __init__(self, report: list[Mapping[str, Any]]) -> None:
        self.report = report
        self.found: dict[tuple[Any, ...], int] = {}
        self.nodes: list[Mapping[str, Any]] = []

    def index(self, onnx: Mapping[str, Any]) -> int:
        key = (*_key(onnx), onnx.get("function_path", ""), *onnx.get("outputs", ()))
        if key not in self.found:
            self.found[key] = len(self.nodes)
            self.nodes.append(onnx)
        return self.found[key]

    def all(self) -> list[dict[str, Any]]:
        told = defaultdict(list)
        for r in self.report:
            told[_key(r)].append(r)
        made = Counter(_key(o) for o in self.nodes)
        joined = [self._joined(o, told[_key(o)]) for o in self.nodes]
        rest: list[dict[str, Any]] = []
        for key, rows in told.items():
            rest += [_told(r) for r in rows[made[key] :]]
        return joined + rest

    def _joined(self, onnx: Mapping[str, Any], told: list[Mapping[str, Any]]) -> dict[str, Any]:
        said = {k: onnx[k] for k in ("name", "op_type", "domain", "opset")}
        said["outputs"] = list(onnx.get("outputs", ()))
        if told and all(_told(r) == _told(told[0]) for r in told):
            return {**_told(told[0]), **said}
        return {**said, "provider": f"{onnx.get('plugin', '')} {onnx.get('plugin_version', '')}".strip()}


def _key(onnx: Mapping[str, Any]) -> tuple[Any, ...]:
    return onnx["name"], onnx["op_type"], onnx["domain"]


def _told(row: Mapping[str, Any]) -> dict[str, Any]:
    said = {k: row[k] for k in ("name", "op_type", "domain", "opset", "provider", "function") if k in row}
    notes = [[k, str(v)] for note in row.get("notes", ()) for k, v in note.items()]
    notes += [["declined", str(row["declined"])]] if "declined" in row else []
    return {**said, "notes": notes} if notes else said


def _lines(module: fx.GraphModule) -> Iterator[tuple[int, int]]:
    """(index of a node, line of `code` that calls it, from 0)."""
    for line, node in (getattr(module, "_lineno_map", None) or {}).items():
        if node is not None:
            yield node, line + module._prologue_start - 1


def _type(node: fx.Node) -> dict[str, Any] | None:
    if (type := node.meta.get("onnx_type")) is not None:
        return {k: type[k] for k in ("dtype", "shape")}
    value = node.meta.get("val")
    if not isinstance(value, torch.Tensor):
        return None
    return {"dtype": _dtype(value), "shape": [d if isinstance(d, int) else str(d) for d in value.shape]}


def _dtype(tensor: torch.Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _port(port: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": port["onnx_name"], "dtype": port["dtype"], "shape": port["shape"]}


# ---- onnx2fx view


def main(package: str, path: str, shown: str, inspection: str) -> int:
    """Writes the page of an FX package; `shown` is its path in messages, `inspection` a file, or empty."""
    try:
        module = load(package)
        costs = json.loads(pathlib.Path(inspection).read_bytes()) if inspection else None
        if inspection:  # the weights were not asked for
            made = view(module, inspection=costs)
            for tensor in made.document["tensors"]:
                tensor["absent"] = False
        else:
            made = view(module)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        made.save(path)
    except (OSError, ValueError, PackageError) as e:
        print(f"error: {shown}: {e}", file=sys.stderr)
        return 1
    return 0
