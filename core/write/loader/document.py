"""Builds a torch.fx.GraphModule from a graph.json document and its weights."""

from __future__ import annotations

import gc
from typing import Any, Callable, Mapping, Sequence

import torch
from torch import fx, nn

from . import modules, targets, weightless
from .blocks import order_children, place_blocks, sort_children
from .converted import ConvertedModule, TakesStrings
from .errors import PackageError
from .layout import contiguous_transpose
from .program import ProgramBuilder, empty_module
from .targets import split_path
from .vocabulary import WEIGHTS_LAYOUTS
from .weights import Weights, transposed_tensors

FORMAT, MAJOR = "onnx2fx.graph", 1


class DocumentBuilder:
    """One document: builds each program once and owns the tensors and nn modules."""

    def __init__(
        self,
        document: Mapping[str, Any],
        tensors: Callable[[Mapping[str, Any]], torch.Tensor],
        training: bool | None,
    ) -> None:
        self.document, self.load = document, tensors
        self.training = training
        self.lifts = document["dialect"] == "aten"  # constants are plain tensors there
        self.programs = {p["name"]: p for p in document["programs"]}
        self.built: dict[str, fx.GraphModule] = {}
        self.tensors: dict[int, torch.Tensor] = {}
        self.modules: dict[int, nn.Module] = {}
        self.blocks: dict[int, ConvertedModule] = {}  # each in its place from the start
        self.filled: dict[int, ProgramBuilder] = {}  # of the blocks, each before those in it
        self.filling: set[int] = set()
        self.targets: dict[str, Callable[..., Any]] = {}
        self.transposed = transposed_tensors(document)
        paths = [split_path(e["path"]) for e in (*document["tensors"], *document["modules"])]
        self.taken = {component for path in paths for component in path} | self.programs.keys()
        self.mode_name = self.unused("training_mode")

    def unused(self, name: str) -> str:
        """The name, made one that no tensor, module or program has."""
        while name in self.taken:
            name += "_"
        self.taken.add(name)
        return name

    def place_of(self, node: Mapping[str, Any]) -> str:
        """How messages name the ONNX node that a node comes from."""
        if "onnx" not in node:
            return f"node {node['name']!r}"
        onnx = self.document["provenance"][node["onnx"]]
        return f"node {onnx.get('name') or node['name']!r} ({onnx.get('op_type')})"

    def build(self) -> fx.GraphModule:
        strings = any(_may_be_strings(p) for p in self.document["inputs"])
        cls = TakesStrings if strings else ConvertedModule
        program = self.document["programs"][0]
        root = empty_module(program["name"], cls)
        numbered = place_blocks(root, self.document, self.blocks)
        graph = ProgramBuilder(self, program, root)
        graph.fill(single=len(self.document["outputs"]) == 1)
        for index in _held_beside_modules(self.document):
            self.hold_tensor(root, index)
        module = graph.compile()
        for block in self.filled.values():
            order_children(block.compile())
        if self.blocks:
            order_children(root)
        sort_children(numbered)
        module.meta["onnx2fx"] = self._summary()
        module.register_load_state_dict_pre_hook(weightless.keep_tied)
        return module

    def _summary(self) -> dict[str, Any]:
        keys = (
            "format",
            "version",
            "generator",
            "dialect",
            "weights",
            "inputs",
            "outputs",
            "metadata",
        )
        summary = {k: self.document[k] for k in keys}
        summary["weights_layout"] = getattr(self.load, "layout", WEIGHTS_LAYOUTS[0])
        summary["modules"] = {
            m["path"]: {k: modules.plain(v) for k, v in m["args"].items()}
            for m in self.document["modules"]
            if "program" not in m
        }
        summary["tensors"] = [
            {"name": t["name"], "path": t["path"], "transposed": i in self.transposed}
            for i, t in enumerate(self.document["tensors"])
        ]
        return summary

    def resolve(self, target: str) -> Callable[..., Any]:
        function = self.targets.get(target)
        if function is None:
            function = self.targets[target] = targets.resolve(
                target, self.document.get("torch_libraries", ())
            )
        return function

    def require_function(self, args: Sequence[Any]) -> None:
        targets.require_function(args[0] if args else None, self.document.get("torch_libraries", ()))

    def program(self, name: str) -> fx.GraphModule:
        if name not in self.built:
            self.built[name] = ProgramBuilder(self, self.programs[name]).build(single=False)
        return self.built[name]

    def tensor(self, index: int) -> torch.Tensor:
        """The tensor as the graph sees it: a Parameter or not, the same object at every use."""
        if index not in self.tensors:
            entry = self.document["tensors"][index]
            if index not in self.transposed:
                value = self.load(entry)
            elif isinstance(self.load, Weights):
                value = self.load.transposed(entry)
            else:
                value = contiguous_transpose(self.load(entry))
            if entry["role"] == "parameter":
                value = nn.Parameter(value, requires_grad=entry["requires_grad"])
            self.tensors[index] = value
        return self.tensors[index]

    def hold_tensor(self, owner: nn.Module, index: int) -> str:
        """Registers a tensor that a get_attr names; the path."""
        entry = self.document["tensors"][index]
        *containers, name = split_path(entry["path"])
        place, value = modules.container(owner, containers), self.tensor(index)
        if name in place._parameters or name in place._buffers or name in place.__dict__:
            return entry["path"]
        try:
            if isinstance(value, nn.Parameter):
                place.register_parameter(name, value)
            elif entry["role"] == "constant" and isinstance(place, modules.Holder) and self.lifts:
                place.hold(name, value)
            else:
                place.register_buffer(name, value, persistent=entry["role"] == "buffer")
        except KeyError as e:
            raise PackageError(
                f"tensor path {entry['path']!r}: torch.nn.Module uses this name"
            ) from e
        return entry["path"]

    def hold_module(self, owner: ConvertedModule, index: int) -> str:
        """Registers an nn module that a call_module names; the path."""
        entry = self.document["modules"][index]
        if index in self.blocks:
            return self._block(owner, index)
        if index not in self.modules:
            self.modules[index] = modules.nn_module(entry, self.tensor)
        *containers, name = split_path(entry["path"])
        modules.container(owner, containers).add_module(name, self.modules[index])
        return entry["path"]


    def _block(self, owner: ConvertedModule, index: int) -> str:
        entry = self.document["modules"][index]
        path, block = entry["path"], self.blocks[index]
        if owner.get_submodule(path) is not block:
            raise PackageError(f"block {path!r}: expected a call from the root or another block")
        if index in self.filling:
            raise PackageError(f"block {path!r}: it calls itself")
        if index not in self.filled:
            program = self.programs[entry["program"]]
            graph = self.filled[index] = ProgramBuilder(self, program, block, owner, path)
            self.filling.add(index)
            graph.fill(single=False)
            self.filling.remove(index)
        return path


