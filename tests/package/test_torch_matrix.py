"""tools/test-matrix: what it reads, what it refuses, what it writes. No torch is installed here."""

import importlib.machinery
import importlib.util
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]
BEFORE = """text
<!-- of tools/test-matrix -->
| torch | conformance | control flow | loader | lift, .pt2 | zoo slice |
|---|---|---|---|---|---|
| 2.13.0 | 9 of 9 | 9 of 9 | 9 of 9 | 9 of 9 | 9 of 9 |
<!-- end -->
more
"""
NINE = "| 8 of 9 | 9 of 9 | 9 of 9 | 9 of 9 | 9 of 9 |"


@pytest.fixture
def matrix():
    loader = importlib.machinery.SourceFileLoader("test_matrix_tool", str(ROOT / "tools/test-matrix"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


def refusal(function, *args):
    with pytest.raises(SystemExit) as e:
        function(*args)
    return str(e.value)


def test_versions(matrix, monkeypatch):
    monkeypatch.setattr(matrix, "newest", lambda: "2.99.0")
    assert matrix.versions([]) == ["2.6.0", "2.13.0", "2.99.0"]
    assert matrix.versions(["pinned", "2.8.0", "2.13.0"]) == ["2.13.0", "2.8.0"]


def test_what_is_no_version():
    command = [sys.executable, ROOT / "tools/test-matrix", "2.8"]
    done = subprocess.run(command, capture_output=True, text=True)
    expected = "error: tools/test-matrix: expected a version such as 2.8.0, or one of oldest, pinned, newest, got '2.8'\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", expected)


def test_results(matrix):
    suite = "conformance: 7 passed of 9 (python)\nlisted: 1 hold in shape and dtype, 0 at the stated tolerance, 0 are refused as stated"
    assert matrix.result("conformance", suite + "\nFAILED test_x: no") == "8 of 9"
    assert matrix.result("loader", "...\n2 failed, 5 passed, 1 warning in 3.20s\n") == "5 of 7"
    assert matrix.result("zoo slice", "FAILED if: no\n7 passed, 1 failed\n") == "7 of 8"
    assert matrix.result("loader", "ImportError: no\n") is None
    assert matrix.result("conformance", "ImportError: no\n") is None
    assert matrix.result("loader", "") is None


def test_table(matrix):
    assert list(matrix.recorded(BEFORE)) == ["2.13.0"]
    rows = {"2.6.0": f"| 2.6.0 {NINE}", "2.14.1": f"| 2.14.1 {NINE}"}
    written = matrix.with_rows(BEFORE, rows)
    assert list(matrix.recorded(written)) == ["2.6.0", "2.13.0", "2.14.1"]
    assert written == BEFORE.replace("| 2.13.0 ", f"| 2.6.0 {NINE}\n| 2.13.0 ").replace("<!-- end", f"| 2.14.1 {NINE}\n<!-- end")
    assert matrix.with_rows(written, rows) == written


def test_readme_without_a_table(matrix):
    expected = "error: tools/test-matrix: README.md: expected one table between <!-- of tools/test-matrix --> and <!-- end -->"
    assert refusal(matrix.recorded, "text\n") == expected


def test_readme_has_a_table_of_these_suites(matrix):
    text = (ROOT / "README.md").read_text()
    assert matrix.with_rows(text, {}) == text


def test_tree_without_the_package(matrix, monkeypatch, tmp_path):
    monkeypatch.setattr(matrix, "ROOT", tmp_path)
    assert refusal(matrix.put_package, tmp_path / "torch-2.8.0") == (
        f"error: tools/test-matrix: {tmp_path}/.venv: expected onnx2fx and its Python package, got none\n"
        "  note: run tools/bootstrap"
    )


def test_what_it_says_before_it_downloads(matrix, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(matrix, "WORK", tmp_path)
    monkeypatch.setattr(matrix.subprocess, "run", lambda *a, **k: subprocess.CompletedProcess(a, 1))
    said = refusal(matrix.environment, "2.8.0", None)
    assert said.startswith("error: tools/test-matrix: torch 2.8.0: pip could not install torch==2.8.0 numpy==")
    assert capsys.readouterr().err == (
        "test-matrix: installing torch 2.8.0: on the default package index that is a CUDA build: 3 GB to download, 5 GB in "
        "build/matrix; for the CPU one stop here and give --cpu-index URL\n"
    )
