"""The results of cells: one file a subject in build/zoo/results, what was recorded in results.json, the
table in RESULTS.md."""

from __future__ import annotations

import functools
import hashlib
import inspect
import json
import pathlib
from typing import Any

from . import columns, exports
from .models import MODELS, Model

HERE = pathlib.Path(__file__).resolve().parent
FOLDER = exports.ROOT / "build/zoo/results"
RECORDED = HERE / "results.json"
SHARES = HERE / "shares.json"
TABLE = HERE / "RESULTS.md"


@functools.cache
def product() -> str:
    """Of everything that is installed of the product."""
    import onnx_to_fx

    package = pathlib.Path(onnx_to_fx.__file__).parent
    plugins = package.parents[3] / "lib/onnx2fx/plugins.d"
    files = sorted(f for d in (package, plugins) for f in d.rglob("*") if f.is_file() and f.suffix != ".pyc")
    digest = hashlib.sha256()
    for f in files:
        digest.update(f.read_bytes())
    return digest.hexdigest()[:12]


def _code(group: columns.Group) -> str:
    """Of the file that the column is in."""
    return hashlib.sha256(inspect.getsource(inspect.getmodule(group.function)).encode()).hexdigest()[:8]


class Store:
    """The results of one model in one form."""

    def __init__(self, model: Model, form: str) -> None:
        self.path = FOLDER / f"{model.name}.{form}.json"
        self.stamp = exports._stamp(model) + ("" if form == exports.ORIGINAL else product())
        self.refused = ""
        self.cells: dict[str, dict[str, Any]] = {}
        if self.path.exists():
            stored = json.loads(self.path.read_text())
            if stored["stamp"] == self.stamp:
                self.refused, self.cells = stored["refused"], stored["cells"]

    def has(self, group: columns.Group) -> bool:
        """As the group's function is now."""
        code = _code(group)
        return bool(self.refused) or all(self.cells.get(n, {}).get("code") == code for n in group.columns)

    def put(self, group: columns.Group, cells: dict[str, dict[str, Any]]) -> None:
        self.cells.update({n: {**c, "code": _code(group)} for n, c in cells.items()})
        self._write()

    def refuse(self, why: str) -> None:
        self.refused = why
        self._write()

    def _write(self) -> None:
        FOLDER.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"stamp": self.stamp, "refused": self.refused, "cells": self.cells}, indent=1)
        part = self.path.with_suffix(".part")
        part.write_text(text)
        part.rename(self.path)


def outcome(cell: dict[str, Any], original: dict[str, Any] | None) -> str:
    """"ok", "ok: note", "skip: why", "as original: what the original does", "FAIL: kind"."""
    if cell["status"] == "ok":
        return f"ok: {cell['what']}" if cell["what"] else "ok"
    if cell["status"] == "skip":
        return f"skip: {cell['kind']}"
    if original and original["status"] not in ("ok", "skip"):
        return f"as original: {original['kind']}"
    return f"FAIL: {cell['kind']}"


def outcomes(model: Model, form: str) -> dict[str, str]:
    """Column -> outcome of the cells that have run."""
    store, original = Store(model, form), Store(model, exports.ORIGINAL)
    if store.refused:
        return {"export": "no export: " + " ".join(store.refused.split())[:200]}
    groups = {c: g for g in columns.load() for c in g.columns}
    cells = {c: v for c, v in store.cells.items() if c in groups and store.has(groups[c])}
    return {c: outcome(v, original.cells.get(c)) for c, v in cells.items()}


def summary(subjects: list[tuple[Model, str]]) -> str:
    found = [o for m, f in subjects for o in outcomes(m, f).values()]
    kinds = ["ok", "as original", "FAIL", "skip", "no export"]
    return ", ".join(f"{sum(o.startswith(k) for o in found)} {k}" for k in kinds)


def recorded_outcomes() -> dict[str, dict[str, dict[str, str]]]:
    """Model -> form -> column -> outcome."""
    return json.loads(RECORDED.read_text()) if RECORDED.exists() else {}


def _kind(outcome: str) -> str:
    return outcome.split(":")[0].replace("as original", "ok")


def changes(model: Model, form: str, groups: list[columns.Group]) -> list[str]:
    """Where the outcome of a cell is of another kind than was recorded.

    What fails as the original does may pass on another processor: bfloat16 in an LSTM, say.
    """
    recorded, now = recorded_outcomes().get(model.name, {}).get(form, {}), outcomes(model, form)
    names = ["export"] if "no export" in now.get("export", "") else [c for g in groups for c in g.columns]
    lines = []
    for c in names:
        was, is_ = recorded.get(c, "nothing"), now.get(c, "nothing")
        if _kind(was) != _kind(is_):
            lines.append(f"{model.name} {form}: {c}: recorded {was!r}, now {is_!r}")
    return lines


def shares(model: Model, form: str) -> dict[str, list[int]]:
    """What was counted -> as in the original, of how many."""
    return {n: v for c in Store(model, form).cells.values() for n, v in c.get("shares", {}).items()}


def record_shares() -> dict[str, dict[str, dict[str, list[int]]]]:
    """Model -> form -> shares, of those that ran here and of what was recorded."""
    kept = json.loads(SHARES.read_text()) if SHARES.exists() else {}
    kept = {m.name: kept.get(m.name, {}) for m in MODELS}
    for m in MODELS:
        for form in exports.FORMS:
            if now := shares(m, form):
                kept[m.name][form] = {**kept[m.name].get(form, {}), **now}
    lines = [f' "{m}": ' + json.dumps(forms) for m, forms in kept.items()]
    SHARES.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    return kept


def record() -> None:
    """Writes results.json and shares.json, keeping what has not run here, and RESULTS.md of both."""
    recorded = recorded_outcomes()
    kept = {m.name: recorded.get(m.name, {}) for m in MODELS}
    for m in MODELS:
        for form in exports.FORMS:
            if now := outcomes(m, form):
                old = kept[m.name].get(form, {})
                kept[m.name][form] = now if any(o.startswith("no export") for o in now.values()) else {**old, **now}
    order = [c for g in columns.load() for c in g.columns]
    for forms in kept.values():
        for form in forms:
            forms[form] = {c: forms[form][c] for c in order if c in forms[form]}
    RECORDED.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")
    from .report import table

    TABLE.write_text(table(kept, record_shares()))
