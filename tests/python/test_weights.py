"""Weights: views of mapped files, unaligned ranges, safetensors, modes, binding."""

import json
import os

import pytest
import torch
from documents import call, document, floats, get_attr, inputs, ref, tensor
from onnx_to_fx import BindError, PackageError, bind, loader


def entry(dtype, shape, offset, length, **parts):
    value = torch.empty(shape, dtype=getattr(torch, dtype))
    return tensor(
        "w", value, "buffer", data={"source": 0, "offset": offset, "length": length}, **parts
    )


def of_file(path, entries, **options):
    source = {"path": str(path), "size": os.path.getsize(path), "mtime_ns": None}
    doc = document([], [], tensors=entries, sources=[source])
    with loader.Weights(doc, [path], **options) as weights:
        return weights


@pytest.fixture
def big_file(tmp_path):
    path = tmp_path / "w.bin"
    values = torch.arange(40000, dtype=torch.float32)
    path.write_bytes(b"abc" + values.numpy().tobytes() + b"\0" + values.numpy().tobytes())
    return path, values


@pytest.mark.parametrize("offset", [3, 4 + 160000])
def test_mapped_ranges_aligned_or_not(big_file, offset):
    path, values = big_file
    e = entry("float32", [200, 200], offset, 160000)
    got = of_file(path, [e])(e)
    assert torch.equal(got, values.view(200, 200))
    assert got.data_ptr() % 4 == 0


def test_training_writes_no_file(big_file):
    path, _ = big_file
    before = path.read_bytes()
    for offset in (3, 4 + 160000):
        e = entry("float32", [200, 200], offset, 160000)
        of_file(path, [e])(e).zero_()
    assert path.read_bytes() == before


def test_two_tensors_of_one_range_share_nothing(big_file):
    path, values = big_file
    e = entry("float32", [40000], 4 + 160000, 160000)
    weights = of_file(path, [e, e])
    first, second = weights(e), weights(e)
    first.zero_()
    assert torch.equal(second, values)


def test_large_unaligned_weights_take_no_resident_memory(tmp_path):
    path = tmp_path / "w.bin"
    with open(path, "wb") as f:
        f.truncate((64 << 20) + 1)
    e = entry("float32", [16 << 20], 1, 64 << 20)
    before = resident()
    got = of_file(path, [e])(e)
    assert resident() - before < 8 << 20
    assert got[-1] == 0


def resident():
    with open("/proc/self/statm") as f:
        return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize(
    "dtype, data",
    [
        ("bool", b"\1\0"),
        ("bfloat16", b"\x80\x3f\0\0"),
        ("float8_e4m3fn", b"\x38\0"),
        ("uint16", b"\xff\xff\0\0"),
        ("uint64", b"\xff" * 16),
        ("complex64", floats(1, 2, 3, 4)),
    ],
)
@pytest.mark.parametrize("pad", [0, 1])
def test_dtypes(tmp_path, dtype, data, pad):
    path = tmp_path / "w.bin"
    path.write_bytes(b"\0" * pad + data)
    e = entry(dtype, [2], pad, len(data))
    got = of_file(path, [e])(e)
    assert got.dtype == getattr(torch, dtype)
    assert got.contiguous().view(torch.uint8).numpy().tobytes() == data


@pytest.mark.parametrize("shape", [[], [0], [2, 0, 3]])
def test_scalars_and_empty_tensors(tmp_path, shape):
    path = tmp_path / "w.bin"
    path.write_bytes(floats(7))
    e = entry("float32", shape, 0, 4 if shape == [] else 0)
    assert of_file(path, [e])(e).shape == torch.Size(shape)


def test_ranges_outside_the_file_are_refused(tmp_path):
    path = tmp_path / "w.bin"
    path.write_bytes(b"\0" * 8)
    e = entry("float32", [2], 4, 8)
    with pytest.raises(PackageError, match="expected 8 bytes at 4, the file has 8"):
        of_file(path, [e])(e)


def test_a_changed_file_is_refused(tmp_path):
    path = tmp_path / "w.bin"
    path.write_bytes(b"\0" * 8)
    e = entry("float32", [2], 0, 8)
    doc = document([], [], tensors=[e], sources=[{"path": str(path), "size": 9, "mtime_ns": None}])
    with pytest.raises(PackageError, match="size: expected 9, got 8"):
        loader.Weights(doc, [path])(e)


def test_meta_and_random_modes(tmp_path):
    path = tmp_path / "w.bin"
    path.write_bytes(floats(1, 2))
    e = entry("float32", [2], 0, 8)
    assert of_file(path, [e], mode="meta")(e).is_meta
    first, second = of_file(path, [e], mode="random")(e), of_file(path, [e], mode="random")(e)
    assert torch.equal(first, second) and not first.is_meta


def package(folder, weights):
    folder.mkdir()
    nodes = [*inputs("x"), get_attr("w", 0), call("y", "aten::mul.Tensor", ref("x"), ref("w"))]
    e = tensor("w", torch.ones(2), data={"safetensors": "w"} if weights else None)
    del e["value"]
    doc = document(nodes, [ref("y")], tensors=[e], weights="copy" if weights else "meta")
    (folder / "graph.json").write_text(json.dumps(doc))
    if weights:
        header = {"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % 8)
        (folder / "weights.safetensors").write_bytes(
            len(text).to_bytes(8, "little") + text + floats(2, 3)
        )
    return folder


def test_package_with_safetensors(tmp_path):
    module = loader.load(package(tmp_path / "p", True))
    assert module(torch.ones(2)).tolist() == [2, 3]


def test_weightless_package_is_bound_later(tmp_path):
    full, empty = package(tmp_path / "full", True), package(tmp_path / "empty", False)
    module = loader.load(empty)
    assert module.w.is_meta and module(torch.ones(2, device="meta")).shape == (2,)
    for source in (full, full / "weights.safetensors", {"w": torch.tensor([2.0, 3.0])}):
        bound = bind(loader.load(empty), source)
        assert bound(torch.ones(2)).tolist() == [2, 3]
        assert bound.w.requires_grad
    with pytest.raises(BindError, match="1 missing"):
        bind(module, {})
