"""Sizes that pass through floats, comparisons and branches are sizes where they come out: values as
ONNX Runtime's at every size, nothing read from a tensor, and one exported program for all sizes."""

import numpy as np
import onnx.parser
import onnxruntime
import pytest
import torch
from onnx_to_fx import ConversionError, convert_onnx_to_fx, dynamic_shapes, report

HEAD = '<ir_version: 8, opset_import: ["": {}]>\n'


def parsed(text, opset=17):
    model = onnx.parser.parse_model(HEAD.format(opset) + text)
    onnx.checker.check_model(model)
    return model


def fed(shape):
    return np.arange(np.prod(shape), dtype=np.float32).reshape(shape) / 8


def expected(model, shape):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    return session.run(None, {"x": fed(shape)})[0]


def resized(*scaling):
    """x enlarged to sizes that were computed through floats, as old exporters have it."""
    return f"""g (float[n, 2, h, w] x) => (float[n, c, p, q] y)
      <int64 two = {{2}}, int64 three = {{3}}, int64[1] zero = {{0}}, int64[1] end = {{2}}> {{
      s = Shape(x)
      h = Gather(s, two)
      w = Gather(s, three)
      {scaling[0]}
      ph = Unsqueeze(h9, zero)
      pw = Unsqueeze(w9, zero)
      nc = Slice(s, zero, end, zero)
      sizes = Concat<axis = 0>(nc, ph, pw)
      y = Resize<mode = "nearest", coordinate_transformation_mode = "asymmetric",
                 nearest_mode = "floor">(x, , , sizes)
    }}"""


def both(*steps):
    """The steps for h and for w; # stands for either, @0 for the value so far."""
    lines = []
    for name in ("h", "w"):
        at = name
        for i, step in enumerate(steps):
            to = f"{name}9" if i == len(steps) - 1 else f"{name}_{i}"
            lines.append(f"{to} = {step.replace('@', at).replace('#', name)}")
            at = to
    return "\n".join(lines)


def literal(value, kind="float"):
    return f"c# = Constant<value = {kind} {{{value}}}>()"


def scaled(value, *after, to=1):
    constants = "\n".join(f"c{n} = Constant<value = float {{{value}}}>()" for n in "hw")
    cast = ["Cast<to = 11>(@)"] if to == 11 else []
    steps = ["Cast<to = 1>(@)", "Mul(@, c#)", *cast, *after, "Cast<to = 7>(@)"]
    return resized(constants + "\n" + both(*steps))


FLAT = "g (float[n, m] x) => (float[k] y) "
TENSOR = "g (float[n, m] x) => (float[p, q] y) "
SIZES = """<int64 zero = {0}, int64 one = {1}, int64 four = {4}, int64[1] at = {0}> {
      s = Shape(x)
      n = Gather(s, zero)
      m = Gather(s, one)
"""


def counted(*steps):
    """0, 1, ... as many as the size that the steps make of n."""
    return FLAT + SIZES + "\n".join(steps) + "\n r = Range(zero, k, one) y = Cast<to = 1>(r) }"


