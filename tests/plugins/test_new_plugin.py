"""onnx2fx plugin new: every pack that it offers builds by the commands that it prints, and passes its own tests."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest
from test_command import BUILD, PROGRAM, ROOT, onnx2fx

BIN = pathlib.Path(sys.executable).parent
OFFERED = sorted(p.name for p in (ROOT / "sdk" / "template").iterdir() if p.is_dir())
COMPILED = [name for name in OFFERED if not name.endswith("python")]
ENVIRONMENT = {
    **os.environ,
    "PATH": os.pathsep.join([str(PROGRAM.parent), str(BIN), os.defpath]),
    "PYTHONPATH": str(BUILD / "lib" / "python" / "site-packages"),
    "XDG_DATA_HOME": "/nonexistent",
}


def new(name, plugin, folder):
    """The commands that come next."""
    kind, language = name.rsplit("-", 1)
    code, out, errors = onnx2fx("plugin", "new", plugin, folder, "--kind", kind, "--lang", language)
    assert (code, errors) == (0, "")
    first, title, *commands = out.splitlines()
    assert (first, title, len(commands)) == (str(folder), "next:", 3)
    return commands


def succeed(command):
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, env=ENVIRONMENT)
    assert done.returncode == 0, command + "\n" + done.stdout + done.stderr
    return done.stdout


def test_what_is_offered():
    assert OFFERED == ["ops-c", "ops-cpp", "ops-python", "reference-cpp", "torch-op-cpp", "torch-op-python", "weights-cpp"]


TESTS = {  # of ctest, besides mock, check and convert
    "ops-cpp": ["cases"],
    "ops-c": ["cases"],
    "reference-cpp": ["cases"],
    "torch-op-cpp": ["cases"],
    "weights-cpp": [],
}


@pytest.mark.parametrize("name", COMPILED)
def test_compiled_pack(tmp_path, name):
    folder = tmp_path / "a folder"
    configure, build_and_test, check = new(name, "org.lab.my-ops", folder)
    succeed(configure)
    out = succeed(build_and_test)
    passed = re.findall(r"Test +#\d+: my_ops\.(\w+) \.+ +Passed", out)
    assert sorted(passed) == sorted(["mock", "check", "convert", *TESTS[name]]), out
    assert "100% tests passed" in out
    assert succeed(check).startswith(f"ok: {folder}/build/my_ops.so: org.lab.my-ops 1.0.0, ABI 1.0")


@pytest.mark.parametrize("name", [name for name in OFFERED if name.endswith("python")])
def test_python_pack(tmp_path, name):
    test, install, listing = new(name, "org.lab.my-ops", tmp_path / "pack")
    assert " passed" in succeed(test + " -q -p no:cacheprovider")
    assert install == f"python -m pip install --no-deps {tmp_path}/pack"
    # What installing it amounts to: the module, and an entry point of a distribution.
    site = tmp_path / "site"
    (site / "my_ops-1.0.0.dist-info").mkdir(parents=True)
    shutil.copy(tmp_path / "pack" / "my_ops.py", site)
    project = (tmp_path / "pack" / "pyproject.toml").read_text()
    assert '[project.entry-points."onnx_to_fx.packs"]' in project and 'my_ops = "my_ops"' in project
    (site / "my_ops-1.0.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: my_ops\nVersion: 1.0.0\n")
    (site / "my_ops-1.0.0.dist-info" / "entry_points.txt").write_text("[onnx_to_fx.packs]\nmy_ops = my_ops\n")
    assert "'id': 'org.lab.my-ops'" in succeed(f"PYTHONPATH=$PYTHONPATH:{site} {listing}")


IDS = {  # id -> domain of its operators, library
    "com.example.ops": ("com.example", "ops"),
    "com.example.pack.more": ("com.example.pack", "more"),
    "org.example.example-pack": ("org.example", "example_pack"),
    "org.lab.test": ("org.lab", "lab_test"),  # a target that CMake has
    "org.lab.onnx2fx-sdk": ("org.lab", "lab_onnx2fx_sdk"),
    "org.4lab.3d": ("org.4lab", "_3d"),
}


@pytest.mark.parametrize("plugin", IDS)
@pytest.mark.parametrize("name, ops", [("ops-cpp", ["Ramp", "Rope", "ScaledTanh"]), ("ops-c", ["Halve"])])
def test_names(tmp_path, plugin, name, ops):
    domain, library = IDS[plugin]
    new(name, plugin, tmp_path / "new")
    for step in (f"cmake -S {tmp_path}/new -B {tmp_path}/new/build -DONNX2FX_SDK={ROOT}/sdk", f"cmake --build {tmp_path}/new/build"):
        succeed(step)
    code, out, _ = onnx2fx("ops", "--json", "--no-default-plugins", "--plugin-dir", tmp_path / "new" / "build")
    assert code == 0
    assert [(op["domain"], op["op"], op["provider"]) for op in json.loads(out)["ops"]] == [(domain, op, plugin) for op in ops]
    assert (tmp_path / "new" / "build" / f"{library}.so").exists()


def test_a_kind_that_is_not_offered(tmp_path):
    assert onnx2fx("plugin", "new", "org.lab.ops", tmp_path / "new", "--kind", "weights", "--lang", "python") == (
        1,
        "",
        f"error: plugin new: expected a kind and a language of {', '.join(OFFERED)}, got weights-python\n",
    )
    assert not (tmp_path / "new").exists()


def test_an_id_that_is_none(tmp_path):
    assert onnx2fx("plugin", "new", "rope", tmp_path / "new") == (
        1,
        "",
        "error: plugin new: expected an id such as com.acme.rope-pack, got 'rope'\n",
    )


def test_new_refuses_a_folder_with_content(tmp_path):
    (tmp_path / "file").write_text("mine")
    assert onnx2fx("plugin", "new", "org.lab.ops", tmp_path) == (
        1,
        "",
        f"error: {tmp_path}: expected a new or empty folder, got one with content\n",
    )


def test_new_as_a_document(tmp_path):
    code, out, errors = onnx2fx("plugin", "new", "org.lab.ops", tmp_path / "a", "--lang", "python", "--json")
    assert (code, errors) == (0, "")
    document, commands = json.loads(out), new("ops-python", "org.lab.ops", tmp_path / "b")
    files = sorted(str(p.relative_to(tmp_path / "a")) for p in (tmp_path / "a").rglob("*") if p.is_file())
    assert files and document == {
        "folder": str(tmp_path / "a"),
        "files": files,
        "next": [c.replace(str(tmp_path / "b"), str(tmp_path / "a")) for c in commands],
    }
