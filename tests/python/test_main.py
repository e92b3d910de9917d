"""`python -m onnx_to_fx` is the command."""

import os
import pathlib
import shutil
import subprocess
import sys

import models
import onnx
import onnx_to_fx
import pytest

PACKAGE = pathlib.Path(onnx_to_fx.__file__).parent


def command(*arguments, cwd, path=None):
    environment = {**os.environ, "PYTHONPATH": str(path or PACKAGE.parent), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "onnx_to_fx", *arguments], cwd=cwd, env=environment, capture_output=True, text=True
    )
    return done.returncode, done.stdout, done.stderr


def test_it_converts(tmp_path):
    onnx.save(models.mlp(8), tmp_path / "m.onnx")
    code, out, messages = command("convert", "m.onnx", "-o", "out", cwd=tmp_path)
    assert (code, out) == (0, "") and messages.startswith("wrote out in ")
    assert (tmp_path / "out/graph.json").exists()


@pytest.mark.parametrize(
    "arguments, code",
    [(["nowhere.onnx", "-o", "out"], 1), (["--frobnicate"], 2), (["plugins", "--plugin-dir", "nowhere"], 3)],
)
def test_exit_codes_are_the_command_s(tmp_path, arguments, code):
    assert command(*arguments, cwd=tmp_path)[0] == code


def test_without_the_program(tmp_path):
    """In a copy, and in an environment that lacks it too."""
    folder = tmp_path / "lib/python/site-packages"
    shutil.copytree(PACKAGE, folder / "onnx_to_fx")
    program = "import sysconfig, sys\n"
    program += f"sysconfig.get_path = lambda name: '{tmp_path}/scripts'\n"
    program += "from onnx_to_fx.__main__ import main\nsys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, "PYTHONPATH": str(folder)}, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (
        2,
        f"error: onnx_to_fx: expected the program onnx2fx in {tmp_path}/bin or {tmp_path}/scripts, got none\n"
        "  note: install the distribution onnx-to-fx anew\n",
    )