def _held_beside_modules(document: Mapping[str, Any]) -> list[int]:
    """Tensors that modules use under other names than their own."""
    uses: dict[int, set[str]] = {}
    for m in document["modules"]:
        for u in m["tensors"]:
            uses.setdefault(u["tensor"], set()).add(f"{m['path']}.{u['attribute']}")
    return [i for i, paths in uses.items() if document["tensors"][i]["path"] not in paths]


def _may_be_strings(port: Mapping[str, Any]) -> bool:
    """A tensor of no dtype that torch has; a sequence or a map has no shape either."""
    return port.get("dtype") is None and port.get("shape") is not None


def check(document: Mapping[str, Any]) -> None:
    """Refuses a document of another format or of a newer major version."""
    if not isinstance(document, dict):
        raise PackageError(f"graph.json: expected an object, got {type(document).__name__}")
    if document.get("format") != FORMAT:
        raise PackageError(
            f"graph.json: format: expected {FORMAT!r}, got {document.get('format')!r}"
        )
    if str(document.get("version")).split(".")[0] != str(MAJOR):
        raise PackageError(
            f"graph.json: version: expected {MAJOR}.x, got {document.get('version')!r}; "
            "load it with the onnx_to_fx that wrote it, or convert the model again"
        )


def build(
    document: Mapping[str, Any],
    tensors: Callable[[Mapping[str, Any]], torch.Tensor],
    *,
    training: bool = False,
) -> fx.GraphModule:
    """The GraphModule of a document. `tensors` gives the value of an entry of document["tensors"].

    `training` is the mode that the module starts in; the ATen dialect has it in the graph itself.
    """
    check(document)
    baked = training if document["dialect"] == "aten" else None
    collecting = gc.isenabled()
    gc.disable()  # else one pass over all that torch imported: longer than the build itself
    try:
        with weightless.outside_fake_mode():
            module = DocumentBuilder(document, tensors, baked).build().train(training)
    finally:
        if collecting:
            gc.enable()
    if isinstance(tensors, Weights):
        tensors.describe(module)
    return module
