"""Converts a model through the pack in the folder argv[1], runs, trains and exports it. Exit code 77: not installed."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
try:
    import onnx.parser
    import torch
    from onnx_to_fx import convert_onnx_to_fx
except ImportError as error:
    print("skipped:", error)
    sys.exit(77)
import soft_clip  # noqa: F401

MODEL = """<ir_version: 10, opset_import: ["": 21, "com.example": 1]>
g (float[N] x) => (float[N] y) { y = com.example.SoftClip <limit = 2.0> (x) }"""


def test_values_and_gradient(convert):
    module = convert(MODEL)
    x = torch.tensor([-1.0, 0.0, 3.0], dtype=torch.float64, requires_grad=True)
    torch.testing.assert_close(module(x), 2 * torch.tanh(x / 2))
    assert torch.autograd.gradcheck(module, (x,))


def test_export(convert):
    program = torch.export.export(convert(MODEL), (torch.randn(3),))
    assert ".soft_clip.default" in str(program.graph)


def convert_by_the_pack(text):
    return convert_onnx_to_fx(onnx.parser.parse_model(text), plugin_dirs=sys.argv[1])


if __name__ == "__main__":
    for name, test in list(globals().items()):
        if name.startswith("test_"):
            test(convert_by_the_pack)
            print("ok", name)
