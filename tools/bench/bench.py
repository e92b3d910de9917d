"""How long conversion takes and what it costs in memory, beside two peers, as ratios.

    tools/bench/run [--repeat N]

* The command: whole process of `onnx2fx MODEL -o DIR`, wall time and peak resident memory.
* In process: convert_onnx_to_fx against onnx2torch 1.5.15 and the pure-Python onnx2fx 0.0.1, each in a virtual
  environment of its own and a fresh process a run; time of the conversion call, growth of resident memory over
  the imports until just before the first forward. The median of N runs.

Models (generated once into .deps/bench): an MLP, ResNet-50 and BERT base, by PyTorch's legacy exporter; random weights.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
WORK = ROOT / ".deps" / "bench"
PYTHON = ROOT / ".venv/bin/python"
PEERS = {"onnx2torch": "1.5.15", "onnx2fx": "0.0.1"}

RUN = """
import json, os, sys, time
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
import torch, onnx
torch.set_num_threads(1)
who, path = sys.argv[1:]
if who == "onnx_to_fx":
    from onnx_to_fx import convert_onnx_to_fx as convert
elif who == "onnx2torch":
    import types
    class Stub(types.ModuleType):  # there is no CPU build of torchvision; onnx2torch imports it for detection operators
        def __getattr__(self, name):
            return None
    sys.modules.update({name: Stub(name) for name in ("torchvision", "torchvision.ops")})
    from onnx2torch import convert
else:
    import onnx2fx
    def convert(path):
        return onnx2fx.convert(onnx.load(path))
before, start = resident(), time.perf_counter()
module = convert(path)
print(json.dumps({"seconds": time.perf_counter() - start, "bytes": resident() - before}))
"""


def peer_python(name: str) -> pathlib.Path:
    """The interpreter of a virtual environment that holds the peer and sees the project's torch and onnx."""
    home = WORK / f"venv-{name}"
    if not (home / ".done").exists():
        shutil.rmtree(home, ignore_errors=True)
        subprocess.run([PYTHON, "-m", "venv", home], check=True)
        subprocess.run([home / "bin/pip", "install", "-q", "--disable-pip-version-check", "--no-deps", f"{name}=={PEERS[name]}"], check=True)
        packages = next(home.glob("lib/python*/site-packages"))
        (packages / "project.pth").write_text(str(next((ROOT / ".venv").glob("lib/python*/site-packages"))) + "\n")
        (home / ".done").touch()
    return home / "bin/python"


def models() -> dict[str, pathlib.Path]:
    WORK.mkdir(parents=True, exist_ok=True)
    made = {}
    for name in ("mlp", "resnet50", "bert_base"):
        made[name] = WORK / f"{name}.onnx"
        if not made[name].exists():
            part = made[name].with_suffix(".part")
            subprocess.run([PYTHON, ROOT / "tests/e2e/exports.py", name, "legacy", part], check=True, stdout=subprocess.DEVNULL)
            part.rename(made[name])
    return made


def in_process(who: str, path: pathlib.Path, repeat: int) -> dict[str, float] | str:
    python = PYTHON if who == "onnx_to_fx" else peer_python(who)
    runs = []
    for _ in range(repeat):
        run = subprocess.run([python, "-c", RUN, who, path], capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
        if run.returncode:
            return run.stderr.strip().splitlines()[-1][:100]
        runs.append(json.loads(run.stdout.strip().splitlines()[-1]))
    return {key: statistics.median(r[key] for r in runs) for key in runs[0]}


def command(path: pathlib.Path, repeat: int) -> tuple[float, float]:
    """Median milliseconds, largest peak MiB of the whole process."""
    times, peak = [], 0
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(repeat + 1):  # the first warms the page cache
            start = time.perf_counter()
            process = subprocess.Popen([ROOT / ".venv/bin/onnx2fx", path, "-o", f"{folder}/out", "--weights", "reference"])
            _, status, usage = os.wait4(process.pid, 0)
            times.append(1000 * (time.perf_counter() - start))
            peak = max(peak, usage.ru_maxrss / 1024)
            if status:
                sys.exit(f"onnx2fx {path} failed")
    return statistics.median(times[1:]), peak


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=5)
    repeat = parser.parse_args().repeat
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    paths = models()
    print("onnx2fx MODEL -o DIR --weights reference (whole process)")
    for name, path in paths.items():
        ms, mib = command(path, max(repeat, 5))
        print(f"  {name:10} {path.stat().st_size / 1e6:6.1f} MB   {ms:6.1f} ms   {mib:5.1f} MiB")
    print("in process: conversion call, growth of resident memory before the first forward")
    for name in ("resnet50", "bert_base"):
        ours = in_process("onnx_to_fx", paths[name], repeat)
        print(f"  {name:10} onnx_to_fx  {ours['seconds']:6.3f} s  {ours['bytes'] / 2**20:7.1f} MiB")
        for peer in PEERS:
            theirs = in_process(peer, paths[name], repeat)
            if isinstance(theirs, str):
                print(f"  {name:10} {peer:11} fails: {theirs}")
                continue
            print(f"  {name:10} {peer:11} {theirs['seconds']:6.3f} s  {theirs['bytes'] / 2**20:7.1f} MiB   "
                  f"onnx_to_fx: {theirs['seconds'] / ours['seconds']:.1f} times faster, "
                  f"{max(ours['bytes'], 1) / theirs['bytes']:.3f} of its memory")


if __name__ == "__main__":
    main()
