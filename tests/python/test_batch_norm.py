"""BatchNormalization of an export in training mode: a state that follows train() and eval()."""

import json
import subprocess
import sys
import warnings

import models
import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import helper
from onnx.reference import ReferenceEvaluator
from onnx_to_fx import convert_onnx_to_fx
from torch import nn

STATE = {
    "scale": models.floats(3, seed=1),
    "bias": models.floats(3, seed=2),
    "mean": models.floats(3, seed=3),
    "variance": np.abs(models.floats(3, seed=4)) + 0.5,
}


def batch_norm(outputs=("y",), opset=21, inputs=(), **attributes):
    attributes = {"momentum": 0.97, "name": "bn"} | attributes
    node = helper.make_node("BatchNormalization", ["x", *STATE], list(outputs), **attributes)
    shapes = {o: ["n", 3, 4, 4] if o == "y" else [3] for o in outputs}
    taken = {i: [3] for i in inputs}
    stored = {k: v for k, v in STATE.items() if k not in inputs}
    return models.model([node], {"x": ["n", 3, 4, 4], **taken}, shapes, stored, opset=opset)


def original():
    bn = nn.BatchNorm2d(3, momentum=0.03)
    values = (torch.from_numpy(v.copy()) for v in STATE.values())
    bn.load_state_dict(dict(zip(("weight", "bias", "running_mean", "running_var"), values)), strict=False)
    return bn


def of_runtime(model, x):
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x.numpy()})


@pytest.mark.parametrize("outputs", [["y"], ["y", "running_mean", "running_var"]])
def test_a_state_follows_the_mode(outputs):
    x = torch.randn(5, 3, 4, 4) * 2 + 1
    module, bn = convert_onnx_to_fx(batch_norm(outputs, training_mode=1)), original()
    first = lambda result: result if len(outputs) == 1 else result[0]  # noqa: E731
    exported_for_use = of_runtime(batch_norm(), x)[0]
    np.testing.assert_allclose(first(module(x)).detach(), exported_for_use, rtol=1e-5, atol=1e-6)
    module.train()
    expected = ReferenceEvaluator(batch_norm(outputs, training_mode=1)).run(None, {"x": x.numpy()})
    for got, value in zip([module(x)] if len(outputs) == 1 else module(x), expected):
        np.testing.assert_allclose(got.detach(), value, rtol=1e-4, atol=1e-5)
    bn(x)
    module(x), bn(x)
    (child,) = (m for m in module.modules() if isinstance(m, nn.BatchNorm2d))
    assert child.momentum == 0.03
    for name, value in bn.state_dict().items():
        assert torch.equal(child.state_dict()[name], value), name
    torch.testing.assert_close(first(module.eval()(x)), bn.eval()(x))


def test_running_statistics_as_outputs_are_the_state_in_eval():
    outputs = ["y", "running_mean", "running_var"]
    module = convert_onnx_to_fx(batch_norm(outputs, training_mode=1))
    x = torch.randn(2, 3, 4, 4)
    for got, name in zip(module(x)[1:], ("mean", "variance")):
        np.testing.assert_array_equal(got, STATE[name])
    # in train() they are ONNX's: the variance is that of the population
    _, mean, variance = module.train()(x)
    torch.testing.assert_close(mean, 0.97 * torch.from_numpy(STATE["mean"]) + 0.03 * x.mean((0, 2, 3)))
    batch = x.var((0, 2, 3), correction=0)
    torch.testing.assert_close(variance, 0.97 * torch.from_numpy(STATE["variance"]) + 0.03 * batch)


def test_outputs_tell_the_mode_before_opset_14():
    outputs = ["y", "running_mean", "running_var", "saved_mean", "saved_var"]
    module = convert_onnx_to_fx(batch_norm(outputs, opset=13))
    x = torch.randn(4, 3, 4, 4)
    bn = original()
    torch.testing.assert_close(module(x)[0], bn.eval()(x))
    result = module.train()(x)
    torch.testing.assert_close(result[0], bn.train()(x))
    torch.testing.assert_close(result[3], x.mean((0, 2, 3)))
    torch.testing.assert_close(result[4], x.var((0, 2, 3), correction=0))


