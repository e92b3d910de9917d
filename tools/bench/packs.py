"""What descriptors of packs cost that nobody asked for: `onnx2fx plugins`, and conversions in one process.

    tools/bench/packs [--repeat N]

* The command: whole process of `onnx2fx plugins` over 0, 10, 100 and 1,000 foreign descriptors, and what 100 of them add:
  processor time and wall time, the least of N runs.
* In process: convert_onnx_to_fx of a model of one node with as many, the first time and once they are known.
* The operators as a plugin against the same objects linked into the program: processor time of a conversion.
* Nanoseconds that a call of a slot takes, measured by a pack inside its lowering.
* The smallest pack: its files, lines, seconds from nothing to a library, and bytes.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import time

from bench import models
from processes import ONNX2FX, PYTHON, ROOT

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


SLOTS_MODEL = """
import onnx, onnx.parser, sys
onnx.save(onnx.parser.parse_model('''<ir_version: 10, opset_import: ["": 21, "bench": 1]>
g (float[N, 1, 8, 8] x) => (y) <int64[4] s = {1, 1, 8, 8}, float[1, 1, 3, 3] w = {1, 1, 1, 1, 1, 1, 1, 1, 1}>
{ y = bench.Slots <alpha = 1.0> (x, s, w) }'''), sys.argv[1])
"""
SMALLEST = {
    "pack.cpp": """#include <onnx2fx/plugin.hpp>
using namespace onnx2fx;
static constexpr o2fx_op kOps[] = {direct("Sine", 1, "aten::sin", 0, "com.acme")};
ONNX2FX_PLUGIN("com.acme.pack", "1.0.0", kOps)
""",
    "CMakeLists.txt": """cmake_minimum_required(VERSION 3.21)
project(pack LANGUAGES C CXX)
find_package(onnx2fx REQUIRED)
onnx2fx_add_plugin(pack SOURCES pack.cpp)
""",
}


def linked(folder: pathlib.Path, repeat: int) -> None:
    """The border's share of a conversion."""
    program, plugins = ROOT / "build/release/bin/onnx2fx_border_bench", ROOT / "build/release/lib/onnx2fx/plugins.d"
    subprocess.run([ROOT / ".venv/bin/cmake", "--build", ROOT / "build/release", "--target", program.name, "ai.onnx"], check=True, stdout=subprocess.DEVNULL)
    alone = folder / "alone"
    alone.mkdir()
    for name in ("ai.onnx.so", "ai.onnx.onnx2fx.json"):
        shutil.copy(plugins / name, alone)
    time.sleep(2.1)  # a descriptor that has only just been written is read again
    for name, path in models().items():
        took: dict[str, list[tuple[float, ...]]] = {"shared": [], "linked": []}
        for _ in range(repeat):
            for how, times in took.items():
                line = subprocess.run([program, how, path, alone, "20"], check=True, capture_output=True, text=True).stdout
                times.append(tuple(map(float, line.split())))
        (first, least), (first_linked, least_linked) = ([min(t) for t in zip(*took[how])] for how in took)
        print(f"  {name:10} {least:7.2f} {least_linked:7.2f}   {100 * (least / least_linked - 1):+5.1f} %   the first, with mapping and reading of the "
              f"descriptor: {first:7.2f} {first_linked:7.2f}")


def slots(folder: pathlib.Path) -> None:
    flags = ["-std=gnu11", "-O2", "-shared", "-fPIC", f"-I{ROOT}/sdk/include"]
    subprocess.run(["gcc", *flags, ROOT / "tools/bench/slots.c", "-o", folder / "slots.so"], check=True)
    plugin = {"id": "com.bench.slots", "version": "1.0.0", "library": "slots.so", "abi": {"major": 1, "min_minor": 0}}
    ops = [{"domain": "bench", "op": "Slots", "since": 1}]
    (folder / "slots.onnx2fx.json").write_text(json.dumps({"manifest_version": "1.0", "plugin": plugin, "provides": {"ops": ops}}))
    subprocess.run([PYTHON, "-c", SLOTS_MODEL, folder / "slots.onnx"], check=True)
    command = [ONNX2FX, "slots.onnx", "-o", "slots", "-q", "--budget", "1000", "--plugin", "slots.onnx2fx.json"]
    print(subprocess.run(command, check=True, capture_output=True, text=True, cwd=folder).stdout, end="")


def smallest(folder: pathlib.Path) -> None:
    for name, text in SMALLEST.items():
        (folder / name).write_text(text)
    cmake = str(ROOT / ".venv/bin/cmake")
    config = subprocess.run([ONNX2FX, "--cmake-dir"], check=True, capture_output=True, text=True).stdout.strip()
    start = time.perf_counter()
    for command in ([cmake, "-S", ".", "-B", "build", f"-Donnx2fx_DIR={config}", "-DCMAKE_BUILD_TYPE=Release"], [cmake, "--build", "build"]):
        subprocess.run(command, check=True, cwd=folder, stdout=subprocess.DEVNULL)
    seconds = time.perf_counter() - start
    lines = sum(text.count("\n") for text in SMALLEST.values())
    size = (folder / "build" / "pack.so").stat().st_size
    print(f"  {len(SMALLEST)} files, {lines} lines, {seconds:.1f} s, {size} bytes, no library but those of the compiler")


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
        print("operators as a plugin, linked in: processor ms of a conversion")
        made = pathlib.Path(work)
        linked(made, max(repeat // 4, 1))
        print("a call of a slot: ns")
        slots(made)
        print("the smallest pack")
        (made / "smallest").mkdir()
        smallest(made / "smallest")


if __name__ == "__main__":
    main()
