"""Control flow is a module that runs as Python and is an operator to tracers: whatever is done with a module works."""

import copy
import io

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx_to_fx import convert_onnx_to_fx
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx.experimental.proxy_tensor import make_fx

HEAD = '<ir_version: 8, opset_import: ["": 17]>\n'


def model(text, **weights):
    m = onnx.parser.parse_model(HEAD + text)
    for name, shape in weights.items():
        values = np.random.default_rng(0).uniform(0.5, 1.5, shape).astype(np.float32)
        m.graph.initializer.append(onnx.numpy_helper.from_array(values, name))
    return m


X = torch.tensor([1.0, 2.0, 3.0])
TRUE, FALSE = torch.tensor(True), torch.tensor(False)

# Bodies whose results are an operand, a captured value, a view, one value twice.
ALIASES = {
    "if: an operand": (
        "g (bool c, float[3] x) => (float[3] y) { h = Mul(x, w) y = If (c)"
        " <then_branch = t () => (float[3] a) { a = Tanh(h) }, else_branch = e () => (float[3] b) { b = Identity(h) }> }",
        (TRUE, X), (FALSE, X),
    ),
    "if: a view": (
        "g (bool c, float[3] x) => (float[1, 3] y) { h = Mul(x, w) axis = Constant<value = int64[1] {0}>() y = If (c)"
        " <then_branch = t () => (float[1, 3] a) { a = Unsqueeze(h, axis) },"
        "  else_branch = e () => (float[1, 3] b) { n = Neg(h) b = Unsqueeze(n, axis) }> }",
        (TRUE, X), (FALSE, X),
    ),
    "if: one value twice": (
        "g (bool c, float[3] x) => (float[3] y) { h = Mul(x, w) p, q = If (c)"
        " <then_branch = t () => (float[3] a, float[3] a2) { a = Tanh(h) a2 = Identity(a) },"
        "  else_branch = e () => (float[3] b, float[3] b2) { b = Neg(h) b2 = Identity(w) }> y = Add(p, q) }",
        (TRUE, X), (FALSE, X),
    ),
    "scan: an output that is the state": (
        "g (float[3] s0, float[4, 3] xs) => (float[3] s, float[4, 3] ys) { s, ys = Scan <num_scan_inputs = 1,"
        " body = b (float[3] s1, float[3] e) => (float[3] s2, float[3] o) { p = Mul(s1, w) s2 = Add(p, e) o = Identity(s2) }>"
        " (s0, xs) }",
        (X, torch.ones(4, 3)), (X, torch.rand(4, 3, generator=torch.Generator().manual_seed(0))),
    ),
    "loop: a condition that is passed on": (
        "g (int64 n, float[3] x) => (float[3] y) { t = Constant<value = bool {1}>() y = Loop (n, t, x)"
        " <body = b (int64 i, bool k, float[3] s) => (bool k2, float[3] r) { k2 = Identity(k) r = Mul(s, w) }> }",
        (torch.tensor(3), X), (torch.tensor(5), X),
    ),
}


@pytest.fixture(params=ALIASES, ids=lambda name: name.replace(" ", "_"))
def aliasing(request):
    text, *inputs = ALIASES[request.param]
    return model(text, w=[3]), inputs


def first(y):
    return y[0] if isinstance(y, tuple) else y


def test_forward_and_backward(aliasing):
    m, inputs = aliasing
    module = convert_onnx_to_fx(m)
    session = onnxruntime.InferenceSession(m.SerializeToString())
    names = [i.name for i in session.get_inputs()]
    for given in inputs:
        expected = session.run(None, {n: x.numpy() for n, x in zip(names, given)})
        y = module(*given)
        for got, e in zip(y if isinstance(y, tuple) else (y,), expected, strict=True):
            np.testing.assert_allclose(got.detach().numpy(), e, rtol=1e-6)
        first(y).sum().backward()
        assert all(p.grad is not None for p in module.parameters())


def test_export_decompose_and_run(aliasing):
    m, inputs = aliasing
    module = convert_onnx_to_fx(m)
    program = torch.export.export(module, inputs[0])
    for p in (program, program.run_decompositions()):
        for given in inputs:
            torch.testing.assert_close(p.module()(*given), module(*given))


@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_compile(aliasing, backend):
    m, inputs = aliasing
    module = convert_onnx_to_fx(m)
    torch._dynamo.reset()
    with torch.no_grad():
        compiled = torch.compile(module, backend=backend)
        for given in inputs:
            torch.testing.assert_close(compiled(*given), module(*given))


def test_other_tracers(aliasing):
    m, (given, other) = aliasing
    module = convert_onnx_to_fx(m)
    with torch.no_grad():
        torch.testing.assert_close(make_fx(module)(*given)(*other), module(*other))
    traced = torch.fx.symbolic_trace(module)
    torch.testing.assert_close(traced(*other), module(*other))
    torch.testing.assert_close(torch.fx.Interpreter(module).run(*other), module(*other))
    with FakeTensorMode(allow_non_fake_inputs=True) as mode:
        fake = module(*(mode.from_tensor(x) for x in given))
    assert first(fake).shape == first(module(*given)).shape


