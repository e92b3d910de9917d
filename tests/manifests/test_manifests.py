"""The cook book of docs/manifest.md: each recipe is a manifest that is right, and leaves this op set in force."""
import json
import os
import pathlib
import subprocess

import pytest

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parents[1]
PROGRAM = pathlib.Path(os.environ.get("ONNX2FX_BUILD", ROOT / "build" / "release")) / "bin" / "onnx2fx"

STANDARD, CONTRIB = "onnx2fx.ai-onnx", "onnx2fx.com-microsoft"
FAST, RIVAL = "com.acme.fast", "org.rival"

# What each says of some operators: (since, until, provider). One that is not there has no provider.
RECIPES = {
    "standard_to_opset_21": {"Relu": [(1, 21, STANDARD)], "Gelu": [(20, 21, STANDARD)], "com.microsoft::Gelu": [(1, None, CONTRIB)]},
    "opset_window": {"Relu": [(13, 17, STANDARD)], "Gelu": [], "com.microsoft::Gelu": [(1, None, CONTRIB)]},
    "forbidden_operators": {"Loop": [], "RandomNormal": [], "Softmax": [(13, None, STANDARD)], "If": [(1, None, STANDARD)]},
    "forbidden_domain": {"com.microsoft::Gelu": [], "Gelu": [(20, None, STANDARD)]},
    "no_third_parties": {"com.acme::Rope": [], "Gelu": [(20, None, STANDARD)]},
    "one_vendor": {"com.acme::Rope": [(1, None, FAST)], "Gelu": [(20, None, STANDARD)]},
    "override_a_builtin": {"com.acme::Rope": [(1, None, FAST)], "Gelu": [(20, None, FAST)]},
    "settle_a_conflict": {"com.acme::Rope": [(1, None, RIVAL)], "Gelu": [(20, None, STANDARD)]},
    "first_found_serves": {"com.acme::Rope": [(1, None, FAST)]},
    "prefer_by_priority": {"com.acme::Rope": [(1, None, RIVAL)]},
    "pinned_version": {"com.acme::Fold": [(1, None, "com.acme.versions")]},
    "settings_of_a_pack": {"com.acme::Rope": [(1, None, FAST)]},
    "keep_unsupported": {"Relu": [(1, None, STANDARD)], "com.acme::Rope": []},
    "inherited_op_sets": {"com.acme::Rope": [(1, None, RIVAL)], "Relu": [(13, 21, STANDARD)], "Loop": []},
}


def onnx2fx(*arguments):
    environment = {"PATH": os.defpath, "XDG_DATA_HOME": "/nonexistent"}
    environment |= {k: v for k, v in os.environ.items() if k.endswith("SAN_OPTIONS")}
    done = subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True, env=environment, cwd=HERE)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("name", RECIPES)
def test_recipe(name):
    code, out, errors = onnx2fx("manifest", "check", f"{name}.json")
    assert (code, errors) == (0, "") and out.startswith(f"ok: {name}.json\n")
    code, out, errors = onnx2fx("ops", "--json", "--manifest", f"{name}.json")
    assert (code, errors) == (0, "")
    effective = {op: [] for op in RECIPES[name]}
    for row in json.loads(out)["ops"]:
        op = (row["domain"] + "::" if row["domain"] else "") + row["op"]
        if op in effective:
            effective[op].append((row["since"], row["until"], row["provider"]))
    assert effective == RECIPES[name]


def test_every_recipe_is_in_the_cook_book():
    text = (ROOT / "docs" / "manifest.md").read_text()
    files = sorted(f.stem for f in HERE.glob("*.json"))
    assert files == sorted(RECIPES)
    assert [name for name in files if (HERE / f"{name}.json").read_text() not in text] == []
