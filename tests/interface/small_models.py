"""Small ONNX models from text-like parts, and what other runtimes make of them."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

onnxruntime.set_default_logger_severity(4)


def floats(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def node(op, inputs, outputs, **attributes):
    return helper.make_node(op, inputs.split(","), outputs.split(","), **attributes)


def model(nodes, inputs, outputs, weights=(), opset=21):
    """inputs: name -> array, as an example; outputs: names, of a type left open; weights: name -> array."""
    ports = [
        helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape)
        for n, a in inputs.items()
    ]
    tensors = [numpy_helper.from_array(a, n) for n, a in dict(weights).items()]
    graph = helper.make_graph(
        nodes, "g", ports, [onnx.ValueInfoProto(name=n) for n in outputs], tensors
    )
    if opset < 9:  # IR 3: initializers are inputs as well
        graph.input.extend(
            helper.make_tensor_value_info(t.name, t.data_type, t.dims) for t in tensors
        )
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=3 if opset < 9 else 8
    )


def at_opset(proto, opset):
    copy = onnx.ModelProto()
    copy.CopyFrom(proto)
    copy.opset_import[0].version = opset
    return copy


def unchanged_since(proto):
    """The oldest opset at which the model's operators are what they are at its own."""
    newest = proto.opset_import[0].version
    return max(
        (onnx.defs.get_schema(n.op_type, newest, "").since_version for n in proto.graph.node),
        default=newest,
    )


def expected(proto, feeds):
    """What ONNX Runtime computes or, where it knows neither the opset nor an equal one, ONNX's reference."""
    for same in (proto, at_opset(proto, unchanged_since(proto))):
        try:
            typed = onnx.shape_inference.infer_shapes(same).SerializeToString()
            return onnxruntime.InferenceSession(typed, providers=["CPUExecutionProvider"]).run(
                None, feeds
            )
        except Exception:  # noqa: BLE001, S112 (its exceptions have no common base)
            continue
    return ReferenceEvaluator(proto).run(None, feeds)
