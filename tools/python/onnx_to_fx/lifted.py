"""A converted module as an ExportedProgram, without tracing it."""

from __future__ import annotations

import operator
import types
from typing import Any

import torch
from torch import fx, nn
from torch._export.verifier import TrainingIRVerifier
from torch.export import ExportedProgram
from torch.export.exported_program import ModuleCallEntry, ModuleCallSignature
from torch.export.graph_signature import (
    ExportGraphSignature,
    InputKind,
    InputSpec,
    OutputKind,
    OutputSpec,
    TensorArgument,
)
from torch.utils import _pytree as pytree

from .loader.converted import place
from .loader.modules import is_transient
from .loader.weightless import example_inputs
from .values import Bounds, fill_values


def lift(module: fx.GraphModule, *, min: Bounds = None, max: Bounds = None) -> ExportedProgram:
    """The flat form, which compilers take: the graph as it stands, its weights as inputs.

    What torch.export.export(module, ...) gives, without running it; `module` stays as it is, the program shares its
    tensors. The signature says which input is which weight; every node has node.meta["val"].

    Args:
      module: of the dialect "aten".
      min, max: bounds of symbolic dimensions, as dynamic_shapes takes them.
    Raises:
      ValueError: the module is of the nn dialect, or holds what no ExportedProgram does: strings, sequences, a loop
        that only Python runs, or a call that writes to a tensor.
    """
    summary = module.meta.get("onnx2fx", {})
    if summary.get("dialect") != "aten":
        raise ValueError(
            f"module: expected one of the dialect 'aten', got {summary.get('dialect')!r}; "
            "convert with dialect='aten'"
        )
    for part in module.modules():
        if isinstance(part, fx.GraphModule):
            _require_exportable(part)
    mode = fill_values(module, min=min, max=max)
    env: Any = mode.shape_env
    flat = _Flat(module)
    inputs = example_inputs(module)
    return ExportedProgram(
        flat.bodies,
        flat.graph,
        ExportGraphSignature(flat.inputs, flat.outputs),
        flat.state,
        dict(env.var_to_range),
        [ModuleCallEntry("", _signature(module, inputs))],
        (inputs, {}),
        flat.constants,
        verifiers=[TrainingIRVerifier],
    )


class _Flat:
    """A graph whose tensors are inputs, ahead of its own; and what these are."""

    def __init__(self, module: fx.GraphModule) -> None:
        self.module, self.graph = module, fx.Graph()
        self.kept = module.meta["onnx2fx"].get("constants", {})  # of a module without weights
        self.inputs: list[InputSpec] = []
        self.outputs: list[OutputSpec] = []
        self.state: dict[str, torch.Tensor] = {}
        self.constants: dict[str, Any] = {}
        self.bodies: dict[str, nn.Module] = {}
        self.copies: dict[fx.Node, Any] = {}
        tensors = [n for n in module.graph.nodes if n.op == "get_attr"]
        for kind in _PREFIXES:
            for node in tensors:
                self._take(node, kind)
        for node in module.graph.nodes:
            if node not in self.copies:
                self._copy(node)

    def _take(self, node: fx.Node, wanted: InputKind) -> None:
        value, path = node.meta["val"], str(node.target)
        kind = _kind(self.module, path) if isinstance(value, torch.Tensor) else None
        if kind is not wanted:
            return
        name = _PREFIXES[kind] + path.replace(".", "_")
        copy = self.copies[node] = self.graph.create_node("placeholder", name, name=name)
        copy.meta = dict(node.meta)
        persistent = True if kind is InputKind.BUFFER else None
        self.inputs.append(InputSpec(kind, TensorArgument(copy.name), path, persistent))
        held = self.constants if kind is InputKind.CONSTANT_TENSOR else self.state
        held[path] = self.kept.get(path, operator.attrgetter(path)(self.module))

    def _copy(self, node: fx.Node) -> None:
        if node.op == "output":
            return self._return(node)
        if node.target is getattr:  # the device of a tensor
            self.copies[node] = node.meta["val"]
            return
        copy = self.copies[node] = self.graph.node_copy(node, self.copies.__getitem__)
        if node.op == "placeholder":
            self.inputs.append(InputSpec(InputKind.USER_INPUT, TensorArgument(copy.name), None))
        elif node.op == "get_attr":
            name = str(node.target)
            self.bodies[name] = _body(getattr(self.module, name))

    def _return(self, node: fx.Node) -> None:
        results = pytree.tree_leaves(fx.map_arg(node.args[0], self.copies.__getitem__))
        self.graph.output(tuple(results))
        for result in results:
            self.outputs.append(OutputSpec(OutputKind.USER_OUTPUT, TensorArgument(result.name), None))


_PREFIXES = {InputKind.PARAMETER: "p_", InputKind.BUFFER: "b_", InputKind.CONSTANT_TENSOR: "c_"}


def _signature(module: fx.GraphModule, inputs: tuple[torch.Tensor, ...]) -> ModuleCallSignature:
    """How the module is called."""
    (output,) = module.graph.find_nodes(op="output")
    return ModuleCallSignature(
        inputs=[],
        outputs=[],
        in_spec=pytree.tree_structure((inputs, {})),
        out_spec=pytree.tree_structure(output.meta["val"]),
        forward_arg_names=[n.name for n in module.graph.find_nodes(op="placeholder")],
    )


def _kind(module: fx.GraphModule, path: str) -> InputKind:
    owner, _, name = path.rpartition(".")
    holder = module.get_submodule(owner)
    if name in holder._parameters:
        return InputKind.PARAMETER
    return InputKind.CONSTANT_TENSOR if is_transient(holder, name) else InputKind.BUFFER


def _body(module: fx.GraphModule) -> fx.GraphModule:
    """Of a higher-order operator: no device is asked for here either."""
    graph = fx.Graph()
    copies: dict[fx.Node, Any] = {}
    for node in module.graph.nodes:
        copies[node] = node.meta["val"] if node.target is getattr else graph.node_copy(node, copies.__getitem__)
    children = {n: _body(m) for n, m in module.named_children() if isinstance(m, fx.GraphModule)}
    return fx.GraphModule(children, graph)


def _require_exportable(module: fx.GraphModule) -> None:
    for node in module.graph.nodes:
        if isinstance(node.target, types.FunctionType) and node.target.__module__ != "torch":
            raise ValueError(
                f"{place(node.meta['onnx'])}: expected operators of torch, got {node.target.__name__}, "
                "a function of onnx_to_fx that no ExportedProgram holds"
            )
