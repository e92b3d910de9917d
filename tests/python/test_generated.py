"""What the C++ side keeps as text agrees with the torch and the loader that are installed."""

import importlib.util
import keyword
import pathlib
import re

from torch import fx, nn

ROOT = pathlib.Path(__file__).parents[2]


def test_schema_table_is_that_of_the_installed_torch(capsys):
    path = ROOT / "core/fx/generate_schemas.py"
    spec = importlib.util.spec_from_file_location("generate_schemas", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.main(["--check"]) == 0, capsys.readouterr().out


def reserved_names():
    text = (ROOT / "core/fx/assign_paths.cpp").read_text()
    body = re.search(r"kReserved = .*?\(\{(.*?)\}\);", text, re.S)[1]
    return re.findall(r'"([^"]+)"', body)


def test_no_path_hides_an_attribute_of_a_module():
    class Empty(nn.Module):
        def forward(self, x):
            return x

    traced = fx.symbolic_trace(Empty())
    names = {*dir(nn.Module()), *dir(traced), *vars(traced), *keyword.kwlist}
    missing = {n for n in names if not n.startswith("__")} - set(reserved_names())
    assert not missing
