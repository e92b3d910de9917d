"""What random calls are drawn from."""

from __future__ import annotations

import dataclasses
import random
from typing import Sequence

from sizes import Size

HALVES = ["float16", "bfloat16"]
FLOATS = [*HALVES, "float32", "float64"]
SIGNED = ["int8", "int16", "int32", "int64"]
INTS = ["uint8", *SIGNED]
WIDE = ["uint16", "uint32", "uint64"]
COMPLEX = ["complex64", "complex128"]
MIXED = [*FLOATS, *INTS, "bool", *COMPLEX]  # torch promotes all of these, but of WIDE only with floats
ANY = [*MIXED, *WIDE]


@dataclasses.dataclass
class Tensor:
    dtype: str
    dims: list[Size]


@dataclasses.dataclass
class Dtype:
    name: str


class Draw(random.Random):
    """`symbolic`: some sizes are names, whose values `names` holds."""

    def __init__(self, seed: object, symbolic: bool) -> None:
        super().__init__(repr(seed))
        self.symbolic = symbolic
        self.names: dict[str, int] = {}

    def named(self, value: int) -> Size:
        name = f"n{len(self.names)}"
        self.names[name] = value
        return Size(value, name)

    def size(self, low: int = 0, high: int = 6) -> Size:
        value = self.randint(low, high)
        return self.named(value) if self.symbolic and self.random() < 0.5 else Size(value)

    def sizes(self, low: int = 0, high: int = 4, least: int = 0) -> list[Size]:
        """As many as drawn from [low, high]."""
        return [self.size(least) for _ in range(self.randint(low, high))]

    def tensor(self, dtypes: Sequence[str], low: int = 0, high: int = 4, least: int = 0) -> Tensor:
        return Tensor(self.choice(dtypes), self.sizes(low, high, least))

    def axis(self, rank: int) -> int:
        return self.randint(-max(rank, 1), max(rank, 1) - 1)

    def axes(self, rank: int, least: int = 0) -> list[int]:
        picked = self.sample(range(rank), self.randint(min(least, rank), rank))
        return [a - rank if self.random() < 0.3 else a for a in picked]

    def boolean(self) -> bool:
        return self.random() < 0.5

    def maybe(self, value: object) -> object:
        return value if self.boolean() else None

    def number(self) -> int | float | bool:
        return self.choice([self.randint(-3, 3), self.uniform(-2, 2), self.boolean()])

    def like(self, size: Size) -> Size:
        """The same size, perhaps said in another way."""
        choices = [size, size, Size(int(size))]
        if self.symbolic:
            choices.append(self.named(int(size)))
        return self.choice(choices)

    def broadcast(self, dims: Sequence[Size]) -> list[Size]:
        """A shape that broadcasts to `dims`."""
        out = []
        for d in dims[self.choice([0, 0, self.randint(0, len(dims))]) :]:
            one = self.named(1) if self.symbolic and self.random() < 0.2 else Size(1)
            out.append(one if self.random() < 0.25 else self.like(d))
        return out


def undecided(*shapes: Sequence[Size]) -> set[int]:
    """The axes (from the end) of the broadcast shape whose extent takes the running module to tell."""
    found = set()
    for axis in range(-max(map(len, shapes), default=0), 0):
        sizes = [s[axis] for s in shapes if len(s) >= -axis]
        texts = {str(s.expr) for s in sizes if s.expr != 1}
        if len(texts) > 1 and not any(s.literal and s != 1 for s in sizes):
            found.add(axis)
    return found
