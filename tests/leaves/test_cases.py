"""The leaves and Python's operators on numbers, by cases.json; tests/runtime runs it in C++."""

import json
import math
import pathlib

import pytest
import torch
from onnx_to_fx import Strings
from onnx_to_fx.loader import targets, vocabulary

CASES = json.loads((pathlib.Path(__file__).parent / "cases.json").read_text(encoding="utf-8"))
# whole programs and draws: the conformance suites and tests of their own hold these together
ELSEWHERE = {"cond", "gradient", "image_decoder", "loop", "reference"}


def value_of(case):
    """What stands in cases.json as Python's value."""
    if isinstance(case, list):
        return [value_of(c) for c in case]
    if not isinstance(case, dict):
        return case
    if "dtype" in case and "tensor" not in case:
        return getattr(torch, case["dtype"])
    if "map" in case:
        return {key: value_of(value) for key, value in case["map"]}
    if "strings" in case:
        return Strings(case.get("shape", [len(case["strings"])]), case["strings"])
    numbers = [float(x) if isinstance(x, str) else x for x in case["tensor"]]
    tensor = torch.tensor(numbers, dtype=getattr(torch, case["dtype"]))
    return tensor.reshape(case.get("shape", [len(numbers)]))


def same(got, expected):
    if isinstance(expected, torch.Tensor):
        return (
            isinstance(got, torch.Tensor)
            and got.dtype == expected.dtype
            and got.shape == expected.shape
            and torch.equal(got.isnan(), expected.isnan())
            and torch.equal(got.nan_to_num(7), expected.nan_to_num(7))
            and torch.equal(got.signbit(), expected.signbit())
        )
    if isinstance(expected, list):
        return len(got) == len(expected) and all(map(same, got, expected))
    if isinstance(expected, dict):
        return list(got) == list(expected) and all(same(got[k], expected[k]) for k in got)
    if isinstance(expected, float):
        return isinstance(got, float) and math.isclose(got, expected, rel_tol=1e-15)
    return type(got) is type(expected) and got == expected


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c['target']} {str(c['args'])[:60]}")
def test_case(case):
    function = targets.resolve(case["target"])
    arguments = [value_of(a) for a in case["args"]]
    if "error" in case:
        with pytest.raises((ValueError, IndexError, RuntimeError)) as error:
            function(*arguments)
        # Python's names the operator, as no host stands around it that does
        assert str(error.value) == case["error"] or (
            str(error.value).partition(": ")[2] == case["error"]
            and str(error.value).partition(": ")[0].isalpha()
        )
        return
    got, expected = function(*arguments), value_of(case["result"])
    assert same(list(got) if isinstance(got, tuple) else got, expected), got


def test_every_leaf_and_operator_has_cases():
    known = {f"onnx2fx::{name}" for name in vocabulary.LEAVES if name not in ELSEWHERE}
    assert {case["target"] for case in CASES} == known | vocabulary.NUMBER_OPERATORS
