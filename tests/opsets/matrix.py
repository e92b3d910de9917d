"""The opset matrix: every revision of every operator, at the first and the last opset where it holds.

Models are ONNX's own backend cases re-stamped (adapters.py) and the hand-written ones of written.py and written_ml.py, for what has no
case. Expected values are, in this order: the case's own where its revision is the one that holds at the opset, those
of ONNX Runtime, of ONNX's reference, and the case's own where neither can run the model.
"""

from __future__ import annotations

import collections
import dataclasses
import pathlib
import sys
import warnings
from typing import Any, Iterator

import numpy as np
import onnx
import onnxruntime
import torch
from onnx.reference import ReferenceEvaluator
from onnx_to_fx import convert_onnx_to_fx

HERE = pathlib.Path(__file__).resolve().parent
sys.path.append(str(HERE.parent / "conformance"))

from adapters import restamp  # noqa: E402
from cases import Case, compares_training, load_cases, with_initializers  # noqa: E402
from values import difference, to_torch  # noqa: E402
from written import Written, written_cases  # noqa: E402
from written_ml import written_ml_cases  # noqa: E402

DOMAINS = ("", "ai.onnx.ml", "ai.onnx.preview", "ai.onnx.preview.training")
_CASES_PER_OPSET = 5
# Only shape and dtype can be compared.
RANDOM = {
    "Bernoulli",
    "Multinomial",
    "RandomNormal",
    "RandomNormalLike",
    "RandomUniform",
    "RandomUniformLike",
}
# Every revision means the same, and the evaluators differ from the case's own values.
SAME_MEANING = {
    "AveragePool",  # the reference divides by the whole window before opset 7, where padding was never counted
    "If",  # the reference wraps an optional sequence in one more list
    "Optional",  # as If
    "test_resize_downsample_scales_linear_align_corners",  # ONNX Runtime rounds length_resized
    "test_resize_downsample_scales_cubic_align_corners",
    "MaxUnpool",  # ONNX Runtime reads the indices as those of output_shape, not of the pooled input
}

onnxruntime.set_default_logger_severity(4)


@dataclasses.dataclass(frozen=True)
class Operator:
    domain: str
    name: str

    def __str__(self) -> str:
        return f"{self.domain}.{self.name}" if self.domain else self.name


@dataclasses.dataclass
class Outcome:
    """Of one operator: what failed, and the revisions that ran."""

    failures: list[str]
    ran: set[int]
    runs: int = 0


def newest(domain: str) -> int:
    return max(
        s.since_version for s in onnx.defs.get_all_schemas_with_history() if s.domain == domain
    )


def revisions() -> dict[Operator, dict[int, int]]:
    """Operator -> first opset of each revision in force -> its last opset."""
    history = collections.defaultdict(dict)
    for s in onnx.defs.get_all_schemas_with_history():
        if s.domain in DOMAINS:
            history[Operator(s.domain, s.name)][s.since_version] = s.deprecated
    result = {}
    for operator, revised in history.items():
        starts = sorted(revised)
        ends = [s - 1 for s in starts[1:]] + [newest(operator.domain)]
        result[operator] = {s: e for s, e in zip(starts, ends) if not revised[s]}
    return {o: r for o, r in sorted(result.items(), key=lambda item: str(item[0])) if r}


def cases_by_operator() -> dict[Operator, list]:
    """The hand-written ones first."""
    result = collections.defaultdict(list)
    for case in (*written_cases(), *written_ml_cases()):
        result[Operator(case.domain, case.operator_name)].append(case)
    for case in load_cases(("node", "simple")):
        if "_expanded" in case.name:
            continue
        for operator in _operators(case):
            result[operator].append(case)
    return result


def _operators(case: Case) -> set[Operator]:
    """The one that a node case is about; of the others every one."""
    if case.kind == "node":
        domain, _, name = case.operator().rpartition(".")
        return {Operator(domain, name)}
    return {Operator(n.domain, n.op_type) for n in case.model().graph.node}


def run_operator(operator: Operator, revised: dict[int, int], cases: list[Case]) -> Outcome:
    outcome = Outcome([], set())
    for since, until in revised.items():
        for opset in sorted({since, until}):
            for case, model, inputs, expected in _models(operator, cases, opset):
                text = _run(operator, case, model, inputs, expected, opset)
                outcome.runs += 1
                outcome.ran.add(since)
                if text:
                    outcome.failures.append(f"opset {opset}: {case.name}: {text}")
    return outcome


