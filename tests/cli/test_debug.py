"""--debug: the program as text, whose form core/fx/print.hpp describes."""

import os
import pathlib
import subprocess

import onnx
import onnx.parser

ROOT = pathlib.Path(__file__).parents[2]
BUILD = pathlib.Path(os.environ.get("ONNX2FX_BUILD", ROOT / "build" / "release"))
MODEL = """
<ir_version: 10, opset_import: ["": 21]>
g (float[N, 2] "x.1") => (float[N, 3] y)
<float[3, 2] "fc.weight" = {1, 2, 3, 4, 5, 6}, float[3] "fc.bias" = {7, 8, 9}>
{
  h = Gemm <transB = 1> ("x.1", "fc.weight", "fc.bias")
  y = Relu (h)
}
"""
NN = """root:
  %x_1 : float32[N, 2] = placeholder
  %h : float32[N, 3] = call_module[fc](%x_1)
  %y : float32[N, 3] = call_function[torch::relu](%h)
  return %y
modules:
  fc = nn.Linear(in_features=2, out_features=3, bias=True): weight=fc.weight, bias=fc.bias
tensors:
  fc.weight : float32[3, 2] = parameter [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
  fc.bias : float32[3] = parameter [7.0, 8.0, 9.0]
inputs:
  x_1 = 'x.1'
"""


def test_debug_prints_the_program(tmp_path):
    model = onnx.parser.parse_model(MODEL)
    for t in model.graph.initializer:  # in raw_data, as exporters write them
        t.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(t), t.name))
    onnx.save(model, tmp_path / "net.onnx")
    command = [BUILD / "bin" / "onnx2fx", "net.onnx", "-o", "out", "-q"]
    for extra, text in ([], ""), (["--debug"], NN):
        ran = subprocess.run([*command, *extra], cwd=tmp_path, capture_output=True, text=True)
        assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", text)
