"""Models of the ai.onnx.ml operators that ONNX's backend cases lack; expected values are ONNX Runtime's."""

from __future__ import annotations

from typing import Iterator

import numpy as np
import onnx
from onnx import TensorProto, helper
from written import Written, single

F, I64, STRING = TensorProto.FLOAT, TensorProto.INT64, TensorProto.STRING
DOMAIN = "ai.onnx.ml"
_X = np.array([[0.5, -1.0, 2.0], [1.5, 0.0, -2.0], [-0.5, 3.0, 1.0]], np.float32)


def written_ml_cases() -> Iterator[Written]:
    yield from _tables()
    yield from _linear()
    yield from _vectors()
    yield from _machines()
    yield from _forests()
    yield from _maps()


def _ml(op, feeds, opset=1, **named) -> Written:
    return single(op, opset, feeds, domain=DOMAIN, **named)


def _tables() -> Iterator[Written]:
    words, numbers = np.array(["a", "b", "z"], object), np.array([1, 2, 9], np.int64)
    yield _ml(
        "CategoryMapper",
        [words],
        out_type=I64,
        out_shape=[3],
        tag="strings",
        cats_int64s=[1, 2],
        cats_strings=["a", "b"],
        default_int64=-1,
    )
    yield _ml(
        "CategoryMapper",
        [numbers],
        out_type=STRING,
        out_shape=[3],
        tag="ints",
        cats_int64s=[1, 2],
        cats_strings=["a", "b"],
        default_string="?",
    )
    yield _ml(
        "LabelEncoder",
        [words],
        out_type=I64,
        out_shape=[3],
        tag="strings",
        outputs=[np.array([0, 1, -7])],
        classes_strings=["a", "b"],
        default_int64=-7,
    )
    yield _ml(
        "LabelEncoder",
        [np.array([0, 1, 5], np.int64)],
        out_type=STRING,
        out_shape=[3],
        tag="ints",
        outputs=[np.array(["a", "b", "?"], object)],
        classes_strings=["a", "b"],
        default_string="?",
    )
    yield _ml(
        "OneHotEncoder", [numbers], out_shape=[3, 3], tag="ints", cats_int64s=[1, 2, 3], zeros=1
    )
    yield _ml(
        "OneHotEncoder", [words], out_shape=[3, 2], tag="strings", cats_strings=["a", "b"], zeros=1
    )


def _linear() -> Iterator[Written]:
    weights = [0.5, -0.25, 1.0, -1.0, 0.5, 0.25]
    for post in ("NONE", "SOFTMAX", "LOGISTIC"):
        yield _ml(
            "LinearRegressor",
            [_X],
            out_shape=[3, 2],
            tag=post.lower(),
            coefficients=weights,
            intercepts=[0.1, 0.2],
            targets=2,
            post_transform=post,
        )
        yield _ml(
            "LinearClassifier",
            [_X],
            out_type=_classified(I64, 2),
            tag=post.lower(),
            coefficients=weights,
            intercepts=[0.1, 0.2],
            classlabels_ints=[3, 4],
            post_transform=post,
        )


def _classified(label: int, classes: int) -> list[onnx.ValueInfoProto]:
    return [
        helper.make_tensor_value_info("o0", label, [3]),
        helper.make_tensor_value_info("o1", F, [3, classes]),
    ]


def _vectors() -> Iterator[Written]:
    for norm in ("MAX", "L1", "L2"):
        yield _ml("Normalizer", [_X], out_shape=[3, 3], tag=norm.lower(), norm=norm)
    yield _ml("Scaler", [_X], out_shape=[3, 3], offset=[0.5, 1.0, -1.0], scale=[2.0, 0.5, 1.0])
    yield _ml(
        "Imputer",
        [_X],
        out_shape=[3, 3],
        imputed_value_floats=[7.0, 8.0, 9.0],
        replaced_value_float=0.0,
    )
    yield _ml(
        "Imputer",
        [_X.astype(np.int64)],
        out_type=I64,
        out_shape=[3, 3],
        tag="ints",
        imputed_value_int64s=[7],
        replaced_value_int64=0,
    )
    yield _ml("FeatureVectorizer", [_X, _X[:, :2]], out_shape=[3, 5], inputdimensions=[3, 2])


