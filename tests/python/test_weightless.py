"""Conversions without weights: on the meta device, as FakeTensors, with the data files absent."""

import pathlib
import subprocess
import sys
import threading

import models
import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from onnx_to_fx import (
    ConversionError,
    UnsupportedOperatorError,
    bind,
    convert_onnx_to_fx,
    dynamic_shapes,
    example_inputs,
    fake_mode,
    load,
    report,
    weightless_onnx_loader,
)
from torch import nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode

PROGRAM = pathlib.Path(sys.executable).parent / "onnx2fx"


def onnx2fx(*arguments, cwd):
    done = subprocess.run([PROGRAM, *arguments], cwd=cwd, capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


def external(name, values, location="m.data", offset=0) -> TensorProto:
    """An initializer whose bytes lie in a file beside the model."""
    values = np.asarray(values)
    tensor = TensorProto(name=name, dims=values.shape, data_location=TensorProto.EXTERNAL)
    tensor.data_type = helper.np_dtype_to_tensor_dtype(values.dtype)
    for key, value in (("location", location), ("offset", offset), ("length", values.nbytes)):
        tensor.external_data.add(key=key, value=str(value))
    return tensor


def model(nodes, tensors=(), x=("n", 4), opset=21) -> onnx.ModelProto:
    """x -> y."""
    made = models.model(nodes, {"x": list(x)}, {"y": None}, opset=opset)
    made.graph.initializer.extend(tensors)
    return made


def branch(name, nodes, tensors=()):
    result = helper.make_tensor_value_info(nodes[-1].output[0], TensorProto.FLOAT, None)
    return helper.make_graph(nodes, name, [], [result], list(tensors))


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


def graph_of(module):
    """Every node of every program, and every tensor, without the values."""
    programs = {
        name: [(n.op, n.name, n.target, str(n.args), str(n.kwargs)) for n in child.graph.nodes]
        for name, child in module.named_modules()
        if isinstance(child, torch.fx.GraphModule)
    }
    tensors = {
        name: (type(t), t.dtype, tuple(t.shape), t.requires_grad)
        for name, t in (*module.named_parameters(), *module.named_buffers())
    }
    return programs, tensors


def as_text(graph):
    return str(graph).replace("FakeTensor", "Tensor")


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
    assert not [n for n in got.graph.nodes if "_local_scalar_dense" in str(n.target)]


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


# ---- in memory, subgraphs, sparse: weights that nobody needs to read


def test_a_model_in_memory_needs_no_data(tmp_path):
    given = models.mlp(512)
    onnx.save(given, tmp_path / "m.onnx", save_as_external_data=True, location="m.data")
    without = onnx.load(tmp_path / "m.onnx", load_external_data=False)
    module = convert_onnx_to_fx(without, weights="meta")
    assert graph_of(module) == graph_of(convert_onnx_to_fx(tmp_path / "m.onnx", weights="copy"))
    assert all(p.is_meta for p in module.parameters())
    with pytest.raises(ConversionError, match="file 'm.data' is missing"):
        convert_onnx_to_fx(without)


def test_weights_of_a_branch():
    scaled = helper.make_node("MatMul", ["x", "w"], ["t"], name="inner")
    branches = {
        "then_branch": branch("then", [scaled], [external("w", models.floats(4, 4))]),
        "else_branch": branch("else", [helper.make_node("Neg", ["x"], ["e"])]),
    }
    nodes = [
        helper.make_node("ReduceSum", ["x"], ["s"], keepdims=0),
        helper.make_node("Cast", ["s"], ["c"], to=TensorProto.BOOL),
        helper.make_node("If", ["c"], ["y"], name="if", **branches),
    ]
    module = convert_onnx_to_fx(model(nodes), weights="meta")
    assert {n: tuple(p.shape) for n, p in module.named_parameters()} == {"w": (4, 4)}


def test_sparse_weights():
    given = model([helper.make_node("MatMul", ["x", "w"], ["y"])])
    sparse = given.graph.sparse_initializer.add(dims=[4, 3])
    sparse.values.CopyFrom(external("w", np.float32([1, 2])))
    sparse.indices.CopyFrom(numpy_helper.from_array(INT([0, 5])))
    module = convert_onnx_to_fx(given, weights="meta")
    assert module(torch.empty(2, 4, device="meta")).shape == (2, 3)
    with pytest.raises(ConversionError, match="file 'm.data' is missing"):
        convert_onnx_to_fx(given)


def test_recurrent_layers():
    shapes = {"w": (1, 32, 4), "r": (1, 32, 8), "b": (1, 64)}
    weights = {name: models.floats(*shape) for name, shape in shapes.items()}
    node = helper.make_node("LSTM", ["x", *shapes], ["y"], hidden_size=8)
    x = [5, "n", 4]
    full = model([node], [numpy_helper.from_array(v, n) for n, v in weights.items()], x=x)
    absent = model([node], [external(n, v) for n, v in weights.items()], x=x)
    for given in (full, absent):
        y = convert_onnx_to_fx(given, weights="meta")(torch.empty(5, 2, 4, device="meta"))
        assert y.shape == (5, 1, 2, 8)


# ---- the context manager


def is_weightless():
    return all(p.is_meta for p in convert_onnx_to_fx(models.mlp()).parameters())


def test_context_manager():
    assert not is_weightless()
    with weightless_onnx_loader():
        assert is_weightless()
        with weightless_onnx_loader(fake=True):
            inner = convert_onnx_to_fx(models.mlp())
            assert all(isinstance(p, FakeTensor) for p in inner.parameters())
        assert is_weightless()
        fake = convert_onnx_to_fx(models.mlp(), weights="fake")
        assert all(isinstance(p, FakeTensor) for p in fake.parameters())
    assert not is_weightless()
    with pytest.raises(KeyError), weightless_onnx_loader():
        raise KeyError
    assert not is_weightless()


@pytest.mark.parametrize("weights", ["reference", "copy", "random"])
def test_context_manager_and_what_contradicts_it(weights):
    with weightless_onnx_loader(), pytest.raises(ValueError) as caught:
        convert_onnx_to_fx(models.mlp(), weights=weights)
    assert str(caught.value) == (
        "weights: expected 'meta' or 'fake' inside weightless_onnx_loader, "
        f"got '{weights}'; leave it out there, or convert outside"
    )


def test_context_manager_holds_in_its_own_thread():
    inside, checked = threading.Event(), threading.Event()
    seen = {}

    def weightless():
        with weightless_onnx_loader():
            inside.set()
            checked.wait(60)
            seen["inside"] = is_weightless()

    thread = threading.Thread(target=weightless)
    thread.start()
    assert inside.wait(60)
    seen["outside"] = is_weightless()
    checked.set()
    thread.join()
    assert seen == {"inside": True, "outside": False}


# ---- FakeTensors


def norm() -> onnx.ModelProto:
    """A BatchNorm, a constant of one element and a counter of batches."""
    nodes = [
        helper.make_node("BatchNormalization", ["x", "s", "b", "m", "v"], ["n"]),
        helper.make_node("Add", ["n", "eps"], ["y"]),
    ]
    weights = {n: models.floats(4, seed=i) for i, n in enumerate("sbm")}
    weights |= {"v": np.abs(models.floats(4)) + 1, "eps": np.float32([0.25])}
    return models.model(nodes, {"x": ["n", 4]}, {"y": ["n", 4]}, weights)


def all_tensors(module):
    return [*module.parameters(), *module.buffers()]


def test_fake_tensors_are_of_the_active_mode():
    with FakeTensorMode() as active:
        for options in ({}, {"weights": "fake"}):
            module = convert_onnx_to_fx(norm(), **options)
            assert fake_mode(module) is active
            assert {t.fake_mode for t in all_tensors(module)} == {active}
    with FakeTensorMode():
        module = convert_onnx_to_fx(models.mlp(), weights="reference")
    assert not any(isinstance(p, FakeTensor) for p in module.parameters())
    assert module(torch.ones(2, 4)).shape == (2, 3)


def test_fake_tensors_without_a_mode_get_their_own():
    module = convert_onnx_to_fx(norm(), weights="fake")
    mode = fake_mode(module)
    assert {t.fake_mode for t in all_tensors(module)} == {mode}
    assert {t.device.type for t in all_tensors(module)} == {"cpu"}
    assert graph_of(module)[0] == graph_of(convert_onnx_to_fx(norm()))[0]
    (x,) = example_inputs(module)
    assert x.fake_mode is mode and module(x).shape == x.shape
    assert fake_mode(convert_onnx_to_fx(norm(), weights="fake")) is not mode
    with pytest.raises(ValueError) as caught:
        fake_mode(convert_onnx_to_fx(norm()))
    assert str(caught.value) == 'module: expected one made with weights="fake", got another'


# ---- constants, which are no weights


def test_constants_come_back_with_the_weights():
    full, x = convert_onnx_to_fx(norm()), torch.randn(3, 4)
    for weights in ("meta", "random"):
        module = convert_onnx_to_fx(norm(), weights=weights)
        if weights == "meta":
            assert all(t.is_meta for t in all_tensors(module))
        module.load_state_dict(full.state_dict(), assign=True)
    module = convert_onnx_to_fx(norm(), weights="meta")
    module.load_state_dict(full.state_dict(), assign=True)
    torch.testing.assert_close(module(x), full(x))
    assert module.eps.tolist() == [0.25]


def test_constants_wait_until_every_weight_is_there():
    full = convert_onnx_to_fx(norm()).state_dict()
    module = convert_onnx_to_fx(norm(), weights="meta")
    first = next(iter(full))
    module.load_state_dict({first: full[first]}, assign=True, strict=False)
    assert module.eps.is_meta
    module.load_state_dict(full, assign=True, strict=False)
    assert module.eps.tolist() == [0.25]


def test_constants_come_back_after_to_empty():
    full, x = convert_onnx_to_fx(norm()), torch.randn(3, 4)
    module = convert_onnx_to_fx(norm(), weights="meta").to_empty(device="cpu")
    module.load_state_dict(full.state_dict())
    torch.testing.assert_close(module(x), full(x))


def test_package_without_weights(tmp_path):
    onnx.save(norm(), tmp_path / "m.onnx")
    assert onnx2fx("m.onnx", "-o", "out", "--weights", "meta", cwd=tmp_path) == (0, "", "")
    full, x = convert_onnx_to_fx(norm()), torch.randn(3, 4)
    fake = load(tmp_path / "out", weights="fake")
    assert {t.fake_mode for t in all_tensors(fake)} == {fake_mode(fake)}
    module = load(tmp_path / "out")
    assert all(t.is_meta for t in all_tensors(module))
    assert graph_of(module) == graph_of(full)
    assert module(x.to("meta")).shape == (3, 4)
    module.load_state_dict(full.state_dict(), assign=True)
    torch.testing.assert_close(module(x), full(x))


# ---- operators that nobody lowers


def custom() -> onnx.ModelProto:
    nodes = [
        helper.make_node("Gemm", ["x", "w1", "b1"], ["h"], name="first"),
        helper.make_node("Mystery", ["h"], ["m"], name="mystery", domain="com.example"),
        helper.make_node("MatMul", ["m", "w2"], ["y"], name="last"),
    ]
    weights = [external("w1", models.floats(4, 8)), external("b1", models.floats(8))]
    return model(nodes, [*weights, external("w2", models.floats(8, 3))])


@pytest.mark.parametrize("weights", ["meta", "fake"])
def test_graph_around_unknown_operators(weights):
    module = convert_onnx_to_fx(custom(), weights=weights, keep_going=True)
    known = {n.meta["onnx"]["name"]: n for n in module.graph.nodes if "onnx" in n.meta}
    assert known.keys() == {"first", "mystery", "last"}
    assert sum(isinstance(m, nn.Linear) for m in module.modules()) == 2
    assert {n: tuple(p.shape) for n, p in module.named_parameters()} == {
        "first.weight": (8, 4),
        "first.bias": (8,),
        "last.weight": (3, 8),
    }
    assert sum(p.numel() for p in module.parameters()) == 4 * 8 + 8 + 8 * 3
    (kept,) = report(module)["unsupported"]
    assert (kept["domain"], kept["op_type"], kept["nodes"]) == (
        "com.example",
        "Mystery",
        ["mystery"],
    )
    with pytest.raises(UnsupportedOperatorError) as caught:
        module(*example_inputs(module))
    assert str(caught.value) == (
        "com.example::Mystery (opset 1): this node was kept as an opaque one and cannot be run; "
        "the conversion's report says why"
    )


def test_without_keep_going_they_are_refused():
    with pytest.raises(UnsupportedOperatorError, match="'mystery' .com.example.Mystery, opset 1"):
        convert_onnx_to_fx(custom(), weights="meta")


def test_inspect_needs_no_data(tmp_path):
    onnx.save(models.mlp(512), tmp_path / "m.onnx", save_as_external_data=True, location="m.data")
    (tmp_path / "m.data").unlink()
    code, out, messages = onnx2fx("inspect", "m.onnx", cwd=tmp_path)
    assert (code, messages) == (0, "")
    rows = [" ".join(line.split()) for line in out.splitlines()]
    assert rows[:3] == [
        "input x float32[batch, 4]",
        "output y float32[batch, 3]",
        f"weights 4 tensors, {512 * 4 + 512 + 512 * 3 + 3} trainable elements",
    ]
    assert len(rows) == 3 + 4 and all("onnx2fx.ai-onnx" in row for row in rows[3:])


# ---- what torch.export asks for


def ports(**inputs) -> onnx.ModelProto:
    nodes = [helper.make_node("Identity", [name], ["out_" + name]) for name in inputs]
    outputs = {"out_" + n: None for n in inputs}
    return models.model(nodes, inputs, outputs)


def test_dynamic_shapes_are_the_models_own():
    given = ports(a=["batch", 3], b=["batch", "n"], c=[2, 2], d=["past + 1", None])
    module = convert_onnx_to_fx(given, weights="meta")
    shapes = dynamic_shapes(module)
    assert list(shapes) == ["a", "b", "c", "d"]
    assert shapes["a"][0] is shapes["b"][0] and shapes["a"][0].__name__ == "batch"
    assert (shapes["b"][1].__name__, shapes["c"]) == ("n", {})
    assert shapes["d"][0] == torch.export.Dim.DYNAMIC
    a, b, c, d = example_inputs(module, {"batch": 7})
    assert a.shape == (7, 3) and b.shape[0] == 7 and c.shape == (2, 2)
    assert len({7, b.shape[1], *d.shape}) == 4
    with pytest.raises(ValueError, match=r"expected names of \['batch', 'n', .*got \['seq'\]"):
        example_inputs(module, {"seq": 3})


def test_example_inputs_of_unknown_rank():
    given = ports(a=["batch"])
    given.graph.input[0].type.tensor_type.ClearField("shape")
    with pytest.raises(ValueError) as caught:
        example_inputs(convert_onnx_to_fx(given))
    assert str(caught.value) == (
        "input 'a': expected a tensor of known dtype and rank, got a model that does not say so; "
        "make this input yourself"
    )


def test_weightless_modules_are_bound_later():
    given = models.mlp()
    module = convert_onnx_to_fx(given, weights="meta")
    tensors = given.graph.initializer
    bind(module, {t.name: torch.tensor(numpy_helper.to_array(t)) for t in tensors})
    (x,) = example_inputs(module)
    assert not x.is_meta
    torch.testing.assert_close(module(x), convert_onnx_to_fx(given)(x))
