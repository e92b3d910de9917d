"""ai.onnx.ml: every operator at each of its revisions, against ONNX Runtime or what the standard
says; and the optimizers of ai.onnx.preview.training against ONNX's reference."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator
from onnx_to_fx import ConversionError, Strings, convert_onnx_to_fx

_TYPES = {
    "float32": TensorProto.FLOAT,
    "float64": TensorProto.DOUBLE,
    "float16": TensorProto.FLOAT16,
    "int64": TensorProto.INT64,
    "int32": TensorProto.INT32,
    "int16": TensorProto.INT16,
    "object": TensorProto.STRING,
}


def _model(
    op: str, inputs: list[Any], outputs: list[Any], version: int, attributes: dict[str, Any]
) -> onnx.ModelProto:
    """``inputs`` and ``outputs`` are value infos; all of the operator's attributes by name."""
    domain = "ai.onnx.ml"
    node = helper.make_node(
        op, [i.name for i in inputs], [o.name for o in outputs], domain=domain, **attributes
    )
    graph = helper.make_graph([node], "g", inputs, outputs)
    opsets = [helper.make_opsetid(domain, version), helper.make_opsetid("", 20)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9)


def _info(name: str, array: np.ndarray) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, _TYPES[array.dtype.name], array.shape)


def _out(name: str, dtype: int) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, dtype, None)


def _to_torch(array: np.ndarray) -> Any:
    if array.dtype.kind == "O":
        return Strings(array.shape, [str(s) for s in array.reshape(-1)])
    return torch.from_numpy(array)


def _assert_same(got: Any, expected: Any) -> None:
    if isinstance(got, Strings):
        assert got.items == [str(s) for s in np.asarray(expected).reshape(-1)]
        assert got.shape == np.shape(expected)
        return
    got = got.detach().numpy()
    assert got.dtype == expected.dtype and got.shape == expected.shape
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)


def _check(
    op: str, arrays: list[np.ndarray], outputs: list[int], version: int = 1, **attributes: Any
) -> torch.nn.Module:
    """The converted module, after its outputs were compared with ONNX Runtime's."""
    inputs = [_info(f"x{i}", a) for i, a in enumerate(arrays)]
    infos = [_out(f"y{i}", t) for i, t in enumerate(outputs)]
    model = _model(op, inputs, infos, version, attributes)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    expected = session.run(None, {f"x{i}": a for i, a in enumerate(arrays)})
    module = convert_onnx_to_fx(model)
    got = module(*(_to_torch(a) for a in arrays))
    got = got if isinstance(got, tuple) else (got,)
    assert len(got) == len(expected)
    for g, e in zip(got, expected):
        _assert_same(g, e)
    return module


def _random(*shape: int, dtype: str = "float32") -> np.ndarray:
    values = np.random.default_rng(sum(shape)).normal(size=shape) * 2
    return values.astype(dtype)


_FLOAT, _INT64, _STRING = TensorProto.FLOAT, TensorProto.INT64, TensorProto.STRING

# ---- features


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "int32", "object"])
@pytest.mark.parametrize("shape", [(4,), (3, 4), (2, 3, 4)])
def test_array_feature_extractor(dtype: str, shape: tuple[int, ...]) -> None:
    x = (np.arange(np.prod(shape)) * 3 % 7).reshape(shape)
    x = np.array([str(v) for v in x.flat], dtype=object).reshape(shape) if dtype == "object" else x
    columns = np.array([[2, 0, 2]], dtype=np.int64)
    _check("ArrayFeatureExtractor", [x.astype(dtype), columns], [_TYPES[dtype]])


def test_binarizer() -> None:
    _check("Binarizer", [_random(3, 4)], [_FLOAT], threshold=0.3)


def test_feature_vectorizer() -> None:
    _check("FeatureVectorizer", [_random(2, 3), _random(2, 2)], [_FLOAT], inputdimensions=[2, 4])