def test_copies(aliasing):
    m, (given, other) = aliasing
    module = convert_onnx_to_fx(m)
    file = io.BytesIO()
    torch.save(module, file)
    file.seek(0)
    for copied in (copy.deepcopy(module), torch.load(file, weights_only=False)):
        torch.testing.assert_close(copied(*other), module(*other))
        assert copied.state_dict().keys() == module.state_dict().keys()
    weights = {n: p.detach() for n, p in module.named_parameters()}
    gradient = torch.func.grad(lambda w: first(torch.func.functional_call(module, w, given)).sum())(weights)
    module.zero_grad()
    first(module(*given)).sum().backward()
    for name, p in module.named_parameters():
        torch.testing.assert_close(gradient[name], p.grad)


def test_meta(aliasing):
    m, inputs = aliasing
    module = convert_onnx_to_fx(m, weights="meta")
    y = module(*(x.to("meta") for x in inputs[0]))
    assert first(y).shape == first(convert_onnx_to_fx(m)(*inputs[0])).shape


def test_vmap_over_a_predicate():
    text, given, _ = ALIASES["if: an operand"]
    module = convert_onnx_to_fx(model(text, w=[3]))
    predicates = torch.tensor([True, False, True])
    batched = torch.vmap(module, in_dims=(0, None))(predicates, X)
    torch.testing.assert_close(batched, torch.stack([module(p, X) for p in predicates]))


def test_branches_of_other_lengths_have_gradients():
    text = (
        "g (bool c, float[3] x) => (float[n] y) { h = Mul(x, w) y = If (c)"
        " <then_branch = t () => (float[k] a) { a = Concat<axis = 0>(h, h) },"
        "  else_branch = e () => (float[j] b) { b = Neg(h) }> }"
    )
    module = convert_onnx_to_fx(model(text, w=[3]))
    for predicate, length, factor in ((TRUE, 6, 2.0), (FALSE, 3, -1.0)):
        y = module(predicate, X)
        assert y.shape == (length,)
        module.zero_grad()
        y.sum().backward()
        torch.testing.assert_close(next(module.parameters()).grad, factor * X)


def test_a_recurrent_layer_inside_a_branch_has_gradients():
    text = (
        "g (bool c, float[5, 2, 4] x) => (float[5, 1, 2, 3] y) { y = If (c)"
        " <then_branch = t () => (float[5, 1, 2, 3] a) { a, ah, ac = LSTM<hidden_size = 3>(x, W, R) },"
        "  else_branch = e () => (float[5, 1, 2, 3] b) { r, bh, bc = LSTM<hidden_size = 3>(x, W, R) b = Neg(r) }> }"
    )
    m = model(text, W=[1, 12, 4], R=[1, 12, 3])
    module = convert_onnx_to_fx(m)
    x = torch.rand(5, 2, 4, generator=torch.Generator().manual_seed(1))
    expected = onnxruntime.InferenceSession(m.SerializeToString()).run(None, {"c": TRUE.numpy(), "x": x.numpy()})[0]
    gradients = []
    for predicate, sign in ((TRUE, 1), (FALSE, -1)):
        module.zero_grad()
        y = module(predicate, x)
        np.testing.assert_allclose(sign * y.detach().numpy(), expected, rtol=1e-5, atol=1e-6)
        y.sum().backward()
        gradients.append([sign * p.grad for p in module.parameters() if p.grad is not None])
    for a, b in zip(*gradients, strict=True):
        torch.testing.assert_close(a, b)


def test_a_scan_of_no_rows():
    text = ALIASES["scan: an output that is the state"][0].replace("float[4, 3]", "float[n, 3]")
    module = convert_onnx_to_fx(model(text, w=[3]))
    state, rows = module(X, torch.empty(0, 3))
    assert torch.equal(state, X) and rows.shape == (0, 3)
    state, rows = module(X, torch.ones(2, 3))
    assert rows.shape == (2, 3)


def test_what_no_tracer_can_hold_names_the_node():
    text = (
        "g (int64 n, float[a] x) => (float[b] y) { t = Constant<value = bool {1}>() y = Loop (n, t, x)"
        " <body = b (int64 i, bool k, float[c] s) => (bool k2, float[d] r) { k2 = Identity(k) r = Concat<axis = 0>(s, s) }> }"
    )
    m = model(text)
    m.graph.node[1].name = "doubling"
    module = convert_onnx_to_fx(m)
    assert module(torch.tensor(2), X).shape == (12,)
    with pytest.raises(Exception) as caught:
        torch.export.export(module, (torch.tensor(2), X))
    assert (
        "node 'doubling' (Loop): what it carries changes its type or size: it runs as Python, and no tracer can hold it; "
        "run the module as it is, or trace what stands around this node"
    ) in str(caught.value)


def test_the_code_reads_as_a_call():
    text, *_ = ALIASES["if: an operand"]
    code = convert_onnx_to_fx(model(text, w=[3])).code
    assert "higher_order" not in code
    assert "= self.y(c, " in code
