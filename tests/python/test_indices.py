"""Indices that cannot be negative, and such as may be: what is read is what ONNX Runtime reads."""

import pathlib

import numpy as np
import onnx.parser
import onnxruntime
import pytest
import torch
from onnx_to_fx import convert_onnx_to_fx

CASES = pathlib.Path(__file__).resolve().parents[1] / "cases/ai.onnx/index"
NEGATIVE = np.array([[-1, 0, 1, -1, 0], [-2, 1, 0, 1, 1], [4, -3, 1, 1, 1]])
FEEDS = {
    "positions": {"x": np.random.default_rng(0).random((3, 6), np.float32), "ids": np.array([[-1], [2], [-6]])},
    "maybe_negative": {
        "x": np.random.default_rng(0).random((3, 5), np.float32),
        "i": NEGATIVE,
        "small": np.array([[0, 1, 2, 3, 4]] * 3, np.uint8),
    },
}


@pytest.mark.parametrize("dialect", ["nn", "aten"])
@pytest.mark.parametrize("name", FEEDS)
def test_values(name, dialect):
    text = (CASES / f"{name}.case").read_text().split("--- fx")[0]
    model = onnx.parser.parse_model(text).SerializeToString()
    expected = onnxruntime.InferenceSession(model).run(None, FEEDS[name])
    with torch.no_grad():
        got = convert_onnx_to_fx(model, dialect=dialect)(*map(torch.from_numpy, FEEDS[name].values()))
    for g, e in zip(got, expected, strict=True):
        np.testing.assert_array_equal(g.numpy(), e)
