"""The parameters of recurrent layers are one where the model's tensors are, and only there."""

import models
import numpy as np
import onnx
import pytest
import torch
from onnx import external_data_helper, helper
from onnx_to_fx import convert_onnx_to_fx
from torch import nn

KINDS = {"LSTM": 4, "GRU": 3, "RNN": 1}
CLASSES = (nn.LSTM, nn.GRU, nn.RNN)


def recurrent(kind, x, weights, y, name="", **attributes):
    if kind == "GRU":
        attributes["linear_before_reset"] = 1
    return helper.make_node(
        kind, [x, *weights], ["", y], hidden_size=3, **({"name": name} if name else {}), **attributes
    )


def weights_of(kind, tag, bias, directions=1):
    gates = KINDS[kind]
    return {
        "w" + tag: models.floats(directions, gates * 3, 2, seed=1 + len(tag)),
        "r" + tag: models.floats(directions, gates * 3, 3, seed=2 + len(tag)),
        "b" + tag: bias * models.floats(directions, 2 * gates * 3, seed=3),
    }


def siamese(kind, names=("/encoder/a", "/encoder/b"), direction="forward"):
    """One encoder, twice: the difference of its last states."""
    directions = 2 if direction == "bidirectional" else 1
    stored = weights_of(kind, "", 1, directions)
    nodes = [
        recurrent(kind, "x1", stored, "h1", names[0], direction=direction),
        recurrent(kind, "x2", stored, "h2", names[1], direction=direction),
        helper.make_node("Sub", ["h1", "h2"], ["y"]),
    ]
    return models.model(
        nodes, {"x1": ["t", "n", 2], "x2": ["t", "n", 2]}, {"y": [directions, "n", 3]}, stored
    )


def two_layers(kind, tags=("", "2"), same_bytes=False):
    """Two encoders without names, whose biases (or all their bytes) are equal."""
    one, two = weights_of(kind, tags[0], 0), weights_of(kind, tags[1], 0)
    if same_bytes:
        two = dict(zip(two, one.values()))
    nodes = [
        recurrent(kind, "x", one, "h1"),
        recurrent(kind, "x", two, "h2"),
        helper.make_node("Add", ["h1", "h2"], ["y"]),
    ]
    return models.model(nodes, {"x": ["t", "n", 2]}, {"y": [1, "n", 3]}, one | two)


def layers(module):
    """Of each call."""
    called = [module.get_submodule(n.target) for n in module.graph.nodes if n.op == "call_module"]
    return [m for m in called if isinstance(m, CLASSES)]


def step(module, *inputs):
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    module(*inputs).square().sum().backward()
    optimizer.step()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("direction", ["forward", "bidirectional"])
@pytest.mark.parametrize("names", [("/encoder/a", "/encoder/b"), ("", "")])
def test_a_shared_encoder_stays_one(kind, direction, names):
    module = convert_onnx_to_fx(siamese(kind, names, direction))
    one, two = layers(module)
    directions = 2 if direction == "bidirectional" else 1
    assert len(list(module.parameters())) == 4 * directions
    x1, x2 = torch.randn(4, 2, 2), torch.randn(4, 2, 2)
    step(module, x1, x2)
    assert one is two
    torch.testing.assert_close(module(x1, x1), torch.zeros(directions, 2, 3))
    twin = type(one)(2, 3, bidirectional=directions == 2)
    twin.load_state_dict(one.state_dict())
    state = [s[1][0] if kind == "LSTM" else s[1] for s in (twin(x1), twin(x2))]
    torch.testing.assert_close(module(x1, x2), state[0] - state[1])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("same_bytes", [False, True])
def test_equal_bytes_tie_nothing(kind, same_bytes):
    module = convert_onnx_to_fx(two_layers(kind, same_bytes=same_bytes))
    one, two = layers(module)
    assert len(list(module.parameters())) == 8
    storages = {p.data_ptr() for p in module.parameters()}
    assert len(storages) == 8
    before = [p.detach().clone() for p in two.parameters()]
    with torch.no_grad():
        for p in one.parameters():
            p.add_(1)
    assert all(torch.equal(p, b) for p, b in zip(two.parameters(), before))


