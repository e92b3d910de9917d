"""The graph of a module without its blocks."""

from __future__ import annotations

import copy
import operator
from typing import Any

from torch import fx

from .loader.converted import ConvertedModule, another
from .loader.program import Tracer


def flatten(module: fx.GraphModule) -> fx.GraphModule:
    """The same module as one graph: what its blocks compute stands where they were called.

    For tools that read ``module.graph`` and look into no child. Both share every submodule, parameter and
    buffer, under the same paths; `module` is left as it is.
    """
    if not isinstance(module, ConvertedModule):
        raise TypeError(f"module: expected one that onnx_to_fx made, got {type(module).__name__}")
    graph = fx.Graph(tracer_cls=Tracer)
    graph.output(_inline(module, "", graph, {}))
    flat = another(module)
    flat.__dict__.update((k, copy.copy(v)) for k, v in module.__dict__.items() if k != "_graph")
    flat.graph = graph
    return flat


def _inline(
    module: fx.GraphModule, prefix: str, graph: fx.Graph, values: dict[fx.Node, Any]
) -> Any:
    """Copies the nodes of a module that lies at `prefix`, but those that `values` has; what it returns."""
    arguments = lambda node: fx.node.map_arg((node.args, node.kwargs), lambda n: values[n])  # noqa: E731
    for node in module.graph.nodes:
        if node in values:
            continue
        if node.op == "output":
            return arguments(node)[0][0]
        block = module.get_submodule(node.target) if node.op == "call_module" else None
        if isinstance(block, ConvertedModule):
            inputs = (n for n in block.graph.nodes if n.op == "placeholder")
            inside = dict(zip(inputs, arguments(node)[0]))
            values[node] = _inline(block, f"{prefix}{node.target}.", graph, inside)
        elif node.target is operator.getitem and isinstance(values[node.args[0]], tuple):
            values[node] = values[node.args[0]][node.args[1]]
        else:
            values[node] = copied = graph.node_copy(node, lambda n: values[n])
            if node.op in ("call_module", "get_attr"):
                copied.target = prefix + str(node.target)
    raise AssertionError("a graph ends with its output")
