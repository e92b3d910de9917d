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
import pathlib
import resource
import subprocess

from processes import PYTHON, ROOT, WORK, in_process, onnx2fx, repeated


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=5)
    repeat = parser.parse_args().repeat
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    paths = models()
    print("onnx2fx MODEL -o DIR --weights reference (whole process)")
    for name, path in paths.items():
        cost = repeated(lambda path=path: onnx2fx(path, "reference"), max(repeat, 5))
        print(f"  {name:10} {path.stat().st_size / 1e6:6.1f} MB   {1000 * cost.seconds:6.1f} ms   {cost.peak / 2**20:5.1f} MiB")
    print("in process: conversion call, growth of resident memory before the first forward")
    for name in ("resnet50", "bert_base"):
        ours = in_process("onnx_to_fx", paths[name], repeat)
        print(f"  {name:10} onnx_to_fx  {ours.seconds:6.3f} s  {ours.growth / 2**20:7.1f} MiB")
        for peer in ("onnx2torch", "onnx2fx"):
            theirs = in_process(peer, paths[name], repeat)
            if isinstance(theirs, str):
                print(f"  {name:10} {peer:11} fails: {theirs}")
                continue
            print(f"  {name:10} {peer:11} {theirs.seconds:6.3f} s  {theirs.growth / 2**20:7.1f} MiB   "
                  f"onnx_to_fx: {theirs.seconds / ours.seconds:.1f} times faster, "
                  f"{max(ours.growth, 1) / theirs.growth:.3f} of its memory")


if __name__ == "__main__":
    main()
