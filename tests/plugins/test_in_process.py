"""Packs in a Python process: what is beside them there, and what changes while it runs."""
import os
import pathlib
import subprocess
import sys

from hostile_packs import pack

ROOT = pathlib.Path(__file__).parents[2]
BUILD = pathlib.Path(os.environ.get("ONNX2FX_BUILD", ROOT / "build" / "release"))
LIBRARIES = BUILD / "tests" / "plugins" / "libraries"

BEGIN = """
import json, pathlib, sys, threading
import onnx, onnx.parser, torch
from onnx_to_fx import PluginError, convert_onnx_to_fx, report
folder = pathlib.Path.cwd()
TEXT = '<ir_version: 8, opset_import: ["": 17, "com.acme": 1]> g (float[4] x) => (float[4] y) { y = com.acme.Relu(x) }'
model = onnx.parser.parse_model(TEXT)
X = torch.tensor([-1.0, 2.0, -3.0, 4.0])
def convert(**options):
    return convert_onnx_to_fx(model, plugin_dirs=[str(folder / "pack")], **options)
def refusal():
    try:
        convert()
    except PluginError as error:
        return str(error).replace(str(folder), "DIR")
"""


def python(folder, program, *flags):
    environment = {**os.environ, "PYTHONPATH": f"{BUILD}/lib/python/site-packages", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, *flags, "-c", BEGIN + program],
        capture_output=True, text=True, cwd=folder, env=environment, timeout=300,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr.replace(str(folder), "DIR")


def test_pack_with_protobuf_and_the_same_messages(tmp_path):
    """onnx's own module, this one and the pack each have onnx-ml.proto; the pack's is on the shared libprotobuf."""
    (tmp_path / "pack").mkdir()
    for name in ("hostile_protobuf.so", "hostile_protobuf.onnx2fx.json"):
        os.link(LIBRARIES / name, tmp_path / "pack" / name)
    program = """
assert convert()(X).tolist() == [0, 2, 0, 4]
maps = pathlib.Path("/proc/self/maps").read_text()
assert "libprotobuf.so" in maps and "libprotobuf.o2fx" in maps
"""
    assert python(tmp_path, program) == (0, "", "")


EIGHT = [str(LIBRARIES / f"own_protobuf_{n}.onnx2fx.json") for n in range(1, 9)]
CHAIN = " ".join(f"v{n} = com.acme.Relu{n}(v{n - 1})" for n in range(1, 8)) + " y = com.acme.Relu8(v7)"
EIGHT_TEXT = (
    '<ir_version: 8, opset_import: ["": 17, "com.acme": 1]> g (float[4] v0) => (float[4] y) { ' + CHAIN + " }"
)


def test_eight_packs_with_a_protobuf_each(tmp_path):
    """Beside those of the extension, of onnx's own module and of torch: ten times onnx-ml.proto is registered, and no two meet."""
    program = f"""
module = convert_onnx_to_fx(onnx.parser.parse_model({EIGHT_TEXT!r}), plugins={EIGHT!r})
assert module(X).tolist() == [0, 2, 0, 4]
libraries = {{line.split("/")[-1] for line in pathlib.Path("/proc/self/maps").read_text().splitlines() if "libprotobuf." in line}}
assert libraries >= {{"libprotobuf.o2fx", *(f"libprotobuf.own{{n}}" for n in range(1, 9))}}, libraries
"""
    assert python(tmp_path, program) == (0, "", "")


