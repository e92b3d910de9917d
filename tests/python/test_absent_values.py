"""Values that a conversion needs and that lie in data files: absent, kept opaque, or there."""

import models
import numpy as np
import onnx
import pytest
from absent import branch, external, graph_of, model, onnx2fx
from onnx import TensorProto, helper, numpy_helper
from onnx_to_fx import ConversionError, convert_onnx_to_fx, report


def condition(nodes, tensors):
    branches = {
        "then_branch": branch("then", [helper.make_node("Relu", ["x"], ["t"])]),
        "else_branch": branch("else", [helper.make_node("Neg", ["x"], ["e"])]),
    }
    return model([*nodes, helper.make_node("If", ["c"], ["y"], name="if", **branches)], tensors)


def reshape(nodes, tensors, shape="shape"):
    return model([*nodes, helper.make_node("Reshape", ["x", shape], ["y"], name="r")], tensors)


def constant(name, values):
    node = helper.make_node("Constant", [], [name])
    node.attribute.append(helper.make_attribute("value", external("", values)))
    return node


def loop():
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["on"]), helper.make_node("Add", ["v", "v"], ["w"])],
        "body",
        [
            models.port("i", (TensorProto.INT64, [])),
            models.port("go", (TensorProto.BOOL, [])),
            models.port("v", None),
        ],
        [models.port("on", (TensorProto.BOOL, [])), models.port("w", None)],
    )
    return helper.make_node("Loop", ["trips", "", "x"], ["y"], name="loop", body=body)


def in_subgraph():
    """Reshape to an initializer of a branch; the condition is not known."""
    inner = helper.make_node("Reshape", ["x", "shape"], ["t"], name="inner")
    branches = {
        "then_branch": branch("then", [inner], [external("shape", np.int64([-1, 2]))]),
        "else_branch": branch("else", [helper.make_node("Neg", ["x"], ["e"])]),
    }
    nodes = [
        helper.make_node("ReduceSum", ["x"], ["s"], keepdims=0),
        helper.make_node("Cast", ["s"], ["c"], to=TensorProto.BOOL),
        helper.make_node("If", ["c"], ["y"], name="if", **branches),
    ]
    return model(nodes)


def in_function():
    made = model([helper.make_node("Two", ["x"], ["y"], name="two", domain="com.example")])
    body = [constant("shape", np.int64([-1, 2])), helper.make_node("Reshape", ["a", "shape"], ["b"])]
    opsets = [helper.make_opsetid("", 21)]
    made.functions.append(helper.make_function("com.example", "Two", ["a"], ["b"], body, opsets))
    return made


NEEDED = "expected its values at conversion time, got none: file 'm.data' of weight "
INT = np.int64
CASES = {
    "shape of Reshape": (
        reshape([], [external("shape", INT([2, -1]))]),
        "node 'r' (Reshape, opset 21): input 1 'shape': " + NEEDED + "'shape' is missing",
    ),
    "computed shape": (
        reshape(
            [helper.make_node("Concat", ["one", "a"], ["shape"], axis=0)],
            [numpy_helper.from_array(INT([2]), "one"), external("a", INT([-1]))],
        ),
        "node 'r' (Reshape, opset 21): input 1 'shape': "
        + NEEDED
        + "'a', from which they are computed, is missing",
    ),
    "index of a size": (
        reshape(
            [
                helper.make_node("Shape", ["x"], ["sizes"]),
                helper.make_node("Gather", ["sizes", "i"], ["shape"], name="g"),
            ],
            [external("i", INT([1, 0]))],
        ),
        "node 'r' (Reshape, opset 21): input 1 'shape': "
        + NEEDED
        + "'i', from which they are computed, is missing",
    ),
    "value of Constant": (
        reshape([constant("shape", INT([2, -1]))], []),
        "node 'r' (Reshape, opset 21): input 1 'shape': " + NEEDED + "'shape' is missing",
    ),
    "starts of Slice": (
        model(
            [helper.make_node("Slice", ["x", "starts", "ends"], ["y"], name="s")],
            [external("starts", INT([0])), numpy_helper.from_array(INT([1]), "ends")],
        ),
        "node 's' (Slice, opset 21): input 1 'starts': " + NEEDED + "'starts' is missing",
    ),
    "axes of ReduceSum": (
        model(
            [helper.make_node("ReduceSum", ["x", "axes"], ["y"], name="sum")],
            [external("axes", INT([1]))],
        ),
        "node 'sum' (ReduceSum, opset 21): input 1 'axes': " + NEEDED + "'axes' is missing",
    ),
    "bound of Clip": (
        model(
            [helper.make_node("Clip", ["x", "low"], ["y"], name="clip")],
            [external("low", np.float32(0))],
        ),
        "node 'clip' (Clip, opset 21): input 1 'low': " + NEEDED + "'low' is missing",
    ),
    "scales of Resize": (
        model(
            [helper.make_node("Resize", ["x", "", "scales"], ["y"], name="up")],
            [external("scales", np.float32([1, 1, 2, 2]))],
            x=[1, 1, 4, 4],
        ),
        "node 'up' (Resize, opset 21): input 2 'scales': " + NEEDED + "'scales' is missing",
    ),
    "condition of If": (
        condition([], [external("c", np.bool_(True))]),
        "node 'if' (If, opset 21): input 0 'c': " + NEEDED + "'c' is missing",
    ),
    "computed condition of If": (
        condition([helper.make_node("Not", ["d"], ["c"])], [external("d", np.bool_(True))]),
        "node 'if' (If, opset 21): input 0 'c': "
        + NEEDED
        + "'d', from which they are computed, is missing",
    ),
    "trips of Loop": (
        model([loop()], [external("trips", INT(3))]),
        "node 'loop' (Loop, opset 21): input 0 'trips': " + NEEDED + "'trips' is missing",
    ),
    "initializer of a branch": (
        in_subgraph(),
        "node 'inner' (Reshape, opset 21): input 1 'shape': " + NEEDED + "'shape' is missing",
    ),
    "Constant of a function": (
        in_function(),
        "node 'b' (Reshape, opset 21) in function Two: input 1 'shape': "
        + NEEDED
        + "'shape' is missing",
    ),
}
every_case = pytest.mark.parametrize("given, message", CASES.values(), ids=CASES)


