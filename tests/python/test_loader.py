"""The loader alone, on documents written by hand."""

import copy
import operator

import pytest
import torch
from documents import build, call, call_module, document, get_attr, inputs, program, ref, tensor
from onnx_to_fx import PackageError, loader
from torch import nn


def linear_document(path="fc", weight=None, transposed=True):
    weight = torch.randn(3, 2) if weight is None else weight
    entries = [tensor(f"{path}.weight", weight), tensor(f"{path}.bias", torch.randn(2))]
    uses = [
        {"attribute": "weight", "tensor": 0, "transposed": transposed},
        {"attribute": "bias", "tensor": 1},
    ]
    module = {
        "path": path,
        "type": "Linear",
        "args": {"in_features": 3, "out_features": 2, "bias": True},
        "tensors": uses,
    }
    nodes = [*inputs("x"), call_module("y", 0, ref("x"))]
    return document(nodes, [ref("y")], tensors=entries, modules=[module])


def test_names_targets_and_meta_are_kept():
    node = {**call("added", "operator::add", ref("x"), 1), "onnx": 0, "meta": {"why": "a test"}}
    node["type"] = {"dtype": "float32", "shape": ["N"]}
    doc = document(
        [*inputs("x"), node], [ref("added")], provenance=[{"name": "/Add", "op_type": "Add"}]
    )
    module = build(doc)
    added = next(n for n in module.graph.nodes if n.name == "added")
    assert added.target is operator.add
    assert added.meta["onnx"]["op_type"] == "Add"
    assert added.meta["onnx2fx"] == {"why": "a test"}
    assert added.meta["onnx_type"] == {"dtype": "float32", "shape": ["N"]}
    assert torch.equal(module(torch.ones(2)), torch.full((2,), 2.0))


def test_an_input_named_like_a_builtin_is_taken_by_name():
    doc = document([*inputs("input"), call("y", "aten::relu", ref("input"))], [ref("y")])
    assert torch.equal(build(doc)(input=torch.tensor([-1.0, 1.0])), torch.tensor([0.0, 1.0]))


def test_several_outputs_are_a_tuple():
    doc = document([*inputs("x"), call("y", "aten::neg", ref("x"))], [ref("x"), ref("y")])
    assert build(doc)(torch.tensor(2)) == (torch.tensor(2), torch.tensor(-2))


def test_linear_of_a_transposed_weight_is_laid_out():
    weight = torch.randn(3, 2)
    module = build(linear_document(weight=weight))
    assert type(module.fc) is nn.Linear
    assert module.fc.weight.is_contiguous()
    x = torch.randn(4, 3)
    torch.testing.assert_close(module(x), x @ weight + module.fc.bias)


def test_nested_paths_make_containers():
    module = build(linear_document("encoder.layer.0.fc"))
    assert list(module.state_dict()) == ["encoder.layer.0.fc.weight", "encoder.layer.0.fc.bias"]


def test_tied_weight_is_one_parameter():
    doc = linear_document(weight=torch.randn(2, 3), transposed=False)
    nodes = doc["programs"][0]["nodes"]
    nodes[1:1] = [get_attr("w", 0), call("moved", "aten::add.Tensor", ref("x"), ref("w"))]
    module = build(doc)
    module(torch.randn(2, 3)).sum().backward()
    assert [n for n, _ in module.named_parameters()] == ["fc.weight", "fc.bias"]
    shared = copy.deepcopy(module)
    assert shared.get_parameter("fc.weight") is shared.fc.weight


def test_roles():
    entries = [
        tensor("scale", torch.ones(2)),
        tensor("table", torch.ones(2), "buffer"),
        tensor("fixed", torch.ones(2), "constant"),
    ]
    nodes = [*inputs("x"), *(get_attr(f"t{i}", i) for i in range(3))]
    nodes.append(call("y", "aten::stack", [ref("t0"), ref("t1"), ref("t2"), ref("x")]))
    module = build(document(nodes, [ref("y")], tensors=entries))
    assert [n for n, _ in module.named_parameters()] == ["scale"]
    assert list(module.state_dict()) == ["scale", "table"]
    assert {n for n, _ in module.named_buffers()} == {"table", "fixed"}


