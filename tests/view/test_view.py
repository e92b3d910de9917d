"""The data of the page, and the page as a file; tests/view/test_page.py opens it in a browser."""

import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import onnx.parser
import pytest
import torch
from onnx_to_fx import convert_onnx_to_fx, view
from onnx_to_fx.page import main

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("ONNX2FX_BUILD", ROOT / "build/release"))
SOURCES = ROOT / "tools/view"
ENVIRONMENT = {
    "PATH": f"{pathlib.Path(sys.executable).parent}:{os.defpath}",
    "PYTHONPATH": str(BUILD / "lib/python/site-packages"),
    "PYTHONDONTWRITEBYTECODE": "1",
    "XDG_DATA_HOME": "/nonexistent",
}
LINEAR = """<ir_version: 10, opset_import: ["": 21]>
g (float[N, 2] x) => (float[N, 3] y)
<float[3, 2] "fc.weight" = {1, 2, 3, 4, 5, 6}, float[3] "fc.bias" = {7, 8, 9}>
{ [fc] h = Gemm <transB = 1> (x, "fc.weight", "fc.bias") [last] y = Tanh(h) }"""
BRANCHES = """<ir_version: 10, opset_import: ["": 21]>
g (float[2] x, bool c) => (float[2] y)
{ [branch] y = If (c) <then_branch = t () => (float[2] a) { [inside] a = Sin(x) },
                       else_branch = e () => (float[2] b) { b = Cos(x) }> }"""
KEPT = """<ir_version: 10, opset_import: ["": 21, "com.acme": 1]>
g (float[2] x) => (float[2] y) { [turn] a = com.acme.Rope(x) y = Tanh(a) }"""


def converted(text, **options):
    return convert_onnx_to_fx(onnx.parser.parse_model(text), **options)


def onnx2fx(*arguments, cwd, **options):
    command = [BUILD / "bin/onnx2fx", *map(str, arguments)]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, env=ENVIRONMENT, stdin=subprocess.DEVNULL, **options)
    return done.returncode, done.stdout, re.sub(r"in \d+\.\d\d s", "in N s", done.stderr)


def test_both_sides_of_a_node():
    document = view(converted(LINEAR)).document
    assert (document["format"], document["version"], document["cost"]) == ("onnx2fx.view", "1.0", None)
    assert document["model"]["inputs"] == [{"name": "x", "dtype": "float32", "shape": ["N", 2]}]
    (root,) = document["programs"]
    x, fc, last, out = root["nodes"]
    assert (x["op"], x["type"], out["op"]) == ("placeholder", {"dtype": "float32", "shape": ["N", 2]}, "output")
    assert (fc["class"], fc["path"], fc["inputs"], last["inputs"]) == ("Linear", "fc", [0], [1])
    assert root["code"][fc["line"]].lstrip().startswith(f"{fc['name']} = self.fc(x)")
    assert "tanh" in root["code"][last["line"]]
    told = document["onnx"][last["onnx"]]
    assert (told["name"], told["op_type"], told["outputs"], told["provider"]) == ("last", "Tanh", ["y"], "onnx2fx.ai-onnx 0.1.0")
    weight, bias = (document["tensors"][t] for t in fc["tensors"])
    assert (weight["path"], weight["shape"], weight["role"], weight["trainable"], weight["absent"]) == ("fc.weight", [3, 2], "parameter", True, False)
    assert weight["because"] and bias["name"] == "fc.bias"


def test_what_is_frozen_or_absent_is_told():
    frozen = view(converted(LINEAR, frozen="*")).document["tensors"]
    assert [t["trainable"] for t in frozen] == [False, False]
    for weights in ("meta", "fake"):
        assert all(t["absent"] for t in view(converted(LINEAR, weights=weights)).document["tensors"])


def test_it_shows_the_module_as_it_is_now():
    module = converted(LINEAR)
    output = next(n for n in module.graph.nodes if n.op == "output")
    with module.graph.inserting_before(output):
        added = module.graph.call_function(torch.abs, (output.args[0],))
    output.replace_input_with(output.args[0], added)
    module.recompile()
    node = next(n for n in view(module).document["programs"][0]["nodes"] if n["target"] == "torch.abs")
    assert "onnx" not in node and "type" not in node and node["inputs"] == [2]


@pytest.mark.parametrize("dialect", ["nn", "aten"])
def test_branches_are_bodies_of_their_call(dialect):
    document = view(converted(BRANCHES, dialect=dialect)).document
    (call,) = [n for n in document["programs"][0]["nodes"] if "bodies" in n]
    targets = [{n["target"] for n in document["programs"][b]["nodes"]} for b in call["bodies"]]
    assert any("sin" in t for t in targets[0]) and any("cos" in t for t in targets[1])
    told = document["onnx"][call["onnx"]]
    assert told["name"] == "branch" and told["notes"]


