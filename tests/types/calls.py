"""Random calls of every overload that has a type rule, and where the rule may leave an extent open."""

from __future__ import annotations

import dataclasses
from typing import Any, Callable

from draw import (
    ANY,
    COMPLEX,
    FLOATS,
    HALVES,
    INTS,
    MIXED,
    SIGNED,
    WIDE,
    Draw,
    Dtype,
    Tensor,
    undecided,
)
from sizes import Size, product

NO_TENSOR = {"aten::sym_size.int", "aten::sym_numel", "aten::_local_scalar_dense"}
ON_CPU = {"aten::nonzero", "aten::_unique2", "aten::unique_dim", "aten::multinomial", "aten::one_hot",
          "aten::_reshape_from_tensor"}


@dataclasses.dataclass
class Call:
    args: list[Any]
    kwargs: dict[str, Any] = dataclasses.field(default_factory=dict)
    open_axes: set[int] = dataclasses.field(default_factory=set)  # from the end, of every result
    open_rank: bool = False
    open_list: bool = False
    open_of: dict[int, set[int]] = dataclasses.field(default_factory=dict)  # of one result

    def may_be_open(self, result: int, axis: int) -> bool:
        return axis in self.open_axes or axis in self.open_of.get(result, ())


_DRAWN: dict[str, Callable[[Draw], Call]] = {}


def call(*overloads: str) -> Callable[[Callable[[Draw], Call]], Callable[[Draw], Call]]:
    def register(f: Callable[[Draw], Call]) -> Callable[[Draw], Call]:
        for o in overloads:
            assert f"aten::{o}" not in _DRAWN, o
            _DRAWN[f"aten::{o}"] = f
        return f

    return register


def overloads() -> set[str]:
    return set(_DRAWN)


def drawn(target: str, draw: Draw) -> Call:
    return _DRAWN[target](draw)


# ---- element by element


def _operands(d: Draw, n: int, dtypes: list[str] = MIXED) -> tuple[list[Tensor], set[int]]:
    dims = d.sizes()
    if dtypes is MIXED and d.random() < 0.2:
        dtypes = [*FLOATS, d.choice(WIDE)]
    tensors = [Tensor(d.choice(dtypes), d.broadcast(dims)) for _ in range(n)]
    return tensors, undecided(*(t.dims for t in tensors))


@call(*"""add.Tensor sub.Tensor mul.Tensor div.Tensor remainder.Tensor fmod.Tensor maximum minimum
      eq.Tensor ne.Tensor lt.Tensor le.Tensor gt.Tensor ge.Tensor logical_and logical_or logical_xor atan2 floor_divide
      rsub.Tensor""".split())
def two(d: Draw) -> Call:
    tensors, loose = _operands(d, 2)
    return Call(tensors, {}, loose)


@call(*"""bitwise_and.Tensor bitwise_or.Tensor bitwise_xor.Tensor bitwise_left_shift.Tensor
      bitwise_right_shift.Tensor""".split())
def two_integers(d: Draw) -> Call:
    tensors, loose = _operands(d, 2, [*INTS, "bool"])
    return Call(tensors, {}, loose)


@call(*"""add.Scalar sub.Scalar rsub.Scalar mul.Scalar div.Scalar remainder.Scalar fmod.Scalar
      eq.Scalar ne.Scalar lt.Scalar le.Scalar gt.Scalar ge.Scalar clamp_min clamp_max floor_divide.Scalar""".split())
def with_number(d: Draw) -> Call:
    return Call([d.tensor(ANY), d.number()])


@call(*"""bitwise_and.Scalar bitwise_or.Scalar bitwise_xor.Scalar bitwise_left_shift.Tensor_Scalar
      bitwise_right_shift.Tensor_Scalar""".split())
def with_integer(d: Draw) -> Call:
    return Call([d.tensor([*INTS, "bool"]), d.choice([d.randint(0, 3), d.boolean()])])


@call("add_.Scalar")
def counted(d: Draw) -> Call:
    return Call([d.tensor(INTS), d.randint(0, 3)])


# torch's devices do not agree on powers of bool.
NO_BOOL = [t for t in ANY if t != "bool"]


@call("pow.Scalar")
def number_raised(d: Draw) -> Call:
    return Call([d.number(), d.tensor(NO_BOOL)])


@call("pow.Tensor_Scalar")
def raised(d: Draw) -> Call:
    return Call([d.tensor(NO_BOOL), d.number()])


@call("pow.Tensor_Tensor")
def power(d: Draw) -> Call:
    tensors, loose = _operands(d, 2, [*FLOATS, *INTS, *COMPLEX])
    return Call(tensors, {}, loose)


@call("div.Scalar_mode")
def number_rounded(d: Draw) -> Call:
    return Call([d.tensor(ANY), d.number()], {"rounding_mode": d.choice([None, "floor", "trunc"])})


@call("div.Tensor_mode")
def two_rounded(d: Draw) -> Call:
    return Call((c := two(d)).args, {"rounding_mode": d.choice([None, "floor", "trunc"])}, c.open_axes)


@call("clamp")
def clamp(d: Draw) -> Call:
    return Call([d.tensor(ANY), d.maybe(d.number()), d.maybe(d.number())])


@call("clamp.Tensor")
def clamp_tensors(d: Draw) -> Call:
    (x, low, high), _ = _operands(d, 3)
    args = [x, d.maybe(low), d.maybe(high)]
    return Call(args, {}, undecided(*(t.dims for t in args if t)))


@call("where.self")
def where(d: Draw) -> Call:
    (mask, x, y), loose = _operands(d, 3)
    mask.dtype = "bool"
    return Call([mask, x, y], {}, loose)


@call("where.ScalarOther")
def where_number(d: Draw) -> Call:
    (mask, x), loose = _operands(d, 2)
    mask.dtype = "bool"
    return Call([mask, x, d.number()], {}, loose)


@call("where.ScalarSelf")
def where_number_first(d: Draw) -> Call:
    (mask, x), loose = _operands(d, 2)
    mask.dtype = "bool"
    return Call([mask, d.number(), x], {}, loose)


