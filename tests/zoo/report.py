"""RESULTS.md, made of results.json alone."""

from __future__ import annotations

import collections

from . import columns, exports

HEAD = """# The zoo's results

Written by `tools/zoo --record`; do not edit. Forms: """

MARKS = {"ok": "+", "as original": "o", "skip": "-", "FAIL": "**x**", "no export": "n"}


def mark(outcome: str) -> str:
    return MARKS[outcome.split(":")[0]] if outcome else " "


def table(recorded: dict, shares: dict) -> str:
    groups = columns.load()
    names = [c for g in groups for c in g.columns]
    parts = [HEAD + ", ".join(exports.FORMS) + ".\n"]
    parts.append(
        "`+` passes, `o` fails as the original module does, **x** fails, `-` does not apply, `n` PyTorch's exporter refuses.\n"
    )
    parts.append(measured(shares))
    parts.append(totals(recorded, names))
    parts.append(grid(recorded, names))
    parts.append(kinds(recorded))
    return "\n".join(parts)


def measured(shares: dict) -> str:
    """Over all models: how much is as the original has it, less what the file does not hold."""
    same: collections.Counter = collections.Counter()
    of: collections.Counter = collections.Counter()
    for forms in shares.values():
        for form, found in forms.items():
            for name, (some, all_) in found.items():
                same[name, form] += some
                of[name, form] += all_
    names = list(dict.fromkeys(name for name, _ in of))
    lines = ["## As the original has it\n", "Over all models, less what the file does not hold.\n"]
    lines += ["| | " + " | ".join(exports.FORMS) + " |", "|---|" + "---:|" * len(exports.FORMS)]
    for name in names:
        cells = [f"{same[name, f]} of {of[name, f]}, {100 * same[name, f] / of[name, f]:.1f} %" if of[name, f] else "" for f in exports.FORMS]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def totals(recorded: dict, names: list[str]) -> str:
    count = collections.Counter(
        (c, o.split(":")[0]) for forms in recorded.values() for cells in forms.values() for c, o in cells.items()
    )
    heads = ["ok", "as original", "FAIL", "skip"]
    rows = [f"| {c} | " + " | ".join(str(count[c, h] or "") for h in heads) + " |" for c in names]
    sums = [str(sum(count[c, h] for c in names)) for h in heads]
    return "\n".join(
        ["## Columns\n", "| column | " + " | ".join(heads) + " |", "|---|" + "---:|" * len(heads), *rows,
         "| all | " + " | ".join(sums) + " |\n"]  # fmt: skip
    )


def grid(recorded: dict, names: list[str]) -> str:
    lines = ["## Models\n"]
    lines += [f"| model | form | {' | '.join(names)} |", "|---|---|" + ":-:|" * len(names)]
    for model, forms in recorded.items():
        for form, cells in forms.items():
            if "no export" in cells.get("export", ""):
                lines.append(f"| {model} | {form} | n |" + " |" * (len(names) - 1))
            else:
                lines.append(f"| {model} | {form} | " + " | ".join(mark(cells.get(c, "")) for c in names) + " |")
    return "\n".join(lines) + "\n"


def kinds(recorded: dict) -> str:
    """Failures of one column with one message, the most frequent first."""
    found: dict[tuple[str, str], list[str]] = collections.defaultdict(list)
    excused: dict[tuple[str, str], list[str]] = collections.defaultdict(list)
    for model, forms in recorded.items():
        for form, cells in forms.items():
            for column, o in cells.items():
                word, _, kind = o.partition(": ")
                if word == "FAIL" and not kind.startswith("needs "):
                    found[column, kind].append(f"{model} {form}")
                elif word in ("as original", "no export") and not kind.startswith("needs "):
                    excused[column, kind].append(f"{model} {form}")
    return "## Failures by kind\n\n" + _listed(found) + "\n## What the original, or its exporter, does not do either\n\n" + _listed(excused)


def _listed(found: dict) -> str:
    lines = ["| count | column | what | where |", "|---:|---|---|---|"]
    for (column, kind), places in sorted(found.items(), key=lambda i: (-len(i[1]), i[0])):
        more = f" and {len(places) - 4} more" if len(places) > 4 else ""
        lines.append(f"| {len(places)} | {column} | {_cell(kind)} | {', '.join(places[:4])}{more} |")
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")
