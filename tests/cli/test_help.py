"""Help, and the version."""

import pathlib
import shutil
import subprocess

import numpy as np
import onnx.numpy_helper
import pytest
from command_line import BUILD, PROGRAM, onnx2fx, save

COMMANDS = ["convert", "inspect", "view", "verify", "ops", "plugins", "plugin", "completion", "man", "version", "help"]


def text(*arguments):
    code, out, errors = onnx2fx(*arguments)
    assert (code, errors) == (0, "")
    return out


def headings(out):
    return [line for line in out.splitlines() if line.endswith(":") and not line.startswith(" ")]


def test_help_is_grouped_by_topic():
    out = text("--help")
    assert out.startswith(
        "Converts ONNX models into torch.fx programs.\n"
        "Usage: onnx2fx [convert] MODEL -o DIR [OPTIONS]\n"
        "       onnx2fx COMMAND [OPTIONS]\n"
    )
    topics = ["Package:", "Messages:", "Plugins:", "Weights:", "Conversion:"]
    assert headings(out) == ["Positionals:", "Options:", *topics, "Commands:", "Examples:"]
    assert "  --weights reference|copy|meta|random\n" in out
    assert "  --plugin-dir DIR            Folder" in out
    assert "\n\n\n" not in out
    assert out.endswith("  onnx2fx model.onnx -o out --input-shape x=1,3,H,W --json\n")
    for command in COMMANDS:
        assert f"\n  {command} " in out


@pytest.mark.parametrize("words", [[c] for c in COMMANDS] + [["plugin", "check"], ["plugin", "test"], ["plugin", "new"]])
def test_help_of_a_command(words):
    out = text("help", *words)
    assert out == text(*words, "--help")
    assert f"\nUsage: onnx2fx {' '.join(words)}" in out
    if words[0] not in ("plugin", "version") or len(words) > 1:
        examples = out.partition("Examples:\n")[2].splitlines()
        assert examples and all("onnx2fx " in e for e in examples if e)


def test_help_without_a_command():
    assert text("help") == text("--help") == text("-h")


def test_version():
    assert text("version") == text("--version") == text("-V") == "onnx2fx 0.1.0\n"


def test_folders_of_the_sdk():
    sdk, cmake = (pathlib.Path(text(flag).rstrip("\n")) for flag in ("--sdk-dir", "--cmake-dir"))
    assert (sdk / "ABI.md").exists() and (sdk / "cmake" / "onnx2fx_add_plugin.cmake").exists()
    assert (cmake / "onnx2fx-config.cmake").exists()


def test_verify_is_left_out_where_there_is_no_runtime(tmp_path):
    """As in a wheel."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "lib/onnx2fx").mkdir(parents=True)
    (tmp_path / "lib/onnx2fx/plugins.d").symlink_to(BUILD / "lib/onnx2fx/plugins.d")
    shutil.copy(PROGRAM, tmp_path / "bin")

    def run(*words):
        done = subprocess.run([tmp_path / "bin/onnx2fx", *words], capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr

    for words in (["--help"], ["man"], ["completion", "bash"]):
        code, said = run(*words)
        assert code == 0 and "verify" not in said
    save(tmp_path / "m.onnx")
    for name, width in (("input_0.pb", 2), ("output_0.pb", 3)):
        tensor = onnx.numpy_helper.from_array(np.zeros((1, width), np.float32))
        (tmp_path / name).write_bytes(tensor.SerializeToString())
    code, said = run("verify", tmp_path / "m.onnx")
    assert code == 1 and said.endswith(
        "cannot open shared object file: No such file or directory\n"
        "  note: a wheel has none: build with ONNX2FX_BUILD_RUNTIME=ON, against the torch of this environment\n"
    )
