"""What large weights cost: nothing where they stay in their file, little more than `cp` where they are copied.

    tools/bench/weights [--size GB ...] [--repeat N] [--no-peers] [--folder DIR]

For each size a Llama with external data is written (llama.py) and removed afterwards, also on failure. Every figure is
of a fresh process: the median of N runs, and the largest memory of them.

* The command: `onnx2fx MODEL -o DIR` with --weights meta, reference and copy. Copies take turns with `cp` of the same
  file: warm (the file is in the page cache) and cold (it has just been dropped from there).
* In process: convert_onnx_to_fx, and the growth of resident memory until just before the first forward.
* Peers, once each, on the largest model that leaves them room: with the data file, and without it.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import pathlib
import tempfile
from typing import Callable, Iterator, Sequence

from llama import write
from processes import PEERS, Cost, in_process, median, onnx2fx, repeated, run

GB, MB = 1e9, 1e6
SPARE = 1.5 * GB
ROOM = {"onnx2fx": 5.5, "onnx2pytorch": 3.5}  # resident memory that a peer needs, in sizes of the model


class Table:
    """Rows of one figure per size, judged by the worst of them."""

    def __init__(self, sizes: Sequence[float]) -> None:
        self.sizes = sizes
        self.line("", [f"{size / GB:.2f} GB" for size in sizes], "bar", "")

    @staticmethod
    def line(what: str, figures: Sequence[str], bar: str, verdict: str) -> None:
        print(f"{what:44}" + "".join(f"{f:>11}" for f in figures) + f"   {bar:10} {verdict}".rstrip(), flush=True)

    def row(self, what: str, figures: Sequence[float | str], unit: str, bar: float, at_least: bool = False) -> None:
        failures = [f for f in figures if isinstance(f, str)]
        if failures:
            print(f"{what:44} fails: {failures[0]}", flush=True)
            return
        holds = min(figures) >= bar if at_least else max(figures) <= bar
        sign, digits = ">=" if at_least else "<=", 2 if bar < 10 else 0
        self.line(what, [f"{f:.{digits}f} {unit}" for f in figures], f"{sign} {bar:g} {unit}", "holds" if holds else "MISSED")

    def costs(self, what: str, costs: Sequence[Cost | str], seconds: float, memory: tuple[str, str, float]) -> None:
        kind, name, bar = memory
        self.row(f"{what}: time", [c if isinstance(c, str) else c.seconds for c in costs], "s", seconds)
        if all(isinstance(c, Cost) for c in costs):
            self.row(f"{what}: {name}", [getattr(c, kind) / MB for c in costs], "MB", bar)

    def flat(self, what: str, costs: Sequence[Cost]) -> None:
        if len(costs) > 1:
            growth = (costs[-1].peak - costs[0].peak) / MB
            self.line(f"{what}: memory, largest over smallest", [""] * (len(costs) - 1) + [f"{growth:+.1f} MB"],
                      "flat", "holds" if growth <= 5 else "MISSED")


PEAK, GROWTH = ("peak", "resident at most", 150), ("growth", "resident growth", 200)


def drop_from_cache(file: pathlib.Path) -> None:
    with open(file, "rb") as opened:
        os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def read_through(file: pathlib.Path) -> None:
    with open(file, "rb", buffering=0) as opened:
        buffer = bytearray(1 << 20)
        while opened.readinto(buffer):
            pass


def cp(file: pathlib.Path, folder: pathlib.Path) -> Cost:
    with tempfile.TemporaryDirectory(dir=folder) as out:
        return run(["cp", file, out])


def copies(model: pathlib.Path, data: pathlib.Path, repeat: int, prepare: Callable[[pathlib.Path], None]) -> tuple[Cost, Cost]:
    """cp and --weights copy in turns, each after the same preparation; who comes first alternates."""
    costs: dict[str, list[Cost]] = {"cp": [], "ours": []}
    for turn in range(repeat + repeat % 2):
        for who in ("cp", "ours") if turn % 2 else ("ours", "cp"):
            prepare(data)
            costs[who].append(cp(data, model.parent) if who == "cp" else onnx2fx(model, "copy", model.parent))
    return median(costs["cp"]), median(costs["ours"])


@contextlib.contextmanager
def moved_away(file: pathlib.Path) -> Iterator[None]:
    aside = file.with_name(file.name + ".aside")
    file.rename(aside)
    try:
        yield
    finally:
        aside.rename(file)


def available() -> int:
    with open("/proc/meminfo") as lines:
        return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable"))


def one_size(model: pathlib.Path, data: pathlib.Path, repeat: int) -> dict[str, Cost | str | float]:
    found = {weights: repeated(lambda weights=weights: onnx2fx(model, weights), repeat) for weights in ("meta", "reference")}
    size = data.stat().st_size
    for state, prepare in ("warm", read_through), ("cold", drop_from_cache):
        plain, ours = copies(model, data, repeat, prepare)
        found[f"copy {state}"] = ours
        found[f"ratio {state}"] = plain.seconds / ours.seconds
        found[f"speed {state}"] = size / plain.seconds / MB, size / ours.seconds / MB
    for weights in ("reference", "meta", "meta+bind"):
        found[f"in process {weights}"] = in_process("onnx_to_fx", model, repeat, weights)
    with moved_away(data):
        found["without"] = in_process("onnx_to_fx", model, 1, "meta")
    return found


def peers(models: Sequence[tuple[pathlib.Path, pathlib.Path]], ours: Sequence[dict[str, Cost | str | float]]) -> None:
    print("\npeers: the conversion call, once          model     time      resident growth   resident at most")
    for who, weights in ("onnx2fx", ""), ("onnx2fx", "memmap"), ("onnx2pytorch", ""):
        name = f"{who} {PEERS[who]}" + (f" {weights}" if weights else "")
        fit = [i for i, (_, data) in enumerate(models) if ROOM[who] * data.stat().st_size + SPARE < available()]
        if not fit:
            print(f"  {name:26} not run: {available() / GB:.1f} GB of memory are free")
            continue
        model, data = models[fit[-1]]
        mine = ours[fit[-1]]["in process reference"]
        theirs, size = in_process(who, model, 1, weights), f"{data.stat().st_size / GB:10.2f} GB"
        if isinstance(theirs, str):
            print(f"  {name:26} {size}  fails: {theirs}")
        else:
            line = f"{theirs.seconds:8.2f} s {theirs.growth / MB:12.0f} MB {theirs.peak / MB:15.0f} MB"
            if isinstance(mine, Cost):
                line += (f"   onnx_to_fx: {theirs.seconds / mine.seconds:.0f} times faster, "
                         f"1/{theirs.peak / mine.peak:.0f} of its memory at most")
            print(f"  {name:26} {size} {line}", flush=True)
        with moved_away(data):
            theirs = in_process(who, model, 1, weights)
        result = f"fails: {theirs}" if isinstance(theirs, str) else f"{theirs.seconds:.2f} s"
        print(f"  {name:26} without data file  {result}", flush=True)


def report(sizes: Sequence[float], found: Sequence[dict[str, Cost | str | float]]) -> None:
    table = Table(sizes)
    for weights in ("meta", "reference"):
        costs = [f[weights] for f in found]
        table.costs(f"onnx2fx --weights {weights}", costs, 1, PEAK)
        table.flat(f"onnx2fx --weights {weights}", costs)
    for state in ("warm", "cold"):
        table.row(f"onnx2fx --weights copy, {state}: of cp's speed", [f[f"ratio {state}"] for f in found], "", 0.7, True)
        table.line("    cp, onnx2fx (MB/s)", ["{:.0f}, {:.0f}".format(*f[f"speed {state}"]) for f in found], "", "")
        table.row(f"onnx2fx --weights copy, {state}: resident at most", [f[f"copy {state}"].peak / MB for f in found], "MB", 200)
    for weights in ("reference", "meta", "meta+bind"):
        table.costs(f"in process, {weights}", [f[f"in process {weights}"] for f in found], 2, GROWTH)
    table.costs("in process, meta, without the data file", [f["without"] for f in found], 2, GROWTH)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=float, nargs="+", default=[1, 2, 4], metavar="GB")
    parser.add_argument("--layers", type=int, default=16)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--folder", help="where the models are written; default: the system's temporary folder")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=chosen.folder) as folder:
        models, found = [], []
        for gigabytes in sorted(chosen.size):
            model = pathlib.Path(folder, f"llama-{gigabytes:g}.onnx")
            models.append((model, write(gigabytes, model, chosen.layers)))
            found.append(one_size(*models[-1], chosen.repeat))
        report([data.stat().st_size for _, data in models], found)
        if not chosen.no_peers:
            peers(models, found)


if __name__ == "__main__":
    main()
