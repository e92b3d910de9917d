"""If, Loop and Scan: values against ONNX Runtime, gradients against finite differences, torch.export, the report.

"Has a gradient" proves nothing: torch 2.13's while_loop gives wrong ones for captured weights unless worked around.
"""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import onnx
import onnx.parser
import onnxruntime
import pytest
import torch
from onnx_to_fx import convert_onnx_to_fx

HEAD = '<ir_version: 8, opset_import: ["": 17]>\n'


@dataclasses.dataclass
class Case:
    text: str
    weights: dict[str, list[int]]       # name -> shape
    inputs: list[dict[str, np.ndarray]]  # several feeds
    targets: set[str]                   # higher-order operators expected in the graph
    form: str                           # what the report says
    exports: bool = True

    def model(self) -> onnx.ModelProto:
        model = onnx.parser.parse_model(HEAD + self.text)
        random = np.random.RandomState(0)
        for name, shape in self.weights.items():
            values = random.uniform(0.5, 1.5, shape).astype(np.float32)
            model.graph.initializer.append(onnx.numpy_helper.from_array(values, name))
        onnx.checker.check_model(model)
        return model


def x(*values):
    return np.array(values, np.float32)


def flag(value):
    return np.array(value)


CASES = {
    "if": Case(
        """g (bool c, float[3] x) => (float[3] y) {
             y = If (c) <then_branch = t () => (float[3] a) { a = Mul(x, w) },
                         else_branch = e () => (float[3] b) { s = Mul(x, x) b = Mul(s, v) }> }""",
        {"w": [3], "v": [3]}, [{"c": flag(True), "x": x(1, 2, 3)}, {"c": flag(False), "x": x(1, 2, 3)}],
        {"cond"}, "cond"),
    "if with a constant condition": Case(
        """g (float[3] x) => (float[3] y) {
             c = Constant <value = bool {1}> ()
             y = If (c) <then_branch = t () => (float[3] a) { a = Mul(x, w) },
                         else_branch = e () => (float[3] b) { b = Identity(x) }> }""",
        {"w": [3]}, [{"x": x(1, 2, 3)}], set(), "then branch inline"),
    "nested if with an outer value": Case(
        """g (bool c, bool d, float[3] x) => (float[3] y) {
             o = Mul(x, w)
             y = If (c) <then_branch = t () => (float[3] a) {
                           a = If (d) <then_branch = tt () => (float[3] p) { p = Mul(o, v) },
                                       else_branch = te () => (float[3] q) { q = Add(o, v) }> },
                         else_branch = e () => (float[3] b) { b = Neg(o) }> }""",
        {"w": [3], "v": [3]},
        [{"c": flag(c), "d": flag(d), "x": x(1, 2, 3)} for c in (True, False) for d in (True, False)],
        {"cond"}, "cond"),
    "loop of few steps": Case(
        """g (float[3] x) => (float[3] y) {
             n = Constant <value = int64 {3}> ()  t = Constant <value = bool {1}> ()
             y = Loop (n, t, x) <body = b (int64 i, bool k, float[3] s) => (bool k2, float[3] r) {
                 k2 = Identity(k)  r = Mul(s, w) }> }""",
        {"w": [3]}, [{"x": x(1, 2, 3)}], set(), "unrolled"),
    "loop of many steps with scan outputs": Case(
        """g (float[3] x) => (float[3] y, float[20, 3] all) {
             n = Constant <value = int64 {20}> ()  t = Constant <value = bool {1}> ()
             y, all = Loop (n, t, x) <body = b (int64 i, bool k, float[3] s) => (bool k2, float[3] r, float[3] o) {
                 k2 = Identity(k)  p = Mul(s, w)  r = Tanh(p)  o = Identity(r) }> }""",
        {"w": [3]}, [{"x": x(1, 2, 3)}], {"scan"}, "scan"),
    "loop that stops by itself": Case(
        """g (int64 n, float[1] limit, float[1] x) => (float[1] y) {
             t = Constant <value = bool {1}> ()
             y = Loop (n, t, x) <body = b (int64 i, bool k, float[1] s) => (bool k2, float[1] r) {
                 r = Mul(s, w)  l = Less(r, limit)  axis = Constant <value = int64[1] {0}> ()  k2 = Squeeze(l, axis) }> }""",
        {"w": [1]}, [{"n": np.array(9), "limit": x(3.0), "x": x(2.0)}, {"n": np.array(2), "limit": x(1e9), "x": x(2.0)}],
        {"while_loop"}, "while_loop"),
    "loop with a run-time count": Case(
        """g (int64 n, float[2] x) => (float[2] y) {
             t = Constant <value = bool {1}> ()
             y = Loop (n, t, x) <body = b (int64 i, bool k, float[2] s) => (bool k2, float[2] r) {
                 k2 = Identity(k)  r = Mul(s, w) }> }""",
        {"w": [2]}, [{"n": np.array(n), "x": x(1, 2)} for n in (1, 3, 5)], {"while_loop"}, "while_loop"),
    "loop whose state grows": Case(
        """g (int64 n, float[a] x) => (float[b] y) {
             t = Constant <value = bool {1}> ()
             y = Loop (n, t, x) <body = b (int64 i, bool k, float[c] s) => (bool k2, float[d] r) {
                 k2 = Identity(k)  m = Mul(s, w)  r = Concat <axis = 0> (s, m) }> }""",
        {"w": [1]}, [{"n": np.array(n), "x": x(1, 2)} for n in (1, 3)], set(), "leaf", exports=False),
    "scan": Case(
        """g (float[3] s0, float[4, 3] xs) => (float[3] s, float[4, 3] ys) {
             s, ys = Scan <num_scan_inputs = 1, body = b (float[3] s1, float[3] e) => (float[3] s2, float[3] o) {
                 p = Mul(s1, w)  s2 = Add(p, e)  o = Tanh(s2) }> (s0, xs) }""",
        {"w": [3]}, [{"s0": x(1, 2, 3), "xs": np.random.RandomState(1).rand(4, 3).astype(np.float32)}],
        {"scan"}, "scan"),
}

