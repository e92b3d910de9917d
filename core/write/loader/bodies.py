"""Bodies of torch's higher-order operators, which must not return what they were given, or one thing twice."""

from __future__ import annotations

import torch
from torch import fx

_ORIGIN = ("onnx", "stack_trace", "custom", "onnx_type")
_IDENTITIES = ("aten::dropout", "aten::alpha_dropout", "aten::feature_dropout", "aten::feature_alpha_dropout")
"""Return their input where they are not training, and do not say so."""


def _is_fresh(node: fx.Node) -> bool:
    """Whether its result is a tensor of its own, by what the schema of the operator says."""
    if not isinstance(node.target, torch._ops.OpOverload):
        return False
    schema = node.target._schema
    return schema.name not in _IDENTITIES and all(r.alias_info is None for r in schema.returns)


def own_results(body: fx.GraphModule) -> None:
    """Clones the results that may share memory with an operand or with another result."""
    output = body.graph.output_node()
    seen: set[fx.Node] = set()

    def owned(result: fx.Node) -> fx.Node:
        if _is_fresh(result) and result not in seen:
            seen.add(result)
            return result
        with body.graph.inserting_before(output):
            clone = body.graph.call_function(torch.ops.aten.clone.default, (result,))
        clone.meta.update((k, result.meta[k]) for k in _ORIGIN if k in result.meta)
        return clone

    results = fx.node.map_arg(output.args[0], owned)
    if results != output.args[0]:
        output.args = (results,)
        body.recompile()
