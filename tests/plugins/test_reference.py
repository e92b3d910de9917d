"""Functions of a pack that compute what has no kernel: the package says whose, whoever runs it loads it; what they may not do."""
import hashlib
import json
import shutil

import onnx.parser
import pytest
from test_hostile import BUILD, onnx2fx
from test_in_process import python
from test_torch_library import data_set

LIBRARIES = BUILD / "tests" / "plugins" / "libraries"
LIBRARY = "hostile_reference.so"
CALL = """<ir_version: 10, opset_import: ["": 21, "com.acme": 1]>
g (float[N] x) => ({type} y) {{ y = com.acme.Call <function = "{function}"{more}> ({inputs}) }}"""


def model(function, inputs="x", more="", type="float[N]"):
    return CALL.format(function=function, inputs=inputs, more=more, type=type)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "pack").mkdir()
    for name in (LIBRARY, "hostile_reference.onnx2fx.json"):
        shutil.copy(LIBRARIES / name, tmp_path / "pack")
    onnx.save(onnx.parser.parse_model(model("copy")), tmp_path / "m.onnx")
    return tmp_path


def sha256(folder):
    return hashlib.sha256((folder / "pack" / LIBRARY).read_bytes()).hexdigest()


def needed(folder):
    return f"{LIBRARY} of com.acme.reference 1.0.0 (sha256 {sha256(folder)})"


def convert(folder):
    return onnx2fx(folder, "m.onnx", "-o", "out", "--plugin-dir", "pack")


def test_package_says_which_it_needs(folder):
    assert convert(folder) == (0, "", "")
    graph = json.loads((folder / "out" / "graph.json").read_text())
    assert graph["torch_libraries"] == [
        {
            "file": LIBRARY,
            "plugin": "com.acme.reference",
            "version": "1.0.0",
            "sha256": sha256(folder),
            "targets": ["acme::copy"],
        }
    ]
    call = next(n for n in graph["programs"][0]["nodes"] if n.get("target") == "onnx2fx::reference")
    assert call["args"] == ["acme::copy", [{"node": "x"}], "", [{"dtype": "float32"}], [1], [{"node": "sym_size"}]]


def test_function_that_the_pack_has_not(folder):
    onnx.save(onnx.parser.parse_model(model("cpy")), folder / "m.onnx")
    assert convert(folder) == (
        3,
        "",
        "error: m.onnx: node 'y' (com.acme.Call, opset 1): onnx2fx::reference: function: expected one of this plugin's table, "
        "got 'acme::cpy'; did you mean 'acme::copy'?\n"
        "  note: this is a fault of plugin com.acme.reference 1.0.0\n",
    )


def test_absent_in_verify(folder):
    data_set(folder)
    assert onnx2fx(folder, "verify", "m.onnx", "--data", "data", "--plugin-dir", "pack") == (
        1,
        "",
        "error: node 'y' (onnx2fx::reference): function: expected one of a library that is loaded, got 'acme::copy'\n"
        f"  note: it is in {needed(folder)}: load that file first (--torch-library, load_torch_library)\n",
    )


# function -> what it did; the same words in Python and in C++
WRONG = {
    "refuse": "x: expected a better one",
    "nothing": "output 0: expected a tensor, got none",
    "twice": "output 0: asked for twice",
    "longer": "output 0: expected float32[3], got float32[7]",
    "wider": "output 0: expected float32[3], got float64[3]",
    "beyond": "output 1: expected one of 1",
    "throws": "unknown exception",
    "mute": "returned status -3 without a text",
    "cheerful": "set_error: status: expected one below 0, got 0",
}


@pytest.mark.parametrize("function", WRONG)
def test_wrong_function_in_verify(folder, function):
    data_set(folder)
    onnx.save(onnx.parser.parse_model(model(function)), folder / "m.onnx")
    arguments = ("verify", "m.onnx", "--data", "data", "--plugin-dir", "pack", "--torch-library", f"pack/{LIBRARY}")
    assert onnx2fx(folder, *arguments) == (
        1,
        "",
        f"error: node 'y' (onnx2fx::reference): acme::{function}: {WRONG[function]}\n",
    )


FAULT = "  note: this is a fault of plugin com.acme.reference 1.0.0\n"
ENDS = {
    "crashes": (-6, "crashed while it computed acme::crashes: Aborted"),
    "ends": (3, "ended the process while it computed acme::ends: exit code 0"),
}


