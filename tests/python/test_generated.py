"""What the C++ side keeps as text agrees with the torch and the Python that are installed."""

import importlib.util
import keyword
import pathlib

import models
import numpy as np
from onnx import helper
from onnx_to_fx import convert_onnx_to_fx
from torch import fx, nn

ROOT = pathlib.Path(__file__).parents[2]


def test_schema_table_is_that_of_the_installed_torch(capsys):
    path = ROOT / "core/fx/generate_schemas.py"
    spec = importlib.util.spec_from_file_location("generate_schemas", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.main(["--check"]) == 0, capsys.readouterr().out


def names_of_modules():
    class Empty(nn.Module):
        def forward(self, x):
            return x

    traced = fx.symbolic_trace(Empty())
    return sorted({*dir(nn.Module()), *dir(traced), *vars(traced), *keyword.kwlist})


def test_no_path_hides_an_attribute_of_a_module():
    names = names_of_modules()
    weights = {n: np.full((1, 2), i, np.float32) for i, n in enumerate(names)}
    chain = ["x", *(f"sum {n}" for n in names[:-1]), "y"]
    nodes = [
        helper.make_node("Add", [before, n], [after])
        for before, n, after in zip(chain, names, chain[1:])
    ]
    module = convert_onnx_to_fx(models.model(nodes, {"x": [1, 2]}, {"y": [1, 2]}, weights))
    stored = module.meta["onnx2fx"]["tensors"]
    assert sorted(t["name"] for t in stored) == names
    for t in stored:
        assert t["path"] not in names
        assert module.get_parameter(t["path"])[0, 0] == names.index(t["name"])
