"""Weights that stay in the model's files: every data type and place, huge files, training."""

import hashlib
import os
import pathlib
import subprocess
import sys

import ml_dtypes
import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from onnx_to_fx import ConversionError, Strings, convert_onnx_to_fx, load

ROOT = pathlib.Path(__file__).parents[2]
BUILD = pathlib.Path(os.environ.get("ONNX2FX_BUILD", ROOT / "build" / "release"))


def onnx2fx(*arguments, cwd):
    program = [BUILD / "bin" / "onnx2fx", *map(str, arguments)]
    subprocess.run(program, check=True, cwd=cwd)


def digest(path):
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()


def set_external(tensor, location, offset, length=None):
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    tensor.external_data.add(key="offset", value=str(offset))
    if length is not None:
        tensor.external_data.add(key="length", value=str(length))


def model_of(nodes, tensors=(), inputs=(), outputs=(("y", TensorProto.FLOAT),), opset=23, **parts):
    values = [
        [helper.make_tensor_value_info(n, t, None) for n, t in side] for side in (inputs, outputs)
    ]
    graph = helper.make_graph(nodes, "g", *values, tensors, **parts)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=12)


def identity(tensor):
    node = helper.make_node("Identity", [tensor.name], ["y"])
    return model_of([node], [tensor], outputs=[("y", tensor.data_type)], opset=26)


# ---- every data type, wherever it lies

T = TensorProto
DTYPES = sorted(
    (d for d in T.DataType.values() if d not in (T.UNDEFINED, T.STRING)), key=T.DataType.Name
)
CARRIERS = {
    T.INT4: torch.int8,
    T.INT2: torch.int8,
    T.UINT4: torch.uint8,
    T.UINT2: torch.uint8,
    T.FLOAT4E2M1: torch.float32,
    T.FLOAT6E2M3: torch.float32,
    T.FLOAT6E3M2: torch.float32,
}
BITS = {T.UINT2: 2, T.INT2: 2, T.UINT4: 4, T.INT4: 4, T.FLOAT4E2M1: 4}
BITS |= {T.FLOAT6E2M3: 6, T.FLOAT6E3M2: 6}


def raw_bytes(dtype, count):
    """Any bits but those that say NaN, which are equal to nothing."""
    random = np.random.default_rng(dtype)
    if dtype in BITS:
        bits = random.integers(0, 2, count * BITS[dtype], np.uint8)
        return np.packbits(bits, bitorder="little").tobytes()
    if dtype == T.BOOL:
        return random.integers(0, 2, count, np.uint8).tobytes()
    kind = helper.tensor_dtype_to_np_dtype(dtype)
    if kind.kind == "c" or kind.kind == "f" and kind.itemsize > 1:
        parts = random.standard_normal(count * (2 if kind.kind == "c" else 1))
        part = {8: np.float32, 16: np.float64}[kind.itemsize] if kind.kind == "c" else kind
        return parts.astype(part).tobytes()
    if kind == ml_dtypes.bfloat16:
        return random.standard_normal(count).astype(kind).tobytes()
    return random.integers(0, 120, count * kind.itemsize, np.uint8).tobytes()


def typed(tensor, raw, count):
    """The same elements in the *_data field of the data type."""
    dtype = tensor.data_type
    if BITS.get(dtype) == 6:  # an element each; the smaller types: a packed byte each
        bits = np.unpackbits(np.frombuffer(raw, np.uint8), count=6 * count, bitorder="little")
        codes = np.packbits(bits.reshape(count, 6), axis=1, bitorder="little")
        return tensor.int32_data.extend(codes[:, 0].tolist())
    unsigned = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}
    field = helper.tensor_dtype_to_field(dtype)
    size = 1 if dtype in BITS else helper.tensor_dtype_to_np_dtype(dtype).itemsize
    kind = {
        "float_data": np.float32,
        "double_data": np.float64,
        "int64_data": np.int64,
        "uint64_data": unsigned[min(size, 8)],
    }.get(field)
    if kind is None:
        signed = dtype in (T.INT8, T.INT16, T.INT32)
        kind = np.dtype(f"i{size}") if signed else unsigned[size]
    getattr(tensor, field).extend(np.frombuffer(raw, kind).tolist())


