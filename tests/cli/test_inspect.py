"""`onnx2fx inspect`: its text, its JSON, and what --size takes."""

import json

import pytest
from command_line import KEPT, ROOT, onnx2fx, save

MODEL = """<ir_version: 10, opset_import: ["": 21], producer_name: "pytorch", producer_version: "2.13.0">
g (float[batch, 1000] x) => (float[batch, 3] y)
<float[3, 1000] "fc.weight" = {WEIGHT}, float[3] "fc.bias" = {7, 8, 9}>
{
  shape = Shape (x)
  two = Constant <value_float = 2.0> ()
  h = Mul (x, two)
  r = Reshape (h, shape)
  y = Gemm <transB = 1> (r, "fc.weight", "fc.bias")
}""".replace("WEIGHT", ", ".join("1" for _ in range(3000)))
LOOP = """<ir_version: 10, opset_import: ["": 21]>
g (float[N, 4] x, bool c, int64 n) => (float[N, 4] y, float[N, 4] z)
<float[4, 4] w = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}>
{
  y = Loop (n, c, x) <body = b (int64 i, bool go, float[N, 4] s) => (bool more, float[N, 4] t) {
    more = Identity (go) t = MatMul (s, w)
  }>
  z = If (c) <then_branch = p () => (float[N, 4] u) { u1 = MatMul (x, w) u = MatMul (u1, w) },
              else_branch = q () => (float[N, 4] v) { v = MatMul (x, w) }>
}"""
ODD_NAMES = """<ir_version: 10, opset_import: ["": 21]>
g (float["batch size", "2*N"] x) => (int64[2, k] y, float["batch size", 3] z)
<float[4, 3] w = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}>
{
  y = NonZero (x)
  shape = Constant <value_ints = [-1, 4]> ()
  r = Reshape (x, shape)
  z = MatMul (r, w)
}"""
FIXED = """<ir_version: 10, opset_import: ["": 21]>
g (float[2, 3] x) => (float[2, 3] y) { y = Relu (x) }"""


@pytest.fixture
def inspect(tmp_path):
    def run(text, *arguments):
        save(tmp_path / "m.onnx", text)
        return onnx2fx("inspect", "m.onnx", *arguments, cwd=tmp_path)

    return run


@pytest.fixture
def inspected(inspect):
    def run(text, *arguments):
        code, out, errors = inspect(text, "--json", *arguments)
        assert errors == ""
        return json.loads(out)

    return run


HEAD = """\
model    m.onnx, by pytorch 2.13.0, opset 21
input    x  float32[batch, 1000]
output   y  float32[batch, 3]
weights  2 parameters: 3,003 elements (3,003 trainable), 12.0 kB, float32
"""
FOOT = """\
      1 x Gemm                                     opset 21  onnx2fx.ai-onnx 0.1.0
      1 x Mul                                      opset 21  onnx2fx.ai-onnx 0.1.0
      1 x Reshape                                  opset 21  onnx2fx.ai-onnx 0.1.0
folded   1 Constant, 1 Shape
"""


def test_text_without_sizes(inspect):
    layers = """\
cost     not known: give --size batch=N
            output             parameters  MACs
fc: Linear  float32[batch, 3]       3,003     ?
"""
    assert inspect(MODEL) == (0, HEAD + layers + FOOT, "")


def test_text_at_a_size(inspect):
    layers = """\
cost     12,000 multiply-accumulates
         16.0 kB of activations, at most 16.0 kB at one time
            output         parameters    MACs
fc: Linear  float32[4, 3]       3,003  12,000
"""
    assert inspect(MODEL, "--size", "batch=4") == (0, HEAD + layers + FOOT, "")


def test_the_guide_shows_what_is_printed(inspect):
    guide = (ROOT / "docs" / "inspect.md").read_text()
    shown = guide.partition("$ onnx2fx inspect m.onnx --size batch=4\n")[2].partition("```")[0]
    assert inspect(MODEL, "--size", "batch=4") == (0, shown, "")


def test_json_has_all_that_the_text_has(inspected):
    found = inspected(MODEL, "--size", "batch=4")
    assert (found["format"], found["version"]) == ("onnx2fx.inspection", "1.0")
    assert found["model"] == {
        "file": "m.onnx",
        "producer_name": "pytorch",
        "producer_version": "2.13.0",
        "opsets": {"": 21},
        "inputs": [{"name": "x", "dtype": "float32", "shape": ["batch", 1000]}],
        "outputs": [{"name": "y", "dtype": "float32", "shape": ["batch", 3]}],
    }
    assert found["parameters"] == {
        "tensors": 2,
        "elements": 3003,
        "bytes": 12012,
        "dtypes": {"float32": 3003},
        "trainable": 3003,
    }
    assert found["buffers"] == found["constants"] == {"tensors": 0, "elements": 0, "bytes": 0, "dtypes": {}}
    assert found["cost"] == {
        "sizes": {"batch": 4},
        "needed": [],
        "macs": 12000,
        "activation_bytes": 4 * 1000 * 4 + 4 * 3 * 4,
        "peak_activation_bytes": 4 * 1000 * 4 + 4 * 3 * 4,
        "uncounted": [],
    }
    output = {"dtype": "float32", "shape": [4, 3]}
    fc = {"path": "fc", "class": "Linear", "output": output, "parameters": 3003, "macs": 12000, "times": 1}
    assert found["layers"] == [fc]
    assert found["modules"] == [
        {"path": "", "class": None, "parameters": 3003, "macs": 12000},
        {"path": "fc", "class": "Linear", "parameters": 3003, "macs": 12000},
    ]
    provider = "onnx2fx.ai-onnx 0.1.0"
    assert found["operators"] == [
        {"domain": "", "op_type": op, "opset": 21, "nodes": 1, "provider": provider} for op in ("Gemm", "Mul", "Reshape")
    ]
    assert found["folded"] == {"Constant": 1, "Shape": 1}
    assert [(t["path"], t["dtype"], t["shape"], t["role"]) for t in found["tensors"]] == [
        ("fc.weight", "float32", [3, 1000], "parameter"),
        ("fc.bias", "float32", [3], "parameter"),
    ]
    assert found["unsupported"] == found["warnings"] == []


