"""A pack whose torch operator is in a library against PyTorch's stable ABI: the package says which, whoever runs it loads it."""
import hashlib
import json
import shutil
import struct
import subprocess

import onnx
import onnx.helper
import onnx.parser
import pytest
import torch
from test_hostile import BUILD, onnx2fx
from test_in_process import python

LIBRARIES = BUILD / "tests" / "plugins" / "torch_op"
LIBRARY = "example_pack_torch.so"
MODEL = """<ir_version: 10, opset_import: ["": 21, "com.example": 1]>
g (float[N] x) => (float[N] y) { y = com.example.SoftClip <limit = 2.0> (x) }"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "pack").mkdir()
    for name in ("soft_clip.so", "soft_clip.onnx2fx.json", LIBRARY):
        shutil.copy(LIBRARIES / name, tmp_path / "pack")
    onnx.save(onnx.parser.parse_model(MODEL), tmp_path / "m.onnx")
    return tmp_path


def sha256(folder):
    return hashlib.sha256((folder / "pack" / LIBRARY).read_bytes()).hexdigest()


def needed(folder):
    return f"{LIBRARY} of com.example.pack 1.0.0 (sha256 {sha256(folder)}, torch 2.10 or later)"


def convert(folder):
    return onnx2fx(folder, "m.onnx", "-o", "out", "--plugin-dir", "pack")


def test_package_says_which_it_needs(folder):
    assert convert(folder) == (0, "", "")
    graph = json.loads((folder / "out" / "graph.json").read_text())
    assert graph["version"] == "1.2"
    assert graph["torch_libraries"] == [
        {
            "file": LIBRARY,
            "plugin": "com.example.pack",
            "version": "1.0.0",
            "sha256": sha256(folder),
            "min_torch": "2.10",
            "targets": ["example::soft_clip"],
        }
    ]


def test_pack_without_its_library(folder):
    (folder / "pack" / LIBRARY).unlink()
    assert convert(folder) == (
        0,
        "",
        f"warning: plugin 'com.example.pack': torch_library: DIR/pack/{LIBRARY}: cannot open file: No such file or directory\n"
        "  note: the module runs with any library of this name: its sha256 is not known\n",
    )
    graph = json.loads((folder / "out" / "graph.json").read_text())
    assert "sha256" not in graph["torch_libraries"][0]


def test_library_outside_the_folder_of_the_descriptor(folder):
    path = folder / "pack" / "soft_clip.onnx2fx.json"
    path.write_text(path.read_text().replace(LIBRARY, f"sub/{LIBRARY}"))
    (folder / "elsewhere").mkdir()
    (folder / "pack" / "sub").symlink_to(folder / "elsewhere")
    assert convert(folder) == (
        3,
        "",
        "error: DIR/pack/soft_clip.onnx2fx.json: /plugin/torch_library: expected a file inside DIR/pack, "
        f"got DIR/elsewhere/{LIBRARY}\n",
    )


JUDGED = {
    "text": "expected an ELF shared library, got a text file",
    "run path": "run path 'lib': expected an absolute one, or $ORIGIN",
}


@pytest.mark.parametrize("what", JUDGED)
def test_library_that_no_plugin_could_be(folder, what):
    library = folder / "pack" / LIBRARY
    library.unlink()
    if what == "text":
        library.write_text("INPUT(libother.so)\n")
    else:  # where code would come from the folder that the process stands in
        subprocess.run(["gcc", "-shared", "-x", "c", "/dev/null", "-Wl,-rpath,lib", "-o", library], check=True)
    assert convert(folder) == (3, "", f"error: DIR/pack/{LIBRARY}: {JUDGED[what]}\n")
    library.rename(folder / LIBRARY)  # given directly, beside a package that asks for any of this name
    data_set(folder)
    code, out, errors = onnx2fx(folder, "verify", "m.onnx", "--data", "data", "--plugin-dir", "pack", "--torch-library", LIBRARY)
    assert (code, out) == (1, "") and errors.endswith(f"error: {LIBRARY}: torch library: {JUDGED[what]}\n"), errors


@pytest.mark.parametrize("needs", ["run path 'lib': expected an absolute one, or $ORIGIN", "needs 'sub/libneeded.so': expected a name, an absolute path, or $ORIGIN"])
def test_relative_path_in_python(folder, needs):
    """Judged before anything of it is loaded: its constructor would leave a file."""
    (folder / "sub").mkdir()
    source = '#include <fcntl.h>\n__attribute__((constructor)) static void ran(void) { open("ran", O_CREAT, 0600); }\n'
    (folder / "needed.c").write_text("int needed;\n")
    (folder / "clip.c").write_text(source + "extern int needed; int *clip(void) { return &needed; }\n")
    gcc = ("gcc", "-shared", "-fPIC")
    subprocess.run([*gcc, "needed.c", "-o", "sub/libneeded.so"], check=True, cwd=folder)
    link = ["-Lsub", "-lneeded", "-Wl,-rpath,lib"] if needs.startswith("run path") else ["sub/libneeded.so"]
    subprocess.run([*gcc, "clip.c", *link, "-o", "clip.so"], check=True, cwd=folder)
    program = f"""
