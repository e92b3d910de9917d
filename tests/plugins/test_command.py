"""The onnx2fx command with packs: what it lists, what it refuses, in which words and with which exit code."""
import json
import os
import pathlib
import shutil
import subprocess
import textwrap

import onnx.parser
import pytest

ROOT = pathlib.Path(__file__).parents[2]
BUILD = pathlib.Path(os.environ.get("ONNX2FX_BUILD", ROOT / "build" / "release"))
PROGRAM = BUILD / "bin" / "onnx2fx"
LIBRARIES = BUILD / "tests" / "plugins" / "libraries"


def onnx2fx(*arguments, cwd=None, **variables):
    sanitizers = {k: v for k, v in os.environ.items() if k.endswith("SAN_OPTIONS")}
    environment = {"PATH": os.defpath, "XDG_DATA_HOME": "/nonexistent", **sanitizers, **variables}
    done = subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True, env=environment, cwd=cwd)
    return done.returncode, done.stdout, done.stderr


def model(path, op):
    text = f'<ir_version: 8, opset_import: ["": 17, "com.acme": 1]> g (float[4] x) => (float[4] y) {{ y = {op}(x) }}'
    onnx.save(onnx.parser.parse_model(text), path)
    return path


@pytest.fixture
def pack(tmp_path):
    folder = tmp_path / "pack"
    folder.mkdir()
    for name in ("rope.so", "rope.onnx2fx.json"):
        shutil.copy(LIBRARIES / name, folder / name)
    return folder


def test_ops_and_plugins_load_nothing(pack):
    (pack / "rope.so").write_text("no library")
    code, out, _ = onnx2fx("ops", "--json", "--plugin-dir", pack)
    assert code == 0
    ops = json.loads(out)["ops"]
    assert {"domain": "com.acme", "op": "Rope", "since": 1, "until": None, "provider": "com.acme.rope-pack"} in ops
    assert any(op["op"] == "Conv" and op["domain"] == "" for op in ops)
    code, out, _ = onnx2fx("plugins", "--json", "--plugin-dir", pack)
    assert code == 0
    listed = {p["id"]: p for p in json.loads(out)["plugins"]}
    assert listed["com.acme.rope-pack"]["status"] == "ok" and listed["com.acme.rope-pack"]["ops"] == 2
    code, out, _ = onnx2fx("plugins", "--no-default-plugins", "--plugin-dir", pack)
    assert (code, out) == (0, f"com.acme.rope-pack 1.4.0 (2 ops): ok\n  {pack}/rope.onnx2fx.json\n")


def test_sources_of_weights_are_listed(tmp_path):
    for name in ("xor.so", "xor.onnx2fx.json"):
        shutil.copy(LIBRARIES / name, tmp_path / name)
    code, out, _ = onnx2fx("plugins", "--no-default-plugins", "--plugin-dir", tmp_path)
    assert (code, out) == (0, f"com.acme.xor 1.0.0 (0 ops; weights: xor): ok\n  {tmp_path}/xor.onnx2fx.json\n")
    code, out, _ = onnx2fx("plugins", "--json", "--no-default-plugins", "--plugin-dir", tmp_path)
    assert json.loads(out)["plugins"][0]["weights"] == ["xor"]
    assert onnx2fx("plugin", "check", tmp_path / "xor.so") == (
        0,
        f"ok: {tmp_path}/xor.so: com.acme.xor 1.0.0, ABI 1.0, needs host minor 0, 0 ops, weights of xor\n",
        "",
    )


def test_descriptor_that_says_another_scheme(tmp_path):
    shutil.copy(LIBRARIES / "xor.so", tmp_path)
    text = (LIBRARIES / "xor.onnx2fx.json").read_text()
    (tmp_path / "xor.onnx2fx.json").write_text(text.replace('"scheme": "xor"', '"scheme": "nor"'))
    note = f"  note: the descriptor is {tmp_path}/xor.onnx2fx.json\n"
    assert onnx2fx("plugin", "check", tmp_path / "xor.so") == (
        3,
        "",
        f"error: {tmp_path}/xor.so: weights: the descriptor promises what the library lacks: nor, nor (.xorstore)\n{note}"
        f"error: {tmp_path}/xor.so: weights: the library has what the descriptor does not say: xor, xor (.xorstore)\n{note}",
    )