@every_case
def test_needed_values_in_an_absent_file_are_named(given, message, tmp_path):
    with pytest.raises(ConversionError) as caught:
        convert_onnx_to_fx(given, weights="meta")
    assert type(caught.value) is ConversionError
    assert str(caught.value) == (
        f"error: <memory>: {message}\n  note: give the model as a path, with the file beside it, "
        "or keep the node as an opaque one with --keep-going"
    )
    onnx.save(given, tmp_path / "m.onnx")
    assert onnx2fx("m.onnx", "-o", "out", "--weights", "meta", cwd=tmp_path) == (
        1,
        "",
        f"error: m.onnx: {message}\n  note: put the file beside the model, "
        "or keep the node as an opaque one with --keep-going\n",
    )
    assert not (tmp_path / "out").exists()


@every_case
def test_keep_going_keeps_the_node_that_needs_them(given, message, tmp_path):
    module = convert_onnx_to_fx(given, weights="meta", keep_going=True)
    (kept,) = report(module)["unsupported"]
    place, _, reason = message.partition("): ")
    reason = message[message.index("input ") :]
    assert kept["op_type"] in place and kept["nodes"][0] in place
    assert kept["reasons"] == ["onnx2fx.ai-onnx: " + reason]
    onnx.save(given, tmp_path / "m.onnx")
    code, _, messages = onnx2fx(
        "m.onnx", "-o", "out", "--weights", "meta", "--keep-going", cwd=tmp_path
    )
    assert (code, messages) == (
        0,
        f"warning: {kept['op_type']}, opset 21: kept 1 opaque node\n"
        f"  note: onnx2fx.ai-onnx: {reason}\n",
    )


@every_case
@pytest.mark.parametrize("weights", ["reference", "meta"])
def test_they_are_read_when_the_file_is_there(given, message, weights, tmp_path):
    inside = onnx.ModelProto()
    inside.CopyFrom(given)
    data = b""
    for tensor in external_tensors(inside):
        values = VALUES[tensor.name or "shape"]
        place = numpy_helper.from_array(np.asarray(values), tensor.name)
        data = data.ljust(-(-len(data) // 8) * 8, b"\0")
        entries = {e.key: e for e in tensor.external_data}
        entries["offset"].value, tensor.raw_data = str(len(data)), place.raw_data
        data += place.raw_data
    outside = onnx.ModelProto()
    outside.CopyFrom(inside)
    for tensor in external_tensors(outside):
        tensor.ClearField("raw_data")
    for tensor in external_tensors(inside):
        tensor.ClearField("external_data")
        tensor.ClearField("data_location")
    (tmp_path / "m.data").write_bytes(data)
    (tmp_path / "m.onnx").write_bytes(outside.SerializeToString())
    got = convert_onnx_to_fx(tmp_path / "m.onnx", weights=weights)
    assert graph_of(got) == graph_of(convert_onnx_to_fx(inside, weights=weights))
    assert not [n for n in got.graph.nodes if str(n.target) == "item" or "_local_scalar_dense" in str(n.target)]


VALUES = {
    "shape": INT([-1, 2]),
    "a": INT([-1]),
    "i": INT([1, 0]),
    "starts": INT([0]),
    "axes": INT([1]),
    "low": np.float32(0),
    "scales": np.float32([1, 1, 2, 2]),
    "c": np.bool_(True),
    "d": np.bool_(True),
    "trips": INT(3),
}


def external_tensors(message):
    """Every TensorProto of a message that says its data is external."""
    if isinstance(message, TensorProto):
        return [message] if message.data_location == TensorProto.EXTERNAL else []
    found = []
    for field, value in message.ListFields():
        if field.message_type is not None:
            for part in value if field.is_repeated else [value]:
                found += external_tensors(part)
    return found
