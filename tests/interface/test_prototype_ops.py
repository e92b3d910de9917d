"""The operators that the prototype had, at every opset revision, in every form of their attributes."""

import numpy as np
import onnx
import pytest
import small_models as sm
import torch
from onnx_to_fx import convert_onnx_to_fx
from small_models import floats, node

NEWEST = onnx.defs.onnx_opset_version()


def revisions(op):
    return sorted(
        s.since_version
        for s in onnx.defs.get_all_schemas_with_history()
        if s.name == op and s.domain == "" and not s.deprecated
    )


def at_every_revision(op, since=1, until=NEWEST):
    """The opsets in which the operator changed, and the newest."""
    return sorted({max(r, since) for r in revisions(op) if r <= until} | {until})


def check(
    nodes, feeds, weights=(), outputs=("y",), opset=21, want=None, dialect="nn", tolerance=1e-4,
    training=False,
):
    proto = sm.model(nodes, feeds, outputs, weights, opset)
    want = sm.expected(proto, feeds) if want is None else want
    module = convert_onnx_to_fx(proto, dialect=dialect).train(training)
    with torch.no_grad():
        got = module(*(torch.from_numpy(f) for f in feeds.values()))
    got = [g.detach() for g in (got if isinstance(got, tuple) else (got,))]
    assert len(got) == len(want)
    for g, w in zip(got, want):
        assert g.numpy().dtype == w.dtype and tuple(g.shape) == w.shape
        np.testing.assert_allclose(g.numpy(), w, rtol=tolerance, atol=tolerance)


def cases(op, forms):
    """(opset, form) for each revision that has the form, which may say since when."""
    return [
        pytest.param(opset, {k: v for k, v in form.items() if k != "since"}, id=f"{opset}-{name}")
        for name, form in forms.items()
        for opset in at_every_revision(op, form.get("since", 1))
    ]


# ---- Conv

CONV = {
    "1d": dict(shape=(2, 3, 9), weight=(4, 3, 3), attributes={}),
    "2d": dict(shape=(2, 3, 7, 8), weight=(4, 3, 3, 2), attributes=dict(kernel_shape=[3, 2])),
    "3d": dict(shape=(1, 2, 5, 6, 4), weight=(3, 2, 2, 3, 2), attributes={}),
    "1d asymmetric": dict(
        shape=(2, 3, 9), weight=(4, 3, 3), attributes=dict(pads=[2, 0], strides=[2])
    ),
    "2d asymmetric": dict(
        shape=(2, 3, 7, 8), weight=(4, 3, 3, 3), attributes=dict(pads=[0, 2, 1, 1], strides=[2, 1])
    ),
    "3d asymmetric": dict(
        shape=(1, 2, 5, 6, 4), weight=(3, 2, 2, 3, 2), attributes=dict(pads=[0, 1, 0, 1, 0, 2])
    ),
    "dilations": dict(
        shape=(2, 3, 9, 9),
        weight=(4, 3, 3, 3),
        attributes=dict(dilations=[2, 3], pads=[1, 1, 1, 1]),
    ),
    "1d dilations": dict(shape=(2, 3, 12), weight=(4, 3, 3), attributes=dict(dilations=[3])),
    "3d dilations": dict(
        shape=(1, 2, 7, 7, 7),
        weight=(3, 2, 2, 2, 2),
        attributes=dict(dilations=[1, 2, 3], strides=[2, 1, 1]),
    ),
    "groups": dict(shape=(2, 4, 6, 6), weight=(6, 2, 3, 3), attributes=dict(group=2)),
    "depthwise": dict(
        shape=(2, 4, 6, 6), weight=(8, 1, 3, 3), attributes=dict(group=4, pads=[1, 1, 1, 1])
    ),
    "1d groups": dict(shape=(2, 4, 8), weight=(4, 2, 3), attributes=dict(group=2)),
    "3d groups": dict(shape=(1, 4, 4, 4, 4), weight=(4, 2, 2, 2, 2), attributes=dict(group=2)),
    "no bias": dict(shape=(2, 3, 7, 8), weight=(4, 3, 3, 3), attributes={}, bias=False),
    "valid": dict(
        shape=(2, 3, 7, 8), weight=(4, 3, 3, 3), attributes=dict(auto_pad="VALID", strides=[2, 2])
    ),
    **{
        f"{axes}d {auto_pad.lower()} {stride}": dict(
            shape=(2, 3, 7, 8, 5)[: axes + 2],
            weight=(4, 3, 2, 4, 3)[: axes + 2],
            attributes=dict(auto_pad=auto_pad, strides=[stride] * axes),
        )
        for axes in (1, 2, 3)
        for auto_pad in ("SAME_UPPER", "SAME_LOWER")
        for stride in (1, 2, 3)
    },
}


