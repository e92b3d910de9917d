"""convert_onnx_to_fx as its first users know it: what goes in, what comes back, how it trains."""

import inspect

import numpy as np
import onnx
import pytest
import small_models as sm
import torch
from onnx import TensorProto, helper, numpy_helper
from onnx_to_fx import ConversionError, UnsupportedOperatorError, bind, convert_onnx_to_fx, report
from small_models import floats, node
from torch import fx, nn


def linear(weights=None, hidden=5):
    nodes = [
        node("Gemm", "x,w1,b1", "h", transB=1),
        node("Relu", "h", "r"),
        node("Gemm", "r,w2,b2", "y", transB=1),
    ]
    weights = {
        "w1": floats(hidden, 4, seed=1),
        "b1": floats(hidden, seed=2),
        "w2": floats(3, hidden, seed=3),
        "b2": floats(3, seed=4),
    }
    return sm.model(nodes, {"x": floats(2, 4)}, ("y",), weights)


def run(module, *inputs, **named):
    with torch.no_grad():
        return module(
            *map(torch.from_numpy, inputs), **{n: torch.from_numpy(a) for n, a in named.items()}
        )


def check(proto, *inputs, **options):
    """Converts, compares with the reference, gives the module."""
    module = convert_onnx_to_fx(proto, **options).eval()
    got = run(module, *inputs)
    want = sm.expected(proto, dict(zip((i.name for i in proto.graph.input), inputs)))
    assert isinstance(got, tuple) == (len(want) > 1)
    for g, w in zip(got if isinstance(got, tuple) else (got,), want, strict=True):
        assert tuple(g.shape) == w.shape
        np.testing.assert_allclose(g.numpy(), w, rtol=1e-4, atol=1e-5)
    return module


# ---- the call


def test_signature():
    parameters = inspect.signature(convert_onnx_to_fx).parameters
    assert list(parameters)[:2] == ["model", "debug"] and parameters["debug"].default is False
    assert all(p.kind is p.KEYWORD_ONLY for p in list(parameters.values())[2:])


def test_model_file_path_bytes(tmp_path):
    onnx.save(linear(), tmp_path / "m.onnx")
    forms = [
        linear(),
        str(tmp_path / "m.onnx"),
        tmp_path / "m.onnx",
        (tmp_path / "m.onnx").read_bytes(),
    ]
    modules = [convert_onnx_to_fx(f) for f in forms]
    assert all(isinstance(m, fx.GraphModule) for m in modules)
    results = [run(m, floats(2, 4)) for m in modules]
    assert all(torch.equal(r, results[0]) for r in results)


def test_debug_prints_the_graph(capsys):
    module = convert_onnx_to_fx(linear(), debug=True)
    assert str(module.graph) in capsys.readouterr().out
    convert_onnx_to_fx(linear())
    assert capsys.readouterr().out == ""


def two_inputs():
    nodes = [node("Sub", "first,second", "d"), node("Mul", "d,first", "m")]
    return sm.model(
        nodes, {"first": floats(3), "unused": floats(2), "second": floats(3, seed=1)}, ("d", "m")
    )


def test_inputs_by_position_and_by_name():
    a, unused, b = floats(3), floats(2), floats(3, seed=1)
    module = check(two_inputs(), a, unused, b)
    by_position = run(module, a, unused, b)
    assert isinstance(by_position, tuple) and len(by_position) == 2
    for named in (
        run(module, second=b, first=a, unused=unused),
        run(module, a, second=b, unused=unused),
    ):
        assert all(torch.equal(x, y) for x, y in zip(named, by_position, strict=True))


def test_inputs_are_those_that_are_no_initializers():
    proto = sm.model(
        [node("Add", "x,w", "y")], {"x": floats(3)}, ("y",), {"w": floats(3, seed=1)}, opset=7
    )
    assert [i.name for i in proto.graph.input] == ["x", "w"]
    module = convert_onnx_to_fx(proto)
    assert [n.target for n in module.graph.nodes if n.op == "placeholder"] == ["x"]
    torch.testing.assert_close(
        run(module, floats(3)), torch.from_numpy(floats(3) + floats(3, seed=1))
    )


