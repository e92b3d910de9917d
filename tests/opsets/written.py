"""Models of what ONNX's backend cases lack: operators without a case, and what only the first opsets could say.

Expected values are computed here in NumPy, or by ONNX Runtime or ONNX's reference where None stands.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any, Iterator

import numpy as np
import onnx
from onnx import TensorProto, helper

F, I64 = TensorProto.FLOAT, TensorProto.INT64


@dataclasses.dataclass
class Written:
    """With the members of the conformance suite's Case that the matrix reads."""

    name: str
    operator_name: str
    domain: str
    proto: onnx.ModelProto
    inputs: list[Any]
    outputs: list[Any] | None
    until: int = 10**9  # the last opset where it means the same
    rtol: float = 1e-3
    atol: float = 1e-5

    def model(self) -> onnx.ModelProto:
        return self.proto

    def data_sets(self, _: onnx.ModelProto) -> list[tuple[list[Any], list[Any] | None]]:
        return [(self.inputs, self.outputs)]


def written_cases() -> Iterator[Written]:
    yield from _random()
    yield from _pools()
    yield from _first_opsets()
    yield from _resizes()
    yield from _others()


def single(
    op,
    opset,
    feeds,
    outputs=None,
    out_type=F,
    out_shape=None,
    domain="",
    tag="",
    types=(),
    until=10**9,
    **attributes,
):
    """A model of one node; feeds are arrays, or maps of the given types, in order; None for an input left out.

    `out_type` is an element type, or a list of whole outputs.
    """
    names = ["" if a is None else f"i{k}" for k, a in enumerate(feeds)]
    values = [a if isinstance(a, dict) else np.asarray(a) for a in feeds if a is not None]
    given = iter(types)
    ports = [
        helper.make_value_info(n, next(given))
        if isinstance(v, dict)
        else helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(v.dtype), v.shape)
        for n, v in zip([n for n in names if n], values)
    ]
    if out_shape is None and outputs:
        out_shape = np.asarray(outputs[0]).shape
    results = (
        out_type
        if isinstance(out_type, list)
        else [helper.make_tensor_value_info("o0", out_type, out_shape)]
    )
    node = helper.make_node(op, names, [r.name for r in results], domain=domain, **attributes)
    imports = [helper.make_opsetid(domain, opset)]
    if domain:
        imports.append(helper.make_opsetid("", 21))
    graph = helper.make_graph([node], "g", ports, results)
    model = helper.make_model(graph, opset_imports=imports, ir_version=10)
    name = f"{op.lower()}_{opset}{'_' + tag if tag else ''}"
    return Written(name, op, domain, model, values, outputs, until)


def _numbers(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-2, 2, shape).astype(np.float32)


def _random() -> Iterator[Written]:
    form = [np.zeros((2, 3), np.float32)]
    x = _numbers(2, 3)
    for op in ("RandomNormal", "RandomUniform"):
        yield single(op, 1, [], form, out_shape=[2, 3], shape=[2, 3])
        yield single(
            op,
            1,
            [],
            [form[0].astype(np.float64)],
            TensorProto.DOUBLE,
            [2, 3],
            tag="double",
            shape=[2, 3],
            dtype=TensorProto.DOUBLE,
            seed=1.0,
        )
    for op in ("RandomNormalLike", "RandomUniformLike"):
        yield single(op, 1, [x], form, out_shape=[2, 3])
        yield single(op, 1, [x.astype(np.int64)], form, F, [2, 3], tag="typed", dtype=F)
    drawn = np.zeros((2, 5))
    yield single(
        "Multinomial", 7, [x], [drawn.astype(np.int32)], TensorProto.INT32, [2, 5], sample_size=5
    )
    yield single(
        "Multinomial",
        7,
        [x],
        [drawn.astype(np.int64)],
        I64,
        [2, 5],
        tag="int64",
        sample_size=5,
        dtype=I64,
    )


def _pools() -> Iterator[Written]:
    x = _numbers(1, 2, 4, 4)
    for p in (1, 2, 3):
        expected = (np.abs(x) ** p).sum((2, 3), keepdims=True) ** (1 / p)
        yield single("GlobalLpPool", 2, [x], [expected], tag=f"p{p}", p=p)
        yield single("GlobalLpPool", 1, [x], [expected], tag=f"p{p}", p=float(p))
    rois = np.array([[0, 0, 0, 3, 3], [0, 1, 1, 2, 3]], np.float32)
    yield single("MaxRoiPool", 1, [x, rois], out_shape=[2, 2, 2, 2], pooled_shape=[2, 2])
    yield single(
        "MaxRoiPool",
        1,
        [x, rois],
        out_shape=[2, 2, 1, 2],
        tag="scale",
        pooled_shape=[1, 2],
        spatial_scale=0.5,
    )


