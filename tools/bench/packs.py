"""What descriptors of packs cost that nobody asked for: `onnx2fx plugins`, and conversions in one process.

    tools/bench/packs [--repeat N]

* The command: whole process of `onnx2fx plugins` over 0, 10, 100 and 1,000 foreign descriptors, and what 100 of them add:
  processor time and wall time, the least of N runs.
* In process: convert_onnx_to_fx of a model of one node with as many, the first time and once they are known.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import subprocess
import tempfile
import time

from processes import ONNX2FX, PYTHON

COUNTS = (0, 10, 100, 1000)

CONVERT = """
import sys, time, onnx.parser, torch
from onnx_to_fx import convert_onnx_to_fx
text = '<ir_version: 8, opset_import: ["": 17]> g (float[4] x) => (float[4] y) { y = Relu(x) }'
model = onnx.parser.parse_model(text).SerializeToString()
def seconds(**options):
    wall, processor = time.perf_counter(), time.process_time()
    convert_onnx_to_fx(model, **options)
    return time.process_time() - processor, time.perf_counter() - wall
seconds()
first = seconds(plugin_dirs=sys.argv[1])
print(*first, *map(min, zip(*(seconds(plugin_dirs=sys.argv[1]) for _ in range(int(sys.argv[2]))))))
"""


def descriptors(folder: pathlib.Path, count: int) -> None:
    folder.mkdir()
    for i in range(count):
        plugin = {
            "id": f"com.acme.pack-{i}",
            "version": "1.4.0",
            "library": f"pack_{i}.so",
            "abi": {"major": 1, "min_minor": 0, "built_minor": 0},
        }
        ops = [{"domain": f"com.acme.d{i}", "op": "Rope", "since": 1, "torch_targets": ["acme::rope"]}]
        document = {"manifest_version": "1.0", "plugin": plugin, "provides": {"ops": ops}}
        (folder / f"pack_{i}.onnx2fx.json").write_text(json.dumps(document, indent=2))
    old = time.time() - 60  # what has only just been written is read again
    for path in (*folder.iterdir(), folder):
        os.utime(path, (old, old))


def command(folder: pathlib.Path) -> tuple[float, float]:
    """Processor and wall seconds."""
    start = time.perf_counter()
    process = subprocess.Popen([ONNX2FX, "plugins", "--no-default-plugins", "--plugin-dir", folder], stdout=subprocess.DEVNULL)
    _, _, usage = os.wait4(process.pid, 0)
    return usage.ru_utime + usage.ru_stime, time.perf_counter() - start


def least(runs: list[tuple[float, float]]) -> tuple[float, float]:
    return min(r[0] for r in runs), min(r[1] for r in runs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=20)
    repeat = parser.parse_args().repeat
    with tempfile.TemporaryDirectory() as work:
        folders = {}
        for count in COUNTS:
            folders[count] = pathlib.Path(work) / str(count)
            descriptors(folders[count], count)
        time.sleep(2.1)  # the time of the last change is not ours to set
        print("onnx2fx plugins: processor ms, wall ms; of which 100 descriptors")
        none = least([command(folders[0]) for _ in range(repeat)])
        for count in COUNTS:
            took = least([command(folders[count]) for _ in range(repeat)])
            share = [f"{1e5 * (t - n) / count:6.2f}" if count else "     -" for t, n in zip(took, none)]
            print(f"  {count:5}   {1000 * took[0]:7.2f} {1000 * took[1]:7.2f}   {share[0]} {share[1]}")
        print("convert_onnx_to_fx: processor ms, wall ms; the first time, then")
        for count in COUNTS:
            line = subprocess.run([PYTHON, "-c", CONVERT, folders[count], str(repeat)], check=True, capture_output=True, text=True).stdout
            print(f"  {count:5}   " + "   ".join(f"{1000 * float(t):7.2f}" for t in line.split()))


if __name__ == "__main__":
    main()
