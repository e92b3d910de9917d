"""Runs every suite and sums their counts: GoogleTest through ctest, pytest, and ONNX's conformance suite.

Each suite says how many of its tests passed and failed in its own words; the last line says it for all. A suite
that ends without saying so counts as one failure.
"""

import os
import pathlib
import re
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
PYTHON = str(ROOT / ".venv/bin/python")
BUILD = ROOT / "build/release"
LIBTORCH = [str(BUILD / "tests/runtime/onnx2fx_conformance"), str(BUILD / "lib/onnx2fx/plugins.d")]


def ctest(text):
    failed, total = re.search(r"% tests passed(?:, (\d+) tests? failed)? out of (\d+)", text).groups(default="0")
    skipped = len(re.findall(r"\*\*\*Skipped", text))
    return int(total) - int(failed) - skipped, int(failed), skipped


def pytest(text):
    last = text.strip().splitlines()[-1]

    def count(words):
        return sum(int(n) for n in re.findall(rf"(\d+) (?:{words})\b", last))

    return count("passed"), count("failed|errors?"), count("skipped")


def conformance(text):
    """A case that skips.txt lists passes if what its line asks holds; one that is refused, as its line says, is skipped.
    What differs from the list is a failure."""
    passed = int(re.search(r"^conformance: (\d+) passed of", text, re.M)[1])
    shape, tolerance, refused = map(int, re.search(
        r"^listed: (\d+) hold in shape and dtype, (\d+) at the stated tolerance, (\d+) are refused", text, re.M).groups())
    failed = len(re.findall(r"^(?:FAILED|UNKNOWN) ", text, re.M))
    unlisted = len(re.findall(r"^PASSED .*although", text, re.M))
    return passed - unlisted + shape + tolerance, failed + unlisted, refused


def conformance_counts(lines):
    """["2016 passed of 2033 (python)", "2007 of 2033 (libtorch)", ...]: as they are first, with initializers last."""
    found = [m for m in (re.match(r"conformance: (\d+) passed of (\d+) \((.*)\)", line) for line in lines) if m]
    found.sort(key=lambda m: "initializers" in m[3])
    return [f"{m[1]}{' of' if i else ' passed of'} {m[2]} ({m[3]})" for i, m in enumerate(found)]


SUITES = [
    ("C++ unit tests", [str(ROOT / ".venv/bin/ctest"), "--test-dir", str(BUILD), "--output-on-failure", "-j2"], ctest),
    ("Python tests", [PYTHON, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests",
                      "--ignore=tests/abi", "--ignore=tests/plugins"], pytest),  # ctest runs those
    ("conformance, every tensor an input (python)", [PYTHON, "tests/conformance/run.py", "--jobs", "2"], conformance),
    ("conformance, weights as initializers (python)",
     [PYTHON, "tests/conformance/run.py", "--initializers", "--jobs", "2"], conformance),
    ("conformance, every tensor an input (libtorch)", [PYTHON, "tests/runtime/conformance.py", *LIBTORCH], conformance),
    ("conformance, weights as initializers (libtorch)",
     [PYTHON, "tests/runtime/conformance.py", *LIBTORCH, "--initializers"], conformance),
]


def main():
    passed = failed = skipped = 0
    summary = []
    for name, command, count in SUITES:
        if len(sys.argv) > 1 and not any(word in name for word in sys.argv[1:]):
            continue
        print(f"=== {name}", flush=True)
        start = time.monotonic()
        run = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                               env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})
        text = ""
        for line in run.stdout:
            text += line
            print(line, end="", flush=True)
        code = run.wait()
        try:
            p, f, s = count(text)
        except (AttributeError, TypeError, IndexError):
            p, f, s = 0, 1, 0
        f = max(f, int(code != 0))
        passed, failed, skipped = passed + p, failed + f, skipped + s
        summary.append(f"{name}: {p} passed, {f} failed, {s} skipped in {time.monotonic() - start:.0f} s")
        summary += [line for line in text.splitlines() if line.startswith(("conformance: ", "listed: "))]
    print("\n" + "\n".join(summary))
    print("conformance: " + ", ".join(conformance_counts(summary)))
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
