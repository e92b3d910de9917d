"""ai.onnx.preview.training.Gradient: derivatives of a part of the graph."""

import models
import numpy as np
import pytest
import torch
from onnx import TensorProto, helper
from onnx_to_fx import ConversionError, convert_onnx_to_fx

TRAINING = "ai.onnx.preview.training"


def node(*arguments, **attributes):
    return helper.make_node(*arguments, **attributes)


def gradient(inputs, outputs, xs, y, zs=()):
    named = {"xs": list(xs), "y": y} | ({"zs": list(zs)} if zs else {})
    return node("Gradient", list(inputs), list(outputs), domain=TRAINING, name="d", **named)


def converted(nodes, inputs, outputs, initializers=()):
    model = models.model(nodes, inputs, outputs, initializers)
    model.opset_import.append(helper.make_opsetid(TRAINING, 1))
    return convert_onnx_to_fx(model)


def test_derivatives_of_a_layer_by_weight_and_input():
    """W and Z of ONNX's example, with X as a variable that is not differentiated."""
    module = converted(
        [
            node("MatMul", ["x", "w"], ["h"]),
            node("Tanh", ["h"], ["t"]),
            node("Mul", ["t", "z"], ["p"]),
            node("ReduceSum", ["p"], ["y"], keepdims=0),
            gradient(["w", "z", "x"], ["dw", "dz"], ["w", "z"], "y", ["x"]),
        ],
        {"x": ["n", 3], "w": [3, 4], "z": [4]},
        {"y": [], "dw": [3, 4], "dz": [4]},
    )
    x, w, z = torch.randn(5, 3), torch.randn(3, 4), torch.randn(4)
    y, dw, dz = module(x, w, z)
    ones = [w.clone().requires_grad_(), z.clone().requires_grad_()]
    expected_y = ((x @ ones[0]).tanh() * ones[1]).sum()
    torch.testing.assert_close(y, expected_y.detach())
    for got, expected in zip((dw, dz), torch.autograd.grad(expected_y, ones)):
        torch.testing.assert_close(got, expected)


def test_at_other_values_than_those_of_the_graph():
    """dY/dH at H_1 and Z_1; what leads to H is not run for it."""
    module = converted(
        [
            node("Exp", ["x"], ["h"]),
            node("Mul", ["h", "z"], ["hz"]),
            node("Mul", ["hz", "h"], ["y"]),
            gradient(["h1", "z1"], ["dh", ""], ["h", "z"], "y"),
        ],
        {"x": [2], "z": [2], "h1": [2], "z1": [2]},
        {"y": [2], "dh": [2]},
    )
    x, z, h1, z1 = torch.randn(4, 2).unbind()
    y, dh = module(x, z, h1, z1)
    torch.testing.assert_close(y, x.exp() ** 2 * z)
    torch.testing.assert_close(dh, 2 * h1 * z1)


def test_second_derivatives_and_what_does_not_matter():
    module = converted(
        [
            node("Pow", ["x", "three"], ["p"]),
            node("Mul", ["p", "w"], ["y"]),
            gradient(["x", "w"], ["dx", "dw"], ["x", "w"], "y"),
            gradient(["x", "w", "u"], ["dxx", "dxw", "dxu"], ["x", "w", "u"], "dx"),
        ],
        {"x": [2], "w": [2], "u": [3]},
        {"dx": [2], "dw": [2], "dxx": [2], "dxw": [2], "dxu": [3]},
        {"three": np.float32(3)},
    )
    x, w = (torch.rand(2, 2) + 1).unbind()
    dx, dw, dxx, dxw, dxu = module(x, w, torch.ones(3))
    torch.testing.assert_close(dx, 3 * x**2 * w)
    torch.testing.assert_close(dw, x**3)
    torch.testing.assert_close(dxx, 6 * x * w)
    torch.testing.assert_close(dxw, 3 * x**2)
    assert torch.equal(dxu, torch.zeros(3))


def test_a_gradient_trains_the_weights_that_it_depends_on():
    """A penalty on the gradient by the input; finite differences of the whole."""
    weight = models.floats(3, 4, seed=1).astype(np.float64)
    module = converted(
        [
            node("MatMul", ["x", "w"], ["h"]),
            node("Tanh", ["h"], ["t"]),
            gradient(["x"], ["dx"], ["x"], "t"),
            node("ReduceSumSquare", ["dx"], ["penalty"], keepdims=0),
        ],
        {"x": (TensorProto.DOUBLE, ["n", 3])},
        {"penalty": (TensorProto.DOUBLE, [])},
        {"w": weight},
    )
    x = torch.randn(2, 3, dtype=torch.float64)
    (parameter,) = module.parameters()
    module(x).backward()

    def value(w):
        with torch.no_grad():
            parameter.copy_(w)
            return module(x)

    for i in range(12):
        step = torch.zeros(12, dtype=torch.float64)
        step[i] = 1e-5
        step = step.reshape(3, 4)
        start = torch.from_numpy(weight)
        slope = (value(start + step) - value(start - step)) / 2e-5
        torch.testing.assert_close(parameter.grad.flatten()[i], slope, rtol=1e-5, atol=1e-7)


def test_a_value_that_the_graph_does_not_compute_is_refused():
    with pytest.raises(ConversionError) as caught:
        converted(
            [node("Exp", ["x"], ["y"]), gradient(["x"], ["dx"], ["x"], "elsewhere")],
            {"x": [2]},
            {"dx": [2]},
        )
    assert str(caught.value).splitlines()[0].endswith(
        "node 'd' (ai.onnx.preview.training.Gradient, opset 1): value 'elsewhere': expected one"
        " that the graph of this node computes from the values named, got none"
    )


def test_integers_have_no_derivative():
    with pytest.raises(ConversionError) as caught:
        converted(
            [node("Identity", ["x"], ["y"]), gradient(["x"], ["dx"], ["x"], "y")],
            {"x": (TensorProto.INT64, [2])},
            {"dx": (TensorProto.INT64, [2])},
        )
    assert "attribute 'xs': 'x': expected a floating type" in str(caught.value)


def test_values_that_need_each_other_are_refused():
    with pytest.raises(ConversionError) as caught:
        converted(
            [gradient(["x"], ["a"], ["x"], "b"), gradient(["x"], ["b"], ["x"], "a")],
            {"x": [2]},
            {"a": [2], "b": [2]},
        )
    assert "it is computed from itself, or 64 levels deep" in str(caught.value)
