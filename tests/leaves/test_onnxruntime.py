"""Strings and maps against ONNX Runtime, on random ones."""

import random

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper
from onnx_to_fx import Strings
from onnx_to_fx.loader import targets

WORDS = "a b k s A K é É ß ſ K σ ς Σ İ ı ǆ ᾳ ﬁ 1 _ - \n \t , 😀".split(" ") + [" "]
PIECES = [
    *"a b k é . ^ $ | ( ) [ab] [^ab] * + ? {2} {1,2} *? - _ (?:ab|c) (?i) (?i:k) (?s) (?m)".split(),
    *r"\d \D \w \W \s \S \b \B \A \z \pL \p{Lu} \PL [[:alpha:]] [\w-] \x41 \. \Qa.b\E \1".split(),
]


def call(name, *arguments):
    return targets.resolve("onnx2fx::" + name)(*arguments)


def session(op_type, inputs, outputs, **attributes):
    node = helper.make_node(op_type, list(inputs), list(outputs), **attributes)
    ports = [
        [helper.make_tensor_value_info(n, t, None) for n, t in side.items()]
        for side in (inputs, outputs)
    ]
    graph = helper.make_graph([node], "g", *ports)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(model.SerializeToString(), options)


def text(rng, longest=6):
    return "".join(rng.choice(WORDS) for _ in range(rng.randint(0, longest)))


def texts(rng, count):
    return [text(rng) for _ in range(count)]


def objects(items):
    return np.array(items, dtype=object)


@pytest.mark.parametrize("action", ["LOWER", "UPPER", "NONE"])
@pytest.mark.parametrize("sensitive", [0, 1])
def test_string_normalizer(action, sensitive):
    rng = random.Random(f"{action} {sensitive}")
    x = [*WORDS, *texts(rng, 300)]
    stopwords = rng.sample([w for w in x if w], 20)
    theirs = session(
        "StringNormalizer",
        {"x": TensorProto.STRING},
        {"y": TensorProto.STRING},
        case_change_action=action,
        is_case_sensitive=sensitive,
        stopwords=stopwords,
        locale="C.UTF-8",
    ).run(None, {"x": objects(x)})[0]
    ours = call("string_normalize", Strings([len(x)], x), stopwords, bool(sensitive), action)
    assert ours.items == theirs.tolist()


@pytest.mark.parametrize("seed", range(60))
def test_regex_full_match(seed):
    rng = random.Random(seed)
    pattern = "".join(rng.choice(PIECES) for _ in range(rng.randint(1, 5)))
    x = [*WORDS, *texts(rng, 60)]
    try:
        theirs = session(
            "RegexFullMatch", {"x": TensorProto.STRING}, {"y": TensorProto.BOOL}, pattern=pattern
        ).run(None, {"x": objects(x)})[0]
    except onnxruntime.capi.onnxruntime_pybind11_state.Fail:
        with pytest.raises(ValueError, match="RegexFullMatch: pattern"):
            call("regex_full_match", Strings([len(x)], x), pattern)
        return
    ours = call("regex_full_match", Strings([len(x)], x), pattern)
    assert ours.tolist() == theirs.tolist()


@pytest.mark.parametrize("delimiter", [",", "ab", "é"])
@pytest.mark.parametrize("most", [-1, 1, 2])
def test_string_split(delimiter, most):
    # ONNX Runtime splits nothing of an empty text, and at spaces alone where no delimiter is given
    rng = random.Random(f"{delimiter} {most}")
    x = [delimiter.join(texts(rng, 3)) for _ in range(50)]
    attributes = {} if most < 0 else {"maxsplit": most}
    theirs = session(
        "StringSplit",
        {"x": TensorProto.STRING},
        {"y": TensorProto.STRING, "n": TensorProto.INT64},
        delimiter=delimiter,
        **attributes,
    ).run(None, {"x": objects(x)})
    parts, counts = call("string_split", Strings([len(x)], x), delimiter, most)
    assert (parts.shape, parts.items) == (theirs[0].shape, theirs[0].flatten().tolist())
    assert counts.tolist() == theirs[1].tolist()


def test_string_concat():
    rng = random.Random(0)
    x, y = texts(rng, 5), texts(rng, 4)
    theirs = session(
        "StringConcat",
        {"x": TensorProto.STRING, "y": TensorProto.STRING},
        {"z": TensorProto.STRING},
    ).run(None, {"x": objects(x).reshape(5, 1), "y": objects(y)})[0]
    ours = call("string_concat", Strings([5, 1], x), Strings([4], y))
    assert (ours.shape, ours.items) == (theirs.shape, theirs.flatten().tolist())
