"""Control flow back to ONNX by torch.onnx.export(dynamo=True): at other sizes and trip counts, in ONNX Runtime, it gives
what ONNX Runtime gives for the model as it was."""

import logging

import numpy as np
import onnx
import onnx.parser
import onnxruntime
import pytest
import torch
from onnx_to_fx import convert_onnx_to_fx, dynamic_shapes

HEAD = '<ir_version: 8, opset_import: ["": 17]>\n'
random = np.random.default_rng(0)


def r(*shape):
    return random.standard_normal(shape).astype(np.float32)


def i(value):
    return np.array(value, np.int64)


def boxes(*shape):
    corner = np.abs(r(*shape, 2))
    return np.concatenate([corner, corner + np.abs(r(*shape, 2))], -1)


YES, NO = np.array(True), np.array(False)
GO_ON = "t = Constant <value = bool {1}> () "
SCALE = "(int64 i, bool k, float[3] s) => (bool k2, float[3] r) { k2 = Identity (k) r = Mul (s, w) }"
ADD_UP = "(float[3] a, float[3] e) => (float[3] b) { p = Mul (a, w) b = Add (p, e) }"

# text, shapes of its weights, inputs of several runs
CASES = {
    "if": (
        """g (bool c, float[3] x) => (float[3] y, int64[3] z) { y, z = If (c) <
             then_branch = p () => (float[3] a, int64[3] i) { a = Mul (x, w) i = Cast <to = 7> (a) },
             else_branch = e () => (float[3] b, int64[3] j) { b = Identity (x) j = Cast <to = 7> (x) }> }""",
        {"w": [3]}, [(YES, r(3)), (NO, r(3))]),
    "if of a size": (
        """g (float[N] x) => (float[N] y) { sh = Shape (x) ax = Constant <value = int64[1] {0}> () n = Squeeze (sh, ax)
             l = Constant <value = int64 {4}> () c = Less (n, l) y = If (c) <
             then_branch = p () => (float[N] a) { a = Mul (x, w) },
             else_branch = e () => (float[N] b) { b = Neg (x) }> }""",
        {"w": [1]}, [(r(3),), (r(5),)]),
    "loop of a run-time count": (
        f"g (int64 n, float[3] x) => (float[3] y) {{ {GO_ON} y = Loop (n, t, x) <body = b {SCALE}> }}",
        {"w": [1]}, [(i(3), r(3)), (i(5), r(3)), (i(0), r(3))]),
    "loop of a given condition": (
        f"g (int64 n, bool t, float[3] x) => (float[3] y) {{ y = Loop (n, t, x) <body = b {SCALE}> }}",
        {"w": [1]}, [(i(3), YES, r(3)), (i(3), NO, r(3)), (i(5), YES, r(3))]),
    "loop that stops by itself": (
        f"""g (float[3] x) => (float[3] y) {{ {GO_ON} l = Constant <value = float {{100}}> () y = Loop (, t, x) <body = b
             (int64 i, bool k, float[3] s) => (bool k2, float[3] r) {{ r = Mul (s, w) q = Mul (r, r)
             m = ReduceSum <keepdims = 0> (q) k2 = Less (m, l) }}> }}""",
        {"w": [1]}, [(r(3),), (r(3) / 100,)]),
    "loop of a size, that counts": (
        f"""g (float[N] x, int64 a) => (float[N] y, int64 z) {{ sh = Shape (x) ax = Constant <value = int64[1] {{0}}> ()
             n = Squeeze (sh, ax) {GO_ON} y, z = Loop (n, t, x, a) <body = b (int64 i, bool k, float[N] s, int64 q)
             => (bool k2, float[N] r, int64 q2) {{ k2 = Identity (k) r = Mul (s, w) q2 = Add (q, i) }}> }}""",
        {"w": [1]}, [(r(3), i(2)), (r(5), i(7))]),
    "loop of a size with scan outputs": (
        f"""g (float[N] x) => (float[N] y, float[N, N] z) {{ sh = Shape (x) ax = Constant <value = int64[1] {{0}}> ()
             n = Squeeze (sh, ax) {GO_ON} y, z = Loop (n, t, x) <body = b (int64 i, bool k, float[N] s)
             => (bool k2, float[N] r, float[N] o) {{ k2 = Identity (k) r = Mul (s, w) o = Tanh (r) }}> }}""",
        {"w": [1]}, [(r(3),), (r(5),)]),
    "loop in a loop": (
        f"""g (int64 n, int64 m, float[3] x) => (float[3] y) {{ {GO_ON} y = Loop (n, t, x) <body = b
             (int64 i, bool k, float[3] s) => (bool k2, float[3] r) {{ k2 = Identity (k)
             r = Loop (m, t, s) <body = d (int64 j, bool l, float[3] u) => (bool l2, float[3] v) {{ l2 = Identity (l) v = Mul (u, w) }}> }}> }}""",
        {"w": [1]}, [(i(3), i(2), r(3)), (i(2), i(4), r(3))]),
    "loop in an if": (
        f"""g (bool c, int64 n, float[3] x) => (float[3] y) {{ {GO_ON} y = If (c) <
             then_branch = p () => (float[3] a) {{ a = Loop (n, t, x) <body = b {SCALE}> }},
             else_branch = e () => (float[3] b) {{ b = Neg (x) }}> }}""",
        {"w": [1]}, [(YES, i(3), r(3)), (NO, i(3), r(3)), (YES, i(1), r(3))]),
    "scan": (
        """g (float[N, 3] s0, float[T, N, 3] xs, float[T] zs) => (float[N, 3] s, float[T, N, 3] ys, float[T, N, 3] us) {
             s, ys, us = Scan <num_scan_inputs = 2, body = b (float[M, 3] s1, float[M, 3] e, float z)
             => (float[M, 3] s2, float[M, 3] o, float[M, 3] u) { p = Mul (s1, w) s2 = Add (p, e) o = Mul (s2, z)
             u = Identity (s2) }> (s0, xs, zs) }""",
        {"w": [3]}, [(r(2, 3), r(4, 2, 3), r(4)), (r(5, 3), r(7, 5, 3), r(7))]),
    "scan backwards along another axis": (
        """g (float[3] s0, float[3, T] xs) => (float[3] s, float[3, T] ys) { s, ys = Scan <num_scan_inputs = 1,
             scan_input_axes = [1], scan_input_directions = [1], scan_output_axes = [1], scan_output_directions = [1],
             body = b (float[3] s1, float[3] e) => (float[3] s2, float[3] o) { p = Mul (s1, w) s2 = Add (p, e)
             o = Tanh (s2) }> (s0, xs) }""",
        {"w": [3]}, [(r(3), r(3, 4)), (r(3), r(3, 6))]),
    "scan in a scan": (
        f"""g (float[3] s0, float[T, K, 3] xs) => (float[3] s, float[T, 3] ys) {{ s, ys = Scan <num_scan_inputs = 1, body = d
             (float[3] s1, float[K, 3] f) => (float[3] s2, float[3] o) {{
             s2 = Scan <num_scan_inputs = 1, body = c {ADD_UP}> (s1, f) o = Tanh (s2) }}> (s0, xs) }}""",
        {"w": [3]}, [(r(3), r(4, 2, 3)), (r(3), r(7, 3, 3))]),
    "if in a scan": (
        """g (float[3] s0, float[T, 3] xs) => (float[3] s) { s = Scan <num_scan_inputs = 1, body = d
             (float[3] s1, float[3] f) => (float[3] s2) { m = ReduceSum <keepdims = 0> (f)
             z = Constant <value = float {0}> () c = Greater (m, z) p = If (c) <
             then_branch = t () => (float[3] a) { a = Mul (s1, w) }, else_branch = e () => (float[3] b) { b = Neg (s1) }>
             s2 = Add (p, f) }> (s0, xs) }""",
        {"w": [3]}, [(r(3), r(4, 3)), (r(3), r(7, 3))]),
    "LSTM with peepholes": (
        "g (float[T, N, 4] x) => (float[T, 1, N, 3] y) { y, h, c = LSTM <hidden_size = 3> (x, W, R, , , , , P) }",
        {"W": [1, 12, 4], "R": [1, 12, 3], "P": [1, 9]}, [(r(5, 2, 4),), (r(15, 3, 4),)]),
    "GRU of other lengths in both directions": (
        """g (float[T, N, 4] x, int32[N] l) => (float[T, 2, N, 3] y, float[2, N, 3] h) {
             y, h = GRU <hidden_size = 3, direction = "bidirectional"> (x, W, R, B, l) }""",
        {"W": [2, 9, 4], "R": [2, 9, 3], "B": [2, 18]},
        [(r(5, 2, 4), np.array([5, 3], np.int32)), (r(15, 3, 4), np.array([15, 2, 7], np.int32))]),
    "non maximum suppression": (
        """g (float[N, B, 4] b, float[N, C, B] s) => (int64[K, 3] y) <int64 k = {3}, float o = {0.5}, float t = {0.1}> {
             y = NonMaxSuppression (b, s, k, o, t) }""",
        {}, [(boxes(2, 6), np.abs(r(2, 3, 6))), (boxes(3, 9), np.abs(r(3, 3, 9)))]),
}  # fmt: skip


def run(model, inputs):
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return session.run(None, {p.name: v for p, v in zip(session.get_inputs(), inputs, strict=True)})


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("dialect", ["nn", "aten"])
def test_there_and_back(name, dialect, caplog):
    caplog.set_level(logging.ERROR)
    text, weights, runs = CASES[name]
    model = onnx.parser.parse_model(HEAD + text)
    values = np.random.default_rng(1)
    for weight, shape in weights.items():
        array = values.uniform(0.5, 1.5, shape).astype(np.float32)
        model.graph.initializer.append(onnx.numpy_helper.from_array(array, weight))
    module = convert_onnx_to_fx(model, dialect=dialect).eval()
    given = tuple(torch.from_numpy(v) for v in runs[0])
    again = torch.onnx.export(module, given, dynamo=True, dynamic_shapes=dynamic_shapes(module), verbose=False).model_proto
    for inputs in runs:
        for got, expected in zip(run(again, inputs), run(model, inputs), strict=True):
            np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)
