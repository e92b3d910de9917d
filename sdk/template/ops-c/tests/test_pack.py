"""Converts a model through the pack in the folder argv[1]. Exit code 77: not installed."""
import sys

try:
    import onnx.parser
    import torch
    from onnx_to_fx import convert_onnx_to_fx
except ImportError as error:
    print("skipped:", error)
    sys.exit(77)

MODEL = """<ir_version: 10, opset_import: ["": 21, "com.example": 1]>
g (float[N] x) => (float[N] y) { y = com.example.Halve (x) }"""

if __name__ == "__main__":
    module = convert_onnx_to_fx(onnx.parser.parse_model(MODEL), plugin_dirs=sys.argv[1])
    x = torch.tensor([-1.0, 0.0, 3.0], requires_grad=True)
    y = module(x)
    torch.testing.assert_close(y, x / 2)
    y.sum().backward()
    torch.testing.assert_close(x.grad, torch.full((3,), 0.5))
    print("ok")
