"""A tensor of strings, which torch has none of."""

from __future__ import annotations

from typing import Any, Iterable

import numpy as np


class Strings:
    """A tensor of strings: torch has none. ``items`` are in C order.

    ``numpy()`` and ``numpy.asarray`` give an array of objects, ``tolist()`` nested lists.
    """

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

    def numpy(self) -> np.ndarray:
        array = np.empty(len(self.items), dtype=object)
        array[:] = self.items
        return array.reshape(self.shape)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self.numpy() if dtype is None else self.numpy().astype(dtype)

    def tolist(self) -> Any:
        return self.numpy().tolist()

    def __len__(self) -> int:
        return len(self.numpy())


def taken(value: Any) -> Any:
    """Strings for what people hold them in: a str, nested lists or tuples of them, an array of str, bytes or objects.
    Anything else comes back as it is."""
    if isinstance(value, np.ndarray):
        texts = value.dtype.kind in "US" or (value.dtype.kind == "O" and all(isinstance(x, (str, bytes)) for x in value.flat))
        return Strings(value.shape, [_text(x) for x in value.flat]) if texts else value
    if isinstance(value, (str, bytes)):
        return Strings((), [_text(value)])
    if not isinstance(value, (list, tuple)) or not value:
        return value
    parts = [taken(x) for x in value]
    if not all(isinstance(p, Strings) for p in parts) or any(isinstance(x, Strings) for x in value):
        return value
    shapes = {p.shape for p in parts}
    if len(shapes) != 1:
        raise ValueError(f"strings: expected lists of one length, got parts of {sorted(map(list, shapes))}")
    return Strings((len(parts), *shapes.pop()), [x for p in parts for x in p.items])


def _text(x: str | bytes) -> str:
    return x.decode() if isinstance(x, bytes) else str(x)
