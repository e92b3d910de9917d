"""`onnx2fx convert`: the word may be left out, and what is told of a success."""

import json
import re

import pytest
from command_line import KEPT, onnx2fx, save

WROTE = """\
wrote out in N s
  program  1 layer, 3 nodes, dialect nn
  weights  2 tensors, 9 trainable elements, 36 bytes (reference)
"""
KEPT_WARNINGS = """\
warning: com.acme.Rope, opset 1: kept 2 opaque nodes
warning: com.acme.Twist, opset 1: kept 1 opaque node
"""
KEPT_WROTE = """\
wrote out in N s
  program  0 layers, 8 nodes, dialect nn
  weights  0 tensors, 0 trainable elements, 0 bytes (reference)
  opaque   3 nodes
  warnings 2
"""


def untimed(text):
    return re.sub(r"in \d+\.\d\d s", "in N s", text)


def convert(folder, *arguments):
    code, out, messages = onnx2fx(*arguments, "-o", "out", cwd=folder)
    return code, out, untimed(messages)


def test_the_word_convert_may_be_left_out(tmp_path):
    save(tmp_path / "m.onnx")
    packages = []
    for words in (["m.onnx"], ["convert", "m.onnx"]):
        assert convert(tmp_path, *words, "--dialect", "aten", "-q") == (0, "", "")
        packages.append((tmp_path / "out/graph.json").read_text())
    assert packages[0] == packages[1]
    assert '"dialect": "aten"' in packages[0]


@pytest.mark.parametrize("words", [[], ["convert"]])
def test_both_refuse_alike(tmp_path, words):
    see = f"  note: see {' '.join(['onnx2fx', *words])} --help\n"
    expected = "error: command line: expected MODEL -o DIR, got no "
    assert onnx2fx(*words, "m.onnx", cwd=tmp_path) == (2, "", expected + "-o DIR\n" + see)
    assert onnx2fx(*words, "-o", "out", cwd=tmp_path) == (2, "", expected + "MODEL\n" + see)


def test_a_success_is_told(tmp_path):
    save(tmp_path / "m.onnx")
    assert convert(tmp_path, "m.onnx") == (0, "", WROTE)
    copied = WROTE.replace("reference", "copy")
    assert convert(tmp_path, "m.onnx", "--weights", "copy") == (0, "", copied)


def test_what_was_kept_and_warned_of_is_told(tmp_path):
    save(tmp_path / "m.onnx", KEPT)
    assert convert(tmp_path, "m.onnx", "--keep-going") == (0, "", KEPT_WARNINGS + KEPT_WROTE)


def test_quiet(tmp_path):
    save(tmp_path / "m.onnx", KEPT)
    for flag in ("-q", "--quiet"):
        assert convert(tmp_path, "m.onnx", "--keep-going", flag) == (0, "", "")
    code, out, errors = convert(tmp_path, "m.onnx", "-q")
    assert (code, out) == (1, "") and errors.startswith("error: m.onnx: node 'a' (com.acme.Rope")


def test_verbose(tmp_path):
    save(tmp_path / "m.onnx")
    for flag in ("-v", "--verbose"):
        code, out, messages = convert(tmp_path, "m.onnx", flag)
        assert (code, out) == (0, "")
        assert messages.startswith(WROTE)
        lines = messages.removeprefix(WROTE).splitlines()
        assert [line.split(", ")[0] for line in lines] == [
            "  plugin   onnx2fx.ai-onnx 0.1.0",
            "  file     __init__.py",
            "  file     graph.json",
            "  file     report.json",
            "  file     weights.safetensors",
        ]


def test_quiet_and_verbose_exclude_each_other(tmp_path):
    assert convert(tmp_path, "m.onnx", "-q", "-v") == (
        2,
        "",
        "error: command line: --quiet excludes --verbose\n  note: see onnx2fx --help\n",
    )


def test_json(tmp_path):
    save(tmp_path / "m.onnx", KEPT)
    code, out, messages = convert(tmp_path, "m.onnx", "--keep-going", "--json")
    assert (code, messages) == (0, KEPT_WARNINGS)
    assert out.count("\n") == 1
    document = json.loads(out)
    assert 0 < document.pop("seconds") < 60
    assert document == {
        "format": "package",
        "package": "out",
        "dialect": "nn",
        "weights": "reference",
        "layers": 0,
        "blocks": 0,
        "fx_nodes": 8,
        "recovered": {},
        "opaque_nodes": 3,
        "tensors": 0,
        "parameters": 0,
        "weight_bytes": 0,
        "warnings": 2,
    }


def test_json_of_a_failure_is_nothing(tmp_path):
    code, out, errors = convert(tmp_path, "m.onnx", "--json")
    expected = "error: m.onnx: cannot open file: No such file or directory\n"
    assert (code, out, errors) == (1, "", expected)


def test_options_that_repeat_take_one_value_each(tmp_path):
    save(tmp_path / "m.onnx")
    assert onnx2fx("-o", "out", "--frozen", "fc.*", "m.onnx", "-q", cwd=tmp_path) == (0, "", "")
    graph = json.loads((tmp_path / "out/graph.json").read_text())
    assert [t["requires_grad"] for t in graph["tensors"]] == [False, False]
