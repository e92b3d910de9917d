"""Runs every suite and sums their counts: GoogleTest through ctest, pytest, ONNX's conformance suite, a slice of
fuzzing.

    run_all.py [WORD...]                # suites whose name has one of the words
    run_all.py --checks --minutes 58    # also lint, the other builds and the sanitizers, while there is time

Each suite says how many of its tests passed and failed in its own words; the last line says it for all. A suite
that ends without saying so counts as one failure; a check that the time does not suffice for counts as skipped.
"""

import argparse
import os
import pathlib
import re
import signal
import subprocess
import sys
import threading
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


def parts(text):
    """`NAME: passed` or `NAME: FAILED`, a line each."""
    words = re.findall(r"^[^:\n]+: (passed|FAILED)", text, re.M)
    return words.count("passed"), words.count("FAILED"), 0


def build(text):
    """One test: it got through, which the exit status says."""
    return 1, 0, 0


def preset(name, *targets):
    """Configures and builds, quiet unless it fails."""
    cmake = ROOT / ".venv/bin/cmake"
    target = f"--target {' '.join(targets)}" if targets else ""
    return (f"log=$({cmake} --preset {name} 2>&1 && {cmake} --build build/{name} {target} 2>&1)"
            " || { grep -E 'error|FAILED' <<<\"$log\" | head -n 40; exit 1; }")  # fmt: skip


def bash(*commands):
    return ["bash", "-c", " && ".join(commands)]


def sanitized(name):
    """The tests that need neither LibTorch nor Python, in a build of their own."""
    threads = name == "tsan"
    targets = ["onnx2fx_case_tests"] if threads else ["onnx2fx_core_tests", "onnx2fx_plugin_tests", "fuzz_replays"]
    return bash(preset(name, "onnx2fx_convert_tests", *targets),
                f"{ROOT}/.venv/bin/ctest --preset {name} -L conversion -j2 {'-R ^Concurrent' if threads else ''}")

SUITES = [
    ("C++ unit tests", [str(ROOT / ".venv/bin/ctest"), "--test-dir", str(BUILD), "--output-on-failure", "-j2"], ctest),
    ("Python tests", [PYTHON, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests",
                      "--ignore=tests/abi", "--ignore=tests/docs", "--ignore=tests/plugins"], pytest),  # ctest runs those
    ("conformance, every tensor an input (python)", [PYTHON, "tests/conformance/run.py", "--jobs", "2"], conformance),
    ("conformance, weights as initializers (python)",
     [PYTHON, "tests/conformance/run.py", "--initializers", "--jobs", "2"], conformance),
    ("conformance, every tensor an input (libtorch)", [PYTHON, "tests/runtime/conformance.py", *LIBTORCH], conformance),
    ("conformance, weights as initializers (libtorch)",
     [PYTHON, "tests/runtime/conformance.py", *LIBTORCH, "--initializers"], conformance),
    ("fuzzing, 20 seconds a target", ["tools/fuzz", "0.334", "--jobs", "2", "--seed", "1"], parts),
]
CHECKS = [
    ("lint", ["tools/lint", "--no-tidy"], parts),
    ("dev build, warnings are errors", bash(preset("dev")), build),
    ("address and undefined behaviour sanitizers", sanitized("asan"), ctest),
    ("thread sanitizer", sanitized("tsan"), ctest),
    ("site, warnings are errors", ["tools/site"], build),
    ("clang-tidy on changed files", ["tools/lint", "--changed"], parts),
]


def run(command, deadline):
    """What it printed, and its exit status; None: stopped at the deadline."""
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                               errors="replace", env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
                               start_new_session=True)  # fmt: skip
    late = threading.Event()

    def stop():
        late.set()
        os.killpg(process.pid, signal.SIGKILL)

    timer = threading.Timer(max(0, deadline - time.monotonic()), stop) if deadline else None
    if timer:
        timer.start()
    text = ""
    for line in process.stdout:
        text += line
        print(line, end="", flush=True)
    code = process.wait()
    if timer:
        timer.cancel()
    return text, None if late.is_set() else code


def counts_of(text, code, count):
    if code is None:
        return 0, 0, 1
    try:
        passed, failed, skipped = count(text)
    except (AttributeError, TypeError, IndexError):
        passed, failed, skipped = 0, 1, 0
    if code and not failed:
        passed, failed = max(0, passed - 1), 1
    return passed, failed, skipped


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", metavar="WORD")
    parser.add_argument("--checks", action="store_true")
    parser.add_argument("--minutes", type=float, help="when the checks end")
    parser.add_argument("--began", type=float, default=time.time(), help="seconds since 1970: from when they count")
    arguments = parser.parse_args()
    spent = time.time() - arguments.began
    end = time.monotonic() + 60 * arguments.minutes - spent if arguments.minutes else None
    totals, summary = [0, 0, 0], []
    for name, command, count in SUITES + CHECKS * arguments.checks:
        if arguments.words and not any(word in name for word in arguments.words):
            continue
        print(f"=== {name}", flush=True)
        start = time.monotonic()
        text, code = run(command, end if (name, command, count) in CHECKS else None)
        counts = counts_of(text, code, count)
        totals = [a + b for a, b in zip(totals, counts)]
        late = ": stopped, no time was left" if code is None else ""
        summary.append("{}: {} passed, {} failed, {} skipped in {:.0f} s{}".format(
            name, *counts, time.monotonic() - start, late))  # fmt: skip
        summary += [line for line in text.splitlines() if line.startswith(("conformance: ", "listed: "))]
    print("\n" + "\n".join(summary))
    print("conformance: " + ", ".join(conformance_counts(summary)))
    print("{} passed, {} failed, {} skipped".format(*totals))
    sys.exit(1 if totals[1] else 0)


if __name__ == "__main__":
    main()