def test_figures_that_need_a_size_are_null(inspected):
    cost = inspected(MODEL)["cost"]
    assert (cost["macs"], cost["activation_bytes"], cost["peak_activation_bytes"]) == (None, None, None)
    assert (cost["sizes"], cost["needed"]) == ({}, ["batch"])


def test_what_is_missing_is_left_out_and_said(inspect):
    assert inspect(KEPT) == (
        1,
        """\
model    m.onnx, opset 21, com.acme 1
input    x  float32[2]
output   y  float32[2]
cost     0 multiply-accumulates
         8 bytes of activations, at most 8 bytes at one time
         2 nodes, first 'a': what com.acme.Rope computes is not known
         1 node, first 'y': what com.acme.Twist computes is not known
      2 x com.acme.Rope                            opset 1   none
      1 x com.acme.Twist                           opset 1   none
missing com.acme.Rope opset 1: 2 nodes, first 'a'
missing com.acme.Twist opset 1: 1 nodes, first 'y'
""",
        "",
    )


def test_of_branches_the_dearer_and_of_a_loop_one_round(inspected):
    found = inspected(LOOP, "--size", "N=2")
    once = 2 * 4 * 4
    assert found["cost"]["macs"] == once + 2 * once
    (loop,) = found["cost"]["uncounted"]
    assert loop["why"] == "how often it runs is not known: its body is counted once"
    assert [layer["macs"] for layer in found["layers"]] == [once] * 4


def test_names_that_are_no_identifiers(inspect, inspected):
    assert "give --size '2*N=N,batch size=N,u0=N'\n" in inspect(ODD_NAMES)[1]
    found = inspected(ODD_NAMES, "--size", "batch size=2,2*N=6", "--size", "u0=5")
    assert found["cost"]["macs"] == 2 * 6 // 4 * 4 * 3
    assert found["cost"]["sizes"] == {"2*N": 6, "batch size": 2, "u0": 5}


@pytest.mark.parametrize(
    ("text", "sizes", "what"),
    [
        (MODEL, ["batch"], "expected NAME=N,..., got 'batch'"),
        (MODEL, ["batch=-1"], "expected NAME=N,..., got 'batch=-1'"),
        (MODEL, ["batch=2,"], "expected NAME=N,..., got ''"),
        (MODEL, ["batch=2x"], "expected NAME=N,..., got 'batch=2x'"),
        (MODEL, ["batch=1,batch=2"], "'batch' is given twice"),
        (MODEL, ["btch=1"], "expected one of batch, got 'btch'\n  note: did you mean 'batch'?"),
        (ODD_NAMES, ["time=1"], "expected one of 2*N, batch size, u0, got 'time'"),
        (FIXED, ["batch=1"], "expected none, since every size of the model is fixed, got 'batch'"),
    ],
    ids=lambda x: None if isinstance(x, str) else " ".join(x),
)
def test_what_size_refuses(inspect, text, sizes, what):
    options = [word for size in sizes for word in ("--size", size)]
    assert inspect(text, *options) == (1, "", f"error: --size: {what}\n")


def test_every_fault_is_said(inspect):
    faults = "error: --size: expected NAME=N,..., got 'batch'\nerror: --size: expected one of batch, got 'M'\n"
    assert inspect(MODEL, "--size", "batch,M=3") == (1, "", faults)


def test_inputs_that_share_a_size(inspect):
    """Only with the number is it known that both have the same rows, and that the sum has them."""
    model = """<ir_version: 10, opset_import: ["": 21]> g (float[N, 4] x, float[N, 4] z) => (float[N, 2] y)
    <float[4, 2] w = {1, 2, 3, 4, 5, 6, 7, 8}> { s = Add (x, z) y = MatMul (s, w) }"""
    code, text, _ = inspect(model, "--size", "N=3")
    assert code == 0 and "\ncost     24 multiply-accumulates\n" in text


def test_sizes_that_no_run_could_have(inspect):
    model = """<ir_version: 10, opset_import: ["": 21]>
    g (float[1, 2, time] x) => (float[1, 3, t] y)
    <float[3, 2, 5] w = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10}>
    { y = Conv (x, w) }"""
    assert inspect(model, "--size", "time=3") == (1, "", "error: --size: time - 4: expected 0 or more, got -1\n")
    assert inspect(model, "--size", "time=5")[0] == 0
