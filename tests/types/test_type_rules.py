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

import calls
import pytest
import torch
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
        if said["dtype"] != dtype and dtype != "complex32":  # for which ONNX has no number
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


def test_a_wrong_rule_is_found(rules: Rules) -> None:
    """Four other lines of the table for each overload: that many rules that are wrong, but for those that say the same
    of all calls that torch accepts (`like` and `pointwise self`, where all is of floats and there is one tensor)."""
    lines = sorted(set(RULES.values()))
    survived, total = [], 0
    for target in ATEN:
        drawn = [*samples(target, False, 10), *samples(target, True, 10)]
        for wrong in Draw(target, False).sample([line for line in lines if line != RULES[target]], 4):
            total += 1
            answers = ((rules.ask(target, c.args, c.kwargs, wrong), results, c, names) for c, names, results in drawn)
            if not any(difference(*a) for a in answers):
                survived.append(f"{target}: {RULES[target]} -> {wrong}")
    assert total > 1200
    assert len(survived) < 0.02 * total, survived


def test_few_extents_are_open(rules: Rules) -> None:
    """Of all extents of results, in calls with symbols: in the rest the rules say what torch says."""
    extents = opened = 0
    for target in ATEN:
        for call, _, _results in samples(target, True, 10):
            for said in rules.ask(target, call.args, call.kwargs)["types"]:
                dims = said["dims"] if said["dims"] is not None else [None]
                extents += len(dims)
                opened += dims.count(None)
    print(f"{opened} of {extents} extents are open")
    assert extents > 5000
    assert opened < 0.04 * extents, f"{opened} of {extents}"


def test_every_overload_that_is_emitted_has_a_rule() -> None:
    """A name that stands in the sources of a plugin or of the host; one that ends where a table goes on
    ("aten::upsample_") is the beginning of some."""
    missing, begun = set(), 0
    for room in ("plugins", "core/build", "core/border", "core/convert"):
        for source in sorted((ROOT / room).rglob("*.[ch]pp")):
            for name in re.findall(r'"(aten::[A-Za-z0-9_.]*)"', source.read_text()):
                begins = any(rule.startswith(name) for rule in RULES) and name not in RULES
                begun += begins and source.name not in ("evidence.cpp", "index_signs.cpp", "roles.cpp")  # they read, by families
                if name not in RULES and not begins:
                    missing.add(f"{source.relative_to(ROOT)}: {name}")
    assert not missing, "no line in core/shapes/aten_types.txt:\n" + "\n".join(sorted(missing))
    assert begun < 10, "names put together at run time; tests/conformance holds those to the table"


def test_the_table_is_sorted_and_every_overload_drawn() -> None:
    targets = list(RULES)
    assert targets == sorted(targets)
    assert {t for t in targets if t.startswith("aten::")} - calls.NO_TENSOR == calls.overloads()


PROMOTED = "bool uint8 int8 int16 int32 int64 uint16 uint32 uint64 float16 bfloat16 float32 float64 complex64 complex128 float8_e5m2"


def test_promotion_is_torchs(rules: Rules) -> None:
    """Each pair of dtypes, as tensors of one rank, and as a tensor with one of rank 0."""
    for a in PROMOTED.split():
        for b in PROMOTED.split():
            for rank in (0, 1):
                x, y = Tensor(a, [Size(2)]), Tensor(b, [Size(2)] * rank)
                try:
                    expected = str(torch.result_type(actual(x, "cpu"), actual(y, "cpu"))).removeprefix("torch.")
                except RuntimeError:
                    expected = None
                said = rules.ask("aten::add.Tensor", [x, y], {})["types"][0]["dtype"]
                assert said == (None if expected == "complex32" else expected), f"{a}[2] + {b}{[2] * rank}"


def test_leaves(rules: Rules) -> None:
    n, s = Draw(0, True).named(3), "string"
    cases = {
        "onnx2fx::strings_equal": ([Tensor(s, [n]), Tensor(s, [Size(1)])], [("bool", ["n0"])]),
        "onnx2fx::string_split": ([Tensor(s, [n]), ",", 1], [(s, ["n0", None]), ("int64", ["n0"])]),
        "onnx2fx::string_normalize": ([Tensor(s, [n]), [], True, "NONE"], [(s, [None])]),
        "onnx2fx::string_concat": ([Tensor(s, [n, Size(1)]), Tensor(s, [Size(4)])], [(s, ["n0", 4])]),
        "onnx2fx::strings_to_tensor": ([Tensor(s, [n]), Dtype("float64")], [("float64", ["n0"])]),
        "onnx2fx::strings_from_tensor": ([Tensor("int32", [n])], [(s, ["n0"])]),
        "onnx2fx::strings_lookup": ([Tensor(s, [n]), ["a"]], [("int64", ["n0"])]),
        "onnx2fx::strings_take": ([[Tensor(s, [n])], Tensor("int64", [Size(2), n])], [(s, [2, "n0"])]),
        "onnx2fx::strings_positions": ([[Tensor(s, [n])]], [("int64", ["n0"])]),
        "onnx2fx::regex_full_match": ([Tensor(s, [n]), "a"], [("bool", ["n0"])]),
        "onnx2fx::strings": ([["a", "b"], [2]], [(s, [2])]),
        "onnx2fx::image_decoder": ([Tensor("uint8", [n]), "RGB"], [("uint8", [None, None, 3])]),
        "onnx2fx::reference": (
            ["a::b", [Tensor("float32", [n])], "", [Dtype("float32"), Dtype("int64")], [2, 0], [n, -1]],
            [("float32", ["n0", None]), ("int64", [])],
        ),
        "onnx2fx::optional_has_element": ([None], [("bool", [])]),
    }
    for target, (args, expected) in cases.items():
        said = [(t["dtype"], t["dims"]) for t in rules.ask(target, args, {})["types"]]
        assert said == expected, target