def test_converts_with_a_pack(pack, tmp_path):
    code, _, errors = onnx2fx(model(tmp_path / "m.onnx", "com.acme.Halve"), "-o", tmp_path / "out", "--plugin-dir", pack)
    assert (code, errors.partition("wrote ")[0]) == (0, "")
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert "com.acme.rope-pack 1.4.0" in json.dumps(report)


def refused(tmp_path, pack, *arguments, op="com.acme.Halve"):
    code, out, errors = onnx2fx(model(tmp_path / "m.onnx", op), "-o", tmp_path / "out", *arguments)
    assert out == "" and not (tmp_path / "out").exists()
    return code, errors.replace(str(tmp_path), "DIR")


def test_without_the_pack(tmp_path, pack):
    code, errors = refused(tmp_path, pack)
    assert code == 1 and "no loaded plugin lowers this operator" in errors


def test_manifest_with_an_unknown_key(tmp_path, pack):
    (tmp_path / "m.json").write_text('{"config_version": "1.0", "op_set": {}}')
    assert refused(tmp_path, pack, "--manifest", tmp_path / "m.json") == (
        3,
        "error: DIR/m.json: /: unknown key 'op_set': expected one of '$schema', 'config_version', 'extends', 'plugin_dirs', "
        "'plugins', 'on_conflict', 'on_unsupported', 'op_sets', 'default_op_set', 'weights'\n  note: did you mean 'op_sets'?\n",
    )


def test_op_disabled_by_the_manifest(tmp_path, pack):
    (tmp_path / "m.json").write_text(
        '{"config_version": "1.0", "plugin_dirs": ["pack"], "op_sets": {"prod": {"disable": [{"domain": "com.acme", "op": "*"}]}}}'
    )
    code, errors = refused(tmp_path, pack, "--manifest", tmp_path / "m.json")
    assert code == 1 and "disabled by DIR/m.json at /op_sets/prod/disable/0\n" in errors


# ---- a manifest, its op sets


def write(file, **members):
    file.write_text(json.dumps({"config_version": "1.0", **members}))
    return file


def rival(folder):
    """A second pack of com.acme::Halve, described alone."""
    text = (LIBRARIES / "rope.onnx2fx.json").read_text()
    (folder / "z.onnx2fx.json").write_text(text.replace("com.acme.rope-pack", "org.rival"))


CONFLICT = """com.acme::Halve (opset 1): expected one provider, got 'com.acme.rope-pack' and 'org.rival', both since 1 with priority 0
  note: com.acme.rope-pack: DIR/pack/rope.onnx2fx.json
  note: org.rival: DIR/pack/z.onnx2fx.json
  note: add to DIR/m.json at /op_sets/prod/bind: {"domain":"com.acme","op":"Halve","to":"com.acme.rope-pack"}
"""


def said(tmp_path, *arguments):
    code, out, errors = onnx2fx(*arguments)
    return code, out.replace(str(tmp_path), "DIR"), errors.replace(str(tmp_path), "DIR")


def test_manifest_check_writes_the_op_sets_out(tmp_path, pack):
    sets = {
        "prod": {"inherits": ["base"], "domains": {"ai.onnx": {"max": 19}, "com.acme": {"max": 3}}},
        "base": {"disable": [{"op": "*"}, {"domain": "com.microsoft", "op": "*"}, *({"domain": f"ai.onnx.{d}", "op": "*"} for d in DOMAINS)]},
    }
    file = write(tmp_path / "m.json", plugin_dirs=["pack"], op_sets=sets, default_op_set="prod")
    assert said(tmp_path, "manifest", "check", file) == (
        0,
        "ok: DIR/m.json\n"
        "op set 'base'\n  com.acme 1..: com.acme.rope-pack 2\n"
        "op set 'prod', in force\n  com.acme 1..3: com.acme.rope-pack 2\n",
        "",
    )
    assert said(tmp_path, "manifest", "check", file, "--op-set", "onnx-1", "--no-default-plugins") == (
        0,
        "ok: DIR/m.json\nop set 'onnx-1', in force\n  com.acme 1..: com.acme.rope-pack 2\n",
        "",
    )


