"""One dialect of globs: the host's, which onnx_to_fx uses too, and Python's fnmatch."""

import fnmatch
import json
import pathlib

import pytest
from onnx_to_fx import _native

CASES = json.loads((pathlib.Path(__file__).parents[1] / "core" / "globs.json").read_text("utf-8"))


@pytest.mark.parametrize("glob, name, fits", CASES)
def test_case(glob, name, fits):
    assert _native.glob_matches(glob, name) == fits
    assert fnmatch.fnmatchcase(name, glob) == fits
