"""QuantizeLinear and DequantizeLinear in a row: the values of ONNX, a straight-through gradient."""

import ml_dtypes
import models
import numpy as np
import onnx.parser
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper
from onnx_to_fx import convert_onnx_to_fx

RANGES = {"int8": (-128, 127), "uint8": (0, 255), "int16": (-32768, 32767), "int4": (-8, 7)}
DTYPES = {"int8": np.int8, "uint8": np.uint8, "int16": np.int16, "int4": ml_dtypes.int4}


def pair(shape, scale, zero, axis=None, name=""):
    """x -> y, its own scale and zero point at either end, as exporters write them."""
    attributes = {} if axis is None else {"axis": axis}
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s1", "z1"], ["q"], **attributes),
        helper.make_node("DequantizeLinear", ["q", "s2", "z2"], ["y"], **attributes),
    ]
    stored = {"s1": scale, "s2": scale, "z1": zero, "z2": zero}
    return models.model(nodes, {"x": shape}, {"y": shape}, stored, opset=21)


def of_runtime(model, *inputs):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return session.run(None, {i.name: x for i, x in zip(session.get_inputs(), inputs)})


def targets(module):
    return [n.target for n in module.graph.nodes if n.op == "call_function"]


def is_fake(target):
    return "fake_quantize_per_tensor_affine" in str(target)


def hard_numbers(scale, least, greatest, zero):
    """Ties, ties of the quotient alone, both sides of the ends, far out, at random."""
    steps = np.arange(least - zero - 3, greatest - zero + 4, dtype=np.float32)
    if len(steps) > 2000:
        steps = np.concatenate([steps[:500], steps[-500:]])
    ties = (steps + np.float32(0.5)) * np.float32(scale)
    near = np.concatenate([ties, np.nextafter(ties, -np.inf), np.nextafter(ties, np.inf)])
    far = np.array([np.inf, -np.inf, 3e38, -3e38, 1e20, -1e20, 0.0, -0.0], np.float32)
    return np.concatenate([near, steps * np.float32(scale), far, models.floats(500) * 40]).astype(np.float32)


def through(x, scale, zero, least, greatest):
    """The straight-through gradient of a sum over the round trip."""
    with np.errstate(over="ignore"):
        step = np.rint(x / scale) + zero
    return ((step >= least) & (step <= greatest)).astype(np.float32)


def check_straight_through(model, x, gradient):
    """One fake_quantize, ONNX Runtime's values, and this gradient of their sum."""
    module = convert_onnx_to_fx(model)
    assert sum(map(is_fake, targets(module))) == 1
    given = torch.from_numpy(x).requires_grad_()
    got = module(given)
    np.testing.assert_array_equal(got.detach(), of_runtime(model, x)[0])
    got.backward(torch.ones_like(got))
    np.testing.assert_allclose(given.grad, gradient, rtol=1e-6)


@pytest.mark.parametrize("dtype", RANGES)
@pytest.mark.parametrize("scale", [0.5, 0.1, 0.0123, 1 / 3, 7.7e-6])
@pytest.mark.parametrize("zero", [0, 3])
def test_values_and_gradient(dtype, scale, zero):
    least, greatest = RANGES[dtype]
    x = hard_numbers(scale, least, greatest, zero)
    model = pair(["n"], np.float32(scale), np.array(zero, DTYPES[dtype]))
    check_straight_through(model, x, through(x, np.float32(scale), zero, least, greatest))


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
def test_each_channel(dtype):
    scale = np.array([0.5, 0.1, 0.037], np.float32)
    zero = np.full(3, 2, DTYPES[dtype])
    model = pair([2, 3, 50], scale, zero, axis=1)
    x = models.floats(2, 3, 50) * 9
    x[0, :, :9] = (np.arange(9) + 0.5) * scale[:, None]
    check_straight_through(model, x, through(x, scale[:, None], 2, *RANGES[dtype]))