def test_computed_running_statistics_are_no_state():
    model = batch_norm(training_mode=1, inputs=("mean", "variance"))
    module = convert_onnx_to_fx(model, debug=True)
    x, mean, variance = torch.randn(4, 3, 4, 4), torch.zeros(3), torch.ones(3)
    expected = ReferenceEvaluator(model).run(
        None, {"x": x.numpy(), "mean": mean.numpy(), "variance": variance.numpy()}
    )
    for mode in (False, True):
        got = module.train(mode)(x, mean, variance)
        np.testing.assert_allclose(got.detach(), expected[0], rtol=1e-4, atol=1e-5)
    assert not list(module.buffers())


@pytest.mark.parametrize(
    "momentum", [0.1, 0.01, 0.03, 0.001, 0.0003, 0.25, 0.0, 1.0, 0.123456]
)
def test_momentum_is_that_of_the_original(momentum):
    kept = float(np.float32(1 - momentum))
    module = convert_onnx_to_fx(batch_norm(momentum=kept, training_mode=1))
    (child,) = (m for m in module.modules() if isinstance(m, nn.BatchNorm2d))
    assert child.momentum == pytest.approx(momentum, abs=1e-15)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.bn = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, momentum=0.03)
        self.fc, self.last = nn.Linear(4, 2), nn.BatchNorm1d(2)

    def forward(self, x):
        return self.last(self.fc(torch.relu(self.bn(self.conv(x))).mean((2, 3))))


@pytest.mark.parametrize("dynamo", [False, True])
def test_exports_in_training_mode_train_on(dynamo, tmp_path):
    """README's recipe: same outputs, statistics and weights as the original, step by step."""
    torch.manual_seed(0)
    net, x = Net().train(), torch.randn(6, 3, 8, 8)
    form = {"dynamo": True, "optimize": False} if dynamo else {"dynamo": False, "do_constant_folding": False}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            net, (x,), tmp_path / "net.onnx", training=torch.onnx.TrainingMode.PRESERVE, verbose=False, **form
        )
    module = convert_onnx_to_fx(tmp_path / "net.onnx")
    held = dict(module.state_dict())
    net.load_state_dict({k: v.clone() for k, v in held.items()})
    assert {n: type(m) for n, m in net.named_children()} == {
        n: type(m) for n, m in module.named_children()
    }
    for both in (net, module):
        optimizer = torch.optim.SGD(both.parameters(), lr=0.1)
        both.train()
        for step in range(3):
            optimizer.zero_grad()
            both(x + step).square().sum().backward()
            optimizer.step()
    for name, value in net.state_dict().items():
        torch.testing.assert_close(module.state_dict()[name], value, rtol=1e-5, atol=1e-6, msg=name)
    torch.testing.assert_close(module.eval()(x), net.eval()(x), rtol=1e-5, atol=1e-6)


def test_the_report_says_so(tmp_path):
    onnx.save(batch_norm(training_mode=1), tmp_path / "model.onnx")
    command = [sys.prefix + "/bin/onnx2fx", tmp_path / "model.onnx", "-o", tmp_path / "out"]
    subprocess.run(command, check=True)
    (node,) = json.loads((tmp_path / "out/report.json").read_text())["nodes"]
    assert node["notes"] == [
        {
            "training_mode": "1: follows train() and eval(); the state's running variance is torch's,"
            " of a sample (n - 1), ONNX's that of the population"
        }
    ]


class Standardized(nn.Conv2d):
    """As in NFNets: the weight is normalized by its own statistics in each call."""

    def forward(self, x):
        flat = nn.functional.batch_norm(self.weight.reshape(1, len(self.weight), -1), None, None, training=True)
        return nn.functional.conv2d(x, flat.reshape_as(self.weight), self.bias)


@pytest.mark.parametrize("dynamo", [True, False])
def test_statistics_that_are_computed_have_gradients(tmp_path, dynamo):
    torch.manual_seed(0)
    net, x = Standardized(3, 4, 3).eval(), torch.randn(2, 3, 6, 6)
    options = {"verbose": False} if dynamo else {"do_constant_folding": False}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(net, (x,), tmp_path / "m.onnx", dynamo=dynamo, optimize=False, **options)
    module = convert_onnx_to_fx(tmp_path / "m.onnx")
    torch.testing.assert_close(module(x), net(x))
    module(x).square().sum().backward()
    net(x).square().sum().backward()
    torch.testing.assert_close(module.get_parameter("weight").grad, net.weight.grad, rtol=1e-4, atol=1e-4)