@call("lerp.Scalar")
def lerp(d: Draw) -> Call:
    (x, y), loose = _operands(d, 2, [d.choice(FLOATS)])
    return Call([x, y, d.uniform(0, 1)], {}, loose)


@call("addcmul")
def addcmul(d: Draw) -> Call:
    xs, loose = _operands(d, 3, FLOATS)
    return Call(xs, {}, loose)


@call(*"""acos acosh asin asinh atan atanh cos cosh erf erfc erfinv exp exp2 expm1 log log10 log1p log2 reciprocal rsqrt
      sigmoid sin sinh sqrt tan tanh isfinite isinf isnan isneginf isposinf signbit logical_not abs alias bernoulli
      bitwise_not ceil clone contiguous detach floor frac nan_to_num neg relu relu6 resolve_conj round sgn sign tril triu
      trunc""".split())
def one(d: Draw) -> Call:
    return Call([d.tensor(ANY)])


@call(*"""celu elu gelu hardshrink hardsigmoid hardswish hardtanh leaky_relu log_sigmoid mish selu silu softplus
      softshrink""".split())
def activation(d: Draw) -> Call:
    return Call([d.tensor(FLOATS)])


@call("square")
def square(d: Draw) -> Call:
    return Call([d.tensor(NO_BOOL)])


@call("fake_quantize_per_tensor_affine")
def fake_quantized(d: Draw) -> Call:
    return Call([d.tensor(["float32", "float64"]), 0.5, d.randint(0, 9), 0, 255])


@call("threshold")
def threshold(d: Draw) -> Call:
    return Call([d.tensor(ANY), d.number(), d.number()])


@call("masked_fill.Scalar")
def masked_fill(d: Draw) -> Call:
    (x, mask), loose = _operands(d, 2)
    mask.dtype = "bool"
    return Call([x, mask, d.number()], {}, loose)


@call("masked_fill.Tensor")
def masked_fill_tensor(d: Draw) -> Call:
    c = masked_fill(d)
    return Call([c.args[0], c.args[1], Tensor(c.args[0].dtype, [])], {}, c.open_axes)


@call("complex")
def complex_of(d: Draw) -> Call:
    tensors, loose = _operands(d, 2, [d.choice(["float32", "float64"])])
    return Call(tensors, {}, loose)


@call("prelu")
def prelu(d: Draw) -> Call:
    x = d.tensor(FLOATS, 2)
    return Call([x, Tensor(x.dtype, [Size(1)] if d.boolean() else [x.dims[1]])])


@call("_prelu_kernel")
def prelu_kernel(d: Draw) -> Call:
    tensors, loose = _operands(d, 2, [d.choice(FLOATS)])
    return Call(tensors, {}, loose)


@call("dropout", "native_dropout")
def dropout(d: Draw) -> Call:
    return Call([d.tensor(FLOATS), 0.5, d.boolean()])


@call("to.dtype")
def to_dtype(d: Draw) -> Call:
    return Call([d.tensor(ANY), Dtype(d.choice(ANY))])


@call("to.other")
def to_other(d: Draw) -> Call:
    return Call([d.tensor(ANY), d.tensor(ANY)])


# ---- reductions


def _dtype(d: Draw, of: list[str] = FLOATS) -> dict[str, Any]:
    return {"dtype": Dtype(d.choice(of))} if d.random() < 0.3 else {}


@call("sum", "prod")
def reduce_all(d: Draw) -> Call:
    return Call([d.tensor(ANY)], _dtype(d, ANY))


@call("mean")
def mean(d: Draw) -> Call:
    return Call([d.tensor(FLOATS)], _dtype(d))


@call("sum.dim_IntList")
def sum_axes(d: Draw) -> Call:
    x = d.tensor(ANY)
    return Call([x, d.choice([None, d.axes(len(x.dims))]), d.boolean()], _dtype(d, ANY))


@call("mean.dim")
def mean_axes(d: Draw) -> Call:
    x = d.tensor([*FLOATS, *COMPLEX])
    return Call([x, d.choice([None, d.axes(len(x.dims))]), d.boolean()], _dtype(d))


@call("amax", "amin")
def extreme(d: Draw) -> Call:
    x = d.tensor(ANY, least=1)
    return Call([x, d.axes(len(x.dims)), d.boolean()])


@call("prod.dim_int")
def prod_axis(d: Draw) -> Call:
    x = d.tensor(ANY)
    return Call([x, d.axis(len(x.dims)), d.boolean()], _dtype(d, ANY))


@call("any", "all")
def any_all(d: Draw) -> Call:
    return Call([d.tensor(ANY)])


@call("any.dim", "all.dim")
def any_axis(d: Draw) -> Call:
    x = d.tensor(ANY)
    return Call([x, d.axis(len(x.dims)), d.boolean()])


@call("argmax", "argmin")
def arg_extreme(d: Draw) -> Call:
    x = d.tensor([*FLOATS, *INTS], least=1)
    return Call([x, d.maybe(d.axis(len(x.dims))), d.boolean()])


@call("logsumexp")
def logsumexp(d: Draw) -> Call:
    x = d.tensor([*FLOATS, *INTS], 1)
    return Call([x, d.axes(len(x.dims), 1), d.boolean()])  # none: torch's dtypes do not agree on what that means


@call("linalg_vector_norm")
def vector_norm(d: Draw) -> Call:
    x = d.tensor([*FLOATS, *COMPLEX], least=1)
    return Call([x, d.choice([0, 1, 2, 3]), d.choice([None, d.axes(len(x.dims))]), d.boolean()])


@call("var_mean.correction")
def var_mean(d: Draw) -> Call:
    x = d.tensor([*FLOATS, *COMPLEX])
    return Call([x, d.choice([None, d.axes(len(x.dims))])], {"correction": d.randint(0, 1), "keepdim": d.boolean()})


@call("linalg_det", "linalg_inv")
def square_matrix(d: Draw) -> Call:
    n = d.size()
    return Call([Tensor(d.choice(["float32", "float64", *COMPLEX]), [*d.sizes(0, 2), n, n])])


