"""Packs build from the SDK folder alone, and no plugin of ours exports more than its entry."""
import json
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]
BUILD = pathlib.Path(os.environ.get("ONNX2FX_BUILD", ROOT / "build" / "release"))
CMAKE = shutil.which("cmake", path=os.pathsep.join([str(pathlib.Path(sys.executable).parent), os.environ["PATH"]]))
ENTRY = "onnx2fx_plugin_entry_1"


def cmake(*arguments):
    environment = {"PATH": os.defpath, "HOME": "/nonexistent"}
    done = subprocess.run([CMAKE, *map(str, arguments)], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def exports(library):
    text = subprocess.run(["nm", "-D", "--defined-only", str(library)], capture_output=True, text=True, check=True).stdout
    return [line.split()[-1] for line in text.splitlines()]


def dynamic(library, tag):
    text = subprocess.run(["readelf", "-d", str(library)], capture_output=True, text=True, check=True).stdout
    return [line.split("[")[1].rstrip("]") for line in text.splitlines() if f"({tag})" in line]


def check_pack(folder, library, plugin_id, ops):
    descriptor = json.loads((folder / f"{library}.onnx2fx.json").read_text())
    assert descriptor["plugin"]["id"] == plugin_id
    assert descriptor["plugin"]["library"] == f"{library}.so"
    assert [op["op"] for op in descriptor["provides"]["ops"]] == ops
    so = folder / f"{library}.so"
    assert exports(so) == [ENTRY]
    assert set(dynamic(so, "NEEDED")) <= {"libstdc++.so.6", "libm.so.6", "libgcc_s.so.1", "libc.so.6"}
    assert dynamic(so, "RPATH") == dynamic(so, "RUNPATH") == []


PACKS = [
    ("sdk/template/ops-cpp", "example_pack", "com.example.pack", ["Ramp", "Rope", "ScaledTanh"]),
    ("sdk/template/ops-c", "example_pack", "com.example.pack", ["Halve"]),
    ("tests/plugins/rope", "rope", "com.acme.rope-pack", ["Halve", "Rope"]),
    ("tests/plugins/xor", "xor", "com.acme.xor", []),
]


@pytest.mark.parametrize("source, library, plugin_id, ops", PACKS)
def test_builds_from_the_sdk_folder_alone(tmp_path, source, library, plugin_id, ops):
    sdk = tmp_path / "sdk"
    for part in ("include", "cmake"):
        shutil.copytree(ROOT / "sdk" / part, sdk / part)
    shutil.copytree(ROOT / source, tmp_path / "pack")
    cmake("-S", tmp_path / "pack", "-B", tmp_path / "build", f"-DONNX2FX_SDK={sdk}")
    cmake("--build", tmp_path / "build")
    check_pack(tmp_path / "build", library, plugin_id, ops)


def test_sanitized_pack_leaves_the_runtime_to_its_host(tmp_path):
    flags = [f"-DCMAKE_{language}_FLAGS=-fsanitize=address,undefined" for language in ("C", "CXX")]
    cmake("-S", ROOT / "tests/plugins/rope", "-B", tmp_path / "build", f"-DONNX2FX_SDK={ROOT}/sdk", *flags)
    cmake("--build", tmp_path / "build")
    check_pack(tmp_path / "build", "rope", "com.acme.rope-pack", ["Halve", "Rope"])
    undefined = subprocess.run(["nm", "-D", "--undefined-only", tmp_path / "build/rope.so"], capture_output=True, text=True).stdout
    assert "__asan_init" in undefined


def test_cross_compiling_runs_the_library_by_the_stated_emulator(tmp_path):
    emulator = tmp_path / "emulator"
    emulator.write_text(f'#!/bin/sh\necho "$1" >>{tmp_path}/ran\nexec "$@"\n')
    emulator.chmod(0o755)
    cross = ["-S", ROOT / "tests/plugins/rope", "-B", tmp_path / "build", f"-DONNX2FX_SDK={ROOT}/sdk", "-DCMAKE_SYSTEM_NAME=Linux"]
    done = subprocess.run([CMAKE, *map(str, cross)], capture_output=True, text=True)
    assert done.returncode == 1 and (
        "onnx2fx_add_plugin(rope): cross compiling: expected CMAKE_CROSSCOMPILING_EMULATOR (qemu-aarch64, say), got none; "
        "the descriptor is made by running the library" in " ".join(done.stderr.split())
    ), done.stderr
    cmake(*cross, f"-DCMAKE_CROSSCOMPILING_EMULATOR={emulator}")
    cmake("--build", tmp_path / "build")
    check_pack(tmp_path / "build", "rope", "com.acme.rope-pack", ["Halve", "Rope"])
    assert (tmp_path / "ran").read_text().splitlines() == [str(tmp_path / "build" / "onnx2fx_describe")]


def test_descriptor_of_a_source_of_weights():
    descriptor = json.loads((BUILD / "tests" / "plugins" / "libraries" / "xor.onnx2fx.json").read_text())
    assert descriptor["provides"] == {"ops": [], "weights": [{"scheme": "xor", "suffixes": [".xorstore"]}]}


def test_builds_from_an_installed_sdk(tmp_path):
    prefix = tmp_path / "prefix"
    (tmp_path / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.21)\nproject(sdk_only VERSION 0.1.0 LANGUAGES C CXX)\n"
        f"include(GNUInstallDirs)\nadd_subdirectory({ROOT}/sdk sdk)\n"
    )
    cmake("-S", tmp_path, "-B", tmp_path / "b", f"-DCMAKE_INSTALL_PREFIX={prefix}")
    cmake("--build", tmp_path / "b")
    cmake("--install", tmp_path / "b")
    shutil.copytree(prefix / "share" / "onnx2fx" / "template" / "ops-cpp", tmp_path / "pack")
    cmake("-S", tmp_path / "pack", "-B", tmp_path / "build", f"-DCMAKE_PREFIX_PATH={prefix}")
    cmake("--build", tmp_path / "build")
    check_pack(tmp_path / "build", *PACKS[0][1:])


def built_plugins():
    return sorted(d.with_name(d.name.replace(".onnx2fx.json", ".so")) for d in BUILD.rglob("*.onnx2fx.json"))


@pytest.mark.skipif(not built_plugins(), reason="nothing is built yet")
def test_plugins_of_this_build_export_one_symbol():
    for library in built_plugins():
        assert exports(library) == [ENTRY], library