def test_manifest_check_as_json(tmp_path, pack):
    rival(pack)
    sets = {"prod": {"domains": {"com.acme": {"max": 3}}, "bind": [{"domain": "com.acme", "op": "Rope", "to": "org.rival"}]}}
    file = write(tmp_path / "m.json", plugin_dirs=["pack"], op_sets=sets)
    code, out, errors = said(tmp_path, "manifest", "check", file, "--no-default-plugins", "--json")
    assert (code, errors) == (0, "warning: " + CONFLICT)
    found = json.loads(out)
    (fault,) = found.pop("faults")
    assert (fault["severity"], fault["where"]) == ("warning", "com.acme::Halve (opset 1)")
    notes = "".join(f"\n  note: {n}" for n in fault["notes"])
    assert f"warning: {fault['where']}: {fault['what']}{notes}\n".replace(str(tmp_path), "DIR") == errors
    domain = {"domain": "com.acme", "min": 1, "max": 3, "operators": {"org.rival": 1}, "conflicts": 1}
    assert found == {"manifest": "DIR/m.json", "op_sets": [{"name": "prod", "in_force": True, "domains": [domain]}]}


def test_manifest_check_as_json_says_faults(tmp_path):
    file = write(tmp_path / "m.json", on_conflict="frist")
    code, out, errors = said(tmp_path, "manifest", "check", file, "--no-default-plugins", "--json")
    what = '/on_conflict: expected one of "error", "first", got "frist"'
    assert (code, errors) == (3, f"error: DIR/m.json: {what}\n  note: did you mean 'first'?\n")
    fault = {"severity": "error", "where": "DIR/m.json", "what": what, "notes": ["did you mean 'first'?"]}
    assert json.loads(out)["faults"] == [fault]


DOMAINS = ["ml", "preview", "preview.training"]


def test_manifest_check_says_every_fault(tmp_path, pack):
    write(tmp_path / "base.json", plugins={"disable": ["com.acme.rope"], "require": [{"id": "org.none"}]})
    sets = {
        "prod": {"bind": [{"op": "Relu", "to": "org.none"}]},
        "test": {"inherits": ["pord"], "disable": [{"domain": "com.acme", "op": "halve"}]},
    }
    sources = [{"tensors": "*", "from": "npz", "location": "w.npz"}]
    file = write(tmp_path / "m.json", extends=["base.json"], plugin_dirs=["pack"], op_sets=sets, weights={"sources": sources})
    found = "  note: found: com.acme.rope-pack 1.4.0: ok\n"
    assert said(tmp_path, "manifest", "check", file, "--no-default-plugins") == (
        3,
        "",
        f"error: DIR/base.json at /plugins/require/0: expected plugin 'org.none', got none\n{found}"
        f"error: DIR/m.json at /op_sets/prod/bind/0: expected the id of a plugin that was found, got 'org.none'\n{found}"
        "warning: DIR/base.json at /plugins/disable/0: expected the id of a plugin that was found, got 'com.acme.rope'\n"
        "  note: did you mean 'com.acme.rope-pack'?\n"
        "error: DIR/m.json at /weights/sources/0: expected a plugin that serves weights of scheme 'npz', got none\n"
        "  note: the usual sources are a plugin of the installation\n"
        "error: DIR/m.json: /op_sets/test/inherits/0: expected one of 'prod', 'test', got 'pord'\n"
        "  note: did you mean 'prod'?\n"
        "warning: DIR/m.json at /op_sets/test/disable/0: expected an operator of a plugin that was found, got 'com.acme::halve'\n"
        "  note: did you mean 'Halve'?\n",
    )