@call("cumsum", "cumprod")
def cumulative(d: Draw) -> Call:
    x = d.tensor(ANY)
    return Call([x, d.axis(len(x.dims))], _dtype(d, ANY))


@call("softmax.int", "log_softmax.int")
def softmax(d: Draw) -> Call:
    x = d.tensor(FLOATS)
    return Call([x, d.axis(len(x.dims)), *([Dtype(d.choice(["float32", "float64"]))] if d.boolean() else [])])


@call("nll_loss_nd", "cross_entropy_loss")
def loss(d: Draw) -> Call:
    classes, batch, rest = d.size(1), d.sizes(0, 1), []
    if batch:
        rest = d.sizes(0, 2)
    dtype = d.choice(["float32", "float64"])
    x = Tensor(dtype, [*batch, classes, *rest])
    return Call([x, Tensor("int64", [*batch, *rest]), None, d.randint(0, 2)])


# ---- layout


def _stated(d: Draw, sizes: list[Size]) -> list[Size]:
    """Sizes as an argument; one of them may be -1."""
    said = [d.choice([s, s, Size(int(s))]) for s in sizes]
    if said and d.random() < 0.4:
        said[d.randrange(len(said))] = Size(-1)
    return said


@call("reshape", "view")
def reshape(d: Draw) -> Call:
    x = d.tensor(ANY)
    parts = [*x.dims]
    while len(parts) > 1 and d.boolean():
        i = d.randrange(len(parts) - 1)
        parts[i : i + 2] = [parts[i] * parts[i + 1]]
    if d.boolean():
        parts.insert(d.randint(0, len(parts)), Size(1))
    return Call([x, _stated(d, parts)])


@call("_reshape_from_tensor")
def reshape_from_tensor(d: Draw) -> Call:
    # torch reads the shape's data: only the empty one, and none of the elements, is the same whatever they are
    n = d.randint(1, 3)
    x = Tensor(d.choice(ANY), [Size(0), *d.sizes(0, 2)])
    return Call([x, Tensor("int64", [Size(n)])], open_axes={-1, -2, -3})


@call("_shape_as_tensor")
def shape_as_tensor(d: Draw) -> Call:
    return Call([d.tensor(ANY)])


@call("reshape_as", "view_as")
def reshape_as(d: Draw) -> Call:
    x = d.tensor(ANY)
    return Call([x, Tensor(d.choice(ANY), d.sample(x.dims, len(x.dims)))])


@call("expand_as")
def expand_as(d: Draw) -> Call:
    dims = d.sizes()
    x = [s if not d.randrange(3) else Size(1) for s in dims[d.randint(0, len(dims)) :]]
    return Call([Tensor(d.choice(ANY), x), Tensor(d.choice(ANY), dims)])


@call("flatten.using_ints")
def flatten(d: Draw) -> Call:
    x = d.tensor(ANY)
    return Call([x, d.axis(len(x.dims)), d.axis(len(x.dims))])


@call("unflatten.int")
def unflatten(d: Draw) -> Call:
    x, parts = d.tensor(ANY, 1), d.sizes(1, 3, 1)
    axis = d.axis(len(x.dims))
    x.dims[axis] = product(parts)
    return Call([x, axis, _stated(d, parts)])


@call("expand", "broadcast_to")
def expand(d: Draw) -> Call:
    dims = d.sizes()
    x = [s if not d.randrange(3) else Size(1) for s in dims[d.randint(0, len(dims)) :]]
    keep = len(dims) - len(x)
    size = [Size(-1) if i >= keep and s.expr == x[i - keep].expr and d.boolean() else s for i, s in enumerate(dims)]
    return Call([Tensor(d.choice(ANY), x), size])


@call("repeat", "tile")
def repeat(d: Draw) -> Call:
    x = d.tensor(ANY, 0, 3)
    return Call([x, d.sizes(0, 4)])


@call("repeat_interleave.self_int")
def repeat_interleave(d: Draw) -> Call:
    x = d.tensor(ANY)
    return Call([x, d.size(0, 3), d.maybe(d.axis(len(x.dims)))])


@call("select.int")
def select(d: Draw) -> Call:
    x = d.tensor(ANY, 1)
    return Call([x, d.axis(len(x.dims)), d.randint(-2, 2)])


@call("slice.Tensor")
def slice_of(d: Draw) -> Call:
    x = d.tensor(ANY, 1)
    axis = d.axis(len(x.dims))
    n = x.dims[axis]

    def bound(or_none: bool) -> Any:
        return d.choice([d.randint(-8, 8), d.randint(-3, 3), 2**63 - 1, 2**31 - 1, n, n - 1, n + 1, d.size(),
                         *([None] if or_none else [])])

    c = Call([x, axis, bound(True), bound(True), d.choice([1, 1, 1, 2, 3])])
    if any(isinstance(b, Size) and not b.literal and _may_be_negative(b) and b.expr != (n - 1).expr for b in c.args[2:4]):
        c.open_axes = {axis if axis < 0 else axis - len(x.dims)}
    return c


def _may_be_negative(size: Size) -> bool:
    return isinstance(size.expr, list) and size.expr[0] == "-"


@call("slice_scatter")
def slice_scatter(d: Draw) -> Call:
    x = d.tensor(ANY, 1, least=2)
    axis = d.axis(len(x.dims))
    source = [*x.dims]
    source[axis] = Size(2)
    return Call([x, Tensor(x.dtype, source), axis, 0, 2])


@call("select_scatter")
def select_scatter(d: Draw) -> Call:
    x = d.tensor(ANY, 1, least=1)
    axis = d.axis(len(x.dims))
    source = [*x.dims]
    source.pop(axis)
    return Call([x, Tensor(x.dtype, source), axis, 0])


@call("unfold")
def unfold(d: Draw) -> Call:
    x = d.tensor(ANY)
    return Call([x, d.axis(len(x.dims)), d.randint(0, 3), d.randint(1, 3)])