@pytest.mark.parametrize("replaced", [float("nan"), 2.0])
@pytest.mark.parametrize("values", [[7.0], [1.0, 2.0, 3.0]])
def test_imputer(replaced: float, values: list[float]) -> None:
    x = np.array([[1, np.nan, 2], [2, 5, np.nan]], np.float32)
    _check("Imputer", [x], [_FLOAT], imputed_value_floats=values, replaced_value_float=replaced)


def test_imputer_of_integers() -> None:
    x = np.array([[1, 2, 2], [2, 5, 0]], np.int64)
    _check("Imputer", [x], [_INT64], imputed_value_int64s=[7, 8, 9], replaced_value_int64=2)


@pytest.mark.parametrize("norm", ["MAX", "L1", "L2"])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "int32"])
def test_normalizer(norm: str, dtype: str) -> None:
    x = (_random(3, 4) * 5).astype(dtype)
    x[1] = 0
    _check("Normalizer", [x], [_FLOAT], norm=norm)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "int32"])
def test_scaler(dtype: str) -> None:
    x = (_random(2, 3) * 5).astype(dtype)
    _check("Scaler", [x], [_FLOAT], offset=[0.5, 1, -1], scale=[2.0, 0.1, 3])
    _check("Scaler", [x], [_FLOAT], offset=[0.5], scale=[2.0])


# ---- categories

_TEXTS = np.array([["b", "a"], ["zz", "c"]], dtype=object)
_NUMBERS = np.array([[30, 10], [99, 20]], np.int64)


def test_category_mapper() -> None:
    cats = {"cats_int64s": [10, 20, 30], "cats_strings": ["a", "b", "c"]}
    _check("CategoryMapper", [_TEXTS], [_INT64], default_int64=-5, **cats)
    _check("CategoryMapper", [_NUMBERS], [_STRING], default_string="none", **cats)


def test_label_encoder_1() -> None:
    classes = {"classes_strings": ["a", "b", "c"], "default_int64": 7, "default_string": "none"}
    _check("LabelEncoder", [_TEXTS], [_INT64], **classes)
    _check("LabelEncoder", [_NUMBERS // 10 - 1], [_STRING], **classes)


_KEYS = {"strings": ["c", "a", "b"], "int64s": [20, 10, 30], "floats": [2.5, float("nan"), -1.0]}
_VALUES = {"strings": ["x", "y", "z"], "int64s": [5, 6, 7], "floats": [0.5, 1.5, 2.5]}
_LABELS = {
    "strings": _TEXTS,
    "int64s": _NUMBERS,
    "floats": np.array([[2.5, np.nan], [7, -1]], np.float32),
}
_PAIRS = [
    ("strings", "strings"),
    ("strings", "int64s"),
    ("int64s", "strings"),
    ("int64s", "int64s"),
    ("strings", "floats"),
    ("floats", "strings"),
    ("int64s", "floats"),
    ("floats", "int64s"),
    ("floats", "floats"),
]


@pytest.mark.parametrize("version", [2, 4])
@pytest.mark.parametrize("keys,values", _PAIRS)
def test_label_encoder(version: int, keys: str, values: str) -> None:
    output = {"strings": _STRING, "int64s": _INT64, "floats": _FLOAT}[values]
    attributes = {f"keys_{keys}": _KEYS[keys], f"values_{values}": _VALUES[values]}
    defaults = {"default_string": "d", "default_int64": -7, "default_float": -2.5}
    _check("LabelEncoder", [_LABELS[keys]], [output], version, **attributes, **defaults)


@pytest.mark.parametrize("dtype", ["float64", "int64", "object"])
def test_label_encoder_of_tensors(dtype: str) -> None:
    plain = np.array(["a", "b"], object) if dtype == "object" else np.array([1, 3], dtype)

    def tensor(name: str, array: np.ndarray) -> onnx.TensorProto:
        items = [s.encode() for s in array] if dtype == "object" else array
        return helper.make_tensor(name, _TYPES[dtype], array.shape, items)

    x = np.array(["b", "q", "a"], object) if dtype == "object" else np.array([3, 4, 1], dtype)
    _check(
        "LabelEncoder",
        [x],
        [_TYPES[dtype]],
        4,
        keys_tensor=tensor("k", plain),
        values_tensor=tensor("v", plain[::-1]),
        default_tensor=tensor("d", plain[:1]),
    )


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "object"])
def test_one_hot_encoder(dtype: str) -> None:
    if dtype == "object":
        _check("OneHotEncoder", [_TEXTS], [_FLOAT], cats_strings=["a", "b", "c"])
    else:
        _check("OneHotEncoder", [_NUMBERS.astype(dtype)], [_FLOAT], cats_int64s=[10, 20, 30])