def run(module, feeds):
    y = module(*(torch.from_numpy(np.asarray(v)) for v in feeds.values()))
    return y if isinstance(y, tuple) else (y,)


def loss(module, feeds):
    return sum((o * torch.linspace(1, 2, o.numel(), dtype=o.dtype).view_as(o)).sum() for o in run(module, feeds))


@pytest.fixture(params=CASES, ids=lambda name: name.replace(" ", "_"))
def case(request):
    return CASES[request.param]


def test_equals_onnx_runtime(case):
    model = case.model()
    module = convert_onnx_to_fx(model)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    for feeds in case.inputs:
        expected = session.run(None, {k: np.asarray(v) for k, v in feeds.items()})
        for got, e in zip(run(module, feeds), expected, strict=True):
            np.testing.assert_allclose(got.detach().numpy(), e, rtol=1e-5, atol=1e-6)


def test_gradients_equal_finite_differences(case):
    module = convert_onnx_to_fx(case.model(), trainable=list(case.weights))  # one float alone is no weight by itself
    assert {n for n, _ in module.named_parameters()} >= set(case.weights)
    for feeds in case.inputs:
        module.zero_grad()
        loss(module, feeds).backward()
        for name, p in module.named_parameters():
            for k in range(p.numel()):
                with torch.no_grad():
                    flat, step, old = p.view(-1), 1e-3, p.view(-1)[k].item()  # a large step crosses a change of the step count
                    sides = []
                    for sign in (1, -1):
                        flat[k] = old + sign * step
                        sides.append(loss(module, feeds).item())
                    flat[k] = old
                numeric = (sides[0] - sides[1]) / (2 * step)
                analytic = 0.0 if p.grad is None else p.grad.view(-1)[k].item()
                assert analytic == pytest.approx(numeric, rel=3e-2, abs=3e-3), f"{name}[{k}]"


FORMS = {"If": "cond", "While": "while_loop", "Scan": "scan"}


def test_form_is_the_expected_one_and_reported(case):
    """In the nn dialect a module, of the class that becomes the operator when torch traces it; in the aten dialect the
    operator itself."""
    module = convert_onnx_to_fx(case.model())
    used = {FORMS[type(m).__name__] for m in module.modules() if type(m).__name__ in FORMS}
    assert used == case.targets
    bare = convert_onnx_to_fx(case.model(), dialect="aten")
    names = {str(n.target) for m in bare.modules() if isinstance(m, torch.fx.GraphModule) for n in m.graph.nodes
             if n.op == "call_function"}
    assert {t for t in FORMS.values() if t in names} == case.targets
    report = json.loads(module.meta["onnx2fx"]["report"])
    notes = [note["form"] for n in report["nodes"] if n["op_type"] in ("If", "Loop", "Scan") for note in n.get("notes", []) if "form" in note]
    assert any(note.startswith(case.form) for note in notes), notes


def test_exports(case):
    if not case.exports:
        return
    module = convert_onnx_to_fx(case.model()).eval()
    for feeds in case.inputs[:1]:
        inputs = tuple(torch.from_numpy(np.asarray(v)) for v in feeds.values())
        program = torch.export.export(module, inputs, strict=False)
        with torch.no_grad():
            torch.testing.assert_close(program.module()(*inputs), module(*inputs))