from onnx_to_fx import PackageError
from onnx_to_fx.loader.torch_libraries import load_torch_libraries
try:
    load_torch_libraries("clip.so")
except PackageError as error:
    assert str(error) == "clip.so: torch library: {needs}", error
else:
    raise AssertionError("it was loaded")
assert not pathlib.Path("ran").exists()
"""
    assert python(folder, program) == (0, "", "")


def data_set(folder):
    (folder / "data").mkdir()
    for name, values in (("input_0", [-1.0, 0.0, 3.0]), ("output_0", [2 * v for v in torch.tanh(torch.tensor([-0.5, 0, 1.5])).tolist()])):
        tensor = onnx.helper.make_tensor("t", onnx.TensorProto.FLOAT, [3], struct.pack("3f", *values), raw=True)
        (folder / "data" / f"{name}.pb").write_bytes(tensor.SerializeToString())


def test_verify(folder):
    data_set(folder)
    arguments = ("verify", "m.onnx", "--data", "data", "--plugin-dir", "pack")
    code, out, errors = onnx2fx(folder, *arguments, "--torch-library", f"pack/{LIBRARY}")
    assert (code, errors) == (0, "") and " ok" in out
    assert onnx2fx(folder, *arguments) == (
        1,
        "",
        "error: node 'y' (example::soft_clip): target: expected an operator of this LibTorch, got 'example::soft_clip'\n"
        f"  note: it is in {needed(folder)}: load that file first (--torch-library, load_torch_library)\n",
    )
    other = folder / LIBRARY
    other.write_bytes((folder / "pack" / LIBRARY).read_bytes() + b"more")
    assert onnx2fx(folder, *arguments, "--torch-library", LIBRARY) == (
        1,
        "",
        f"error: {LIBRARY}: torch library: expected {needed(folder)}, "
        f"got one with sha256 {hashlib.sha256(other.read_bytes()).hexdigest()}\n"
        "  note: give that one, or convert the model again with this pack\n",
    )


def test_in_python(folder):
    """One process: absent, of other bytes, too old a torch, right, and built anew since."""
    assert convert(folder) == (0, "", "")
    program = f"""
import shutil
from onnx_to_fx import PackageError, load
sys.path.insert(0, ".")
LIBRARY = folder / "pack" / {LIBRARY!r}
NEEDED = {needed(folder)!r}
def refused(**options):
    try:
        load("out", **options)
    except PackageError as error:
        return str(error).replace(str(folder), "DIR")
assert refused() == ("program 'root': node 'y': target 'example::soft_clip': torch has no such operator; "
    f"it is in {{NEEDED}}: give the path of that file, torch_libraries=[...]"), refused()
other = folder / {LIBRARY!r}
other.write_bytes(LIBRARY.read_bytes() + b"more")
assert refused(torch_libraries=other).startswith(f"DIR/{LIBRARY}: torch library: expected {{NEEDED}}, got one with sha256 ")
assert refused(torch_libraries=["none.so"]) == "none.so: torch library: cannot be read: No such file or directory"
graph = pathlib.Path("out/graph.json")
text = graph.read_text()
graph.write_text(text.replace('"min_torch":"2.10"', '"min_torch":"99.0"'))
assert refused(torch_libraries=LIBRARY) == f"DIR/pack/{LIBRARY}: torch library: expected torch 99.0 or later, got {{torch.__version__}}"
graph.write_text(text)
import out
for module in (load("out", torch_libraries=LIBRARY), out.load(torch_libraries=[LIBRARY])):
    assert torch.allclose(module(X), 2 * torch.tanh(X / 2))
x = X.clone().requires_grad_()
module(x).sum().backward()
assert torch.allclose(x.grad, 1 - torch.tanh(X / 2) ** 2)
graph.write_text(text.replace("{sha256(folder)}", "0" * 64))
assert refused(torch_libraries=LIBRARY).startswith(f"DIR/pack/{LIBRARY}: torch library: expected {LIBRARY} of ")
graph.write_text(text.replace('"sha256":"{sha256(folder)}",', ""))
LIBRARY.unlink()
shutil.copy(other, LIBRARY)
assert refused(torch_libraries=LIBRARY) == (
    f"DIR/pack/{LIBRARY}: torch library: expected the one that is loaded, got another, built since; end this process")
"""
    assert python(folder, program) == (0, "", "")