def test_one_hot_encoder_without_zeros() -> None:
    known = np.array([20, 10], np.int64)
    module = _check("OneHotEncoder", [known], [_FLOAT], cats_int64s=[10, 20], zeros=0)
    with pytest.raises(RuntimeError):
        module(torch.tensor([20, 11]))


# ---- maps


def _map_info(name: str, key: int, value: int) -> onnx.ValueInfoProto:
    element = helper.make_tensor_type_proto(value, [])
    return helper.make_value_info(name, helper.make_map_type_proto(key, element))


@pytest.mark.parametrize("to", ["TO_FLOAT", "TO_INT64", "TO_STRING"])
@pytest.mark.parametrize("form", ["DENSE", "SPARSE"])
def test_cast_map(to: str, form: str) -> None:
    output = {"TO_FLOAT": _FLOAT, "TO_INT64": _INT64, "TO_STRING": _STRING}[to]
    model = _model(
        "CastMap",
        [_map_info("x", _INT64, _FLOAT)],
        [_out("y", output)],
        1,
        {"cast_to": to, "map_form": form, "max_map": 6},
    )
    if (to, form) == ("TO_STRING", "SPARSE"):
        with pytest.raises(ConversionError):
            convert_onnx_to_fx(model)
        return
    x = {3: 1.5, 0: -2.25, 2: 1e10, 1: 0.1}
    expected = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": x})[0]
    _assert_same(convert_onnx_to_fx(model)({k: torch.tensor(v) for k, v in x.items()}), expected)


def test_dict_vectorizer() -> None:
    model = _model(
        "DictVectorizer",
        [_map_info("x", _STRING, _FLOAT)],
        [_out("y", _FLOAT)],
        1,
        {"string_vocabulary": ["c", "a", "z"]},
    )
    x = {"a": 1.5, "z": 2.0, "unknown": 3.0}
    expected = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": x})[0]
    _assert_same(convert_onnx_to_fx(model)({k: torch.tensor(v) for k, v in x.items()}), expected)


@pytest.mark.parametrize("labels", [{"classlabels_int64s": [4, 7]}, {"classlabels_strings": "ab"}])
def test_zip_map(labels: dict[str, Any]) -> None:
    labels = {k: list(v) for k, v in labels.items()}
    key = _INT64 if "classlabels_int64s" in labels else _STRING
    element = helper.make_map_type_proto(key, helper.make_tensor_type_proto(_FLOAT, []))
    output = helper.make_value_info("y", helper.make_sequence_type_proto(element))
    x = _random(3, 2)
    model = _model("ZipMap", [_info("x", x)], [output], 1, labels)
    expected = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": x})[0]
    got = convert_onnx_to_fx(model)(torch.from_numpy(x))
    assert [{k: float(v) for k, v in row.items()} for row in got] == expected


# ---- linear models and support vector machines

_TRANSFORMS = ["NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT"]


def _inside(transform: str, x: np.ndarray) -> np.ndarray:
    return np.abs(x) / 50 + 0.1 if transform == "PROBIT" else x


@pytest.mark.parametrize("transform", _TRANSFORMS)
def test_linear_regressor(transform: str) -> None:
    x = _inside(transform, _random(5, 3))
    coefficients = [0.1, 0.2, 0.3, 0.3, 0.1, 0.2]
    attributes = {"coefficients": coefficients, "intercepts": [0.1, 0.2], "targets": 2}
    _check("LinearRegressor", [x], [_FLOAT], post_transform=transform, **attributes)