def test_manifest_check_of_what_is_no_manifest(tmp_path):
    file = write(tmp_path / "m.json", on_conflict="frist", op_sets=1)
    assert said(tmp_path, "manifest", "check", file, "--no-default-plugins") == (
        3,
        "",
        'error: DIR/m.json: /on_conflict: expected one of "error", "first", got "frist"\n'
        "  note: did you mean 'first'?\n"
        "error: DIR/m.json: /op_sets: expected an object, got 1\n",
    )
    assert said(tmp_path, "manifest", "check")[0] == 2


def test_conflicts_are_listed(tmp_path, pack):
    rival(pack)
    sets = {"prod": {"bind": [{"domain": "com.acme", "op": "Rope", "to": "org.rival"}]}}
    file = write(tmp_path / "m.json", plugin_dirs=["pack"], op_sets=sets)
    assert said(tmp_path, "manifest", "check", file, "--no-default-plugins") == (
        0,
        "ok: DIR/m.json\nop set 'prod', in force\n  com.acme 1..: conflict 1, org.rival 1\n",
        "warning: " + CONFLICT,
    )
    code, out, errors = said(tmp_path, "ops", "--json", "--manifest", file, "--no-default-plugins")
    assert (code, errors) == (0, "warning: " + CONFLICT)
    assert [(op["op"], op["since"], op["until"], op["provider"]) for op in json.loads(out)["ops"]] == [
        ("Halve", 1, None, None),
        ("Rope", 1, None, "org.rival"),
    ]
    code, out, _ = said(tmp_path, "ops", "--manifest", file, "--no-default-plugins")
    assert out.splitlines() == [f"{'com.acme::Halve':<40}   1..    conflict", f"{'com.acme::Rope':<40}   1..    org.rival"]


def test_inspect_lists_a_conflict(tmp_path, pack):
    rival(pack)
    file = write(tmp_path / "m.json", plugin_dirs=["pack"], op_sets={"prod": {}})
    code, out, errors = said(tmp_path, "inspect", model(tmp_path / "m.onnx", "com.acme.Halve"), "--manifest", file)
    assert (code, errors) == (1, "")
    reasons = "".join("          " + line.removeprefix("  note: ") + "\n" for line in CONFLICT.splitlines())
    assert out.endswith("missing com.acme.Halve opset 1: 1 nodes, first 'y'\n" + reasons)
    code, errors = refused(tmp_path, pack, "--manifest", file)
    assert (code, errors) == (3, "error: " + CONFLICT)


# ---- why an operator has no provider


def test_plugin_of_another_abi_is_the_reason(tmp_path, pack):
    descriptor = pack / "rope.onnx2fx.json"
    descriptor.write_text(descriptor.read_text().replace('"major": 1', '"major": 2'))
    code, errors = refused(tmp_path, pack, "--plugin-dir", pack)
    assert (code, errors) == (
        1,
        "error: DIR/m.onnx: node 'y' (com.acme.Halve, opset 1): no loaded plugin lowers this operator\n"
        "  note: com.acme.rope-pack: needs plugin ABI 2.0, this host speaks 1.0; rebuild it against this SDK, or upgrade onnx2fx\n"
        "  note: keep it as an opaque node with --keep-going\n",
    )


def test_op_set_limits_the_model(tmp_path, pack):
    code, errors = refused(tmp_path, pack, "--op-set", "onnx-13", op="Relu")
    assert code == 1 and "opset 17 is outside 1..13, set by op set 'onnx-13'\n" in errors


def test_text_file_named_so(tmp_path, pack):
    (pack / "rope.so").write_text("/* GNU ld script */\n")
    assert refused(tmp_path, pack, "--plugin-dir", pack) == (
        3,
        "error: DIR/pack/rope.so: expected an ELF shared library, got a text file\n",
    )


