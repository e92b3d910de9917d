"""Sets of Unicode's code points: letter case, general categories, ASCII's classes."""

from __future__ import annotations

import functools
import unicodedata
from typing import Iterable

Ranges = tuple[tuple[int, int], ...]  # ascending, apart
_LAST = 0x10FFFF

POSIX: dict[str, Ranges] = {
    "alnum": ((0x30, 0x39), (0x41, 0x5A), (0x61, 0x7A)),
    "alpha": ((0x41, 0x5A), (0x61, 0x7A)),
    "ascii": ((0x00, 0x7F),),
    "blank": ((0x09, 0x09), (0x20, 0x20)),
    "cntrl": ((0x00, 0x1F), (0x7F, 0x7F)),
    "digit": ((0x30, 0x39),),
    "graph": ((0x21, 0x7E),),
    "lower": ((0x61, 0x7A),),
    "print": ((0x20, 0x7E),),
    "punct": ((0x21, 0x2F), (0x3A, 0x40), (0x5B, 0x60), (0x7B, 0x7E)),
    "space": ((0x09, 0x0D), (0x20, 0x20)),
    "upper": ((0x41, 0x5A),),
    "word": ((0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A)),
    "xdigit": ((0x30, 0x39), (0x41, 0x46), (0x61, 0x66)),
}


def lower(text: str) -> str:
    """Unicode's simple mapping, character by character, as C's towlower."""
    return "".join(map(_lower, text))


def upper(text: str) -> str:
    return "".join(map(_upper, text))


def _lower(c: str) -> str:
    return c.lower()[0]  # İ alone has two: i and a dot


def _upper(c: str) -> str:
    for mapped in (c.upper(), c.title()):  # ᾳ: two capitals, or one titlecase letter
        if len(mapped) == 1:
            return mapped
    return c


def merged(ranges: Iterable[tuple[int, int]]) -> Ranges:
    result: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if result and low <= result[-1][1] + 1:
            result[-1] = (result[-1][0], max(high, result[-1][1]))
        else:
            result.append((low, high))
    return tuple(result)


def complement(ranges: Ranges) -> Ranges:
    """`ranges` are merged."""
    ends = [-1, *(high for _, high in ranges)]
    begins = [*(low for low, _ in ranges), _LAST + 1]
    return tuple((e + 1, b - 1) for e, b in zip(ends, begins) if e + 1 <= b - 1)


def case_variants(ranges: Iterable[tuple[int, int]]) -> Ranges:
    """With all that differ in letter case only."""
    ranges = merged(ranges)
    same = _cased()
    more = [
        (variant, variant)
        for code, variants in same.items()
        if any(low <= code <= high for low, high in ranges)
        for variant in variants
    ]
    return merged([*ranges, *more])


@functools.cache
def _cased() -> dict[int, list[int]]:
    """Code point -> those that Unicode's simple case folding makes the same."""
    classes: dict[str, list[int]] = {}
    for code in range(_LAST + 1):
        c = chr(code)
        folded = next((f for f in (c.casefold(), c.lower()) if len(f) == 1), c)
        if folded != c:
            classes.setdefault(folded, [ord(folded)]).append(code)
    return {code: same for same in classes.values() for code in same}


@functools.cache
def in_category(name: str) -> Ranges | None:
    """Of a general category ("Lu") or of a group of them ("L"); None: there is none."""
    if name == "Any":
        return ((0, _LAST),)
    codes = [code for code in range(_LAST + 1) if _belongs(unicodedata.category(chr(code)), name)]
    return merged((code, code) for code in codes) if codes else None


def _belongs(category: str, name: str) -> bool:
    return category != "Cn" and (category == name or category[0] == name)
