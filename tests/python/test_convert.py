"""convert_onnx_to_fx, from models to modules that run and train."""

import copy

import models
import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import helper
from onnx_to_fx import (
    ConversionError,
    UnsupportedOperatorError,
    bind,
    convert_onnx_to_fx,
    report,
)
from torch import fx, nn


def reference(model: onnx.ModelProto, *inputs: np.ndarray) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return session.run(None, dict(zip((i.name for i in session.get_inputs()), inputs)))


@pytest.fixture(params=["proto", "path", "pathlike", "bytes"])
def given(request, tmp_path):
    """One model in every form that is taken."""
    model, path = models.mlp(), tmp_path / "mlp.onnx"
    onnx.save(model, path)
    forms = {"proto": model, "path": str(path), "pathlike": path, "bytes": path.read_bytes()}
    return forms[request.param]


def test_every_form_of_model_gives_the_same(given):
    module = convert_onnx_to_fx(given)
    assert isinstance(module, fx.GraphModule)
    x = models.floats(5, 4)
    (expected,) = reference(models.mlp(), x)
    got = module(torch.from_numpy(x))
    assert isinstance(got, torch.Tensor)
    np.testing.assert_allclose(got.detach().numpy(), expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(module(x=torch.from_numpy(x)), got)


def test_linears_and_parameter_names():
    module = convert_onnx_to_fx(models.mlp())
    assert sum(isinstance(m, nn.Linear) for m in module.modules()) == 2
    assert all(p.requires_grad for p in module.parameters())
    assert len(list(module.parameters())) == 4


def test_nodes_know_their_onnx_node():
    module = convert_onnx_to_fx(models.mlp())
    names = {n.meta["onnx"]["name"] for n in module.graph.nodes if "onnx" in n.meta}
    assert {"/fc1/Gemm", "/relu"} <= names


def test_sgd_lowers_the_loss():
    module = convert_onnx_to_fx(models.mlp()).train()
    optimizer = torch.optim.SGD(module.parameters(), lr=0.01)
    x, target = torch.randn(16, 4), torch.randn(16, 3)
    losses = []
    for _ in range(10):
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(module(x), target)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses == sorted(losses, reverse=True)


def test_training_leaves_the_model_file_alone(tmp_path):
    path = tmp_path / "mlp.onnx"
    onnx.save(models.mlp(1024), path)
    before = path.read_bytes()
    module = convert_onnx_to_fx(path)
    with torch.no_grad():
        for p in module.parameters():
            p.zero_()
    assert path.read_bytes() == before


def test_debug_prints_the_graph(capsys):
    convert_onnx_to_fx(models.mlp(), debug=True)
    assert "placeholder" in capsys.readouterr().out


def test_every_unsupported_operator_is_named():
    with pytest.raises(UnsupportedOperatorError) as caught:
        convert_onnx_to_fx(models.unknown_ops())
    operators = {o.op_type: o.nodes for o in caught.value.operators}
    assert operators == {"Nonsense": ("first", "second"), "Other": ("third",)}
    assert isinstance(caught.value, ConversionError) and isinstance(caught.value, ValueError)
    assert "Nonsense" in str(caught.value) and "Other" in str(caught.value)


def test_keep_going_keeps_them_as_nodes():
    module = convert_onnx_to_fx(models.unknown_ops(), keep_going=True)
    assert report(module)
    with pytest.raises(UnsupportedOperatorError, match="Nonsense"):
        module(torch.ones(2))


def test_budget_is_spent_and_raised():
    calls = [f"f.F{i}" for i in range(1, 15)] + ["Relu"]
    model = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 17, "f" : 1]> '
        "g (float[2] x) => (float[2] y) { y = f.F0(x) }\n"
        + "".join(
            f'<opset_import: ["" : 17, "f" : 1], domain: "f"> F{i} (a) => (c) '
            f"{{ b = {call}(a) c = {call}(b) }}\n"
            for i, call in enumerate(calls)
        )
    )
    with pytest.raises(ConversionError) as caught:
        convert_onnx_to_fx(model)
    assert caught.value.diagnostics[0].what == (
        "expanded bodies: expected at most 23100 from a model of 31 nodes, got more: "
        "function 'f.F14' was expanded 11548 times, into 46188 nodes"
    )
    module = convert_onnx_to_fx(model, budget=2)
    assert len(module.graph.nodes) == 2**15 + 2


@pytest.mark.parametrize("data", [b"", b"not a model", models.mlp().SerializeToString()[:200]])
def test_what_is_no_model_is_refused(data):
    with pytest.raises(ConversionError) as caught:
        convert_onnx_to_fx(data)
    assert caught.value.diagnostics


def test_a_file_that_is_not_there_is_named():
    with pytest.raises(ConversionError, match=r"no_such\.onnx"):
        convert_onnx_to_fx("no_such.onnx")


@pytest.mark.parametrize(
    "options", [{"weights": "none"}, {"dialect": "torch"}], ids=lambda o: next(iter(o))
)
def test_unknown_options_are_refused(options):
    with pytest.raises(ValueError, match="expected one of"):
        convert_onnx_to_fx(models.mlp(), **options)


def test_something_else_is_refused():
    with pytest.raises(TypeError, match="expected an onnx.ModelProto"):
        convert_onnx_to_fx(42)


