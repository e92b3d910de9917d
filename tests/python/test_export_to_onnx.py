"""Back to ONNX by PyTorch's exporter: the same numbers in ONNX Runtime."""

import logging

import numpy as np
import onnx.parser
import onnxruntime
import pytest
import torch
from onnx_to_fx import convert_onnx_to_fx, dynamic_shapes, example_inputs

HEAD = '<ir_version: 10, opset_import: ["": 21]>\n'
MODELS = {
    "largest": "net (float[N, 6] x) => (float[N, 2] v, int64[N, 2] i) <int64[1] k = {2}> { v, i = TopK (x, k) }",
    "smallest": """net (float[N, 6] x) => (float[3, 6] v, int64[3, 6] i) <int64[1] k = {3}> {
        v, i = TopK <axis = 0, largest = 0> (x, k) }""",
    "slices": """net (float[N, 6] x) => (float[N, 2] y, float[N] z)
        <int64[1] one = {1}, int64[1] end = {5}, int64[1] two = {2}, int64 last = {-1}> {
        y = Slice (x, one, end, one, two) z = Gather <axis = 1> (x, last) }""",
    "parts": """net (float[N, 6] x) => (float[N, 4] b) { a, b = Split <axis = 1> (x, lengths)
        lengths = Constant <value_ints = [2, 4]> () }""",
}


def again(module, x):
    sizes = {i.name: {0: torch.export.Dim.DYNAMIC} for i in module.graph.find_nodes(op="placeholder")}
    program = torch.onnx.export(module, (x,), dynamo=True, dynamic_shapes=sizes, verbose=False)
    return program.model_proto


@pytest.mark.parametrize("name", MODELS)
def test_there_and_back(name, caplog):
    caplog.set_level(logging.ERROR)
    module = convert_onnx_to_fx(onnx.parser.parse_model(HEAD + MODELS[name])).eval()
    model = again(module, torch.randn(4, 6))
    session = onnxruntime.InferenceSession(model.SerializeToString())
    x = np.round(np.random.default_rng(0).standard_normal((7, 6)) * 2).astype(np.float32)  # with ties
    got = session.run(None, {session.get_inputs()[0].name: x})
    want = module(torch.from_numpy(x))
    for a, b in zip(got, want if isinstance(want, tuple) else (want,), strict=True):
        np.testing.assert_array_equal(a, b.numpy())


def test_every_module_returns_what_hooks_take():
    """Tools that hook every module, torchinfo among them, take tensors and tuples, no bare bool."""
    module = convert_onnx_to_fx(
        onnx.parser.parse_model(
            HEAD + "net (float[N, 5] x) => (float[N, 5] y, bool[N, 5] m) <float r = {0.5}, bool on = {1}>"
            "{ y, m = Dropout (x, r, on) }"
        )
    )
    seen = []
    for child in module.children():
        child.register_forward_hook(lambda m, args, out: seen.append(out))
    module.train()(torch.ones(3, 5))
    assert seen and all(isinstance(out, (torch.Tensor, tuple)) for out in seen)
    assert dynamic_shapes(module) == {"x": {0: torch.export.Dim.DYNAMIC}}
    assert [tuple(x.shape) for x in example_inputs(module)] == [(4, 5)]