def _first_opsets() -> Iterator[Written]:
    """Aligned broadcasting, Tile along one axis, one slope per channel, Upsample by name."""
    a = np.abs(_numbers(2, 3, 4, 5)) + 1
    for op, f in (
        ("Add", np.add),
        ("Sub", np.subtract),
        ("Mul", np.multiply),
        ("Div", np.divide),
        ("Pow", np.power),
    ):
        opset = 1
        for shape, axis in (((3, 4), 1), ((2,), 0), ((4, 5), None), ((), None)):
            b = np.abs(_numbers(*shape, seed=1)) + 0.5
            b = b.astype(np.float32)
            named = {} if axis is None else {"axis": axis}
            aligned = b if axis is None else b.reshape(shape + (1,) * (4 - axis - len(shape)))
            yield single(
                op,
                opset,
                [a, b],
                [f(a, aligned)],
                tag=f"axis_{axis}_{len(shape)}",
                broadcast=1,
                **named,
            )
    p, q = a > 1.5, np.array([True, False, True])
    for op, f in (("And", np.logical_and), ("Or", np.logical_or), ("Xor", np.logical_xor)):
        yield single(
            op,
            1,
            [p, q],
            [f(p, q.reshape(3, 1, 1))],
            TensorProto.BOOL,
            tag="axis",
            broadcast=1,
            axis=1,
        )
    for op, f in (("Greater", np.greater), ("Less", np.less)):
        b = np.full(3, 1.5, np.float32)
        yield single(
            op,
            1,
            [a, b],
            [f(a, b.reshape(3, 1, 1))],
            TensorProto.BOOL,
            tag="axis",
            broadcast=1,
            axis=1,
        )
    whole = (a * 2).astype(np.int32)
    yield single(
        "Equal",
        1,
        [whole, whole[0, :, 0, 0]],
        [whole == whole[0, :, 0, 0].reshape(3, 1, 1)],
        TensorProto.BOOL,
        tag="axis",
        broadcast=1,
        axis=1,
    )
    x = _numbers(2, 3, 4)
    tiles, axis = np.array([2], np.float32), np.array([1], np.float32)
    yield single("Tile", 1, [x, tiles, axis], [np.tile(x, (1, 2, 1))])
    for slope in (np.array([0.5], np.float32), np.array([0.1, 0.2, 0.3], np.float32)):
        expected = np.where(x < 0, x * (slope if slope.size == 1 else slope[:, None]), x)
        yield single("PRelu", 1, [x, slope], [expected], tag=str(slope.size), until=6)


def _resizes() -> Iterator[Written]:
    x, scales = _numbers(1, 1, 3, 4), np.array([1, 1, 2, 1.5], np.float32)
    for mode in ("nearest", "linear"):
        yield single("Resize", 10, [x, scales], tag=mode, mode=mode)
        yield single("Resize", 11, [x, np.zeros(0, np.float32), scales], tag=mode, mode=mode)
    sizes = np.array([1, 1, 5, 3], np.int64)
    empty = np.zeros(0, np.float32)
    yield single("Resize", 11, [x, empty, empty, sizes], tag="sizes", mode="cubic")
    yield single(
        "Resize",
        11,
        [x, empty, empty, sizes],
        tag="asymmetric",
        mode="linear",
        coordinate_transformation_mode="asymmetric",
    )
    yield single(
        "Upsample", 1, [x], [x.repeat(2, 2).repeat(3, 3)], height_scale=2.0, width_scale=3.0
    )


def _others() -> Iterator[Written]:
    x = _numbers(2, 3)
    kind = helper.make_tensor_type_proto(F, [2, 3])
    optional = helper.make_value_info("o0", helper.make_optional_type_proto(kind))
    yield single("Optional", 15, [x], [x], [optional])
    for size in (2, 3):
        y = _numbers(1, 7, 1, 1, seed=size)
        square = np.array(
            [
                (
                    y[0, max(0, c - math.floor((size - 1) / 2)) : c + math.ceil((size - 1) / 2) + 1]
                    ** 2
                ).sum(0)
                for c in range(7)
            ]
        )[None]
        yield single(
            "LRN", 1, [y], [y / (1 + 1e-4 / size * square) ** 0.75], tag=str(size), size=size
        )
