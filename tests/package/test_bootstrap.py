"""tools/bootstrap in a tree of its own, among programs that only pretend."""

import fcntl
import hashlib
import pathlib
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).parents[2]
SYSTEM = "awk bash cat cp dirname find flock grep head id mkdir mv rm sed sha256sum sleep sort tail tar touch".split()
PACKAGES = (
    "build-essential git libbenchmark-dev libcli11-dev libfmt-dev libgmock-dev libgtest-dev libprotobuf-dev "
    "libre2-dev ninja-build nlohmann-json3-dev protobuf-compiler python3 python3-dev python3-venv"
)
PYTHON = """#!/bin/sh
case "$1" in
  --version) echo Python 3.11.2 ;;
  -m) mkdir -p .venv/bin; cp programs/pip .venv/bin/pip; cp programs/no .venv/bin/python ;;
esac
"""


class Tree:
    """Set up but for what a test takes away."""

    def __init__(self, folder):
        self.folder, self.programs = folder, folder / "programs"
        (folder / "tools").mkdir()
        self.programs.mkdir()
        for name in ("bootstrap", "requirements.txt"):
            shutil.copy(ROOT / "tools" / name, folder / "tools")
        for name in SYSTEM:
            (self.programs / name).symlink_to(shutil.which(name))
        installed = "".join(f"echo {package} installed\n" for package in PACKAGES.split())
        self.program("dpkg-query", installed)
        self.program("apt-get")
        self.program("pip", 'echo "$@" >>pip.log')
        self.program("no", "exit 1")
        (self.programs / "python3.11").write_text(PYTHON)
        (self.programs / "python3.11").chmod(0o755)
        digest = hashlib.sha256((ROOT / "tools/requirements.txt").read_bytes()).hexdigest()
        self.write(".venv/.requirements", f"{digest}  -")
        self.write(".deps/onnx-1.23.1/lib/cmake/ONNX/ONNXTargets.cmake", "")

    def write(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def program(self, name, text="exit 0"):
        (self.programs / name).write_text(f"#!/bin/sh\n{text}\n")
        (self.programs / name).chmod(0o755)

    def start(self, *arguments):
        command = [str(self.folder / "tools/bootstrap"), *arguments]
        environment = {"PATH": str(self.programs)}
        return subprocess.Popen(
            ["bash", *command], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def run(self, *arguments):
        process = self.start(*arguments)
        out, errors = process.communicate(timeout=60)
        return process.returncode, out, errors.replace(str(self.folder), "DIR")


@pytest.fixture
def tree(tmp_path):
    return Tree(tmp_path)


def test_what_is_up_to_date_is_not_done_again(tree):
    assert tree.run("--setup") == (0, "", "")


def test_two_at_once(tree):
    with open(tree.folder / "tools/bootstrap") as script:
        fcntl.flock(script, fcntl.LOCK_EX)
        second = tree.start("--setup")
        line = second.stderr.readline()
        assert line == f"bootstrap: another bootstrap is at work in {tree.folder}; waiting for it to end\n"
        assert second.poll() is None
    assert second.communicate(timeout=60) == ("", "") and second.returncode == 0


def test_another_distribution(tree):
    (tree.programs / "apt-get").unlink()
    assert tree.run("--setup") == (
        2,
        "",
        "error: bootstrap: expected a Debian system, or the programs c++ git ninja protoc python3; got neither\n"
        f"  note: these are the Debian packages; install what your system calls them: {PACKAGES}\n"
        "  note: then run this again\n",
    )
    for name in ("c++", "git", "ninja", "protoc", "python3"):
        tree.program(name)
    assert tree.run("--setup") == (0, "", f"bootstrap: no Debian system: taking what is installed for {PACKAGES}\n")


@pytest.mark.parametrize("index", [None, "https://index.example/cpu"])
def test_torch_is_announced(tree, index):
    shutil.rmtree(tree.folder / ".venv")
    message = "bootstrap: making .venv with Python 3.11.2\n"
    if not index:
        message += (
            "bootstrap: installing torch==2.13.0: on the default package index that is a CUDA build of gigabytes; "
            "for the CPU one stop here and give --cpu-index URL, or set PIP_EXTRA_INDEX_URL\n"
        )
    assert tree.run("--setup", *(["--cpu-index", index] if index else [])) == (0, "", message)
    first = (tree.folder / "pip.log").read_text().splitlines()[0]
    extra = f" --extra-index-url {index}" if index else ""
    assert first == "install --quiet --disable-pip-version-check torch==2.13.0" + extra


LOG = """\
[1/3] Building CXX object core/errors.cpp.o
FAILED: core/a.cpp.o
/usr/bin/c++ -Werror -c core/a.cpp
core/a.cpp: In function 'int f()':
core/a.cpp:3:7: error: 'x' was not declared in this scope
core/a.cpp:4:7: warning: an error of no account
fatal.cpp:1:10: fatal error: none.hpp: No such file or directory
/usr/bin/ld: a.o: in function `f': undefined reference to `g()'
collect2: error: ld returned 1 exit status
ninja: build stopped: subcommand failed.
"""


def build(tree, log):
    tree.write("build/release/build.ninja", "")
    tree.write("log", log)
    tree.program("ninja", 'case "$*" in *-n*) exit ;; esac\ncat log\nexit 1')
    code, out, errors = tree.run()
    assert (code, out) == (1, "")
    return errors.removeprefix("bootstrap: building (log: build/release/bootstrap.log)\n").splitlines()


def test_errors_are_found_by_their_form(tree):
    lines = LOG.splitlines()
    assert build(tree, LOG) == [lines[i] for i in (1, 4, 6, 7, 8)]


def test_without_such_errors_the_end_is_shown(tree):
    log = "".join(f"[{i}/100] Building errors.cpp.o\n" for i in range(100)) + "Killed\n"
    assert build(tree, log) == log.splitlines()[-30:]


@pytest.mark.parametrize(
    "arguments, got",
    [
        (["--test"], "expected --tests, --setup or --cpu-index URL, got '--test'"),
        (["--cpu-index"], "--cpu-index: expected the URL of a package index, got none"),
    ],
)
def test_usage(tree, arguments, got):
    assert tree.run(*arguments) == (2, "", f"error: bootstrap: {got}\n")