def test_a_function_called_twice_has_the_parameters_of_its_calls():
    body = helper.make_function(
        "com.example", "Encoder", ["x", "w", "r", "b"], ["h"], [recurrent("LSTM", "x", "wrb", "h", "rnn")],
        [helper.make_opsetid("", 21)],
    )  # fmt: skip
    stored = weights_of("LSTM", "1", 0) | weights_of("LSTM", "22", 0)
    nodes = [
        helper.make_node("Encoder", ["x", "w1", "r1", "b1"], ["h1"], domain="com.example"),
        helper.make_node("Encoder", ["x", "w22", "r22", "b22"], ["h2"], domain="com.example"),
        helper.make_node("Encoder", ["x", "w1", "r1", "b1"], ["h3"], domain="com.example"),
        helper.make_node("Sum", ["h1", "h2", "h3"], ["y"]),
    ]
    model = models.model(nodes, {"x": ["t", "n", 2]}, {"y": [1, "n", 3]}, stored, functions=[body])
    module = convert_onnx_to_fx(model)
    one, two, three = layers(module)
    assert len(list(module.parameters())) == 8
    assert all(a is b for a, b in zip(one.parameters(), three.parameters()))
    assert not any(a is b for a, b in zip(one.parameters(), two.parameters()))


@pytest.mark.parametrize("weights", ["random", "meta", "fake"])
def test_without_the_weights(weights):
    shared = convert_onnx_to_fx(siamese("LSTM"), weights=weights)
    apart = convert_onnx_to_fx(two_layers("LSTM", same_bytes=True), weights=weights)
    assert [len(list(m.parameters())) for m in (shared, apart)] == [4, 8]
    if weights == "random":
        x = torch.randn(4, 2, 2)
        step(shared, x, torch.randn(4, 2, 2))
        torch.testing.assert_close(shared(x, x), torch.zeros(1, 2, 3))


def save(model, folder, name):
    external_data_helper.convert_model_to_external_data(
        model, location=f"{name}.bin", size_threshold=0
    )
    onnx.save(model, folder / f"{name}.onnx")


def test_from_a_file_of_weights(tmp_path):
    for name, model in (
        ("shared", siamese("LSTM")),
        ("apart", two_layers("LSTM", same_bytes=True)),
    ):
        save(model, tmp_path, name)
        module = convert_onnx_to_fx(tmp_path / f"{name}.onnx")
        assert len(list(module.parameters())) == (4 if name == "shared" else 8)
        pairs = zip(*(m.parameters() for m in layers(module)))
        assert all((a is b) == (name == "shared") for a, b in pairs)
    (tmp_path / "shared.bin").unlink()  # cut up in the graph: the model's own tensors
    module = convert_onnx_to_fx(tmp_path / "shared.onnx", weights="meta")
    assert {n for n, _ in module.named_parameters()} == {"w", "r", "b"}


def test_one_matrix_may_be_shared_alone():
    stored = weights_of("RNN", "", 1)
    other = {"w2": models.floats(1, 3, 2, seed=9)}
    nodes = [
        recurrent("RNN", "x", ["w", "r", "b"], "h1"),
        recurrent("RNN", "x", ["w2", "r", "b"], "h2"),
        helper.make_node("Add", ["h1", "h2"], ["y"]),
    ]
    model = models.model(nodes, {"x": ["t", "n", 2]}, {"y": [1, "n", 3]}, stored | other)
    one, two = layers(convert_onnx_to_fx(model))
    assert one.weight_ih_l0 is not two.weight_ih_l0
    assert one.weight_hh_l0 is two.weight_hh_l0
    assert one.bias_ih_l0 is two.bias_ih_l0
    assert one.bias_ih_l0 is not one.bias_hh_l0


def test_options_reach_the_parts_by_the_name_of_the_whole():
    module = convert_onnx_to_fx(siamese("LSTM"), frozen=["w", "b"])
    (one, _) = layers(module)
    assert {n for n, p in one.named_parameters() if p.requires_grad} == {"weight_hh_l0"}
    assert np.isfinite(one.weight_ih_l0.detach().numpy()).all()


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_computed_of_the_models_tensors_trains_them(kind):
    """An exporter that folds nothing writes the gates' order into the graph, for each call of the encoder."""
    stored = weights_of(kind, "", 1)
    flat = {k: v[0] for k, v in stored.items()}  # torch has no axis of directions
    nodes, axis = [], helper.make_node("Constant", [], ["zero"], value_ints=[0])
    for call in "12":
        computed = {f"{k}_{call}": flat[k] for k in flat}
        nodes += [helper.make_node("Unsqueeze", [k, "zero"], [f"{k}_{call}"]) for k in flat]
        nodes.append(recurrent(kind, f"x{call}", computed, f"h{call}", f"/encoder_{call}"))
    nodes.append(helper.make_node("Sub", ["h1", "h2"], ["y"]))
    model = models.model(
        [axis, *nodes], {"x1": ["t", "n", 2], "x2": ["t", "n", 2]}, {"y": [1, "n", 3]}, flat
    )
    module = convert_onnx_to_fx(model)
    shapes = sorted(tuple(p.shape) for p in module.parameters())
    assert shapes == sorted(v.shape for v in flat.values())
    module(torch.randn(4, 2, 2), torch.randn(4, 2, 2)).pow(2).sum().backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in module.parameters())
