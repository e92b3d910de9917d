"""Converts a model whose weights the pack in the folder argv[1] serves. Exit code 77: not installed."""
import json
import pathlib
import sys
import tempfile

try:
    import numpy as np
    import onnx.parser
    import torch
    from onnx_to_fx import ConversionError, convert_onnx_to_fx
except ImportError as error:
    print("skipped:", error)
    sys.exit(77)

MODEL = """<ir_version: 10, opset_import: ["": 21]>
g (float[N, 3] x) => (float[N, 2] y) <float[3, 2] w = {0, 0, 0, 0, 0, 0}> { y = MatMul (x, w) }"""


def convert(name, length=24):
    w = np.arange(6, dtype=np.float32)
    with tempfile.TemporaryDirectory() as folder:
        at = pathlib.Path(folder)
        (at / "w.listed").write_bytes(f"{name} 0 {length}\n\n".encode() + w.tobytes())
        rule = {"tensors": "*", "from": "listed", "location": "w.listed"}
        (at / "manifest.json").write_text(json.dumps({"config_version": "1.0", "weights": {"sources": [rule]}}))
        module = convert_onnx_to_fx(
            onnx.parser.parse_model(MODEL), plugin_dirs=sys.argv[1], manifest=at / "manifest.json"
        )
    return module, torch.from_numpy(w.reshape(3, 2))


def refusal(*how):
    try:
        convert(*how)
    except ConversionError as error:
        return str(error)
    return ""


if __name__ == "__main__":
    module, w = convert("w")
    x = torch.randn(4, 3)
    torch.testing.assert_close(module(x), x @ w)
    assert "'w'" in refusal("v")  # no tensor of that name
    assert "24" in refusal("w", 20)  # too few bytes
    print("ok")
