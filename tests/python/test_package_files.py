"""The files of a package: those of the model that it points at, and weights.safetensors."""

import importlib
import json
import os
import pathlib
import re
import shutil
import sys

import numpy as np
import pytest
import torch
from onnx import numpy_helper
from onnx_to_fx import PackageError, load, loader
from onnx_to_fx.loader.package import source_path
from test_mapped_weights import identity, network, onnx2fx  # noqa: F401 (a fixture)

# ---- packages that point at the model's files


@pytest.fixture
def package(network):  # noqa: F811
    onnx2fx("m.onnx", "-o", "out", cwd=network)
    return network / "out"


def loaders(folder):
    """load() of onnx_to_fx, and the copy of it that lies in the package itself."""
    yield lambda: load(folder)
    sys.path.insert(0, str(folder.parent))
    try:
        for name in [n for n in sys.modules if n.split(".")[0] == folder.name]:
            del sys.modules[name]
        yield importlib.import_module(folder.name).load
    finally:
        sys.path.remove(str(folder.parent))


def refused(folder, message):
    for load_it in loaders(folder):
        with pytest.raises(Exception) as error:
            load_it()
        assert type(error.value).__name__ == PackageError.__name__
        text = str(error.value)
        assert (re.sub(r"\d{19}", "TIME", text) if "TIME" in message else text) == message


def test_its_loader_is_the_room_of_the_python_package(package):
    def texts(folder):
        return {f.name: f.read_text() for f in pathlib.Path(folder).glob("*.py")}

    assert texts(package / "_loader") == texts(pathlib.Path(loader.__file__).parent)


def test_package_and_model_move_together(package):
    expected = load(package)(torch.ones(1, 64))
    moved = package.parent.with_name("moved")
    shutil.move(package.parent, moved)
    for load_it in loaders(moved / "out"):
        assert torch.equal(load_it()(torch.ones(1, 64)), expected)


def test_package_moves_alone(package):
    expected = load(package)(torch.ones(1, 64))
    moved = package.parent.with_name("elsewhere")
    moved.mkdir()
    shutil.move(package, moved / "out")
    for load_it in loaders(moved / "out"):
        assert torch.equal(load_it()(torch.ones(1, 64)), expected)


REMEDY = "convert the model again, or with --weights copy"


@pytest.mark.parametrize("name", ["m.onnx", "b.bin", "c.bin"])
def test_a_file_of_another_size(package, name):
    path = package.parent / name
    size = path.stat().st_size
    for got in (size + 1, size - 1, 0):
        os.truncate(path, got)
        refused(package, f"{path}: size: expected {size}, got {got}; {REMEDY}")


@pytest.mark.parametrize("name", ["m.onnx", "b.bin", "c.bin"])
def test_a_file_written_to_later(package, name):
    path = package.parent / name
    now = path.stat()
    os.utime(path, ns=(now.st_atime_ns, now.st_mtime_ns + 1))
    refused(package, f"{path}: time of last change: expected TIME, got TIME; {REMEDY}")


def test_a_file_that_is_gone(package):
    path = package.parent / "b.bin"
    path.unlink()
    refused(
        package,
        f"{path}: cannot open the file that holds the weights: No such file or directory; "
        "put it back, or convert the model again with --weights copy",
    )


@pytest.mark.parametrize("kind", ["pipe", "folder", "device"])
def test_something_else_than_a_file(package, kind):
    path = package.parent / "b.bin"
    path.unlink()
    make = {"pipe": os.mkfifo, "folder": os.mkdir, "device": lambda p: p.symlink_to("/dev/zero")}
    make[kind](path)
    refused(package, f"{path}: expected a regular file, got a folder, device or pipe")


@pytest.mark.parametrize(
    "offset, length", [(-1, 16384), (2**62, 16384), (4097, 16384), (2**64, 16384)]
)
def test_ranges_outside_the_file(package, offset, length):
    graph = package / "graph.json"
    text = graph.read_text()
    changed = text.replace('"offset":4096,', f'"offset":{offset},')
    assert changed != text
    graph.write_text(changed)
    path = package.parent / "b.bin"
    where = f"program 'root': node 'u': {path}"
    refused(package, f"{where}: expected {length} bytes at {offset}, the file has 20480")


# ---- files that change while they are read


@pytest.mark.parametrize("copy", [False, True])
def test_a_file_written_to_while_it_is_loaded(package, copy):
    graph = json.loads((package / "graph.json").read_text())
    files = [source_path(str(package), s) for s in graph["sources"]]
    path = package.parent / "b.bin"
    with pytest.raises(PackageError) as error:
        with loader.Weights(graph, files, copy=copy) as weights:
            for entry in graph["tensors"]:
                weights(entry)
            with open(path, "r+b") as f:
                f.write(b"\1")
            os.utime(path, (0, 0))
    assert str(error.value) == (
        f"{path}: the file was written to while its weights were read; "
        "load them again when nobody writes to it"
    )


# ---- weights.safetensors


def stored(header, length=None, data=bytes(8)):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return (len(text) if length is None else length).to_bytes(8, "little") + text + data


def w_entry(**changes):
    return {"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8], **changes}}


HEADERS = {
    "empty": (b"", "expected a safetensors file, got a header of 0 bytes"),
    "longer than the file": (
        stored({}, 2**63),
        "expected a safetensors file, got a header of 9223372036854775808 bytes",
    ),
    "no JSON": (
        stored(b"{]"),
        "expected the header of a safetensors file, got JSONDecodeError("
        "'Expecting property name enclosed in double quotes: line 1 column 2 (char 1)')",
    ),
    "nested": (
        stored(b"[" * 100000),
        "expected the header of a safetensors file, got RecursionError("
        "'maximum recursion depth exceeded while decoding a JSON array from a unicode string')",
    ),
    "no object": (
        stored([]),
        "expected the header of a safetensors file, got TypeError("
        "'pop expected at most 1 argument, got 2')",
    ),
    "no offsets": (
        stored({"w": {}}),
        "expected the header of a safetensors file, got KeyError('data_offsets')",
    ),
    "offsets that are no numbers": (
        stored(w_entry(data_offsets=["0", "8"])),
        "expected the header of a safetensors file, got TypeError("
        "\"'str' object cannot be interpreted as an integer\")",
    ),
    "behind the end": (
        stored(w_entry(data_offsets=[0, 12])),
        "'w': data_offsets lie outside the file",
    ),
    "negative": (
        stored(w_entry(data_offsets=[-8, 0])),
        "'w': data_offsets lie outside the file",
    ),
    "reversed": (
        stored(w_entry(data_offsets=[8, 0])),
        "'w': data_offsets lie outside the file",
    ),
}


@pytest.fixture
def small_package(tmp_path):
    tensor = numpy_helper.from_array(np.float32([1, 2]), "w")
    (tmp_path / "m.onnx").write_bytes(identity(tensor).SerializeToString())
    onnx2fx("m.onnx", "-o", "out", "--weights", "copy", cwd=tmp_path)
    return tmp_path / "out"


@pytest.mark.parametrize("name", HEADERS)
def test_safetensors_that_are_damaged(small_package, name):
    content, fault = HEADERS[name]
    path = small_package / "weights.safetensors"
    path.write_bytes(content)
    refused(small_package, f"{path}: {fault}")


def test_safetensors_that_is_a_pipe(small_package):
    path = small_package / "weights.safetensors"
    path.unlink()
    os.mkfifo(path)
    refused(small_package, f"{path}: expected a regular file, got a folder, device or pipe")
