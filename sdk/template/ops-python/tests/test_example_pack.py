import example_pack  # noqa: F401
import onnx.parser
import pytest
import torch
from onnx_to_fx import ConversionError, convert_onnx_to_fx

HEAD = '<ir_version: 10, opset_import: ["": 21, "com.example": 1]>\n'


def convert(text):
    return convert_onnx_to_fx(onnx.parser.parse_model(HEAD + text))


def test_scaled_tanh():
    module = convert("g (float[N] x) => (float[N] y) { y = com.example.ScaledTanh <alpha = 2.0, beta = 0.5> (x) }")
    x = torch.tensor([-1.0, 0.0, 2.0], dtype=torch.float64, requires_grad=True)
    torch.testing.assert_close(module(x), 2 * torch.tanh(x / 2))
    assert torch.autograd.gradcheck(module, (x,))


def test_ramp():
    y = convert("g () => (float[4] y) { y = com.example.Ramp <length = 4> () }")()
    torch.testing.assert_close(y, torch.arange(4.0))


def test_ramp_of_nothing():
    with pytest.raises(ConversionError, match="attribute 'length': expected at least 1, got 0"):
        convert("g () => (float[0] y) { y = com.example.Ramp <length = 0> () }")