def _models(operator: Operator, cases: list[Case], opset: int) -> Iterator[tuple]:
    """Up to _CASES_PER_OPSET models that are valid at the opset, evenly out of all cases."""
    found = 0
    for case in _spread(cases):
        if isinstance(case, Written) and opset > case.until:
            continue
        model = case.model()
        inputs, expected = case.data_sets(model)[0]
        changed = restamp(model, inputs, opset, operator.domain)
        if changed is None:
            continue
        yield case, *changed, expected
        found += 1
        if found == _CASES_PER_OPSET:
            return


def _spread(cases: list[Case]) -> list[Case]:
    """The first, the last, then the middles: neighbours in name are alike."""
    order, ranges = [], collections.deque([(0, len(cases))])
    while ranges:
        low, high = ranges.popleft()
        if low < high:
            middle = (low + high) // 2
            order.append(cases[middle])
            ranges += [(low, middle), (middle + 1, high)]
    return order


def _run(operator: Operator, case, model, inputs, expected, opset: int) -> str | None:
    """What is wrong, in one line; None when nothing is."""
    form_only = operator.name in RANDOM or case.name.startswith("test_training_dropout")
    if not form_only and not _own_values_hold(operator, case, opset):
        expected = _evaluate(model, inputs) or expected
    if expected is None:
        expected = _evaluate(case.model(), case.inputs)  # at the opset that it was written for
    if expected is None:
        return "expected values: neither ONNX Runtime nor ONNX's reference runs the model"
    constant = with_initializers(model, inputs)
    if constant is not None:
        model, inputs = constant
    try:
        module = convert_onnx_to_fx(model, training=compares_training(model))
        torch.manual_seed(0)
        with torch.no_grad():
            got = module(*(to_torch(i) for i in inputs))
    except Exception as e:  # the result of this run
        lines = str(e).strip().splitlines()
        return f"{type(e).__name__}: {lines[0] if lines else ''}"
    got = [_without_maps(g) for g in (got if len(model.graph.output) > 1 else [got])]
    expected = [_without_maps(to_torch(e)) for e in expected]
    if form_only:
        forms = [_form(g) for g in got], [_form(e) for e in expected]
        return None if forms[0] == forms[1] else f"expected {forms[1]}, got {forms[0]}"
    return difference(got, expected, case.rtol, max(case.atol, 1e-6 * _largest(expected)))


def _without_maps(value: Any) -> Any:
    """Maps of numbers as [keys, values]."""
    if isinstance(value, list):
        return [_without_maps(v) for v in value]
    if isinstance(value, dict):
        return [to_torch(np.array(list(value))), torch.tensor([float(v) for v in value.values()])]
    return value


def _largest(values: list[Any]) -> float:
    """The largest finite magnitude: two sums of large terms differ by its rounding."""
    finite = [
        v[v.isfinite()].abs().max().item()
        for v in values
        if isinstance(v, torch.Tensor)
        and v.dtype in (torch.float32, torch.float64)
        and v.isfinite().any()
    ]
    return max(finite, default=0.0)


def _form(value: Any) -> tuple:
    return value.dtype, tuple(value.shape)


def _own_values_hold(operator: Operator, case, opset: int) -> bool:
    """Whether the case's expected values are those at the opset."""
    if isinstance(case, Written) and case.outputs is None:
        return False
    if {operator.name, case.name} & SAME_MEANING:
        return True
    source = next(i.version for i in case.model().opset_import if i.domain == operator.domain)
    now, then = (
        onnx.defs.get_schema(operator.name, v, operator.domain).since_version
        for v in (opset, source)
    )
    return now == then


def _evaluate(model: onnx.ModelProto, inputs: list[Any]) -> list[Any] | None:
    """By ONNX Runtime, else by ONNX's reference; None where neither runs the model."""
    feeds = {
        i.name: onnx.numpy_helper.to_array(v) if isinstance(v, onnx.TensorProto) else v
        for i, v in zip(model.graph.input, inputs)
    }
    try:
        session = onnxruntime.InferenceSession(model.SerializeToString(), _options())
        return _plain(session.run(None, feeds))
    except Exception:  # whatever it lacks: the next one is asked
        pass
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            return _plain(ReferenceEvaluator(model).run(None, feeds))
    except Exception:  # the same
        return None


def _plain(values: list[Any]) -> list[Any]:
    """NumPy has two names for one 64-bit type, and torch knows one."""
    return [
        v.astype(v.dtype.name) if isinstance(v, np.ndarray) and v.dtype.kind == "u" else v
        for v in values
    ]


def _options() -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    return options