def _machines() -> Iterator[Written]:
    vectors = [0.5, -1.0, 1.0, -0.5, 1.0, 0.0, 1.0, 2.0, -1.0]
    for kernel in ("LINEAR", "POLY", "RBF", "SIGMOID"):
        common = {
            "kernel_type": kernel,
            "kernel_params": [0.5, 0.1, 2.0],
            "support_vectors": vectors,
        }
        yield _ml(
            "SVMRegressor",
            [_X],
            out_shape=[3, 1],
            tag=kernel.lower(),
            coefficients=[1.0, -0.5, 0.25],
            n_supports=3,
            rho=[0.2],
            **common,
        )
        yield _ml(
            "SVMClassifier",
            [_X],
            out_type=_classified(I64, 2),
            tag=kernel.lower(),
            coefficients=[1.0, -0.5, 0.25],
            classlabels_ints=[0, 1],
            vectors_per_class=[2, 1],
            rho=[0.2],
            **common,
        )


_TREE = {  # a root that asks x[0] <= 0.6; on its right x[1] <= -0.5
    "nodes_treeids": [0] * 5,
    "nodes_nodeids": [0, 1, 2, 3, 4],
    "nodes_featureids": [0, 0, 1, 0, 0],
    "nodes_modes": ["BRANCH_LEQ", "LEAF", "BRANCH_LEQ", "LEAF", "LEAF"],
    "nodes_truenodeids": [1, 0, 3, 0, 0],
    "nodes_falsenodeids": [2, 0, 4, 0, 0],
}


def _forests() -> Iterator[Written]:
    values, leaves, scores = [0.6, 0.0, -0.5, 0.0, 0.0], [1, 3, 4], [1.5, -2.0, 0.25]
    plain = {**_TREE, "nodes_values": values}
    double = {**_TREE, "nodes_values_as_tensor": _double("v", values)}
    for opset, tree, kind in ((1, plain, "weights"), (3, double, "weights_as_tensor")):
        weights = scores if opset == 1 else _double("w", scores)
        x = _X if opset == 1 else _X.astype(np.float64)
        target = {"target_treeids": [0] * 3, "target_nodeids": leaves, "target_ids": [0] * 3}
        yield _ml(
            "TreeEnsembleRegressor",
            [x],
            opset,
            out_shape=[3, 1],
            n_targets=1,
            **target,
            **tree,
            **{f"target_{kind}": weights},
        )
        classes = {"class_treeids": [0] * 3, "class_nodeids": leaves, "class_ids": [0, 1, 2]}
        yield _ml(
            "TreeEnsembleClassifier",
            [x],
            opset,
            out_type=_classified(I64, 3),
            **classes,
            **tree,
            classlabels_int64s=[5, 6, 7],
            **{f"class_{kind}": weights},
        )


def _double(name: str, values: list[float]) -> TensorProto:
    return helper.make_tensor(name, TensorProto.DOUBLE, [len(values)], values)


def _maps() -> Iterator[Written]:
    value = helper.make_tensor_type_proto(F, [])
    maps = helper.make_sequence_type_proto(helper.make_map_type_proto(I64, value))
    yield _ml(
        "ZipMap",
        [np.abs(_X)],
        out_type=[helper.make_value_info("o0", maps)],
        classlabels_int64s=[4, 5, 6],
    )
    table = helper.make_map_type_proto(STRING, value)
    words = {"a": 1.5, "c": 2.5}
    yield _ml(
        "DictVectorizer",
        [words],
        out_shape=[1, 3],
        types=[table],
        string_vocabulary=["a", "b", "c"],
    )
    numbered = helper.make_map_type_proto(I64, value)
    yield _ml(
        "CastMap",
        [{0: 1.5, 2: 2.5}],
        out_shape=[1, 2],
        types=[numbered],
        cast_to="TO_FLOAT",
        map_form="DENSE",
    )
