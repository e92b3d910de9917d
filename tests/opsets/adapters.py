"""Re-stamps a one-operator model with another opset, moving what the revisions say differently.

An operator's revisions mostly differ in the types that they take; where they differ in form (an attribute became an
input, a default was dropped) the known families are rewritten here. A model that cannot be said at the opset is None.
"""

from __future__ import annotations

from typing import Any, Sequence

import numpy as np
import onnx
from cases import runtime_inputs
from onnx import AttributeProto, TensorProto, helper, numpy_helper

# (operator, first opset with the inputs) -> input position -> attribute that said it before
_REDUCTIONS = ("L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "SumSquare")
_INPUT_SINCE: dict[str, tuple[int, dict[int, str]]] = {
    **{f"Reduce{name}": (18, {1: "axes"}) for name in _REDUCTIONS},
    "ReduceSum": (13, {1: "axes"}),
    "Squeeze": (13, {1: "axes"}),
    "Unsqueeze": (13, {1: "axes"}),
    "Split": (13, {1: "split"}),
    "Clip": (11, {1: "min", 2: "max"}),
    "Pad": (11, {1: "pads", 2: "value"}),
    "Slice": (10, {1: "starts", 2: "ends", 3: "axes"}),
    "TopK": (10, {1: "k"}),
    "Dropout": (12, {1: "ratio"}),
    "Upsample": (9, {1: "scales"}),
    "Reshape": (5, {1: "shape"}),
}
_UNIDIRECTIONAL = (
    "Add",
    "Sub",
    "Mul",
    "Div",
    "Pow",
    "And",
    "Or",
    "Xor",
    "Equal",
    "Less",
    "Greater",
    "Gemm",
)


def restamp(model: onnx.ModelProto, inputs: Sequence[Any], opset: int, domain: str):
    """(model, inputs) at the opset, or None; the inputs that became attributes are gone from both."""
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    for entry in changed.opset_import:
        if entry.domain == domain:
            source, entry.version = entry.version, opset
    if source == opset:
        return changed, list(inputs)
    values = dict(zip([i.name for i in runtime_inputs(changed)], inputs))
    for node in changed.graph.node:
        if node.domain == domain and not _adapt(changed.graph, node, values, source, opset):
            return None
    _drop_unused_inputs(changed.graph)
    if not _is_valid(changed, domain, opset):
        return None
    return changed, [values[i.name] for i in runtime_inputs(changed)]


def _adapt(graph, node, values, source: int, opset: int) -> bool:
    """Rewrites the node for the opset; whether that was possible."""
    first, moved = _INPUT_SINCE.get(node.op_type, (0, {}))
    if opset < first <= source and not _move_inputs(node, moved, values):
        return False
    if node.op_type == "Split" and opset < 18 <= source:
        _remove(node, "num_outputs")
    if node.op_type == "Slice" and opset < 10 <= source and not _steps_are_one(node, values):
        return False
    if node.op_type == "Dropout" and opset < 12 <= source and len(node.input) > 1:
        return False  # training mode
    if not _legacy(graph, node, source, opset):
        return False
    return _fit_attributes(node, source, opset)


def _move_inputs(node, moved: dict[int, str], values) -> bool:
    for position in sorted(moved, reverse=True):
        if position >= len(node.input):
            continue
        name = node.input[position]
        node.input[position] = ""
        if not name:
            continue
        if values.get(name) is None:
            return False
        array = _array(values[name])
        scalar = moved[position] in ("min", "max", "value", "k", "ratio")
        if array.size == 0:
            continue  # an empty list and none mean the same there
        value = array.reshape(-1)[0].item() if scalar else array.tolist()
        if moved[position] in ("min", "max", "value", "ratio"):
            value = float(value)
        node.attribute.append(helper.make_attribute(moved[position], value))
    while node.input and not node.input[-1]:
        del node.input[-1]
    return True


def _steps_are_one(node, values) -> bool:
    if len(node.input) <= 4:
        steps = True
    else:
        steps = bool((_array(values[node.input[4]]) == 1).all())
    del node.input[1:]
    return steps


def _legacy(graph, node, source: int, opset: int) -> bool:
    """What the first opsets say differently."""
    if opset < 7 <= source and node.op_type in _UNIDIRECTIONAL:
        return _broadcast(graph, node)
    if opset < 7 <= source and node.op_type == "PRelu":
        shapes = {i.name: [d.dim_value for d in i.type.tensor_type.shape.dim] for i in graph.input}
        return shapes[node.input[1]] in ([1], shapes[node.input[0]][1:2])
    if opset < 6 <= source and node.op_type == "Cast":
        to = _attribute(node, "to")
        _remove(node, "to")
        node.attribute.append(helper.make_attribute("to", TensorProto.DataType.Name(to.i)))
    if opset < 6 <= source and node.op_type == "Tile":
        return False
    if opset < 2 <= source and node.op_type == "Pad":
        for a in node.attribute:
            a.name = "paddings" if a.name == "pads" else a.name
    if opset < 9 <= source and node.op_type == "BatchNormalization":
        if opset < 7:
            node.attribute.append(helper.make_attribute("is_test", 1))
        if opset < 6:
            node.attribute.append(helper.make_attribute("consumed_inputs", [0, 0, 0, 1, 1]))
        return len(node.output) == 1
    if opset < 7 <= source and node.op_type in ("GRU", "LSTM", "RNN"):
        node.attribute.append(helper.make_attribute("output_sequence", 1))
    if opset < 7 <= source and node.op_type == "Dropout":
        node.attribute.append(helper.make_attribute("is_test", 1))
    if opset < 7 <= source and node.op_type == "Upsample":
        return _scales_by_name(node)
    if opset < 4 and node.op_type == "Concat" and _attribute(node, "axis") is None:
        return False
    return True


def _scales_by_name(node) -> bool:
    scales = list(_attribute(node, "scales").floats)
    _remove(node, "scales")
    if len(scales) != 4 or scales[:2] != [1, 1]:
        return False
    node.attribute.append(helper.make_attribute("height_scale", scales[2]))
    node.attribute.append(helper.make_attribute("width_scale", scales[3]))
    return True


def _broadcast(graph, node) -> bool:
    """Before opset 7 the last operand broadcasts, aligned at the right, where the node says so."""
    shapes = {i.name: [d.dim_value for d in i.type.tensor_type.shape.dim] for i in graph.input}
    if any(name not in shapes for name in node.input):
        return False
    last = shapes[node.input[-1]]
    if node.op_type == "Gemm":
        out = [d.dim_value for d in graph.output[0].type.tensor_type.shape.dim]
        if len(node.input) != 3:
            return False
    else:
        out = shapes[node.input[0]]
    if last == out:
        return True
    if last and last != out[len(out) - len(last) :] and node.op_type != "Gemm":
        return False
    node.attribute.append(helper.make_attribute("broadcast", 1))
    return True


def _fit_attributes(node, source: int, opset: int) -> bool:
    """Drops what the older revision lacks where it says the default, and converts int to float and back."""
    try:
        old = onnx.defs.get_schema(node.op_type, opset, node.domain)
        new = onnx.defs.get_schema(node.op_type, source, node.domain)
    except onnx.defs.SchemaError:
        return False
    for a in list(node.attribute):
        if a.name not in old.attributes:
            if a.name not in new.attributes or not _is_default(a, new.attributes[a.name]):
                return False
            node.attribute.remove(a)
            continue
        wanted = old.attributes[a.name].type.value
        if a.type == AttributeProto.INT and wanted == AttributeProto.FLOAT:
            a.f, a.type = float(a.i), AttributeProto.FLOAT
            a.ClearField("i")
    return True


def _is_default(attribute: AttributeProto, formal) -> bool:
    if formal.default_value.type == AttributeProto.UNDEFINED:
        return False
    return helper.get_attribute_value(attribute) == helper.get_attribute_value(formal.default_value)


def _is_valid(model: onnx.ModelProto, domain: str, opset: int) -> bool:
    types = {v.name: _type_text(v.type) for v in [*model.graph.input, *model.graph.output]}
    for node in model.graph.node:
        if node.domain != domain:
            continue
        schema = onnx.defs.get_schema(node.op_type, opset, domain)
        if schema.deprecated:
            return False
        for names, formals in ((node.input, schema.inputs), (node.output, schema.outputs)):
            if not all(_fits(formals, i, types.get(n)) for i, n in enumerate(names) if n):
                return False
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError):
        return False
    return True