PLACES = ["raw", "typed", "aligned", "unaligned", "unaligned, many"]


@pytest.mark.parametrize("dtype", DTYPES, ids=T.DataType.Name)
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("count", [15, 40001], ids=["few", "many"])
def test_every_data_type_in_every_place(tmp_path, dtype, place, count):
    raw = raw_bytes(dtype, count)
    whole = TensorProto(name="w", data_type=dtype, dims=[count], raw_data=raw)
    expected = numpy_helper.to_array(whole)
    tensor = TensorProto(name="w", data_type=dtype, dims=[count])
    if place == "raw":
        tensor.raw_data = raw
    elif place == "typed":
        typed(tensor, raw, count)
    else:
        offset = 4096 if place == "aligned" else 4097 if place == "unaligned" else 4099
        set_external(tensor, "w.bin", offset, len(raw))
        (tmp_path / "w.bin").write_bytes(bytes(offset) + raw + b"\1")
    path = tmp_path / "m.onnx"
    path.write_bytes(identity(tensor).SerializeToString())
    for weights in ("reference", "copy"):
        same(convert_onnx_to_fx(path, weights=weights)(), expected, dtype)


def same(got, expected, dtype):
    if dtype in CARRIERS:
        assert got.dtype == CARRIERS[dtype]
        np.testing.assert_array_equal(
            got.detach().numpy(), expected.astype(got.detach().numpy().dtype)
        )
        return
    assert got.element_size() == expected.dtype.itemsize
    assert got.detach().contiguous().view(torch.uint8).numpy().tobytes() == expected.tobytes()


@pytest.mark.parametrize("weights", ["reference", "copy"])
@pytest.mark.parametrize("dtype", DTYPES, ids=T.DataType.Name)
def test_every_data_type_through_a_package(tmp_path, dtype, weights):
    raw = raw_bytes(dtype, 15)
    tensor = TensorProto(name="w", data_type=dtype, dims=[15])
    set_external(tensor, "w.bin", 3)
    (tmp_path / "w.bin").write_bytes(bytes(3) + raw)
    (tmp_path / "m.onnx").write_bytes(identity(tensor).SerializeToString())
    onnx2fx("m.onnx", "-o", "out", "--weights", weights, cwd=tmp_path)
    whole = TensorProto(name="w", data_type=dtype, dims=[15], raw_data=raw)
    same(load(tmp_path / "out")(), numpy_helper.to_array(whole), dtype)


def test_strings():
    words = ["", "a", "Straße", "x" * 5000]
    got = convert_onnx_to_fx(identity(helper.make_tensor("w", T.STRING, [2, 2], words)))()
    assert got == Strings([2, 2], words)


# ---- sparse tensors


def sparse(indices, dims=(3, 4), values=(7.0, 8.0, 9.0), place=None, folder=None):
    value = numpy_helper.from_array(np.float32(values), "w")
    if place:
        (folder / "v.bin").write_bytes(b"\0" + value.raw_data)
        value.ClearField("raw_data")
        set_external(value, "v.bin", 1)
    index = numpy_helper.from_array(np.int64(indices), "i")
    proto = helper.make_sparse_tensor(value, index, dims)
    node = helper.make_node("Identity", ["w"], ["y"])
    return model_of([node], sparse_initializer=[proto])


@pytest.mark.parametrize("indices", [[1, 4, 11], [[0, 1], [1, 0], [2, 3]]], ids=["flat", "rows"])
@pytest.mark.parametrize("place", [None, "external"])
def test_sparse_initializers(tmp_path, indices, place):
    model = sparse(indices, place=place, folder=tmp_path)
    expected = torch.zeros(12)
    expected[[1, 4, 11]] = torch.tensor([7.0, 8, 9])
    got = convert_onnx_to_fx(model, directory=tmp_path)()
    assert torch.equal(got, expected.view(3, 4))


