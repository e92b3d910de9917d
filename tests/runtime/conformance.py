"""Runs ONNX's backend test suite through the LibTorch runtime: writes each case to a folder, hands the folders
to onnx2fx_conformance, judges what comes back by the same skips.txt as the Python run."""

from __future__ import annotations

import argparse
import collections
import json
import os
import pathlib
import re
import selectors
import subprocess
import sys
import tempfile
import time
from typing import Any, Iterable, Iterator, Mapping, Optional

import numpy as np
import onnx
from onnx import numpy_helper

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "conformance"))
from cases import Case, compares_training, load_cases, runtime_inputs, with_initializers  # noqa: E402
from run import print_table, report, write_json  # noqa: E402
from skips import Check, Result, read_skips  # noqa: E402

_SKIPS = pathlib.Path(__file__).resolve().parent.parent / "conformance" / "skips.txt"


def value_proto(value: Any, port: onnx.ValueInfoProto) -> Any:
    """The proto that a .pb file of this port holds."""
    if isinstance(value, (onnx.TensorProto, onnx.SequenceProto, onnx.OptionalProto)):
        return value
    if port.type.HasField("optional_type"):
        return _optional(value, port.type.optional_type.elem_type)
    if port.type.HasField("sequence_type"):
        return _sequence(value)
    return _tensor(value)


def _tensor(value: Any) -> onnx.TensorProto:
    return value if isinstance(value, onnx.TensorProto) else numpy_helper.from_array(np.asarray(value))


def _sequence(items: list[Any]) -> onnx.SequenceProto:
    proto = onnx.SequenceProto(elem_type=onnx.SequenceProto.TENSOR)
    proto.tensor_values.extend(_tensor(i) for i in items)
    return proto


def _optional(value: Any, element: onnx.TypeProto) -> onnx.OptionalProto:
    if value is None:
        return onnx.OptionalProto(elem_type=onnx.OptionalProto.UNDEFINED)
    if element.HasField("sequence_type"):
        return onnx.OptionalProto(elem_type=onnx.OptionalProto.SEQUENCE, sequence_value=_sequence(value))
    return onnx.OptionalProto(elem_type=onnx.OptionalProto.TENSOR, tensor_value=_tensor(value))


def write_case(case: Case, folder: pathlib.Path, initializers: bool) -> list[pathlib.Path]:
    """One folder for each model that the case needs: with initializers, each data set makes its own."""
    model = case.model()
    sets = list(case.data_sets(model))
    if not initializers:
        _write(folder, model, sets)
        return [folder]
    folders = []
    for i, (inputs, outputs) in enumerate(sets):
        changed = with_initializers(model, inputs)
        if changed is None:
            return []
        folders.append(folder / str(i))
        _write(folders[-1], changed[0], [(changed[1], outputs)])
    return folders


def _write(folder: pathlib.Path, model: onnx.ModelProto, sets: list[tuple[list[Any], list[Any]]]) -> None:
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    for i, (inputs, outputs) in enumerate(sets):
        place = folder / f"test_data_set_{i}"
        place.mkdir()
        ports = {"input": (inputs, runtime_inputs(model)), "output": (outputs, model.graph.output)}
        for word, (values, described) in ports.items():
            for k, (value, port) in enumerate(zip(values, described)):
                (place / f"{word}_{k}.pb").write_bytes(value_proto(value, port).SerializeToString())


class _Worker:
    """One onnx2fx_conformance process; a crash costs one case."""

    def __init__(self, command: list[str]) -> None:
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        self.case: tuple[str, str] | None = None
        self.deadline = 0.0

    def give(self, case: tuple[str, str], line: str, seconds: float) -> None:
        self.case, self.deadline = case, time.monotonic() + seconds
        self.process.stdin.write(line.encode())
        self.process.stdin.flush()

    def stop(self) -> int:
        self.process.kill()
        self.process.stdout.close()
        return self.process.wait()