def test_one_output_is_a_tensor():
    assert isinstance(convert_onnx_to_fx(linear())(torch.ones(2, 4)), torch.Tensor)


# ---- operators that nobody lowers


def test_every_unsupported_node_is_listed():
    nodes = [
        helper.make_node("Foo", ["x"], ["a"], name="one", domain="d"),
        node("Relu", "a", "b"),
        helper.make_node("Bar", ["b"], ["c"], name="two", domain="e"),
        helper.make_node("Foo", ["c"], ["y"], name="three", domain="d"),
    ]
    proto = sm.model(nodes, {"x": floats(2)}, ("y",))
    proto.opset_import.extend([helper.make_opsetid("d", 1), helper.make_opsetid("e", 3)])
    with pytest.raises(UnsupportedOperatorError) as caught:
        convert_onnx_to_fx(proto)
    found = [(o.domain, o.op_type, o.opset, tuple(o.nodes)) for o in caught.value.operators]
    assert found == [("d", "Foo", 1, ("one", "three")), ("e", "Bar", 3, ("two",))]
    assert len(caught.value.diagnostics) == 3
    module = convert_onnx_to_fx(proto, keep_going=True)
    assert "two" in str(report(module))
    with pytest.raises(UnsupportedOperatorError, match="Foo"):
        module(torch.ones(2))


def test_faults_of_the_model_are_all_listed():
    proto = sm.model([node("Add", "x,p", "a"), node("Add", "a,q", "y")], {"x": floats(2)}, ("y",))
    with pytest.raises(ConversionError) as caught:
        convert_onnx_to_fx(proto)
    assert str(caught.value) == (
        "error: <memory>: node #0 (Add, opset 21): input 1: no value is named 'p'\n"
        "error: <memory>: node #1 (Add, opset 21): input 1: no value is named 'q'"
    )


# ---- training


@pytest.mark.parametrize("dialect", ["nn", "aten"])
def test_training_step_equals_torch(dialect):
    module = convert_onnx_to_fx(linear(), dialect=dialect).train()
    twin = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3))
    with torch.no_grad():
        for p, w in zip(twin.parameters(), linear().graph.initializer, strict=True):
            p.copy_(torch.from_numpy(numpy_helper.to_array(w).copy()))
    x, target = torch.randn(8, 4), torch.randn(8, 3)
    for m in (module, twin):
        optimizer = torch.optim.SGD(m.parameters(), lr=0.1, momentum=0.9)
        for _ in range(3):
            optimizer.zero_grad()
            nn.functional.mse_loss(m(x), target).backward()
            optimizer.step()
    torch.testing.assert_close(module(x), twin(x))
    assert sorted(tuple(p.shape) for p in module.parameters()) == sorted(
        tuple(p.shape) for p in twin.parameters()
    )


def test_train_and_eval_switch():
    module = convert_onnx_to_fx(linear())
    assert module.train().training and not module.eval().training
    assert convert_onnx_to_fx(linear(), training=True).training


def batch_norm(momentum, dimensions=2):
    weights = {
        "s": floats(3, seed=1),
        "b": floats(3, seed=2),
        "m": floats(3, seed=3),
        "v": np.abs(floats(3, seed=4)) + 0.5,
    }
    nodes = [node("BatchNormalization", "x,s,b,m,v", "y", momentum=momentum, epsilon=1e-3)]
    return sm.model(nodes, {"x": floats(4, 3, *[5] * (dimensions - 1))}, ("y",), weights), weights