def test_meta_weights_are_bound_by_onnx_name():
    model = models.mlp()
    module = convert_onnx_to_fx(model, weights="meta")
    assert all(p.is_meta for p in module.parameters())
    weights = {
        t.name: torch.from_numpy(onnx.numpy_helper.to_array(t).copy())
        for t in model.graph.initializer
    }
    bind(module, weights)
    x = torch.randn(2, 4)
    torch.testing.assert_close(module(x), convert_onnx_to_fx(model)(x))


def test_random_weights_are_the_same_each_time():
    x = torch.randn(2, 4)
    first, second = (convert_onnx_to_fx(models.mlp(), weights="random")(x) for _ in range(2))
    assert torch.equal(first, second) and torch.isfinite(first).all()


def test_copied_weights_need_no_file(tmp_path):
    path = tmp_path / "mlp.onnx"
    onnx.save(models.mlp(), path)
    module = convert_onnx_to_fx(path, weights="copy")
    path.write_bytes(b"")
    x = torch.randn(2, 4)
    torch.testing.assert_close(module(x), convert_onnx_to_fx(models.mlp())(x))


def test_aten_dialect_has_only_aten_calls():
    module = convert_onnx_to_fx(models.mlp(), dialect="aten")
    calls = [n for n in module.graph.nodes if n.op not in ("placeholder", "get_attr", "output")]
    assert calls and all(isinstance(n.target, torch._ops.OpOverload) for n in calls)
    x = torch.randn(2, 4)
    torch.testing.assert_close(module(x), convert_onnx_to_fx(models.mlp())(x))


def test_frozen_and_trainable_globs():
    module = convert_onnx_to_fx(models.mlp(), frozen=["*"], trainable=["b2"])
    trained = [n for n, p in module.named_parameters() if p.requires_grad]
    assert len(trained) == 1


def test_a_weight_used_twice_is_one_parameter():
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["a"]),
        helper.make_node("Relu", ["a"], ["r"]),
        helper.make_node("MatMul", ["r", "w"], ["y"]),
    ]
    model = models.model(nodes, {"x": [2, 3]}, {"y": [2, 3]}, {"w": models.floats(3, 3)})
    module = convert_onnx_to_fx(model)
    assert len(list(module.parameters())) == 1
    assert len({id(p) for _, p in module.named_parameters(remove_duplicate=False)}) == 1
    x = models.floats(2, 3)
    got = module(torch.from_numpy(x)).detach().numpy()
    np.testing.assert_allclose(got, reference(model, x)[0], rtol=1e-5, atol=1e-5)


def dropout_and_norm():
    nodes = [
        helper.make_node("BatchNormalization", ["x", "s", "b", "m", "v"], ["n"], momentum=0.75),
        helper.make_node("Dropout", ["n", "ratio"], ["y"]),
    ]
    ones, zeros = np.ones(3, np.float32), np.zeros(3, np.float32)
    weights = {"s": ones, "b": zeros, "m": zeros, "v": ones, "ratio": np.float32(0.5)}
    return models.model(nodes, {"x": ["n", 3]}, {"y": ["n", 3]}, weights)


@pytest.mark.parametrize("dialect", ["nn", "aten"])
def test_eval_is_what_the_model_says(dialect):
    module = convert_onnx_to_fx(dropout_and_norm(), dialect=dialect)
    x = models.floats(6, 3)
    got = module(torch.from_numpy(x)).detach().numpy()
    np.testing.assert_allclose(got, reference(dropout_and_norm(), x)[0], rtol=1e-4, atol=1e-5)


def test_train_uses_and_updates_statistics_and_drops():
    module = convert_onnx_to_fx(dropout_and_norm()).train()
    x = torch.randn(512, 3) * 2 + 5
    y = module(x)
    assert 0.3 < (y == 0).float().mean() < 0.7
    buffers = dict(module.named_buffers())
    mean = next(b for n, b in buffers.items() if "mean" in n or n == "m")
    torch.testing.assert_close(mean, 0.25 * x.mean(0), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
def test_an_embedding_takes_computed_ids_counted_from_the_end(dtype):
    """Those that are an input of the model reach it as they are: see test_as_written."""
    port = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    nodes = [
        helper.make_node("Neg", ["negated"], ["ids"]),
        helper.make_node("Gather", ["table", "ids"], ["y"]),
    ]
    table = models.floats(5, 3)
    model = models.model(nodes, {"negated": (port, ["n"])}, {"y": ["n", 3]}, {"table": table})
    module = convert_onnx_to_fx(model)
    assert [type(m) for m in module.children()] == [nn.Embedding]
    negated = np.array([0, 1, -4, 5, -2], dtype)
    (expected,) = reference(model, negated)
    np.testing.assert_array_equal(module(torch.from_numpy(negated)).detach().numpy(), expected)
    for outside in (-5, 6):
        with pytest.raises(IndexError):
            module(torch.tensor([outside]))


def test_deepcopy_and_state_dict():
    module = convert_onnx_to_fx(models.mlp())
    twin = convert_onnx_to_fx(models.mlp(), weights="random")
    twin.load_state_dict(module.state_dict())
    x = torch.randn(2, 4)
    assert torch.equal(twin(x), module(x))
    assert torch.equal(copy.deepcopy(module)(x), module(x))


@pytest.mark.parametrize("dialect", ["nn", "aten"])
def test_torch_export_with_a_dynamic_batch(dialect):
    module = convert_onnx_to_fx(models.mlp(), dialect=dialect)
    batch = torch.export.Dim("batch", min=2)
    exported = torch.export.export(
        module, (torch.randn(4, 4),), dynamic_shapes=({0: batch},), strict=False
    )
    x = torch.randn(7, 4)
    torch.testing.assert_close(exported.module()(x), module(x))
