"""The columns. A function serves one column or, as a generator, several that build on each other:
it yields a note (or None) when one has passed and goes on to the next.

What it raises is the result of the column; `Wrong` where PyTorch did its part but the result is not the
original's.
"""

from __future__ import annotations

import dataclasses
from typing import Callable

GROUPS: list["Group"] = []


@dataclasses.dataclass(frozen=True)
class Group:
    columns: tuple[str, ...]
    function: Callable
    own: bool  # holds for every original: not tried on it, and no excuse
    wide: bool  # only on models that are marked so
    ecosystem: bool
    quick: bool
    seconds: float


def column(*names: str, own=False, wide=False, ecosystem=False, quick=False, seconds=120):
    def register(function):
        GROUPS.append(Group(names, function, own, wide or ecosystem, ecosystem, quick, seconds))
        return function

    return register


class Skip(Exception):
    """The column does not apply, or something that it needs is not installed."""


def load() -> list[Group]:
    if not GROUPS:
        from . import ecosystem, modules, storage, tracing, training, transforms, values  # noqa: F401
    return GROUPS
