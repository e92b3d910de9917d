"""Models that bend the letter of the standard, made of ONNX's backend cases: a node stamped one revision off, where no
checker takes it, and trailing optional inputs named "" or left out.

    letter.py [OPERATOR...]     # what becomes of each: its values, refused, or WRONG

Values are those of the case. A model that is refused is none of the harm that this looks for; a wrong tensor is.
"""

from __future__ import annotations

import collections
import pathlib
import sys
import warnings
from typing import Iterator

import onnx
import torch
from onnx_to_fx import convert_onnx_to_fx

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "conformance"))

from cases import Case, compares_training, load_cases  # noqa: E402
from values import difference, to_torch  # noqa: E402

RANDOM = {"Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"}
_CASES_PER_OPERATOR = 12


def cases() -> dict[str, list[Case]]:
    """Of each operator, evenly out of all of them; nodes of one operator alone."""
    found = collections.defaultdict(list)
    for case in load_cases(("node",)):
        model = case.model()
        operator = case.operator()
        if "_expanded" in case.name or len(model.graph.node) != 1 or operator in RANDOM:
            continue
        if case.name.startswith("test_training_dropout"):
            continue
        found[operator].append(case)
    return {o: cs[:: max(1, len(cs) // _CASES_PER_OPERATOR)] for o, cs in found.items()}


def bent(model: onnx.ModelProto) -> Iterator[tuple[str, onnx.ModelProto]]:
    (node,) = model.graph.node
    for opset in neighbours(model):
        other = copy_of(model)
        for entry in other.opset_import:
            if entry.domain == node.domain:
                entry.version = opset
        if not is_valid(other):
            yield f"opset {opset}", other
    schema = schema_of(model)
    optional = onnx.defs.OpSchema.FormalParameterOption.Optional
    if len(node.input) < len(schema.inputs) and schema.inputs[len(node.input)].option == optional:
        other = copy_of(model)
        other.graph.node[0].input.append("")
        yield "one more input, without a name", other
    if node.input and not node.input[-1]:
        other = copy_of(model)
        del other.graph.node[0].input[-1]
        yield "its last input left out, not empty", other
    other = copy_of(model)
    other.graph.node[0].input.extend([""] * (1 + len(schema.inputs) - len(node.input)))
    variadic = onnx.defs.OpSchema.FormalParameterOption.Variadic
    if all(p.option != variadic for p in schema.inputs):
        yield "more inputs than there are, without names", other


def schema_of(model: onnx.ModelProto) -> onnx.defs.OpSchema:
    (node,) = model.graph.node
    opset = next(i.version for i in model.opset_import if i.domain == node.domain)
    return onnx.defs.get_schema(node.op_type, opset, node.domain)


def neighbours(model: onnx.ModelProto) -> list[int]:
    """The opsets right before and after those of the node's revision."""
    (node,) = model.graph.node
    since = schema_of(model).since_version
    starts = sorted(
        s.since_version
        for s in onnx.defs.get_all_schemas_with_history()
        if (s.domain, s.name) == (node.domain, node.op_type)
    )
    return [s - 1 for s in starts if s == since and s > starts[0]] + [s for s in starts if s > since][:1]


def copy_of(model: onnx.ModelProto) -> onnx.ModelProto:
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    return copy


def is_valid(model: onnx.ModelProto) -> bool:
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError:
        return False
    return True


def outcome(case: Case, model: onnx.ModelProto) -> str:
    """"ok", "refused: ...", or what is wrong."""
    inputs, expected = case.data_sets(model)[0]
    try:
        module = convert_onnx_to_fx(model, training=compares_training(model))
    except Exception as e:  # the result of this run
        lines = str(e).strip().splitlines()
        return f"refused: {lines[0] if lines else type(e).__name__}"
    try:
        with torch.no_grad():
            got = module(*(to_torch(i) for i in inputs))
    except Exception as e:  # likewise
        return f"{type(e).__name__}: {e}".splitlines()[0]
    expected = [to_torch(e) for e in expected]
    got = list(got) if len(model.graph.output) > 1 else [got]
    return difference(got, expected, case.rtol, max(case.atol, 1e-6)) or "ok"


def main() -> None:
    warnings.simplefilter("ignore")
    counts = collections.Counter()
    for operator, all_cases in cases().items():
        if sys.argv[1:] and operator not in sys.argv[1:]:
            continue
        for case in all_cases:
            for how, model in bent(case.model()):
                text = outcome(case, model)
                if text == outcome(case, case.model()):  # conformance/skips.txt has those that differ
                    text = "ok"
                kind = text.split(":")[0] if text.startswith(("ok", "refused")) else "WRONG"
                counts[kind] += 1
                if kind != "ok":
                    print(f"{kind} {operator} {case.name}, {how}: {text.removeprefix('refused: ')}", flush=True)
    print(", ".join(f"{n} {kind}" for kind, n in sorted(counts.items())))
    sys.exit(1 if counts["WRONG"] else 0)


if __name__ == "__main__":
    main()
