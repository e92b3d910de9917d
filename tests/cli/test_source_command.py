"""`onnx2fx --format source`: model.py and weights.safetensors, by the Python of the environment."""

import re
import runpy

import torch
from command_line import LINEAR, onnx2fx, save
from onnx_to_fx.source import main
from test_archive_command import ENVIRONMENT

WROTE = """\
wrote m in N s
  program  1 layer, 3 nodes, dialect nn
  weights  2 tensors, 9 trainable elements, 36 bytes (copy)
"""
AGAIN = "\n  note: choose another name, or replace it with --force\n"


def source(folder, *arguments, **options):
    code, out, messages = onnx2fx(*arguments, "--format", "source", cwd=folder, env=ENVIRONMENT, **options)
    return code, out, re.sub(r"in \d+\.\d\d s", "in N s", messages)


def test_it_runs_without_the_model(tmp_path):
    save(tmp_path / "m.onnx")
    assert source(tmp_path, "m.onnx", "-o", "m") == (0, "", WROTE)
    (tmp_path / "m.onnx").unlink()
    assert sorted(f.name for f in (tmp_path / "m").iterdir()) == ["model.py", "weights.safetensors"]
    linear = runpy.run_path(str(tmp_path / "m/model.py"))["Model"].load()
    weight, bias = torch.arange(1.0, 7).view(3, 2), torch.arange(7.0, 10)
    x = torch.randn(5, 2)
    torch.testing.assert_close(linear(x), torch.nn.functional.linear(x, weight, bias))


def test_what_does_not_fit_is_refused(tmp_path):
    see = "  note: see onnx2fx --help\n"
    for words, fault, note in [
        (["--dialect", "aten"], "expected --dialect nn, got 'aten'", "the source is written in torch.nn's modules"),
        (
            ["--weights", "reference"],
            "expected --weights copy or random, got 'reference'",
            "the folder has weights of its own, and refers to no other file",
        ),
        (
            ["--weights", "meta"],
            "expected --weights copy or random, got 'meta'",
            "Model.load() reads the weights that stand beside model.py",
        ),
    ]:
        expected = f"error: command line: --format source: {fault}\n  note: {note}\n{see}"
        assert source(tmp_path, "m.onnx", "-o", "m", *words) == (2, "", expected)
    save(tmp_path / "m.onnx")
    (tmp_path / "m").write_text("mine")
    assert source(tmp_path, "m.onnx", "-o", "m") == (
        1,
        "",
        "error: m: expected a folder or nothing, got a file\n  note: choose another name, or remove it\n",
    )


def test_what_is_no_plain_torch_has_no_source(tmp_path):
    text = '<ir_version: 9, opset_import: ["": 20]> g (string[N] x) => (string[N] y) { y = StringConcat (x, x) }'
    save(tmp_path / "m.onnx", text)
    code, out, messages = source(tmp_path, "m.onnx", "-o", "m", "-q")
    assert (code, out) == (1, "")
    assert messages == "error: m: node 'y' (StringConcat): expected a call of torch, got string_concat\n"
    assert not (tmp_path / "m").exists()


def again(folder, force=""):
    return main(str(folder / "package"), str(folder / "to"), "to", force)


def test_what_somebody_wrote_stays(tmp_path, capsys):
    save(tmp_path / "m.onnx", LINEAR)
    assert onnx2fx("m.onnx", "-o", "package", "-q", cwd=tmp_path)[0] == 0
    (tmp_path / "to").mkdir()
    assert again(tmp_path) == 0 and again(tmp_path) == 0  # an empty folder, and our own
    refused = "error: to: expected a folder with our model.py, an empty one or none, got "
    (tmp_path / "to/model.py").write_text("mine")
    assert again(tmp_path) == 1
    assert capsys.readouterr().err == f"{refused}a model.py of somebody else's{AGAIN}"
    (tmp_path / "to/model.py").rename(tmp_path / "to/notes.txt")
    assert again(tmp_path) == 1
    assert capsys.readouterr().err == f"{refused}a folder with other files{AGAIN}"
    assert again(tmp_path, "force") == 0