@call("unsqueeze")
def unsqueeze(d: Draw) -> Call:
    x = d.tensor(ANY)
    return Call([x, d.axis(len(x.dims) + 1)])


def _symbolic_at(dims: list[Size], axes: list[int]) -> bool:
    return any(not dims[a].literal for a in axes if dims)


@call("squeeze")
def squeeze(d: Draw) -> Call:
    x = d.tensor(ANY)
    return Call([x], open_rank=_symbolic_at(x.dims, list(range(len(x.dims)))))


@call("squeeze.dim")
def squeeze_axis(d: Draw) -> Call:
    x = d.tensor(ANY)
    axis = d.axis(len(x.dims))
    return Call([x, axis], open_rank=_symbolic_at(x.dims, [axis]))


@call("squeeze.dims")
def squeeze_axes(d: Draw) -> Call:
    x = d.tensor(ANY)
    axes = d.axes(len(x.dims))
    return Call([x, axes], open_rank=_symbolic_at(x.dims, axes))


@call("transpose.int")
def transpose(d: Draw) -> Call:
    x = d.tensor(ANY)
    return Call([x, d.axis(len(x.dims)), d.axis(len(x.dims))])


@call("t")
def matrix_transpose(d: Draw) -> Call:
    return Call([d.tensor(ANY, 0, 2)])


@call("permute")
def permute(d: Draw) -> Call:
    x = d.tensor(ANY)
    order = d.sample(range(len(x.dims)), len(x.dims))
    return Call([x, [a - len(x.dims) if d.boolean() else a for a in order]])


@call("movedim.int")
def movedim(d: Draw) -> Call:
    x = d.tensor(ANY)
    return Call([x, d.axis(len(x.dims)), d.axis(len(x.dims))])


@call("movedim.intlist")
def movedim_list(d: Draw) -> Call:
    x = d.tensor(ANY)
    n = d.randint(0, len(x.dims))
    return Call([x, d.sample(range(len(x.dims)), n), d.sample(range(len(x.dims)), n)])


@call("flip")
def flip(d: Draw) -> Call:
    x = d.tensor(ANY)
    return Call([x, d.axes(len(x.dims))])


@call("roll")
def roll(d: Draw) -> Call:
    x = d.tensor(ANY, 1)
    return Call([x, [1], [d.axis(len(x.dims))]])


@call("diag_embed")
def diag_embed(d: Draw) -> Call:
    x = d.tensor(ANY, 1, 3)
    rank = len(x.dims) + 1
    return Call([x, d.randint(-2, 2), d.axis(rank), d.axis(rank)])


@call("atleast_1d")
def at_least_1d(d: Draw) -> Call:
    return Call([d.tensor(ANY)])


@call("view.dtype")
def view_dtype(d: Draw) -> Call:
    x = d.tensor(ANY)
    if x.dims and d.boolean():
        x.dims[-1] = x.dims[-1] * 8
    return Call([x, Dtype(d.choice(ANY))])


@call("view_as_real")
def view_as_real(d: Draw) -> Call:
    return Call([d.tensor(COMPLEX)])


@call("constant_pad_nd")
def constant_pad(d: Draw) -> Call:
    x = d.tensor(ANY, 1)
    pads: list[Any] = [d.choice([d.randint(-1, 3), d.size()]) for _ in range(2 * d.randint(0, len(x.dims)))]
    return Call([x, pads, d.number()])


def _pad(axes: int, ranks: tuple[int, int]) -> Callable[[Draw], Call]:
    def f(d: Draw) -> Call:
        x = d.tensor(["float32", "float64"], *ranks, least=3)
        return Call([x, [d.choice([d.randint(0, 2), d.size(0, 2)]) for _ in range(2 * axes)]])

    return f


for _n in (1, 2, 3):
    call(f"reflection_pad{_n}d", f"replication_pad{_n}d")(_pad(_n, (_n + 1, _n + 2)))


@call("pad")
def pad(d: Draw) -> Call:
    mode = d.choice(["constant", "reflect", "replicate", "circular"])
    x = d.tensor(["float32", "float64"], 2, 4, least=3)
    axes = d.randint(1, 2)
    return Call([x, [d.randint(0, 2) for _ in range(2 * axes)], mode])


@call("pixel_shuffle")
def pixel_shuffle(d: Draw) -> Call:
    r, c, h, w = d.randint(1, 3), d.size(1), d.size(1), d.size(1)
    return Call([Tensor(d.choice(FLOATS), [*d.sizes(0, 1), c * (r * r), h, w]), r])


@call("pixel_unshuffle")
def pixel_unshuffle(d: Draw) -> Call:
    r, c, h, w = d.randint(1, 3), d.size(1), d.size(1), d.size(1)
    return Call([Tensor(d.choice(FLOATS), [*d.sizes(0, 1), c, h * r, w * r]), r])


@call("glu")
def glu(d: Draw) -> Call:
    x = d.tensor(FLOATS, 1)
    axis = d.axis(len(x.dims))
    x.dims[axis] = x.dims[axis] * 2
    return Call([x, axis])


# ---- joining and splitting


@call("cat")
def cat(d: Draw) -> Call:
    dims = d.sizes(1, 4)
    axis = d.axis(len(dims))
    parts = []
    for _ in range(d.randint(1, 4)):
        part = [d.like(s) for s in dims]
        part[axis] = d.size()
        parts.append(Tensor(d.choice(MIXED), [Size(0)] if d.random() < 0.1 else part))
    return Call([parts, axis])


@call("stack")
def stack(d: Draw) -> Call:
    dims = d.sizes()
    parts = [Tensor(d.choice(MIXED), [d.like(s) for s in dims]) for _ in range(d.randint(1, 4))]
    return Call([parts, d.axis(len(dims) + 1)])


@call("broadcast_tensors")
def broadcast_tensors(d: Draw) -> Call:
    tensors, loose = _operands(d, d.randint(1, 3))
    return Call([tensors], {}, loose)


def _axis_from_end(axis: int, rank: int) -> int:
    return axis if axis < 0 else axis - rank


