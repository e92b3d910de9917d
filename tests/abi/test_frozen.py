"""Packs that were compiled on the day that a minor was released: the host of today loads each, and makes of it what it did then."""
import json
import os
import pathlib
import platform
import struct
import subprocess

import onnx
import onnx.parser
import pytest

pytestmark = pytest.mark.skipif(platform.machine() != "x86_64", reason="the packs are libraries for x86_64")

HERE = pathlib.Path(__file__).parent / "frozen"
BUILD = pathlib.Path(os.environ.get("ONNX2FX_BUILD", HERE.parents[2] / "build" / "release"))
PROGRAM = BUILD / "bin" / "onnx2fx"
MINORS = sorted(p.name for p in HERE.iterdir() if p.is_dir())
PACKS = [f"{minor}/{p.stem}" for minor in MINORS for p in sorted((HERE / minor).glob("*.so"))]
WRAPPED = [p for p in PACKS if p.split("/")[1] not in ("every_slot", "store", "reference", "rust")]

HEAD = '<ir_version: 10, opset_import: ["": 21, "frozen": 1]> '
MODELS = {
    "scaled": """g (float[N, 3] x) => (float[N, 3] y, float[N, 3] z) {
        y, z = frozen.Scaled <scale = 2.5, comment = "none"> (x) }""",
    "sizes": """g (float[N, 6] x) => (float[K, 3] y, int64[1] n, float[M, 6] z) <int64[2] s = {-1, 3}> {
        y, n, z = frozen.Sizes (x, s) }""",
    "either": """g (bool p, float[N] x, float[N] w) => (float[N] y) { y = frozen.Either <
        yes = a () => (float[N] u) { u = Mul (x, w) }, no = b () => (float[N] v) { v = Neg (x) } > (p) }""",
    "table": """g (float[N, 2] x) => (float[N, 2] y) { y = frozen.Table <table = float[2] {1.5, -2.0}> (x) }""",
    "words": """g (float[N] x) => (float[N] z) <string[2] w = {"one", "two"}> { y = frozen.Words (x, w) z = Relu (y) }""",
    "running": """g (float[2] s, float[T, 2] x) => (float[T, 2] y) { y = frozen.Running (s, x) }""",
    "again": """g (float[N] a, float[N] x) => (float[N] y) {
        b = Mul (a, a) c = Neg (b) d = frozen.Again <from = "a", to = "c"> (x) y = Add (c, d) }""",
    "typed": """g (float[N] x) => (y) { y = frozen.Typed <type = float[N, 7]> (x) z = Identity (y) }""",
}  # fmt: skip


