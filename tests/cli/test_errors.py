"""What onnx2fx refuses: exit code and message asserted whole, and that nothing is left behind."""

import json
import os
import pathlib
import re
import resource
import shutil
import subprocess

import numpy as np
import onnx
import onnx.parser
import pytest
from onnx import TensorProto, helper, numpy_helper

ROOT = pathlib.Path(__file__).parents[2]
BUILD = pathlib.Path(os.environ.get("ONNX2FX_BUILD", ROOT / "build" / "release"))
PROGRAM = BUILD / "bin" / "onnx2fx"
LIBRARIES = BUILD / "tests" / "plugins" / "libraries"

RELU = "g (float[2] x) => (float[2] y) { y = Relu(x) }"


def onnx2fx(*arguments, cwd):
    """Exit code and messages, without the summary of a success."""
    environment = {"PATH": os.defpath, "XDG_DATA_HOME": "/nonexistent"}
    done = subprocess.run(
        [PROGRAM, *map(str, arguments)], capture_output=True, text=True, env=environment, cwd=cwd
    )
    assert done.stdout == ""
    return done.returncode, done.stderr.partition("wrote out")[0]


def entries(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*"))


def refused(folder, *arguments):
    """Converts folder/m.onnx to folder/out, which must fail and leave every folder as it was."""
    before = entries(folder)
    result = onnx2fx("m.onnx", "-o", "out", *arguments, cwd=folder)
    assert entries(folder) == before
    return result


def parsed(graph, imports='"": 17', ir=8):
    return onnx.parser.parse_model(f"<ir_version: {ir}, opset_import: [{imports}]> {graph}")


def built(nodes, initializers=(), opset=17):
    ports = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [2]) for n in "xy"]
    graph = helper.make_graph(nodes, "g", ports[:1], ports[1:], initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def convert(folder, model):
    (folder / "m.onnx").write_bytes(
        model if isinstance(model, bytes) else model.SerializeToString()
    )
    return refused(folder)


# ---- files that are no models


def weighted():
    weight = numpy_helper.from_array(np.zeros(2, np.float32), "w")
    return built([helper.make_node("Add", ["x", "w"], ["y"])], [weight])


FILES = {
    "empty": (b"", "error: m.onnx: not an ONNX model: the file is empty\n"),
    "text": (
        b"this is no model, only words\n",
        "error: m.onnx: not an ONNX model: byte 0: field of unknown wire type 4\n"
        "  note: this is a text file; onnx2fx reads models in ONNX's binary form\n",
    ),
    "json": (
        b'{"graph": {}}\n',
        "error: m.onnx: not an ONNX model: byte 0: field of unknown wire type 3\n"
        "  note: this is a text file; onnx2fx reads models in ONNX's binary form\n",
    ),
    "git lfs": (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 4\n",
        "error: m.onnx: not an ONNX model: byte 0: field of unknown wire type 6\n"
        "  note: this is a Git LFS pointer; fetch the model itself with 'git lfs pull'\n",
    ),
    "zip": (
        b"PK\x03\x04" + bytes(60),
        "error: m.onnx: not an ONNX model: byte 2: no field begins here\n"
        "  note: this is a zip archive: a PyTorch checkpoint, perhaps; unpack or export it first\n",
    ),
    "random bytes": (
        bytes(range(255, 0, -1)),
        "error: m.onnx: not an ONNX model: byte 0: number is longer than 64 bits\n",
    ),
    "zeros": (bytes(100), "error: m.onnx: not an ONNX model: byte 0: no field begins here\n"),
    "truncated": (
        weighted().SerializeToString()[:40],
        "error: m.onnx: truncated model: byte 2: field 7 runs past the end of the file: expected 72 bytes, got 36\n"
        "  note: the file seems to be cut short; download or export it again\n",
    ),
    "no graph": (
        onnx.ModelProto(ir_version=8).SerializeToString(),
        "error: m.onnx: not an ONNX model: it holds no graph\n",
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_file_that_is_no_model(tmp_path, name):
    data, message = FILES[name]
    assert convert(tmp_path, data) == (1, message)


def test_every_truncation_is_refused(tmp_path):
    data = weighted().SerializeToString()
    for size in range(1, len(data), 7):
        code, message = convert(tmp_path, data[:size])
        assert code == 1 and message.startswith("error: m.onnx: "), size


def test_missing_file(tmp_path):
    assert refused(tmp_path) == (1, "error: m.onnx: cannot open file: No such file or directory\n")


def test_folder_instead_of_a_file(tmp_path):
    (tmp_path / "m.onnx").mkdir()
    assert refused(tmp_path) == (
        1,
        "error: m.onnx: cannot read file: expected a regular file, got a folder\n",
    )


def test_pipe_instead_of_a_file(tmp_path):
    os.mkfifo(tmp_path / "m.onnx")
    assert refused(tmp_path) == (
        1,
        "error: m.onnx: cannot read file: expected a regular file, got a device or pipe\n",
    )


# ---- models that break ONNX's rules


def with_ir(version):
    model = parsed(RELU)
    model.ir_version = version
    return model


def without_ir():
    model = parsed(RELU)
    model.ClearField("ir_version")
    return model


def without_opsets():
    model = parsed(RELU)
    model.ClearField("opset_import")
    return model


def with_attribute(op, **attributes):
    return built([helper.make_node(op, ["x"], ["y"], name="n", **attributes)])


def attribute_twice():
    model = with_attribute("Softmax", axis=0)
    model.graph.node[0].attribute.append(model.graph.node[0].attribute[0])
    return model


def initializer(**fields):
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[2], **fields)
    return built([helper.make_node("Add", ["x", "w"], ["y"])], [tensor])


def recursive_functions():
    f = helper.make_function(
        "d",
        "F",
        ["a"],
        ["b"],
        [helper.make_node("G", ["a"], ["b"], domain="d")],
        [helper.make_opsetid("d", 1)],
    )
    g = helper.make_function(
        "d",
        "G",
        ["a"],
        ["b"],
        [helper.make_node("F", ["a"], ["b"], domain="d")],
        [helper.make_opsetid("d", 1)],
    )
    model = built([helper.make_node("F", ["x"], ["y"], domain="d")])
    model.opset_import.append(helper.make_opsetid("d", 1))
    model.functions.extend([f, g])
    return model


MODELS = {
    "IR version 0": (with_ir(0), "error: m.onnx: IR version: expected 1 to 14, got 0\n"),
    "IR version negative": (with_ir(-3), "error: m.onnx: IR version: expected 1 to 14, got -3\n"),
    "IR version absent": (
        without_ir(),
        "error: m.onnx: IR version: expected 1 to 14, got none\n"
        "  note: the file may be something else than a model\n",
    ),
    "opset absent": (
        without_opsets(),
        "error: m.onnx: opset of domain 'ai.onnx': expected a version, got none\n"
        "  note: first used by node #0 (Relu)\n",
    ),
    "opset zero": (
        parsed(RELU, '"": 0'),
        "error: m.onnx: opset of domain 'ai.onnx': expected 1 to 28, got 0\n",
    ),
    "opset twice": (
        parsed(RELU, '"": 17, "": 18'),
        "error: m.onnx: opset of domain 'ai.onnx': it is imported twice, as 17 and 18\n",
    ),
    "opset of another domain absent": (
        parsed("g (float[2] x) => (float[2] y) { y = ai.onnx.ml.Normalizer(x) }"),
        "error: m.onnx: opset of domain 'ai.onnx.ml': expected a version, got none\n"
        "  note: first used by node #0 (ai.onnx.ml.Normalizer)\n",
    ),
    "cycle of two": (
        parsed("g (float[2] x) => (float[2] y) { a = Add(x, b)  b = Relu(a)  y = Neg(b) }"),
        "error: m.onnx: cyclic graph: #0 -> #1 -> #0\n",
    ),
    "cycle of one": (
        parsed("g (float[2] x) => (float[2] y) { y = Add(x, y) }"),
        "error: m.onnx: cyclic graph: #0 -> #0\n",
    ),
    "undefined inputs": (
        parsed("g (float[2] x) => (float[2] y) { a = Add(x, p)  y = Add(a, q) }"),
        "error: m.onnx: node #0 (Add, opset 17): input 1: no value is named 'p'\n"
        "error: m.onnx: node #1 (Add, opset 17): input 1: no value is named 'q'\n",
    ),
    "undefined output": (
        parsed("g (float[2] x) => (float[2] y, float[2] z) { y = Relu(x) }"),
        "error: m.onnx: output #1: no node makes 'z'\n",
    ),
    "value defined twice": (
        parsed("g (float[2] x) => (float[2] y) { y = Relu(x)  y = Neg(x) }"),
        "error: m.onnx: node #1 (Neg, opset 17): output 0: expected a new name, got 'y', which is defined already\n",
    ),
    "required input left out": (
        parsed("g (float[2] x) => (float[2] y) { y = Add(x, ) }"),
        "error: m.onnx: node #0 (Add, opset 17): inputs: expected 2, got 1\n",
    ),
    "too few inputs": (
        parsed("g (float[2] x) => (float[2] y) { y = Add(x) }"),
        "error: m.onnx: node #0 (Add, opset 17): inputs: expected 2, got 1\n",
    ),
    "too many inputs": (
        parsed("g (float[2] x) => (float[2] y) { y = Relu(x, x) }"),
        "error: m.onnx: node #0 (Relu, opset 17): inputs: expected 1, got 2\n",
    ),
    "attribute of a wrong type": (
        with_attribute("Softmax", axis=1.5),
        "error: m.onnx: node 'n' (Softmax, opset 17): attribute 'axis': expected INT, got FLOAT\n",
    ),
    "attribute twice": (
        attribute_twice(),
        "error: m.onnx: node 'n' (Softmax, opset 17): attribute 'axis': it is given twice\n",
    ),
    "attribute unknown": (
        with_attribute("Relu", slope=0.5),
        "error: m.onnx: node 'n' (Relu, opset 17): attribute 'slope': the operator has none of that name\n",
    ),
    "attribute missing": (
        with_attribute("Cast"),
        "error: m.onnx: node 'n' (Cast, opset 17): attribute 'to': expected INT, got none\n",
    ),
    "functions that call each other": (
        recursive_functions(),
        "error: m.onnx: function 'd.F': it calls itself: 'd.F' -> 'd.G' -> 'd.F'\n",
    ),
    "tensor with too little data": (
        initializer(raw_data=b"1234"),
        "error: m.onnx: initializer 'w': raw_data: expected 8 bytes, got 4\n",
    ),
    "tensor without data": (
        initializer(),
        "error: m.onnx: initializer 'w': raw_data: expected 8 bytes, got 0\n",
    ),
    "tensor of an unknown data type": (
        parsed("g (float[2] x) => (float[2] y) { y = Relu(x) }"),
        "error: m.onnx: initializer 'w': data type: expected one of ONNX's, got 99\n",
    ),
}
MODELS["tensor of an unknown data type"][0].graph.initializer.append(
    TensorProto(name="w", data_type=99, dims=[1], raw_data=b"1")
)


@pytest.mark.parametrize("name", MODELS)
def test_model_that_breaks_the_rules(tmp_path, name):
    model, message = MODELS[name]
    assert convert(tmp_path, model) == (1, message)


def test_budget_is_spent_and_raised(tmp_path):
    functions = "".join(
        f'<opset_import: ["" : 17, "f" : 1], domain: "f"> F{i} (a) => (c) '
        f"{{ b = {call}(a) c = {call}(b) }}\n"
        for i, call in enumerate([f"f.F{i}" for i in range(1, 15)] + ["Relu"])
    )
    graph = "g (float[2] x) => (float[2] y) { y = f.F0(x) }\n"
    onnx.save(parsed(graph + functions, imports='"": 17, "f": 1'), tmp_path / "m.onnx")
    assert refused(tmp_path) == (
        1,
        "error: m.onnx: expanded bodies: expected at most 23100 from a model of 31 nodes, got more: "
        "function 'f.F14' was expanded 11548 times, into 46188 nodes\n"
        "  note: if the model is meant to become so large, raise the budget: --budget 10, "
        "or budget in the options of an embedder\n",
    )
    assert onnx2fx("m.onnx", "-o", "out", "--budget", 2, cwd=tmp_path) == (0, "")
    graph = json.loads((tmp_path / "out" / "graph.json").read_text())
    assert sum(n["op"] == "call_function" for n in graph["programs"][0]["nodes"]) == 2**15


def test_versions_too_new_are_warned_of(tmp_path):
    model = parsed(RELU)
    model.ir_version, model.opset_import[0].version = 99, 999
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    assert onnx2fx("m.onnx", "-o", "out", cwd=tmp_path) == (
        0,
        "warning: m.onnx: IR version: expected 1 to 14, got 99\n"
        "  note: the model is newer than this onnx2fx\n"
        "warning: m.onnx: opset of domain 'ai.onnx': expected at most 28, got 999\n"
        "  note: the model is newer than this onnx2fx; it is read by the rules of opset 28\n",
    )
    assert (tmp_path / "out" / "graph.json").exists()


# ---- operators that nobody lowers


def test_every_unknown_operator_is_listed(tmp_path):
    graph = "g (float[2] x) => (float[2] y) { a = Nonsense(x)  b = Nonsense(a)  c = Relu(b)  d = com.acme.Rope(c)  y = Rubbish(d) }"
    assert convert(tmp_path, parsed(graph, '"": 17, "com.acme": 2')) == (
        1,
        "error: m.onnx: node 'a' (Nonsense, opset 17): no loaded plugin lowers this operator\n"
        "error: m.onnx: node 'b' (Nonsense, opset 17): no loaded plugin lowers this operator\n"
        "error: m.onnx: node 'd' (com.acme.Rope, opset 2): no loaded plugin lowers this operator\n"
        "error: m.onnx: node 'y' (Rubbish, opset 17): no loaded plugin lowers this operator\n"
        "  note: give a plugin for it with --plugin-dir, or keep it as an opaque node with --keep-going\n",
    )


def test_unknown_domain_without_an_opset(tmp_path):
    assert convert(tmp_path, parsed("g (float[2] x) => (float[2] y) { y = com.acme.Rope(x) }")) == (
        1,
        "error: m.onnx: node 'y' (com.acme.Rope, opset 1): no loaded plugin lowers this operator\n"
        "  note: give a plugin for it with --plugin-dir, or keep it as an opaque node with --keep-going\n",
    )


def test_known_operator_of_a_later_opset(tmp_path):
    assert convert(tmp_path, parsed("g (float[2] x) => (float[2] y) { y = Gelu(x) }")) == (
        1,
        "error: m.onnx: node 'y' (Gelu, opset 17): no loaded plugin lowers this operator\n"
        "  note: onnx2fx.ai-onnx: lowers it at opset 20.., not at 17\n"
        "  note: keep it as an opaque node with --keep-going\n",
    )


@pytest.mark.parametrize(
    "op, known",
    [("relu", "Relu"), ("com.microsoft.Relu", "Relu' of domain 'ai.onnx"), ("Convv", "Conv"), ("QuickGelu", "QuickGelu' of domain 'com.microsoft")],
)
def test_unknown_operator_names_what_it_may_have_meant(tmp_path, op, known):
    graph = "g (float[2] x) => (float[2] y) { y = %s(x) }" % op
    code, message = convert(tmp_path, parsed(graph, '"": 17, "com.microsoft": 1'))
    opset = 1 if "." in op else 17
    assert (code, message) == (
        1,
        f"error: m.onnx: node 'y' ({op}, opset {opset}): no loaded plugin lowers this operator\n"
        f"  note: did you mean '{known}'?\n"
        "  note: give a plugin for it with --plugin-dir, or keep it as an opaque node with --keep-going\n",
    )


def test_names_cannot_write_to_the_terminal(tmp_path):
    node = helper.make_node("Bad\x1b[2J\nerror: forged", ["x"], ["y"], name="n\r\x07\x7f")
    assert convert(tmp_path, built([node])) == (
        1,
        "error: m.onnx: node 'n\\x0d\\x07\\x7f' (Bad\\x1b[2J\\x0aerror: forged, opset 17): no loaded plugin lowers this operator\n"
        "  note: give a plugin for it with --plugin-dir, or keep it as an opaque node with --keep-going\n",
    )


def test_kept_operators_cannot_write_to_the_terminal(tmp_path):
    (tmp_path / "m.onnx").write_bytes(
        built([helper.make_node("Bad\x1b[2J\n", ["x"], ["y"])]).SerializeToString()
    )
    assert onnx2fx("m.onnx", "-o", "out", "--keep-going", cwd=tmp_path) == (
        0,
        "warning: Bad\\x1b[2J\\x0a, opset 17: kept 1 opaque node\n",
    )


# ---- external data


def external(location, **entries):
    tensor = TensorProto(
        name="w", data_type=TensorProto.FLOAT, dims=[2], data_location=TensorProto.EXTERNAL
    )
    for key, value in {"location": location, **entries}.items():
        tensor.external_data.add(key=key, value=str(value))
    return built([helper.make_node("Add", ["x", "w"], ["y"])], [tensor])


EXTERNAL = {
    "missing": (
        external("w.bin"),
        "error: m.onnx: weight 'w': file 'w.bin' is missing\n"
        "  note: put the file beside the model, or convert with --weights meta\n",
    ),
    "outside": (
        external("../w.bin"),
        "error: m.onnx: weight 'w': external data '../w.bin': expected a path inside the model's folder, got one with '..'\n",
    ),
    "outside, by a detour": (
        external("sub/../../w.bin"),
        "error: m.onnx: weight 'w': external data 'sub/../../w.bin': expected a path inside the model's folder, got one with '..'\n",
    ),
    "absolute": (
        external("/etc/hostname"),
        "error: m.onnx: weight 'w': external data '/etc/hostname': expected a path inside the model's folder, got an absolute one\n",
    ),
    "too short": (
        external("short.bin"),
        "error: m.onnx: weight 'w': file 'short.bin': expected 8 bytes at offset 0, got a file of 4 bytes\n",
    ),
    "offset beyond the end": (
        external("short.bin", offset=4096, length=8),
        "error: m.onnx: weight 'w': file 'short.bin': expected 8 bytes at offset 4096, got a file of 4 bytes\n",
    ),
    "length that overflows": (
        external("short.bin", offset=2**64 - 4, length=8),
        "error: m.onnx: weight 'w': file 'short.bin': expected 8 bytes at offset 18446744073709551612, got a file of 4 bytes\n",
    ),
    "length of another size": (
        external("long.bin", length=4),
        "error: m.onnx: initializer 'w': external data: expected 8 bytes, got 4\n",
    ),
    "offset that is no number": (
        external("long.bin", offset="four"),
        "error: m.onnx: initializer 'w': external data: offset: expected decimal digits, below 2^64, got 'four'\n",
    ),
    "symbolic link": (
        external("link.bin"),
        "error: m.onnx: weight 'w': external data 'link.bin': leads out of the model's folder\n"
        "  note: if that file is meant, allow its folder with --weights-root, in Python with weight_roots\n",
    ),
    "folder": (
        external("sub"),
        "error: m.onnx: weight 'w': external data 'sub': cannot read file: expected a regular file, got a folder\n",
    ),
}


@pytest.mark.parametrize("weights", ["reference", "copy"])
@pytest.mark.parametrize("name", EXTERNAL)
def test_external_data(tmp_path, name, weights):
    model, message = EXTERNAL[name]
    folder = tmp_path / "models"
    (folder / "sub").mkdir(parents=True)
    (tmp_path / "w.bin").write_bytes(bytes(8))
    (folder / "short.bin").write_bytes(bytes(4))
    (folder / "long.bin").write_bytes(bytes(64))
    (folder / "link.bin").symlink_to("../w.bin")
    (folder / "m.onnx").write_bytes(model.SerializeToString())
    assert refused(folder, "--weights", weights) == (1, message)


# ---- plugins and manifests


@pytest.fixture
def pack(tmp_path):
    """A folder with a good pack, and a model beside it that needs it."""
    (tmp_path / "pack").mkdir()
    for name in ("rope.so", "rope.onnx2fx.json"):
        shutil.copy(LIBRARIES / name, tmp_path / "pack" / name)
    model = parsed(
        "g (float[2] x) => (float[2] y) { y = com.acme.Halve(x) }", '"": 17, "com.acme": 1'
    )
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    return tmp_path


def spoil(folder, change):
    descriptor = folder / "pack" / "rope.onnx2fx.json"
    content = json.loads(descriptor.read_text())
    change(content)
    descriptor.write_text(json.dumps(content))


def library(name):
    return lambda folder: shutil.copy(LIBRARIES / name, folder / "pack" / "rope.so")


PLUGINS = {
    "text file named .so": (
        lambda f: (f / "pack" / "rope.so").write_text("/* GNU ld script */\n"),
        "error: DIR/pack/rope.so: expected an ELF shared library, got a text file\n",
    ),
    "empty file named .so": (
        lambda f: (f / "pack" / "rope.so").write_bytes(b""),
        "error: DIR/pack/rope.so: expected an ELF shared library, got an empty file\n",
    ),
    "library cut short": (
        lambda f: (f / "pack" / "rope.so").write_bytes((LIBRARIES / "rope.so").read_bytes()[:3000]),
        "error: DIR/pack/rope.so: expected a whole ELF file, got a truncated or damaged one\n",
    ),
    "library missing": (
        lambda f: (f / "pack" / "rope.so").unlink(),
        "error: DIR/pack/rope.so: cannot be opened: No such file or directory\n",
    ),
    "entry of another ABI": (
        library("hostile_entry_2.so"),
        "error: DIR/pack/rope.so: plugin ABI 2, this host speaks 1.0\n"
        "  note: rebuild the plugin against this SDK, or upgrade onnx2fx\n",
    ),
    "table of another major version": (
        library("hostile_major.so"),
        "error: DIR/pack/rope.so: plugin ABI 2.0, this host speaks 1.0\n"
        "  note: rebuild the plugin against this SDK, or upgrade onnx2fx\n",
    ),
    "table that needs a newer host": (
        library("hostile_min_minor.so"),
        "error: DIR/pack/rope.so: needs a host of ABI 1.7 or newer, this host speaks 1.0\n"
        "  note: upgrade onnx2fx\n",
    ),
    "library without the entry": (
        library("hostile_no_entry.so"),
        "error: DIR/pack/rope.so: exports no onnx2fx_plugin_entry_1\n"
        "  note: a plugin is built with onnx2fx_add_plugin()\n",
    ),
    "library that does not link": (
        library("hostile_undefined.so"),
        "error: DIR/pack/rope.so: undefined symbol: a_function_that_nobody_has\n",
    ),
    "descriptor that is no JSON": (
        lambda f: (f / "pack" / "rope.onnx2fx.json").write_text("{"),
        "error: DIR/pack/rope.onnx2fx.json: line 1, column 2: syntax error while parsing object key - unexpected end of input; expected string literal\n",
    ),
    "descriptor of another version": (
        lambda f: spoil(f, lambda d: d["plugin"].update(version="9.9.9")),
        "error: DIR/pack/rope.so: version: expected 9.9.9 as in the descriptor, got 1.4.0\n"
        "  note: the descriptor is DIR/pack/rope.onnx2fx.json\n",
    ),
    "descriptor with an unknown key": (
        lambda f: spoil(f, lambda d: d["plugin"].update(licence="MIT")),
        "error: DIR/pack/rope.onnx2fx.json: /plugin: unknown key 'licence': expected one of 'id', 'version', 'library', 'torch_library', 'min_torch', 'sha256', 'abi', 'requires', 'description', 'license', 'homepage'\n"
        "  note: did you mean 'license'?\n",
    ),
}


@pytest.mark.parametrize("name", PLUGINS)
def test_plugin(pack, name):
    damage, message = PLUGINS[name]
    damage(pack)
    code, errors = refused(pack, "--plugin-dir", "pack")
    assert (code, errors.replace(str(pack), "DIR")) == (3, message)


def test_refusal_waits_for_its_threads(pack):
    """The schemas that a thread registers in the background must outlive it."""
    (pack / "pack" / "rope.so").write_text("no library")
    assert {refused(pack, "--plugin-dir", "pack")[0] for _ in range(20)} == {3}


MANIFESTS = {
    "unknown key": (
        3,
        '{"config_version": "1.0", "op_set": {}}',
        "error: manifest.json: /: unknown key 'op_set': expected one of '$schema', 'config_version', 'extends', 'plugin_dirs', 'plugins', 'on_conflict', 'on_unsupported', 'op_sets', 'default_op_set', 'weights'\n"
        "  note: did you mean 'op_sets'?\n",
    ),
    "duplicate key": (
        3,
        '{"config_version": "1.0", "plugin_dirs": [], "plugin_dirs": ["pack"]}',
        "error: manifest.json: /: duplicate key 'plugin_dirs'\n",
    ),
    "no JSON": (
        3,
        '{"config_version": ',
        "error: manifest.json: line 1, column 20: syntax error while parsing value - unexpected end of input; expected '[', '{', or a literal\n",
    ),
    "no object": (
        3,
        "[]",
        "error: manifest.json: /: expected an onnx2fx manifest: which plugins, which op set, who lowers what (onnx2fx --manifest FILE), got an array\n",
    ),
    "version missing": (
        3,
        "{}",
        "error: manifest.json: /: expected the key 'config_version', got none\n",
    ),
    "version too new": (
        3,
        '{"config_version": "2.0"}',
        'error: manifest.json: /config_version: expected a version 1.MINOR, got "2.0"\n',
    ),
    "wrong type": (
        3,
        '{"config_version": "1.0", "plugin_dirs": "pack"}',
        'error: manifest.json: /plugin_dirs: expected an array, got "pack"\n',
    ),
    "plugin folder missing": (
        3,
        '{"config_version": "1.0", "plugin_dirs": ["nowhere"]}',
        "error: manifest.json at /plugin_dirs/0: expected a readable folder, got nowhere: No such file or directory\n",
    ),
    "plugin required but absent": (
        3,
        '{"config_version": "1.0", "plugins": {"require": [{"id": "org.lab.other"}]}}',
        "error: manifest.json at /plugins/require/0: expected plugin 'org.lab.other', got none\n"
        "  note: no plugin was found\n",
    ),
    "op set unknown": (
        3,
        '{"config_version": "1.0", "default_op_set": "prod"}',
        "error: manifest.json: /default_op_set: expected one of 'onnx-N', got 'prod'\n",
    ),
    "op disabled": (
        1,
        '{"config_version": "1.0", "plugin_dirs": ["pack"], "op_sets": {"prod": {"disable": [{"domain": "com.acme", "op": "Halve"}]}}, '
        '"default_op_set": "prod"}',
        "error: m.onnx: node 'y' (com.acme.Halve, opset 1): disabled by manifest.json at /op_sets/prod/disable/0\n"
        "  note: keep it as an opaque node with --keep-going\n",
    ),
}


@pytest.mark.parametrize("name", MANIFESTS)
def test_manifest(pack, name):
    exit_code, text, message = MANIFESTS[name]
    (pack / "manifest.json").write_text(text)
    assert refused(pack, "--manifest", "manifest.json", "--no-default-plugins") == (
        exit_code,
        message,
    )


def test_disabled_operator_is_not_replaced_by_its_function_body(tmp_path):
    (tmp_path / "m.onnx").write_bytes(parsed(RELU).SerializeToString())
    (tmp_path / "manifest.json").write_text(
        '{"config_version": "1.0", "op_sets": {"prod": {"disable": [{"op": "Relu"}]}}, "default_op_set": "prod"}'
    )
    exit_code, message = refused(tmp_path, "--manifest", "manifest.json")
    assert exit_code == 1
    assert "(Relu, opset 17): disabled by manifest.json at /op_sets/prod/disable/0\n" in message


def test_missing_manifest(pack):
    assert refused(pack, "--manifest", "nowhere.json") == (
        3,
        "error: nowhere.json: cannot be read: No such file or directory\n",
    )


def test_missing_plugin_folder(pack):
    assert refused(pack, "--plugin-dir", "nowhere") == (
        3,
        "error: --plugin-dir: expected a readable folder, got nowhere: No such file or directory\n",
    )


# ---- the output folder


@pytest.fixture
def good(tmp_path):
    (tmp_path / "m.onnx").write_bytes(parsed(RELU).SerializeToString())
    return tmp_path


def test_output_folder_with_other_content(good):
    (good / "out").mkdir()
    (good / "out" / "mine.txt").write_text("mine")
    assert refused(good) == (
        1,
        "error: out: expected an empty folder or an FX package, got one with 'mine.txt'\n"
        "  note: choose another folder, or remove it\n",
    )


def test_output_is_a_file(good):
    (good / "out").write_text("mine")
    assert refused(good) == (
        1,
        "error: out: expected a folder or nothing, got a file\n"
        "  note: choose another folder, or remove it\n",
    )


def test_output_is_a_symbolic_link(good):
    (good / "elsewhere").mkdir()
    (good / "out").symlink_to("elsewhere")
    assert refused(good) == (
        1,
        "error: out: expected a folder or nothing, got a symbolic link\n"
        "  note: choose another folder, or remove it\n",
    )


def test_output_below_a_file(good):
    (good / "file").write_text("mine")
    before = entries(good)
    assert onnx2fx("m.onnx", "-o", "file/out", cwd=good) == (
        1,
        "error: file/out: expected to write the package, got: Not a directory\n",
    )
    assert entries(good) == before


def test_output_in_a_folder_that_cannot_be_written(good):
    before = entries(good)
    assert onnx2fx("m.onnx", "-o", "/proc/onnx2fx/out", cwd=good) == (
        1,
        "error: /proc/onnx2fx/out: expected to write the package, got: No such file or directory\n",
    )
    assert entries(good) == before


@pytest.mark.parametrize("weights", ["reference", "copy"])
def test_disk_that_is_full(good, weights):
    def little_room():
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))

    before = entries(good)
    command = [PROGRAM, "m.onnx", "-o", "new/out", "--weights", weights]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        cwd=good,
        preexec_fn=little_room,
    )
    assert (done.returncode, done.stdout) == (1, "")
    message = re.sub(r"write \d+", "write N", done.stderr)
    assert message == "error: new/out/graph.json: expected to write N bytes, got: File too large\n"
    assert entries(good) == before


