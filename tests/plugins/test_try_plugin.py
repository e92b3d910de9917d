"""Packs under trial: dry lowerings of `plugin check`, the cases of `plugin test`, and a limit on how long a call may take."""
import json
import shutil

import pytest
from test_command import LIBRARIES, build, model, onnx2fx

TABLE = """
static o2fx_status lower(const o2fx_host_api* host, o2fx_ctx ctx, const void* user) {{ (void)user; {lower} }}
static o2fx_status init(const o2fx_host_api* host, o2fx_ctx ctx) {{ (void)host; (void)ctx; {init} }}
static void deinit(void) {{ {deinit} }}
static const o2fx_op kOps[] = {{{{O2FX_STR("com.acme"), O2FX_STR("Halve"), 1, 0, 0, 0, lower, NULL}}}};
static const o2fx_plugin kPlugin = {{sizeof kPlugin, 1, 0, 0, 0, O2FX_STR("com.acme.p"), O2FX_STR("1.0.0"),
                                    kOps, 1, sizeof(o2fx_op), init, deinit, NULL}};
__attribute__((visibility("default"))) const o2fx_plugin* onnx2fx_plugin_entry_1(void) {{ return &kPlugin; }}
"""
DESCRIPTOR = """{"manifest_version": "1.0", "plugin": {"id": "com.acme.p", "version": "1.0.0", "library": "p.so",
 "abi": {"major": 1, "min_minor": 0}}, "provides": {"ops": [{"domain": "com.acme", "op": "Halve", "since": 1}]}}"""


def pack(folder, lower="return host->set_output(ctx, 0, host->input(ctx, 0));", init="return 0;", deinit=""):
    (folder / "p.onnx2fx.json").write_text(DESCRIPTOR)
    text = TABLE.format(lower=lower, init=init, deinit=deinit)
    return build(folder, text, "-fvisibility=hidden", "-include", "stdlib.h")


# ---- plugin check: every row is tried

REFUSE = "return host->set_error(ctx, O2FX_E_MODEL, NULL, 0, (o2fx_str)O2FX_STR(\"attribute 'k': expected an integer, got none\"));"
FINE = {
    "lowers": ("return host->set_output(ctx, 0, host->input(ctx, 0));", "lowered with 1 input"),
    "lowers two": ("host->input(ctx, 1); return host->set_output(ctx, 0, host->input(ctx, 0));", "lowered with 1 input"),
    "refuses": (REFUSE, "refused: attribute 'k': expected an integer, got none"),
    "declines": ("return O2FX_DECLINE;", "refused: no loaded plugin lowers this operator"),
}
AT_FAULT = {
    "sets no output": ("host->input(ctx, 0); return O2FX_OK;", "output 0: plugin com.acme.p did not set it"),
    "fails without a word": ("return O2FX_E_INTERNAL;", "plugin com.acme.p returned status -6 without a text"),
    "hands over nonsense": ("return host->set_output(ctx, 0, 4711);", "value id 4711: expected one of this conversion"),
}


@pytest.mark.parametrize("what", FINE)
def test_check_tries_each_row(tmp_path, what):
    body, outcome = FINE[what]
    library = pack(tmp_path, body)
    assert onnx2fx("plugin", "check", library) == (
        0,
        f"ok: {library}: com.acme.p 1.0.0, ABI 1.0, needs host minor 0, 1 ops\n  com.acme::Halve since 1: {outcome}\n",
        "",
    )


@pytest.mark.parametrize("what", AT_FAULT)
def test_check_finds_a_row_at_fault(tmp_path, what):
    body, outcome = AT_FAULT[what]
    library = pack(tmp_path, body)
    code, out, errors = onnx2fx("plugin", "check", library)
    assert (code, out) == (3, "")
    assert errors.startswith(f"error: {library}: com.acme::Halve since 1: ") and outcome in errors


def test_check_survives_a_lowering_that_crashes(tmp_path):
    library = pack(tmp_path, "(void)host; (void)ctx; *(volatile int*)0 = 1; return 0;")
    code, out, errors = onnx2fx("plugin", "check", library)
    assert (code, out) == (3, "")
    assert "crashed while it lowered dry: node 'y' (com.acme.Halve, opset 1): Segmentation fault\n" in errors
    assert errors.endswith(f"error: {library}: crashed while it was loaded or tried: Segmentation fault\n")


@pytest.mark.parametrize("where, phase", [("init", "in init"), ("deinit", "in deinit")])
def test_check_runs_init_and_deinit(tmp_path, where, phase):
    library = pack(tmp_path, **{where: "exit(0);"})
    code, out, errors = onnx2fx("plugin", "check", library)
    assert (code, out) == (3, "")
    assert f"ended the process {phase}: exit code 0\n" in errors


