"""--weights copy: what readers find in the file, that it is streamed, and what does not fit."""

import json
import os
import pathlib
import resource
import subprocess
import sys

import numpy as np
import onnx
import pytest
import safetensors.torch
import torch
from onnx import TensorProto, helper

ROOT = pathlib.Path(__file__).parents[2]
BUILD = pathlib.Path(os.environ.get("ONNX2FX_BUILD", ROOT / "build" / "release"))
PROGRAM = BUILD / "bin" / "onnx2fx"

RAW = {
    "BOOL": torch.bool,
    "UINT8": torch.uint8,
    "INT8": torch.int8,
    "UINT16": torch.uint16,
    "INT16": torch.int16,
    "UINT32": torch.uint32,
    "INT32": torch.int32,
    "UINT64": torch.uint64,
    "INT64": torch.int64,
    "FLOAT16": torch.float16,
    "BFLOAT16": torch.bfloat16,
    "FLOAT": torch.float32,
    "DOUBLE": torch.float64,
    "COMPLEX64": torch.complex64,
    "FLOAT8E4M3FN": torch.float8_e4m3fn,
    "FLOAT8E5M2": torch.float8_e5m2,
    "FLOAT8E8M0": torch.float8_e8m0fnu,
}


def copy(folder, out="out", **options):
    command = [PROGRAM, "m.onnx", "-o", out, "--weights", "copy", "-q"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, **options)


def external(name, dtype, shape, offset, length):
    tensor = TensorProto(name=name, dims=shape, data_type=dtype, data_location=TensorProto.EXTERNAL)
    for key, value in {"location": "m.data", "offset": offset, "length": length}.items():
        tensor.external_data.add(key=key, value=str(value))
    return tensor


def save(folder, weights, data):
    """A model that returns its weights; data: what m.data holds."""
    nodes = [helper.make_node("Identity", [w.name], [w.name + "_out"]) for w in weights]
    outputs = [helper.make_tensor_value_info(w.name + "_out", w.data_type, w.dims) for w in weights]
    graph = helper.make_graph(nodes, "g", [], outputs, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 25)], ir_version=13)
    (folder / "m.onnx").write_bytes(model.SerializeToString())
    (folder / "m.data").write_bytes(data)


@pytest.fixture
def every_dtype(tmp_path):
    """Name -> bytes of the tensors of a model, which lie in its file at odd places."""
    weights, expected, data = [], {}, b"odd"
    random = np.random.default_rng(0)
    for i, (name, dtype) in enumerate(RAW.items()):
        count = (3, 65536, 20000)[i % 3]
        raw = random.integers(0, 2 if name == "BOOL" else 256, count * dtype.itemsize, np.uint8)
        tensor = external(name, getattr(TensorProto, name), [count], len(data), raw.nbytes)
        weights.append(tensor)
        expected[name] = raw.tobytes()
        data += expected[name] + b"gap"
    weights.append(helper.make_tensor("INT4", TensorProto.INT4, [3], [-8, 7, 1]))
    expected["INT4"] = bytes([0xF8, 7, 1])
    save(tmp_path, weights, data)
    return expected


def test_other_readers_find_every_tensor(tmp_path, every_dtype):
    done = copy(tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    document = json.loads((tmp_path / "out/graph.json").read_text())
    keys = {t["name"]: t["data"]["safetensors"] for t in document["tensors"]}
    assert keys.keys() == every_dtype.keys()
    stored = safetensors.torch.load_file(tmp_path / "out/weights.safetensors")
    for name, raw in every_dtype.items():
        tensor = stored[keys[name]]
        assert tensor.dtype == RAW.get(name, torch.int8)
        assert tensor.view(torch.uint8).numpy().tobytes() == raw, name


def test_the_same_bytes_twice(tmp_path, every_dtype):
    for out in ("first", "second"):
        assert copy(tmp_path, out).returncode == 0
    first = (tmp_path / "first/weights.safetensors").read_bytes()
    assert first == (tmp_path / "second/weights.safetensors").read_bytes()


LOAD = """
import out, sys
module = out.load()
maps = [line.split() for line in open("/proc/self/maps") if "weights.safetensors" in line]
places = [[int(x, 16) for x in line[0].split("-")] for line in maps]
for name, tensor in (*module.named_parameters(), *module.named_buffers()):
    if not any(first <= tensor.data_ptr() < last for first, last in places):
        print(name, "is a copy")
    if tensor.data_ptr() % tensor.element_size():
        print(name, "is not aligned")
print(len(places), "mapping")
"""


def test_what_is_loaded_is_a_view_of_the_package_alone(tmp_path, every_dtype):
    assert copy(tmp_path).returncode == 0
    (tmp_path / "m.data").unlink()
    (tmp_path / "m.onnx").unlink()
    command = [sys.executable, "-c", LOAD]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("1 mapping\n", "")


# A process inherits the peak of the one that starts it: not of pytest, but of this small one.
MEASURE = """
import os, sys
_, status, usage = os.wait4(os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ), 0)
print(status, usage.ru_maxrss // 1024)
"""


@pytest.mark.parametrize("place", ["external", "inside"])
def test_memory_does_not_grow_with_the_weights(tmp_path, place):
    megabytes = 160
    size = megabytes << 20
    save(tmp_path, [external("w", TensorProto.FLOAT, [size // 4], 0, size)], b"")
    os.truncate(tmp_path / "m.data", size)
    if place == "inside":
        model = onnx.load(tmp_path / "m.onnx")
        onnx.save(model, tmp_path / "m.onnx")
        del model
    command = [PROGRAM, tmp_path / "m.onnx", "-o", tmp_path / "out", "--weights", "copy", "-q"]
    measure = [sys.executable, "-I", "-S", "-c", MEASURE, *map(str, command)]
    done = subprocess.run(measure, capture_output=True, text=True)
    status, peak = map(int, done.stdout.split())
    assert (status, done.stderr) == (0, "")
    assert (tmp_path / "out/weights.safetensors").stat().st_size > size
    assert peak < megabytes // 2


@pytest.mark.parametrize("before", ["nothing", "a package"])
def test_weights_that_do_not_fit(tmp_path, before):
    save(tmp_path, [external("w", TensorProto.UINT8, [1 << 20], 0, 1 << 20)], bytes(1 << 20))
    if before == "a package":
        assert copy(tmp_path).returncode == 0
    files = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    limit = (1 << 19, 1 << 19)
    done = copy(tmp_path, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit))
    assert done.returncode == 1
    assert done.stderr == (
        f"error: out/weights.safetensors: expected to write {(1 << 16) + (1 << 20)} bytes, "
        "got: File too large\n"
    )
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == files