WRONG_INDICES = {
    "behind the end": ([1, 4, 12], "indices: expected less than 12, got 12"),
    "negative": ([-1, 4, 5], "indices: expected less than 12, got -1"),
    "row behind the end": ([[0, 1], [1, 0], [3, 0]], "indices: expected less than 3, got 3"),
    "too few": ([1, 4], "indices: expected int64[3] or int64[3, 2]"),
    "twice": ([1, 4, 4], "indices: expected ascending ones, without duplicates"),
    "descending": ([1, 11, 4], "indices: expected ascending ones, without duplicates"),
}


@pytest.mark.parametrize("name", WRONG_INDICES)
def test_sparse_indices_that_are_wrong(name):
    indices, fault = WRONG_INDICES[name]
    with pytest.raises(ConversionError) as error:
        convert_onnx_to_fx(sparse(indices))
    assert error.value.diagnostics[0].what == f"sparse tensor: {fault}"


# ---- where a tensor may stand


def external_tensor(folder, name, values, location="w.bin"):
    """Appended to a file, at an odd offset."""
    path = folder / location
    offset = path.stat().st_size if path.exists() else 0
    with open(path, "ab") as f:
        f.write(b"\0" + np.float32(values).tobytes())
    tensor = TensorProto(name=name, data_type=T.FLOAT, dims=np.shape(values))
    set_external(tensor, location, offset + 1, 4 * np.size(values))
    return tensor


def test_a_tensor_of_several_nodes_is_one_parameter(tmp_path):
    w = external_tensor(tmp_path, "w", np.eye(3))
    nodes = [helper.make_node("MatMul", [a, "w"], [b]) for a, b in ("xt", "tu", "uy")]
    model = model_of(nodes, [w], inputs=[("x", T.FLOAT)])
    module = convert_onnx_to_fx(model, directory=tmp_path)
    assert len(list(module.parameters())) == 1
    x = torch.rand(2, 3)
    assert torch.equal(module(x), x)
    module(x).sum().backward()
    (w,) = module.parameters()
    assert torch.count_nonzero(w.grad)


def branch(folder, name, value):
    w = external_tensor(folder, name, [value, value])
    output = helper.make_tensor_value_info(name + "_y", T.FLOAT, [2])
    nodes = [helper.make_node("Add", ["x", name], [name + "_y"])]
    return helper.make_graph(nodes, name, [], [output], [w])


def test_initializers_of_both_branches_of_an_if(tmp_path):
    node = helper.make_node(
        "If",
        ["c"],
        ["y"],
        then_branch=branch(tmp_path, "a", 10),
        else_branch=branch(tmp_path, "b", 20),
    )
    model = model_of([node], inputs=[("c", T.BOOL), ("x", T.FLOAT)])
    module = convert_onnx_to_fx(model, directory=tmp_path)
    for condition, expected in ((True, [11, 12]), (False, [21, 22])):
        got = module(torch.tensor(condition), torch.tensor([1.0, 2.0]))
        assert got.tolist() == expected


def test_initializers_of_a_loop(tmp_path):
    ports = [("i", T.INT64, []), ("c", T.BOOL, []), ("s", T.FLOAT, [2])]
    inputs = [helper.make_tensor_value_info(*p) for p in ports]
    ports = [("c2", T.BOOL, []), ("s2", T.FLOAT, [2])]
    outputs = [helper.make_tensor_value_info(*p) for p in ports]
    nodes = [
        helper.make_node("Identity", ["c"], ["c2"]),
        helper.make_node("Add", ["s", "w"], ["s2"]),
    ]
    body = helper.make_graph(
        nodes, "body", inputs, outputs, [external_tensor(tmp_path, "w", [5, 6])]
    )
    trips = numpy_helper.from_array(np.int64(3), "n")
    loop = helper.make_node("Loop", ["n", "", "x"], ["y"], body=body)
    model = model_of([loop], [trips], inputs=[("x", T.FLOAT)])
    got = convert_onnx_to_fx(model, directory=tmp_path)(torch.zeros(2))
    assert got.tolist() == [15, 18]


