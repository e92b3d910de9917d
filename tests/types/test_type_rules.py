"""Every rule of core/shapes/aten_types.txt against torch.

Random calls of each overload (dtypes, ranks, numbers, empty and one-sized dims) run on torch's meta device, those whose
size depends on data on the CPU. The rule must say the same dtype, rank and extents; where sizes are symbols, its text
must give the extent that torch found for the values of the symbols. It may leave an extent open where only the
running module can tell, and nowhere else: calls.py says where that is.
"""

from __future__ import annotations

import json
import pathlib
import re
import subprocess
from typing import Any, Iterator

import pytest
import torch

import calls
from draw import Draw, Dtype, Tensor
from sizes import Size, value_of

ROOT = pathlib.Path(__file__).resolve().parents[2]
ANSWERS = ROOT / "build/release/tests/types/onnx2fx_type_answers"
TABLE = ROOT / "core/shapes/aten_types.txt"
SAMPLES = 40


def table() -> dict[str, str]:
    """Overload -> rule and its words."""
    lines = [line.split("#")[0].split() for line in TABLE.read_text().splitlines()]
    return {words[0]: " ".join(words[1:]) for words in lines if words}


RULES = table()
ATEN = sorted(t for t in RULES if t.startswith("aten::") and t not in calls.NO_TENSOR)


class Rules:
    """The program that answers for the rules."""

    def __init__(self) -> None:
        self.process = subprocess.Popen([ANSWERS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, target: str, args: list, kwargs: dict, rule: str | None = None) -> dict:
        request = {"target": target, "args": written(args), "kwargs": written(kwargs)}
        if rule:
            request["rule"] = rule
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        assert "error" not in answer, answer["error"]
        return answer


@pytest.fixture(scope="module")
def rules() -> Iterator[Rules]:
    program = Rules()
    yield program
    program.process.stdin.close()
    program.process.wait()


def written(x: Any) -> Any:
    """An argument as the program reads it."""
    if isinstance(x, Tensor):
        return {"tensor": [x.dtype, [d.expr for d in x.dims]]}
    if isinstance(x, Dtype):
        return {"dtype": x.name}
    if isinstance(x, Size):
        return {"size": x.expr}
    if isinstance(x, (list, tuple)):
        return [written(i) for i in x]
    if isinstance(x, dict):
        return {k: written(v) for k, v in x.items()}
    return x


def actual(x: Any, device: str) -> Any:
    """An argument as torch takes it."""
    if isinstance(x, Tensor):
        dtype, shape = getattr(torch, x.dtype), [int(d) for d in x.dims]
        if device == "cpu" and dtype == torch.bool:
            return torch.rand(shape) > 0.5
        make = torch.ones if dtype.is_floating_point else torch.zeros  # a probability; the place of an element
        return make(shape, dtype=dtype, device=device)
    if isinstance(x, Dtype):
        return getattr(torch, x.name)
    if isinstance(x, Size):
        return int(x)
    if isinstance(x, (list, tuple)):
        return [actual(i, device) for i in x]
    if isinstance(x, dict):
        return {k: actual(v, device) for k, v in x.items()}
    return x


def overload(target: str) -> Any:
    name, _, rest = target.removeprefix("aten::").partition(".")
    return getattr(getattr(torch.ops.aten, name), rest or "default")


def run(target: str, args: list, kwargs: dict) -> list[torch.Tensor] | None:
    """What torch returns; None if it refuses the call."""
    for device in ["meta", "cpu"] if target not in calls.ON_CPU else ["cpu"]:
        try:
            result = overload(target)(*actual(args, device), **actual(kwargs, device))
        except NotImplementedError:
            continue
        except (RuntimeError, IndexError, ValueError, TypeError, AssertionError, ZeroDivisionError):
            return None
        return list(result) if isinstance(result, (list, tuple)) else [result]
    return None


def difference(answer: dict, results: list[torch.Tensor], sample: calls.Call, names: dict[str, int]) -> str:
    """What the rule says otherwise than torch, or leaves open without need; empty: nothing."""
    types = answer["types"]
    if answer["open"]:
        if not sample.open_list:
            return "the number of results is open"
        types = types * len(results)
    if len(types) != len(results):
        return f"{len(types)} results, torch has {len(results)}"
    for i, (said, got) in enumerate(zip(types, results)):
        dtype = str(got.dtype).removeprefix("torch.")
        if said["dtype"] != dtype:
            return f"result {i}: dtype {said['dtype']}, torch has {dtype}"
        if said["dims"] is None:
            if sample.open_rank:
                continue
            return f"result {i}: rank open, torch has {got.dim()}"
        if len(said["dims"]) != got.dim():
            return f"result {i}: rank {len(said['dims'])}, torch has {got.dim()}"
        for axis, (text, extent) in enumerate(zip(said["dims"], got.shape)):
            if text is None:
                if sample.may_be_open(i, axis - got.dim()):
                    continue
                return f"result {i}: axis {axis} open, torch has {extent}"
            if value_of(str(text), names) != extent:
                return f"result {i}: axis {axis}: {text} = {value_of(str(text), names)}, torch has {extent}"
    return ""


def samples(target: str, symbolic: bool, n: int = SAMPLES) -> Iterator[tuple[calls.Call, dict[str, int], list]]:
    """n random calls that torch accepts, with what it returns."""
    found = 0
    for seed in range(n * 40):
        draw = Draw((target, seed, symbolic), symbolic)
        call = calls.drawn(target, draw)
        results = run(target, call.args, call.kwargs)
        if results is None:
            continue
        yield call, draw.names, results
        found += 1
        if found == n:
            return
    assert found == n, f"{target}: {found} of {n * 40} calls are accepted by torch, expected {n}"


@pytest.mark.parametrize("symbolic", [False, True], ids=["literal", "symbolic"])
@pytest.mark.parametrize("target", ATEN)
def test_rule_agrees_with_torch(rules: Rules, target: str, symbolic: bool) -> None:
    for call, names, results in samples(target, symbolic):
        said = difference(rules.ask(target, call.args, call.kwargs), results, call, names)
        assert not said, f"{target}({written(call.args)}, {written(call.kwargs)}), {names}: {said}"
