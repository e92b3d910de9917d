"""External data that must not be read, or not so: one message, whole, by every way a model is converted."""

import contextlib
import hashlib
import os
import socket
import threading

import numpy as np
import onnx_to_fx
import pytest
import torch
from onnx import TensorProto, helper
from test_errors import built, entries, external, onnx2fx

REMEDY = "  note: if that file is meant, allow its folder with --weights-root, in Python with weight_roots\n"
ABSENT = "  note: put the file beside the model, or convert with --weights meta\n"
READING = ["reference", "copy"]


def by_command(folder, weights, *options):
    before = entries(folder)
    code, text = onnx2fx("m.onnx", "-o", "out", "--weights", weights, *options, cwd=folder)
    assert entries(folder) == before
    return code, text


def in_process(folder, weights, **options):
    with contextlib.chdir(folder):
        try:
            onnx_to_fx.convert_onnx_to_fx("m.onnx", weights=weights, **options)
        except onnx_to_fx.ConversionError as error:
            return 1, str(error) + "\n"
    return 0, ""


def refused(folder, model, message, modes):
    """In every mode by the command and in process, and by verify, which runs the model in LibTorch."""
    (folder / "m.onnx").write_bytes(model.SerializeToString())
    for weights in modes:
        assert by_command(folder, weights) == (1, message)
        assert in_process(folder, weights) == (1, message)
    (folder / "data").mkdir()
    (folder / "data" / "output_0.pb").write_bytes(TensorProto(data_type=1, dims=[0]).SerializeToString())
    assert onnx2fx("verify", "m.onnx", "--data", "data", cwd=folder) == (1, message)


# ---- what the model says


def tensor(data_type=TensorProto.FLOAT, dims=(2,), **fields):
    proto = TensorProto(name="w", data_type=data_type, dims=dims)
    for name, value in fields.items():
        if isinstance(value, list):
            getattr(proto, name).extend(value)
        else:
            setattr(proto, name, value)
    return built([helper.make_node("Add", ["x", "w"], ["y"])], [proto])


def keyed(*pairs, **fields):
    model = tensor(data_location=TensorProto.EXTERNAL, **fields)
    for key, value in pairs:
        model.graph.initializer[0].external_data.add(key=key, value=value)
    return model


def located(*pairs, **fields):
    return keyed(("location", "w.bin"), *pairs, **fields)


def no_number(key, value, shown=None):
    fault = f"external data: {key}: expected decimal digits, below 2^64, got '{value}'"
    return located((key, value)), fault if shown is None else fault.replace(value, shown)


