import example_pack  # noqa: F401
import onnx.parser
import pytest
import torch
from onnx_to_fx import convert_onnx_to_fx

MODEL = """<ir_version: 10, opset_import: ["": 21, "com.example": 1]>
g (float[N] x) => (float[N] y) { y = com.example.SoftClip <limit = 2.0> (x) }"""


@pytest.fixture
def module():
    return convert_onnx_to_fx(onnx.parser.parse_model(MODEL))


def test_values_and_gradient(module):
    x = torch.tensor([-1.0, 0.0, 3.0], dtype=torch.float64, requires_grad=True)
    torch.testing.assert_close(module(x), 2 * torch.tanh(x / 2))
    assert torch.autograd.gradcheck(module, (x,))


def test_export(module):
    program = torch.export.export(module, (torch.randn(3),))
    assert ".soft_clip.default" in str(program.graph)