@call("chunk")
def chunk(d: Draw) -> Call:
    x, n = d.tensor(ANY, 1), d.randint(1, 4)
    axis = d.axis(len(x.dims))
    whole = d.boolean()
    if whole:
        x.dims[axis] = x.dims[axis] * n
    open_ = not x.dims[axis].literal and not whole
    return Call([x, n, axis], open_list=open_,
                open_axes={_axis_from_end(axis, len(x.dims))} if open_ else set())


@call("split.Tensor")
def split(d: Draw) -> Call:
    x = d.tensor(ANY, 1)
    axis = d.axis(len(x.dims))
    open_ = not x.dims[axis].literal
    return Call([x, d.randint(1, 4), axis], open_list=open_,
                open_axes={_axis_from_end(axis, len(x.dims))} if open_ else set())


@call("split_with_sizes")
def split_with_sizes(d: Draw) -> Call:
    x, parts = d.tensor(ANY, 1), d.sizes(1, 4)
    axis, whole = d.axis(len(x.dims)), Size(0)
    for p in parts:
        whole = whole + p
    x.dims[axis] = whole
    return Call([x, parts, axis])


@call("unbind.int")
def unbind(d: Draw) -> Call:
    x = d.tensor(ANY, 1)
    axis = d.axis(len(x.dims))
    return Call([x, axis], open_list=not x.dims[axis].literal)


# ---- matrices

MATRIX = ["float32", "float64", *HALVES, *SIGNED, *COMPLEX]


@call("matmul")
def matmul(d: Draw) -> Call:
    dtype, k, batch = d.choice(MATRIX), d.size(), d.sizes(0, 2)
    a, b = [*d.broadcast(batch), d.size(), k], [*d.broadcast(batch), d.like(k), d.size()]
    if d.random() < 0.25:
        a = [k]
    if d.random() < 0.25:
        b = [k]
    loose = {axis - (len(a) > 1) - (len(b) > 1) for axis in undecided(a[:-2], b[:-2])}
    return Call([Tensor(dtype, a), Tensor(dtype, b)], {}, loose)


@call("mm")
def mm(d: Draw) -> Call:
    dtype, k = d.choice(MATRIX), d.size()
    return Call([Tensor(dtype, [d.size(), k]), Tensor(dtype, [d.like(k), d.size()])])


@call("bmm")
def bmm(d: Draw) -> Call:
    dtype, k, b = d.choice(MATRIX), d.size(), d.size()
    return Call([Tensor(dtype, [b, d.size(), k]), Tensor(dtype, [b, k, d.size()])])


@call("addmm")
def addmm(d: Draw) -> Call:
    dtype, n, k, m = d.choice(MATRIX), d.size(), d.size(), d.size()
    return Call([Tensor(dtype, d.choice([[m], [n, m], [Size(1)]])), Tensor(dtype, [n, k]), Tensor(dtype, [k, m])])


@call("baddbmm")
def baddbmm(d: Draw) -> Call:
    dtype, b, n, k, m = d.choice(MATRIX), d.size(), d.size(), d.size(), d.size()
    return Call([Tensor(dtype, d.choice([[m], [n, m], [b, n, m]])), Tensor(dtype, [b, n, k]), Tensor(dtype, [b, k, m])])


@call("linear")
def linear(d: Draw) -> Call:
    dtype, k, n = d.choice(MATRIX), d.size(), d.size()
    bias = d.maybe(Tensor(dtype, [n]))
    weight = Tensor(dtype, [n, k]) if bias or d.random() < 0.8 else Tensor(dtype, [k])
    return Call([Tensor(dtype, [*d.sizes(0, 3), k]), weight, bias])


@call("scaled_dot_product_attention")
def attention(d: Draw) -> Call:
    dtype, batch, e, s = d.choice(["float32", "float64"]), d.sizes(2, 2, 1), d.size(1), d.size(1)
    q = [*batch, d.size(1), e]
    mask = d.maybe(Tensor(dtype, [q[-2], s]))
    return Call([Tensor(dtype, q), Tensor(dtype, [*batch, s, e]), Tensor(dtype, [*batch, s, d.size(1)]), mask])


@call("cdist")
def cdist(d: Draw) -> Call:
    dtype, batch, m = d.choice(["float32", "float64"]), d.sizes(0, 2), d.size()
    a, b = [*d.broadcast(batch), d.size(), m], [*d.broadcast(batch), d.size(), m]
    return Call([Tensor(dtype, a), Tensor(dtype, b), 2.0], {}, {i - 2 for i in undecided(a[:-2], b[:-2])})


@call("einsum")
def einsum(d: Draw) -> Call:
    dtype = d.choice(["float32", "float64"])
    sizes = {letter: d.size(1) for letter in "abcd"}
    extra = d.sizes(0, 1, 1)
    terms = []
    for _ in range(d.randint(1, 3)):
        letters = "".join(d.sample("abcd", d.randint(0, 3)))
        at = d.randint(0, len(letters))
        terms.append((letters[:at], letters[at:], d.boolean()))
    used = sorted({x for a, b, _ in terms for x in a + b})
    dots = any(e for *_, e in terms)
    tensors = [Tensor(dtype, [*(sizes[x] for x in a), *(extra if e else []), *(sizes[x] for x in b)])
               for a, b, e in terms]
    equation = ",".join(a + ("..." if e else "") + b for a, b, e in terms)
    if d.boolean():
        equation += "->" + ("..." if dots else "") + "".join(d.sample(used, d.randint(0, len(used))))
    return Call([equation, tensors])


# ---- windows

IMAGES = ["float32", "float64"]


def _once(d: Draw, values: list[int]) -> Any:
    """One number for all axes, or one for each."""
    return values if len(set(values)) > 1 or d.boolean() else values[:1]


