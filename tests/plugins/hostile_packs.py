"""A pack that is compiled here, to do what a test tells it to do."""
import hashlib
import json
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).parents[2]

SOURCE = """
#include <onnx2fx/plugin.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>
static void misbehave(void) {{ {lower} }}
static o2fx_status relu(const o2fx_host_api *h, o2fx_ctx c, const void *u) {{
  o2fx_arg a = {{O2FX_T_VALUE, 0, {{0}}}};
  o2fx_emit e = {{sizeof e, O2FX_STR("{target}"), {{NULL, 0}}, &a, NULL, 1, 0, 0, 0}};
  o2fx_value y;
  (void)u;
  misbehave();
  {hello}
  a.u.v = h->input(c, 0);
  if (h->emit(c, &e, &y)) return O2FX_E_INTERNAL;
  return h->set_output(c, 0, y);
}}
static o2fx_status start(const o2fx_host_api *h, o2fx_ctx c) {{ (void)h; (void)c; {init} return O2FX_OK; }}
static void stop(void) {{ {deinit} }}
static const o2fx_op kOps[] = {{{{O2FX_STR("com.acme"), O2FX_STR("{op}"), 1, 0, 0, 0, relu, NULL}}}};
static const o2fx_plugin kPlugin = {{sizeof kPlugin, 1, 0, 0, 0, O2FX_STR("{name}"), O2FX_STR("1.0.0"),
                                    kOps, 1, sizeof(o2fx_op), start, stop, NULL}};
const o2fx_plugin *onnx2fx_plugin_entry_1(void) {{ {entry} return &kPlugin; }}
{outside}
"""


def pack(
    folder, *flags, name="com.acme.hostile", where="pack", op="Relu", target="aten::relu",
    lower="", hello="", init="", deinit="", entry="", outside="", language="c", hashed=False,
):  # fmt: skip
    """A pack in folder/where: com.acme.`op`, and these statements in its functions; hashed: with its sha256."""
    where = folder / where
    where.mkdir(exist_ok=True)
    parts = dict(name=name, op=op, target=target, lower=lower, hello=hello, init=init, deinit=deinit, entry=entry, outside=outside)
    (where / "p.c").write_text(SOURCE.format(**parts))
    (where / "p.so").unlink(missing_ok=True)
    command = ["g++", "-x", "c++"] if language == "c++" else ["gcc"]
    command += ["-shared", "-fPIC", "-w", f"-I{ROOT}/sdk/include", "p.c", "-x", "none", "-o", "p.so", *flags]
    subprocess.run(command, check=True, cwd=where)
    plugin = {"id": name, "version": "1.0.0", "library": "p.so", "abi": {"major": 1, "min_minor": 0}}
    if hashed:
        plugin["sha256"] = hashlib.sha256((where / "p.so").read_bytes()).hexdigest()
    ops = [{"domain": "com.acme", "op": op, "since": 1}]
    (where / "p.onnx2fx.json").write_text(
        json.dumps({"manifest_version": "1.0", "plugin": plugin, "provides": {"ops": ops}})
    )
