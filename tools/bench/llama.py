"""A Llama of any size, node by node as PyTorch's dynamo exporter writes it, its weights in one file beside it.

    python tools/bench/llama.py GIGABYTES FILE.onnx [LAYERS]

Every size has the same graph; the width makes the difference. The values are one random block again and again, and
all of them are on the disk.
"""

from __future__ import annotations

import collections
import math
import os
import pathlib
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

VOCABULARY, HEAD, KEY_HEADS, PAGE = 32000, 64, 4, 4096
WIDE = KEY_HEADS * HEAD


def width_of(gigabytes: float, layers: int) -> int:
    """The width, a multiple of all key heads, that makes a float32 model of about that size."""
    square, once = layers * (2 + 3 * 11 / 4), 2 * VOCABULARY + layers * 2 * WIDE
    width = (math.sqrt(once**2 + square * gigabytes * 1e9) - once) / (2 * square)
    return max(1, round(width / WIDE)) * WIDE


class Graph:
    """Nodes and weights, named as the exporter names them: linear, linear_1, ..."""

    def __init__(self) -> None:
        self.nodes, self.constants, self.weights = [], [], {}
        self.used = collections.Counter()

    def unique(self, base: str) -> str:
        self.used[base] += 1
        return base if self.used[base] == 1 else f"{base}_{self.used[base] - 1}"

    def __call__(self, name: str, operator: str, *inputs: str, **attributes) -> str:
        output = self.unique(name)
        self.nodes.append(helper.make_node(operator, inputs, [output], f"node_{output}", **attributes))
        return output

    def constant(self, value, dtype=np.int64) -> str:
        name = self.unique("val")
        self.constants.append(numpy_helper.from_array(np.array(value, dtype), name))
        return name

    def weight(self, name: str, *shape: int) -> str:
        self.weights[name] = shape
        return name

    def linear(self, x: str, inputs: int, outputs: int) -> str:
        """The exporter folds the transposition, and with it the weight's name goes."""
        return self("linear", "MatMul", x, self.weight(self.unique("val"), inputs, outputs))


