"""Packs that do to the process what no pack may, each compiled here: what the command makes of them."""
import json
import os
import pathlib
import subprocess

import numpy as np
import onnx
import onnx.parser
import pytest

ROOT = pathlib.Path(__file__).parents[2]
BUILD = pathlib.Path(os.environ.get("ONNX2FX_BUILD", ROOT / "build" / "release"))
PROGRAM = BUILD / "bin" / "onnx2fx"

SOURCE = """
#include <onnx2fx/plugin.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>
static void misbehave(void) {{ {lower} }}
static o2fx_status relu(const o2fx_host_api *h, o2fx_ctx c, const void *u) {{
  o2fx_arg a = {{O2FX_T_VALUE, 0, {{0}}}};
  o2fx_emit e = {{sizeof e, O2FX_STR("aten::relu"), {{NULL, 0}}, &a, NULL, 1, 0, 0, 0}};
  o2fx_value y;
  (void)u;
  misbehave();
  a.u.v = h->input(c, 0);
  if (h->emit(c, &e, &y)) return O2FX_E_INTERNAL;
  return h->set_output(c, 0, y);
}}
static o2fx_status start(const o2fx_host_api *h, o2fx_ctx c) {{ (void)h; (void)c; {init} return O2FX_OK; }}
static void stop(void) {{ {deinit} }}
static const o2fx_op kOps[] = {{{{O2FX_STR("com.acme"), O2FX_STR("Relu"), 1, 0, 0, 0, relu, NULL}}}};
static const o2fx_plugin kPlugin = {{sizeof kPlugin, 1, 0, 0, 0, O2FX_STR("com.acme.hostile"), O2FX_STR("1.0.0"),
                                    kOps, 1, sizeof(o2fx_op), start, stop, NULL}};
const o2fx_plugin *onnx2fx_plugin_entry_1(void) {{ {entry} return &kPlugin; }}
{outside}
"""


def pack(folder, lower="", init="", deinit="", entry="", outside=""):
    """The pack com.acme.hostile in folder/pack, with these statements in its functions."""
    where = folder / "pack"
    where.mkdir()
    (where / "p.c").write_text(SOURCE.format(lower=lower, init=init, deinit=deinit, entry=entry, outside=outside))
    subprocess.run(["gcc", "-shared", "-fPIC", f"-I{ROOT}/sdk/include", "p.c", "-o", "p.so"], check=True, cwd=where)
    plugin = {"id": "com.acme.hostile", "version": "1.0.0", "library": "p.so", "abi": {"major": 1, "min_minor": 0}}
    ops = [{"domain": "com.acme", "op": "Relu", "since": 1}]
    (where / "p.onnx2fx.json").write_text(
        json.dumps({"manifest_version": "1.0", "plugin": plugin, "provides": {"ops": ops}})
    )


def onnx2fx(folder, *arguments):
    """Exit code, standard output and messages, with the folder's own path left out."""
    sanitizers = {k: v for k, v in os.environ.items() if k.endswith("SAN_OPTIONS")}
    done = subprocess.run(
        [PROGRAM, *map(str, arguments)],
        capture_output=True, text=True, cwd=folder, timeout=60,
        env={"PATH": os.defpath, "XDG_DATA_HOME": "/nonexistent", **sanitizers},
    )  # fmt: skip
    return done.returncode, done.stdout.replace(str(folder), "DIR"), done.stderr.replace(str(folder), "DIR")


def save_model(folder, external=False):
    text = '''<ir_version: 8, opset_import: ["": 17, "com.acme": 1]> g (float[4] x) => (float[4] y)
        <float[4] w = {1, 2, 3, 4}> { h = com.acme.Relu(x) y = Add(h, w) }'''
    model = onnx.parser.parse_model(text)
    if external:
        for tensor in model.graph.initializer:
            tensor.raw_data = np.array([1, 2, 3, 4], np.float32).tobytes()
            tensor.ClearField("float_data")
        onnx.save(model, folder / "m.onnx", save_as_external_data=True, location="w.bin", size_threshold=0)
    else:
        onnx.save(model, folder / "m.onnx")


def convert(folder, *arguments):
    return onnx2fx(folder, "m.onnx", "-o", "out", "--plugin-dir", "pack", *arguments)


@pytest.mark.parametrize("weights", ["reference", "copy"])
@pytest.mark.parametrize("external", [False, True])
def test_chdir_moves_nothing(tmp_path, external, weights):
    (tmp_path / "elsewhere").mkdir()
    pack(tmp_path, init=f'if (chdir("{tmp_path}/elsewhere")) abort();', lower='if (chdir("/")) abort();')
    save_model(tmp_path, external)
    assert convert(tmp_path, "--weights", weights) == (0, "", "")
    assert not any((tmp_path / "elsewhere").iterdir()) and not pathlib.Path("/out").exists()
    graph = json.loads((tmp_path / "out" / "graph.json").read_text())
    if weights == "reference" and external:
        assert [(s["path"], s["relative"]) for s in graph["sources"]] == [(f"{tmp_path}/w.bin", "../w.bin")]


def test_chdir_does_not_move_a_rule(tmp_path):
    from safetensors.numpy import save_file

    pack(tmp_path, init='if (chdir("/")) abort();')
    save_model(tmp_path)
    (tmp_path / "data").mkdir()
    save_file({"w": np.zeros(4, np.float32)}, tmp_path / "data" / "w.safetensors")
    rule = {"tensors": "w", "location": "data/w.safetensors"}
    (tmp_path / "manifest.json").write_text(json.dumps({"config_version": "1.0", "weights": {"sources": [rule]}}))
    assert convert(tmp_path, "--manifest", "manifest.json") == (0, "", "")


CRASHES = {
    "destructor": "__attribute__((destructor)) static void end(void) { *(volatile int *)0 = 1; }",
    "endless destructor": "__attribute__((destructor)) static void end(void) { for (;;) sleep(1); }",
    "exit handler": "static void end(void) { abort(); }"
    " __attribute__((constructor)) static void begin(void) { atexit(end); }",
    "thread": "static void *run(void *p) { for (;;) sleep(1); return p; }"
    " __attribute__((constructor)) static void begin(void) { pthread_t t; pthread_create(&t, NULL, run, NULL); }",
}


@pytest.mark.parametrize("kind", CRASHES)
def test_crash_at_the_end_does_not_take_back_a_success(tmp_path, kind):
    pack(tmp_path, outside=CRASHES[kind])
    save_model(tmp_path)
    assert convert(tmp_path) == (0, "", "")
    assert json.loads((tmp_path / "out" / "graph.json").read_text())["format"] == "onnx2fx.graph"


def test_output_that_cannot_be_written_is_told(tmp_path):
    done = subprocess.run([PROGRAM, "--version"], stdout=open("/dev/full", "w"), stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr) == (1, "error: standard output: No space left on device\n")


def test_check_does_not_wait_for_pipes(tmp_path):
    os.mkfifo(tmp_path / "p.so")
    for path, name in ((tmp_path / "p.so", "DIR/p.so"), ("/dev/zero", "/dev/zero")):
        assert onnx2fx(tmp_path, "plugin", "check", path) == (
            3, "", f"error: {name}: cannot be opened: expected a regular file, got a device or pipe\n",
        )  # fmt: skip
    assert onnx2fx(tmp_path, "plugin", "check", tmp_path) == (
        3, "", "error: DIR: cannot be opened: expected a regular file, got a folder\n",
    )  # fmt: skip
