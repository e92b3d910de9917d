"""Valid random models of shape arithmetic: sizes on their way through integers of both widths,
floats, comparisons, choices, branches, loops and functions, to where a size is used.

A model is a function of its seed. While it grows, every value is computed with numpy at all sizes
of its inputs, so that indices lie inside, divisors are not 0 and casts are in range; what ONNX
leaves open is not written.
"""

from __future__ import annotations

import dataclasses
import random
from typing import Any, Callable, Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

INTS = (np.int64, np.int32)
FLOATS = (np.float32, np.float64)
TYPES = {
    np.int64: TensorProto.INT64,
    np.int32: TensorProto.INT32,
    np.float32: TensorProto.FLOAT,
    np.float64: TensorProto.DOUBLE,
    np.bool_: TensorProto.BOOL,
}
MOST = 16  # elements of a tracked value
SIZES = 4  # for which a model is computed, so that what is the same for all of them stays so
RUN = 2  # of them are run


@dataclasses.dataclass(frozen=True)
class Value:
    """A value of the graph, and what it is at each size of the inputs."""

    name: str
    arrays: tuple[np.ndarray, ...]

    @property
    def dtype(self) -> type:
        return self.arrays[0].dtype.type

    @property
    def rank(self) -> int:
        return self.arrays[0].ndim

    @property
    def shape(self) -> tuple[int, ...] | None:
        """Where it is the same at all sizes."""
        shapes = {a.shape for a in self.arrays}
        return shapes.pop() if len(shapes) == 1 else None

    @property
    def varies(self) -> bool:
        return any(not np.array_equal(a, self.arrays[0]) for a in self.arrays)

    @property
    def small(self) -> bool:
        return self.shape is not None and self.rank <= 2 and self.arrays[0].size <= MOST

    def all(self, condition: Callable[[np.ndarray], Any]) -> bool:
        return all(bool(np.all(condition(a))) for a in self.arrays)


class Reject(Exception):
    """This step is not possible here."""


@dataclasses.dataclass
class Model:
    proto: onnx.ModelProto
    feeds: list[dict[str, np.ndarray]]


