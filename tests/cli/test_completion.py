"""`onnx2fx completion`: the script, run by bash."""

import shutil
import subprocess

import pytest
from command_line import onnx2fx

LIST = """
source "$1"; shift
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_onnx2fx
printf '%s\\n' "${COMPREPLY[@]}"
"""
COMMANDS = ["convert", "inspect", "view", "verify", "ops", "plugins", "plugin", "manifest", "completion", "man", "version", "help"]
COMPLETED = {
    "commands": ([""], COMMANDS),
    "a command": (["ins"], ["inspect"]),
    "commands below": (["plugin", ""], ["check", "test", "new"]),
    "an option": (["m.onnx", "--weights-"], ["--weights-root", "--weights-layout"]),
    "an option of a command": (["verify", "m.onnx", "--d"], ["--data", "--dialect", "--debug"]),
    "an option of the command alone": (["ops", "--d"], []),
    "an option below": (["plugin", "new", "--"], ["--help", "--kind", "--lang", "--json"]),
    "a negation": (["--no"], ["--no-default-plugins"]),
    "modes": (["m.onnx", "--weights", ""], ["reference", "copy", "meta", "random"]),
    "a mode": (["convert", "--weights", "re"], ["reference"]),
    "a mode after =": (["--weights", "=", "c"], ["copy"]),
    "modes after =": (["--dialect", "="], ["nn", "aten"]),
    "files, by the shell": (["-o", ""], []),
    "files of an argument, by the shell": (["inspect", ""], []),
    "a topic of help": (["help", "ver"], ["verify", "version"]),
    "shells": (["completion", ""], ["bash", "zsh", "fish"]),
}


@pytest.fixture(scope="module")
def bash(tmp_path_factory):
    code, script, errors = onnx2fx("completion", "bash")
    assert (code, errors) == (0, "")
    path = tmp_path_factory.mktemp("bash") / "onnx2fx"
    path.write_text(script)
    return path


@pytest.mark.parametrize("name", COMPLETED)
def test_bash(bash, name):
    words, expected = COMPLETED[name]
    command = ["bash", "-uc", LIST, "bash", bash, "onnx2fx", *words]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.stdout.split(), done.stderr, done.returncode) == (expected, "", 0)


def test_bash_knows_whom_it_serves(bash):
    done = subprocess.run(["bash", "-c", 'source "$0"; complete -p onnx2fx', bash], capture_output=True, text=True)
    assert done.stdout == "complete -o bashdefault -o default -F _onnx2fx onnx2fx\n"


def test_every_option_of_every_command_is_there(bash):
    """Those that help tells of."""
    script = bash.read_text()
    for command in [[], *([c] for c in COMMANDS), ["plugin", "check"], ["plugin", "test"], ["plugin", "new"]]:
        _, text, _ = onnx2fx(*command, "--help")
        (case,) = [line for line in script.splitlines() if f'"{" ".join(["onnx2fx", *command])}") words=' in line]
        words = set(case.split('options="')[1].split('"')[0].split())
        told = {w for line in text.splitlines() if line.startswith("  -") for w in line.split()[0].split(",")}
        assert told == words, command


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells(tmp_path, shell):
    code, script, errors = onnx2fx("completion", shell)
    assert (code, errors) == (0, "")
    for word in ("inspect", "--weights-layout" if shell == "zsh" else "-l weights-layout", "reference copy meta random"):
        assert word in script
    if program := shutil.which(shell):
        (tmp_path / "script").write_text(script)
        done = subprocess.run([program, "-n", tmp_path / "script"], capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")


def test_another_shell():
    assert onnx2fx("completion", "zs") == (
        2,
        "",
        "error: command line: SHELL: expected one of bash, zsh, fish, got 'zs'\n"
        "  note: did you mean 'zsh'?\n"
        "  note: see onnx2fx completion --help\n",
    )