def test_plugin_of_another_abi(tmp_path, pack):
    shutil.copy(LIBRARIES / "hostile_entry_2.so", pack / "rope.so")
    assert refused(tmp_path, pack, "--plugin-dir", pack) == (
        3,
        "error: DIR/pack/rope.so: plugin ABI 2, this host speaks 1.0\n"
        "  note: rebuild the plugin against this SDK, or upgrade onnx2fx\n",
    )


def test_current_folder_is_not_searched(tmp_path, pack):
    code, _, errors = onnx2fx(model(pack / "m.onnx", "com.acme.Halve"), "-o", tmp_path / "out", cwd=pack)
    assert code == 1 and "no loaded plugin lowers this operator" in errors


def test_manifest_may_keep_what_nobody_lowers(tmp_path, pack):
    manifest = write(tmp_path / "m.json", on_unsupported="opaque")
    file = model(tmp_path / "m.onnx", "com.acme.Haive")
    code, _, errors = onnx2fx(file, "-o", tmp_path / "out", "--manifest", manifest, "--plugin-dir", pack)
    assert (code, errors.partition("wrote ")[0]) == (
        0,
        "warning: com.acme.Haive, opset 1: kept 1 opaque node\n  note: did you mean 'Halve'?\n",
    )
    (kept,) = json.loads((tmp_path / "out" / "report.json").read_text())["unsupported"]
    assert (kept["op_type"], kept["reasons"], kept["similar"]) == ("Haive", [], "did you mean 'Halve'?")


def test_inspect_says_what_may_have_been_meant(tmp_path, pack):
    file = model(tmp_path / "m.onnx", "com.acme.Haive")
    code, out, errors = onnx2fx("inspect", file, "--plugin-dir", pack)
    assert (code, errors) == (1, "")
    assert out.endswith("missing com.acme.Haive opset 1: 1 nodes, first 'y'\n          did you mean 'Halve'?\n")
    code, out, _ = onnx2fx("inspect", file, "--plugin-dir", pack, "--json")
    assert json.loads(out)["unsupported"][0]["similar"] == "did you mean 'Halve'?"


def test_manifest_tells_a_pack_what_it_does_not_know(tmp_path):
    """Of a pack without init nobody asks; the one that has one says what it does not take."""
    library = build(
        tmp_path,
        """
        #include <string.h>
        static o2fx_status init(const o2fx_host_api* host, o2fx_ctx ctx) {
          static const o2fx_str kText = O2FX_STR("config: expected {}, got something else");
          o2fx_str config;
          if (host->config(ctx, &config)) return O2FX_E_INTERNAL;
          return config.len == 2 && !memcmp(config.data, "{}", 2) ? O2FX_OK : host->set_error(ctx, O2FX_E_MODEL, NULL, 0, kText);
        }
        static o2fx_status lower(const o2fx_host_api* host, o2fx_ctx ctx, const void* user) {
          (void)user;
          return host->set_output(ctx, 0, host->input(ctx, 0));
        }
        static const o2fx_op kOps[] = {{O2FX_STR("com.acme"), O2FX_STR("Same"), 1, 0, 0, 0, lower, NULL}};
        static const o2fx_plugin kPlugin = {sizeof kPlugin, 1, 0, 0, 0, O2FX_STR("com.acme.p"), O2FX_STR("1.0.0"),
                                            kOps, 1, sizeof(o2fx_op), init, NULL, NULL};
        O2FX_EXPORT const o2fx_plugin* onnx2fx_plugin_entry_1(void) { return &kPlugin; }
        """,
    )
    library.with_suffix(".onnx2fx.json").write_text(
        '{"manifest_version": "1.0", "plugin": {"id": "com.acme.p", "version": "1.0.0", "library": "p.so", "abi": {"major": 1, '
        '"min_minor": 0}}, "provides": {"ops": [{"domain": "com.acme", "op": "Same", "since": 1}]}}'
    )
    folders = [str(tmp_path)]
    for config, expected in (
        ({"com.acme.p": {}}, (0, "")),
        ({"com.acme.p": {"gain": 2}}, (3, f"error: {library}: init failed: config: expected {{}}, got something else\n")),
    ):
        manifest = write(tmp_path / "m.json", plugin_dirs=folders, plugins={"config": config})
        code, _, errors = onnx2fx(model(tmp_path / "m.onnx", "com.acme.Same"), "-o", tmp_path / "out", "-q", "--manifest", manifest)
        assert (code, errors) == expected