def run_all(
    jobs: list[tuple[str, str, str]], command: list[str], processes: int, seconds: float
) -> dict[str, str]:
    """jobs: (case, folder, line). Case -> reason; the first failing folder of a case speaks for it."""
    pending = collections.deque(jobs)
    results: dict[str, str] = {}
    workers = [_Worker(command) for _ in range(min(processes, max(1, len(jobs))))]

    def done(worker: _Worker, reason: str) -> None:
        name, folder = worker.case
        results[name] = results.get(name) or reason.replace(f"{folder}/", "")
        worker.case = None

    while pending or any(w.case for w in workers):
        selector = selectors.DefaultSelector()
        for i, worker in enumerate(workers):
            if worker.case is None and pending:
                name, folder, line = pending.popleft()
                worker.give((name, folder), line, seconds)
            if worker.case:
                selector.register(worker.process.stdout, selectors.EVENT_READ, i)
        ready = {key.data for key, _ in selector.select(timeout=1)}
        selector.close()
        for i, worker in enumerate(workers):
            if i in ready:
                line = worker.process.stdout.readline()
                if line:
                    done(worker, json.loads(line)["reason"])
                else:
                    done(worker, f"crash: the process ended with {worker.process.wait()}")
                    workers[i] = _Worker(command)
            elif worker.case and time.monotonic() > worker.deadline:
                worker.stop()
                done(worker, "time: the case took too long")
                workers[i] = _Worker(command)
    for worker in workers:
        worker.stop()
    return results


def jobs_of(case: Case, folders: list[pathlib.Path], check: Optional[Check]) -> Iterator[tuple[str, str, str]]:
    """The case by its own rule, or by the check of its line in skips.txt."""
    rtol, atol = check.tolerance(case.rtol, case.atol) if check else (case.rtol, case.atol)
    values = "shape" if check and check.kind == "shape" else "values"
    mode = "train" if compares_training(case.model()) else "eval"
    for folder in folders:
        yield case.name, str(folder), f"{folder}\t{rtol!r}\t{atol!r}\t{values}\t{mode}\n"


def is_compared_again(reason: str, check: Optional[Check]) -> bool:
    return bool(reason) and check is not None and check.error is None and not Result(reason).is_crash


def result_of(reason: str, check: Optional[Check], again: Optional[str]) -> Result:
    if check and check.error is not None:
        return Result(reason, "" if reason == check.error else reason)
    return Result(reason, again)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program", help="the onnx2fx_conformance program")
    parser.add_argument("plugins", help="folder of the built-in plugins")
    parser.add_argument("--initializers", action="store_true", help="all inputs but the first become initializers")
    parser.add_argument("-k", metavar="REGEX", default="", help="only cases whose name matches")
    parser.add_argument("--json", metavar="FILE", help="write {case: reason} there")
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--seconds", type=float, default=120, help="limit of one case")
    return parser.parse_args()


def main() -> int:
    arguments = parse_arguments()
    start = time.monotonic()
    cases = [c for c in load_cases() if re.search(arguments.k, c.name)]
    mode, label = ("libtorch-initializers", "libtorch, initializers") if arguments.initializers else ("libtorch", "libtorch")
    skips = read_skips(str(_SKIPS), mode)
    with tempfile.TemporaryDirectory(prefix="onnx2fx-conformance-") as root:
        folders = {c.name: write_case(c, pathlib.Path(root) / c.name, arguments.initializers) for c in cases}

        def run(cases: Iterable[Case], checks: Mapping[str, Check]) -> dict[str, str]:
            jobs = [job for c in cases for job in jobs_of(c, folders[c.name], checks.get(c.name))]
            return run_all(jobs, [arguments.program, arguments.plugins], arguments.jobs, arguments.seconds)

        reasons = run(cases, {})
        again = run([c for c in cases if is_compared_again(reasons.get(c.name, ""), skips.get(c.name))], skips)
    results = {name: result_of(reason, skips.get(name), again.get(name)) for name, reason in reasons.items()}
    if arguments.json:
        write_json(arguments.json, results)
    print_table(cases, results)
    print(f"time: {time.monotonic() - start:.0f} s")
    return report(cases, results, skips, label, whole=not arguments.k)


if __name__ == "__main__":
    sys.exit(main())