SHA1 = hashlib.sha1(bytes(64)).hexdigest()
TEXTS = {
    "negative offset": no_number("offset", "-1"),
    "negative length": no_number("length", "-8"),
    "hexadecimal offset": no_number("offset", "0x10"),
    "space before": no_number("offset", " 8"),
    "space behind": no_number("length", "8 "),
    "plus sign": no_number("offset", "+8"),
    "no digits": no_number("offset", ""),
    "exponent": no_number("length", "8e0"),
    "2^64": no_number("offset", "18446744073709551616"),
    "many digits": (
        located(("length", "9" * 5000)),
        f"external data: length: expected decimal digits, below 2^64, got '{'9' * 60}'...",
    ),
    "NUL behind the digits": no_number("offset", "8\0", shown="8\\x00"),
    "no location": (keyed(("offset", "0")), "external data: no location is given"),
    "no entries": (keyed(), "external data: no location is given"),
    "empty location": (keyed(("location", "")), "external data: no location is given"),
    "unknown key": (
        located(("__class__", "x")),
        "external data: expected the keys location, offset, length, checksum and basepath, got '__class__'",
    ),
    "key without a name": (
        located(("", "x")),
        "external data: expected the keys location, offset, length, checksum and basepath, got ''",
    ),
    "key of another case": (
        located(("Offset", "8")),
        "external data: expected the keys location, offset, length, checksum and basepath, got 'Offset'",
    ),
    "location twice": (
        located(("location", "../w.bin")),
        "external data: location: it is given twice",
    ),
    "the same offset twice": (
        located(("offset", "0"), ("offset", "0")),
        "external data: offset: it is given twice",
    ),
    "checksum that is none": (
        located(("checksum", "md5:0")),
        "external data: checksum: expected 40 hexadecimal digits, got 'md5:0'",
    ),
    "longer than its shape": (
        located(("length", "12")),
        "external data: expected 8 bytes, got 12",
    ),
    "shorter than its shape": (
        located(("length", "0")),
        "external data: expected 8 bytes, got 0",
    ),
    "raw data as well": (
        located(raw_data=bytes(8)),
        "data: expected external data only, got data in the model, too",
    ),
    "much raw data as well": (
        located(raw_data=bytes(4000), dims=[1000]),
        "data: expected external data only, got data in the model, too",
    ),
    "typed data as well": (
        located(float_data=[1.0, 2.0]),
        "data: expected external data only, got data in the model, too",
    ),
    "strings as well": (located(string_data=[b"a"]), "data: it stands in more than one field"),
    "strings outside": (
        located(data_type=TensorProto.STRING),
        "data: strings cannot be stored as raw bytes",
    ),
    "negative dims": (located(dims=[-2]), "dims: expected no negative number, got -2"),
    "two negative dims": (located(dims=[-2, -1]), "dims: expected no negative number, got -2"),
    "dims beyond 2^64": (located(dims=[2**40, 2**40]), "dims: their product is too large"),
    "dims that overflow to 2": (
        located(dims=[2**63 - 1, 2, 2**63 - 1]),
        "dims: their product is too large",
    ),
    "dims beyond 2^63": (located(dims=[2**62, 4]), "dims: their product is too large"),
    "bytes beyond 2^64": (
        located(dims=[2**62 + 1]),
        "tensor is too large: 4611686018427387905 elements of FLOAT",
    ),
    "unknown data type": (located(data_type=99), "data type: expected one of ONNX's, got 99"),
    "raw and typed data": (
        tensor(raw_data=bytes(8), float_data=[1.0, 2.0]),
        "data: it stands in more than one field",
    ),
    "much raw and typed data": (
        tensor(raw_data=bytes(4000), float_data=[1.0] * 1000, dims=[1000]),
        "data: it stands in more than one piece",
    ),
    "raw data and strings": (
        tensor(raw_data=bytes(4000), string_data=[b"a"], dims=[1000]),
        "data: it stands in more than one field",
    ),
    "data of another type": (
        tensor(int64_data=[1, 2]),
        "data: expected it in float_data, got int64_data",
    ),
    "raw data of another size": (
        tensor(raw_data=bytes(4)),
        "raw_data: expected 8 bytes, got 4",
    ),
}


@pytest.mark.parametrize("name", TEXTS)
def test_what_a_tensor_says(tmp_path, name):
    model, fault = TEXTS[name]
    (tmp_path / "w.bin").write_bytes(bytes(64))
    refused(tmp_path, model, f"error: m.onnx: initializer 'w': {fault}\n", [*READING, "meta", "random"])


def test_every_faulty_tensor_is_listed(tmp_path):
    model = located(("offset", "-1"))
    model.graph.initializer.add().CopyFrom(located(dims=[-2]).graph.initializer[0])
    model.graph.initializer[1].name = "v"
    message = (
        "error: m.onnx: initializer 'w': external data: offset: expected decimal digits, below 2^64, got '-1'\n"
        "error: m.onnx: initializer 'v': dims: expected no negative number, got -2\n"
    )
    refused(tmp_path, model, message, READING)


# ---- tensors that share bytes


def pair(first, second):
    """Tensors v and w; each (location, offset, elements)."""
    tensors = []
    for name, (location, offset, size) in zip("vw", (first, second)):
        proto = external(location, offset=offset).graph.initializer[0]
        proto.name = name
        proto.dims[0] = size
        tensors.append(proto)
    sums = [helper.make_node("ReduceSum", [n], [n + "1"], keepdims=0) for n in "vw"]
    adds = [helper.make_node("Add", ["x", "v1"], ["t"]), helper.make_node("Add", ["t", "w1"], ["y"])]
    return built([*sums, *adds], tensors)


OVERLAPS = {
    "in part": (("w.bin", 0, 2), ("w.bin", 4, 2), "w", "4 to 12", "v", "0 to 8"),
    "one inside the other": (("w.bin", 4, 1), ("w.bin", 0, 4), "v", "4 to 8", "w", "0 to 16"),
    "the same start": (("w.bin", 0, 4), ("w.bin", 0, 2), "v", "0 to 16", "w", "0 to 8"),
    "other spelling": (("./w.bin", 0, 2), ("w.bin", 4, 2), "w", "4 to 12", "v", "0 to 8"),
}