def _convolution(axes: int, transposed: bool, text: bool = False) -> Callable[[Draw], Call]:
    def f(d: Draw) -> Call:
        dtype, groups = d.choice(IMAGES), d.randint(1, 2)
        c_in, c_out = d.size(1, 3), d.size(1, 3)
        kernel = [d.size(1, 3) for _ in range(axes)]
        x = Tensor(dtype, [*d.sizes(0, 1), c_in * groups, *(d.size(1, 9) for _ in range(axes))])
        outer, inner = (c_in * groups, c_out) if transposed else (c_out * groups, c_in)
        weight = Tensor(dtype, [outer, inner, *kernel])
        bias = d.maybe(Tensor(dtype, [c_out * groups]))

        def values(low: int, high: int) -> Any:
            return _once(d, [d.randint(low, high) for _ in range(axes)])

        if text:
            padding = d.choice(["same", "valid"])
            stride = [1] if padding == "same" else values(1, 3)
            return Call([x, weight, bias, stride, padding, values(1, 2), groups])
        if transposed:
            return Call([x, weight, bias, values(2, 3), values(0, 1), values(0, 1), groups, values(1, 2)])
        return Call([x, weight, bias, values(1, 3), values(0, 2), values(1, 2), groups])

    return f


for _n in (1, 2, 3):
    call(f"conv{_n}d")(_convolution(_n, False))
    call(f"conv{_n}d.padding")(_convolution(_n, False, True))
    call(f"conv_transpose{_n}d" + (".input" if _n > 1 else ""))(_convolution(_n, True))


@call("convolution")
def convolution(d: Draw) -> Call:
    transposed = d.boolean()
    c = _convolution(d.randint(1, 3), transposed)(d)
    while len(c.args[0].dims) < len(c.args[1].dims):
        c.args[0].dims.insert(0, d.size())
    if transposed:
        x, w, b, stride, padding, output_padding, groups, dilation = c.args
    else:
        (x, w, b, stride, padding, dilation, groups), output_padding = c.args, [0]
    return Call([x, w, b, stride, padding, dilation, transposed, output_padding, groups])


def _pool(axes: int, kind: str) -> Callable[[Draw], Call]:
    def f(d: Draw) -> Call:
        dtypes = IMAGES if kind == "avg" else [*IMAGES, "bfloat16"]
        x = Tensor(d.choice(dtypes), [*d.sizes(0, 1, 1), d.size(1, 3), *(d.size(1, 9) for _ in range(axes))])

        def values(low: int, high: int) -> Any:
            return _once(d, [d.randint(low, high) for _ in range(axes)])

        args: list[Any] = [x, values(1, 3), d.choice([[], values(1, 3)]), values(0, 1)]
        return Call([*args, *([values(1, 2)] if kind != "avg" else []), d.boolean()])

    return f


for _n in (1, 2, 3):
    call(f"avg_pool{_n}d")(_pool(_n, "avg"))
    call(f"max_pool{_n}d", f"max_pool{_n}d_with_indices")(_pool(_n, "max"))


def _adaptive(axes: int) -> Callable[[Draw], Call]:
    def f(d: Draw) -> Call:
        x = Tensor(d.choice(IMAGES), [*d.sizes(0, 1, 1), d.size(1, 3), *(d.size(1, 9) for _ in range(axes))])
        return Call([x, [d.randint(1, 4) for _ in range(axes)]])

    return f


for _n in (1, 2, 3):
    call(f"adaptive_avg_pool{_n}d")(_adaptive(_n))


@call("col2im")
def col2im(d: Draw) -> Call:
    h, w = d.randint(2, 6), d.randint(2, 6)
    kernel = [d.randint(1, 2), d.randint(1, 2)]
    blocks = (h - kernel[0] + 1) * (w - kernel[1] + 1)
    x = Tensor(d.choice(IMAGES), [*d.sizes(0, 1, 1), d.size(1, 3) * (kernel[0] * kernel[1]), Size(blocks)])
    return Call([x, [h, w], kernel, [1, 1], [0, 0], [1, 1]])


def _upsample(axes: int, corners: bool, dtypes: list[str] = IMAGES) -> Callable[[Draw], Call]:
    def f(d: Draw) -> Call:
        x = Tensor(d.choice(dtypes), [d.size(1), d.size(1), *(d.size(1) for _ in range(axes))])
        return Call([x, [d.size(1) for _ in range(axes)], *([d.boolean()] if corners else [])])

    return f


def _upsample_vec(axes: int, corners: bool) -> Callable[[Draw], Call]:
    def f(d: Draw) -> Call:
        x = Tensor(d.choice(IMAGES), [d.size(1), d.size(1), *(d.size(1) for _ in range(axes))])
        aligned = [d.boolean()] if corners else []
        if d.boolean():
            return Call([x, [d.size(1) for _ in range(axes)], *aligned, None])
        factors = [d.choice([1.0, 2.0, 3.0, 1.5, 2.25]) for _ in range(axes)]
        loose = {i - axes for i, factor in enumerate(factors) if factor != int(factor)}
        return Call([x, None, *aligned, factors], open_axes=loose)

    return f


for _n, _linear in ((1, "linear1d"), (2, "bilinear2d"), (3, "trilinear3d")):
    call(f"upsample_nearest{_n}d")(_upsample(_n, False))
    call(f"upsample_{_linear}")(_upsample(_n, True))
    call(f"upsample_nearest{_n}d.vec")(_upsample_vec(_n, False))
    call(f"upsample_{_linear}.vec")(_upsample_vec(_n, True))
call("upsample_bicubic2d.vec", "_upsample_bicubic2d_aa.vec", "_upsample_bilinear2d_aa.vec")(_upsample_vec(2, True))
call("upsample_bicubic2d", "_upsample_bicubic2d_aa", "_upsample_bilinear2d_aa")(_upsample(2, True))


@call("grid_sampler")
def grid_sampler(d: Draw) -> Call:
    dtype, n, axes = d.choice(IMAGES), d.size(1), d.randint(2, 3)
    x = Tensor(dtype, [n, d.size(1), *(d.size(1) for _ in range(axes))])
    grid = Tensor(dtype, [n, *(d.size(1) for _ in range(axes)), Size(axes)])
    return Call([x, grid, 0, d.randint(0, 2), d.boolean()])