@pytest.mark.parametrize("function", ENDS)
def test_end_inside_a_function_is_told(folder, function):
    data_set(folder)
    onnx.save(onnx.parser.parse_model(model(function)), folder / "m.onnx")
    arguments = ("verify", "m.onnx", "--data", "data", "--plugin-dir", "pack", "--torch-library", f"pack/{LIBRARY}")
    code, what = ENDS[function]
    assert onnx2fx(folder, *arguments) == (code, "", f"error: pack/{LIBRARY}: {what}\n{FAULT}")


def test_crash_names_the_function_where_faulthandler_is_on(folder):
    onnx.save(onnx.parser.parse_model(model("crashes")), folder / "m.onnx")
    program = f"""
LIBRARY = "pack/{LIBRARY}"
convert_onnx_to_fx(onnx.load("m.onnx"), plugin_dirs=["pack"], torch_libraries=LIBRARY)(X)
"""
    code, out, errors = python(folder, program, "-X", "faulthandler")
    assert (code, out) == (-6, "")
    assert errors.startswith("Fatal Python error: Aborted\n")
    assert f" in acme::crashes of com.acme.reference 1.0.0 in DIR/pack/{LIBRARY}\n" in errors


def test_in_python(folder):
    """One process: absent, of other bytes, right; what functions do wrong; options, inputs left out, sizes of the data."""
    assert convert(folder) == (0, "", "")
    program = f"""
from onnx_to_fx import PackageError, load
LIBRARY = folder / "pack" / {LIBRARY!r}
NEEDED = {needed(folder)!r}
def refused(**options):
    try:
        load("out", **options)
    except PackageError as error:
        return str(error).replace(str(folder), "DIR")
assert refused() == ("program 'root': node 'y': target 'onnx2fx::reference': no library that is loaded has 'acme::copy'; "
    f"it is in {{NEEDED}}: give the path of that file, torch_libraries=[...]"), refused()
other = folder / {LIBRARY!r}
other.write_bytes(LIBRARY.read_bytes() + b"more")
assert refused(torch_libraries=other).startswith(f"DIR/{LIBRARY}: torch library: expected {{NEEDED}}, got one with sha256 ")
module = load("out", torch_libraries=LIBRARY)
for x in X, X[:0], torch.arange(9.0)[::2]:
    assert torch.equal(module(x), x)
import out
assert torch.equal(out.load(torch_libraries=[LIBRARY])(X), X)
def run(text, x=X):
    model = onnx.parser.parse_model(text)
    return convert_onnx_to_fx(model, plugin_dirs=["pack"])(x)
for function, what in {WRONG!r}.items():
    try:
        run({model("FUNCTION")!r}.replace("FUNCTION", function), X[:3])
    except RuntimeError as error:
        assert str(error).splitlines()[0] == f"acme::{{function}}: {{what}}", error
    else:
        raise AssertionError(function)
assert run({model("count", "x, , x", ', options = "42"', "float[2]")!r}).tolist() == [2.5, 42]
assert run({model("positive", type="float[K]")!r}).tolist() == [2, 4]
graph = pathlib.Path("out/graph.json")
text = graph.read_text()
copy = folder / "another.so"
import shutil
shutil.copy(LIBRARY, copy)
graph.write_text(text)
assert torch.equal(load("out", torch_libraries=copy)(X), X)  # these bytes are loaded
copy.write_bytes(copy.read_bytes() + b"more")
assert refused(torch_libraries=copy) == ("DIR/another.so: torch library: reference function 'acme::copy': "
    "expected a name of its own, got one that DIR/pack/{LIBRARY} has; give one of the two; "
    "a process has one function of a name"), refused(torch_libraries=copy)
model = onnx.parser.parse_model({model("positive", type="float[K]")!r})
program = torch.export.export(convert_onnx_to_fx(model, plugin_dirs=["pack"]), (X,))
assert program.module()(X).tolist() == [2, 4]
meta = load("out", weights="meta")
assert meta(torch.empty(3, device="meta")).shape == (3,)
from concurrent.futures import ThreadPoolExecutor
with ThreadPoolExecutor(4) as pool:
    for i, y in enumerate(pool.map(lambda i: module(torch.full((50,), float(i))), range(200))):
        assert torch.equal(y, torch.full((50,), float(i)))
"""
    assert python(folder, program) == (0, "", "")
