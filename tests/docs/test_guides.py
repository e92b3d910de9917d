"""docs/write-a-pack.md and docs/ship-weights.md: their commands run, and their code is that of the files they speak of."""
import os
import pathlib
import re
import shutil
import subprocess
import sys

import numpy as np
import onnx
import onnx.parser
import torch
from onnx_to_fx import load
from safetensors.numpy import save_file

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parents[1]
BUILD = pathlib.Path(os.environ.get("ONNX2FX_BUILD", ROOT / "build" / "release"))
PATH = [BUILD / "bin", pathlib.Path(sys.executable).parent, *os.defpath.split(os.pathsep)]
ENVIRONMENT = {
    **os.environ,
    "PATH": os.pathsep.join(map(str, PATH)),
    "PYTHONPATH": str(BUILD / "lib" / "python" / "site-packages"),
    "XDG_DATA_HOME": "/nonexistent",
}


def blocks(guide):
    """(language, text) of all fenced blocks."""
    return re.findall(r"^```(\w*)\n(.*?)^```$", (ROOT / "docs" / f"{guide}.md").read_text(), re.S | re.M)


def follow(guide, folder):
    """Runs its commands, one after the other; then each other block is a part of some file."""
    for language, text in blocks(guide):
        for line in text.splitlines() if language == "console" else ():
            command = line.removeprefix("$ ")
            done = subprocess.run(["bash", "-c", command], cwd=folder, env=ENVIRONMENT, capture_output=True, text=True)
            assert line.startswith("$ ") and done.returncode == 0, command + "\n" + done.stdout + done.stderr
            assert "No tests were found" not in done.stdout
    written = [*folder.rglob("*"), *(ROOT / "sdk" / "examples").iterdir()]
    files = [f for f in written if f.suffix in (".cpp", ".json", ".py", ".case") and "build" not in f.parts]
    texts = [f.read_text() for f in files]
    assert [text for language, text in blocks(guide) if language != "console" and not any(text in t for t in texts)] == []


def place(folder, text, *names):
    """The model, and files of this folder. In the text a name has _ for the dot that ONNX's syntax does not know."""
    model = onnx.parser.parse_model(text)
    for tensor in model.graph.initializer:
        tensor.name = tensor.name.replace("_", ".")
    for node in model.graph.node:
        node.input[:] = [name.replace("_", ".") for name in node.input]
    onnx.save(model, folder / "model.onnx")
    for name in names:
        shutil.copy(HERE / name, folder)


def test_write_a_pack(tmp_path):
    place(
        tmp_path,
        '<ir_version: 10, opset_import: ["": 21, "com.example": 1]> g (float[N] x) => (float[N] y) '
        "{ y = com.example.ScaledTanh <alpha = 2.0, beta = 0.5> (x) }",
        "manifest.json",
    )
    clipped = '<ir_version: 10, opset_import: ["": 21, "com.example": 1]> g (float[N] x) => (float[N] y) { y = com.example.SoftClip (x) }'
    onnx.save(onnx.parser.parse_model(clipped), tmp_path / "soft_clip.onnx")
    follow("write-a-pack", tmp_path)
    x = torch.tensor([-1.0, 0.0, 2.0])
    for package in ("out", "configured"):
        torch.testing.assert_close(load(tmp_path / package)(x), 2 * torch.tanh(x / 2))


def test_ship_weights(tmp_path):
    place(
        tmp_path,
        '<ir_version: 10, opset_import: ["": 21]> g (float[N, 3] x) => (float[N, 2] y) '
        "<float[3, 3] body_w = {0, 0, 0, 0, 0, 0, 0, 0, 0}, float[3, 2] head_w = {0, 0, 0, 0, 0, 0}> "
        "{ h = MatMul (x, body_w) y = MatMul (h, head_w) }",
        "rules.json",
        "served.json",
    )
    body, head = np.arange(9, dtype=np.float32), np.arange(6, dtype=np.float32)
    save_file({"model.body.w": body.reshape(3, 3)}, tmp_path / "weights.safetensors")
    (tmp_path / "w.listed").write_bytes(b"head.w 0 24\nbody.w 24 36\n\n" + head.tobytes() + body.tobytes())
    follow("ship-weights", tmp_path)
    x = torch.randn(2, 3)
    served = load(tmp_path / "served")
    torch.testing.assert_close(served(x), x @ torch.from_numpy(body.reshape(3, 3)) @ torch.from_numpy(head.reshape(3, 2)))
    tuned = load(tmp_path / "tuned").state_dict().values()
    assert any(torch.equal(t, torch.from_numpy(body.reshape(3, 3).T)) or torch.equal(t, torch.from_numpy(body.reshape(3, 3))) for t in tuned)
    assert any(t.numel() == 6 and 0 < t.std() < 0.1 for t in tuned)  # the head, drawn