def test_each_channel_with_zero_points_of_its_own_keeps_its_values():
    scale, zero = np.array([0.5, 0.1], np.float32), np.array([1, 5], np.uint8)
    model = pair([2, 40], scale, zero, axis=0)
    x = models.floats(2, 40) * 9
    got = convert_onnx_to_fx(model)(torch.from_numpy(x))
    np.testing.assert_array_equal(got, of_runtime(model, x)[0])


def quantized_net():
    """Linear, relu, linear: activations and weights quantized, the biases int32 in the file."""
    def qdq(x, y, scale, zero, axis=None):
        attributes = {} if axis is None else {"axis": axis}
        return [
            helper.make_node("QuantizeLinear", [x, scale, zero], [y + "_q"], **attributes),
            helper.make_node("DequantizeLinear", [y + "_q", scale, zero], [y], **attributes),
        ]

    nodes = [
        *qdq("x", "xd", "sx", "z8"),
        *qdq("w1", "w1d", "sw1", "zw1", 0),
        helper.make_node("Gemm", ["xd", "w1d", "b1"], ["h"], transB=1),
        helper.make_node("Relu", ["h"], ["r"]),
        *qdq("r", "rd", "sr", "zr"),
        *qdq("w2", "w2d", "sw2", "z8"),
        helper.make_node("DequantizeLinear", ["b2q", "sb2"], ["b2"]),
        helper.make_node("Gemm", ["rd", "w2d", "b2"], ["y"], transB=1),
    ]
    stored = {
        "w1": models.floats(8, 4, seed=1),
        "b1": models.floats(8, seed=2),
        "w2": models.floats(3, 8, seed=3),
        "b2q": np.array([5, -3, 100], np.int32),
        "sb2": np.float32(0.001),
        "sx": np.float32(0.03),
        "sw1": np.abs(models.floats(8, seed=4)) * 0.01 + 0.01,
        "sr": np.float32(0.02),
        "sw2": np.float32(0.02),
        "z8": np.int8(0),
        "zw1": np.zeros(8, np.int8),
        "zr": np.uint8(0),
    }
    return models.model(nodes, {"x": ["n", 4]}, {"y": ["n", 3]}, stored, opset=19)


def test_a_quantized_model_trains():
    torch.manual_seed(0)
    model = quantized_net()
    module = convert_onnx_to_fx(model)
    assert {n for n, _ in module.named_parameters()} == {"w1", "b1", "w2"}
    x = models.floats(6, 4)
    np.testing.assert_allclose(module(torch.from_numpy(x)).detach(), of_runtime(model, x)[0], rtol=1e-6, atol=1e-6)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.2)
    losses = []
    for _ in range(20):
        optimizer.zero_grad()
        loss = module(torch.from_numpy(x)).square().mean()
        loss.backward()
        assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in module.parameters())
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 2
    assert {n for n, _ in module.named_buffers() if "b2q" in n} == {"constants.b2q"}


