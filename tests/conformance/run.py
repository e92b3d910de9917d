"""Runs ONNX's backend test suite through converted modules, in a few worker processes.

A case fails by a wrong shape, dtype or value, an exception, a crash, or by running too long. The
exit code is 0 when exactly the cases fail that skips.txt lists for the mode, and of each of them
holds what its line still asks. A crash is never listed.
"""

from __future__ import annotations

import argparse
import collections
import json
import multiprocessing
import multiprocessing.connection
import os
import re
import sys
import time
import warnings
from typing import Any, Iterable, Mapping, Optional

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch  # noqa: E402
from cases import Case, compares_training, has_plain_inputs, load_cases, with_initializers  # noqa: E402
from onnx_to_fx import convert_onnx_to_fx  # noqa: E402
from skips import Check, Result, faults, read_skips, summary  # noqa: E402
from typed import wrong_types  # noqa: E402
from values import difference, to_torch  # noqa: E402

_SKIPS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "skips.txt")
_NOT_APPLICABLE = "-"


def run_case(case: Case, initializers: bool, check: Optional[Check] = None) -> str:
    """Why the case, or the check of its line in skips.txt, failed, in one line; empty when it passed."""
    model = case.model()
    module = None
    rtol, atol = check.tolerance(case.rtol, case.atol) if check else (case.rtol, case.atol)
    values = check is None or check.kind != "shape"
    for inputs, expected in case.data_sets(model):
        if initializers:
            changed = with_initializers(model, inputs)
            if changed is None:
                return _NOT_APPLICABLE
            model_now, inputs = changed
            module = convert_onnx_to_fx(model_now, training=compares_training(model))
        elif module is None:
            module = convert_onnx_to_fx(model, training=compares_training(model))
        torch.manual_seed(0)
        with torch.no_grad():
            got = module(*(to_torch(i) for i in inputs))
        if len(expected) == 1:
            got = (got,)
        text = difference(
            tuple(got), [to_torch(e) for e in expected], rtol, atol, "outputs", values=values
        )
        if not text:
            torch.manual_seed(0)
            with torch.no_grad():
                text = wrong_types(module, [to_torch(i) for i in inputs])
        if text:
            return text
    return ""


def _reason(error: BaseException) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0] if lines else ''}"[:300]


def _reason_of(case: Case, initializers: bool, check: Optional[Check] = None) -> str:
    try:
        return run_case(case, initializers, check)
    except Exception as e:  # the case's result, reported by the parent
        return _reason(e)


def _result(case: Case, initializers: bool, check: Optional[Check]) -> Result:
    reason = _reason_of(case, initializers)
    if not reason or reason == _NOT_APPLICABLE or check is None:
        return Result(reason)
    if check.error is None:
        return Result(reason, _reason_of(case, initializers, check))
    return Result(reason, "" if reason == check.error else reason)


def _work(pipe: Any, cases: list[Case], initializers: bool, skips: dict[str, Check]) -> None:
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    while (index := pipe.recv()) is not None:
        case = cases[index]
        pipe.send((index, _result(case, initializers, skips.get(case.name))))


class _Worker:
    """A forked process that runs one case at a time."""

    def __init__(self, cases: list[Case], initializers: bool, skips: dict[str, Check]) -> None:
        context = multiprocessing.get_context("fork")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(
            target=_work, args=(theirs, cases, initializers, skips), daemon=True
        )
        self.process.start()
        theirs.close()
        self.index: int | None = None
        self.deadline = 0.0

    def give(self, index: int, seconds: float) -> None:
        self.index, self.deadline = index, time.monotonic() + seconds
        self.pipe.send(index)

    def stop(self) -> None:
        self.process.kill()
        self.process.join()
        self.pipe.close()

    def result(self) -> tuple[Result | None, bool]:
        """(the result of the case, None while it runs; whether the worker lives on)."""
        try:
            if self.pipe.poll():
                return self.pipe.recv()[1], True
        except EOFError:
            self.process.join()
            return Result(f"crash: the process ended with {self.process.exitcode}"), False
        if time.monotonic() > self.deadline:
            return Result("time: the case took too long"), False
        return None, True