def test_training_argument_follows_the_mode():
    doc = document(
        [*inputs("x"), call("y", "aten::dropout", ref("x"), 0.5, {"training": True})], [ref("y")]
    )
    module = build(doc)
    x = torch.ones(1000)
    assert not module.training
    assert torch.equal(module(x), x)
    assert not torch.equal(module.train()(x), x)


def test_aten_dialect_bakes_the_mode():
    nodes = [*inputs("x"), call("y", "aten::dropout", ref("x"), 0.5, {"training": True})]
    module = build(document(nodes, [ref("y")], dialect="aten"))
    assert {n.op for n in module.graph.nodes} == {"placeholder", "call_function", "output"}
    assert torch.equal(module.train()(torch.ones(9)), torch.ones(9))


def test_batch_norm_trains():
    parts = {"weight": torch.ones(2), "bias": torch.zeros(2)}
    entries = [tensor(f"bn.{n}", v) for n, v in parts.items()]
    entries += [
        tensor("bn.running_mean", torch.zeros(2), "buffer"),
        tensor("bn.running_var", torch.ones(2), "buffer"),
    ]
    uses = [{"attribute": e["path"][3:], "tensor": i} for i, e in enumerate(entries)]
    module = {"path": "bn", "type": "BatchNorm1d", "args": {"num_features": 2}, "tensors": uses}
    doc = document(
        [*inputs("x"), call_module("y", 0, ref("x"))], [ref("y")], tensors=entries, modules=[module]
    )
    built = build(doc)
    x = torch.randn(8, 2) + 3
    built(x)
    assert torch.equal(built.bn.running_mean, torch.zeros(2))
    built.train()(x)
    assert built.bn.running_mean.abs().min() > 0 and built.bn.num_batches_tracked == 1


def test_cond_and_leaf_loop():
    then = program("then", [*inputs("a"), call("r", "aten::neg", ref("a"))], [ref("r")])
    other = program("other", [*inputs("b"), call("r", "aten::add.Scalar", ref("b"), 1)], [ref("r")])
    step = [*inputs("i", "go", "s"), call("t", "aten::add.Tensor", ref("s"), ref("i"))]
    body = program("body", step, [ref("go"), ref("t"), ref("t")])
    nodes = [
        *inputs("p", "x"),
        call(
            "c",
            "higher_order::cond",
            ref("p"),
            {"program": "then"},
            {"program": "other"},
            [ref("x")],
        ),
        call("v", "operator::getitem", ref("c"), 0),
        call("l", "onnx2fx::loop", {"program": "body"}, 3, None, [ref("v")], [], 1),
        call("y", "operator::getitem", ref("l"), 1),
    ]
    module = build(document(nodes, [ref("y")], programs=[then, other, body]))
    x = torch.tensor([1.0])
    assert module(torch.tensor(True), x).flatten().tolist() == [-1, 0, 2]
    assert module(torch.tensor(False), x).flatten().tolist() == [2, 3, 5]


def test_loop_of_no_steps_keeps_the_scan_outputs_shape():
    body = program("body", inputs("i", "go", "s"), [ref("go"), ref("s"), ref("s")])
    nodes = [
        *inputs("x"),
        call("l", "onnx2fx::loop", {"program": "body"}, 0, None, [ref("x")], [], 1),
    ]
    nodes.append(call("y", "operator::getitem", ref("l"), 1))
    assert build(document(nodes, [ref("y")], programs=[body]))(torch.ones(2, 3)).shape == (0, 2, 3)


def test_special_arguments():
    nodes = [
        *inputs("x"),
        call(
            "f",
            "aten::full",
            [2],
            {"float": "-inf"},
            dtype={"dtype": "float64"},
            device={"device_of": "x"},
        ),
        call("y", "aten::clone", ref("f"), memory_format={"memory_format": "contiguous_format"}),
    ]
    got = build(document(nodes, [ref("y")]))(torch.ones(1))
    assert got.dtype == torch.float64 and got.tolist() == [float("-inf")] * 2


