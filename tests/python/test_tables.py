"""The lists of the C++ side and of the loader say the same."""

import inspect
import pathlib
import re

import pytest
from onnx_to_fx.loader import targets

ROOT = pathlib.Path(__file__).resolve().parents[2]
LEAVES = (ROOT / "core/fx/leaf_schemas.txt").read_text()


def nn_names():
    text = (ROOT / "core/fx/nn_dialect.cpp").read_text()
    return sorted(set(re.findall(r'"((?:torch|torch\.nn\.functional|operator)::\w+)"', text)))


@pytest.mark.parametrize("target", nn_names())
def test_the_loader_knows_every_name_of_the_nn_dialect(target):
    assert callable(targets.resolve(target))


@pytest.mark.parametrize("schema", [line for line in LEAVES.splitlines() if "onnx2fx::" in line])
def test_every_leaf_has_a_function_of_its_signature(schema):
    name, parameters = re.match(r"onnx2fx::(\w+)\((.*)\) ->", schema).groups()
    expected = [p.split("=")[0].split()[-1] for p in parameters.split(", ") if p not in ("", "*")]
    function = targets.resolve("onnx2fx::" + name)
    assert [p.rstrip("_") for p in inspect.signature(function).parameters] == expected


def test_no_leaf_lacks_a_schema():
    functions = {
        name
        for module in targets._LEAVES
        for name, f in vars(module).items()
        if inspect.isfunction(f) and not name.startswith("_") and f.__module__ == module.__name__
    }
    assert functions == set(re.findall(r"onnx2fx::(\w+)\(", LEAVES))
