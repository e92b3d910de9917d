"""Small ONNX models."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def model(nodes, inputs, outputs, initializers=(), opset=21, **parts) -> onnx.ModelProto:
    """inputs, outputs: name -> shape, all float32 unless (dtype, shape)."""
    graph = helper.make_graph(
        list(nodes),
        "graph",
        [port(n, s) for n, s in inputs.items()],
        [port(n, s) for n, s in outputs.items()],
        [numpy_helper.from_array(v, n) for n, v in dict(initializers).items()],
    )
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("com.example", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10, **parts)


def port(name, shape):
    dtype, shape = shape if isinstance(shape, tuple) else (TensorProto.FLOAT, shape)
    return helper.make_tensor_value_info(name, dtype, shape)


def floats(*shape, seed=0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def mlp(hidden: int = 8) -> onnx.ModelProto:
    """Gemm, Relu, MatMul, Add with a dynamic batch."""
    nodes = [
        helper.make_node("Gemm", ["x", "w1", "b1"], ["h"], name="/fc1/Gemm", transB=1),
        helper.make_node("Relu", ["h"], ["r"], name="/relu"),
        helper.make_node("MatMul", ["r", "w2"], ["m"], name="/fc2/MatMul"),
        helper.make_node("Add", ["m", "b2"], ["y"], name="/fc2/Add"),
    ]
    weights = {
        "w1": floats(hidden, 4, seed=1),
        "b1": floats(hidden, seed=2),
        "w2": floats(hidden, 3, seed=3),
        "b2": floats(3, seed=4),
    }
    return model(nodes, {"x": ["batch", 4]}, {"y": ["batch", 3]}, weights)


def unknown_ops() -> onnx.ModelProto:
    nodes = [
        helper.make_node("Nonsense", ["x"], ["a"], name="first", domain="com.example"),
        helper.make_node("Nonsense", ["a"], ["b"], name="second", domain="com.example"),
        helper.make_node("Other", ["b"], ["y"], name="third", domain="com.example"),
    ]
    return model(nodes, {"x": [2]}, {"y": [2]})