@pytest.mark.parametrize("name", OVERLAPS)
def test_tensors_that_overlap(tmp_path, name):
    first, second, later, its, earlier, others = OVERLAPS[name]
    (tmp_path / "w.bin").write_bytes(bytes(64))
    message = (
        f"error: m.onnx: initializer '{later}': external data 'w.bin': expected bytes of its own, "
        f"got {its}, of which some belong to m.onnx: initializer '{earlier}', {others}\n"
    )
    refused(tmp_path, pair(first, second), message, [*READING, "meta"])


@pytest.mark.parametrize("second", [("w.bin", 0, 2), ("w.bin", 8, 2), ("v.bin", 4, 2)])
def test_tensors_that_are_tied_or_lie_apart(tmp_path, second):
    for name in ("v.bin", "w.bin"):
        (tmp_path / name).write_bytes(np.arange(1, 9, dtype=np.float32).tobytes())
    (tmp_path / "m.onnx").write_bytes(pair(("w.bin", 0, 2), second).SerializeToString())
    first = second[1] // 4 + 1
    expected = torch.full((2,), 3.0 + first + first + 1)
    for weights in READING:
        with contextlib.chdir(tmp_path):
            module = onnx_to_fx.convert_onnx_to_fx("m.onnx", weights=weights)
        torch.testing.assert_close(module(torch.zeros(2)), expected)


# ---- what lies in the folder


def place(root):
    """A folder of models beside a secret, with every way to lead out of it."""
    folder, outside = root / "models", root / "outside"
    (folder / "sub").mkdir(parents=True)
    (outside / "sub").mkdir(parents=True)
    secret = outside / "secret.bin"
    secret.write_bytes(np.float32([666, 666]).tobytes())
    (outside / "sub" / "w.bin").write_bytes(secret.read_bytes())
    (folder / "short.bin").write_bytes(bytes(4))
    (folder / "empty.bin").write_bytes(b"")
    (folder / "file_link").symlink_to("../outside/secret.bin")
    (folder / "absolute_link").symlink_to(secret)
    (folder / "folder_link").symlink_to("../outside")
    (folder / "chain").symlink_to("chain2")
    (folder / "chain2").symlink_to("sub/chain3")
    (folder / "sub" / "chain3").symlink_to("../../outside/secret.bin")
    (folder / "loop").symlink_to("loop")
    (folder / "proc").symlink_to("/proc/self/cmdline")
    (folder / "magic").symlink_to("/proc/self/root" + str(secret))
    (folder / "zero").symlink_to("/dev/zero")
    (folder / "parent").symlink_to("..")
    os.link(secret, folder / "hard_link")
    os.mkfifo(folder / "pipe")
    (folder / "plain.bin").write_bytes(np.float32([1, 2]).tobytes())
    with socket.socket(socket.AF_UNIX) as s, contextlib.chdir(folder):
        s.bind("socket")
    return folder


LEADS_OUT = "external data '{}': leads out of the model's folder\n" + REMEDY
ABSOLUTE = "external data '{}': expected a path inside the model's folder, got an absolute one\n"
PARENT = "external data '{}': expected a path inside the model's folder, got one with '..'\n"
IRREGULAR = "external data '{}': cannot read file: expected a regular file, got {}\n"
MISSING = "file '{}' is missing\n" + ABSENT
PLACES = {
    "absolute": ("/etc/hostname", ABSOLUTE),
    "absolute, twice": ("//etc/hostname", ABSOLUTE),
    "parent": ("../outside/secret.bin", PARENT),
    "parent in the middle": ("sub/../../outside/secret.bin", PARENT),
    "parent that stays inside": ("sub/../plain.bin", PARENT),
    "parent at the end": ("sub/..", PARENT),
    "NUL": ("plain.bin\0.txt", "external data 'plain.bin\\x00.txt': expected a file name, got one with a NUL in it\n"),
    "link to a file": ("file_link", LEADS_OUT),
    "absolute link": ("absolute_link", LEADS_OUT),
    "link to a folder": ("folder_link/secret.bin", LEADS_OUT),
    "link to a folder, deeper": ("folder_link/sub/w.bin", LEADS_OUT),
    "link to the parent": ("parent/outside/secret.bin", LEADS_OUT),
    "chain of links": ("chain", LEADS_OUT),
    "link into /proc": ("proc", LEADS_OUT),
    "link through /proc": ("magic", LEADS_OUT),
    "link to a device": ("zero", LEADS_OUT),
    "loop of links": ("loop", "external data '{}': Too many levels of symbolic links\n"),
    "hard link": (
        "hard_link",
        "external data '{}': expected a file with one name, got one with 2 hard links\n" + REMEDY,
    ),
    "pipe": ("pipe", IRREGULAR.replace("{}", "pipe", 1).replace("{}", "a device or pipe")),
    "socket": ("socket", "external data '{}': No such device or address\n"),
    "folder": ("sub", IRREGULAR.replace("{}", "sub", 1).replace("{}", "a folder")),
    "the folder itself": (".", IRREGULAR.replace("{}", ".", 1).replace("{}", "a folder")),
    "empty file": ("empty.bin", "file '{}': expected 8 bytes at offset 0, got a file of 0 bytes\n"),
    "truncated file": ("short.bin", "file '{}': expected 8 bytes at offset 0, got a file of 4 bytes\n"),
    "missing": ("w.bin", MISSING),
    "below a file": ("plain.bin/w.bin", MISSING),
    "a name too long": ("w" * 300, "external data '{}': File name too long\n"),
    "in memory of another process": ("*/_ORT_MEM_ADDR_/*", MISSING),
}