def test_it_exports_and_changes_its_type():
    module = convert_onnx_to_fx(quantized_net())
    x = torch.from_numpy(models.floats(6, 4))
    program = torch.export.export(module, (x,)).run_decompositions()
    torch.testing.assert_close(program.module()(x), module(x))
    module = convert_onnx_to_fx(pair(["n"], np.float32(0.1), np.int8(0)))
    x = torch.tensor([-0.25, 0.04, 0.16, 20.0])
    for dtype in (torch.float64, torch.bfloat16, torch.float16):
        got = module.to(dtype)(x.to(dtype))
        assert got.dtype == dtype
        torch.testing.assert_close(got.float(), module.float()(x), rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize("dialect", ["nn", "aten"])
def test_it_exports_with_any_number_of_rows(dialect):
    module = convert_onnx_to_fx(quantized_net(), dialect=dialect)
    sizes = ({0: torch.export.Dim("n", min=2)},)
    program = torch.export.export(module, (torch.from_numpy(models.floats(6, 4)),), dynamic_shapes=sizes)
    x = torch.from_numpy(models.floats(9, 4))
    torch.testing.assert_close(program.run_decompositions().module()(x), module(x))


def test_integers_that_are_read_as_such_stay():
    """The integers are an output: they stay, and so does the other branch's gradient."""
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["y"]),
        helper.make_node("DequantizeLinear", ["q", "s", "other"], ["w"]),
    ]
    stored = {"s": np.float32(0.1), "z": np.uint8(10), "other": np.uint8(12)}
    ports = {"q": (TensorProto.UINT8, ["n"]), "y": ["n"], "w": ["n"]}
    model = models.model(nodes, {"x": ["n"]}, ports, stored)
    x = models.floats(200) * 9
    given = torch.from_numpy(x).requires_grad_()
    results = convert_onnx_to_fx(model)(given)
    for got, expected in zip(results, of_runtime(model, x)):
        np.testing.assert_array_equal(got.detach(), expected)
    (results[1] + results[2]).sum().backward()
    step = np.rint(x / np.float32(0.1)) + 10
    np.testing.assert_allclose(given.grad, 2.0 * ((step >= 0) & (step <= 255)), rtol=1e-6)


@pytest.mark.parametrize("dtype", RANGES)
def test_each_channel_with_a_zero_point_of_its_own(dtype):
    least, greatest = RANGES[dtype]
    scale, zero = np.array([0.5, 0.1, 0.037], np.float32), np.array([least, 3, greatest])
    model = pair([3, "n"], scale, zero.astype(DTYPES[dtype]), axis=0)
    x = np.stack([hard_numbers(s, least, greatest, z) for s, z in zip(scale, zero)])
    check_straight_through(model, x, through(x, scale[:, None], zero[:, None], least, greatest))


def narrow(dtype, bounds, zero, axis=None):
    """x -> y with a Clip of the integers, whose zero points are int32 buffers behind Casts."""
    onnx_type = helper.np_dtype_to_tensor_dtype(np.dtype(DTYPES[dtype]))
    attributes = {} if axis is None else {"axis": axis}
    scale = np.array([0.5, 0.1], np.float32) if np.ndim(zero) else np.float32(0.1)
    names = ["low" if bounds[0] is not None else "", "high" if bounds[1] is not None else ""]
    nodes = [
        helper.make_node("Cast", ["zeros"], ["z1"], to=onnx_type),
        helper.make_node("QuantizeLinear", ["x", "s", "z1"], ["q"], **attributes),
        helper.make_node("Clip", ["q", *names], ["c"]),
        helper.make_node("Cast", ["zeros"], ["z2"], to=onnx_type),
        helper.make_node("DequantizeLinear", ["c", "s", "z2"], ["y"], **attributes),
    ]
    stored = {"zeros": np.array(zero, np.int32), "s": scale}
    stored |= {n: DTYPES[dtype](b) for n, b in zip(names, bounds) if n}
    shape = [2, "n"] if np.ndim(zero) else ["n"]
    return models.model(nodes, {"x": shape}, {"y": shape}, stored, opset=19)


@pytest.mark.parametrize("dtype, bounds", [("int8", (-127, 127)), ("int8", (-127, None)), ("uint8", (None, 200))])
@pytest.mark.parametrize("zero", [0, 3, [0, 0], [5, 100]])
def test_a_narrow_range_and_zero_points_behind_a_cast(dtype, bounds, zero):
    model = narrow(dtype, bounds, zero, axis=0 if np.ndim(zero) else None)
    least, greatest = (r if b is None else b for r, b in zip(RANGES[dtype], bounds))
    z, scale = np.asarray(zero), np.float32(0.1)
    x = hard_numbers(0.1, least, greatest, 3)
    if z.ndim:
        x, z, scale = np.stack([x, x]), z[:, None], np.array([[0.5], [0.1]], np.float32)
    check_straight_through(model, x, through(x, scale, z, least, greatest))


