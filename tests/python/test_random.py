"""Operators with a seed: reproducible, whatever torch's generator does; the others follow it."""

import copy

import models
import numpy as np
import pytest
import torch
from onnx import TensorProto, helper
from onnx_to_fx import convert_onnx_to_fx, report

N = 20000
PROBABILITIES = np.full((100, 200), 0.3, np.float32)
LOGITS = np.log(np.array([[0.5, 0.0, 0.3, 0.2]], np.float32).clip(1e-30)).repeat(2, 0)
LOGITS[:, 1] = -np.inf
#: operator -> (input, attributes)
OPERATORS = {
    "RandomNormal": (None, {"shape": [100, 200], "mean": 2.0, "scale": 3.0}),
    "RandomNormalLike": (PROBABILITIES, {"mean": -1.0}),
    "RandomUniform": (None, {"shape": [100, 200], "low": -1.0, "high": 3.0}),
    "RandomUniformLike": (PROBABILITIES, {"dtype": TensorProto.DOUBLE}),
    "Bernoulli": (PROBABILITIES, {}),
    "Multinomial": (LOGITS, {"sample_size": N // 2, "dtype": TensorProto.INT64}),
}


def drawing(operator, **seed):
    """A model of one node, and its inputs."""
    x, attributes = OPERATORS[operator]
    name = [] if x is None else ["x"]
    node = helper.make_node(operator, name, ["y"], name="noise", **attributes, **seed)
    inputs = {"x": list(x.shape)} if name else {}
    dtype = attributes.get("dtype", TensorProto.FLOAT)
    model = models.model([node], inputs, {"y": (dtype, [None, None])})
    return model, [torch.from_numpy(x)] if name else []


def draws(model, inputs, times=2):
    module = convert_onnx_to_fx(model)
    return [module(*inputs) for _ in range(times)]


@pytest.mark.parametrize("operator", OPERATORS)
def test_a_seed_gives_the_same_numbers_after_every_load(operator):
    model, inputs = drawing(operator, seed=7.0)
    torch.manual_seed(0)
    state = torch.get_rng_state()
    first, second = draws(model, inputs)
    assert torch.equal(torch.get_rng_state(), state)
    assert not torch.equal(first, second)
    torch.manual_seed(1)
    again = draws(model, inputs)
    assert torch.equal(again[0], first) and torch.equal(again[1], second)


@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize("seed", [8.0, 7.5, -7.0])
def test_another_seed_gives_others(operator, seed):
    model, inputs = drawing(operator, seed=7.0)
    other, _ = drawing(operator, seed=seed)
    assert not torch.equal(draws(model, inputs, 1)[0], draws(other, inputs, 1)[0])


@pytest.mark.parametrize("operator", OPERATORS)
def test_without_a_seed_torchs_generator_draws(operator):
    model, inputs = drawing(operator)
    module = convert_onnx_to_fx(model)
    targets = [str(n.target) for n in module.graph.nodes if n.op == "call_function"]
    assert not [t for t in targets if "seeded" in t] and not list(module.buffers())
    torch.manual_seed(3)
    first, second = module(*inputs), module(*inputs)
    torch.manual_seed(3)
    assert torch.equal(module(*inputs), first) and not torch.equal(first, second)


def within(value, expected, deviation, count):
    """Five standard deviations of the mean of so many draws."""
    return abs(value - expected) < 5 * deviation / count**0.5


@pytest.mark.parametrize("seed", [0.0, 1.0, 123456.0])
def test_the_distributions(seed):
    def drawn(operator):
        model, inputs = drawing(operator, seed=seed)
        return draws(model, inputs, 1)[0]

    normal = drawn("RandomNormal").double()
    assert normal.dtype == torch.float64 and within(normal.mean(), 2, 3, N)
    assert within(((normal - 2) / 3).square().mean(), 1, 2**0.5, N)
    assert within(((normal - 2) / 3).pow(4).mean(), 3, 96**0.5, N)
    uniform = drawn("RandomUniform")
    assert uniform.dtype == torch.float32 and uniform.min() >= -1 and uniform.max() < 3
    counts = torch.histc(uniform.double(), 100, -1, 3)
    assert 60 < ((counts - N / 100) ** 2 / (N / 100)).sum() < 150  # chi-squared, 99 degrees
    assert drawn("RandomUniformLike").dtype == torch.float64
    assert within(drawn("Bernoulli").mean(), 0.3, 0.21**0.5, N)
    classes = torch.bincount(drawn("Multinomial").flatten(), minlength=4) / N
    assert classes[1] == 0
    for share, expected in zip(classes, [0.5, 0, 0.3, 0.2]):
        assert abs(share - expected) < 0.02


def test_numbers_are_splitmix64_of_seed_draw_and_place():
    """The same as tests/runtime/op_test.cpp expects of C++."""
    node = helper.make_node(
        "RandomUniform", [], ["y"], shape=[2], dtype=TensorProto.DOUBLE, seed=1.0
    )
    module = convert_onnx_to_fx(models.model([node], {}, {"y": (TensorProto.DOUBLE, [2])}))
    for expected in ([0.2558852031320078, 0.08832385701148338], None):
        y = module().tolist()
        assert expected is None or y == expected
        assert y == [splitmix64(mixed(mixed(1) + GOLDEN * (expected is None)), i) for i in (1, 2)]


GOLDEN = 0x9E3779B97F4A7C15


def mixed(z):
    z %= 2**64
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
    return z ^ (z >> 31)


def splitmix64(key, place):
    return (mixed(key + place * GOLDEN) >> 11) * 2.0**-53


def test_two_nodes_of_one_seed_are_alike_and_do_not_disturb_each_other():
    nodes = [
        helper.make_node("RandomNormal", [], [y], name="noise", shape=[8], seed=3.0)
        for y in ("a", "b")
    ]
    module = convert_onnx_to_fx(models.model(nodes, {}, {"a": [8], "b": [8]}))
    first, second = module(), module()
    assert torch.equal(*first) and torch.equal(*second) and not torch.equal(first[0], second[0])


@pytest.mark.parametrize("dtype", [TensorProto.FLOAT16, TensorProto.BFLOAT16])
@pytest.mark.parametrize("operator", ["RandomUniform", "RandomNormal"])
def test_narrow_types_keep_to_the_range(operator, dtype):
    node = helper.make_node(operator, [], ["y"], shape=[N], dtype=dtype, seed=2.0)
    y = convert_onnx_to_fx(models.model([node], {}, {"y": (dtype, [N])}))()
    assert y.dtype == {10: torch.float16, 16: torch.bfloat16}[dtype]
    assert y.isfinite().all()
    if operator == "RandomUniform":
        assert 0 <= y.min() and y.max() < 1


# ---- Dropout


def dropout(outputs=("y",), **attributes):
    node = helper.make_node("Dropout", ["x", "ratio"], list(outputs), name="drop", **attributes)
    mask = {"mask": (TensorProto.BOOL, ["n", 8])} if len(outputs) > 1 else {}
    ratio = {"ratio": np.float32(0.25)}
    return models.model([node], {"x": ["n", 8]}, {"y": ["n", 8], **mask}, ratio)


@pytest.mark.parametrize("dialect", ["nn", "aten"])
def test_seeded_dropout_drops_in_training_only(dialect):
    module = convert_onnx_to_fx(dropout(seed=5), dialect=dialect)
    x = torch.rand(1000, 8) + 1
    assert torch.equal(module(x), x)
    module = convert_onnx_to_fx(dropout(seed=5), dialect=dialect, training=True)
    y = module(x)
    assert within((y == 0).double().mean(), 0.25, 0.1875**0.5, 8000)
    torch.testing.assert_close(y[y != 0], x[y != 0] / 0.75)


def test_every_step_has_another_mask_and_a_reload_starts_afresh():
    def masks(module, steps):
        return [module(torch.ones(50, 8))[1] for _ in range(steps)]

    model = dropout(("y", "mask"), seed=5)
    module = convert_onnx_to_fx(model).train()
    all_masks = masks(module, 4)
    assert not any(torch.equal(a, b) for a, b in zip(all_masks, all_masks[1:]))
    fresh = convert_onnx_to_fx(model).eval()
    assert masks(fresh, 1)[0].all()  # draws nothing
    twin = copy.deepcopy(fresh.train())
    for a, b, c in zip(all_masks, masks(fresh, 2), masks(twin, 2)):
        assert torch.equal(a, b) and torch.equal(a, c)


def test_a_state_dict_goes_on_where_it_was_saved():
    model = dropout(seed=5)
    module, x = convert_onnx_to_fx(model).train(), torch.ones(50, 8)
    module(x)
    assert list(module.state_dict()) == ["drop.draws"]
    resumed = convert_onnx_to_fx(model).train()
    resumed.load_state_dict(module.state_dict())
    assert torch.equal(resumed(x), module(x))


def test_gradients_pass_where_nothing_was_dropped():
    module = convert_onnx_to_fx(dropout(("y", "mask"), seed=5)).train()
    x = torch.ones(50, 8, requires_grad=True)
    y, mask = module(x)
    y.sum().backward()
    torch.testing.assert_close(x.grad, mask / 0.75)


# ---- inside other things


def noisy_loop(trips: int | None):
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["go"], ["stay"]),
            helper.make_node("RandomUniform", [], ["u"], name="noise", shape=[2], seed=1.0),
        ],
        "body",
        [models.port("i", (TensorProto.INT64, [])), models.port("go", (TensorProto.BOOL, []))],
        [models.port("stay", (TensorProto.BOOL, [])), models.port("u", [2])],
    )
    node = helper.make_node("Loop", ["n", ""], ["y"], body=body)
    inputs = {} if trips else {"n": (TensorProto.INT64, [])}
    given = {"n": np.int64(trips)} if trips else {}
    return models.model([node], inputs, {"y": [None, 2]}, given)


def test_each_step_of_a_loop_draws_others():
    known, unknown = convert_onnx_to_fx(noisy_loop(3)), convert_onnx_to_fx(noisy_loop(None))
    first = known()
    assert first.shape == (3, 2) and len(first.flatten().unique()) == 6
    assert torch.equal(unknown(torch.tensor(3)), first)
    assert torch.equal(unknown(torch.tensor(3)), known())


def test_export_keeps_the_seed():
    module = convert_onnx_to_fx(dropout(seed=5)).train()
    batch = torch.export.Dim("batch", min=2)
    exported = torch.export.export(
        module, (torch.ones(4, 8),), dynamic_shapes=({0: batch},), strict=False
    ).module()
    fresh, x = convert_onnx_to_fx(dropout(seed=5)).train(), torch.ones(30, 8)
    for _ in range(2):
        assert torch.equal(exported(x), fresh(x))


def test_the_report_says_that_the_seed_is_kept():
    model, _ = drawing("RandomNormal", seed=1.0)
    (node,) = report(convert_onnx_to_fx(model))["nodes"]
    assert node["notes"] == [
        {
            "seed": "kept: a generator of the node's own; it starts afresh when the module is "
            "loaded, its count of draws is part of the state_dict"
        }
    ]
