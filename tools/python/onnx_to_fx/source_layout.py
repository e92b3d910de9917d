"""Statements as lines, where a formatter of Python would break them."""

from __future__ import annotations

import re
from typing import Iterator

WIDTH = 100
_STEP = "    "
_OPEN, _CLOSE = "([{", ")]}"
_LOOSEST_FIRST = ((" if ", " else "), (" == ", " != ", " < ", " <= ", " > ", " >= "), (" | ",), (" ^ ",), (" & ",), (" + ", " - "), (" * ", " / ", " // ", " % "))
_HEAD = re.compile(r"(return |if (?:not )?|while |[\w.\[\]\", ]+ = )?(.*?)(:?)", re.S)


def laid_out(statement: str) -> list[str]:
    """The lines of a statement, which begins with its indentation."""
    if len(statement) <= WIDTH:
        return [statement]
    indent = statement[: len(statement) - len(statement.lstrip())]
    head, text, tail = _HEAD.fullmatch(statement[len(indent) :]).groups(default="")  # type: ignore[union-attr]
    items, operands = _items(text), _operands(text)
    if head and len(items) > 1:
        inside = [line for item in items for line in _exploded(item, indent + _STEP, ",")]
    elif head and text.endswith("]") and len(indent + _STEP + text) <= WIDTH:
        inside = [indent + _STEP + text]  # what a subscript is of stays beside it
    elif head and (len(operands) > 2 or (len(operands) == 2 and text[-1] not in _CLOSE)):
        inside = _continued(operands, indent + _STEP)
    else:
        return _exploded(head + text + tail, indent)
    return [f"{indent}{head}(", *inside, f"{indent}){tail}"]


def _continued(operands: list[str], indent: str) -> list[str]:
    """An expression in parentheses of its own: on one line, or a line for each operand."""
    whole = indent + "".join(operands)
    if len(whole) <= WIDTH:
        return [whole]
    return [line for operand in operands for line in _exploded(operand.strip(), indent)]


def _exploded(text: str, indent: str, tail: str = "") -> list[str]:
    """What the last brackets hold on lines of their own, if it does not fit on one."""
    if len(indent + text + tail) <= WIDTH:
        return [indent + text + tail]
    place = _last_brackets(text)
    if place is None:
        return [indent + text + tail]
    opens, closes = place
    inside, deeper = text[opens + 1 : closes], indent + _STEP
    return [indent + text[: opens + 1], *_inside(inside, deeper), indent + text[closes:] + tail]


def _inside(text: str, indent: str) -> list[str]:
    if len(indent + text) <= WIDTH:
        return [indent + text]
    items = _items(text)
    if len(items) == 1 and " for " in text:
        made, _, rest = text.partition(" for ")
        return [*_exploded(made, indent), f"{indent}for {rest}"]
    comma = "," if len(items) > 1 or not text.startswith(tuple(_OPEN)) else ""
    return [line for item in items for line in _exploded(item, indent, comma)]


def _last_brackets(text: str) -> tuple[int, int] | None:
    """Of the brackets that stand in no other and are not empty."""
    found = None
    starts: list[int] = []
    for i, c in _code(text):
        if c in _OPEN:
            starts.append(i)
        elif c in _CLOSE:
            start = starts.pop()
            if not starts and i - start > 1:
                found = start, i
    return found


def _items(text: str) -> list[str]:
    """What stands between commas."""
    return [item.strip() for item in _cut(text, (",",)) if item.strip()]


def _operands(text: str) -> list[str]:
    """Of the loosest operator outside all brackets; each but the first with its sign."""
    for signs in _LOOSEST_FIRST:
        cut = _cut(text, signs, keep=True)
        if len(cut) > 1:
            return cut
    return [text]


def _cut(text: str, signs: tuple[str, ...], keep: bool = False) -> list[str]:
    pieces, depth, start = [], 0, 0
    for i, c in _code(text):
        depth += (c in _OPEN) - (c in _CLOSE)
        sign = next((s for s in signs if text.startswith(s, i)), None) if depth == 0 else None
        if sign:
            pieces.append(text[start:i])
            start = i if keep else i + len(sign)
    return [*pieces, text[start:]]


def _code(text: str) -> Iterator[tuple[int, str]]:
    """The characters that stand in no quotation."""
    quoted = False
    for i, c in enumerate(text):
        if c == '"' and not (quoted and text[i - 1] == "\\"):
            quoted = not quoted
        elif not quoted:
            yield i, c