# ---- a limit on how long a call may take


def test_time_limit_of_a_lowering(tmp_path):
    pack(tmp_path, "(void)host; (void)ctx; for (;;) pause();")
    code, out, errors = onnx2fx(
        model(tmp_path / "m.onnx", "com.acme.Halve"), "-o", tmp_path / "out", "--plugin-dir", tmp_path, "--time-limit", 1
    )
    assert (code, out) == (3, "")
    assert errors == (
        f"error: {tmp_path}/p.so: did not return while it lowered {tmp_path}/m.onnx: node 'y' (com.acme.Halve, opset 1): "
        "expected an answer within 1 s, got none\n  note: this is a fault of plugin com.acme.p 1.0.0\n"
    )
    assert not (tmp_path / "out").exists()


def test_time_limit_that_is_kept(tmp_path):
    pack(tmp_path)
    code, _, errors = onnx2fx(
        model(tmp_path / "m.onnx", "com.acme.Halve"), "-o", tmp_path / "out", "-q", "--plugin-dir", tmp_path, "--time-limit", 60
    )
    assert (code, errors) == (0, "")


# ---- plugin test

HEAD = '<ir_version: 10, opset_import: ["": 21, "com.acme": 1]>\n'
HALVE = HEAD + "g (float[2] x) => (float[2] y) { y = com.acme.Halve (x) }\n--- data\nfloat[2] x = {1.0, 3.0}\n"


@pytest.fixture
def trial(tmp_path):
    """Runs the cases over the pack rope."""
    for name in ("rope.so", "rope.onnx2fx.json"):
        shutil.copy(LIBRARIES / name, tmp_path)
    cases = tmp_path / "cases"
    cases.mkdir()

    def run(*arguments, **texts):
        for name, text in texts.items():
            (cases / f"{name}.case").write_text(text)
        code, out, errors = onnx2fx("plugin", "test", tmp_path / "rope.so", *arguments)
        return code, out.replace(str(tmp_path), "DIR"), errors.replace(str(tmp_path), "DIR")

    return run


def test_cases_that_pass(trial):
    # A standard operator beside the pack's, and the folder by its default.
    both = HEAD + "g (float[2] x) => (float[2] y) { h = com.acme.Halve (x) y = Neg (h) }\n"
    both += "--- data\nfloat[2] x = {1.0, 3.0} float[2] y = {-0.5, -1.5}\n"
    assert trial(halve=HALVE + "# the half\nfloat[2] y = {0.5, 1.5}\n", both=both) == (
        0,
        "ok     both\nok     halve\n2 passed, 0 failed\n",
        "",
    )


def test_cases_as_json(trial):
    code, out, errors = trial("--json", good=HALVE + "float[2] y = {0.5, 1.5}\n", shape=HALVE + "float[1] y = {0.5}")
    difference = "output 'y': shape: expected [1], got [2]"
    assert (code, errors) == (1, "")
    assert json.loads(out) == {
        "passed": 1,
        "failed": 1,
        "cases": [
            {"name": "good", "passed": True, "difference": ""},
            {"name": "shape", "passed": False, "difference": difference},
        ],
    }


WRONG = {
    "another number": (HALVE + "float[2] y = {0.5, 2.5}", "output 'y': "),
    "another shape": (HALVE + "float[1] y = {0.5}", "output 'y': shape: expected [1], got [2]"),
    "no output": (HALVE, "error: DIR/cases/c.case: data: expected a tensor 'y', got none"),
    "another name": (HALVE + "float[2] z = {0.5, 1.5}", "error: DIR/cases/c.case: data: expected a tensor 'y', got 'z'"),
    "one more": (
        HALVE + "float[2] y = {0.5, 1.5} float[1] z = {1}",
        "error: DIR/cases/c.case: data: expected no more, got 'z'",
    ),
    "no data": (HEAD, "error: DIR/cases/c.case: expected a model, a line '--- data' and tensors, got no such line"),
    "an unknown operator": (
        HALVE.replace("Halve", "Haive") + "float[2] y = {0.5, 1.5}",
        "error: c.case: node 'y' (com.acme.Haive, opset 1): no loaded plugin lowers this operator\n"
        "  note: did you mean 'Halve'?",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_case_that_fails(trial, what):
    text, why = WRONG[what]
    code, out, errors = trial(c=text)
    assert (code, errors) == (1, "")
    assert out.startswith(f"FAILED c: {why}") and out.endswith("\n0 passed, 1 failed\n")


def test_no_case(trial):
    assert trial("--cases", "nowhere") == (1, "", "error: nowhere: expected a folder with files *.case, got none\n")