@pytest.mark.parametrize("name", PLACES)
def test_where_a_tensor_lies(tmp_path, name):
    location, fault = PLACES[name]
    folder = place(tmp_path)
    refused(folder, external(location), f"error: m.onnx: weight 'w': {fault.format(location)}", READING)


@pytest.mark.parametrize(
    "offset", [1, 2**31 - 1, 2**31, 2**32, 2**63 - 1, 2**63, 2**64 - 8, 2**64 - 4, 2**64 - 1]
)
def test_offsets_behind_the_end(tmp_path, offset):
    (tmp_path / "w.bin").write_bytes(bytes(8))
    message = f"error: m.onnx: weight 'w': file 'w.bin': expected 8 bytes at offset {offset}, got a file of 8 bytes\n"
    refused(tmp_path, external("w.bin", offset=offset), message, READING)


@pytest.mark.parametrize("location", ["plain.bin", "./plain.bin", "sub//in_link", "inner"])
def test_links_inside_the_folder_are_followed(tmp_path, location):
    folder = place(tmp_path)
    (folder / "sub" / "in_link").symlink_to("../plain.bin")
    (folder / "inner").symlink_to(folder / "plain.bin")
    assert_reads(folder, external(location), [1, 2])


def assert_reads(folder, model, values, *roots):
    """By the command, both ways of keeping weights, and in process."""
    (folder / "m.onnx").write_bytes(model.SerializeToString())
    options = [o for r in roots for o in ("--weights-root", r)]
    for weights in READING:
        out = folder / f"out_{weights}"
        result = onnx2fx("m.onnx", "-o", out.name, "--weights", weights, *options, cwd=folder)
        assert result == (0, "")
        assert onnx_to_fx.load(out)(torch.zeros(2)).tolist() == values
        with contextlib.chdir(folder):
            module = onnx_to_fx.convert_onnx_to_fx("m.onnx", weights=weights, weight_roots=roots)
        assert module(torch.zeros(2)).tolist() == values


# ---- --weights-root


@pytest.mark.parametrize(
    "location",
    ["file_link", "absolute_link", "folder_link/secret.bin", "folder_link/sub/w.bin", "chain", "hard_link"],
)
def test_what_a_root_allows(tmp_path, location):
    folder = place(tmp_path)
    root = folder if location == "hard_link" else tmp_path / "outside"
    assert_reads(folder, external(location), [666, 666], root)


def test_a_root_given_relatively_or_through_a_link(tmp_path):
    folder = place(tmp_path)
    (tmp_path / "alias").symlink_to("outside")
    assert_reads(folder, external("chain"), [666, 666], "../alias/")


ROOTED = {
    "another folder": ("file_link", LEADS_OUT, "sub"),
    "a folder whose name begins alike": ("file_link", LEADS_OUT, "../out"),
    "hard link elsewhere": (
        "hard_link",
        "external data '{}': expected a file with one name, got one with 2 hard links\n" + REMEDY,
        "../outside",
    ),
    "absolute": ("/etc/hostname", ABSOLUTE, "/etc"),
    "parent": ("../outside/secret.bin", PARENT, "../outside"),
    "device": ("zero", IRREGULAR.replace("{}", "zero", 1).replace("{}", "a device or pipe"), "/dev"),
}