@call("affine_grid_generator")
def affine_grid(d: Draw) -> Call:
    n, axes = d.size(1), d.randint(2, 3)
    theta = Tensor(d.choice(IMAGES), [n, Size(axes), Size(axes + 1)])
    return Call([theta, [n, *(d.size(1) for _ in range(axes + 1))], d.boolean()])


# ---- normalisation, recurrence


@call("batch_norm", "instance_norm")
def batch_norm(d: Draw) -> Call:
    x = d.tensor(FLOATS, 3, 5, 1)
    c = Tensor(x.dtype, [x.dims[1]])
    return Call([x, c, c, c, c, False, 0.1, 1e-5, False])


@call("group_norm")
def group_norm(d: Draw) -> Call:
    groups = d.randint(1, 3)
    x = Tensor(d.choice(FLOATS), [d.size(1), d.size(1, 3) * groups, *d.sizes(0, 2, 1)])
    c = d.maybe(Tensor(x.dtype, [x.dims[1]]))
    return Call([x, groups, c, c])


@call("layer_norm", "rms_norm")
def layer_norm(d: Draw) -> Call:
    x = d.tensor(FLOATS, 1, 4, 1)
    shape = x.dims[d.randrange(len(x.dims)) :]
    weight = d.maybe(Tensor(x.dtype, shape))
    return Call([x, shape, weight])


@call("native_layer_norm")
def native_layer_norm(d: Draw) -> Call:
    x = d.tensor(IMAGES, 1, 4, 1)
    shape = x.dims[d.randrange(len(x.dims)) :]
    w = d.maybe(Tensor(x.dtype, shape))
    return Call([x, shape, w, w, 1e-5])


def _recurrent(gates: int) -> Callable[[Draw], Call]:
    def f(d: Draw) -> Call:
        dtype, t, b, n, h = d.choice(IMAGES), d.size(1), d.size(1), d.size(1), d.size(1)
        layers, both, first, biases = d.randint(1, 2), d.boolean(), d.boolean(), d.boolean()
        ways = 1 + both
        params = []
        for layer in range(layers):
            width = h * ways if layer else n
            for _ in range(ways):
                params += [Tensor(dtype, [h * gates, width]), Tensor(dtype, [h * gates, h])]
                params += [Tensor(dtype, [h * gates]), Tensor(dtype, [h * gates])] if biases else []
        state = Tensor(dtype, [Size(layers * ways), b, h])
        x = Tensor(dtype, [b, t, n] if first else [t, b, n])
        hx = [state, Tensor(dtype, [*state.dims])] if gates == 4 else state
        return Call([x, hx, params, biases, layers, 0.0, False, both, first])

    return f


call("lstm.input")(_recurrent(4))
call("gru.input")(_recurrent(3))
call("rnn_tanh.input", "rnn_relu.input")(_recurrent(1))


# ---- Fourier


@call("fft_fft", "fft_ifft", "fft_rfft", "fft_irfft")
def fft(d: Draw) -> Call:
    x = d.tensor(["float32", "float64", *INTS, *COMPLEX], 1, least=2)
    return Call([x, d.choice([None, d.size(1, 8)]), d.axis(len(x.dims))])


# ---- factories


@call("zeros", "ones", "rand", "randn", "empty.memory_format")
def sized(d: Draw) -> Call:
    return Call([d.sizes()], _dtype(d))


@call("full")
def full(d: Draw) -> Call:
    return Call([d.sizes(), d.number()], _dtype(d, ANY))


@call("eye.m")
def eye(d: Draw) -> Call:
    return Call([d.size(), d.size()], _dtype(d))


@call("blackman_window.periodic", "hann_window.periodic")
def window(d: Draw) -> Call:
    return Call([d.size(), d.boolean()], _dtype(d))


@call("hamming_window.periodic_alpha_beta")
def hamming(d: Draw) -> Call:
    return Call([d.size(), d.boolean(), 0.5, 0.5], _dtype(d))


@call("new_zeros", "new_ones", "new_empty")
def new_sized(d: Draw) -> Call:
    return Call([d.tensor(ANY), d.sizes()], _dtype(d, ANY))


@call("new_full")
def new_full(d: Draw) -> Call:
    return Call([d.tensor(ANY), d.sizes(), d.number()], _dtype(d, ANY))


@call("zeros_like", "ones_like", "empty_like")
def like(d: Draw) -> Call:
    return Call([d.tensor(ANY)], _dtype(d, ANY))


@call("rand_like", "randn_like")
def random_like(d: Draw) -> Call:
    return Call([d.tensor(FLOATS)], _dtype(d))


@call("full_like")
def full_like(d: Draw) -> Call:
    return Call([d.tensor(ANY), d.number()], _dtype(d, ANY))


@call("scalar_tensor")
def scalar_tensor(d: Draw) -> Call:
    return Call([d.number()], _dtype(d, ANY))


def _span(d: Draw) -> tuple[Any, Any]:
    if d.boolean():
        start = d.choice([Size(d.randint(-3, 3)), d.size()])
        return start, start + d.size()
    return d.uniform(-3, 0), d.choice([d.uniform(0, 5), d.randint(0, 5)])


@call("arange")
def arange(d: Draw) -> Call:
    return Call([d.choice([d.size(), d.uniform(0, 6)])], _dtype(d, [*FLOATS, *INTS]))


@call("arange.start")
def arange_start(d: Draw) -> Call:
    return Call([*_span(d)], _dtype(d, [*FLOATS, *INTS]))


@call("arange.start_step")
def arange_step(d: Draw) -> Call:
    start, end = _span(d)
    if d.boolean():
        return Call([start, end, d.choice([1, 2, 3, d.uniform(0.2, 2)])], _dtype(d, [*FLOATS, *INTS])) \
            if not isinstance(start, Size) or start.literal and end.literal \
            else Call([start, end, d.randint(1, 3)], _dtype(d, [*FLOATS, *INTS]))
    return Call([end, start, -d.randint(1, 3)], _dtype(d, [*FLOATS, *SIGNED]))


