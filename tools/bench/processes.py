"""What a fresh process takes: commands, and conversions in Python beside peers that live in environments of their own."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
from typing import Callable, Sequence

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
WORK = ROOT / ".deps" / "bench"
PYTHON = ROOT / ".venv/bin/python"
ONNX2FX = ROOT / ".venv/bin/onnx2fx"
PEERS = {"onnx2torch": "1.5.15", "onnx2fx": "0.0.1", "onnx2pytorch": "0.6.0"}

CONVERT = """
import functools, json, os, resource, sys, time, types
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
class Stub(types.ModuleType):  # there is no CPU build of torchvision; peers import it for detection operators
    def __getattr__(self, name):
        return None
import torch, onnx
torch.set_num_threads(1)
who, path, weights = sys.argv[1:]
if who == "onnx_to_fx":
    from onnx_to_fx import bind, convert_onnx_to_fx
    def convert(path):
        module = convert_onnx_to_fx(path, weights=weights.removesuffix("+bind"))
        return bind(module, path) if weights.endswith("+bind") else module
else:
    with open("/proc/self/oom_score_adj", "w") as score:
        score.write("1000")  # where memory runs out, this process goes and no other
    sys.modules.update({name: Stub(name) for name in ("torchvision", "torchvision.io", "torchvision.ops")})
    if who == "onnx2torch":
        from onnx2torch import convert
    elif who == "onnx2pytorch":
        from onnx2pytorch import ConvertModel
        def convert(path):
            return ConvertModel(onnx.load(path))
    else:
        import onnx2fx
        def convert(path):
            return onnx2fx.convert(path, memmap_external_data=weights == "memmap")
before, start = resident(), time.perf_counter()
module = convert(path)
seconds, growth = time.perf_counter() - start, resident() - before
peak = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({"seconds": seconds, "growth": growth, "peak": peak}))
"""

# A process inherits the peak of the one that starts it: this one is small.
LAUNCH = """
import os, sys, time
start = time.perf_counter()
process = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ)
_, status, usage = os.wait4(process, 0)
print('{"seconds": %f, "peak": %d}' % (time.perf_counter() - start, 1024 * usage.ru_maxrss))
sys.exit(status != 0)
"""


@dataclasses.dataclass
class Cost:
    """Median seconds; largest bytes: resident at most, and grown by until the work was done (conversions only)."""

    seconds: float
    peak: int
    growth: int = 0


def median(costs: Sequence[Cost]) -> Cost:
    return Cost(statistics.median(c.seconds for c in costs), max(c.peak for c in costs), max(c.growth for c in costs))


def run(command: Sequence[str | pathlib.Path]) -> Cost:
    """The whole process; stops the program when it fails."""
    done = subprocess.run([sys.executable, "-I", "-S", "-c", LAUNCH, *map(str, command)], stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, command))}: failed")
    return Cost(**json.loads(done.stdout))


def repeated(once: Callable[[], Cost], repeat: int) -> Cost:
    once()  # warms the page cache
    return median([once() for _ in range(repeat)])


def onnx2fx(model: pathlib.Path, weights: str, folder: pathlib.Path | None = None) -> Cost:
    """One run of the command; the package is gone afterwards."""
    with tempfile.TemporaryDirectory(dir=folder) as out:
        return run([ONNX2FX, model, "-o", f"{out}/package", "--weights", weights])


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


def in_process(who: str, model: pathlib.Path, repeat: int, weights: str = "reference") -> Cost | str:
    """The conversion call in a fresh interpreter, beyond its imports; or the first line of what it said when it failed.

    who: onnx_to_fx or a peer. weights: of onnx_to_fx; "meta+bind" gives them back from the model; "memmap" of onnx2fx."""
    python = PYTHON if who == "onnx_to_fx" else peer_python(who)
    costs = []
    for _ in range(repeat):
        done = subprocess.run([python, "-c", CONVERT, who, model, weights], capture_output=True, text=True,
                              env={**os.environ, "OMP_NUM_THREADS": "1"})
        if done.returncode:
            return error_of(done.stderr)
        costs.append(Cost(**json.loads(done.stdout.strip().splitlines()[-1])))
    return median(costs)


def error_of(text: str) -> str:
    """The first line of the exception that ended a program."""
    lines = [line for line in text.strip().splitlines() if line and not line.startswith((" ", "Traceback"))]
    return (lines[-1] if lines else "killed")[:100]