@pytest.mark.parametrize("name", ROOTED)
def test_what_a_root_does_not_allow(tmp_path, name):
    location, fault, root = ROOTED[name]
    folder = place(tmp_path)
    (tmp_path / "out").mkdir()
    (folder / "m.onnx").write_bytes(external(location).SerializeToString())
    expected = 1, f"error: m.onnx: weight 'w': {fault.format(location)}"
    for weights in READING:
        assert by_command(folder, weights, "--weights-root", root) == expected
        assert in_process(folder, weights, weight_roots=[root]) == expected


@pytest.mark.parametrize("root, got", [("nowhere", "No such file or directory"), ("m.onnx", "a file")])
def test_a_root_must_be_a_folder(tmp_path, root, got):
    (tmp_path / "m.onnx").write_bytes(external("w.bin").SerializeToString())
    expected = 1, f"error: weights root '{root}': expected a folder, got {got}\n"
    assert by_command(tmp_path, "reference", "--weights-root", root) == expected
    assert in_process(tmp_path, "reference", weight_roots=[root]) == expected


@pytest.fixture
def cache(tmp_path):
    """What huggingface_hub leaves: snapshots/REVISION/FILE are links to blobs/HASH. The snapshot."""
    repo = tmp_path / "models--acme--net"
    snapshot, blobs = repo / "snapshots" / "0123abc" / "onnx", repo / "blobs"
    snapshot.mkdir(parents=True)
    blobs.mkdir()
    files = {
        "m.onnx": external("model.onnx_data", offset=4).SerializeToString(),
        "model.onnx_data": np.float32([9, 3, 4]).tobytes(),
    }
    for name, content in files.items():
        digest = hashlib.sha256(content).hexdigest()
        (blobs / digest).write_bytes(content)
        (snapshot / name).symlink_to(f"../../../blobs/{digest}")
    return snapshot


@pytest.mark.parametrize("weights", READING)
def test_hugging_face_cache(cache, weights):
    expected = 1, "error: m.onnx: weight 'w': " + LEADS_OUT.format("model.onnx_data")
    assert by_command(cache, weights) == expected
    assert in_process(cache, weights) == expected
    blobs = "../../../blobs"
    assert onnx2fx("m.onnx", "-o", "out", "--weights", weights, "--weights-root", blobs, cwd=cache) == (0, "")
    assert onnx_to_fx.load(cache / "out")(torch.zeros(2)).tolist() == [3, 4]
    module = onnx_to_fx.convert_onnx_to_fx(cache / "m.onnx", weights=weights, weight_roots=[cache / blobs])
    assert module(torch.zeros(2)).tolist() == [3, 4]


def test_a_model_that_is_a_link_has_the_folder_of_the_link(tmp_path):
    folder = place(tmp_path)
    (tmp_path / "outside" / "real.onnx").write_bytes(external("plain.bin").SerializeToString())
    (folder / "m.onnx").symlink_to("../outside/real.onnx")
    assert onnx2fx("m.onnx", "-o", "out", cwd=folder) == (0, "")
    assert onnx_to_fx.load(folder / "out")(torch.zeros(2)).tolist() == [1, 2]


# ---- checksums


def test_checksums_are_verified(tmp_path):
    content = np.float32([1, 2]).tobytes() * 40000
    (tmp_path / "w.bin").write_bytes(content)
    digest = hashlib.sha1(content).hexdigest()
    assert_reads(tmp_path, located(("checksum", digest.upper()), ("basepath", "/home/ann")), [1, 2])
    other = tmp_path / "other"
    other.mkdir()
    (other / "w.bin").write_bytes(content)
    message = (
        f"error: m.onnx: weight 'w': file 'w.bin': checksum: expected {SHA1}, got {digest}\n"
        "  note: the file is not the one that the model was saved with\n"
    )
    refused(other, located(("checksum", SHA1)), message, READING)


@pytest.mark.parametrize("size", [8, 55, 56, 63, 64, 65, 119, 120, 2**20 - 1, 2**20, 2**20 + 60])
def test_checksums_of_every_length(tmp_path, size):
    content = np.float32([1, 2]).tobytes() + bytes(size - 8)
    (tmp_path / "w.bin").write_bytes(content)
    digest = hashlib.sha1(content).hexdigest()
    (tmp_path / "m.onnx").write_bytes(located(("checksum", digest)).SerializeToString())
    assert onnx2fx("m.onnx", "-o", "out", cwd=tmp_path) == (0, "")


# ---- models in memory