def test_constants_of_a_function(tmp_path):
    value = external_tensor(tmp_path, "v", [3, 4])
    opsets = [helper.make_opsetid("", 23)]
    nodes = [
        helper.make_node("Constant", [], ["k"], value=value),
        helper.make_node("Add", ["a", "k"], ["b"]),
    ]
    function = helper.make_function("acme", "Shift", ["a"], ["b"], nodes, opsets)
    calls = [helper.make_node("Shift", [a], [b], domain="acme") for a, b in ("xt", "ty")]
    model = model_of(calls, inputs=[("x", T.FLOAT)])
    model.functions.append(function)
    model.opset_import.append(helper.make_opsetid("acme", 1))
    got = convert_onnx_to_fx(model, directory=tmp_path)(torch.zeros(2))
    assert got.tolist() == [6, 8]


def test_the_default_of_a_functions_attribute_is_checked():
    nodes = [helper.make_node("Constant", [], ["b"])]
    nodes[0].attribute.add(name="value", ref_attr_name="k", type=onnx.AttributeProto.TENSOR)
    default = helper.make_attribute("k", TensorProto(data_type=T.FLOAT, dims=[-1]))
    function = helper.make_function(
        "acme", "K", [], ["b"], nodes, [helper.make_opsetid("", 23)], attribute_protos=[default]
    )
    model = model_of([helper.make_node("K", [], ["y"], domain="acme")])
    model.functions.append(function)
    model.opset_import.append(helper.make_opsetid("acme", 1))
    with pytest.raises(ConversionError) as error:
        convert_onnx_to_fx(model)
    assert str(error.value) == (
        "error: <memory>: function 'acme.K': attribute 'k': "
        "dims: expected no negative number, got -1"
    )


# ---- huge files, of holes


def write_hole(path, size, *pieces):
    with open(path, "wb") as f:
        f.truncate(size)
        for offset, data in pieces:
            f.seek(offset)
            f.write(data)


def resident():
    with open("/proc/self/statm") as f:
        return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize("offset", [2**31 - 4, 2**31 + 4, 2**32 - 4, 2**32 + 4, 2**33 + 1])
def test_external_data_far_away(tmp_path, offset):
    values = np.float32([1, 2, 3, 4])
    write_hole(tmp_path / "w.bin", offset + 32, (offset, values.tobytes()))
    tensor = TensorProto(name="w", data_type=T.FLOAT, dims=[4])
    set_external(tensor, "w.bin", offset, 16)
    (tmp_path / "m.onnx").write_bytes(identity(tensor).SerializeToString())
    for weights in ("reference", "copy"):
        module = convert_onnx_to_fx(tmp_path / "m.onnx", weights=weights)
        assert module().tolist() == values.tolist()
        onnx2fx("m.onnx", "-o", "out", "--weights", weights, cwd=tmp_path)
        assert load(tmp_path / "out")().tolist() == values.tolist()


def varint(n):
    out = b""
    while n >= 0x80:
        out += bytes([n & 0x7F | 0x80])
        n >>= 7
    return out + bytes([n])


def field(number, content, behind=0):
    """A length-delimited field, whose last `behind` bytes the caller writes."""
    return varint(number << 3 | 2) + varint(len(content) + behind) + content


def test_embedded_weights_beyond_protobufs_limit(tmp_path):
    """No protobuf library can parse or write this model: one uint8 tensor of 2 GiB and more."""
    size = 2**31 + 100
    node = helper.make_node("Identity", ["w"], ["y"]).SerializeToString()
    output = helper.make_tensor_value_info("y", T.UINT8, [size]).SerializeToString()
    dims = TensorProto(data_type=T.UINT8, dims=[size], name="w").SerializeToString()
    tensor = dims + field(9, b"", size)
    graph = field(1, node) + field(2, b"g") + field(12, output) + field(5, tensor, size)
    opset = helper.make_opsetid("", 17).SerializeToString()
    head = b"\x08\x08" + field(8, opset) + field(7, graph, size)
    path = tmp_path / "m.onnx"
    write_hole(path, len(head) + size, (0, head), (len(head) + size - 3, b"\x07\x08\x09"))
    before = resident()
    module = convert_onnx_to_fx(path)
    onnx2fx("m.onnx", "-o", "out", cwd=tmp_path)
    for m in (module, load(tmp_path / "out")):
        (w,) = m.buffers()
        assert w.shape == (size,)
        assert w[-4:].tolist() == [0, 7, 8, 9]
    assert resident() - before < 200 << 20