def test_zero_points_in_a_buffer_are_read_when_it_runs():
    """Another state dict brings others: they are no numbers of the program."""
    module = convert_onnx_to_fx(narrow("int8", (-127, 127), [0, 0], axis=0))
    x = models.floats(2, 50) * 40
    zero = np.array([7, -9], np.int32)
    (name,) = [n for n, b in module.named_buffers() if b.dtype == torch.int32]
    module.get_buffer(name).copy_(torch.from_numpy(zero))
    expected = of_runtime(narrow("int8", (-127, 127), zero, axis=0), x)[0]
    np.testing.assert_array_equal(module(torch.from_numpy(x)), expected)


def test_every_parameter_behind_a_narrow_range_has_a_gradient():
    """Weights as PyTorch's exporter writes those of quantisation-aware training, without folding."""
    nodes = [
        helper.make_node("Cast", ["zeros"], ["z1"], to=TensorProto.INT8),
        helper.make_node("QuantizeLinear", ["fc.weight", "s", "z1"], ["q"], axis=0),
        helper.make_node("Clip", ["q", "low", "high"], ["c"]),
        helper.make_node("Cast", ["zeros"], ["z2"], to=TensorProto.INT8),
        helper.make_node("DequantizeLinear", ["c", "s", "z2"], ["w"], axis=0),
        helper.make_node("Gemm", ["x", "w", "fc.bias"], ["y"], transB=1),
    ]
    weight, scale, zero = models.floats(3, 4), np.array([0.02, 0.01, 0.1], np.float32), np.array([0, 5, -9], np.int32)
    stored = {"fc.weight": weight, "fc.bias": models.floats(3), "s": scale, "zeros": zero}
    stored |= {"low": np.int8(-127), "high": np.int8(127)}
    model = models.model(nodes, {"x": ["n", 4]}, {"y": ["n", 3]}, stored, opset=19)
    module, x = convert_onnx_to_fx(model), models.floats(6, 4, seed=1)
    got = module(torch.from_numpy(x))
    np.testing.assert_allclose(got.detach(), of_runtime(model, x)[0], rtol=1e-6, atol=1e-6)
    got.sum().backward()
    gradients = {n: p.grad for n, p in module.named_parameters()}
    assert gradients.keys() == {"fc.weight", "fc.bias"}
    expected = x.sum(0) * through(weight, scale[:, None], zero[:, None], -127, 127)
    np.testing.assert_allclose(gradients["fc.weight"], expected, rtol=1e-5)
    np.testing.assert_array_equal(gradients["fc.bias"], np.full(3, 6.0))


HEAD = '<ir_version: 10, opset_import: ["": 21]>\n'
OTHER_TYPES = {
    "tensor": """net (float[N, 4] x) => (float[N, 4] y) <float s = {0.1}, int8 z = {3}> {
        q = QuantizeLinear (x, s, z) y = DequantizeLinear (q, s, z) }""",
    "stored": """net (float[N, 2] x) => (float[N, 2] y) <float s = {0.1}, int8 z = {1}, int8[2, 2] w = {1, 2, 3, 4}> {
        d = DequantizeLinear (w, s, z) y = MatMul (x, d) }""",
    "stored by channel": """net (float[N, 2] x) => (float[N, 2] y)
        <float[2] s = {0.1, 0.3}, uint8[2] z = {1, 0}, uint8[2, 2] w = {1, 2, 3, 4}> {
        d = DequantizeLinear <axis = 1> (w, s, z) y = MatMul (x, d) }""",
}


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("name", OTHER_TYPES)
def test_it_follows_the_modules_type(name, dtype):
    module = convert_onnx_to_fx(onnx.parser.parse_model(HEAD + OTHER_TYPES[name]))
    x = torch.randn(3, 4 if name == "tensor" else 2)
    want = module(x)
    got = module.to(dtype)(x.to(dtype))
    assert got.dtype == dtype
    tolerance = 1e-6 if dtype == torch.float64 else 0.1
    torch.testing.assert_close(got.float(), want, rtol=tolerance, atol=tolerance)