def conv(opset, shape, weight, attributes, bias=True, **how):
    nodes = [node("Conv", "x,w,b" if bias else "x,w", "y", **attributes)]
    weights = {"w": floats(*weight, seed=1), "b": floats(weight[0], seed=2)}
    check(
        nodes, {"x": floats(*shape)}, weights if bias else {"w": weights["w"]}, opset=opset, **how
    )


@pytest.mark.parametrize("opset, form", cases("Conv", CONV))
def test_conv(opset, form):
    conv(opset, **form)


@pytest.mark.parametrize("form", CONV)
def test_conv_in_the_aten_dialect(form):
    conv(NEWEST, **CONV[form], dialect="aten")


# ---- pools

WINDOWS = {
    "1d": dict(shape=(2, 3, 9), attributes=dict(kernel_shape=[3])),
    "2d": dict(shape=(2, 3, 7, 8), attributes=dict(kernel_shape=[3, 2], strides=[2, 2])),
    "3d": dict(shape=(1, 2, 5, 6, 4), attributes=dict(kernel_shape=[2, 3, 2], strides=[1, 2, 1])),
    "1d padded": dict(shape=(2, 3, 9), attributes=dict(kernel_shape=[3], pads=[1, 1], strides=[2])),
    "2d padded": dict(
        shape=(2, 3, 7, 8), attributes=dict(kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[2, 2])
    ),
    "1d asymmetric": dict(
        shape=(2, 3, 9), attributes=dict(kernel_shape=[3], pads=[2, 0], strides=[2])
    ),
    "2d asymmetric": dict(
        shape=(2, 3, 7, 8), attributes=dict(kernel_shape=[3, 3], pads=[0, 2, 1, 1], strides=[2, 1])
    ),
    "3d asymmetric": dict(
        shape=(1, 2, 5, 6, 4), attributes=dict(kernel_shape=[2, 3, 2], pads=[0, 1, 0, 1, 0, 1])
    ),
    "valid": dict(
        shape=(2, 3, 7, 8), attributes=dict(kernel_shape=[3, 3], auto_pad="VALID", strides=[2, 2])
    ),
    **{
        f"{axes}d {auto_pad.lower()} {stride}": dict(
            shape=(2, 3, 7, 8, 5)[: axes + 2],
            attributes=dict(
                kernel_shape=[3, 4, 3][:axes], auto_pad=auto_pad, strides=[stride] * axes
            ),
        )
        for axes in (1, 2, 3)
        for auto_pad in ("SAME_UPPER", "SAME_LOWER")
        for stride in (1, 2, 3)
    },
}
CEIL = {
    "1d ceil": dict(
        since=10, shape=(2, 3, 8), attributes=dict(kernel_shape=[3], strides=[2], ceil_mode=1)
    ),
    "2d ceil": dict(
        since=10,
        shape=(2, 3, 8, 6),
        attributes=dict(kernel_shape=[3, 3], strides=[2, 3], ceil_mode=1),
    ),
    "3d ceil": dict(
        since=10,
        shape=(1, 2, 6, 6, 6),
        attributes=dict(kernel_shape=[3, 3, 3], strides=[2, 2, 2], ceil_mode=1),
    ),
    "2d ceil padded": dict(
        since=10,
        shape=(2, 3, 8, 8),
        attributes=dict(kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1], ceil_mode=1),
    ),
    "2d ceil asymmetric": dict(
        since=10,
        shape=(2, 3, 8, 7),
        attributes=dict(kernel_shape=[3, 3], strides=[2, 2], pads=[0, 1, 1, 0], ceil_mode=1),
    ),
}
DILATED = {
    "1d dilations": dict(
        since=10, shape=(2, 3, 12), attributes=dict(kernel_shape=[3], dilations=[3])
    ),
    "2d dilations": dict(
        since=10,
        shape=(2, 3, 9, 9),
        attributes=dict(kernel_shape=[3, 2], dilations=[2, 3], pads=[1, 1, 1, 1]),
    ),
    "3d dilations": dict(
        since=10,
        shape=(1, 2, 7, 7, 7),
        attributes=dict(kernel_shape=[2, 2, 2], dilations=[1, 2, 3], strides=[2, 1, 1]),
    ),
}


