"""A word that is not known: what was meant, perhaps."""

import pytest
from command_line import onnx2fx, save

COMMANDS = "convert, inspect, view, verify, ops, plugins, plugin, manifest, completion, man, version, help"
MISTYPED = {
    "command": (
        ["inspct", "m.onnx"],
        "expected a model or a command, got 'inspct'\n  note: did you mean 'inspect'?\n",
        "",
    ),
    "command without more": (
        ["plugns"],
        "expected a model or a command, got 'plugns'\n  note: did you mean 'plugins'?\n",
        "",
    ),
    "command below a command": (
        ["plugin", "chek", "p.so"],
        "expected a command of onnx2fx plugin: check, test, new, got 'chek'\n  note: did you mean 'check'?\n",
        "plugin ",
    ),
    "command that is like none": (
        ["plugin", "frobnicate"],
        "expected a command of onnx2fx plugin: check, test, new, got 'frobnicate'\n",
        "plugin ",
    ),
    "topic of help": (
        ["help", "verfy"],
        f"expected a command of onnx2fx: {COMMANDS}, got 'verfy'\n  note: did you mean 'verify'?\n",
        "help ",
    ),
    "option": (
        ["m.onnx", "-o", "out", "--wieghts", "copy"],
        "unknown option '--wieghts'\n  note: did you mean '--weights'?\n",
        "",
    ),
    "option with a value": (
        ["m.onnx", "-o", "out", "--dialct=nn"],
        "unknown option '--dialct'\n  note: did you mean '--dialect'?\n",
        "",
    ),
    "option of a command": (
        ["convert", "m.onnx", "-o", "out", "--keepgoing"],
        "unknown option '--keepgoing'\n  note: did you mean '--keep-going'?\n",
        "convert ",
    ),
    "option before the model is missing": (
        ["inspect", "--jsn"],
        "unknown option '--jsn'\n  note: did you mean '--json'?\n",
        "inspect ",
    ),
    "option of another command": (
        ["m.onnx", "-o", "out", "--data", "d"],
        "unknown option '--data'\n  note: it is an option of onnx2fx verify\n",
        "",
    ),
    "option that is like none": (["m.onnx", "--frobnicate"], "unknown option '--frobnicate'\n", ""),
    "mode": (
        ["m.onnx", "-o", "out", "--weights", "refrence"],
        "--weights: expected one of reference, copy, meta, random, got 'refrence'\n"
        "  note: did you mean 'reference'?\n",
        "",
    ),
    "dialect": (
        ["inspect", "m.onnx", "--dialect", "atne"],
        "--dialect: expected one of nn, aten, got 'atne'\n  note: did you mean 'aten'?\n",
        "inspect ",
    ),
    "dialect, nearer": (
        ["inspect", "m.onnx", "--dialect", "atn"],
        "--dialect: expected one of nn, aten, got 'atn'\n  note: did you mean 'aten'?\n",
        "inspect ",
    ),
    "one model too many": (
        ["m.onnx", "n.onnx", "-o", "out"],
        "expected no further word, got 'n.onnx'\n",
        "",
    ),
}


@pytest.mark.parametrize("name", MISTYPED)
def test_mistyped(tmp_path, name):
    arguments, message, command = MISTYPED[name]
    save(tmp_path / "m.onnx")
    expected = f"error: command line: {message}  note: see onnx2fx {command}--help\n"
    assert onnx2fx(*arguments, cwd=tmp_path) == (2, "", expected)


def test_a_file_may_be_named_almost_like_a_command(tmp_path):
    save(tmp_path / "inspct")
    assert onnx2fx("inspct", "-o", "out", "-q", cwd=tmp_path) == (0, "", "")


def test_a_model_whose_name_is_too_long_is_no_command(tmp_path):
    name = "x" * 300
    message = f"error: {name}: cannot open file: File name too long\n"
    assert onnx2fx(name, "-o", "out", cwd=tmp_path) == (1, "", message)
