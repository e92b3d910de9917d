"""Builds a torch.fx.GraphModule from a graph.json document and its weights.

Needs torch only: a copy lies in every FX package, as ``_loader``, with ``_leaves``,
``_random_leaves``, ``_targets`` and ``_weights`` beside it.
"""

from __future__ import annotations

import functools
import gc
import importlib
import json
import os
from typing import Any, Callable, Mapping, Sequence

import torch
from torch import fx, nn


def _sibling(name: str) -> Any:
    return importlib.import_module(__name__.removesuffix("loader") + name)


_targets = _sibling("targets")
_weights, _weightless = _sibling("weights"), _sibling("weightless")
PackageError, Weights = _targets.PackageError, _weights.Weights
dtype_of, identifier, named = _targets.dtype_of, _targets.identifier, _targets.named
split_path = _targets.split_path

FORMAT, MAJOR = "onnx2fx.graph", 1


class Mode(nn.Module):
    """Tells the graph whether the module is in train(): FX has no other way to say it."""

    def forward(self) -> bool:
        return self.training


class _GraphBuilder:
    """One program: fills an fx.Graph and notes what its GraphModule must hold."""

    def __init__(self, builder: _Builder, program: Mapping[str, Any]) -> None:
        self.builder, self.program = builder, program
        self.graph = fx.Graph()
        self.env: dict[str, fx.Node] = {}
        self.shared: dict[tuple[str, str], fx.Node] = {}  # nodes that stand once for many uses
        self.module = fx.GraphModule(nn.Module(), fx.Graph(), program["name"])

    def build(self, single: bool) -> fx.GraphModule:
        make = {
            "placeholder": self._placeholder,
            "get_attr": self._get_attr,
            "call_function": self._call_function,
            "call_module": self._call_module,
        }
        *nodes, output = self.program["nodes"]
        for n in nodes:
            try:
                node = make[n["op"]](n)
            except (KeyError, TypeError, PackageError) as e:
                where = f"program {self.program['name']!r}: node {n.get('name')!r}"
                raise PackageError(
                    f"{where}: {type(e).__name__ if isinstance(e, KeyError) else ''}{e}"
                ) from e
            self._describe(node, n)
            self.env[n["name"]] = node
        self._output(output, single)
        self.module.graph = self.graph
        return self.module

    def _describe(self, node: fx.Node, n: Mapping[str, Any]) -> None:
        meta = node.meta
        if "onnx" in n:
            meta["onnx"] = self.builder.document["provenance"][n["onnx"]]
        if "meta" in n:
            meta["onnx2fx"] = {k: self.argument(v) for k, v in n["meta"].items()}
        if "type" in n:
            meta["onnx_type"] = n["type"]

    def _placeholder(self, n: Mapping[str, Any]) -> fx.Node:
        return self.graph.create_node("placeholder", identifier(n["name"]), name=n["name"])

    def _get_attr(self, n: Mapping[str, Any]) -> fx.Node:
        path = self.builder.hold_tensor(self.module, n["tensor"])
        return self.graph.create_node("get_attr", path, name=n["name"])

    def _call_module(self, n: Mapping[str, Any]) -> fx.Node:
        path = self.builder.hold_module(self.module, n["module"])
        return self.graph.create_node(
            "call_module", path, tuple(self._list(n["args"])), self._kwargs(n), name=n["name"]
        )

    def _call_function(self, n: Mapping[str, Any]) -> fx.Node:
        target = n["target"]
        args = tuple(self._list(n["args"]))
        if target.startswith("higher_order::"):
            args = tuple(tuple(a) if isinstance(a, list) else a for a in args)
        function = self.builder.resolve(target)
        return self.graph.create_node(
            "call_function", function, args, self._kwargs(n), name=n["name"]
        )

    def _output(self, n: Mapping[str, Any], single: bool) -> None:
        # a list: all results, or the one result, which is a sequence
        results = n["args"][0]
        if not isinstance(results, list):
            value = self._list([results])[0]
        else:
            value = self._list(results) if single else tuple(self._list(results))
        self.graph.create_node("output", "output", (value,))

    def _kwargs(self, n: Mapping[str, Any]) -> dict[str, Any]:
        kwargs = n.get("kwargs")
        return {identifier(k): self.argument(v) for k, v in kwargs.items()} if kwargs else {}

    def _list(self, items: Sequence[Any]) -> list[Any]:
        env, argument = self.env, self.argument
        return [env[a["node"]] if type(a) is dict and "node" in a else argument(a) for a in items]

    def argument(self, a: Any) -> Any:
        if isinstance(a, list):
            return self._list(a)
        if not isinstance(a, dict):
            return a
        if len(a) != 1:
            raise PackageError(f"argument: expected one key, got {sorted(a)}")
        ((kind, value),) = a.items()
        make = self._ARGUMENTS.get(kind)
        if make is None:
            raise PackageError(f"argument: expected a kind that this loader knows, got {kind!r}")
        return make(self, value)

    def _program(self, name: str) -> fx.Node:
        return self._once("program", name, lambda: self._new_program(name))

    def _new_program(self, name: str) -> fx.Node:
        self.module.add_module(identifier(name), self.builder.program(name))
        return self.graph.create_node("get_attr", name, name=name)

    def _training(self, _: bool) -> fx.Node | bool:
        if self.builder.training is not None:
            return self.builder.training
        return self._once("training", "", self._new_mode)

    def _new_mode(self) -> fx.Node:
        name = self.builder.mode_name
        self.module.add_module(name, Mode())
        return self.graph.create_node("call_module", name, name=name)

    def _device_of(self, name: str) -> fx.Node:
        make = lambda: self.graph.create_node(  # noqa: E731
            "call_function", getattr, (self.env[name], "device"), name=name + "_device"
        )
        return self._once("device", name, make)

    def _once(self, kind: str, name: str, make: Callable[[], fx.Node]) -> fx.Node:
        if (kind, name) not in self.shared:
            self.shared[kind, name] = make()
        return self.shared[kind, name]

    _ARGUMENTS: dict[str, Callable[[_GraphBuilder, Any], Any]] = {
        "node": lambda self, v: self.env[v],
        "program": _program,
        "float": lambda _, v: float(v),
        "dtype": lambda _, v: dtype_of(v),
        "device": lambda _, v: torch.device(v),
        "layout": lambda _, v: named("layout", v, _targets.LAYOUTS, torch),
        "memory_format": lambda _, v: named("memory_format", v, _targets.MEMORY_FORMATS, torch),
        "training": _training,
        "device_of": _device_of,
    }