@pytest.mark.parametrize("opset, form", cases("MaxPool", WINDOWS | CEIL | DILATED))
def test_max_pool(opset, form):
    check(
        [node("MaxPool", "x", "y", **form["attributes"])],
        {"x": floats(*form["shape"])},
        opset=opset,
    )


INDEXED = {
    name: {"since": 8} | (WINDOWS | CEIL | DILATED)[name]
    for name in (
        "1d",
        "2d",
        "3d",
        "2d padded",
        "2d asymmetric",
        "2d same_upper 2",
        "2d ceil",
        "2d dilations",
    )
}


@pytest.mark.parametrize("storage_order", [0, 1])
@pytest.mark.parametrize("opset, form", cases("MaxPool", INDEXED))
def test_max_pool_indices(opset, form, storage_order):
    nodes = [node("MaxPool", "x", "y,i", storage_order=storage_order, **form["attributes"])]
    check(nodes, {"x": floats(*form["shape"])}, outputs=("y", "i"), opset=opset)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8])
def test_max_pool_of_integers(dtype):
    x = np.random.default_rng(0).integers(0, 100, (1, 2, 6, 6)).astype(dtype)
    check([node("MaxPool", "x", "y", kernel_shape=[2, 2], pads=[1, 0, 0, 1])], {"x": x}, opset=12)


def counted(forms):
    """Each form, and again with the padding counted."""
    for name, form in forms.items():
        yield name, form
        attributes = {**form["attributes"], "count_include_pad": 1}
        yield (
            name + " counted",
            {**form, "since": max(7, form.get("since", 1)), "attributes": attributes},
        )


AVERAGED = dict(counted(WINDOWS | CEIL | {k: {**v, "since": 19} for k, v in DILATED.items()}))


@pytest.mark.parametrize("opset, form", cases("AveragePool", AVERAGED))
def test_average_pool(opset, form):
    nodes, feeds = (
        [node("AveragePool", "x", "y", **form["attributes"])],
        {"x": floats(*form["shape"])},
    )
    # Of opset 1 there is no other implementation; ONNX's version converter takes it for that of 7.
    want = sm.expected(sm.model(nodes, feeds, "y", opset=max(opset, 7)), feeds)
    check(nodes, feeds, opset=opset, want=want)


@pytest.mark.parametrize("shape", [(2, 3, 5), (2, 3, 5, 4), (2, 3, 5, 4, 2)])
@pytest.mark.parametrize("opset", at_every_revision("GlobalAveragePool"))
def test_global_average_pool(opset, shape):
    check([node("GlobalAveragePool", "x", "y")], {"x": floats(*shape)}, opset=opset)


# ---- Gemm, MatMul

GEMM = {
    "plain": dict(a=(3, 4), b=(4, 5), c=(3, 5), attributes={}),
    "transposed": dict(a=(4, 3), b=(5, 4), c=(3, 5), attributes=dict(transA=1, transB=1)),
    "linear": dict(a=(3, 4), b=(5, 4), c=(5,), attributes=dict(transB=1)),
    "scaled": dict(a=(3, 4), b=(5, 4), c=(5,), attributes=dict(transB=1, alpha=0.5, beta=2.0)),
    "column": dict(a=(3, 4), b=(4, 5), c=(3, 1), attributes=dict(beta=0.25)),
    "row": dict(a=(3, 4), b=(4, 5), c=(1, 5), attributes={}),
    "scalar": dict(a=(3, 4), b=(4, 5), c=(1,), attributes={}),
    "no C": dict(since=11, a=(3, 4), b=(4, 5), c=None, attributes=dict(alpha=3.0)),
    "no C, transposed": dict(since=11, a=(3, 4), b=(5, 4), c=None, attributes=dict(transB=1)),
}