def test_a_node_that_nobody_lowers_is_marked():
    document = view(converted(KEPT, keep_going=True)).document
    (kept,) = [n for n in document["programs"][0]["nodes"] if n.get("opaque")]
    assert document["onnx"][kept["onnx"]]["name"] == "turn"
    assert [(u["domain"], u["op_type"], u["nodes"]) for u in document["unsupported"]] == [("com.acme", "Rope", ["turn"])]


def test_another_module_is_refused():
    with pytest.raises(TypeError) as caught:
        view(torch.fx.symbolic_trace(torch.nn.ReLU()))
    assert str(caught.value) == "module: expected one that onnx_to_fx made, got ReLU"


def test_data_cannot_end_its_element(tmp_path):
    module = converted(LINEAR)
    next(iter(module.graph.nodes)).meta["onnx"] = {"name": "</script><!--", "op_type": "\ud800\u2028&\0", "domain": "", "opset": 1}
    page = view(module)
    page.save(tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text()
    (data,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)
    assert json.loads(data) == page.document and "<" not in data and data.isascii()
    assert [f.name for f in tmp_path.iterdir()] == ["page.html"]
    assert page._repr_html_().startswith('<iframe srcdoc="&lt;!doctype html&gt;')


def test_the_command_writes_a_page_of_a_model_and_of_a_package(tmp_path):
    (tmp_path / "m.onnx").write_bytes(onnx.parser.parse_model(LINEAR).SerializeToString())
    assert onnx2fx("view", "m.onnx", "-o", "new/m.html", "--size", "N=4", cwd=tmp_path) == (0, "", "wrote new/m.html in N s\n")
    data = re.search(r'id="data">(.*?)</script>', (tmp_path / "new/m.html").read_text())[1]
    document = json.loads(data)
    assert document["cost"]["macs"] == 4 * 2 * 3 and document["model"]["inputs"][0]["shape"] == ["N", 2]
    assert not any(t["absent"] for t in document["tensors"])
    assert onnx2fx("m.onnx", "-o", "out", "-q", cwd=tmp_path) == (0, "", "")
    assert onnx2fx("view", "out", "-o", "out.html", "-q", cwd=tmp_path) == (0, "", "")
    assert '"file":"m.onnx"' in (tmp_path / "out.html").read_text()


def test_the_command_refuses_what_it_cannot_show(tmp_path):
    see = "  note: see onnx2fx view --help\n"
    for words, text in [
        (["-", "-o", "m.html"], "expected the path of a model or a package, got '-'\n  note: write standard input to a file\n"),
        (["m.onnx", "-o", "m.onnx"], "expected -o NAME.html, got 'm.onnx'\n  note: the page is one file\n"),
    ]:
        assert onnx2fx("view", *words, cwd=tmp_path) == (2, "", f"error: command line: view: {text}{see}")
    (tmp_path / "empty").mkdir()
    code, out, messages = onnx2fx("view", "empty", "-o", "m.html", cwd=tmp_path)
    assert (code, out) == (1, "") and messages.startswith("error: m.html: ")


def test_a_missing_package_is_told(tmp_path, capsys):
    assert main(str(tmp_path), str(tmp_path / "m.html"), "m.html", "") == 1
    assert capsys.readouterr().err.startswith("error: m.html: ") and not list(tmp_path.iterdir())


# ---- the asset


def stamp():
    """As tools/view/build.mjs makes it."""
    digest = hashlib.sha256()
    top = [SOURCES / n for n in ("build.mjs", "package.json", "package-lock.json", "tsconfig.json")]
    for path in [*top, *sorted((SOURCES / "src").iterdir())]:
        digest.update(f"{path.relative_to(SOURCES).as_posix()}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()


def test_the_asset_is_made_of_the_sources():
    """Else: cd tools/view; npm ci; npm run build."""
    asset = (SOURCES / "dist/view.html").read_text()
    assert f"sources: sha256 {stamp()}\n" in asset and asset.count("@DATA@") == 1
    assert len(asset) < 2_000_000 and "Eclipse Public License" in asset


@pytest.mark.skipif(not shutil.which("npm"), reason="no npm is installed")
@pytest.mark.skipif(not (SOURCES / "node_modules").is_dir(), reason="tools/view: npm ci has not been run")
def test_a_build_of_it_gives_the_same_bytes(tmp_path):
    copy = tmp_path / "view"
    shutil.copytree(SOURCES, copy, ignore=shutil.ignore_patterns("node_modules", "dist"))
    (copy / "node_modules").symlink_to(SOURCES / "node_modules")
    subprocess.run(["npm", "run", "build"], cwd=copy, check=True, capture_output=True)
    assert (copy / "dist/view.html").read_bytes() == (SOURCES / "dist/view.html").read_bytes()
