"""Help, and the version."""

import pathlib

import pytest
from command_line import onnx2fx

COMMANDS = ["convert", "inspect", "verify", "ops", "plugins", "plugin", "completion", "man", "version", "help"]


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
