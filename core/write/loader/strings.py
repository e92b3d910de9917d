"""A tensor of strings, which torch has none of."""

from __future__ import annotations

from typing import Iterable


class Strings:
    """A tensor of strings: torch has none. ``items`` are in C order."""

    __slots__ = ("shape", "items")

    def __init__(self, shape: Iterable[int], items: Iterable[str]) -> None:
        self.shape = tuple(int(d) for d in shape)
        self.items = list(items)
        count = 1
        for d in self.shape:
            count *= d
        if count != len(self.items):
            raise ValueError(
                f"Strings: expected {count} items for {list(self.shape)}, got {len(self.items)}"
            )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Strings) and (self.shape, self.items) == (other.shape, other.items)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Strings({list(self.shape)}, {self.items!r})"
