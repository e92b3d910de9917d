"""Parameters that the exporter's optimiser stored in another shape, or computed constants of."""

import warnings

import onnx
import pytest
import torch
from onnx import numpy_helper
from onnx_to_fx import ConversionWarning, bind, convert_onnx_to_fx
from torch import nn


class Folded(nn.Module):
    def __init__(self):
        super().__init__()
        self.gamma = nn.Parameter(torch.rand(4))
        self.beta = nn.Parameter(torch.rand(4, 3))
        self.weight = nn.Parameter(torch.rand(5, 3))
        self.scale = nn.Parameter(torch.rand(4, 1, 1))
        self.table = nn.Parameter(torch.rand(3))
        self.register_buffer("index", torch.tensor([0, 1, 0]))

    def forward(self, x):
        y = x * self.gamma.view(1, -1, 1, 1) + self.beta.unsqueeze(1)
        y = y * self.scale.exp() + self.table[self.index]
        return y @ self.weight.t()


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    torch.manual_seed(0)
    original, x = Folded().eval(), torch.rand(2, 4, 6, 3)
    path = str(tmp_path_factory.mktemp("folded") / "m.onnx")
    torch.onnx.export(original, (x,), path, dynamo=True, verbose=False)
    return original, x, path


def test_what_is_a_parameter_in_another_shape_is_that_parameter(exported):
    original, x, path = exported
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConversionWarning)
        module = convert_onnx_to_fx(path)
    torch.testing.assert_close(module(x), original(x))
    ours, theirs = dict(module.named_parameters()), dict(original.named_parameters())
    for name in ("gamma", "beta"):
        assert torch.equal(ours[name], theirs[name])
    (product,) = [p for name, p in ours.items() if name not in ("gamma", "beta")]
    assert torch.equal(product, original.weight)  # of an nn.Linear
    module(x).square().sum().backward()
    original(x).square().sum().backward()
    for got, want in ((ours["gamma"], original.gamma), (ours["beta"], original.beta), (product, original.weight)):
        torch.testing.assert_close(got.grad, want.grad)


def test_weights_come_under_the_names_and_shapes_of_the_file(exported):
    _, x, path = exported
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConversionWarning)
        want, module = convert_onnx_to_fx(path), convert_onnx_to_fx(path, weights="meta")
    state = {t.name: torch.from_numpy(numpy_helper.to_array(t).copy()) for t in onnx.load(path).graph.initializer}
    assert state["view"].shape == (1, 4, 1, 1) and state["unsqueeze"].shape == (4, 1, 3)
    bind(module, state, strict=False)
    assert torch.equal(module(x), want(x))


def test_what_was_computed_does_not_train_and_a_warning_says_so(exported):
    original, x, path = exported
    with pytest.warns(ConversionWarning) as caught:
        module = convert_onnx_to_fx(path)
    assert [str(w.message) for w in caught] == [
        "weights: constants that the exporter computed of parameters do not train: 'exp' of scale; 'index' of table\n"
        "  note: torch.onnx.export(optimize=False) leaves the parameters in the file; --trainable makes one of what was computed"
    ]
    with pytest.warns(ConversionWarning, match="'index' of table\n"):
        module = convert_onnx_to_fx(path, trainable=["exp"])
    torch.testing.assert_close(module.exp, original.scale.exp())


def test_a_view_whose_origin_has_two_shapes_keeps_its_own(tmp_path):
    class Ambiguous(nn.Module):
        def __init__(self):
            super().__init__()
            self.bias = nn.Parameter(torch.rand(2, 3))
            self.step = nn.Parameter(torch.rand(1, 3))

        def forward(self, x):
            return x + self.bias.view(6) + self.step.softmax(1).view(3, 1, 1)

    original, x = Ambiguous().eval(), torch.rand(3, 2, 6)
    path = str(tmp_path / "m.onnx")
    torch.onnx.export(original, (x,), path, dynamo=True, verbose=False)
    with pytest.warns(ConversionWarning, match="'view_1' of step\n"):
        module = convert_onnx_to_fx(path)
    assert {n: p.shape for n, p in module.named_parameters()} == {"view": torch.Size([6])}
    torch.testing.assert_close(module(x), original(x))
