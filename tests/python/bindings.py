"""Models to bind, and the forms that their weights come in."""

from __future__ import annotations

import contextlib
import functools
import json
import pathlib
import subprocess
import sys
import tempfile
from typing import Iterator

import numpy as np
import onnx
import safetensors.torch
import torch
from onnx import TensorProto, helper, numpy_helper

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/e2e"))
import exports  # noqa: E402
import models  # noqa: E402

ONNX2FX = ROOT / "build/release/bin/onnx2fx"


@functools.cache
def exported(name: str, exporter: str = "dynamo") -> str:
    """Path of an exported model, made once in each process."""
    folder = tempfile.TemporaryDirectory()
    _KEPT.append(folder)
    path = f"{folder.name}/{name}.onnx"
    exports.export(name, exporter, path)
    return path


_KEPT: list[tempfile.TemporaryDirectory] = []


@contextlib.contextmanager
def saved(model: onnx.ModelProto) -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/model.onnx"
        onnx.save(model, path)
        yield path


def arguments(name: str) -> tuple[torch.Tensor, ...]:
    return exports.MODELS[name]()[1]


def run(module, *args) -> list[torch.Tensor]:
    with torch.no_grad():
        result = module(*args)
    return list(result) if isinstance(result, tuple) else [result]


def tensors(module) -> dict[str, torch.Tensor]:
    """Every parameter and buffer, by every path."""
    return {
        **dict(module.named_parameters(remove_duplicate=False)),
        **dict(module.named_buffers(remove_duplicate=False)),
    }


def names(module) -> dict[str, str]:
    """Path -> name of the ONNX tensor."""
    return {t["path"]: t["name"] for t in module.meta["onnx2fx"]["tensors"]}


def package(path: str, folder: pathlib.Path, weights: str) -> str:
    subprocess.run([ONNX2FX, path, "-o", folder, "--weights", weights], check=True, timeout=120)
    return str(folder)


def sharded(module, folder: pathlib.Path) -> str:
    """A folder as of Hugging Face: two safetensors files and their index."""
    folder.mkdir()
    everything = {k: v.detach().clone().contiguous() for k, v in tensors(module).items()}
    keys = sorted(everything)
    files = {"model-1.safetensors": keys[::2], "model-2.safetensors": keys[1::2]}
    for file, some in files.items():
        safetensors.torch.save_file({k: everything[k] for k in some}, folder / file)
    index = {"metadata": {}, "weight_map": {k: f for f, some in files.items() for k in some}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return str(folder)


def external(model: onnx.ModelProto, folder: pathlib.Path, gap: int = 0) -> str:
    """The model with its initializers in a file beside it, `gap` bytes before each."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    with open(folder / "w.data", "wb") as f:
        for t in copy.graph.initializer:
            data = numpy_helper.to_array(t).tobytes()
            f.write(b"\x7f" * gap)
            place = {"location": "w.data", "offset": f.tell(), "length": len(data)}
            f.write(data)
            t.ClearField("raw_data")
            t.data_location = TensorProto.EXTERNAL
            t.external_data.extend(
                onnx.StringStringEntryProto(key=k, value=str(v)) for k, v in place.items()
            )
    path = folder / "model.onnx"
    path.write_bytes(copy.SerializeToString())
    return str(path)


def everywhere() -> onnx.ModelProto:
    """Weights raw, typed, sparse, in a Constant, in both branches of an If, in a function."""
    f = lambda n, seed: models.floats(n, n, seed=seed)  # noqa: E731
    typed = helper.make_tensor("typed", TensorProto.FLOAT, [20, 20], f(20, 2).flatten().tolist())
    sparse = helper.make_sparse_tensor(
        helper.make_tensor("sparse", TensorProto.FLOAT, [2], [3.0, 4.0]),
        helper.make_tensor("indices", TensorProto.INT64, [2], [1, 30]),
        [20, 20],
    )
    branches = {
        key: helper.make_graph(
            [helper.make_node("Add", ["x", "w"], [key])],
            key,
            [],
            [onnx.ValueInfoProto(name=key)],
            [numpy_helper.from_array(f(20, seed), "w")],
        )
        for key, seed in (("then_branch", 3), ("else_branch", 4))
    }
    body = [
        helper.make_node("Constant", [], ["c"], value=numpy_helper.from_array(f(20, 5))),
        helper.make_node("Mul", ["a", "c"], ["b"]),
    ]
    opset = [helper.make_opsetid("", 21)]
    scale = helper.make_function("com.example", "Scale", ["a"], ["b"], body, opset)
    nodes = [
        helper.make_node("Constant", [], ["constant"], value=numpy_helper.from_array(f(20, 6))),
        helper.make_node("Sum", ["x", "raw", "typed", "sparse", "constant"], ["s"]),
        helper.make_node("If", ["flag"], ["i"], **branches),
        helper.make_node("Scale", ["s"], ["t"], domain="com.example"),
        helper.make_node("Add", ["i", "t"], ["y"]),
    ]
    inputs = {"x": [20, 20], "flag": (TensorProto.BOOL, [])}
    model = models.model(nodes, inputs, {"y": [20, 20]}, {"raw": f(20, 1)}, functions=[scale])
    model.graph.initializer.append(typed)
    model.graph.sparse_initializer.append(sparse)
    return model


def one_of_each_dtype() -> onnx.ModelProto:
    """One initializer of each dtype, which is an output as well, and a scalar and an empty one."""
    T = TensorProto
    dtypes = [T.FLOAT, T.FLOAT16, T.BFLOAT16, T.DOUBLE, T.INT8, T.INT16, T.INT32, T.INT64]
    dtypes += [T.UINT8, T.UINT16, T.UINT32, T.UINT64, T.BOOL, T.COMPLEX64, T.COMPLEX128]
    dtypes += [T.FLOAT8E4M3FN, T.FLOAT8E4M3FNUZ, T.FLOAT8E5M2, T.FLOAT8E5M2FNUZ, T.INT4, T.UINT4]
    shapes = {f"w{d}": (d, [3, 4]) for d in dtypes}
    shapes |= {"scalar": (T.FLOAT, []), "empty": (T.FLOAT, [0, 4])}
    weights = []
    for name, (dtype, shape) in shapes.items():
        array = np.arange(np.prod(shape)).reshape(shape)
        array = array.astype(helper.tensor_dtype_to_np_dtype(dtype))
        weights.append(numpy_helper.from_array(array, name))
    nodes = [helper.make_node("Identity", [n], [f"y_{n}"]) for n in shapes]
    model = models.model(nodes, {}, {f"y_{n}": s for n, s in shapes.items()}, opset=23)
    model.graph.initializer.extend(weights)
    return model