def test_one_file_for_each_of_many_tensors(tmp_path):
    """As PyTorch's first exporter wrote large models; more files than a process may have open."""
    count = 300
    names = [f"w{i}" for i in range(count)]
    tensors = [external_tensor(tmp_path, n, [i, i], n) for i, n in enumerate(names)]
    model = model_of([helper.make_node("Sum", names, ["y"])], tensors)
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    script = (
        "import resource\n"
        "hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]\n"
        "import onnx_to_fx, torch\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (128, hard))\n"
        "modules = onnx_to_fx.convert_onnx_to_fx('m.onnx'), onnx_to_fx.load('out')\n"
        "print(*(m().tolist() for m in modules))\n"
    )
    program = BUILD / "bin" / "onnx2fx"
    limited = f"ulimit -S -n 128; exec {program} m.onnx -o out"
    subprocess.run(["bash", "-c", limited], check=True, cwd=tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, cwd=tmp_path, capture_output=True, text=True
    )
    total = float(sum(range(count)))
    assert done.stdout == f"{[total, total]} {[total, total]}\n"


# ---- training


def trained(module):
    optimizer = torch.optim.Adam(module.parameters(), lr=0.1)
    losses = []
    for _ in range(5):
        loss = module(torch.ones(4, 64)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@pytest.fixture
def network(tmp_path):
    """Weights embedded, external, and external at an odd offset; large enough to be mapped."""
    random = np.random.default_rng(0)
    values = {n: random.standard_normal((64, 64)).astype(np.float32) for n in ("a", "b", "c")}
    embedded = numpy_helper.from_array(values["a"], "a")
    aligned = TensorProto(name="b", data_type=T.FLOAT, dims=[64, 64])
    set_external(aligned, "b.bin", 4096, 64 * 64 * 4)
    (tmp_path / "b.bin").write_bytes(bytes(4096) + values["b"].tobytes())
    nodes = [helper.make_node("MatMul", [x, w], [y]) for x, w, y in ("xat", "tbu", "ucy")]
    tensors = [embedded, aligned, external_tensor(tmp_path, "c", values["c"], "c.bin")]
    model = model_of(nodes, tensors, inputs=[("x", T.FLOAT)])
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    return tmp_path


def test_training_in_process_never_writes_to_the_files(network):
    files = [network / n for n in ("m.onnx", "b.bin", "c.bin")]
    before = [(digest(f), f.stat().st_mtime_ns) for f in files]
    module = convert_onnx_to_fx(network / "m.onnx")
    first = trained(module)
    assert first[-1] < first[0]
    assert [(digest(f), f.stat().st_mtime_ns) for f in files] == before
    assert trained(convert_onnx_to_fx(network / "m.onnx")) == first


def test_training_a_package_never_writes_to_the_files(network):
    onnx2fx("m.onnx", "-o", "out", cwd=network)
    assert not (network / "out" / "weights.safetensors").exists()
    files = [network / n for n in ("m.onnx", "b.bin", "c.bin")]
    before = [(digest(f), f.stat().st_mtime_ns) for f in files]
    first = trained(load(network / "out"))
    assert first[-1] < first[0]
    assert [(digest(f), f.stat().st_mtime_ns) for f in files] == before
    assert trained(load(network / "out")) == first


def test_a_module_outlives_the_names_of_its_files(network):
    module = convert_onnx_to_fx(network / "m.onnx")
    expected = module(torch.ones(1, 64))
    for name in ("m.onnx", "b.bin", "c.bin"):
        (network / name).unlink()
    assert torch.equal(module(torch.ones(1, 64)), expected)
