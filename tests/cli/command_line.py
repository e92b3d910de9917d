"""Runs the command as a user does."""

import os
import pathlib
import subprocess

import onnx.parser

ROOT = pathlib.Path(__file__).parents[2]
BUILD = pathlib.Path(os.environ.get("ONNX2FX_BUILD", ROOT / "build" / "release"))
PROGRAM = BUILD / "bin" / "onnx2fx"
LINEAR = """<ir_version: 10, opset_import: ["": 21, "com.acme": 1]>
g (float[N, 2] x) => (float[N, 3] y)
<float[3, 2] "fc.weight" = {1, 2, 3, 4, 5, 6}, float[3] "fc.bias" = {7, 8, 9}>
{ y = Gemm <transB = 1> (x, "fc.weight", "fc.bias") }"""
KEPT = """<ir_version: 10, opset_import: ["": 21, "com.acme": 1]>
g (float[2] x) => (float[2] y) { a = com.acme.Rope(x) b = com.acme.Rope(a) y = com.acme.Twist(b) }"""


def onnx2fx(*arguments, cwd=None, **options):
    """Exit code, standard output, messages."""
    options.setdefault("stdin", subprocess.DEVNULL)
    if "input" in options:
        del options["stdin"]
    options.setdefault("env", {"PATH": os.defpath, "XDG_DATA_HOME": "/nonexistent"})
    done = subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, cwd=cwd, **options)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def serialized(text):
    return onnx.parser.parse_model(text).SerializeToString()


def save(path, text=LINEAR):
    path.write_bytes(serialized(text))