def onnx2fx(folder, *arguments):
    environment = {"PATH": os.defpath, "XDG_DATA_HOME": "/nonexistent"}
    done = subprocess.run([PROGRAM, *map(str, arguments)], cwd=folder, env=environment, capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr.partition("wrote out")[0]


def save(folder, name):
    model = onnx.parser.parse_model(HEAD + MODELS[name])
    if name == "typed":  # which the text syntax has no word for
        del model.graph.node[0].attribute[:]
        of = onnx.helper.make_tensor_type_proto(onnx.TensorProto.FLOAT, ["N", 7])
        model.graph.node[0].attribute.append(onnx.helper.make_attribute("type", of))
    onnx.save(model, folder / "m.onnx")


def converted(folder, pack, name):
    """The program with what the pack said while it was made: warnings, then notes for the report."""
    save(folder, name)
    descriptor = HERE / f"{pack}.onnx2fx.json"
    code, _, said = onnx2fx(folder, "m.onnx", "-o", "out", "--dialect", "aten", "--debug", "--plugin", descriptor)
    assert code == 0, said
    report = json.loads((folder / "out" / "report.json").read_text())
    notes = [f"note of {n['name']}: {note}\n" for n in report["nodes"] for note in n.get("notes", ())]
    identity = json.loads(descriptor.read_text())["plugin"]["id"]
    return said.replace(identity, "ID") + "".join(sorted(notes))


def golden(pack, name):
    return HERE / pack.split("/")[0] / f"{name}.txt"


CASES = [(p, n) for p in PACKS if p.endswith("/every_slot") for n in MODELS]
CASES += [(p, n) for p in WRAPPED for n in ("scaled", "sizes", "either")]
CASES += [(p, "scaled") for p in PACKS if p.endswith("/rust")]


@pytest.mark.parametrize("pack, name", CASES)
def test_program_is_what_it_was(tmp_path, pack, name):
    assert converted(tmp_path, pack, name) == golden(pack, name).read_text()


def test_compilers():
    """C, C++ by gcc (both ABIs of its library) and clang (both libraries), Rust."""
    assert [p for p in PACKS if p.startswith("1.0/")] == [
        f"1.0/{name}" for name in ("clang", "every_slot", "gcc", "libcxx", "old-abi", "reference", "rust", "store")
    ]


@pytest.mark.parametrize("pack", PACKS)
def test_library_is_small_and_keeps_the_rules(tmp_path, pack):
    library = HERE / f"{pack}.so"
    assert library.stat().st_size < 100 << 10
    descriptor = json.loads((HERE / f"{pack}.onnx2fx.json").read_text())
    code, out, errors = onnx2fx(tmp_path, "plugin", "check", library)
    assert code == 0 and errors == "", errors
    assert out.startswith(f"ok: {library}: {descriptor['plugin']['id']} 1.0.0, ABI {pack.split('/')[0]}"), out


@pytest.mark.parametrize("pack", [p for p in PACKS if not p.endswith(("/store", "/reference"))])
def test_error_of_a_lowering(tmp_path, pack):
    text = HEAD + "g (float[N] x) => (float[N] y) { y = frozen.Fails () }"
    onnx.save(onnx.parser.parse_model(text), tmp_path / "m.onnx")
    assert onnx2fx(tmp_path, "m.onnx", "-o", "out", "--plugin", HERE / f"{pack}.onnx2fx.json") == (
        1, "", "error: m.onnx: node 'y' (frozen.Fails, opset 1): expected another operator, got this one\n",
    )  # fmt: skip


@pytest.mark.parametrize("pack", [p for p in PACKS if p.endswith("/store")])
def test_source_of_weights(tmp_path, pack):
    """A tensor that is mapped, and one that is read."""
    text = """g (float[N, 2] x) => (float[N, 2] y) <float[2] mapped = {0, 0}, float[2] copied = {0, 0}> {
        h = Add (x, mapped) y = Mul (h, copied) }"""
    onnx.save(onnx.parser.parse_model(HEAD + text), tmp_path / "m.onnx")
    (tmp_path / "w.frozen").write_text("mapped a.bin\ncopied b.read\n")
    (tmp_path / "a.bin").write_bytes(struct.pack("2f", 1, 2))
    (tmp_path / "b.read").write_bytes(struct.pack("2f", 3, 4))
    rules = {"config_version": "1.0", "weights": {"sources": [{"tensors": "*", "location": "w.frozen"}]}}
    (tmp_path / "manifest.json").write_text(json.dumps(rules))
    options = ("--manifest", "manifest.json", "--weights", "copy", "--plugin", HERE / f"{pack}.onnx2fx.json")
    assert onnx2fx(tmp_path, "m.onnx", "-o", "out", *options) == (0, "", "")
    data = (tmp_path / "out" / "weights.safetensors").read_bytes()
    header = json.loads(data[8 : 8 + struct.unpack("<Q", data[:8])[0]])
    begin = 8 + struct.unpack("<Q", data[:8])[0]
    read = {
        name: struct.unpack("2f", data[begin + t["data_offsets"][0] : begin + t["data_offsets"][1]])
        for name, t in header.items()
        if name != "__metadata__"
    }
    assert read == {"mapped": (1, 2), "copied": (3, 4)}


def write_tensors(folder, **tensors):
    folder.mkdir()
    for file, (kind, *values) in tensors.items():
        tensor = onnx.helper.make_tensor("t", kind, [len(values)], values)
        (folder / f"{file}.pb").write_bytes(tensor.SerializeToString())


@pytest.mark.parametrize("pack", [p for p in PACKS if p.endswith("/reference")])
def test_reference_function(tmp_path, pack):
    """It is handed inputs, one that is left out, and options; it gives two results, and an error."""
    text = """g (float[N] x, float[N] w) => (float[N] y, int64[2] n) { y, n = frozen.Sum <options = OPTIONS> (x, , w) }"""
    arguments = ("verify", "m.onnx", "--data", "data", "--plugin", HERE / f"{pack}.onnx2fx.json", "--torch-library", HERE / f"{pack}.so")
    floats, integers = onnx.TensorProto.FLOAT, onnx.TensorProto.INT64
    write_tensors(
        tmp_path / "data", input_0=(floats, 1.0, 2.0, 3.0), input_1=(floats, 10.0, 20.0, 30.0),
        output_0=(floats, 11.0, 22.0, 33.0), output_1=(integers, 2, 1),
    )  # fmt: skip
    onnx.save(onnx.parser.parse_model(HEAD + text.replace("OPTIONS", '""')), tmp_path / "m.onnx")
    code, out, errors = onnx2fx(tmp_path, *arguments)
    assert (code, errors, [line.split()[-1] for line in out.splitlines()[1:]]) == (0, "", ["ok", "ok"])
    onnx.save(onnx.parser.parse_model(HEAD + text.replace("OPTIONS", '"fails"')), tmp_path / "m.onnx")
    assert onnx2fx(tmp_path, *arguments) == (1, "", "error: node 'y' (onnx2fx::reference): frozen::sum: options: expected others\n")


if __name__ == "__main__":  # test_frozen.py MINOR: the programs, on the day that the packs are made
    import sys
    import tempfile

    for name in MODELS:
        with tempfile.TemporaryDirectory() as work:
            pack = f"{sys.argv[1]}/every_slot"
            golden(pack, name).write_text(converted(pathlib.Path(work), pack, name))