# ---- plugin check


def test_check_accepts_a_pack(pack):
    assert onnx2fx("plugin", "check", pack / "rope.so") == (
        0,
        f"ok: {pack}/rope.so: com.acme.rope-pack 1.4.0, ABI 1.0, needs host minor 0, 2 ops\n"
        "  com.acme::Halve since 1: lowered with 1 input\n"
        "  com.acme::Rope since 1: lowered with 2 inputs\n",
        "",
    )


def test_check_as_a_document(pack, tmp_path):
    library = str(pack / "rope.so")
    code, out, errors = onnx2fx("plugin", "check", library, "--json")
    assert (code, errors) == (0, "")
    rows = [("com.acme::Halve since 1", "lowered with 1 input"), ("com.acme::Rope since 1", "lowered with 2 inputs")]
    assert json.loads(out) == {
        "library": library,
        "passed": True,
        "plugin": {
            "id": "com.acme.rope-pack", "version": "1.4.0", "abi": "1.0", "host_minor": 0, "ops": 2, "schemes": [],
            "references": [],
        },
        "rows": [{"row": row, "outcome": outcome, "passed": True} for row, outcome in rows],
        "faults": [],
    }  # fmt: skip
    (tmp_path / "text.so").write_text("no library")
    code, out, errors = onnx2fx("plugin", "check", tmp_path / "text.so", "--json")
    document = json.loads(out)
    (fault,) = document["faults"]
    assert (code, errors, document["passed"], document["plugin"], document["rows"]) == (3, "", False, None, [])
    assert (fault["severity"], fault["where"]) == ("error", f"{tmp_path}/text.so")


def test_check_finds_a_descriptor_that_drifted(pack):
    descriptor = json.loads((pack / "rope.onnx2fx.json").read_text())
    descriptor["plugin"]["version"] = "1.5.0"
    (pack / "rope.onnx2fx.json").write_text(json.dumps(descriptor))
    assert onnx2fx("plugin", "check", pack / "rope.so") == (
        3,
        "",
        f"error: {pack}/rope.so: version: expected 1.5.0 as in the descriptor, got 1.4.0\n"
        f"  note: the descriptor is {pack}/rope.onnx2fx.json\n",
    )


CONSTRUCTORS = {
    "*(volatile int*)0 = 1;": "crashed while it was loaded or tried: Segmentation fault",
    "_exit(0);": "ended the process while it was loaded or tried (exit code 0)",
}


def build(folder, text, *flags):
    source = folder / "p.c"
    source.write_text("#include <onnx2fx/plugin.h>\n#include <unistd.h>\n" + textwrap.dedent(text))
    library = folder / "p.so"
    command = ["gcc", "-shared", "-fPIC", f"-I{ROOT}/sdk/include", *flags, str(source), "-o", str(library)]
    subprocess.run(command, check=True)
    return library


@pytest.mark.parametrize("body", CONSTRUCTORS)
def test_check_survives_constructors(tmp_path, body):
    library = build(
        tmp_path,
        f"""
        __attribute__((constructor)) static void start(void) {{ {body} }}
        const o2fx_plugin* onnx2fx_plugin_entry_1(void) {{ return NULL; }}
        """,
    )
    assert onnx2fx("plugin", "check", library) == (3, "", f"error: {library}: {CONSTRUCTORS[body]}\n")