IMAGES = [(2, 2, 6, 7), (1, 2, 10, 3), (2, 2, 5, 4)]
SQUARES = [(6, 9), (3, 4), (17, 5)]
CASES = {
    "a scale that is a fraction": (scaled(1.7, "Floor(@)"), IMAGES),
    "a scale below 1, rounded": (scaled(0.7, "Round(@)"), IMAGES),
    "a half, rounded to the even number": (scaled(0.5, "Round(@)"), [*IMAGES, (2, 2, 7, 9), (1, 2, 3, 5)]),
    "a scale, rounded up": (scaled(0.75, "Ceil(@)"), IMAGES),
    "a scale of 2 and no rounding": (scaled(2), IMAGES),
    "a scale whose product becomes a double": (scaled(1.7, "Floor(@)", to=11), IMAGES),
    "all sizes at once": (
        """g (float[n, 2, h, w] x) => (float[n, c, p, q] y) <float[4] by = {1, 1, 2.5, 1.25}> {
          s = Shape(x) f = Cast<to = 1>(s) t = Mul(f, by) d = Floor(t) sizes = Cast<to = 7>(d)
          y = Resize<mode = "nearest", coordinate_transformation_mode = "asymmetric",
                     nearest_mode = "floor">(x, , , sizes) }""",
        IMAGES,
    ),
    "a quotient of two sizes": (
        counted(
            "nf = Cast<to = 1>(n) mf = Cast<to = 1>(m) q = Div(nf, mf) c = Ceil(q)",
            "k = Cast<to = 7>(c)",
        ),
        [(17, 5), (9, 4), (10, 5)],  # torch.export takes a size of 1 to be always 1
    ),
    "a square root": (
        counted("f = Cast<to = 1>(n) q = Sqrt(f) k = Cast<to = 7>(q)"),
        [(6, 9), (9, 4), (17, 5)],
    ),
    "a float of the type of another": (
        counted("like = Constant<value = float {0.5}>() f = CastLike(n, like) h = Mul(f, like)",
                "c = Ceil(h) k = CastLike(c, n)"),
        SQUARES,
    ),
    "a Range of floats": (
        FLAT + SIZES + """f = Cast<to = 1>(n) a = Constant<value = float {0.}>()
          d = Constant<value = float {2.}>() y = Range(a, f, d) }""",
        SQUARES,
    ),
    "a Range whose numbers are cast like its limit": (
        FLAT + SIZES + """a = Constant<value = float {0.}>() d = Constant<value = float {1.}>()
          start = CastLike(a, n) step = CastLike(d, n) r = Range(start, n, step)
          y = Cast<to = 1>(r) }""",
        SQUARES,
    ),
    "a size chosen by sizes": (
        counted("c = Less(n, m) k = Where(c, m, four)"),
        SQUARES,
    ),
    "a size chosen by sizes and logic": (
        counted("a = Less(n, m) b = Equal(n, four) o = Or(a, b) e = Not(o) f = And(e, a)",
                "g = Xor(f, o) k = Where(g, n, m)"),
        SQUARES,
    ),
    "a truth counted": (
        counted("a = GreaterOrEqual(n, m) b = Cast<to = 7>(a) k = Add(b, m)"),
        SQUARES,
    ),
    "a comparison of floats": (
        counted("f = Cast<to = 1>(n) c = Constant<value = float {0.5}>() h = Mul(f, c)",
                "t = Constant<value = float {3.2}>() b = Greater(h, t) k = Where(b, n, m)"),
        SQUARES,
    ),
    "a branch that gives a size": (
        counted("""c = Less(n, m)
          k = If(c) <then_branch = t () => (int64 a) { a = Add(n, four) },
                     else_branch = e () => (int64 b) { b = Mul(m, four) }>"""),
        SQUARES,
    ),
    "a branch that gives a tensor": (
        TENSOR + SIZES + """c = Less(n, m) d = Less(m, four) b = And(c, d)
          y = If(b) <then_branch = t () => (float[p, q] u) { u = Mul(x, x) },
                     else_branch = e () => (float[p, q] v) { v = Neg(x) }> }""",
        SQUARES,
    ),
    "a division towards 0": (
        counted("d = Sub(n, m) h = Div(d, four) k = Add(h, four)"),
        SQUARES,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_values_at_every_size(name):
    text, shapes = CASES[name]
    model = parsed(text)
    for dialect in ("nn", "aten"):
        module = convert_onnx_to_fx(model, dialect=dialect)
        assert "_local_scalar_dense" not in module.code and ".item(" not in module.code
        for shape in shapes:
            got = module(torch.from_numpy(fed(shape))).numpy()
            np.testing.assert_array_equal(got, expected(model, shape))


@pytest.mark.parametrize("name", CASES)
def test_one_exported_program_for_all_sizes(name):
    text, shapes = CASES[name]
    model = parsed(text)
    module = convert_onnx_to_fx(model)
    example = (torch.from_numpy(fed(shapes[0])),)
    program = torch.export.export(module, example, dynamic_shapes=dynamic_shapes(module)).module()
    for shape in shapes:
        got = program(torch.from_numpy(fed(shape))).numpy()
        np.testing.assert_array_equal(got, expected(model, shape))


@pytest.mark.parametrize("step, scale", [("Floor", 1.4254), ("Ceil", 0.6)])
def test_what_float32_rounds_as_no_formula_does_is_computed_in_float32(step, scale):
    """Ceil(25 * 0.6) is 16 and Ceil(35 * 0.6) is 21."""
    model = parsed(scaled(scale, f"{step}(@)"))
    module = convert_onnx_to_fx(model)
    assert ".item(" in module.code
    for shape in [*IMAGES, (1, 2, 25, 35)]:
        assert module(torch.from_numpy(fed(shape))).shape == expected(model, shape).shape


SQUEEZED = """g (float[n, m] x) => (float y)
  <int64 zero = {0}, int64 one = {1}, int64[1] at = {1}> {
  s = Shape(x)
  d = Gather(s, one)
  c = Equal(d, one)
  r = If(c) <then_branch = t () => (float[n] a) { a = Squeeze(x, at) },
             else_branch = e () => (float[n, m] b) { b = Identity(x) }>
  size = Shape(r)
  k = Gather(size, zero)
  p = Mul(k, d)
  y = Cast<to = 1>(p)
}"""


@pytest.mark.parametrize("shape", [(4, 1), (4, 3)])
def test_a_branch_of_another_rank_is_a_guard(shape):
    model = parsed(SQUEEZED)
    module = convert_onnx_to_fx(model)
    assert "_shape_as_tensor" not in module.code and ".item(" not in module.code
    x, want = torch.from_numpy(fed(shape)), expected(model, shape)
    np.testing.assert_array_equal(module(x).numpy(), want)
    program = torch.export.export(module, (x,)).module()
    np.testing.assert_array_equal(program(x).numpy(), want)


def test_the_report_says_how_a_branch_was_decided():
    tensor = CASES["a branch that gives a tensor"][0]
    size = CASES["a branch that gives a size"][0]
    forms = [
        note["form"]
        for text in (SQUEEZED, tensor, size)
        for node in report(convert_onnx_to_fx(parsed(text)))["nodes"]
        for note in node.get("notes", [])
        if node["op_type"] == "If"
    ]
    assert forms == [
        "guard: the branches return different types, or what is no tensor is used; "
        "the condition depends on sizes only",
        "cond: both branches return the same types of tensors; "
        "the condition depends on sizes only",
        "sizes: chosen by sizes, without a branch",
    ]


FAULTS = {
    "Slice without axes, of one start": (
        """g (float[n, 2] x) => (int64[k] y) <int64[1] s = {0}, int64[0] a = {}> {
          v = Shape(x) y = Slice(v, s, s, a) }""",
        "node 'y' (Slice, opset 17): starts, ends, axes, steps: expected one length, got several\n"
        "  note: ONNX's type inference: [ShapeInferenceError] Input axes has incorrect length",
    ),
    "Slice without steps, of one start": (
        """g (float[n, 2] x) => (int64[k] y) <int64[1] s = {0}, int64[0] a = {}> {
          v = Shape(x) y = Slice(v, s, s, s, a) }""",
        "node 'y' (Slice, opset 17): starts, ends, axes, steps: expected one length, got several\n"
        "  note: ONNX's type inference: [ShapeInferenceError] Input steps has incorrect length",
    ),
    "Range to nothing": (
        """g (float[n, 2] x) => (int64[k] y) <int64 s = {0}, int64[0] a = {}> {
          y = Range(s, a, s) }""",
        "node 'y' (Range, opset 17): expected one integer, got 0\n"
        "  note: ONNX's type inference: [ShapeInferenceError] Input to 'Range' op should be scalars "
        "(Tensor with only one element and shape empty)",
    ),
    "Range of nothing": (
        """g (float[n, 2] x) => (int64[k] y) <int64[0] a = {}> { y = Range(a, a, a) }""",
        "node 'y' (Range, opset 17): expected one integer, got 0\n"
        "  note: ONNX's type inference: [ShapeInferenceError] Input to 'Range' op should be scalars "
        "(Tensor with only one element and shape empty)",
    ),
    "an index beyond the rank": (
        """g (float[n, 2] x) => (int64 y) <int64 i = {-3}> { s = Shape(x) y = Gather(s, i) }""",
        "node 'y' (Gather, opset 17): index -3: expected one below 2",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_lists_that_do_not_fit_are_refused(name):
    text, message = FAULTS[name]
    with pytest.raises(ConversionError) as error:
        convert_onnx_to_fx(onnx.parser.parse_model(HEAD.format(17) + text))
    assert str(error.value) == "error: <memory>: " + message


def test_int32_wraps_as_at_run_time():
    text = """g (float[n] x) => (bool y) <int32 a = {65536}, int32 b = {32768}, int32 z = {0}> {
      p = Mul(a, b) y = Less(p, z) }"""
    model = parsed(text)
    assert bool(expected(model, (3,)))
    assert bool(convert_onnx_to_fx(model)(torch.zeros(3)))


def test_a_step_that_leaves_the_axis_takes_one():
    text = """g (float[n, 2] x) => (int64[k] y)
      <int64[1] s = {0}, int64[1] e = {9223372036854775807}, int64[1] a = {0}> {
      v = Shape(x) y = Slice(v, s, e, a, e) }"""
    model = parsed(text)
    got = convert_onnx_to_fx(model)(torch.zeros(5, 2)).numpy()
    np.testing.assert_array_equal(got, expected(model, (5, 2)))
    np.testing.assert_array_equal(got, [5])