def run_all(
    cases: list[Case], initializers: bool, skips: dict[str, Check], jobs: int, seconds: float
) -> dict[str, Result]:
    """Case name -> result; without the cases that the mode does not have."""
    pending = collections.deque(range(len(cases)))
    workers = [_Worker(cases, initializers, skips) for _ in range(jobs)]
    results: dict[str, Result] = {}
    while pending or any(w.index is not None for w in workers):
        for w in workers:
            if w.index is None and pending:
                w.give(pending.popleft(), seconds)
        multiprocessing.connection.wait([w.pipe for w in workers if w.index is not None], timeout=1)
        for i, w in enumerate(workers):
            result, alive = w.result() if w.index is not None else (None, True)
            if result is None:
                continue
            if result.reason != _NOT_APPLICABLE:
                results[cases[w.index].name] = result
            w.index = None
            if not alive:
                w.stop()
                workers[i] = _Worker(cases, initializers, skips)
    for w in workers:
        w.stop()
    return results


def print_table(cases: Iterable[Case], results: Mapping[str, Result]) -> None:
    """Operators with a case that fails: passed, of."""
    counts: dict[str, list[int]] = collections.defaultdict(lambda: [0, 0])
    for case in cases:
        if case.name in results:
            counts[case.operator()][0] += not results[case.name].reason
            counts[case.operator()][1] += 1
    whole = sum(p == n for p, n in counts.values())
    print(f"operators whose cases all pass: {whole} of {len(counts)}; the others:")
    for operator, (passed, of) in sorted(counts.items()):
        if passed < of:
            print(f"  {operator:42} {passed:4} of {of:4}")


def write_json(path: str, results: Mapping[str, Result]) -> None:
    with open(path, "w", encoding="utf-8") as f:
        json.dump({name: r.reason for name, r in results.items()}, f, indent=1, sort_keys=True)


def report(
    cases: Iterable[Case], results: Mapping[str, Result], skips: Mapping[str, Check], label: str, whole: bool
) -> int:
    """Prints what should not be so, and the counts; the exit code. whole: no case was left out."""
    wrong = faults(results, skips, {c.name for c in cases} if whole else set())
    for line in [*wrong, *summary(results, skips, label)]:
        print(line)
    return 1 if wrong else 0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--initializers", action="store_true", help="all inputs but the first become initializers"
    )
    parser.add_argument("-k", metavar="REGEX", default="", help="only cases whose name matches")
    parser.add_argument("--json", metavar="FILE", help="write {case: reason} there")
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--seconds", type=float, default=120, help="limit of one case")
    parser.add_argument(
        "--list", action="store_true", help="print the names and operators of the cases"
    )
    return parser.parse_args()


def main() -> int:
    arguments = parse_arguments()
    start = time.monotonic()
    cases = [c for c in load_cases() if re.search(arguments.k, c.name)]
    if arguments.list:
        for c in cases:
            print(c.name, c.operator())
        return 0
    mode, label = ("python-initializers", "python, initializers") if arguments.initializers else ("python", "python")
    skips = read_skips(_SKIPS, mode)
    results = run_all(cases, arguments.initializers, skips, arguments.jobs, arguments.seconds)
    if arguments.json:
        write_json(arguments.json, results)
    print_table(cases, results)
    if arguments.initializers:
        turned = [c for c in cases if c.name in results]
        plain = [results[c.name].reason for c in turned if has_plain_inputs(c.model())]
        print(f"of those with plain inputs: {plain.count('')} passed of {len(plain)}")
    print(f"time: {time.monotonic() - start:.0f} s")
    return report(cases, results, skips, label, whole=not arguments.k)


if __name__ == "__main__":
    sys.exit(main())
