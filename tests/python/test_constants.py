"""Constants of a model: numbers of the graph, or buffers that no state dict holds."""

import copy
import importlib.util
import io
import sys

import models
import numpy as np
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper
from onnx_to_fx import convert_onnx_to_fx
from torch import nn

TWO_SIDED = ["Add", "Mul", "Sub", "Div", "Less", "LessOrEqual", "Greater", "GreaterOrEqual", "Equal"]
AWKWARD = [0.1, -1.7, 3.0, 1e-5, -3.4028235e38, 2.0**-140]


def one_call(op, constant, dtype=np.float32, shape=(), left=False, rank=2):
    value = np.full(shape, constant, dtype)
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    to = TensorProto.BOOL if op.startswith(("Less", "Greater", "Equal")) else kind
    node = helper.make_node(op, ["c", "x"] if left else ["x", "c"], ["y"])
    dims = [f"d{i}" for i in range(max(rank, len(shape)))]
    return models.model([node], {"x": (kind, dims[-rank:] if rank else [])}, {"y": (to, dims)}, {"c": value})


def of_runtime(model, x):
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})[0]


def inputs(dtype, rank):
    x = np.array([[0.1, -1.7, 3.0, 7.0], [1e-5, 2.5, -0.3, 1e30]], np.float32)
    x = x[tuple([0] * (2 - rank))]
    return np.asarray(np.clip(x, -100, 100) if np.issubdtype(dtype, np.integer) else x).astype(dtype)


@pytest.mark.parametrize("op", TWO_SIDED)
@pytest.mark.parametrize("left", [False, True])
@pytest.mark.parametrize("shape", [(), (1,), (1, 1)])
def test_one_element_is_a_number_with_the_same_values(op, left, shape):
    for constant in AWKWARD:
        model = one_call(op, constant, shape=shape, left=left)
        module, with_buffer = convert_onnx_to_fx(model), convert_onnx_to_fx(model, dialect="aten")
        x = inputs(np.float32, 2)
        with np.errstate(all="ignore"):
            np.testing.assert_array_equal(module(torch.from_numpy(x)), of_runtime(model, x))
        quotient = op == "Div" and left
        assert len(list(module.buffers())) == quotient
        assert not module.state_dict()
        for dtype in (torch.float64, torch.float16, torch.bfloat16):
            given = torch.from_numpy(x).to(dtype)
            got = module.to(dtype)(given)
            expected = with_buffer.to(dtype)(given)
            assert got.dtype == expected.dtype
            if dtype == torch.float64:
                assert torch.equal(got, expected)


@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.float64])
@pytest.mark.parametrize("op", ["Add", "Mul", "Sub", "Less", "Equal"])
def test_other_dtypes(dtype, op):
    for left in (False, True):
        model = one_call(op, 3, dtype, left=left)
        module = convert_onnx_to_fx(model)
        x = inputs(dtype, 2)
        got = module(torch.from_numpy(x))
        expected = of_runtime(model, x)
        np.testing.assert_array_equal(got, expected)
        assert got.numpy().dtype == expected.dtype
        assert not list(module.buffers())


@pytest.mark.parametrize("rank", [0, 1])
def test_a_constant_that_adds_an_axis_stays(rank):
    model = one_call("Add", 2.5, shape=(1, 1), rank=rank)
    x = inputs(np.float32, rank)
    got = convert_onnx_to_fx(model)(torch.from_numpy(x))
    assert got.dim() == 2
    np.testing.assert_array_equal(got, of_runtime(model, x))


@pytest.mark.parametrize("first", [False, True])
def test_where(first):
    names = ["b", "c", "x"] if first else ["b", "x", "c"]
    nodes = [helper.make_node("Less", ["x", "zero"], ["b"]), helper.make_node("Where", names, ["y"])]
    model = models.model(
        nodes, {"x": ["n"]}, {"y": ["n"]}, {"c": np.float32(-3.4e38), "zero": np.float32(0)}
    )
    module = convert_onnx_to_fx(model)
    x = inputs(np.float32, 1)
    np.testing.assert_array_equal(module(torch.from_numpy(x)), of_runtime(model, x))
    assert not list(module.buffers())
    assert module(torch.from_numpy(x).half()).dtype == torch.float16


