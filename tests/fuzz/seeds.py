"""Writes tests/fuzz/corpus afresh: small inputs to start from."""

import json
import pathlib
import random
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "python"))
import scoped_models  # noqa: E402
from onnx.backend.test.case.node import collect_testcases

HERE = pathlib.Path(__file__).parent
DOCUMENTS = HERE.parent / "plugins" / "corpus"


def write(target, name, data):
    folder = HERE / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)


def models():
    """The smallest case of each operator, behind a byte of options."""
    smallest = {}
    for case in collect_testcases(op_type=None):
        data = case.model.SerializeToString()
        op = case.model.graph.node[-1].op_type
        if op not in smallest or len(data) < len(smallest[op][1]):
            smallest[op] = case.name, data
    chosen = sorted((len(data), op, data) for op, (_, data) in smallest.items())
    for _, op, data in chosen[:120]:
        write("convert", op, bytes([len(op) % 8]) + data)


def modules():
    for seed in range(12):
        model = scoped_models.Model(seed, older=seed % 2 == 1).proto()
        write("convert", f"modules-{seed:02}", b"\0" + model.SerializeToString())


def documents(target, key):
    """Each document of the corpus that validators share, as it is."""
    cases = json.loads((DOCUMENTS / f"{target}s.json").read_text())
    for i, case in enumerate(cases[:40]):
        text = case if isinstance(case, str) else json.dumps(case.get(key, case))
        write(target, f"{i:02}", text.encode())


def library():
    with tempfile.TemporaryDirectory() as folder:
        source, out = pathlib.Path(folder, "a.c"), pathlib.Path(folder, "a.so")
        source.write_text("int none(void); const void* onnx2fx_plugin_entry_1(void) { return (void*)(long)none(); }")
        subprocess.run(["gcc", "-shared", "-fPIC", "-nostdlib", "-s", "-Os", "-Wl,-z,noseparate-code",
                        "-Wl,--build-id=none", "-Wl,-rpath,/x", "-Wl,-soname,a.so", source, "-o", out], check=True)  # fmt: skip
        write("elf", "library", out.read_bytes())


def choices():
    rng = random.Random(0)
    for target in ("border", "shapes"):
        for i in range(12):
            write(target, f"{i:02}", rng.randbytes(60 + 40 * i))


if __name__ == "__main__":
    models()
    modules()
    documents("descriptor", "document")
    documents("manifest", "document")
    library()
    choices()