@pytest.mark.parametrize("transform", _TRANSFORMS)
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "int32"])
def test_linear_classifier(transform: str, dtype: str) -> None:
    if transform == "PROBIT" and dtype.startswith("int"):
        pytest.skip("the scores of integers are no probabilities")
    x = _inside(transform, _random(5, 2)).astype(dtype)
    coefficients = [0.1, 0.2, 0.3, 0.1, 0.1, 0.2]
    _check(
        "LinearClassifier",
        [x],
        [_INT64, _FLOAT],
        post_transform=transform,
        coefficients=coefficients,
        intercepts=[0.1, 0.2, 0.15],
        classlabels_ints=[4, 5, 9],
    )


@pytest.mark.parametrize("transform", ["NONE", "LOGISTIC"])
def test_linear_classifier_of_one_score(transform: str) -> None:
    _check(
        "LinearClassifier",
        [_random(5, 2)],
        [_STRING, _FLOAT],
        post_transform=transform,
        coefficients=[1.0, 2],
        intercepts=[0.1],
        classlabels_strings=["no", "yes"],
    )


_KERNELS = {
    "LINEAR": [0.0, 0.0, 0.0],
    "POLY": [0.3, 1.0, 3.0],
    "RBF": [0.4, 0.0, 0.0],
    "SIGMOID": [0.2, 0.1, 0.0],
}


@pytest.mark.parametrize("kernel", _KERNELS)
@pytest.mark.parametrize("one_class", [0, 1])
def test_svm_regressor(kernel: str, one_class: int) -> None:
    _check(
        "SVMRegressor",
        [_random(6, 3)],
        [_FLOAT],
        kernel_type=kernel,
        kernel_params=_KERNELS[kernel],
        support_vectors=_random(4, 3).flatten().tolist(),
        coefficients=[0.5, -1.0, 0.7, 0.2],
        n_supports=4,
        rho=[0.1],
        one_class=one_class,
    )


def test_svm_regressor_without_vectors() -> None:
    kernel = {"kernel_type": "LINEAR", "kernel_params": _KERNELS["LINEAR"]}
    coefficients = [0.5, -1.0, 0.7]
    x = _random(6, 3)
    _check("SVMRegressor", [x], [_FLOAT], coefficients=coefficients, rho=[0.1], **kernel)


@pytest.mark.parametrize("kernel", _KERNELS)
@pytest.mark.parametrize("classes", [2, 3, 4])
@pytest.mark.parametrize("probabilities", [False, True])
def test_svm_classifier(kernel: str, classes: int, probabilities: bool) -> None:
    pairs, per_class = classes * (classes - 1) // 2, [2, 1, 3, 2][:classes]
    vectors = sum(per_class)
    attributes: dict[str, Any] = {}
    if probabilities:
        attributes["prob_a"] = [-1.5, -1.2, -0.8, -1.1, -0.9, -1.3][:pairs]
        attributes["prob_b"] = [0.1, -0.1, 0.2, 0.0, 0.1, -0.2][:pairs]
    _check(
        "SVMClassifier",
        [_random(6, 3)],
        [_INT64, _FLOAT],
        kernel_type=kernel,
        kernel_params=_KERNELS[kernel],
        support_vectors=_random(vectors, 3).flatten().tolist(),
        coefficients=_random(classes - 1, vectors).flatten().tolist(),
        vectors_per_class=per_class,
        rho=[0.1, -0.2, 0.3, 0.0, -0.1, 0.2][:pairs],
        classlabels_ints=[3, 5, 8, 9][:classes],
        **attributes,
    )


# ---- trees