def llama(width: int, layers: int) -> Graph:
    g = Graph()
    one, last, far = g.constant([1]), g.constant([-1]), g.constant([2**63 - 1])
    zero, half, axis, two, head = (g.constant([n]) for n in (0, HEAD // 2, 3, 2, HEAD))
    square, epsilon, scale = (g.constant(x, np.float32) for x in (2, 1e-5, math.sqrt(HEAD)))
    heads, all_heads = g.constant([1, 1, width // WIDE, 1, 1]), g.constant([width // HEAD])
    batch = g("val", "Shape", "input_ids", start=0, end=1)
    length = g("val", "Shape", "input_ids", start=1, end=2)
    size = g("sym_size_int", "Squeeze", length)
    steps = g("arange", "Range", g.constant(0), size, g.constant(1))
    steps = g("convert_element_type_default", "Cast", g("unsqueeze", "Unsqueeze", steps, one), to=TensorProto.FLOAT)
    frequencies = g.constant(10000.0 ** -(np.arange(0, HEAD, 2) / HEAD), np.float32)
    angles = g("mul", "Mul", steps, frequencies)
    angles = g("cat", "Concat", angles, angles, axis=-1)
    cos, sin = g("cos", "Cos", angles), g("sin", "Sin", angles)
    mask = g("full", "Expand", g.constant(-np.inf, np.float32), g("val", "Concat", length, length, axis=0))
    mask = g("triu", "Trilu", mask, g.constant(1), upper=1)
    split = g("val", "Concat", batch, length, last, head, axis=0)
    joined = g("val", "Concat", batch, length, g.constant([width]), axis=0)
    repeated = g("val", "Concat", batch, all_heads, length, head, axis=0)

    def norm(x: str, name: str) -> str:
        mean = g("mean", "ReduceMean", g("pow", "Pow", x, square), last, keepdims=1, noop_with_empty_axes=0)
        root = g("rsqrt", "Reciprocal", g("val", "Sqrt", g("add", "Add", mean, epsilon)))
        return g("mul", "Mul", g.weight(f"{name}.weight", width), g("mul", "Mul", x, root))

    def per_head(x: str, outputs: int) -> str:
        view = g("view", "Reshape", g.linear(x, width, outputs), split, allowzero=1)
        return g("transpose", "Transpose", view, perm=[0, 2, 1, 3])

    def rotated(x: str) -> str:
        second = g("neg", "Neg", g("slice", "Slice", x, half, far, axis, one))
        turned = g("cat", "Concat", second, g("slice", "Slice", x, zero, half, axis, one), axis=-1)
        return g("add", "Add", g("mul", "Mul", x, cos), g("mul", "Mul", turned, sin))

    def every_head(x: str) -> str:
        wide = g("expand", "Expand", g("unsqueeze", "Unsqueeze", x, two), heads)
        return g("_unsafe_view", "Reshape", wide, repeated, allowzero=1)

    def attention(x: str) -> str:
        q, k, v = per_head(x, width), per_head(x, WIDE), per_head(x, WIDE)
        q, k, v = rotated(q), every_head(rotated(k)), every_head(v)
        scores = g("matmul", "MatMul", q, g("transpose", "Transpose", k, perm=[0, 1, 3, 2]))
        scores = g("add", "Add", g("div", "Div", scores, scale), mask)
        y = g("matmul", "MatMul", g("softmax", "Softmax", scores, axis=-1), v)
        y = g("_unsafe_view", "Reshape", g("transpose", "Transpose", y, perm=[0, 2, 1, 3]), joined, allowzero=1)
        return g.linear(y, width, width)

    def mlp(x: str) -> str:
        inner = width * 11 // 4
        gate = g.linear(x, width, inner)
        gate = g("silu", "Mul", gate, g("val", "Sigmoid", gate))
        return g.linear(g("mul", "Mul", gate, g.linear(x, width, inner)), inner, width)

    x = g("embedding", "Gather", g.weight("model.embed_tokens.weight", VOCABULARY, width), "input_ids")
    for n in range(layers):
        x = g("add", "Add", x, attention(norm(x, f"model.layers.{n}.input_layernorm")))
        x = g("add", "Add", x, mlp(norm(x, f"model.layers.{n}.post_attention_layernorm")))
    logits = g.linear(norm(x, "model.norm"), width, VOCABULARY)
    g.nodes[-1].output[0] = "logits"
    assert logits.startswith("linear")
    return g


def external(name: str, shape: tuple[int, ...], file: str, offset: int) -> TensorProto:
    tensor = TensorProto(name=name, dims=shape, data_type=TensorProto.FLOAT, data_location=TensorProto.EXTERNAL)
    for key, value in ("location", file), ("offset", offset), ("length", 4 * math.prod(shape)):
        tensor.external_data.add(key=key, value=str(value))
    return tensor


def write(gigabytes: float, path: pathlib.Path, layers: int = 16) -> pathlib.Path:
    """Writes FILE.onnx and FILE.onnx.data, in a few megabytes of memory; the data's path."""
    graph = llama(width_of(gigabytes, layers), layers)
    data = path.with_name(path.name + ".data")
    block = memoryview(np.random.default_rng(0).standard_normal(1 << 20, np.float32) / 64).cast("B")
    tensors = []
    with open(data, "wb") as file:
        for name, shape in graph.weights.items():
            file.write(bytes(-file.tell() % PAGE))
            tensors.append(external(name, shape, data.name, file.tell()))
            left = 4 * math.prod(shape)
            while left:
                left -= file.write(block[:left])
        file.flush()
        os.fsync(file.fileno())  # no later measurement pays for this writing
    tokens = helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["batch", "sequence"])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", "sequence", VOCABULARY])
    model = helper.make_model(
        helper.make_graph(graph.nodes, "main_graph", [tokens], [logits], tensors + graph.constants),
        opset_imports=[helper.make_opsetid("", 20)], ir_version=10, producer_name="pytorch",
    )
    onnx.save(model, path)
    return data


if __name__ == "__main__":
    write(float(sys.argv[1]), pathlib.Path(sys.argv[2]), *map(int, sys.argv[3:]))
