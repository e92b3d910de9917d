"""What the plugins see: the SDK, the shared lowerings and themselves; not the host, not each other."""

import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
PLUGINS = ROOT / "plugins"
SDK = {f"onnx2fx/{f.name}" for f in (ROOT / "sdk/include/onnx2fx").iterdir()}
# nlohmann/json is the one library from elsewhere, of the weight sources.
LIBRARIES = {"weights": {"nlohmann/json.hpp"}}


def allowed(room, name):
    if name.startswith("plugins/"):
        return name.split("/")[1] in (room, "lowering") and (ROOT / name).is_file()
    standard = re.fullmatch(r"[a-z_0-9]+", name)
    return bool(standard) or name in SDK or name in LIBRARIES.get(room, ())


def sources():
    files = [f for f in PLUGINS.rglob("*") if f.suffix in (".cpp", ".hpp", ".c", ".h")]
    assert len(files) > 90
    return files


def test_includes():
    wrong = [
        f"{file.relative_to(ROOT)}: {name}"
        for file in sources()
        for name in re.findall(r'#\s*include\s*[<"]([^>"]+)', file.read_text())
        if not allowed(file.relative_to(PLUGINS).parts[0], name)
    ]
    assert wrong == []


def test_every_source_is_compiled_once():
    listed = [
        str((cmake.parent / name).resolve())
        for cmake in PLUGINS.rglob("CMakeLists.txt")
        for name in re.findall(r"[\w./-]+\.cpp\b", cmake.read_text())
    ]
    assert sorted(listed) == sorted(str(f) for f in sources() if f.suffix == ".cpp")
