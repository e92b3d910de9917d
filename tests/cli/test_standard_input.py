"""A model on standard input."""

import json
import os
import pty
import subprocess

import numpy as np
import onnx
from command_line import LINEAR, PROGRAM, onnx2fx, save, serialized

MODEL = serialized(LINEAR)


def test_its_weights_are_copied(tmp_path):
    assert onnx2fx("-", "-o", "out", "-q", cwd=tmp_path, input=MODEL) == (0, "", "")
    save(tmp_path / "m.onnx")
    assert onnx2fx("m.onnx", "-o", "m", "-q", "--weights", "copy", cwd=tmp_path) == (0, "", "")
    for name in ("graph.json", "weights.safetensors"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "m" / name).read_bytes()
    report = json.loads((tmp_path / "out/report.json").read_text())
    assert report["model"]["file"] == "<stdin>"


def test_other_modes(tmp_path):
    for mode in ("copy", "meta", "random"):
        arguments = ["convert", "-", "-o", "out", "-q", "--weights", mode]
        assert onnx2fx(*arguments, cwd=tmp_path, input=MODEL) == (0, "", "")
        assert json.loads((tmp_path / "out/graph.json").read_text())["weights"] == mode


def test_they_cannot_stay_where_they_are(tmp_path):
    arguments = ["-", "-o", "out", "--weights", "reference"]
    assert onnx2fx(*arguments, cwd=tmp_path, input=MODEL) == (
        2,
        "",
        "error: command line: --weights: expected copy, meta or random for a model on standard input, got 'reference'\n"
        "  note: there is no file that the weights could be left in\n"
        "  note: see onnx2fx --help\n",
    )
    assert not (tmp_path / "out").exists()


def test_external_data_lies_in_the_current_folder(tmp_path):
    model = onnx.load_from_string(MODEL)
    for t in model.graph.initializer:
        t.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(t), t.name))
    path = tmp_path / "m.onnx"
    onnx.save(model, path, save_as_external_data=True, location="w.bin", size_threshold=0)
    data = path.read_bytes()
    assert onnx2fx("-", "-o", "out", "-q", cwd=tmp_path, input=data) == (0, "", "")
    stored = (tmp_path / "out/weights.safetensors").read_bytes()
    assert np.float32([1, 2, 3, 4, 5, 6]).tobytes() in stored
    (tmp_path / "w.bin").unlink()
    assert onnx2fx("-", "-o", "out", "-q", cwd=tmp_path, input=data) == (
        1,
        "",
        "error: <stdin>: weight 'fc.weight': file 'w.bin' is missing\n"
        "  note: put the file beside the model, or convert with --weights meta\n",
    )


def test_inspect(tmp_path):
    code, out, errors = onnx2fx("inspect", "-", cwd=tmp_path, input=MODEL)
    assert (code, errors) == (0, "")
    assert out.startswith("model    <stdin>, opset 21, com.acme 1\ninput    x  float32[N, 2]\noutput   y  float32[N, 3]\n")


def test_verify_needs_a_file(tmp_path):
    assert onnx2fx("verify", "-", cwd=tmp_path, input=MODEL) == (
        2,
        "",
        "error: command line: verify: expected the path of a model, got '-'\n"
        "  note: write standard input to a file\n"
        "  note: see onnx2fx verify --help\n",
    )


def test_what_is_no_model(tmp_path):
    for data, fault in (b"", "the file is empty"), (b"\0\0", "byte 0: no field begins here"):
        assert onnx2fx("-", "-o", "out", cwd=tmp_path, input=data) == (
            1,
            "",
            f"error: <stdin>: not an ONNX model: {fault}\n",
        )


def test_a_terminal_is_not_waited_for(tmp_path):
    ours, its = pty.openpty()
    try:
        assert onnx2fx("-", "-o", "out", cwd=tmp_path, stdin=its) == (
            1,
            "",
            "error: <stdin>: expected a model, got a terminal\n"
            "  note: redirect it: onnx2fx - -o out < model.onnx\n",
        )
    finally:
        os.close(ours)
        os.close(its)


def test_closed(tmp_path):
    done = subprocess.run(
        ["sh", "-c", 'exec "$0" - -o out <&-', PROGRAM], cwd=tmp_path, capture_output=True, text=True
    )
    expected = 1, "error: <stdin>: expected a model, got: Bad file descriptor\n"
    assert (done.returncode, done.stderr) == expected
