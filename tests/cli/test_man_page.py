"""`onnx2fx man`: the manual page says what help says."""

import re

import pytest
from command_line import onnx2fx

COMMANDS = ["", "convert", "inspect", "view", "verify", "ops", "plugins", "plugin check", "plugin test", "plugin new", "manifest check"]


@pytest.fixture(scope="module")
def page():
    code, out, errors = onnx2fx("man")
    assert (code, errors) == (0, "")
    return out


def plain(roff):
    """What is read of it."""
    return re.sub(r"\\f[BIR]|\\&", "", roff).replace("\\-", "-").replace("\\e", "\\")


def test_its_parts(page):
    assert page.startswith('.TH ONNX2FX 1 "" "onnx2fx 0.1.0"\n.SH NAME\nonnx2fx \\- converts ONNX models')
    parts = ["NAME", "SYNOPSIS", "OPTIONS", "COMMANDS", "EXIT STATUS", "EXAMPLES"]
    assert re.findall(r"^\.SH (.*)", page, re.M) == parts
    topics = [plain(s) for s in re.findall(r"^\.SS (.*)", page, re.M)]
    assert topics[:6] == ["Options", "Package", "Messages", "Plugins", "Weights", "Conversion"]
    assert [f"onnx2fx {c}" for c in COMMANDS[1:]] == [t for t in topics[6:] if t.removeprefix("onnx2fx ") in COMMANDS]
    assert set(re.findall(r"^(\.\w+)", page, re.M)) <= {".TH", ".SH", ".SS", ".TP", ".PP", ".br", ".nf", ".fi"}


@pytest.mark.parametrize("command", COMMANDS)
def test_it_has_every_option_that_help_has(page, command):
    lines = onnx2fx(*command.split(), "--help")[1].splitlines()
    options = [o.groups() for line in lines if (o := re.match(r"  (?:-\w,)?(--[\w-]+)(?: (\S+))?", line))]
    assert ("--help", None) in options
    for flag, value in options:
        assert re.search(rf"{flag}{f' {re.escape(value)}' if value else ''}\n", plain(page))


def test_an_option_of_a_command_stands_under_it(page):
    inspect = plain(page).partition(".SS onnx2fx inspect\n")[2].partition(".SS")[0]
    assert "--size NAME=N,...\nSizes of the symbolic dims" in inspect
    assert "\nAs above: --json, --plugin, " in inspect and "onnx2fx inspect model.onnx --size batch=1,time=400\n" in inspect