def test_subscripts():
    every = {"slice": [None, None, None]}
    nodes = [
        *inputs("x"),
        call("n", "torch.Tensor::size", ref("x"), 0),
        call("part", "operator::getitem", ref("x"), [every, {"slice": [1, ref("n"), 2]}]),
        call("y", "operator::getitem", ref("part"), [every, 0]),
    ]
    x = torch.arange(12.0).reshape(3, 4)
    module = build(document(nodes, [ref("y")]))
    torch.testing.assert_close(module(x), x[:, 1:3:2][:, 0], rtol=0, atol=0)
    again = torch.fx.symbolic_trace(module)
    torch.testing.assert_close(again(x), module(x), rtol=0, atol=0)


@pytest.mark.parametrize("bounds", [[1], 5, [1, 2, 3, 4], {}], ids=str)
def test_slices_of_other_forms_are_refused(bounds):
    nodes = [*inputs("x"), call("y", "operator::getitem", ref("x"), {"slice": bounds})]
    with pytest.raises(PackageError) as e:
        build(document(nodes, [ref("y")]))
    assert str(e.value) == (
        f"program 'root': node 'y': slice: expected [start, stop, step], got {bounds!r}"
    )


@pytest.mark.parametrize(
    "target",
    [
        "operator::attrgetter",
        "torch::load",
        "torch::hub",
        "torch.nn.functional::__builtins__",
        "higher_order::print",
        "onnx2fx::_no_slices",
        "onnx2fx::torch",
        "onnx2fx::Strings",
        "os::system",
        "aten::from_file",
        "aten::no_such_operator",
        "prims::add",
        "aten::add.Tensor.__class__",
        "builtins",
        "",
    ],
)
def test_targets_off_the_list_are_refused(target):
    doc = document([*inputs("x"), call("y", target, ref("x"))], [ref("y")])
    with pytest.raises(PackageError, match="target"):
        build(doc)


@pytest.mark.parametrize("name", ["x=print(1)", "lambda", "a.b", ""])
def test_input_names_that_are_code_are_refused(name):
    with pytest.raises(PackageError, match="expected an identifier"):
        build(document(inputs(name), [ref(name)]))


@pytest.mark.parametrize("path", ['a".b', "a b", "forward", "state_dict.w", "a..b"])
def test_tensor_paths_that_break_the_module_are_refused(path):
    doc = document(
        [*inputs("x"), get_attr("w", 0)], [ref("w")], tensors=[tensor(path, torch.ones(1))]
    )
    with pytest.raises(PackageError, match="path"):
        build(doc)


def test_modules_off_the_list_are_refused():
    doc = linear_document()
    doc["modules"][0]["type"] = "Module"
    with pytest.raises(PackageError, match="module type"):
        build(doc)


def test_a_weight_of_the_wrong_shape_is_refused():
    with pytest.raises(PackageError, match=r"fc.*weight: expected shape \[2, 3\], got \[3, 2\]"):
        build(linear_document(transposed=False))


@pytest.mark.parametrize("key, value", [("format", "onnx"), ("version", "2.0")])
def test_other_formats_are_refused(key, value):
    doc = document(inputs("x"), [ref("x")])
    doc[key] = value
    with pytest.raises(PackageError, match=key):
        loader.build(doc, lambda e: None)


def test_state_dict_round_trip_and_deepcopy():
    module = build(linear_document())
    twin = build(linear_document())
    twin.load_state_dict(module.state_dict())
    x = torch.randn(2, 3)
    assert torch.equal(module(x), twin(x))
    assert torch.equal(copy.deepcopy(module)(x), module(x))


def test_modules_are_real_nn_modules_without_initialisation():
    before = torch.random.get_rng_state()
    module = build(linear_document())
    assert (
        torch.equal(before[:8], torch.random.get_rng_state()[:8]) or module.fc.weight.requires_grad
    )
    assert module.fc.__class__ is nn.Linear


def test_export_of_a_built_module():
    module = build(linear_document())
    exported = torch.export.export(module, (torch.randn(4, 3),), strict=False)
    x = torch.randn(4, 3)
    torch.testing.assert_close(exported.module()(x), module(x))


def test_a_tensor_that_the_document_lacks_is_refused():
    """The layout is chosen before a node is built."""
    document = linear_document()
    document["modules"][0]["tensors"][0] = {"attribute": "weight", "tensor": 9, "transposed": True}
    with loader.Weights(document, mode="meta") as tensors, pytest.raises(PackageError):
        loader.build(document, tensors)
