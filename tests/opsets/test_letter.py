"""Models that break the rules of the opset they import, where only one reading is possible: converted, with a warning.

Expected values are ONNX Runtime's of the same node under the opset that it follows, as it refuses these.
"""


import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import helper, numpy_helper
from onnx_to_fx import ConversionError, convert_onnx_to_fx, report

RNG = np.random.default_rng(0)
IMAGE = RNG.standard_normal((1, 2, 4, 4)).astype(np.float32)
MATRIX = RNG.standard_normal((3, 4)).astype(np.float32)
DOUBLED = np.array([1, 1, 2, 2], np.float32)


def model(node, x, weights, opset):
    graph = helper.make_graph(
        [node],
        "graph",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, x.shape)],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)],
        [numpy_helper.from_array(w, name) for name, w in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def node(op_type, inputs, **attributes):
    return helper.make_node(op_type, inputs, ["y"], name="n", **attributes)


def in_onnx_runtime(m, x):
    session = onnxruntime.InferenceSession(m.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})[0]


NO_ROI = "input 1 (roi): expected a value, got none"
NO_SCALES = "input 2 (scales): expected a value, got none"
REMOVED = "the operator was removed from ONNX in opset 10"
SIZES = np.array([1, 2, 7, 3], np.int64)


def stray(name):
    return f"attribute '{name}': the operator has none of that name"


# node, its other tensors, the opset imported, the one that it is read by, what the warnings say
BENT = {
    "Resize 11, roi is empty": (
        node("Resize", ["x", "", "scales"]), IMAGE, {"scales": DOUBLED}, 11, 13, [NO_ROI]),
    "Resize 12, roi and scales are empty": (
        node("Resize", ["x", "", "", "sizes"], mode="linear"), IMAGE, {"sizes": SIZES}, 12, 13, [NO_ROI, NO_SCALES]),
    "Gemm 7 without C": (
        node("Gemm", ["x", "b"], alpha=0.5), MATRIX, {"b": MATRIX.T.copy()}, 7, 11, ["inputs: expected 3, got 2"]),
    "Gemm 10, C is empty": (
        node("Gemm", ["x", "b", ""], transB=1), MATRIX, {"b": MATRIX}, 10, 11,
        ["input 2 (C): expected a value, got none"]),
    "Upsample 10": (
        node("Upsample", ["x", "scales"], mode="linear"), IMAGE, {"scales": DOUBLED}, 10, 9, [REMOVED]),
    "Upsample 13": (
        node("Upsample", ["x", "scales"]), IMAGE, {"scales": DOUBLED}, 13, 9, [REMOVED]),
    "Dropout 12, ratio is an attribute": (
        node("Dropout", ["x"], ratio=0.25), MATRIX, {}, 12, 11, [stray("ratio")]),
    "Dropout 22, ratio is an attribute": (
        node("Dropout", ["x"], ratio=0.25), MATRIX, {}, 22, 11, [stray("ratio")]),
    "Clip 13, limits are attributes": (
        node("Clip", ["x"], min=-0.5, max=0.5), MATRIX, {}, 13, 10, [stray("max"), stray("min")]),
    "Clip 9, limits are inputs": (
        node("Clip", ["x", "low"]), MATRIX, {"low": np.float32(0)}, 9, 11, ["inputs: expected 1, got 2"]),
    "Squeeze 13, axes are an attribute": (
        node("Squeeze", ["x"], axes=[0]), IMAGE, {}, 13, 12, [stray("axes")]),
    "Unsqueeze 11, axes are an input": (
        node("Unsqueeze", ["x", "axes"]), MATRIX, {"axes": np.array([0, 3])}, 11, 13,
        ["inputs: expected 1, got 2", "attribute 'axes': expected INTS, got none"]),
    "ReduceMean 18, axes are an attribute": (
        node("ReduceMean", ["x"], axes=[1], keepdims=0), MATRIX, {}, 18, 17, [stray("axes")]),
    "Pad 11, pads are an attribute": (
        node("Pad", ["x"], pads=[1, 0, 0, 2], value=3.0), MATRIX, {}, 11, 10,
        ["inputs: expected 2 to 3, got 1", stray("pads"), stray("value")]),
    "Slice 10, all are attributes": (
        node("Slice", ["x"], starts=[1], ends=[3], axes=[1]), MATRIX, {}, 10, 9,
        ["inputs: expected 3 to 5, got 1", stray("starts"), stray("ends"), stray("axes")]),
    "AveragePool 7 with ceil_mode": (
        node("AveragePool", ["x"], kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1), IMAGE, {}, 7, 10,
        [stray("ceil_mode")]),
}  # fmt: skip


@pytest.mark.parametrize("name", BENT)
def test_what_has_one_reading_is_read(name):
    bent, x, weights, opset, read_as, faults = BENT[name]
    module = convert_onnx_to_fx(model(bent, x, weights, opset)).eval()
    expected = in_onnx_runtime(model(bent, x, weights, read_as), x)
    with torch.no_grad():
        y = module(torch.from_numpy(x)).numpy()
    assert y.shape == expected.shape and y.dtype == expected.dtype
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-6)
    said = report(module)
    assert sorted(said["warnings"]) == sorted(
        f"warning: <memory>: node 'n' ({bent.op_type}, opset {opset}): {fault}\n"
        f"  note: it is read by the rules of opset {read_as}"
        for fault in faults
    )
    assert [n["opset"] for n in said["nodes"]] == [read_as]


def test_dropout_takes_the_ratio_of_its_attribute():
    x = np.ones((100, 100), np.float32)
    module = convert_onnx_to_fx(model(node("Dropout", ["x"], ratio=0.2), x, {}, 13), training=True)
    torch.manual_seed(0)
    y = module(torch.from_numpy(x))
    torch.testing.assert_close(y[y != 0], torch.full_like(y[y != 0], 1.25))
    assert abs((y == 0).float().mean() - 0.2) < 0.02


# Two readings, or none.
REFUSED = {
    "the ratio is an attribute and an input": (
        node("Dropout", ["x", "r"], ratio=0.25), {"r": np.float32(0.5)}, 13, stray("ratio")),
    "broadcast was dropped, but not its meaning": (
        node("Add", ["x", "b"], axis=0, broadcast=1), {"b": MATRIX[:, 0].copy()}, 7, stray("broadcast")),
    "no revision has so many inputs": (
        node("Relu", ["x", "b"]), {"b": MATRIX}, 14, "inputs: expected 1, got 2"),
    "no revision does without": (
        node("Gemm", ["x", "", "c"]), {"c": MATRIX}, 9, "input 1 (B): expected a value, got none"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_anything_else_stays_an_error(name):
    bent, weights, opset, fault = REFUSED[name]
    with pytest.raises(ConversionError) as error:
        convert_onnx_to_fx(model(bent, MATRIX, weights, opset))
    where = f"error: <memory>: node 'n' ({bent.op_type}, opset {opset}): "
    assert str(error.value).splitlines()[0] == where + fault
