"""A leaf is a call in what symbolic tracing gives: fx.symbolic_trace, and torch.load, which traces the code it stored."""

import io

import onnx.parser
import pytest
import torch
from onnx_to_fx import Strings, convert_onnx_to_fx

MODELS = {
    "optional": ("g (optional(float[N]) x) => (bool y) { y = OptionalHasElement (x) }", [(None,), (torch.ones(2),)]),
    "strings": ("""g (string[N] x) => (bool[N] y) { y = RegexFullMatch <pattern = "a+"> (x) }""", [(Strings([2], ["aa", "b"]),), (Strings([1], ["b"]),)]),
    "a constant of strings": (
        """g (string[N] x) => (string[N] y) <string[1] s = {"!"}> { y = StringConcat (x, s) }""",
        [(Strings([2], ["aa", "b"]),), (Strings([1], ["b"]),)],
    ),
    "sequence": (
        "g (seq(float[N]) s) => (int64 n) { n = SequenceLength (s) }",
        [([torch.ones(2), torch.ones(3)],), ([torch.ones(2)],)],
    ),
}


def loaded(module):
    file = io.BytesIO()
    torch.save(module, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("dialect", ["nn", "aten"])
def test_stays_a_call(name, dialect):
    text, inputs = MODELS[name]
    module = convert_onnx_to_fx(onnx.parser.parse_model('<ir_version: 10, opset_import: ["": 21]>' + text), dialect=dialect)
    traced = [loaded(module), loaded(loaded(module))]
    if "constant" not in name:  # of strings: no proxy tells a tracer of torch's own about it
        traced.append(torch.fx.symbolic_trace(module))
    for m in traced:
        for given in inputs:
            assert str(m(*given)) == str(module(*given))
    assert str(module(*inputs[0])) != str(module(*inputs[1]))
