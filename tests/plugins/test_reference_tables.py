"""Tables of reference functions that break a rule: whoever judges one says the same, in C++ and in Python."""
import subprocess

import onnx.parser
import pytest
from test_hostile import ROOT, onnx2fx
from test_in_process import python
from test_torch_library import data_set

SOURCE = """
#include <onnx2fx/reference.h>
#include <string.h>
static o2fx_status f(const o2fx_reference_host *h, o2fx_ctx c, const o2fx_reference_call *k, const void *u) {{
  (void)h, (void)c, (void)k, (void)u;
  return O2FX_OK;
}}
static const o2fx_reference kRows[] = {{{rows}}};
static const o2fx_reference_ext kTable = {{{size}, {functions}, {n}, {stride}}};
static const void *extension(const char *id) {{ return strcmp(id, "onnx2fx.reference/1") ? NULL : &kTable; }}
static const o2fx_plugin kPlugin = {{{plugin_size}, {major}, 9, {least}, {flags}, O2FX_STR("com.acme.{name}"), O2FX_STR("1.0.0"),
                                    NULL, 0, 0, NULL, NULL, extension}};
O2FX_EXPORT const o2fx_plugin *onnx2fx_plugin_entry_1(void) {{ return {table}; }}
"""
FINE = dict(
    size="sizeof kTable", functions="kRows", n="sizeof kRows / sizeof *kRows", stride="sizeof(o2fx_reference)",
    plugin_size="sizeof kPlugin", major="1", least="0", flags="0", table="&kPlugin",
)  # fmt: skip
HEAD, ROW = "onnx2fx.reference/1: ", "onnx2fx.reference/1: function row 0: "
CASES = {  # what is wrong, and what is said of it: a note stands behind "; "
    "null": (dict(table="NULL"), ["onnx2fx_plugin_entry_1: expected a table, got NULL"]),
    "small": (dict(plugin_size="88"), ["struct_size: expected a multiple of 8 from 96 to 65536, got 88"]),
    "major": (
        dict(major="2"),
        ["plugin ABI 2.9, this host speaks 1.0; rebuild the plugin against this SDK, or upgrade onnx2fx"],
    ),
    "minor": (dict(least="9"), ["needs a host of ABI 1.9 or newer, this host speaks 1.0; upgrade onnx2fx"]),
    "flags": (dict(flags="6"), ["flags: expected known ones, got 6"]),
    "extension": (dict(size="16"), [HEAD + "struct_size: expected a multiple of 8 from 24 to 65536, got 16"]),
    "none": (dict(functions="NULL"), [HEAD + "functions: expected 1 to 65536 rows, got NULL"]),
    "empty": (dict(n="0"), [HEAD + "functions: expected 1 to 65536 rows, got 0"]),
    "many": (dict(n="65537"), [HEAD + "functions: expected 1 to 65536 rows, got 65537"]),
    "stride": (dict(stride="44"), [HEAD + "function_size: expected a multiple of 8 from 40 to 65536, got 44"]),
    "nameless": (dict(rows="{{NULL, 4}, 0, 0, f, NULL}"), [ROW + "expected a name such as acme::rope, got ''"]),
    "name": (dict(rows='{O2FX_STR("rope"), 0, 0, f, NULL}'), [ROW + "expected a name such as acme::rope, got 'rope'"]),
    "row": (
        dict(rows='{O2FX_STR("acme::row"), 1, 2, NULL, NULL}, {O2FX_STR("acme::row"), 0, 0, f, NULL}'),
        [
            ROW + "compute: expected a function, got NULL",
            ROW + "flags, reserved: expected 0, got 1, 2",
            HEAD + "function row 1: 'acme::row' stands there twice",
        ],
    ),
}


@pytest.fixture(scope="module")
def libraries(tmp_path_factory):
    """A folder with CASE.so of every case, and fine.so."""
    folder = tmp_path_factory.mktemp("tables")
    for name, (parts, _) in {**CASES, "fine": ({}, [])}.items():
        rows = f'{{O2FX_STR("acme::{name}"), 0, 0, f, NULL}}'
        (folder / f"{name}.c").write_text(SOURCE.format(**{**FINE, "rows": rows, "name": name, **parts}))
        command = ["gcc", "-w", "-shared", "-fPIC", "-fvisibility=hidden", f"-I{ROOT}/sdk/include", f"{name}.c", "-o", f"{name}.so"]
        subprocess.run(command, check=True, cwd=folder)
    return folder


def in_words_of_the_command(path, faults):
    return "".join(f"error: {path}: {fault}\n".replace("; ", "\n  note: ") for fault in faults)


@pytest.mark.parametrize("case", CASES)
def test_plugin_check(libraries, case):
    expected = in_words_of_the_command(f"DIR/{case}.so", CASES[case][1])
    assert onnx2fx(libraries, "plugin", "check", f"{case}.so") == (3, "", expected)


def test_plugin_check_lists_functions(libraries):
    code, out, _ = onnx2fx(libraries, "plugin", "check", "fine.so")
    assert (code, out) == (0, "ok: DIR/fine.so: com.acme.fine 1.0.0, ABI 1.9, needs host minor 0, 0 ops, computes acme::fine\n")


@pytest.mark.parametrize("case", ["minor", "row"])
def test_verify(libraries, tmp_path, case):
    data_set(tmp_path)
    text = '<ir_version: 10, opset_import: ["": 21]> g (float[N] x) => (float[N] y) { y = Relu (x) }'
    onnx.save(onnx.parser.parse_model(text), tmp_path / "m.onnx")
    library = libraries / f"{case}.so"
    arguments = ("verify", "m.onnx", "--data", "data", "--torch-library", library)
    assert onnx2fx(tmp_path, *arguments) == (3, "", in_words_of_the_command(library, CASES[case][1]))


PROGRAM = """
from onnx_to_fx import PackageError
text = '<ir_version: 10, opset_import: ["": 21]> g (float[N] x) => (float[N] y) { y = Relu (x) }'
def said(name):
    try:
        convert_onnx_to_fx(onnx.parser.parse_model(text), torch_libraries=str(folder / name) + ".so")
    except PackageError as error:
        return str(error).replace(str(folder), "DIR")
for name, faults in FAULTS.items():
    expected = "\\n".join(f"DIR/{name}.so: {fault}" for fault in faults) or None
    assert said(name) == expected, (said(name), expected)
"""


def test_in_python(libraries):
    faults = {**{name: faults for name, (_, faults) in CASES.items()}, "fine": []}
    assert python(libraries, f"FAULTS = {faults!r}" + PROGRAM) == (0, "", "")