def test_a_package_survives_a_failed_conversion(good):
    assert onnx2fx("m.onnx", "-o", "out", cwd=good) == (0, "")
    before = {p: p.read_bytes() for p in (good / "out").iterdir() if p.is_file()}
    (good / "m.onnx").write_bytes(b"")
    assert refused(good) == (1, "error: m.onnx: not an ONNX model: the file is empty\n")
    assert {p: p.read_bytes() for p in (good / "out").iterdir() if p.is_file()} == before


# ---- usage

USAGE = {
    "nothing": (
        (),
        "error: command line: expected MODEL -o DIR, got no MODEL\n"
        "  note: see onnx2fx --help\n",
    ),
    "no output": (
        ("m.onnx",),
        "error: command line: expected MODEL -o DIR, got no -o DIR\n"
        "  note: see onnx2fx --help\n",
    ),
    "unknown option": (
        ("m.onnx", "-o", "out", "--frobnicate"),
        "error: command line: unknown option '--frobnicate'\n"
        "  note: see onnx2fx --help\n",
    ),
    "option without a value": (
        ("m.onnx", "-o"),
        "error: command line: --output: 1 required DIR missing\n  note: see onnx2fx --help\n",
    ),
    "unknown weights": (
        ("m.onnx", "-o", "out", "--weights", "none"),
        "error: command line: --weights: expected one of reference, copy, meta, random, got 'none'\n"
        "  note: see onnx2fx --help\n",
    ),
    "unknown dialect": (
        ("m.onnx", "-o", "out", "--dialect", "torch"),
        "error: command line: --dialect: expected one of nn, aten, got 'torch'\n"
        "  note: see onnx2fx --help\n",
    ),
    "two models": (
        ("m.onnx", "n.onnx", "-o", "out"),
        "error: command line: expected no further word, got 'n.onnx'\n"
        "  note: see onnx2fx --help\n",
    ),
    "subcommand without its model": (
        ("inspect",),
        "error: command line: MODEL is required\n  note: see onnx2fx inspect --help\n",
    ),
    "plugin without a subcommand": (
        ("plugin",),
        "error: command line: A subcommand is required\n  note: see onnx2fx plugin --help\n",
    ),
}


@pytest.mark.parametrize("name", USAGE)
def test_usage(good, name):
    arguments, message = USAGE[name]
    before = entries(good)
    assert onnx2fx(*arguments, cwd=good) == (2, message)
    assert entries(good) == before
