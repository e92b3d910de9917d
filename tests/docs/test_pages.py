"""Pages that run from top to bottom: commands, Python, and what these print."""

import contextlib
import io
import pathlib
import re
import subprocess

import onnx
import onnx.parser
import pytest
from test_guides import ENVIRONMENT, ROOT, blocks

MODEL = """<ir_version: 10, opset_import: ["": 21]> g (float[N, 4] x) => (float[N, 2] logits)
  <float[8, 4] "fc1.weight", float[8] "fc1.bias", float[2, 8] "fc2.weight", float[2] "fc2.bias"> {
    h = Gemm <transB = 1> (x, "fc1.weight", "fc1.bias")
    r = Relu (h)
    logits = Gemm <transB = 1> (r, "fc2.weight", "fc2.bias")
  }"""
SIZES = {"float[8, 4]": 32, "float[8]": 8, "float[2, 8]": 16, "float[2]": 2}


def model():
    text = MODEL
    for head, size in SIZES.items():
        values = ", ".join(str(((7 * i) % 11 - 5) / 10) for i in range(size))
        text = re.sub(rf'({re.escape(head)} "[^"]+")', rf"\1 = {{{values}}}", text)
    return onnx.parser.parse_model(text)


def command(line, folder):
    done = subprocess.run(["bash", "-c", line], cwd=folder, env=ENVIRONMENT, capture_output=True, text=True)
    assert done.returncode == 0, line + "\n" + done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize("page", ["compilers", "get-started", "fine-tune", "view", "weightless"])
def test_page(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    onnx.save(model(), "model.onnx")
    names, said = {}, io.StringIO()
    for language, text in blocks(page):
        if language == "console":
            lines = text.splitlines()
            assert all(line.startswith("$ ") for line in lines)
            for line in lines:
                said.write(command(line.removeprefix("$ "), tmp_path))
        elif language == "python":
            with contextlib.redirect_stdout(said):
                exec(compile(text, str(pathlib.Path(page)), "exec"), names)
        else:
            assert (language, text.strip() in said.getvalue()) == ("", True), text + "\nexpected in\n" + said.getvalue()


def test_messages_that_the_faq_explains_are_the_product_s():
    """A heading is what a message says, … for what differs; anchors of the site, so that texts are not changed in passing."""
    sources = [p for folder in ("core", "tools", "plugins") for p in (ROOT / folder).rglob("*") if p.suffix in (".cpp", ".py")]
    text = re.sub(r'"\s*f?"', "", "\n".join(p.read_text() for p in sources))  # literals that go on in the next line
    headings = re.findall(r"^### (.*)", (ROOT / "docs/faq.md").read_text(), re.M)
    parts = {h: [p.strip(" :") for p in h.split("…")] for h in headings}
    assert len(headings) > 15 and {h for h, some in parts.items() if not all(p in text for p in some)} == set()