@pytest.mark.parametrize("opset, form", cases("Gemm", GEMM))
@pytest.mark.parametrize("weights", ["initializers", "inputs"])
def test_gemm(opset, form, weights):
    attributes = form["attributes"] | ({"broadcast": 1} if opset < 7 else {})
    values = {n: floats(*form[n], seed=i) for i, n in enumerate("abc") if form[n]}
    nodes = [node("Gemm", ",".join(values), "y", **attributes)]
    want = [gemm(**values, **form["attributes"])]
    if weights == "inputs":
        check(nodes, values, opset=opset, want=want)
    else:
        check(nodes, {"a": values.pop("a")}, values, opset=opset, want=want)


def gemm(a, b, c=0, alpha=1.0, beta=1.0, transA=0, transB=0):
    return (
        (alpha * (a.T if transA else a)) @ (b.T if transB else b) + beta * np.asarray(c)
    ).astype(np.float32)


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.float64])
def test_gemm_of_other_types(dtype):
    a, b, c = (np.arange(n * m).reshape(n, m).astype(dtype) for n, m in ((3, 4), (4, 5), (3, 5)))
    check(
        [node("Gemm", "a,b,c", "y", transA=0)],
        {"a": a},
        {"b": b, "c": c},
        opset=13,
        want=[a @ b + c],
    )


@pytest.mark.parametrize(
    "a, b",
    [
        ((4,), (4,)),
        ((4,), (4, 5)),
        ((3, 4), (4,)),
        ((3, 4), (4, 5)),
        ((2, 3, 4), (4, 5)),
        ((2, 1, 3, 4), (6, 4, 5)),
        ((4,), (2, 4, 5)),
    ],
)
@pytest.mark.parametrize("opset", at_every_revision("MatMul"))
def test_matmul(opset, a, b):
    x, w = floats(*a), floats(*b, seed=1)
    check([node("MatMul", "x,w", "y")], {"x": x}, {"w": w}, opset=opset, want=[np.asarray(x @ w)])
    check([node("MatMul", "x,w", "y")], {"x": x, "w": w}, opset=opset, want=[np.asarray(x @ w)])


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.uint32, np.float64])
def test_matmul_of_other_types(dtype):
    x, w = np.arange(12).reshape(3, 4).astype(dtype), np.arange(20).reshape(4, 5).astype(dtype)
    check([node("MatMul", "x,w", "y")], {"x": x}, {"w": w}, opset=13, want=[x @ w])


# ---- Relu, Identity, Flatten, Reshape


@pytest.mark.parametrize("opset", range(1, NEWEST + 1))
def test_relu_and_identity(opset):
    check([node("Relu", "x", "h"), node("Identity", "h", "y")], {"x": floats(3, 4)}, opset=opset)


@pytest.mark.parametrize("dtype", [np.int32, np.int8, np.float64, np.float16])
def test_relu_of_other_types(dtype):
    x = np.arange(-4, 5).astype(dtype)
    check([node("Relu", "x", "y")], {"x": x}, opset=14, want=[np.maximum(x, 0)])


def flattened(x, axis):
    return x.reshape(int(np.prod(x.shape[: axis if axis >= 0 else axis + x.ndim])), -1)


FLATTEN = {"default": {}} | {
    str(axis): {"since": 11 if axis < 0 else 1, "axis": axis} for axis in (0, 1, 2, 3, 4, -1, -4)
}


@pytest.mark.parametrize("opset, form", cases("Flatten", FLATTEN))
def test_flatten(opset, form):
    x = floats(2, 3, 4, 5)
    check(
        [node("Flatten", "x", "y", **form)],
        {"x": x},
        opset=opset,
        want=[flattened(x, form.get("axis", 1))],
    )


