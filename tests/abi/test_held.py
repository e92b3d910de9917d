"""The table "How it is held" of ABI.md: every row names tests, every test that it names is there and runs."""
import pathlib
import re

TESTS = pathlib.Path(__file__).parents[1]
PAGE = (TESTS.parent / "sdk" / "ABI.md").read_text()
ROWS = [row.split(" | ") for row in PAGE.partition("## How it is held")[2].splitlines() if row.startswith("| ")][1:]
NAME = re.compile(r"`([a-z_]+/[a-z_0-9]+\.(?:py|cpp))(?:::([A-Za-z_0-9.]+))?`")


def listed(file):
    """Whether CTest or pytest is told of the file."""
    text = (file.parent / "CMakeLists.txt").read_text() if (file.parent / "CMakeLists.txt").exists() else ""
    if file.suffix == ".py":
        return file.name in text or file.parent.name in ("package", "python")  # which pytest walks through
    return file.name in text or f"add_fuzz_target({file.stem.removesuffix('_fuzz')}" in text


def test_every_row_names_tests():
    assert len(ROWS) > 18
    assert [what for what, tests in ROWS if not NAME.findall(tests)] == []


def test_every_test_is_there():
    missing = []
    for file, test in (name for _, tests in ROWS for name in NAME.findall(tests)):
        path = TESTS / file
        text = path.read_text() if path.exists() else ""
        suite, _, case = test.partition(".")
        forms = {".py": f"def {test}(", ".cpp": f"({suite}, {case})"}
        if not text or not listed(path) or (test and forms[path.suffix] not in text):
            missing.append(f"{file}::{test}")
    assert missing == []
