"""What is still asked of the cases that skips.txt lists, and the judgement over all results."""

from __future__ import annotations

import collections
import dataclasses
from typing import Collection, Mapping, Optional

MODES = ("python", "python-initializers", "libtorch", "libtorch-initializers")


@dataclasses.dataclass(frozen=True)
class Check:
    """"shape": kinds, dtypes and shapes alone. "rtol=2e-3 atol=1e-6": at this tolerance, what is left out as the case
    says. "error=TEXT": refused, with this text."""

    text: str
    reason: str

    @property
    def kind(self) -> str:
        return self.text if self.text == "shape" else self.text.split("=")[0].replace("atol", "rtol")

    @property
    def error(self) -> Optional[str]:
        return self.text[len("error="):] if self.kind == "error" else None

    def tolerance(self, rtol: float, atol: float) -> tuple[float, float]:
        if self.kind != "rtol":
            return rtol, atol
        stated = {key: float(value) for key, value in (part.split("=") for part in self.text.split())}
        return stated.get("rtol", rtol), stated.get("atol", atol)


@dataclasses.dataclass(frozen=True)
class Result:
    """Why a case failed, in one line, empty when it passed; and why the listed check failed."""

    reason: str
    listed: Optional[str] = None

    @property
    def is_crash(self) -> bool:
        return self.reason.startswith(("crash: ", "time: "))


def read_skips(path: str, mode: str) -> dict[str, Check]:
    """Case name -> check, of the lines "name | modes | check | reason" for `mode` or "all"."""
    skips: dict[str, Check] = {}
    with open(path, encoding="utf-8") as f:
        for number, line in enumerate(f, 1):
            line = line.strip()
            if not line or line.startswith("#"):
                continue
            parts = [p.strip() for p in line.split("|", 3)]
            modes = [m.strip() for m in parts[1].split(",")] if len(parts) == 4 else []
            if not all(parts) or not modes or not set(modes) <= {*MODES, "all"} or not _is_check(parts[2]):
                raise SystemExit(
                    f"{path}:{number}: expected 'name | modes | shape, rtol=X atol=Y or error=TEXT | reason', got {line!r}"
                )
            if {mode, "all"} & set(modes):
                skips[parts[0]] = Check(parts[2], parts[3])
    return skips


def _is_check(text: str) -> bool:
    if text == "shape" or (text.startswith("error=") and text != "error="):
        return True
    try:
        parts = dict(part.split("=") for part in text.split())
        return set(parts) <= {"rtol", "atol"} and all(float(v) > 0 for v in parts.values())
    except ValueError:
        return False


def faults(results: Mapping[str, Result], skips: Mapping[str, Check], known: Collection[str]) -> list[str]:
    """What should not be so, a line each. `known`: the names of all cases; empty: not all were run."""
    lines = []
    for name, result in sorted(results.items()):
        check = skips.get(name)
        if result.reason and (check is None or result.is_crash):
            lines.append(f"FAILED {name}: {result.reason}")
        elif result.reason and result.listed:
            lines.append(f"FAILED {name}: listed as {check.text!r}: {result.listed}")
        elif not result.reason and check:
            lines.append(f"PASSED {name}, although skips.txt lists it: {check.reason}")
    lines += [f"UNKNOWN {name}: skips.txt lists it, and there is no such case" for name in sorted(skips) if known and name not in known]
    return lines


def summary(results: Mapping[str, Result], skips: Mapping[str, Check], label: str) -> list[str]:
    """The last lines of a run, which tests/run_all.py reads."""
    held = collections.Counter(
        skips[name].kind for name, r in results.items() if r.reason and r.listed == "" and not r.is_crash
    )
    passed = sum(not r.reason for r in results.values())
    return [
        f"listed: {held['shape']} hold in shape and dtype, {held['rtol']} at the stated tolerance, "
        f"{held['error']} are refused as stated ({label})",
        f"conformance: {passed} passed of {len(results)} ({label})",
    ]