@pytest.mark.parametrize(
    "shape, result",
    [
        ([6, 4], (6, 4)),
        ([0, -1], (2, 12)),
        ([-1], (24,)),
        ([4, 0, 2], (4, 3, 2)),
        ([2, 1, -1], (2, 1, 12)),
    ],
)
@pytest.mark.parametrize("given", ["initializer", "constant", "input"])
@pytest.mark.parametrize("opset", at_every_revision("Reshape"))
def test_reshape(opset, given, shape, result):
    x = floats(2, 3, 4)
    shape_value, want = np.array(shape, np.int64), [x.reshape(result)]
    if opset < 5:
        return check([node("Reshape", "x", "y", shape=shape)], {"x": x}, opset=opset, want=want)
    reshape = node("Reshape", "x,s", "y")
    constant = node("Constant", "", "s", value=onnx.numpy_helper.from_array(shape_value))
    del constant.input[:]
    if given == "initializer":
        check([reshape], {"x": x}, {"s": shape_value}, opset=opset, want=want)
    elif given == "constant":
        check([constant, reshape], {"x": x}, opset=opset, want=want)
    else:
        check([reshape], {"x": x, "s": shape_value}, opset=opset, want=want)


@pytest.mark.parametrize("opset", at_every_revision("Reshape", since=14))
def test_reshape_allowzero(opset):
    x = np.zeros((0, 3), np.float32)
    check(
        [node("Reshape", "x,s", "y", allowzero=1)],
        {"x": x},
        {"s": np.array([3, 0, 2])},
        opset=opset,
        want=[np.zeros((3, 0, 2), np.float32)],
    )


# ---- BatchNormalization, Dropout


def normalised(x, s, b, m, v, epsilon=1e-5):
    shape = (1, -1) + (1,) * (x.ndim - 2)
    s, b, m, v = (a.reshape(shape) for a in (s, b, m, v))
    return ((x - m) / np.sqrt(v + epsilon) * s + b).astype(np.float32)


def norm_weights(channels):
    return {
        "s": floats(channels, seed=1),
        "b": floats(channels, seed=2),
        "m": floats(channels, seed=3),
        "v": np.abs(floats(channels, seed=4)) + 0.5,
    }


def norm_attributes(opset):
    return ({"is_test": 1} if opset < 7 else {}) | (
        {"consumed_inputs": [0, 0, 0, 1, 1]} if opset < 6 else {}
    )


@pytest.mark.parametrize("shape", [(4, 3), (4, 3, 5), (2, 3, 4, 5), (2, 3, 4, 5, 2)])
@pytest.mark.parametrize("weights", ["initializers", "inputs"])
@pytest.mark.parametrize("opset", at_every_revision("BatchNormalization"))
def test_batch_normalization(opset, weights, shape):
    x, statistics = floats(*shape), norm_weights(3)
    nodes = [node("BatchNormalization", "x,s,b,m,v", "y", epsilon=1e-3, **norm_attributes(opset))]
    want = [normalised(x, **statistics, epsilon=1e-3)]
    if weights == "inputs":
        check(nodes, {"x": x, **statistics}, opset=opset, want=want)
    else:
        check(nodes, {"x": x}, statistics, opset=opset, want=want)


@pytest.mark.parametrize("opset", [7, 8])
def test_batch_normalization_by_activation(opset):
    x = floats(2, 3, 4)
    weights = {n: np.abs(floats(3, 4, seed=i)) + 0.5 for i, n in enumerate("sbmv")}
    want = (x - weights["m"]) / np.sqrt(weights["v"] + 1e-5) * weights["s"] + weights["b"]
    check(
        [node("BatchNormalization", "x,s,b,m,v", "y", spatial=0)],
        {"x": x},
        weights,
        opset=opset,
        want=[want.astype(np.float32)],
    )


@pytest.mark.parametrize("opset", at_every_revision("BatchNormalization", since=14))
def test_batch_normalization_in_training_mode(opset):
    nodes = [node("BatchNormalization", "x,s,b,m,v", "y,mean,var", training_mode=1, momentum=0.7)]
    x = floats(4, 3, 5)
    proto = sm.model(nodes, {"x": x}, ("y", "mean", "var"), norm_weights(3), opset)
    check(
        nodes,
        {"x": x},
        norm_weights(3),
        ("y", "mean", "var"),
        opset,
        want=onnx.reference.ReferenceEvaluator(proto).run(None, {"x": x}),
        training=True,
    )


