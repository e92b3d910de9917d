"""ONNX's backend suite there and back: converted, exported again by torch.onnx.export(dynamo=True), run in
ONNX Runtime. What comes out is right, refused by somebody who says why, or different: that must not be.

    tools/zoo --round-trip              # every case that has no result of this build
    tools/zoo --round-trip --match topk

A case that ONNX Runtime itself computes otherwise than the standard is told apart: its result is that of
ONNX Runtime for the model as it was.
"""

from __future__ import annotations

import collections
import dataclasses
import hashlib
import json
import pathlib
import re
import sys
import tempfile
import time
from typing import Any

import torch

from . import cells
from .columns import Group
from .compare import Wrong
from .results import FOLDER, HERE, product

sys.path.append(str(HERE.parent / "conformance"))
from cases import Case, load_cases  # noqa: E402
from skips import read_skips  # noqa: E402
from values import difference, to_torch  # noqa: E402

RECORDED = HERE / "round_trip.json"
TABLE = HERE / "ROUND_TRIP.md"
WORDS = ("right", "as ONNX Runtime", "refused", "DIFFERENT")


def _session(model: Any):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _refuse(stage: str, error: Exception) -> Wrong:
    return Wrong(f"refused: {stage}: {cells.kind_of(error)}", str(error)[:500])


def _are_random(case: Case) -> bool:
    """Of which the suite asks shapes alone."""
    check = read_skips(str(HERE.parent / "conformance/skips.txt"), "python").get(case.name)
    return check is not None and check.kind == "shape"


def _as_stated(got: list[Any], want: list[Any]) -> list[Any]:
    """As the standard has it: ONNX Runtime gives float8 as bytes, and a new model a sequence as its tensors."""
    if len(want) == 1 and isinstance(want[0], list):
        got = [got]
    return [g.view(w.dtype) if _are_bytes_of(g, w) else g for g, w in zip(got, want)] if len(got) == len(want) else got


def _are_bytes_of(got: Any, want: Any) -> bool:
    tensors = isinstance(got, torch.Tensor) and isinstance(want, torch.Tensor)
    return tensors and got.dtype == torch.uint8 and want.dtype.is_floating_point and want.itemsize == 1


def _run(session: Any, inputs: list[Any]) -> list[Any]:
    names = [i.name for i in session.get_inputs()]
    values = [i.detach().numpy() if isinstance(i, torch.Tensor) else i for i in inputs]
    return [to_torch(y) for y in session.run(None, dict(zip(names, values)))]


@dataclasses.dataclass
class Trip:
    """A case as a subject of a column."""

    case: Case
    shares: dict[str, tuple[int, int]] = dataclasses.field(default_factory=dict)


def there_and_back(trip: Trip) -> None:
    """Raises Wrong with a kind that begins with one of WORDS."""
    from onnx_to_fx import convert_onnx_to_fx

    case = trip.case
    model = case.model()
    for inputs, expected in case.data_sets(model):
        args, want = [to_torch(i) for i in inputs], [to_torch(e) for e in expected]
        try:
            module = convert_onnx_to_fx(model)
        except Exception as e:
            raise _refuse("conversion", e) from e
        with tempfile.NamedTemporaryFile(suffix=".onnx") as f:
            try:
                torch.onnx.export(module, tuple(args), f.name, dynamo=True, verbose=False, external_data=False)
            except Exception as e:
                raise _refuse("export", e) from e
            try:
                session = _session(f.name)
                given = [a for a in args if a is not None]
                if len(session.get_inputs()) != len(given):
                    raise ValueError("the new model lacks inputs that nothing reads")
                got = _run(session, given)
            except Exception as e:
                raise _refuse("ONNX Runtime", e) from e
        got, values = _as_stated(got, want), not _are_random(case)
        if text := difference(got, want, max(case.rtol, 1e-3), max(case.atol, 1e-5), "outputs", values):
            raise _different(model, args, got, text)


def _different(model: Any, args: list, got: list, text: str) -> Wrong:
    try:
        theirs = _run(_session(model.SerializeToString()), [a for a in args if a is not None])
        if not difference(got, theirs, 1e-3, 1e-5, "outputs"):
            return Wrong("as ONNX Runtime", text)
    except Exception:  # it does not run the model at all: nothing to excuse
        pass
    return Wrong("DIFFERENT", text)


GROUP = Group(("round trip",), there_and_back, False, False, False, True, 120)


def outcome(cell: cells.Cell) -> str:
    if cell["status"] == "ok":
        return "right"
    if cell["status"] == "fail" and cell["kind"].startswith(WORDS):
        return cell["kind"] if cell["kind"].startswith("refused") else f"{cell['kind']}: {cell['what'][:200]}"
    return f"refused: {cell['status']}: {cell['kind']}"


def run(match: str, again: bool) -> None:
    """One case after another; results are kept as they come."""
    path = FOLDER / "round_trip.json"
    stored = json.loads(path.read_text()) if path.exists() else {}
    stamp = product() + hashlib.sha256(pathlib.Path(__file__).read_bytes()).hexdigest()[:8]
    results = stored["results"] if stored.get("stamp") == stamp else {}
    cases = [c for c in load_cases() if re.search(match, c.name) and (again or c.name not in results)]
    cases.sort(key=lambda c: hashlib.sha256(c.name.encode()).digest())  # what has run is a fair sample
    start, saved = time.monotonic(), time.monotonic()
    FOLDER.mkdir(parents=True, exist_ok=True)
    for i, case in enumerate(cases):
        results[case.name] = outcome(cells.run(GROUP, Trip(case))["round trip"])
        if time.monotonic() - saved > 10 or i == len(cases) - 1:
            saved = time.monotonic()
            path.write_text(json.dumps({"stamp": stamp, "results": results}, indent=1))
            print(f"{i + 1} of {len(cases)} in {saved - start:.0f} s: {counts(results)}", flush=True)


def counts(results: dict[str, str]) -> str:
    found = collections.Counter(next(w for w in WORDS if o.startswith(w)) for o in results.values())
    return f"{len(results)} cases: " + ", ".join(f"{found[w]} {w}" for w in WORDS)


def record() -> None:
    """Writes round_trip.json, of what is not right, and ROUND_TRIP.md."""
    results = json.loads((FOLDER / "round_trip.json").read_text())["results"]
    wrong = {n: o for n, o in sorted(results.items()) if o != "right"}
    RECORDED.write_text(json.dumps({"cases": len(results), "not right": wrong}, indent=1) + "\n")
    TABLE.write_text(table(results))


def table(results: dict[str, str]) -> str:
    lines = ["# Round trip over ONNX's backend suite\n", "Written by `tools/zoo --round-trip --record`; do not edit.\n"]
    lines += [f"{counts(results)}.\n", "## Different\n"]
    lines += [f"* {n}: {o}" for n, o in sorted(results.items()) if o.startswith(("DIFFERENT", "as ONNX"))]
    kinds: dict[str, list[str]] = collections.defaultdict(list)
    for n, o in sorted(results.items()):
        if o.startswith("refused"):
            kinds[o.removeprefix("refused: ")].append(n)
    lines += ["\n## Refused\n", "| count | by, and why | cases |", "|---:|---|---|"]
    for kind, names in sorted(kinds.items(), key=lambda i: (-len(i[1]), i[0])):
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        text = kind.replace("|", "\\|").replace("<", "&lt;")
        lines.append(f"| {len(names)} | {text} | {', '.join(names[:3])}{more} |")
    return "\n".join(lines) + "\n"
