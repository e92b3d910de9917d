"""`onnx2fx --format pt2`: an archive of torch.export, by the Python of the environment."""

import os
import pathlib
import re
import sys

import torch
from command_line import BUILD, LINEAR, onnx2fx, save
from onnx_to_fx.archive import main

ENVIRONMENT = {
    "PATH": f"{pathlib.Path(sys.executable).parent}:{os.defpath}",
    "PYTHONPATH": str(BUILD / "lib/python/site-packages"),
    "PYTHONDONTWRITEBYTECODE": "1",
    "XDG_DATA_HOME": "/nonexistent",
}
WROTE = """\
wrote m.pt2 in N s
  program  0 layers, 5 nodes, dialect aten
  weights  2 tensors, 9 trainable elements, 36 bytes (copy)
"""
AGAIN = "\n  note: choose another name, or replace it with --force\n"


def archive(folder, *arguments, **options):
    code, out, messages = onnx2fx(*arguments, "--format", "pt2", cwd=folder, env=ENVIRONMENT, **options)
    return code, out, re.sub(r"in \d+\.\d\d s", "in N s", messages)


def test_it_is_loaded_and_equal_at_two_sizes(tmp_path):
    save(tmp_path / "m.onnx")
    assert archive(tmp_path, "m.onnx", "-o", "sub/../m.pt2") == (0, "", WROTE.replace("m.pt2", "sub/../m.pt2"))
    (tmp_path / "m.onnx").unlink()
    assert [f.name for f in tmp_path.iterdir()] == ["m.pt2"]
    linear = torch.export.load(tmp_path / "m.pt2").module()
    weight, bias = torch.arange(1.0, 7).view(3, 2), torch.arange(7.0, 10)
    for rows in (2, 5):
        x = torch.randn(rows, 2)
        torch.testing.assert_close(linear(x), torch.nn.functional.linear(x, weight, bias))


def test_what_does_not_fit_is_refused(tmp_path):
    see = "  note: see onnx2fx --help\n"
    for words, fault, note in [
        (["-o", "out"], "expected -o NAME.pt2, got 'out'", "the archive is one file"),
        (["-o", "m.pt2", "--dialect", "nn"], "expected --dialect aten, got 'nn'", "torch.export knows no calls but ATen's"),
        (
            ["-o", "m.pt2", "--weights", "reference"],
            "expected --weights copy, meta or random, got 'reference'",
            "an archive refers to no other file",
        ),
    ]:
        expected = f"error: command line: --format pt2: {fault}\n  note: {note}\n{see}"
        assert archive(tmp_path, "m.onnx", *words) == (2, "", expected)
    (tmp_path / "m.pt2").mkdir()
    assert archive(tmp_path, "m.onnx", "-o", "m.pt2") == (
        1,
        "",
        "error: m.pt2: expected a file or nothing, got a folder\n  note: choose another name, or remove it\n",
    )


def test_without_python_and_without_its_packages(tmp_path):
    save(tmp_path / "m.onnx")
    words, install = ["m.onnx", "-o", "m.pt2", "--format", "pt2", "-q"], "pip install onnx-to-fx[torch]"
    assert onnx2fx(*words, cwd=tmp_path, env={"PATH": "/nonexistent"}) == (
        1,
        "",
        "error: --format pt2: expected to run python3, got: No such file or directory\n"
        f"  note: Python writes the archive: {install} in the environment that is to do so\n",
    )
    (tmp_path / "python3").write_text(f"#!/bin/sh\nexec {sys.executable} -I -S \"$@\"\n")
    (tmp_path / "python3").chmod(0o755)
    assert onnx2fx(*words, cwd=tmp_path, env={"PATH": str(tmp_path)}) == (
        1,
        "",
        f"error: --format pt2: expected the packages onnx_to_fx and torch in {sys.executable}, "
        "got: No module named 'onnx_to_fx'\n"
        f"  note: Python writes the archive: {install} in the environment that is to do so\n",
    )
    assert not (tmp_path / "m.pt2").exists()


# ---- what Python does with the package, in this process: torch.export takes seconds to import


def write(folder, model, *words, force=""):
    assert onnx2fx(model, "-o", "package", "--force", "-q", "--dialect", "aten", *words, cwd=folder) == (0, "", "")
    return main(str(folder / "package"), str(folder / "to/n.pt2"), "n.pt2", force)


def test_another_model_and_another_file_stay(tmp_path, capsys):
    save(tmp_path / "m.onnx")
    save(tmp_path / "n.onnx", LINEAR.replace("] x)", "] pixels)").replace("(x, ", "(pixels, "))
    (tmp_path / "to").mkdir()
    (tmp_path / "to/n.pt2").write_text("mine")
    refused = "error: n.pt2: expected an archive of 'm.onnx', got "
    assert (write(tmp_path, "m.onnx"), capsys.readouterr().err) == (1, refused + "another file" + AGAIN)
    assert (tmp_path / "to/n.pt2").read_text() == "mine"
    assert write(tmp_path, "n.onnx", force="force") == write(tmp_path, "n.onnx") == 0
    assert (write(tmp_path, "m.onnx"), capsys.readouterr().err) == (1, refused + "one of 'n.onnx'" + AGAIN)
    (tmp_path / "n.onnx").replace(tmp_path / "m.onnx")
    assert write(tmp_path, "m.onnx", force="force") == 0
    save(tmp_path / "m.onnx")
    got = "one of another 'm.onnx', with other inputs or outputs"
    assert (write(tmp_path, "m.onnx"), capsys.readouterr().err) == (1, refused + got + AGAIN)


def test_without_weights(tmp_path):
    save(tmp_path / "m.onnx")
    assert write(tmp_path, "m.onnx", "--weights", "meta") == 0
    linear = torch.export.load(tmp_path / "to/n.pt2").module()
    assert {n: str(t.device) for n, t in linear.state_dict().items()} == {"fc.weight": "meta", "fc.bias": "meta"}
    linear.load_state_dict({"fc.weight": torch.ones(3, 2), "fc.bias": torch.zeros(3)}, assign=True)
    assert linear(torch.ones(1, 2)).tolist() == [[2, 2, 2]]


def test_what_no_archive_holds(tmp_path, capsys):
    save(
        tmp_path / "m.onnx",
        """<ir_version: 10, opset_import: ["": 21]> g (float[N] x, int64 n) => (float[K] y) <bool t = {1}> {
             y = Loop(n, t, x) <body = b (int64 i, bool c, float[P] s) => (bool d, float[Q] r)
               { d = Identity(c) r = Concat <axis = 0> (s, s) }> }""",
    )
    assert write(tmp_path, "m.onnx") == 1
    assert capsys.readouterr().err == (
        "error: n.pt2: the ONNX node (Loop) that computes 'y': expected operators of torch, got loop, a function of "
        "onnx_to_fx that no ExportedProgram holds\n"
    )
    assert not (tmp_path / "to/n.pt2").exists()
