"""Packs that do to the process what no pack may, each compiled here: what the command makes of them."""
import json
import os
import pathlib
import subprocess

import numpy as np
import onnx
import onnx.parser
import pytest
from hostile_packs import pack

ROOT = pathlib.Path(__file__).parents[2]
BUILD = pathlib.Path(os.environ.get("ONNX2FX_BUILD", ROOT / "build" / "release"))
PROGRAM = BUILD / "bin" / "onnx2fx"

def onnx2fx(folder, *arguments, **variables):
    """Exit code, standard output and messages, without the folder's own path and the summary of a success."""
    sanitizers = {k: v for k, v in os.environ.items() if k.endswith("SAN_OPTIONS")}
    done = subprocess.run(
        [PROGRAM, *map(str, arguments)],
        capture_output=True, text=True, cwd=folder, timeout=60,
        env={"PATH": os.defpath, "XDG_DATA_HOME": "/nonexistent", **sanitizers, **variables},
    )  # fmt: skip
    errors = done.stderr.partition("wrote out")[0]
    return done.returncode, done.stdout.replace(str(folder), "DIR"), errors.replace(str(folder), "DIR")


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
    for arguments, message in (
        (["--version"], "standard output: it could not be written"),
        (["ops", "--json"], "cannot write to file: No space left on device"),
    ):
        with open("/dev/full", "w") as full:
            done = subprocess.run([PROGRAM, *arguments], stdout=full, stderr=subprocess.PIPE, text=True)
        assert (done.returncode, done.stderr) == (1, f"error: {message}\n")


def test_check_does_not_wait_for_pipes(tmp_path):
    os.mkfifo(tmp_path / "p.so")
    for path, name in ((tmp_path / "p.so", "DIR/p.so"), ("/dev/zero", "/dev/zero")):
        assert onnx2fx(tmp_path, "plugin", "check", path) == (
            3, "", f"error: {name}: cannot be opened: expected a regular file, got a device or pipe\n",
        )  # fmt: skip
    assert onnx2fx(tmp_path, "plugin", "check", tmp_path) == (
        3, "", "error: DIR: cannot be opened: expected a regular file, got a folder\n",
    )  # fmt: skip


# ---- a crash, or an end of the process, inside a plugin

FAULT = "  note: this is a fault of plugin com.acme.hostile 1.0.0\n"
LOWERING = "while it lowered m.onnx: node 'h' (com.acme.Relu, opset 1)"
DEEP = "static int deep(int n) { volatile char a[4096]; a[0] = n; return deep(n + a[0]) + a[0]; }"
SIGNALS = {
    "lowering": (dict(lower="*(volatile int *)0 = 1;"), -11, f"crashed {LOWERING}: Segmentation fault"),
    "stack": (dict(lower="int deep(int); deep(1);", outside=DEEP.replace("static ", "")), -11,
              f"crashed {LOWERING}: Segmentation fault"),
    "abort": (dict(lower="abort();"), -6, f"crashed {LOWERING}: Aborted"),
    "division": (dict(lower="raise(SIGFPE);"), -8, f"crashed {LOWERING}: Floating point exception"),
    "init": (dict(init="abort();"), -6, "crashed in init: Aborted"),
    "deinit": (dict(deinit="abort();"), -6, "crashed in deinit: Aborted"),
    "constructor": (dict(outside="__attribute__((constructor)) static void begin(void) { abort(); }"), -6,
                    "crashed while it was loaded: Aborted"),
    "entry": (dict(entry="abort();"), -6, "crashed while it was loaded: Aborted"),
    "exit": (dict(lower="exit(0);"), 3, f"ended the process {LOWERING}: exit code 0"),
    "exit before its destructors": (dict(lower="exit(0);", language="c++", outside="struct S { ~S() { abort(); } } s;"), 3,
                                    f"ended the process {LOWERING}: exit code 0"),
    "exit in init": (dict(init="exit(7);"), 3, "ended the process in init: exit code 7"),
    "exit on a thread of its own": (
        dict(lower="pthread_t t; void *run(void *); pthread_create(&t, NULL, run, NULL); pthread_join(t, NULL);",
             outside="void *run(void *p) { exit(0); return p; }"), 3, f"ended the process {LOWERING}: exit code 0"),
    "exit while loaded": (dict(outside="__attribute__((constructor)) static void begin(void) { exit(1); }"), 3,
                          "ended the process while it was loaded: exit code 1"),
}  # fmt: skip


@pytest.mark.parametrize("kind", SIGNALS)
def test_end_inside_a_plugin_is_told(tmp_path, kind):
    statements, code, message = SIGNALS[kind]
    pack(tmp_path, **statements)
    save_model(tmp_path)
    assert convert(tmp_path) == (code, "", f"error: DIR/pack/p.so: {message}\n{FAULT}")
    assert not (tmp_path / "out").exists()


# ---- where code comes from