class _Trees:
    """Random trees with the attributes of the old operators."""

    def __init__(self, seed: int, count: int, depth: int, features: int, modes: list[str]) -> None:
        self.rng = np.random.default_rng(seed)
        self.depth, self.features, self.modes = depth, features, modes
        self.nodes: dict[str, list[Any]] = {
            f"nodes_{k}": []
            for k in ("treeids", "nodeids", "featureids", "modes", "truenodeids", "falsenodeids")
        }
        self.values: list[float] = []
        self.nan: list[int] = []
        self.leaves: list[tuple[int, int]] = []
        for tree in range(count):
            self.next = 0
            self._grow(tree, 0)

    def _grow(self, tree: int, level: int) -> int:
        node, self.next = self.next, self.next + 1
        row = len(self.values)
        leaf = level == self.depth or (level > 0 and self.rng.random() < 0.2)
        mode = "LEAF" if leaf else str(self.rng.choice(self.modes))
        for key, value in zip(self.nodes, (tree, node, 0, mode, 0, 0)):
            self.nodes[key].append(value)
        self.values.append(0.0)
        self.nan.append(int(self.rng.random() < 0.5))
        if leaf:
            self.leaves.append((tree, node))
            return node
        self.nodes["nodes_featureids"][row] = int(self.rng.integers(self.features))
        self.values[row] = float(self.rng.integers(-3, 4))
        self.nodes["nodes_truenodeids"][row] = self._grow(tree, level + 1)
        self.nodes["nodes_falsenodeids"][row] = self._grow(tree, level + 1)
        return node

    def attributes(self, version: int, dtype: str, prefix: str, targets: int) -> dict[str, Any]:
        """One weight for each leaf and target (all targets, if it is one; else a few)."""
        rows = [
            (tree, node, target)
            for tree, node in self.leaves
            for target in range(targets)
            if targets == 1 or target == tree % targets or self.rng.random() < 0.5
        ]
        weights = [float(np.float32(w)) for w in self.rng.normal(size=len(rows))]
        result: dict[str, Any] = dict(self.nodes)
        result["nodes_missing_value_tracks_true"] = self.nan
        for i, name in enumerate(("treeids", "nodeids", "ids")):
            result[f"{prefix}_{name}"] = [row[i] for row in rows]
        as_tensors = version >= 3 and dtype == "float64"
        for name, values in (("nodes_values", self.values), (f"{prefix}_weights", weights)):
            if as_tensors:
                tensor = helper.make_tensor(name, TensorProto.DOUBLE, [len(values)], values)
                result[f"{name}_as_tensor"] = tensor
            else:
                result[name] = values
        return result


_MODES = ["BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ"]


def _rows(dtype: str) -> np.ndarray:
    x = np.random.default_rng(1).integers(-4, 5, size=(40, 4)).astype(dtype)
    if dtype.startswith("float"):
        x[::7, 1] = np.nan
    return x


@pytest.mark.parametrize("version", [1, 3])
@pytest.mark.parametrize("aggregate", ["SUM", "AVERAGE", "MIN", "MAX"])
@pytest.mark.parametrize("targets", [1, 3])
@pytest.mark.parametrize("modes", [["BRANCH_LEQ"], _MODES])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_tree_ensemble_regressor(
    version: int, aggregate: str, targets: int, modes: list[str], dtype: str
) -> None:
    trees = _Trees(2, 6, 4, 4, modes)
    attributes = trees.attributes(version, dtype, "target", targets)
    if not (version >= 3 and dtype == "float64"):
        attributes["base_values"] = [0.5, -1.0, 2.0][:targets]
    module = _check(
        "TreeEnsembleRegressor",
        [_rows(dtype)],
        [_FLOAT],
        version,
        aggregate_function=aggregate,
        n_targets=targets,
        **attributes,
    )
    if aggregate == "SUM":
        module(torch.from_numpy(_rows(dtype))).sum().backward()
        assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in module.parameters())


@pytest.mark.parametrize("version", [1, 3])
@pytest.mark.parametrize("transform", ["NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO"])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "int32"])
def test_tree_ensemble_classifier(version: int, transform: str, dtype: str) -> None:
    trees = _Trees(3, 6, 4, 4, ["BRANCH_LEQ"])
    _check(
        "TreeEnsembleClassifier",
        [_rows(dtype)],
        [_STRING, _FLOAT],
        version,
        post_transform=transform,
        classlabels_strings=["a", "b", "c"],
        **trees.attributes(version, dtype, "class", 3),
    )