class Graph:
    """A graph that grows, or a branch or body in it."""

    def __init__(self, rng: random.Random, opset: int, outer: Graph | None = None) -> None:
        self.rng = rng
        self.opset = opset
        self.outer = outer
        self.root: Graph = outer.root if outer else self
        self.nodes: list[onnx.NodeProto] = []
        self.values: list[Value] = list(outer.values) if outer else []
        self.own: list[Value] = []
        if not outer:
            self.counter = 0
            self.functions: list[onnx.FunctionProto] = []
        self.sizes = outer.sizes if outer else SIZES

    # ---- writing

    def name(self) -> str:
        self.root.counter += 1
        return f"v{self.root.counter}"

    def node(self, op: str, inputs: Sequence[Value | None], arrays: Sequence[Any], **attributes: Any) -> Value:
        return self.nodes_of(op, inputs, [arrays], **attributes)[0]

    def nodes_of(self, op: str, inputs: Sequence[Value | None], outputs: Sequence[Sequence[Any]],
                 domain: str = "", **attributes: Any) -> list[Value]:
        names = [self.name() for _ in outputs]
        self.nodes.append(helper.make_node(
            op, [v.name if v else "" for v in inputs], names, domain=domain,
            **{k: v for k, v in attributes.items() if v is not None}))
        found = [Value(n, tuple(np.asarray(a) for a in arrays)) for n, arrays in zip(names, outputs)]
        self.values += found
        self.own += found
        return found

    def each(self, f: Callable[..., Any], *values: Value) -> list[np.ndarray]:
        """f at every size."""
        with np.errstate(all="ignore"):
            return [f(*(v.arrays[k] for v in values)) for k in range(self.sizes)]

    def constant(self, array: Any, dtype: type | None = None) -> Value:
        a = np.asarray(array, dtype)
        tensor = numpy_helper.from_array(a, "c")
        if a.dtype == np.int64 and a.ndim <= 1 and a.size and self.rng.random() < 0.3:
            kind = {"value_ints": a.tolist()} if a.ndim else {"value_int": int(a)}
            return self.node("Constant", [], [a] * self.sizes, **kind)
        return self.node("Constant", [], [a] * self.sizes, value=tensor)

    # ---- choosing

    def pick(self, *conditions: Callable[[Value], bool]) -> Value:
        found = [v for v in self.values if all(c(v) for c in conditions)]
        if not found:
            raise Reject
        varying = [v for v in found if v.varies]
        if varying and self.rng.random() < 0.6:
            found = varying
        return self.rng.choice(found[-12:] if self.rng.random() < 0.7 else found)

    def number(self, dtypes: Sequence[type] = (*INTS, *FLOATS)) -> Value:
        return self.pick(lambda v: v.small, lambda v: v.dtype in dtypes)

    def literal(self, dtype: type) -> Any:
        r = self.rng
        if dtype in FLOATS:
            return dtype(r.choice([0.5, 2, 1.5, 1.7, 0.25, 1 / 3, 0.1, 3, 32, 1.25, -1, -0.5, 7, r.uniform(-4, 4)]))
        if dtype is np.bool_:
            return np.bool_(r.random() < 0.5)
        large = [2**15, 65536, 2**30, 2**31 - 1, -(2**31)] + ([2**40, 2**62, 2**63 - 1, -(2**63)] if dtype is np.int64 else [])
        return dtype(r.choice(large) if r.random() < 0.12 else r.choice([-3, -2, -1, 0, 1, 1, 2, 2, 3, 4, 5, 7, 8, 16, 100]))

    def like(self, v: Value) -> Value:
        """Of v's type, and of a shape that broadcasts with it."""
        beside = [w for w in self.values if w.small and w.dtype is v.dtype and fit(v.shape, w.shape)]
        if beside and self.rng.random() < 0.6:
            return self.rng.choice(beside)
        shape = self.rng.choice([(), (1,), v.shape])
        return self.constant(np.array([self.literal(v.dtype) for _ in range(int(np.prod(shape)))], v.dtype).reshape(shape))

    # ---- steps: shapes and movements

    def shape(self) -> Value:
        x = self.pick(lambda v: v.rank > 0)
        start, end = None, None
        if self.opset >= 15 and self.rng.random() < 0.3:
            start, end = self.rng.randint(-x.rank - 1, x.rank + 1), self.rng.choice([None, self.rng.randint(-x.rank - 1, x.rank + 1)])
        bound = slice(start, end)
        return self.node("Shape", [x], self.each(lambda a: np.array(a.shape, np.int64)[bound], x), start=start, end=end)

    def size(self) -> Value:
        x = self.pick()
        return self.node("Size", [x], self.each(lambda a: np.int64(a.size), x))

    def gather(self) -> Value:
        x = self.pick(lambda v: v.small, lambda v: v.rank > 0, lambda v: v.arrays[0].size > 0)
        axis = self.rng.randrange(-x.rank, x.rank)
        n = x.shape[axis]
        shape = self.rng.choice([(), (), (1,), (2,), (1, 2), (0,)])
        index = np.array([self.rng.randrange(-n, n) for _ in range(int(np.prod(shape)))], self.rng.choice(INTS)).reshape(shape)
        return self.node("Gather", [x, self.constant(index)], self.each(lambda a: np.take(a, index, axis), x), axis=axis)

    def slice(self) -> Value:
        r = self.rng
        x = self.pick(lambda v: v.rank > 0, lambda v: v.small or r.random() < 0.2)
        axes = r.sample(range(x.rank), r.randint(0, x.rank))
        far = [0, 1, 2, -1, -2, 5, 2**31 - 1, 2**63 - 1, -(2**63), -(2**31)]
        steps = [r.choice([1, 1, 1, 2, 3, -1, -2, 2**63 - 1, -(2**62), 100]) for _ in axes]
        starts = [r.choice(far) for _ in axes]
        # to ONNX Runtime the greatest int32 and int64 are the end that a negative step goes to
        ends = [r.choice([e for e in far if s > 0 or e < 2**31 - 1]) for s in steps]

        def cut(a: np.ndarray) -> np.ndarray:
            for axis, start, end, step in zip(axes, starts, ends, steps):
                a = np.take(a, positions(start, end, step, a.shape[axis]), axis)
            return a

        given = [r.choice([a, a - x.rank]) for a in axes]
        lists = [self.constant(bounds, np.int64) for bounds in (starts, ends)]
        if axes != list(range(len(axes))) or r.random() < 0.7:
            lists.append(self.constant(given, np.int64))
        if any(s != 1 for s in steps) or r.random() < 0.3:
            lists += [None] * (3 - len(lists)) + [self.constant(steps, np.int64)]
        return self.node("Slice", [x, *lists], self.each(cut, x))

    def concat(self) -> Value:
        x = self.pick(lambda v: v.small, lambda v: v.rank > 0)
        axis = self.rng.randrange(-x.rank, x.rank)
        parts = [x]
        for _ in range(self.rng.randint(0, 2)):
            parts.append(self.pick(
                lambda v: v.small, lambda v: v.dtype is x.dtype, lambda v: v.rank == x.rank,
                lambda v: np.delete(v.shape, axis).tolist() == np.delete(x.shape, axis).tolist()))
        self.rng.shuffle(parts)
        return self.node("Concat", parts, self.each(lambda *a: np.concatenate(a, axis), *parts), axis=axis)

    def split(self) -> Value:
        x = self.pick(lambda v: v.small, lambda v: v.rank > 0, lambda v: v.arrays[0].size > 1)
        axis = self.rng.randrange(-x.rank, x.rank)
        n = x.shape[axis]
        first = self.rng.randint(0, n)
        parts = self.constant([first, n - first], np.int64)
        cut = self.each(lambda a: np.split(a, [first], axis), x)
        return self.rng.choice(self.nodes_of("Split", [x, parts], list(zip(*cut)), axis=axis))

    def unsqueeze(self) -> Value:
        x = self.pick(lambda v: v.rank <= 1, lambda v: v.small)
        axis = self.rng.randint(-x.rank - 1, x.rank)
        return self.node("Unsqueeze", [x, self.constant([axis], np.int64)], self.each(lambda a: np.expand_dims(a, axis), x))

    def squeeze(self) -> Value:
        x = self.pick(lambda v: v.small, lambda v: 1 in v.shape)
        if self.rng.random() < 0.3:
            return self.node("Squeeze", [x], self.each(np.squeeze, x))
        axis = self.rng.choice([i for i, d in enumerate(x.shape) if d == 1])
        return self.node("Squeeze", [x, self.constant([axis], np.int64)], self.each(lambda a: np.squeeze(a, axis), x))

    def reshape(self) -> Value:
        x = self.pick(lambda v: v.small, lambda v: v.arrays[0].size > 0)
        n = x.arrays[0].size
        shape = self.rng.choice([[-1], [n], [1, -1], [-1, 1], [n, 1]] + ([[]] if n == 1 else []))
        return self.node("Reshape", [x, self.constant(shape, np.int64)], self.each(lambda a: a.reshape(shape), x))

    def transpose(self) -> Value:
        x = self.pick(lambda v: v.small)
        perm = self.rng.sample(range(x.rank), x.rank) if self.rng.random() < 0.5 and x.rank else None
        return self.node("Transpose", [x], self.each(lambda a: np.transpose(a, perm), x), perm=perm)

    def flatten(self) -> Value:
        x = self.pick(lambda v: v.small, lambda v: v.rank > 0)
        axis = self.rng.randint(0, x.rank)
        return self.node("Flatten", [x], self.each(lambda a: a.reshape(int(np.prod(a.shape[:axis])), -1) if a.size else a.reshape(int(np.prod(a.shape[:axis])), int(np.prod(a.shape[axis:]))), x), axis=axis)

    def expand(self) -> Value:
        x = self.pick(lambda v: v.small, lambda v: v.rank <= 1)
        shape = self.rng.choice([[2], [1], [3, 1], list(x.shape), [2, *x.shape], []])
        if not fit(x.shape, shape):
            raise Reject
        return self.node("Expand", [x, self.constant(shape, np.int64)],
                         self.each(lambda a: a * np.ones(np.broadcast_shapes(a.shape, tuple(shape)), a.dtype), x))

    def tile(self) -> Value:
        x = self.pick(lambda v: v.small, lambda v: v.rank > 0, lambda v: v.dtype is not np.bool_)
        times = [self.rng.randint(0, 2) for _ in range(x.rank)]
        return self.node("Tile", [x, self.constant(times, np.int64)], self.each(lambda a: np.tile(a, times), x))

    def filled(self) -> Value:
        shape = self.rng.choice([[], [2], [1, 2], [0]])
        dtype = self.rng.choice([*INTS, *FLOATS, np.bool_])
        fill = np.array([self.literal(dtype)], dtype)
        return self.node("ConstantOfShape", [self.constant(shape, np.int64)], [np.full(shape, fill[0])] * self.sizes,
                         value=numpy_helper.from_array(fill, "fill"))

    def identity(self) -> Value:
        x = self.pick()
        return self.node("Identity", [x], x.arrays)

    # ---- steps: numbers

    def cast(self) -> Value:
        x = self.number((*INTS, *FLOATS, np.bool_))
        to = self.rng.choice([*INTS, *FLOATS, *FLOATS, np.bool_])
        if x.dtype in FLOATS and to in INTS and not x.all(lambda a: np.isfinite(a) & (abs(a) < 2**31 - 1000)):
            raise Reject
        arrays = self.each(lambda a: a.astype(to), x)
        if self.opset >= 15 and self.rng.random() < 0.4:
            like = [v for v in self.values if v.dtype is to]
            if like:
                return self.node("CastLike", [x, self.rng.choice(like)], arrays)
        return self.node("Cast", [x], arrays, to=TYPES[to])

    def through_floats(self) -> Value:
        """Sizes as old exporters scale them."""
        r = self.rng
        x = self.pick(lambda v: v.small, lambda v: v.dtype in INTS, lambda v: v.all(lambda a: abs(a.astype(float)) < 4096))
        dtype = r.choice([np.float32, np.float32, np.float64])
        y = self.node("Cast", [x], self.each(lambda a: a.astype(dtype), x), to=TYPES[dtype])
        for _ in range(r.choice([0, 1, 1, 1, 2, 3])):
            op, f = r.choice([("Mul", np.multiply), ("Mul", np.multiply), ("Div", np.divide), ("Add", np.add), ("Sub", np.subtract)])
            other = self.like(y) if r.random() < 0.2 else self.constant(self.literal(dtype), dtype)
            if op == "Div" and not other.all(lambda a: a != 0):
                raise Reject
            y = self.node(op, [y, other], self.each(f, y, other))
        op, f = r.choice([("Floor", np.floor), ("Floor", np.floor), ("Ceil", np.ceil), ("Round", np.round), ("Sqrt", np.sqrt), ("", None)])
        if op == "Sqrt" and not y.all(lambda a: a >= 0):
            raise Reject
        if op:
            y = self.node(op, [y], self.each(f, y))
        if not y.all(lambda a: np.isfinite(a) & (abs(a) < 2**31 - 1000)):
            raise Reject
        return self.node("Cast", [y], self.each(lambda a: a.astype(np.int64), y), to=TensorProto.INT64)

    def arithmetic(self) -> Value:
        a = self.number()
        b = self.like(a)
        if self.rng.random() < 0.3:
            a, b = b, a
        op = self.rng.choice(["Add", "Sub", "Mul", "Add", "Sub", "Mul", "Div", "Div", "Mod", "Max", "Min"])
        if a.dtype in FLOATS and op == "Mod":
            raise Reject
        if op == "Mod":
            return self.mod(a, b)
        if op == "Div":
            return self.div(a, b)
        f = {"Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Max": np.maximum, "Min": np.minimum}[op]
        return self.node(op, [a, b], self.each(f, a, b))

    def div(self, a: Value, b: Value) -> Value:
        if not b.all(lambda y: y != 0):
            raise Reject
        if a.dtype in FLOATS:
            return self.node("Div", [a, b], self.each(np.divide, a, b))
        if not (a.all(lambda x: x > np.iinfo(x.dtype).min) and b.all(lambda y: y > np.iinfo(y.dtype).min)):
            raise Reject
        return self.node("Div", [a, b], self.each(lambda x, y: (abs(x) // abs(y) * np.sign(x) * np.sign(y)).astype(x.dtype), a, b))

    def mod(self, a: Value, b: Value) -> Value:
        if not (b.all(lambda y: y != 0) and b.all(lambda y: abs(y.astype(float)) < 2**31) and a.all(lambda x: abs(x.astype(float)) < 2**31)):
            raise Reject
        fmod = int(self.rng.random() < 0.3)
        return self.node("Mod", [a, b], self.each(np.fmod if fmod else np.mod, a, b), fmod=fmod)

    def many(self) -> Value:
        op, f = self.rng.choice([("Max", np.maximum), ("Min", np.minimum), ("Sum", np.add)])
        a = self.number(FLOATS if op == "Sum" else (*INTS, *FLOATS))
        parts = [a] + [self.like(a) for _ in range(self.rng.randint(0, 2))]
        if not fit(*(p.shape for p in parts)):
            raise Reject

        def fold(*arrays: np.ndarray) -> np.ndarray:
            y = arrays[0]
            for x in arrays[1:]:
                y = f(y, x)
            return y

        return self.node(op, parts, self.each(fold, *parts))

    def unary(self) -> Value:
        op = self.rng.choice(["Neg", "Abs", "Floor", "Ceil", "Round", "Sqrt", "Floor", "Ceil", "Round"])
        a = self.number((*INTS, *FLOATS) if op in ("Neg", "Abs") else FLOATS)
        if op == "Sqrt" and not a.all(lambda x: x >= 0):
            raise Reject
        f = {"Neg": np.negative, "Abs": np.abs, "Floor": np.floor, "Ceil": np.ceil, "Round": np.round, "Sqrt": np.sqrt}[op]
        return self.node(op, [a], self.each(f, a))

    def power(self) -> Value:
        a = self.number((np.int64, np.float32))
        if not a.all(lambda x: abs(x.astype(float)) < 2**10):
            raise Reject
        e = self.constant(self.rng.choice([0, 1, 2, 2, 3]), a.dtype)
        return self.node("Pow", [a, e], self.each(lambda x, y: (x**y).astype(x.dtype), a, e))

    def reduce(self) -> Value:
        op, f = self.rng.choice([("ReduceSum", np.sum), ("ReduceProd", np.prod), ("ReduceMax", np.max), ("ReduceMin", np.min), ("ReduceMean", np.mean)])
        dtypes = (np.int32, np.float32) if op == "ReduceMean" else (*INTS, np.float32)
        a = self.pick(lambda v: v.small, lambda v: v.rank > 0, lambda v: v.dtype in dtypes, lambda v: v.arrays[0].size > 0)
        axes = self.rng.choice([None, [self.rng.randrange(-a.rank, a.rank)]])
        keep = self.rng.random() < 0.5
        if op == "ReduceMean" and a.dtype is np.int32:
            if not a.all(lambda x: abs(x.astype(float)) < 2**20):
                raise Reject
            f = mean_of_integers
        over = tuple(axes) if axes else None
        kept = {"dtype": a.dtype} if f in (np.sum, np.prod) else {}
        arrays = self.each(lambda x: np.asarray(f(x, axis=over, keepdims=keep, **kept)).astype(x.dtype), a)
        over_all = np.prod if op == "ReduceProd" else np.sum
        if not a.all(lambda x: over_all(abs(x.astype(float))) < 2**53):
            raise Reject  # ONNX Runtime reduces integers as if they were doubles
        since = 13 if op == "ReduceSum" else 18
        if self.opset >= since:
            return self.node(op, [a] + ([self.constant(axes, np.int64)] if axes else []), arrays, keepdims=int(keep))
        return self.node(op, [a], arrays, axes=axes, keepdims=int(keep))

    def range(self) -> Value:
        dtype = self.rng.choice([np.int64, np.int32, np.float32])
        v = self.pick(lambda v: v.dtype is dtype, lambda v: v.rank == 0, lambda v: v.all(lambda a: abs(a.astype(float)) < 40))
        start, delta = self.constant(self.rng.choice([0, 0, 1, -2]), dtype), self.constant(self.rng.choice([1, 1, 2, -1]), dtype)
        ends = [start, v] if self.rng.random() < 0.8 else [v, start]
        arrays = self.each(lambda a, b, d: np.arange(a, b, d, dtype=dtype), *ends, delta)
        return self.node("Range", [*ends, delta], arrays)

    # ---- steps: truths

    def compare(self) -> Value:
        a = self.number()
        b = self.like(a)
        op = self.rng.choice(["Equal", "Less", "Greater", "LessOrEqual", "GreaterOrEqual"])
        f = {"Equal": np.equal, "Less": np.less, "Greater": np.greater, "LessOrEqual": np.less_equal, "GreaterOrEqual": np.greater_equal}[op]
        return self.node(op, [a, b], self.each(f, a, b))

    def logic(self) -> Value:
        a = self.pick(lambda v: v.dtype is np.bool_, lambda v: v.small)
        op = self.rng.choice(["And", "Or", "Xor", "Not", "Equal"])
        if op == "Not":
            return self.node("Not", [a], self.each(np.logical_not, a))
        b = self.like(a)
        f = {"And": np.logical_and, "Or": np.logical_or, "Xor": np.logical_xor, "Equal": np.equal}[op]
        return self.node(op, [a, b], self.each(f, a, b))

    def where(self) -> Value:
        c = self.pick(lambda v: v.dtype is np.bool_, lambda v: v.small)
        a = self.pick(lambda v: v.small, lambda v: v.dtype is not np.bool_, lambda v: fit(v.shape, c.shape))
        b = self.like(a)
        if not fit(c.shape, a.shape, b.shape):
            raise Reject
        return self.node("Where", [c, a, b], self.each(np.where, c, a, b))

    # ---- steps: where sizes are used

    def size_of_something(self) -> Value:
        return self.pick(lambda v: v.dtype is np.int64, lambda v: v.rank <= 1, lambda v: v.small, lambda v: v.arrays[0].size == 1,
                         lambda v: v.all(lambda a: (a >= 0) & (a < 24)))

    def as_list(self, v: Value) -> Value:
        if v.rank == 1:
            return v
        return self.node("Unsqueeze", [v, self.constant([0], np.int64)], self.each(lambda a: np.expand_dims(a, 0), v))

    def sizes_list(self, *values: Value) -> Value:
        lists = [self.as_list(v) for v in values]
        return self.node("Concat", lists, self.each(lambda *a: np.concatenate(a), *lists), axis=0)

    def zeros(self) -> Value:
        sizes = self.sizes_list(*(self.size_of_something() for _ in range(self.rng.randint(1, 2))))
        return self.node("ConstantOfShape", [sizes], self.each(lambda s: np.zeros(s, np.float32), sizes))

    def expanded(self) -> Value:
        sizes = self.sizes_list(*(self.size_of_something() for _ in range(self.rng.randint(1, 2))))
        one = self.constant([[1.5]], np.float32)
        shape = self.each(lambda s: np.full(np.broadcast_shapes(tuple(s), (1, 1)), 1.5, np.float32), sizes)
        return self.node("Expand", [one, sizes], shape)

    def counted(self) -> Value:
        v = self.pick(lambda v: v.dtype is np.int64, lambda v: v.rank == 0, lambda v: v.all(lambda a: (a >= 0) & (a < 24)))
        return self.node("Range", [self.constant(0, np.int64), v, self.constant(1, np.int64)], self.each(lambda a: np.arange(a), v))

    def reshaped(self) -> Value:
        x = self.pick(lambda v: v.rank > 0, lambda v: v.shape is None, lambda v: v.all(lambda a: a.size > 0))
        s = self.pick(lambda v: v.dtype is np.int64, lambda v: v.small, lambda v: v.rank <= 1, lambda v: v.arrays[0].size == 1,
                      lambda v: all(int(n.reshape(())) > 0 and a.size % int(n.reshape(())) == 0 for n, a in zip(v.arrays, x.arrays)))
        parts = [s, self.constant([-1], np.int64)]
        self.rng.shuffle(parts)
        shape = self.sizes_list(*parts)
        return self.node("Reshape", [x, shape], self.each(lambda a, n: a.reshape(n), x, shape))

    def cut(self) -> Value:
        x = self.pick(lambda v: v.rank > 0, lambda v: v.shape is None)
        ends = self.as_list(self.pick(lambda v: v.dtype is np.int64, lambda v: v.rank <= 1, lambda v: v.small,
                                      lambda v: v.arrays[0].size == 1, lambda v: v.all(lambda a: abs(a.astype(float)) < 2**31)))
        axis = self.rng.randrange(x.rank)
        zero, at = self.constant([0], np.int64), self.constant([axis], np.int64)
        return self.node("Slice", [x, zero, ends, at], self.each(
            lambda a, e: np.take(a, positions(0, int(e[0]), 1, a.shape[axis]), axis), x, ends))

    # ---- steps: control flow

    def branch(self) -> Value:
        c = self.pick(lambda v: v.dtype is np.bool_, lambda v: v.small, lambda v: v.arrays[0].size == 1)
        sides = []
        for _ in range(2):
            inner = Graph(self.rng, self.opset, self)
            inner.grow(self.rng.randint(1, 3), SIMPLE)
            sides.append(inner)
        then, other = sides
        pairs = [(a, b) for a in then.own for b in other.own if a.dtype is b.dtype and (a.rank == b.rank or self.rng.random() < 0.2)]
        if not pairs:
            raise Reject
        a, b = self.rng.choice(pairs)
        arrays = [x if t.reshape(()) else y for t, x, y in zip(c.arrays, a.arrays, b.arrays)]
        found = self.node("If", [c], arrays, then_branch=then.proto("then", [], [a]), else_branch=other.proto("else", [], [b]))
        if a.rank != b.rank:  # its rank is not known before it runs: it is an output at most
            self.values.pop()
        return found

    def loop(self) -> Value:
        start = self.number(INTS)
        trips = self.rng.randint(0, 3)
        body = Graph(self.rng, self.opset, self)
        step, alive, state = body.name(), body.name(), Value(body.name(), start.arrays)
        factor = body.like(start)
        if factor.shape != start.shape and factor.arrays[0].size != 1 or factor.rank > start.rank:
            raise Reject
        body.nodes.append(helper.make_node(self.rng.choice(["Add", "Mul"]), [state.name, factor.name], ["next_" + state.name]))
        f = np.add if body.nodes[-1].op_type == "Add" else np.multiply
        body.nodes.append(helper.make_node("Identity", [alive], ["still_" + alive]))
        graph = helper.make_graph(
            body.nodes, "body",
            [port(step, np.int64, ()), port(alive, np.bool_, ()), port(state.name, start.dtype, start.shape)],
            [port("still_" + alive, np.bool_, ()), port("next_" + state.name, start.dtype, start.shape)])

        def run(x: np.ndarray, y: np.ndarray) -> np.ndarray:
            for _ in range(trips):
                x = f(x, y)
            return x

        return self.node("Loop", [self.constant(trips, np.int64), None, start], self.each(run, start, factor), body=graph)

    def function(self) -> Value:
        """A call of a function of the model: a * b + a, of whatever type."""
        a = self.number()
        b = self.like(a)
        if not self.root.functions:
            body = [helper.make_node("Mul", ["a", "b"], ["p"]), helper.make_node("Add", ["p", "a"], ["y"])]
            self.root.functions.append(helper.make_function("local", "Affine", ["a", "b"], ["y"], body, [helper.make_opsetid("", self.opset)]))
        return self.nodes_of("Affine", [a, b], [self.each(lambda x, y: x * y + x, a, b)], domain="local")[0]

    # ---- growing

    def grow(self, steps: int, kinds: Sequence[tuple[str, int]]) -> None:
        names, weights = zip(*kinds)
        done = 0
        for _ in range(steps * 8):
            if done == steps:
                return
            mark = (len(self.nodes), len(self.values), len(self.own))
            try:
                value = getattr(self, self.rng.choices(names, weights)[0])()
                if any(a.size > 4096 for a in value.arrays) or (self.outer and len({a.ndim for a in value.arrays}) > 1) or (value.dtype in FLOATS and not value.all(np.isfinite)):
                    raise Reject
                done += 1
            except Reject:
                del self.nodes[mark[0]:], self.values[mark[1]:], self.own[mark[2]:]

    def proto(self, name: str, inputs: Sequence[onnx.ValueInfoProto], outputs: Sequence[Value]) -> onnx.GraphProto:
        return helper.make_graph(self.nodes, name, inputs, [port(v.name, v.dtype, [None] * v.rank) for v in outputs])


SIMPLE = [(k, 2) for k in (
    "shape", "size", "gather", "slice", "concat", "unsqueeze", "squeeze", "reshape", "transpose", "expand",
    "cast", "arithmetic", "many", "unary", "reduce", "range", "compare", "logic", "where")]
ALL = [
    ("shape", 6), ("size", 2), ("gather", 6), ("slice", 4), ("concat", 4), ("split", 2), ("unsqueeze", 3), ("squeeze", 2),
    ("reshape", 2), ("transpose", 1), ("flatten", 1), ("expand", 2), ("tile", 1), ("filled", 1), ("identity", 1),
    ("cast", 10), ("arithmetic", 14), ("many", 2), ("unary", 6), ("power", 1), ("reduce", 4), ("range", 2),
    ("compare", 5), ("logic", 3), ("where", 4),
    ("through_floats", 8), ("zeros", 3), ("expanded", 3), ("counted", 4), ("reshaped", 4), ("cut", 4),
    ("branch", 4), ("loop", 1), ("function", 2)]


def fit(*shapes: Sequence[int]) -> bool:
    """Whether they broadcast."""
    try:
        np.broadcast_shapes(*map(tuple, shapes))
    except ValueError:
        return False
    return True


def mean_of_integers(x: np.ndarray, axis: Any, keepdims: bool) -> np.ndarray:
    total = np.sum(x.astype(np.int64), axis=axis, keepdims=keepdims)
    return np.trunc(total / (x.size // max(total.size, 1))).astype(x.dtype)


def positions(start: int, end: int, step: int, extent: int) -> list[int]:
    """Those that Slice takes of an axis."""
    def inside(x: int, low: int, high: int) -> int:
        return min(max(x + extent if x < 0 else x, low), high)
    if extent == 0:
        return []
    if step > 0:
        return list(range(inside(start, 0, extent), inside(end, 0, extent), step))
    return list(range(inside(start, 0, extent - 1), inside(end, -1, extent - 1), step))


def port(name: str, dtype: type, shape: Sequence[Any] | None) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TYPES[dtype], shape)


def shape_model(seed: int) -> Model:
    """The model of this seed, with two sets of inputs of different sizes."""
    rng = random.Random(seed)
    opset = rng.choice([13, 15, 17, 18, 21])
    graph = Graph(rng, opset)
    ports = []
    for i in range(rng.randint(1, 2)):
        rank = rng.randint(1, 4)
        fixed = [rng.choice([1, 2, 3, 4, 6]) if rng.random() < 0.25 else None for _ in range(rank)]
        shapes = [[d if d else rng.choice([1, 1, 2, 3, 4, 5, 6, 7, 8, 12]) for d in fixed] for _ in range(graph.sizes)]
        arrays = [np.arange(np.prod(s), dtype=np.float32).reshape(s) / 4 for s in shapes]
        graph.values.append(Value(f"x{i}", tuple(arrays)))
        ports.append(port(f"x{i}", np.float32, [d or f"d{i}{k}" for k, d in enumerate(fixed)]))
    inputs = list(graph.values)
    graph.shape()
    graph.grow(rng.randint(4, 24), ALL)
    outputs = rng.sample(graph.own, min(len(graph.own), 6)) + graph.own[-1:]
    outputs = list({v.name: v for v in outputs}.values())
    proto = helper.make_model(
        graph.proto(f"seed_{seed}", ports, outputs), ir_version=10, functions=graph.functions,
        opset_imports=[helper.make_opsetid("", opset), helper.make_opsetid("local", 1)])
    return Model(proto, [{v.name: v.arrays[k] for v in inputs} for k in range(RUN)])