def test_eight_packs_with_a_protobuf_each_in_the_command(tmp_path):
    program = f'onnx.save(onnx.parser.parse_model({EIGHT_TEXT!r}), "m.onnx")'
    assert python(tmp_path, program) == (0, "", "")
    plugins = [word for path in EIGHT for word in ("--plugin", path)]
    done = subprocess.run([BUILD / "bin" / "onnx2fx", "m.onnx", "-o", "out", "-q", *plugins], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_rebuilt_pack_is_the_new_one(tmp_path):
    pack(tmp_path)
    program = """
import hostile_packs
assert convert()(X).tolist() == [0, 2, 0, 4]
hostile_packs.pack(folder, target="aten::neg")
assert convert()(X).tolist() == [1, -2, 3, -4]
hostile_packs.pack(folder, target="aten::abs")
assert convert()(X).tolist() == [1, 2, 3, 4]
"""
    program = f"sys.path.insert(0, {str(pathlib.Path(__file__).parent)!r})" + program
    assert python(tmp_path, program) == (0, "", "")


def test_two_packs_with_a_hash(tmp_path):
    """Each is mapped from the bytes that were hashed, and neither is taken for the other."""
    pack(tmp_path, where="a", name="com.acme.a", hashed=True)
    pack(tmp_path, where="b", name="com.acme.b", op="Neg", target="aten::neg", hashed=True)
    program = """
text = TEXT.replace("{ y = com.acme.Relu(x) }", "{ h = com.acme.Neg(x) y = com.acme.Relu(h) }")
both = convert_onnx_to_fx(onnx.parser.parse_model(text), plugin_dirs=[folder / "a", folder / "b"])
assert both(X).tolist() == [1, 0, 3, 0]
maps = pathlib.Path("/proc/self/maps").read_text()
assert "/a/p.so" not in maps and maps.count("/memfd:p.so") >= 2, maps
"""
    assert python(tmp_path, program) == (0, "", "")


def test_static_initialiser_that_throws_does_so_again(tmp_path):
    pack(tmp_path, language="c++",
         outside='#include <stdexcept>\nstatic struct T { T() { throw std::runtime_error("out of cheese"); } } thrower;')
    program = """
text = refusal()
print(text)
assert refusal() == text
"""
    assert python(tmp_path, program) == (
        0,
        "error: DIR/pack/p.so: a static initialiser threw an exception: out of cheese\n"
        "  note: end this process: its loader is left in the middle of a call\n",
        "",
    )


def test_what_a_plugin_says_is_a_warning(tmp_path):
    pack(tmp_path, hello='h->log(c, 1, (o2fx_str)O2FX_STR("an old kind")); h->log(c, 2, (o2fx_str)O2FX_STR("by the way"));')
    program = """
import warnings
from onnx_to_fx import ConversionWarning
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    module = convert()
text = "<memory>: node 'y' (com.acme.Relu, opset 1): an old kind\\n  note: from plugin com.acme.hostile"
assert [(str(w.message), w.category) for w in said] == [(text, ConversionWarning)], [str(w.message) for w in said]
assert report(module)["warnings"] == ["warning: " + text]
"""
    assert python(tmp_path, program) == (0, "", "")


def test_place_of_an_error_is_shown_with_debug(tmp_path):
    pack(tmp_path, hello='return h->set_error(c, O2FX_E_MODEL, "p.c", 7, (o2fx_str)O2FX_STR("out of cheese"));')
    program = """
for options, note in (({}, ""), ({"debug": True}, "\\n  note: raised at p.c:7")):
    try:
        convert(**options)
    except ValueError as error:
        assert str(error) == "error: <memory>: node 'y' (com.acme.Relu, opset 1): out of cheese" + note, error
    else:
        raise AssertionError
"""
    assert python(tmp_path, program) == (0, "", "")


def test_one_folder_or_glob_is_no_list_of_letters(tmp_path):
    pack(tmp_path)
    program = """
for one in (str(folder / "pack"), folder / "pack", [folder / "pack"]):
    assert convert_onnx_to_fx(model, plugin_dirs=one, weight_roots=str(folder))(X).tolist() == [0, 2, 0, 4]
text = TEXT.replace("{ y = com.acme.Relu(x) }", "<float[4] w = {1, 2, 3, 4}> { y = Mul(x, w) }")
module = convert_onnx_to_fx(onnx.parser.parse_model(text), frozen="w")
assert [p.requires_grad for p in module.parameters()] == [False]
"""
    assert python(tmp_path, program) == (0, "", "")


FAULT = "  note: this is a fault of plugin com.acme.hostile 1.0.0\n"
LOWERING = "while it lowered <memory>: node 'y' (com.acme.Relu, opset 1)"


def test_crash_is_told_where_faulthandler_is_on(tmp_path):
    pack(tmp_path, lower="*(volatile int *)0 = 1;")
    code, _, errors = python(tmp_path, "convert()", "-X", "faulthandler")
    assert code == -11
    assert errors.startswith(f"error: DIR/pack/p.so: crashed {LOWERING}: Segmentation fault\n{FAULT}")
    assert "Fatal Python error: Segmentation fault" in errors and 'in convert_onnx_to_fx' in errors
    code, _, errors = python(tmp_path, "convert()")
    assert (code, errors) == (-11, "")


def test_exit_ends_the_process_with_a_word(tmp_path):
    pack(tmp_path, lower="exit(0);")
    assert python(tmp_path, "convert()") == (
        3, "", f"error: DIR/pack/p.so: ended the process {LOWERING}: exit code 0\n{FAULT}",
    )  # fmt: skip
    assert python(tmp_path, "sys.exit(5)")[0] == 5


def test_what_discovery_warns_of_is_told_where_the_conversion_fails(tmp_path):
    """It is why: the variable that names the pack is relative, so not heard."""
    program = """
import os, warnings
from onnx_to_fx import UnsupportedOperatorError
os.environ["ONNX2FX_ADD_PLUGIN_PATH"] = "pack"
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    try:
        convert_onnx_to_fx(model)
    except UnsupportedOperatorError:
        pass
print(*(f"{pathlib.Path(w.filename).name}: {w.message}" for w in said))
"""
    code, out, errors = python(tmp_path, program)
    assert (code, errors) == (0, "")
    assert out == "<string>: ONNX2FX_ADD_PLUGIN_PATH: expected absolute paths, got 'pack', which is ignored\n"