class _Builder:
    """One document: builds each program once and owns the tensors and nn modules."""

    def __init__(
        self,
        document: Mapping[str, Any],
        tensors: Callable[[Mapping[str, Any]], torch.Tensor],
        training: bool | None,
    ) -> None:
        self.document, self.load = document, tensors
        self.training = training
        self.programs = {p["name"]: p for p in document["programs"]}
        self.built: dict[str, fx.GraphModule] = {}
        self.tensors: dict[int, torch.Tensor] = {}
        self.modules: dict[int, nn.Module] = {}
        self.targets: dict[str, Callable[..., Any]] = {}
        self.transposed = _weights.transposed_tensors(document)
        taken = {split_path(e["path"])[0] for e in (*document["tensors"], *document["modules"])}
        taken |= self.programs.keys()
        self.mode_name = "training_mode"
        while self.mode_name in taken:
            self.mode_name += "_"

    def build(self) -> fx.GraphModule:
        root = _GraphBuilder(self, self.document["programs"][0])
        module = root.build(single=len(self.document["outputs"]) == 1)
        module.meta["onnx2fx"] = self._summary()
        module.register_load_state_dict_pre_hook(_weightless.keep_tied)
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
        summary["tensors"] = [
            {"name": t["name"], "path": t["path"], "transposed": i in self.transposed}
            for i, t in enumerate(self.document["tensors"])
        ]
        return summary

    def resolve(self, target: str) -> Callable[..., Any]:
        function = self.targets.get(target)
        if function is None:
            function = self.targets[target] = _targets.resolve(target)
        return function

    def program(self, name: str) -> fx.GraphModule:
        if name not in self.built:
            self.built[name] = _GraphBuilder(self, self.programs[name]).build(single=False)
        return self.built[name]

    def tensor(self, index: int) -> torch.Tensor:
        """The tensor as the graph sees it: a Parameter or not, the same object at every use."""
        if index not in self.tensors:
            entry = self.document["tensors"][index]
            value = self.load(entry)
            if index in self.transposed:
                value = value.t()
                if _weightless.is_absent(value):
                    value = value.contiguous()  # fully_shard takes no other
            if entry["role"] == "parameter":
                value = nn.Parameter(value, requires_grad=entry["requires_grad"])
            self.tensors[index] = value
        return self.tensors[index]

    def hold_tensor(self, owner: nn.Module, index: int) -> str:
        """Registers a tensor that a get_attr names; the path."""
        entry = self.document["tensors"][index]
        *containers, name = split_path(entry["path"])
        place, value = _container(owner, containers), self.tensor(index)
        if name in place._parameters or name in place._buffers:
            return entry["path"]
        try:
            if isinstance(value, nn.Parameter):
                place.register_parameter(name, value)
            else:
                place.register_buffer(name, value, persistent=entry["role"] == "buffer")
        except KeyError as e:
            raise PackageError(
                f"tensor path {entry['path']!r}: torch.nn.Module uses this name"
            ) from e
        return entry["path"]

    def hold_module(self, owner: nn.Module, index: int) -> str:
        """Registers an nn module that a call_module names; the path."""
        entry = self.document["modules"][index]
        if index not in self.modules:
            self.modules[index] = self._nn_module(entry)
        *containers, name = split_path(entry["path"])
        _container(owner, containers).add_module(name, self.modules[index])
        return entry["path"]

    def _nn_module(self, entry: Mapping[str, Any]) -> nn.Module:
        cls = named("module type", entry["type"], _targets.MODULES, nn)
        arguments = {identifier(k): _plain(v) for k, v in entry["args"].items()}
        if not entry["tensors"]:
            return cls(**arguments)
        module = _uninitialised(cls)(**arguments, device="meta")
        module.__class__ = cls
        missing = {n for n, _ in (*module.named_parameters(), *module.named_buffers())}
        for use in entry["tensors"]:
            _assign(module, use["attribute"], self.tensor(use["tensor"]), entry)
            missing.discard(use["attribute"])
        if "num_batches_tracked" in missing:
            missing.discard("num_batches_tracked")
            first = self.tensor(entry["tensors"][0]["tensor"])
            module.num_batches_tracked = first.detach().new_zeros((), dtype=torch.int64)
        if missing:
            raise PackageError(f"module {entry['path']!r}: no tensor for {sorted(missing)}")
        return module


