"""Conversions without weights: on the meta device, as FakeTensors, with the data files absent."""

import io
import threading

import models
import numpy as np
import onnx
import pytest
import torch
from absent import branch, external, externals, graph_of, model, onnx2fx
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
    sparse.indices.CopyFrom(numpy_helper.from_array(np.int64([0, 5])))
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
    absent = model([node], externals(weights), x=x)
    for given in (full, absent):
        module = convert_onnx_to_fx(given, weights="meta")
        assert module(torch.empty(5, 2, 4, device="meta")).shape == (5, 1, 2, 8)
    assert {name: tuple(p.shape) for name, p in module.named_parameters()} == shapes


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
    """A BatchNorm, a constant that torch.maximum takes as a tensor, and a counter of batches."""
    nodes = [
        helper.make_node("BatchNormalization", ["x", "s", "b", "m", "v"], ["n"]),
        helper.make_node("Max", ["n", "eps"], ["y"]),
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
    module = convert_onnx_to_fx(norm(), weights="meta")
    assert all(t.is_meta for t in all_tensors(module))
    module.load_state_dict(full.state_dict(), assign=True)
    torch.testing.assert_close(module(x), full(x))
    assert module.constants.eps.tolist() == [0.25]


def test_constants_wait_until_every_weight_is_there():
    full = convert_onnx_to_fx(norm()).state_dict()
    module = convert_onnx_to_fx(norm(), weights="meta")
    first = next(iter(full))
    module.load_state_dict({first: full[first]}, assign=True, strict=False)
    assert module.constants.eps.is_meta
    module.load_state_dict(full, assign=True, strict=False)
    assert module.constants.eps.tolist() == [0.25]


def test_constants_come_back_after_to_empty():
    full, x = convert_onnx_to_fx(norm()), torch.randn(3, 4)
    module = convert_onnx_to_fx(norm(), weights="meta").to_empty(device="cpu")
    module.load_state_dict(full.state_dict())
    torch.testing.assert_close(module(x), full(x))


def padded() -> onnx.ModelProto:
    """Pad with a float16, which ATen takes as a Python number."""
    values = {"pads": np.int64([0, 1, 0, 1]), "fill": np.float16(7)}
    node = helper.make_node("Pad", ["x", "pads", "fill"], ["y"])
    half = TensorProto.FLOAT16
    return models.model([node], {"x": (half, ["n", 4])}, {"y": (half, ["n", 6])}, values)


def test_constants_that_are_read_as_numbers_stay_real():
    module = convert_onnx_to_fx(padded(), weights="meta")
    assert module.constants.fill.item() == 7 and module.constants.fill.device.type == "cpu"
    x = torch.empty(3, 4, dtype=torch.float16, device="meta")
    assert module(x).is_meta and module(x).shape == (3, 6)
    module = convert_onnx_to_fx(padded(), weights="fake")
    with fake_mode(module):
        assert module(*example_inputs(module)).shape == (4, 6)
    torch.export.export(module, example_inputs(module), dynamic_shapes=dynamic_shapes(module))


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


def test_package_of_a_model_whose_data_is_gone(tmp_path):
    onnx.save(models.mlp(512), tmp_path / "m.onnx", save_as_external_data=True, location="m.data")
    full = convert_onnx_to_fx(tmp_path / "m.onnx", weights="copy")
    (tmp_path / "m.data").unlink()
    assert onnx2fx("m.onnx", "-o", "out", "--weights", "meta", cwd=tmp_path) == (0, "", "")
    module = load(tmp_path / "out")
    assert graph_of(module) == graph_of(full)
    assert module(torch.empty(5, 4, device="meta")).shape == (5, 3)
    code, _, messages = onnx2fx("m.onnx", "-o", "copy", cwd=tmp_path)
    assert (code, messages) == (
        1,
        "error: m.onnx: weight 'w1': file 'm.data' is missing\n"
        "  note: put the file beside the model, or convert with --weights meta\n",
    )


# ---- operators that nobody lowers


def custom() -> onnx.ModelProto:
    nodes = [
        helper.make_node("Gemm", ["x", "w1", "b1"], ["h"], name="first"),
        helper.make_node("Mystery", ["h"], ["m"], name="mystery", domain="com.example"),
        helper.make_node("MatMul", ["m", "w2"], ["y"], name="last"),
    ]
    weights = {"w1": models.floats(4, 8), "b1": models.floats(8), "w2": models.floats(8, 3)}
    return model(nodes, externals(weights))


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
        "the conversion's report says why\n"
        "in the ONNX node 'mystery' (Mystery) that computes 'm': first_1 is float32[4, 8]"
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
    assert 512 * 4 + 512 + 512 * 3 + 3 == 4099
    assert rows[:8] == [
        "model m.onnx, opset 21, com.example 1",
        "input x float32[batch, 4]",
        "output y float32[batch, 3]",
        "weights 4 parameters: 4,099 elements (4,099 trainable), 16.4 kB, float32",
        "cost not known: give --size batch=N",
        "output parameters MACs",
        "fc1: Linear float32[batch, 512] 2,560 ?",
        "fc2: Linear float32[batch, 3] 1,539 ?",
    ]
    assert len(rows) == 8 + 4 and all("onnx2fx.ai-onnx" in row for row in rows[8:])


# ---- what torch.export asks for


def ports(**inputs) -> onnx.ModelProto:
    nodes = [helper.make_node("Identity", [name], ["out_" + name]) for name in inputs]
    outputs = {"out_" + n: None for n in inputs}
    return models.model(nodes, inputs, outputs)


def test_dynamic_shapes_are_the_models_own():
    given = ports(a=["batch", 3], b=["batch", "n"], c=[2, 2], d=["past + 1", None])
    module = convert_onnx_to_fx(given, weights="meta")
    dynamic = torch.export.Dim.DYNAMIC
    assert dynamic_shapes(module) == {
        "a": {0: dynamic},
        "b": {0: dynamic, 1: dynamic},
        "c": {},
        "d": {0: dynamic, 1: dynamic},
    }
    a, b, c, d = example_inputs(module, {"batch": 7})
    assert a.shape == (7, 3) and b.shape[0] == 7 and c.shape == (2, 2)
    assert len({7, b.shape[1], *d.shape}) == 4
    with pytest.raises(ValueError, match=r"expected names of \['batch', 'n', .*got \['seq'\]"):
        example_inputs(module, {"seq": 3})


RANGES = "pkg.torch.export.ExportedProgram.range_constraints"


def bounded(module, **bounds):
    """The bounds of each dimension of an exported program, by the name that the model gives it."""
    dims = dynamic_shapes(module, **bounds)
    program = torch.export.export(module, example_inputs(module), dynamic_shapes=dims)
    ranges, found = program.range_constraints, {}
    placeholders = {n.name: n.meta["val"] for n in program.graph.find_nodes(op="placeholder")}
    for port in module.meta["onnx2fx"]["inputs"]:
        for size, name in zip(placeholders[port["name"]].shape, port["shape"]):
            if isinstance(size, torch.SymInt):
                found[name] = (ranges[size.node.expr].lower, ranges[size.node.expr].upper)
    return found


def test_dynamic_shapes_have_the_bounds_that_one_gives():
    module = convert_onnx_to_fx(ports(a=["batch", 3], b=["batch", "n"]), weights="fake")
    got = bounded(module, max=64)
    assert [high for _, high in got.values()] == [64, 64] and max(low for low, _ in got.values()) <= 2
    got = bounded(module, min={"n": 3}, max={"batch": 8})
    assert got["batch"][0] <= 2 and got["batch"][1] == 8
    assert got["n"][0] == 3 and got["n"][1] > 2**32
    with pytest.raises(ValueError, match=r"max: expected names of \['batch', 'n'\], got \['seq'\]"):
        dynamic_shapes(module, max={"seq": 3})
    with pytest.raises(ValueError, match="dimension 'n': expected a min of at most max, got 9 and 8"):
        dynamic_shapes(module, min={"n": 9}, max=8)


def test_dynamic_shapes_have_the_bounds_that_stand_in_the_file():
    model = ports(a=["s7", "s27"])
    model.graph.metadata_props.add(key=RANGES, value="{s7: VR[5, 99], s27: VR[0, int_oo]}")
    module = convert_onnx_to_fx(model, weights="fake")
    got = bounded(module)
    assert got["s7"] == (5, 99) and got["s27"][0] <= 2 and got["s27"][1] > 2**32
    assert bounded(module, max=50)["s7"] == (5, 50)


class Convolutions(torch.nn.Sequential):
    """Takes no small image."""

    def __init__(self):
        nn = torch.nn
        super().__init__(nn.Conv2d(3, 4, 7), nn.MaxPool2d(2), nn.Conv2d(4, 4, 5), nn.AdaptiveAvgPool2d(1))


def test_example_inputs_are_large_enough_for_convolutions():
    file = io.BytesIO()
    axes = {"x": {0: "n", 2: "height", 3: "width"}}
    net = Convolutions().eval()
    torch.onnx.export(net, (torch.ones(1, 3, 32, 32),), file, dynamo=False, dynamic_axes=axes, input_names=["x"])
    module = convert_onnx_to_fx(file.getvalue())
    (x,) = example_inputs(module)
    assert x.shape[0] < 10 and x.shape[2] != x.shape[3] and {d % 32 for d in x.shape[2:]} == {0}
    torch.testing.assert_close(module(x), net(x))


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