def _fits(formals, index: int, text: str | None) -> bool:
    if not formals:
        return False
    formal = formals[min(index, len(formals) - 1)]
    if index >= len(formals) and formal.option != onnx.defs.OpSchema.FormalParameterOption.Variadic:
        return False
    return text is None or text in formal.types


def _type_text(proto: onnx.TypeProto) -> str | None:
    if proto.HasField("tensor_type"):
        return f"tensor({TensorProto.DataType.Name(proto.tensor_type.elem_type).lower()})"
    if proto.HasField("sequence_type"):
        return f"seq({_type_text(proto.sequence_type.elem_type)})"
    if proto.HasField("optional_type"):
        return f"optional({_type_text(proto.optional_type.elem_type)})"
    return None


def _drop_unused_inputs(graph) -> None:
    used = {name for node in graph.node for name in node.input}
    subgraphs = any(a.HasField("g") for node in graph.node for a in node.attribute)
    kept = [i for i in graph.input if subgraphs or i.name in used]
    del graph.input[:]
    graph.input.extend(kept)


def _array(value: Any) -> np.ndarray:
    return numpy_helper.to_array(value) if isinstance(value, TensorProto) else np.asarray(value)


def _attribute(node, name: str):
    return next((a for a in node.attribute if a.name == name), None)


def _remove(node, name: str) -> None:
    attribute = _attribute(node, name)
    if attribute is not None:
        node.attribute.remove(attribute)
