"""Numbers as text and back, the same as core/runtime/number_text.cpp."""

from __future__ import annotations

import math
import re
import struct
from typing import Any

import torch

_SPACES = " \t\n\v\f\r"
_INTEGER = re.compile(r"[+-]?[0-9]+")
_REAL = re.compile(
    r"[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?|inf(?:inity)?|nan)",
    re.IGNORECASE | re.ASCII,
)


def number_text(value: Any, dtype: torch.dtype) -> str:
    """An integer in full, a float as the shortest decimal that gives it back."""
    digits, pack = {torch.float16: (5, "e"), torch.float32: (9, "f")}.get(dtype, (0, ""))
    for n in range(digits):
        text = f"{value:.{n}e}"
        try:
            if struct.unpack(pack, struct.pack(pack, float(text)))[0] == value:
                return repr(float(text))
        except OverflowError:  # rounded up past the greatest float
            continue
    return repr(value)  # inf, nan


def parse_real(text: str) -> float:
    """Of a decimal number, inf or nan, with spaces around it."""
    stripped = text.strip(_SPACES)
    if not _REAL.fullmatch(stripped):
        raise ValueError(f"Cast: expected a number, got {_quoted(text)}")
    return float(stripped)


def parse_integer(text: str, dtype: torch.dtype) -> int:
    """A fraction is cut off."""
    stripped = text.strip(_SPACES)
    if _INTEGER.fullmatch(stripped):
        return _fitting(int(stripped), dtype, _quoted(text))
    return to_integer(parse_real(text), dtype, _quoted(text))


def to_integer(value: float, dtype: torch.dtype, text: str | None = None) -> int:
    """A fraction is cut off; what the type cannot hold is an error that shows `text`."""
    shown = repr(value) if text is None else text
    if not math.isfinite(value):
        raise ValueError(_misfit(dtype, shown))
    return _fitting(int(value), dtype, shown)


def _fitting(value: int, dtype: torch.dtype, shown: str) -> int:
    limits = torch.iinfo(torch.int64 if dtype == torch.bool else dtype)
    if not limits.min <= value <= limits.max:
        raise ValueError(_misfit(dtype, shown))
    return value


def _misfit(dtype: torch.dtype, shown: str) -> str:
    return f"Cast: expected a value of {str(dtype).removeprefix('torch.')}, got {shown}"


def _quoted(text: str) -> str:
    return f"'{text}'"