def test_a_model_in_memory_has_no_folder_unless_one_is_given(tmp_path):
    folder = place(tmp_path)
    (folder / "plain.bin").rename(folder / "w.bin")
    model = external("w.bin")
    message = (
        "error: <memory>: weight 'w': file 'w.bin' is missing\n"
        "  note: the model came without a folder: name the one that holds its data"
    )
    with contextlib.chdir(folder), pytest.raises(onnx_to_fx.ConversionError) as error:
        onnx_to_fx.convert_onnx_to_fx(model)
    assert str(error.value) == message
    for given in (model, model.SerializeToString()):
        module = onnx_to_fx.convert_onnx_to_fx(given, directory=folder)
        assert module(torch.zeros(2)).tolist() == [1, 2]
    with pytest.raises(onnx_to_fx.ConversionError) as error:
        onnx_to_fx.convert_onnx_to_fx(external("chain"), directory=folder)
    assert str(error.value) + "\n" == "error: <memory>: weight 'w': " + LEADS_OUT.format("chain")
    module = onnx_to_fx.convert_onnx_to_fx(
        external("chain"), directory=folder, weight_roots=[tmp_path / "outside"]
    )
    assert module(torch.zeros(2)).tolist() == [666, 666]


def test_a_folder_beside_a_path_is_refused(tmp_path):
    with pytest.raises(TypeError) as error:
        onnx_to_fx.convert_onnx_to_fx(tmp_path / "m.onnx", directory=tmp_path)
    assert str(error.value) == "directory: expected with a model in memory only, got a path as well"


# ---- files that change meanwhile


@contextlib.contextmanager
def meanwhile(change):
    """Calls change(0), change(1), ... in another thread."""
    over = threading.Event()

    def run():
        n = 0
        while not over.is_set():
            change(n)
            n += 1

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def until(happened):
    """100 times, and on until it has happened, but no longer than a machine can be so busy."""
    for n in range(5000):
        if n >= 100 and happened():
            return
        yield n


@pytest.mark.parametrize("weights", READING)
def test_a_file_that_is_replaced_is_read_as_one_of_its_versions(tmp_path, weights):
    (tmp_path / "m.onnx").write_bytes(pair(("w.bin", 0, 1), ("w.bin", 400000, 1)).SerializeToString())

    def replace(n):
        (tmp_path / "new.bin").write_bytes(np.full(100001, n % 7, np.float32).tobytes())
        os.replace(tmp_path / "new.bin", tmp_path / "w.bin")

    replace(0)
    seen = set()
    with meanwhile(replace):
        for _ in until(lambda: len(seen) > 1):
            module = onnx_to_fx.convert_onnx_to_fx(tmp_path / "m.onnx", weights=weights)
            v, w = (module.get_buffer(f"constants.{name}").item() for name in "vw")
            assert v == w
            seen.add(v)
    assert len(seen) > 1


@pytest.mark.parametrize("weights", READING)
def test_a_file_that_becomes_a_link_is_never_followed_out(tmp_path, weights):
    folder = place(tmp_path)
    (folder / "m.onnx").write_bytes(external("w.bin").SerializeToString())

    def replace(n):
        if n % 2:
            (folder / "new.bin").symlink_to("../outside/secret.bin")
        else:
            (folder / "new.bin").write_bytes(np.float32([1, 2]).tobytes())
        os.replace(folder / "new.bin", folder / "w.bin")

    replace(0)
    outcomes = set()
    with meanwhile(replace):
        for _ in until(lambda: len(outcomes) > 1):
            try:
                module = onnx_to_fx.convert_onnx_to_fx(folder / "m.onnx", weights=weights)
                outcomes.add(str(module(torch.zeros(2)).tolist()))
            except onnx_to_fx.ConversionError as error:
                outcomes.add(error.diagnostics[0].what)
    assert outcomes == {"[1.0, 2.0]", "external data 'w.bin': leads out of the model's folder"}


# ---- names that are no text


def test_names_that_are_no_utf8(tmp_path):
    model = located(("offset", "x"))
    model.graph.initializer[0].name = "wxyz"
    model.graph.node[0].input[1] = "wxyz"
    spoilt = model.SerializeToString().replace(b"wxyz", b"w\xff\xfez")
    with pytest.raises(onnx_to_fx.ConversionError) as error:
        onnx_to_fx.convert_onnx_to_fx(spoilt)
    assert str(error.value) == (
        "error: <memory>: initializer 'w\ufffd\ufffdz': "
        "external data: offset: expected decimal digits, below 2^64, got 'x'"
    )