@pytest.mark.parametrize("dialect", ["nn", "aten"])
@pytest.mark.parametrize(
    "kind, dimensions", [(nn.BatchNorm1d, 2), (nn.BatchNorm2d, 3), (nn.BatchNorm3d, 4)]
)
def test_batch_norm_trains_as_in_torch(kind, dimensions, dialect):
    proto, weights = batch_norm(0.8, dimensions)
    module = convert_onnx_to_fx(proto, dialect=dialect, training=True).train()
    twin = kind(3, eps=1e-3, momentum=1 - np.float32(0.8).item()).train()
    named = dict(weight="s", bias="b", running_mean="m", running_var="v")
    twin.load_state_dict(
        {t: torch.from_numpy(weights[o].copy()) for t, o in named.items()}, strict=False
    )
    x = torch.randn(4, 3, *[5] * (dimensions - 1)) * 2 + 1
    for _ in range(2):
        torch.testing.assert_close(module(x), twin(x), rtol=1e-4, atol=1e-5)
    buffers = sorted(
        (b for b in module.buffers() if b.is_floating_point()), key=lambda b: b.sum().item()
    )
    wanted = sorted((twin.running_mean, twin.running_var), key=lambda b: b.sum().item())
    torch.testing.assert_close(buffers, wanted, rtol=1e-4, atol=1e-5)
    if dialect == "nn":
        assert any(isinstance(m, kind) for m in module.modules())
        torch.testing.assert_close(module.eval()(x), twin.eval()(x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("opset", [1, 6, 7, 10, 12, 13, 22])
def test_dropout_is_active_in_train_only(opset):
    attributes = {"consumed_inputs": [0]} if opset == 1 else {}
    if opset < 12:
        proto = sm.model(
            [node("Dropout", "x", "y", ratio=0.25, **attributes)],
            {"x": floats(2)},
            ("y",),
            opset=opset,
        )
    else:
        proto = sm.model(
            [node("Dropout", "x,r", "y")],
            {"x": floats(2)},
            ("y",),
            {"r": np.float32(0.25)},
            opset=opset,
        )
    module, x = convert_onnx_to_fx(proto), torch.ones(10000)
    assert torch.equal(module.eval()(x), x)
    y = module.train()(x)
    assert 0.2 < (y == 0).float().mean() < 0.3
    torch.testing.assert_close(y[y != 0], torch.full_like(y[y != 0], 1 / 0.75))


def trained(module):
    return sum(p.numel() for p in module.parameters() if p.requires_grad)


def test_trainable_and_frozen():
    assert trained(convert_onnx_to_fx(linear())) == 4 * 5 + 5 + 5 * 3 + 3
    assert trained(convert_onnx_to_fx(linear(), frozen=["w*"])) == 5 + 3
    assert trained(convert_onnx_to_fx(linear(), frozen=["*"])) == 0
    assert trained(convert_onnx_to_fx(linear(), frozen=["*"], trainable=["b1"])) == 5
    module = convert_onnx_to_fx(linear(), frozen=["w1"])
    module(torch.ones(2, 4)).sum().backward()
    assert {tuple(p.shape) for p in module.parameters() if p.grad is not None} == {
        (5,),
        (3, 5),
        (3,),
    }


def test_batch_statistics_can_be_frozen_parameters_too():
    proto, _ = batch_norm(0.9)
    assert trained(convert_onnx_to_fx(proto)) == 6
    assert trained(convert_onnx_to_fx(proto, frozen=["s"])) == 3


# ---- weights


def tied():
    nodes = [
        node("MatMul", "x,w", "h"),
        node("Transpose", "w", "t", perm=[1, 0]),
        node("MatMul", "h,t", "z"),
        node("MatMul", "z,w", "y"),
    ]
    return sm.model(nodes, {"x": floats(2, 3)}, ("y",), {"w": floats(3, 4, seed=1)})


@pytest.mark.parametrize("dialect", ["nn", "aten"])
def test_tied_weights_stay_one_parameter(dialect):
    module = check(tied(), floats(2, 3), dialect=dialect)
    parameters = list(module.parameters())
    assert len(parameters) == 1 and parameters[0].numel() == 12
    x, w = torch.from_numpy(floats(2, 3)), torch.from_numpy(floats(3, 4, seed=1)).requires_grad_()
    (x @ w @ w.T @ w).sum().backward()
    module(x).sum().backward()
    grad = parameters[0].grad
    torch.testing.assert_close(
        grad if grad.shape == w.shape else grad.T, w.grad, rtol=1e-4, atol=1e-4
    )


SOURCES = {
    "initializer": lambda a: ([], {"w": a}),
    "constant": lambda a: (
        [helper.make_node("Constant", [], ["w"], value=numpy_helper.from_array(a))],
        {},
    ),
    "identity": lambda a: ([node("Identity", "v", "w")], {"v": a}),
    "identity of identity": lambda a: (
        [node("Identity", "v", "u"), node("Identity", "u", "w")],
        {"v": a},
    ),
    "transpose": lambda a: ([node("Transpose", "v", "w")], {"v": np.ascontiguousarray(a.T)}),
    "cast": lambda a: ([node("Cast", "v", "w", to=TensorProto.FLOAT)], {"v": a.astype(np.float64)}),
    "cast to the same type": lambda a: ([node("Cast", "v", "w", to=TensorProto.FLOAT)], {"v": a}),
    "reshape": lambda a: (
        [node("Reshape", "v,shape", "w")],
        {"v": a.reshape(-1), "shape": np.array(a.shape)},
    ),
    "product": lambda a: ([node("Mul", "v,two", "w")], {"v": a / 2, "two": np.float32(2)}),
    "concatenation": lambda a: ([node("Concat", "p,q", "w", axis=0)], {"p": a[:1], "q": a[1:]}),
}
USES = {
    "Gemm": (node("Gemm", "x,w", "y", transB=1), (5, 4), (2, 4)),
    "MatMul": (node("MatMul", "x,w", "y"), (4, 5), (2, 4)),
    "Conv": (
        node("Conv", "x,w", "y", kernel_shape=[2, 3], pads=[1, 0, 0, 1]),
        (4, 3, 2, 3),
        (2, 3, 5, 6),
    ),
    "BatchNormalization": (node("BatchNormalization", "x,w,b,m,s", "y"), (3,), (2, 3, 4)),
}


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("use", USES)
def test_weights_from_other_nodes(use, source):
    consumer, shape, inputs = USES[use]
    makers, weights = SOURCES[source](floats(*shape, seed=1))
    if use == "BatchNormalization":
        weights |= {"b": floats(3, seed=2), "m": floats(3, seed=3), "s": np.ones(3, np.float32)}
    module = check(
        sm.model([*makers, consumer], {"x": floats(*inputs)}, ("y",), weights), floats(*inputs)
    )
    module(torch.from_numpy(floats(*inputs))).square().sum().backward()
    assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in module.parameters())


def test_meta_weights_without_the_data_file(tmp_path):
    path = tmp_path / "m.onnx"
    onnx.save(linear(), path, save_as_external_data=True, location="m.data", size_threshold=0)
    reference = run(convert_onnx_to_fx(path, weights="copy"), floats(2, 4))
    (tmp_path / "m.data").unlink()
    with pytest.raises(ConversionError, match=r"m\.data' is missing"):
        convert_onnx_to_fx(path)
    module = convert_onnx_to_fx(path, weights="meta")
    assert all(p.is_meta for p in module.parameters())
    bind(
        module,
        {
            t.name: torch.from_numpy(numpy_helper.to_array(t).copy())
            for t in linear().graph.initializer
        },
    )
    assert torch.equal(run(module, floats(2, 4)), reference)


# ---- unusual graphs


def test_output_that_is_an_input():
    check(sm.model([node("Relu", "x", "y")], {"x": floats(3)}, ("x", "y")), floats(3))


def test_graph_without_nodes():
    check(sm.model([], {"x": floats(3), "z": floats(2)}, ("z",)), floats(3), floats(2))


def test_output_that_is_an_initializer():
    module = convert_onnx_to_fx(
        sm.model([node("Relu", "x", "y")], {"x": floats(3)}, ("w", "y"), {"w": floats(2, seed=1)})
    )
    w, _ = run(module, floats(3))
    torch.testing.assert_close(w.detach(), torch.from_numpy(floats(2, seed=1)))


def test_output_that_is_listed_twice():
    module = convert_onnx_to_fx(
        sm.model([node("Relu", "x", "y")], {"x": floats(3)}, ("y", "x", "y"))
    )
    a, x, b = run(module, floats(3))
    assert torch.equal(a, b) and torch.equal(x, torch.from_numpy(floats(3)))


def test_unused_inputs_and_initializers():
    proto = sm.model(
        [node("Relu", "x", "y")],
        {"a": floats(1), "x": floats(3), "b": floats(2)},
        ("y",),
        {"w": floats(9)},
    )
    module = check(proto, floats(1), floats(3), floats(2))
    assert [n.target for n in module.graph.nodes if n.op == "placeholder"] == ["a", "x", "b"]


def test_inputs_and_outputs_without_nodes_between():
    proto = sm.model([node("Constant", "", "c", value_float=2.0)], {"x": floats(3)}, ("c",))
    del proto.graph.node[0].input[:]
    assert run(convert_onnx_to_fx(proto), floats(3)).item() == 2


# ---- names

NAMES = [
    "class",
    "self",
    "forward",
    "def",
    "None",
    "training",
    "type",
    "parameters",
    "1x",
    "a.b",
    "a_b",
    "a/b",
    "a-b",
    "/",
    "ü",
    "name with space",
    "_modules",
    "weight",
    "graph",
    "code",
    "input",
    "x:0",
    "__class__",
    "_1",
    "torch",
    "getattr",
]


def named_model(names):
    """y = x + every weight of the names, one after the other; the values between have the names too."""
    nodes, last = [], "input value"
    for name in names:
        nodes.append(helper.make_node("Add", [last, name], [f"{name}.sum"], name=name))
        last = f"{name}.sum"
    return sm.model(
        nodes,
        {"input value": floats(3)},
        (last,),
        {n: floats(3, seed=i) for i, n in enumerate(names)},
    )


@pytest.mark.parametrize("dialect", ["nn", "aten"])
def test_names_of_weights_and_nodes(dialect):
    module = check(named_model(NAMES), floats(3), dialect=dialect, trainable=["*"])
    assert len(list(module.parameters())) == len(NAMES)
    twin = convert_onnx_to_fx(named_model(NAMES), dialect=dialect, weights="meta")
    bind(twin, {n: torch.from_numpy(floats(3, seed=i)) for i, n in enumerate(NAMES)})
    assert torch.equal(run(twin, floats(3)), run(module, floats(3)))


@pytest.mark.parametrize("name", NAMES)
def test_names_of_inputs_and_outputs(name):
    x, z = floats(3), floats(3, seed=1)
    proto = sm.model(
        [node("Sub", f"{name},{name}.2", "d"), node("Neg", "d", f"{name}.out")],
        {name: x, f"{name}.2": z},
        (f"{name}.out",),
    )
    module = check(proto, x, z)
    assert torch.equal(
        fx.symbolic_trace(module)(torch.from_numpy(x), torch.from_numpy(z)), run(module, x, z)
    )


def test_colliding_names_stay_apart():
    names = ["a.b", "a_b", "a/b", "a b", "a"]
    module = check(named_model(names), floats(3), trainable=["*"])
    assert len(list(module.parameters())) == len(set(dict(module.named_parameters()))) == 5
    inputs = {n: floats(3, seed=i) for i, n in enumerate(names)}
    total = sm.model([helper.make_node("Sum", names, ["y"])], inputs, ("y",))
    assert (
        len({n.target for n in check(total, *inputs.values()).graph.nodes if n.op == "placeholder"})
        == 5
    )


def test_inputs_by_their_identifiers():
    proto = sm.model(
        [node("Sub", "a.b,class", "y")], {"a.b": floats(3), "class": floats(3, seed=1)}, ("y",)
    )
    module = convert_onnx_to_fx(proto)
    names = [n.target for n in module.graph.nodes if n.op == "placeholder"]
    assert all(n.isidentifier() for n in names)
    values = dict(zip(names, (floats(3), floats(3, seed=1))))
    assert torch.equal(run(module, **values), run(module, floats(3), floats(3, seed=1)))
