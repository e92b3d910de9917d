"""What torch's higher-order operators ask of a graph: operands and results that share no memory with each other."""

from __future__ import annotations

import operator
from typing import Any

import torch
from torch import fx

from .converted import SOURCE

_IDENTITIES = ("aten::dropout", "aten::alpha_dropout", "aten::feature_dropout", "aten::feature_alpha_dropout")
"""Return their input where they are not training, and do not say so."""


def _is_fresh(node: fx.Node) -> bool:
    """Whether its result is a tensor of its own, by what the schema of the operator says."""
    if not isinstance(node.target, torch._ops.OpOverload):
        return False
    schema = node.target._schema
    return schema.name not in _IDENTITIES and all(r.alias_info is None for r in schema.returns)


def _owner(node: fx.Node) -> fx.Node:
    """The node whose result this one is a view of, as far as schemas tell; often itself."""
    while node.op == "call_function" and node.all_input_nodes:
        source = node.all_input_nodes[0]
        maker = source if node.target is operator.getitem else node
        if _is_fresh(maker) or not isinstance(maker.target, torch._ops.OpOverload):
            break
        node = source
    return node


def _clone(node: fx.Node) -> fx.Node:
    clone = node.graph.call_function(torch.ops.aten.clone.default, (node,))
    clone.meta.update((k, node.meta[k]) for k in SOURCE if k in node.meta)
    return clone


def apart(args: Any) -> Any:
    """Arguments of a call that is about to be added to their graph: of one owner's views the second is cloned."""
    seen: set[fx.Node] = set()

    def one(node: fx.Node) -> fx.Node:
        owner = _owner(node)
        if owner in seen:
            return _clone(node)
        seen.add(owner)
        return node

    return fx.node.map_arg(args, one)


def own_results(body: fx.GraphModule) -> None:
    """Clones the results that may share memory with an operand or with another result."""
    output = body.graph.output_node()
    seen: set[fx.Node] = set()

    def owned(result: fx.Node) -> fx.Node:
        if _is_fresh(result) and result not in seen:
            seen.add(result)
            return result
        with body.graph.inserting_before(output):
            return _clone(result)

    results = fx.node.map_arg(output.args[0], owned)
    if results != output.args[0]:
        output.args = (results,)
        body.recompile()