@pytest.mark.parametrize("transform", ["NONE", "LOGISTIC"])
@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("base", [{}, {"base_values": [0.25]}])
def test_tree_ensemble_classifier_of_one_score(
    transform: str, positive: bool, base: dict[str, Any]
) -> None:
    attributes = _Trees(4, 5, 3, 4, ["BRANCH_LT"]).attributes(1, "float32", "class", 1)
    if positive:
        attributes["class_weights"] = [abs(w) / 5 for w in attributes["class_weights"]]
    _check(
        "TreeEnsembleClassifier",
        [_rows("float32")],
        [_INT64, _FLOAT],
        post_transform=transform,
        classlabels_int64s=[4, 7],
        **attributes,
        **base,
    )


@pytest.mark.parametrize("aggregate", [0, 1, 2, 3])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_tree_ensemble(aggregate: int, dtype: str) -> None:
    x = _rows(dtype)
    kind = _TYPES[dtype]

    def tensor(name: str, values: list[float]) -> onnx.TensorProto:
        return helper.make_tensor(name, kind, [len(values)], values)

    _check(
        "TreeEnsemble",
        [x],
        [kind],
        5,
        n_targets=2,
        aggregate_function=aggregate,
        nodes_splits=tensor("s", [1.0, 0.0, -1.0]),
        nodes_featureids=[0, 1, 2],
        nodes_modes=helper.make_tensor("m", TensorProto.UINT8, [3], [0, 3, 4]),
        nodes_truenodeids=[1, 0, 3],
        nodes_falsenodeids=[1, 2, 4],
        nodes_trueleafs=[0, 1, 1],
        nodes_falseleafs=[1, 1, 1],
        leaf_targetids=[0, 1, 0, 1, 0],
        leaf_weights=tensor("w", [1.5, -2.0, 0.5, 3.0, -1.0]),
        tree_roots=[0, 2],
    )


def test_refused() -> None:
    x = _info("x", _random(2, 2))
    regressor = {"coefficients": [1.0, 2.0], "intercepts": [0.1], "post_transform": "LOGISTIC"}
    with pytest.raises(ConversionError, match="LOGISTIC of one target"):
        convert_onnx_to_fx(_model("LinearRegressor", [x], [_out("y", _FLOAT)], 1, regressor))


# ---- optimizers


@pytest.mark.parametrize("step", [0, 3])
@pytest.mark.parametrize(
    "op,slots,attributes",
    [
        ("Adagrad", 3, {"norm_coefficient": 0.001, "decay_factor": 0.1, "epsilon": 1e-5}),
        ("Adam", 4, {"norm_coefficient": 0.001, "alpha": 0.95, "beta": 0.1, "epsilon": 1e-7}),
        ("Adam", 4, {"norm_coefficient_post": 0.1, "alpha": 0.9, "beta": 0.9}),
        ("Momentum", 3, {"norm_coefficient": 0.1, "alpha": 0.9, "beta": 0.2, "mode": "standard"}),
        ("Momentum", 3, {"norm_coefficient": 0.0, "alpha": 0.9, "beta": 0.2, "mode": "nesterov"}),
    ],
)
def test_optimizer(op: str, slots: int, attributes: dict[str, Any], step: int) -> None:
    arrays = [np.array(0.1, np.float32), np.array(step, np.int64)]
    arrays += [np.abs(_random(2, 3 + i % 2)) for i in range(2 * slots)]
    domain = "ai.onnx.preview.training"
    inputs = [_info(f"x{i}", a) for i, a in enumerate(arrays)]
    outputs = [_out(f"y{i}", _FLOAT) for i in range(2 * (slots - 1))]
    names = [i.name for i in inputs], [o.name for o in outputs]
    node = helper.make_node(op, *names, domain=domain, **attributes)
    opsets = [helper.make_opsetid(domain, 1), helper.make_opsetid("", 20)]
    graph = helper.make_graph([node], "g", inputs, outputs)
    model = helper.make_model(graph, opset_imports=opsets)
    feeds = {f"x{i}": a for i, a in enumerate(arrays)}
    got = convert_onnx_to_fx(model)(*(torch.from_numpy(a) for a in arrays))
    for g, e in zip(got, ReferenceEvaluator(model).run(None, feeds), strict=True):
        np.testing.assert_allclose(g.numpy(), e, rtol=1e-5)