def test_a_lone_bias_is_no_number():
    nodes = [helper.make_node("MatMul", ["x", "w"], ["m"]), helper.make_node("Add", ["m", "b"], ["y"])]
    stored = {"w": models.floats(4, 1), "b": np.array([0.5], np.float32)}
    module = convert_onnx_to_fx(models.model(nodes, {"x": ["n", 4]}, {"y": ["n", 1]}, stored))
    (linear,) = (m for m in module.modules() if isinstance(m, nn.Linear))
    assert linear.bias.requires_grad and linear.bias.item() == 0.5


def with_tables():
    """A learnt weight, and constants of all kinds that stay tensors."""
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["m"]),
        helper.make_node("Less", ["m", "bounds"], ["l"]),
        helper.make_node("Where", ["l", "m", "zero"], ["a"]),
        helper.make_node("Gather", ["a", "order"], ["g"], axis=1),
        helper.make_node("Where", ["mask", "g", "zero"], ["y"]),
    ]
    stored = {
        "w": models.floats(4, 3),
        "bounds": models.floats(3, seed=1),
        "order": np.array([2, 0, 1], np.int64),
        "mask": np.array([True, False, True]),
        "zero": np.float32(0),
    }
    return models.model(nodes, {"x": ["n", 4]}, {"y": ["n", 3]}, stored)


def saved(module):
    file = io.BytesIO()
    torch.save(module, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


def in_folder(module, folder):
    module.to_folder(folder, "Net")
    spec = importlib.util.spec_from_file_location("net_of_folder", folder / "__init__.py")
    package = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = package
    spec.loader.exec_module(package)
    return package.Net()


@pytest.mark.parametrize(
    "way",
    [
        lambda m, _: copy.deepcopy(m),
        lambda m, _: copy.deepcopy(copy.deepcopy(m)),
        lambda m, _: saved(m),
        lambda m, _: m.to(torch.float32),
        lambda m, _: torch.optim.swa_utils.AveragedModel(m).module,
    ],
    ids=["deepcopy", "twice", "save", "to", "averaged"],
)
def test_no_state_dict_holds_them(way, tmp_path):
    module = convert_onnx_to_fx(with_tables())
    state = dict(module.state_dict())
    assert [k.rpartition(".")[2] for k in state] == ["weight"]
    x = torch.randn(5, 4)
    expected = module(x)
    other = way(module, tmp_path)
    assert list(other.state_dict()) == list(state)
    other.load_state_dict(state, strict=True)
    torch.testing.assert_close(other(x), expected)
    assert sum(1 for _ in other.buffers()) == sum(1 for _ in module.buffers())


def test_in_a_folder_they_are_there(tmp_path):
    module = convert_onnx_to_fx(with_tables())
    x = torch.randn(5, 4)
    torch.testing.assert_close(in_folder(module, tmp_path / "net")(x), module(x))


def test_what_is_computed_of_constants_alone_stays_in_a_saved_module():
    """torch.load traces the code again."""
    nodes = [helper.make_node("Transpose", ["c"], ["t"]), helper.make_node("MatMul", ["x", "t"], ["y"])]
    mask = helper.make_node("Where", ["m", "c", "d"], ["e"]), helper.make_node("Add", ["y", "e"], ["z"])
    constants = {
        "c": np.arange(9, dtype=np.float32).reshape(3, 3),
        "d": np.ones((3, 3), np.float32),
        "m": np.eye(3, dtype=bool),
    }
    model = models.model([*nodes, *mask], {"x": [3, 3]}, {"z": [3, 3]}, constants)
    module = convert_onnx_to_fx(model, frozen=["*"]).eval()
    file = io.BytesIO()
    torch.save(module, file)
    file.seek(0)
    loaded = torch.load(file, weights_only=False)
    assert loaded.state_dict().keys() == module.state_dict().keys()
    assert [n.op for n in loaded.graph.nodes] == [n.op for n in module.graph.nodes]
    x = torch.randn(3, 3)
    torch.testing.assert_close(loaded(x), module(x), rtol=0, atol=0)
