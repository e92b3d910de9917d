"""Tensors of strings as people hold them: what goes in, and how they come out."""

import copy

import numpy as np
import onnx.parser
import pytest
import torch
from onnx_to_fx import Strings, convert_onnx_to_fx

DOUBLED = """<ir_version: 10, opset_import: ["": 21]>
net (string[N] x, float[M] z) => (string[N] y, float[M] w) { y = StringConcat (x, x) w = Relu (z) }"""


def convert(text):
    return convert_onnx_to_fx(onnx.parser.parse_model(text))


@pytest.mark.parametrize(
    "given",
    [
        ["a", "be"],
        ("a", "be"),
        np.array(["a", "be"]),
        np.array(["a", "be"], dtype=object),
        np.array([b"a", b"be"]),
        Strings([2], ["a", "be"]),
    ],
    ids=lambda x: f"{type(x).__name__} {getattr(x, 'dtype', '')}",
)
def test_what_goes_in(given):
    module = convert(DOUBLED)
    for net in (module, copy.deepcopy(module)):
        for y, w in (net(given, torch.ones(3)), net(x=given, z=torch.ones(3))):
            assert isinstance(y, Strings) and y == Strings([2], ["aa", "bebe"])
            assert w.tolist() == [1, 1, 1]


def test_nested_lists_are_axes():
    module = convert(DOUBLED.replace("string[N]", "string[N, 2]"))
    y, _ = module([["a", "b"], ["c", "d"], ["e", "f"]], torch.ones(1))
    assert y.shape == (3, 2) and y.tolist() == [["aa", "bb"], ["cc", "dd"], ["ee", "ff"]]
    with pytest.raises(ValueError) as e:
        module([["a", "b"], ["c"]], torch.ones(1))
    assert str(e.value) == "strings: expected lists of one length, got parts of [[1], [2]]"


def test_how_they_come_out():
    strings = Strings([2, 2], ["a", "b", "c", "d"])
    for array in (strings.numpy(), np.asarray(strings)):
        assert array.dtype == object and array.tolist() == [["a", "b"], ["c", "d"]]
    assert len(strings) == 2 and np.asarray(strings, dtype=str).dtype.kind == "U"
    assert Strings([], ["x"]).tolist() == "x"


def test_one_string_is_a_tensor_without_axes():
    module = convert(DOUBLED.replace("string[N]", "string"))
    assert module("ab", torch.ones(1))[0] == Strings([], ["abab"])


def test_a_sequence_of_tensors_stays_one():
    module = convert("""<ir_version: 10, opset_import: ["": 21]>
        net (seq(string[N]) s, int64 i, string[N] x) => (string[N] y) { t = SequenceAt (s, i) y = StringConcat (t, x) }""")
    s = [Strings([1], ["a"]), Strings([1], ["b"])]
    assert module(s, torch.tensor(1), ["c"]) == Strings([1], ["bc"])