def test_relative_run_path_is_judged_before_loading(tmp_path):
    """Code planted in the current folder would run."""
    (tmp_path / "lib").mkdir()
    planted = f'#include <stdio.h>\n__attribute__((constructor)) static void run(void) {{ fclose(fopen("{tmp_path}/ran", "w")); }}'
    (tmp_path / "lib" / "l.c").write_text(planted + " int planted(void) { return 0; }")
    subprocess.run(["gcc", "-shared", "-fPIC", "l.c", "-o", "libplanted.so"], check=True, cwd=tmp_path / "lib")
    outside = "int planted(void); int used(void) { return planted(); }"
    pack(tmp_path, f"-L{tmp_path}/lib", "-lplanted", "-Wl,--disable-new-dtags,-rpath,lib", outside=outside)
    save_model(tmp_path)
    assert convert(tmp_path) == (
        3, "", "error: DIR/pack/p.so: run path 'lib': expected an absolute one, or $ORIGIN\n",
    )  # fmt: skip
    assert onnx2fx(tmp_path, "plugin", "check", "pack/p.so")[0] == 3
    assert not (tmp_path / "ran").exists()
    pack(tmp_path, f"-L{tmp_path}/lib", "-lplanted", "-Wl,-rpath,$ORIGIN/../lib", outside=outside)
    assert convert(tmp_path) == (0, "", "")
    assert (tmp_path / "ran").exists()


def test_run_path_that_only_looks_like_the_folder_of_the_pack(tmp_path):
    """To the loader $ORIGINS is a name in the current folder."""
    (tmp_path / "$ORIGINS").mkdir()
    planted = f'#include <stdio.h>\n__attribute__((constructor)) static void run(void) {{ fclose(fopen("{tmp_path}/ran", "w")); }}'
    (tmp_path / "l.c").write_text(planted + " int planted(void) { return 0; }")
    subprocess.run(["gcc", "-shared", "-fPIC", "l.c", "-o", "$ORIGINS/libplanted.so"], check=True, cwd=tmp_path)
    outside = "int planted(void); int used(void) { return planted(); }"
    pack(tmp_path, f"-L{tmp_path}/$ORIGINS", "-lplanted", "-Wl,-rpath,$ORIGINS", outside=outside)
    save_model(tmp_path)
    assert convert(tmp_path) == (
        3, "", "error: DIR/pack/p.so: run path '$ORIGINS': expected an absolute one, or $ORIGIN\n",
    )  # fmt: skip
    assert not (tmp_path / "ran").exists()


def test_needed_library_by_a_relative_path(tmp_path):
    (tmp_path / "l.c").write_text("int planted(void) { return 0; }")
    subprocess.run(["gcc", "-shared", "-fPIC", "l.c", "-o", "pack-l.so"], check=True, cwd=tmp_path)
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "lib").mkdir()
    (tmp_path / "pack-l.so").rename(tmp_path / "pack" / "lib" / "l.so")
    pack(tmp_path, "lib/l.so", outside="int planted(void); int used(void) { return planted(); }")
    save_model(tmp_path)
    assert convert(tmp_path) == (
        3, "", "error: DIR/pack/p.so: needs 'lib/l.so': expected a name, an absolute path, or $ORIGIN\n",
    )  # fmt: skip


THROWS = "#include <stdexcept>\nstatic struct T { T() { throw std::runtime_error(\"out of cheese\"); } } thrower;"


def test_static_initialiser_that_throws(tmp_path):
    pack(tmp_path, language="c++", outside=THROWS)
    save_model(tmp_path)
    assert convert(tmp_path) == (
        3, "",
        "error: DIR/pack/p.so: a static initialiser threw an exception: out of cheese\n"
        "  note: end this process: its loader is left in the middle of a call\n",
    )  # fmt: skip


def test_broken_descriptor_of_the_user(tmp_path):
    """It stops nothing, and is listed with its fault."""
    folder = tmp_path / "data" / "onnx2fx" / "plugins.d"
    folder.mkdir(parents=True)
    (folder / "p.onnx2fx.json").write_text('{"plugin": {"id": "com.acme.p"}}')
    why = "refused: /: expected the key 'manifest_version', got none (and 4 more)"
    text = '<ir_version: 8, opset_import: ["": 17]> g (float[4] x) => (float[4] y) { y = Relu(x) }'
    onnx.save(onnx.parser.parse_model(text), tmp_path / "m.onnx")
    warning = f"warning: DIR/data/onnx2fx/plugins.d/p.onnx2fx.json: {why}\n"
    assert onnx2fx(tmp_path, "m.onnx", "-o", "out", XDG_DATA_HOME=tmp_path / "data") == (0, "", warning)
    code, out, errors = onnx2fx(tmp_path, "plugins", XDG_DATA_HOME=tmp_path / "data")
    assert (code, errors) == (0, warning)
    assert out.startswith(f"com.acme.p: {why}\n  DIR/data/onnx2fx/plugins.d/p.onnx2fx.json\n")
    code, out, errors = onnx2fx(tmp_path, "plugins", "--json", "--plugin-dir", folder, "--manifest", "none.json")
    assert code == 3 and errors.startswith("error: none.json: cannot be read: No such file or directory\nerror: ")
    assert json.loads(out)["plugins"][0] == {
        "id": "com.acme.p", "version": "", "ops": 0, "weights": [], "status": why, "library": "",
        "descriptor": "DIR/data/onnx2fx/plugins.d/p.onnx2fx.json",
    }  # fmt: skip


def test_variable_that_is_not_heard_is_told_where_the_conversion_fails(tmp_path):
    save_model(tmp_path)
    code, _, errors = onnx2fx(tmp_path, "m.onnx", "-o", "out", ONNX2FX_ADD_PLUGIN_PATH="pack")
    assert code == 1 and errors.splitlines()[:2] == [
        "warning: ONNX2FX_ADD_PLUGIN_PATH: expected absolute paths, got 'pack', which is ignored",
        "error: m.onnx: node 'h' (com.acme.Relu, opset 1): no loaded plugin lowers this operator",
    ]
    assert "warning" not in onnx2fx(tmp_path, "m.onnx", "-o", "out", "-q", ONNX2FX_ADD_PLUGIN_PATH="pack")[2]
