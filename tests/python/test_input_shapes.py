"""An input of unknown rank is told to be given a shape; the shapes that a user gives."""

import numpy as np
import onnx.parser
import onnx_to_fx
import pytest
import torch

OPEN = """<ir_version: 10, opset_import: ["": 21]>
net (float[] x) => (float[] y) { y = Transpose (x) }"""
NAMED = """<ir_version: 10, opset_import: ["": 21]>
net (float[N, 3, size] x) => (float[N, 3, size] y) { y = Relu (x) }"""
IN_A_LOOP = """<ir_version: 10, opset_import: ["": 21]>
net (float[] x, bool[] take) => (float[] y) {
  y = If (take) <then_branch = a () => (float[] t) { t = Transpose (x) },
                 else_branch = b () => (float[] e) { e = Relu (x) }>
}"""


def convert(text, **options):
    return onnx_to_fx.convert_onnx_to_fx(onnx.parser.parse_model(text), **options)


def test_who_gives_no_shape_is_told_how():
    with pytest.raises(onnx_to_fx.ConversionError) as e:
        convert(OPEN)
    assert not isinstance(e.value, onnx_to_fx.UnsupportedOperatorError)
    assert str(e.value) == (
        "error: <memory>: node 'y' (Transpose, opset 21): expected an input of known rank\n"
        "  note: input 0 'x': its rank is not known: the model says none of its input 'x'\n"
        "  note: give it a shape: --input-shape 'x=DIM,DIM,...', in Python "
        "input_shapes={'x': (DIM, DIM, ...)}; a DIM is a number, a name or ?"
    )


@pytest.mark.parametrize("dims", [(2, 3), ("N", 3), (None, None), ("N", "?")], ids=str)
def test_a_shape_makes_it_convert(dims):
    x = torch.randn(2, 3)
    module = convert(OPEN, input_shapes={"x": dims})
    torch.testing.assert_close(module(x), x.t(), rtol=0, atol=0)
    (shape,) = [i["shape"] for i in module.meta["onnx2fx"]["inputs"]]
    assert shape == [d if d not in (None, "?") else s for d, s in zip(dims, shape)]


def test_also_where_a_branch_needs_it():
    x = torch.randn(2, 3)
    with pytest.raises(onnx_to_fx.ConversionError, match="--input-shape 'x=DIM,DIM"):
        convert(IN_A_LOOP)
    module = convert(IN_A_LOOP, input_shapes={"x": ("A", "B"), "take": ()})
    for take in (True, False):
        want = x.t() if take else x.relu()
        torch.testing.assert_close(module(x, torch.tensor(take)), want, rtol=0, atol=0)


def test_what_the_model_leaves_open_can_be_stated():
    module = convert(NAMED, input_shapes={"x": (4, 3, None)})
    (port,) = module.meta["onnx2fx"]["inputs"]
    assert port["shape"] == [4, 3, "size"]


@pytest.mark.parametrize(
    ("shapes", "what"),
    [
        ({"z": (1,)}, "expected one of the model's inputs ('x'), got 'z'"),
        ({"x": (1, 2, 3)}, "input 'x': expected a shape that fits the model's [N,3,size], got [1,2,3]"),
        ({"x": ("N", "C", 3)}, "input 'x': expected a shape that fits the model's [N,3,size], got [N,C,3]"),
        ({"x": (1, 3)}, "input 'x': expected a shape that fits the model's [N,3,size], got [1,3]"),
        ({"x": (1, -3, 1)}, "expected NAME=DIM,DIM,..., got 'x=1,-3,1'"),
        ({"x": ("1a",)}, "expected NAME=DIM,DIM,..., got 'x=1a'"),
        ({"x": ("",)}, "input 'x': expected a shape that fits the model's [N,3,size], got []"),
    ],
    ids=str,
)
def test_what_cannot_be(shapes, what):
    with pytest.raises(onnx_to_fx.ConversionError) as e:
        convert(NAMED, input_shapes=shapes)
    assert str(e.value) == f"error: --input-shape: {what}"


def test_types_follow_the_shape():
    model = onnx.parser.parse_model(
        """<ir_version: 10, opset_import: ["": 21]>
        net (float[] x) => (int64[] n) { s = Shape (x) n = Size (x) }"""
    )
    module = onnx_to_fx.convert_onnx_to_fx(model, input_shapes={"x": (2, 3)})
    assert np.asarray(module(torch.zeros(2, 3))) == 6