def test_check_finds_exports_stack_and_run_path(tmp_path):
    library = build(
        tmp_path,
        """
        __attribute__((visibility("default"))) int another(void) { return 1; }
        const o2fx_plugin* onnx2fx_plugin_entry_1(void) { return NULL; }
        """,
        "-Wl,-z,execstack",
        "-Wl,-rpath,lib:/usr/lib",
    )
    code, _, errors = onnx2fx("plugin", "check", library)
    assert code == 3
    assert errors.replace(str(library), "LIB") == (
        "error: LIB: expected onnx2fx_plugin_entry_1 to be the only exported symbol, got 1 others, among them 'another'\n"
        "error: LIB: run path 'lib': expected an absolute one, or $ORIGIN\n"
        "error: LIB: expected a stack that is not executable\n"
    )


# ---- what a table cannot say

ROW = '{"domain": "com.example", "op": "Rope", "torch_targets": ["example::rope"]}'
PROVIDES = {
    "one after the other": ROW + '\n{"plugin": {"license": "MIT"}}\n',
    "an array on one line": "[" + ROW + ', {"plugin": {"license": "MIT"}}]',
    "several on one line": ROW + '{"plugin": {"license": "MIT"}}',
    "an array, indented": "[\n  " + ROW.replace(", ", ",\n   ") + ',\n  {"plugin":\n    {"license": "MIT"\n    }\n  }\n]\n',
}
BAD_PROVIDES = {
    "no end": ("[" + ROW + "\n", "2: expected objects, then ]"),
    "rest": (ROW + "\n\nRope", "3: expected objects one after the other, or one array of them"),
    "no key": ('{"domain": "com.example", "priority": 1}', '1: expected one of the keys "op" and "plugin"'),
    "both": ('\n{"op": "A", "plugin": {}}', '2: expected one of the keys "op" and "plugin"'),
    "number": ('{"op": 1}', "1: expected domain and op to be strings"),
    "cut off": ('{"op": "Rope"', "1: expected an object with keys in quotes, and its end"),
    "unknown key": (ROW[:-1] + ', "overide": true}', '1: unknown key "overide": expected "override", "priority" or "torch_targets"'),
    "another kind": ('{"op": "A",\n"priority": "high"}', '2: expected "priority" to be an integer'),
    "unknown key of the plugin": (
        '{"plugin": {"licence": "MIT"}}',
        '1: unknown key "licence": expected "description", "homepage", "license", "min_torch", "requires", "sha256" or "torch_library"',
    ),
    "unknown op": ('{"domain": "com.example", "op": "Rop"}', " expected ops of the plugin, got com.example::Rop"),
}


@pytest.fixture(scope="module")
def describe(tmp_path_factory):
    """Runs the tool that writes descriptors over the template's pack, with this PROVIDES text."""
    folder = tmp_path_factory.mktemp("describe")
    command = ["gcc", f"-I{ROOT}/sdk/include", str(ROOT / "sdk/cmake/describe.c"), "-o", str(folder / "describe"), "-ldl"]
    subprocess.run(command, check=True)

    def run(text):
        (folder / "p.json").write_text(text)
        out = folder / "out.onnx2fx.json"
        done = subprocess.run([folder / "describe", LIBRARIES / "example_pack.so", out, folder / "p.json"], capture_output=True, text=True)
        return done.returncode, done.stderr.replace(str(folder), "DIR"), json.loads(out.read_text()) if done.returncode == 0 else None

    return run


@pytest.mark.parametrize("kind", PROVIDES)
def test_provides_may_be_laid_out_at_will(describe, kind):
    code, errors, descriptor = describe(PROVIDES[kind])
    assert (code, errors) == (0, "")
    assert descriptor["plugin"]["license"] == "MIT"
    rows = {op["op"]: op for op in descriptor["provides"]["ops"]}
    assert rows["Rope"]["torch_targets"] == ["example::rope"] and "torch_targets" not in rows["Ramp"]


@pytest.mark.parametrize("kind", BAD_PROVIDES)
def test_provides_that_is_wrong(describe, kind):
    text, message = BAD_PROVIDES[kind]
    assert describe(text) == (1, f"error: DIR/p.json:{message}\n", None)