# ---- places of elements


@call("gather")
def gather(d: Draw) -> Call:
    x = d.tensor(ANY, 1, least=1)
    return Call([x, d.axis(len(x.dims)), Tensor("int64", [s if d.boolean() else Size(1) for s in x.dims])])


@call("take")
def take(d: Draw) -> Call:
    return Call([d.tensor(ANY, least=1), d.tensor(["int64"])])


@call("take_along_dim")
def take_along(d: Draw) -> Call:
    x, axis = d.tensor(ANY, 1, least=1), 0
    axis = d.axis(len(x.dims))
    index = [s if d.boolean() else Size(1) for s in x.dims]
    index[axis] = d.size()
    if d.random() < 0.2:
        return Call([x, d.tensor(["int64"])])
    return Call([x, Tensor("int64", index), axis])


@call("index_select")
def index_select(d: Draw) -> Call:
    x = d.tensor(ANY, least=1)
    index = Tensor(d.choice(["int32", "int64"]), d.sizes(0, 1) if x.dims else [Size(1)])
    return Call([x, d.axis(len(x.dims)), index])


@call("embedding")
def embedding(d: Draw) -> Call:
    return Call([d.tensor(FLOATS, 2, 2, 1), d.tensor(["int32", "int64"])])


@call("index.Tensor")
def index(d: Draw) -> Call:
    x = d.tensor(ANY, 1, 4, 1)
    block, entries, axis, masks, shapes = d.sizes(0, 2), [], 0, False, []
    while axis < len(x.dims) and d.random() < 0.85:
        kind = d.choice(["none", "index", "index", "mask"] if not masks else ["none", "index"])
        if kind == "none":
            entries.append(None)
            axis += 1
        elif kind == "index":
            entries.append(Tensor(d.choice(["int64", "int64", "int32"]), [Size(1)] if masks else d.broadcast(block)))
            shapes.append(entries[-1].dims)
            axis += 1
        else:
            n = d.randint(1, len(x.dims) - axis)
            if shapes:
                break
            entries.append(Tensor("bool", x.dims[axis : axis + n]))
            axis += n
            masks = True
    if not any(entries):
        entries = [Tensor("int64", d.sizes(0, 2)), *entries[1:]]
        shapes = [entries[0].dims]
    loose = set(range(-4, 0)) if masks or undecided(*shapes) else set()
    return Call([x, entries], {}, loose)


@call("index_put")
def index_put(d: Draw) -> Call:
    x = d.tensor(ANY, 1, least=1)
    return Call([x, [Tensor("int64", d.sizes(1, 1))], Tensor(x.dtype, [])])


@call("index_add")
def index_add(d: Draw) -> Call:
    x, axis, n = d.tensor(FLOATS, 1, least=1), 0, d.size()
    axis = d.axis(len(x.dims))
    source = [*x.dims]
    source[axis] = n
    return Call([x, axis, Tensor("int64", [n]), Tensor(x.dtype, source)])


@call("index_reduce")
def index_reduce(d: Draw) -> Call:
    c = index_add(d)
    return Call([*c.args, d.choice(["prod", "mean", "amax", "amin"])])


def _scattered(d: Draw) -> tuple[Tensor, int, Tensor]:
    x = d.tensor(FLOATS, 1, least=1)
    return x, d.axis(len(x.dims)), Tensor("int64", [s if d.boolean() else Size(1) for s in x.dims])


@call("scatter.src", "scatter_add")
def scatter(d: Draw) -> Call:
    x, axis, index_ = _scattered(d)
    return Call([x, axis, index_, Tensor(x.dtype, [*index_.dims])])


@call("scatter.value")
def scatter_value(d: Draw) -> Call:
    return Call([*_scattered(d), d.number()])


@call("scatter_reduce.two")
def scatter_reduce(d: Draw) -> Call:
    return Call([*scatter(d).args, d.choice(["sum", "prod", "amax", "amin"])])


@call("nonzero")
def nonzero(d: Draw) -> Call:
    return Call([d.tensor(ANY)], open_axes={-2})


@call("one_hot")
def one_hot(d: Draw) -> Call:
    n = d.choice([d.size(1), Size(-1)])
    return Call([d.tensor(["int64"], least=1), n], open_axes={-1} if n == -1 else set())


@call("searchsorted.Tensor")
def searchsorted(d: Draw) -> Call:
    dtype = d.choice([*FLOATS[2:], "int64"])
    return Call([Tensor(dtype, [d.size(1)]), d.tensor([dtype])], {"out_int32": d.boolean(), "right": d.boolean()})


@call("sort", "argsort")
def sort(d: Draw) -> Call:
    x = d.tensor([*FLOATS, *INTS])
    return Call([x, d.axis(len(x.dims)), d.boolean()])


@call("sort.stable", "argsort.stable")
def sort_stable(d: Draw) -> Call:
    x = d.tensor([*FLOATS, *INTS])
    return Call([x], {"stable": d.boolean(), "dim": d.axis(len(x.dims)), "descending": d.boolean()})


@call("topk")
def topk(d: Draw) -> Call:
    x = d.tensor([*FLOATS, *INTS], 1, least=1)
    axis = d.axis(len(x.dims))
    return Call([x, d.choice([1, x.dims[axis]]), axis])


@call("_unique2")
def unique(d: Draw) -> Call:
    inverse, counts = d.boolean(), d.boolean()
    return Call([d.tensor([*FLOATS, *INTS]), d.boolean(), inverse, counts], open_of={0: {-1}, 2: {-1} if counts else set()})


@call("unique_dim")
def unique_dim(d: Draw) -> Call:
    x = d.tensor([*IMAGES, "int64"], 1, 3, 1)
    axis = d.axis(len(x.dims))
    return Call([x, axis, True, d.boolean(), d.boolean()],
                open_of={0: {_axis_from_end(axis, len(x.dims))}, 2: {-1}})


@call("multinomial")
def multinomial(d: Draw) -> Call:
    return Call([d.tensor(IMAGES, 1, 2, 1), d.size(1, 3), True])