@functools.cache
def _uninitialised(cls: type[nn.Module]) -> type[nn.Module]:
    """The class without the initialisation of its weights, which costs most of the construction."""
    return type(cls.__name__, (cls,), {"reset_parameters": lambda self: None})


def _plain(a: Any) -> Any:
    """An argument without nodes."""
    if isinstance(a, list):
        return [_plain(x) for x in a]
    if isinstance(a, dict):
        ((kind, value),) = a.items()
        return {"float": float, "dtype": dtype_of}[kind](value)
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


def _container(owner: nn.Module, names: Sequence[str]) -> nn.Module:
    for name in names:
        child = owner._modules.get(name)
        if child is None:
            if hasattr(owner, name):
                raise PackageError(f"path component {name!r}: torch.nn.Module uses this name")
            child = owner._modules[name] = nn.Module()
        owner = child
    return owner


def check(document: Mapping[str, Any]) -> None:
    """Refuses a document of another format or of a newer major version."""
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
        with _weightless.outside_fake_mode():
            module = _Builder(document, tensors, baked).build().train(training)
    finally:
        if collecting:
            gc.enable()
    if isinstance(tensors, Weights):
        tensors.describe(module)
    return module


def _source_path(folder: str, source: Mapping[str, Any]) -> str:
    path = os.path.normpath(os.path.join(folder, source.get("relative") or source["path"]))
    return path if os.path.exists(path) else source["path"]


def load(
    folder: str | os.PathLike[str], *, weights: str | None = None, training: bool = False
) -> fx.GraphModule:
    """The GraphModule of an FX package. `weights`: None as stored, else "meta", "fake", "random"."""
    document, files, stored = read_document(folder)
    with Weights(document, files, safetensors=stored, mode=weights) as tensors:
        return build(document, tensors, training=training)


def read_document(folder: str | os.PathLike[str]) -> tuple[dict[str, Any], list[str], str | None]:
    """graph.json of a package, the paths of its sources, and weights.safetensors if it has one."""
    folder = os.fspath(folder)
    with open(os.path.join(folder, "graph.json"), "rb") as f:
        document = json.load(f)
    check(document)
    stored = os.path.join(folder, "weights.safetensors")
    files = [_source_path(folder, s) for s in document["sources"]]
    return document, files, stored if os.path.exists(stored) else None