@pytest.mark.parametrize("opset", range(1, NEWEST + 1))
def test_dropout_is_off_in_eval(opset):
    attributes = ({"is_test": 1} if opset < 7 else {}) | (
        {"consumed_inputs": [0]} if opset == 1 else {}
    )
    x = floats(3, 4)
    check([node("Dropout", "x", "y", **attributes)], {"x": x}, opset=opset, want=[x])


@pytest.mark.parametrize("opset", at_every_revision("Dropout", since=10))
def test_dropout_mask(opset):
    x = floats(3, 4)
    check(
        [node("Dropout", "x", "y,m")],
        {"x": x},
        outputs=("y", "m"),
        opset=opset,
        want=[x, np.ones(x.shape, bool)],
    )


# ---- Constant

VALUES = {
    "value": (1, lambda: onnx.numpy_helper.from_array(floats(2, 3)), floats(2, 3)),
    "value_float": (12, lambda: 2.5, np.float32(2.5)),
    "value_floats": (12, lambda: [1.0, 2.5], np.array([1, 2.5], np.float32)),
    "value_int": (12, lambda: 7, np.int64(7)),
    "value_ints": (12, lambda: [7, -8], np.array([7, -8])),
}


@pytest.mark.parametrize(
    "opset, key",
    [(o, k) for k, v in VALUES.items() for o in at_every_revision("Constant", since=v[0])],
)
def test_constant(opset, key):
    _, value, want = VALUES[key]
    constant = onnx.helper.make_node("Constant", [], ["c"], **{key: value()})
    check(
        [constant, node("Identity", "c", "y"), node("Relu", "x", "z")],
        {"x": floats(2)},
        outputs=("y", "z"),
        opset=opset,
        want=[np.asarray(want), np.maximum(floats(2), 0)],
    )


@pytest.mark.parametrize("opset", at_every_revision("Constant", since=11))
def test_sparse_constant(opset):
    values = onnx.numpy_helper.from_array(np.array([5.0, 6.0], np.float32), "v")
    sparse = onnx.helper.make_sparse_tensor(
        values, onnx.numpy_helper.from_array(np.array([1, 5])), [2, 3]
    )
    constant = onnx.helper.make_node("Constant", [], ["c"], sparse_value=sparse)
    dense = np.array([[0, 5, 0], [0, 0, 6]], np.float32)
    check(
        [constant, node("Add", "x,c", "y")],
        {"x": np.ones((2, 3), np.float32)},
        opset=opset,
        want=[dense + 1],
    )


# ---- sizes that are known only when the module runs

OPEN = {
    **{
        f"Conv {name}": ("Conv", form["shape"], form["attributes"], form["weight"])
        for name, form in CONV.items()
    },
    **{
        f"MaxPool {name}": ("MaxPool", form["shape"], form["attributes"], None)
        for name, form in (WINDOWS | CEIL | DILATED).items()
    },
    **{
        f"AveragePool {name}": ("AveragePool", form["shape"], form["attributes"], None)
        for name, form in AVERAGED.items()
    },
}


@pytest.mark.parametrize("name", OPEN)
def test_open_sizes(name):
    op, shape, attributes, weight = OPEN[name]
    nodes = [node(op, "x,w" if weight else "x", "y", **attributes)]
    proto = sm.model(
        nodes,
        {"x": floats(*shape)},
        ("y",),
        {"w": floats(*weight, seed=1)} if weight else {},
        NEWEST,
    )
    for i, dim in enumerate(proto.graph.input[0].type.tensor_type.shape.dim):
        if i != 1:
            dim.dim_param = f"d{i}"
    module = convert_onnx_to_fx(proto).eval()
    for more in (0, 1, 2):
        x = floats(*(n + more * (i != 1) for i, n in enumerate(shape)))
        (want,) = sm.expected(proto, {"x": x})
        with torch.no_grad():
            got = module(torch.from_numpy(x)).numpy()
        assert got.shape == want.shape
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-4)
