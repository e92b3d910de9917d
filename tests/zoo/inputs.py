"""Inputs of a model from the text of its row: "ids: int(100)[batch, length]; mask: mask[batch, length]".

A dimension is a number or a name, which makes it dynamic. Every name has two sizes: the one that is
traced and another. `float` is normal noise, `int(n)` is below n, `mask` is ones with zeros at the
end of the first row, `bool` is random.
"""

from __future__ import annotations

import dataclasses
import re

import torch

SIZES = {
    "batch": (2, 3),
    "length": (9, 6),
    "other": (7, 10),
    "past": (4, 8),
    "frames": (24, 36),
    "samples": (800, 1200),
    "nodes": (6, 9),
    "edges": (14, 11),
    "images": (3, 2),
}
TRACED, ANOTHER = 0, 1


@dataclasses.dataclass(frozen=True)
class Input:
    name: str
    kind: str
    below: int
    dims: tuple[int | str, ...]

    def shape(self, size: int) -> tuple[int, ...]:
        return tuple(SIZES[d][size] if isinstance(d, str) else d for d in self.dims)

    def dynamic(self) -> dict[int, str]:
        return {i: d for i, d in enumerate(self.dims) if isinstance(d, str)}

    def value(self, size: int, generator: torch.Generator) -> torch.Tensor:
        shape = self.shape(size)
        if self.kind == "float":
            return torch.randn(shape, generator=generator)
        if self.kind == "int":
            return torch.randint(0, self.below, shape, generator=generator)
        if self.kind == "bool":
            return torch.rand(shape, generator=generator) < 0.5
        mask = torch.ones(shape, dtype=torch.int64)
        mask[0, -2:] = 0
        return mask


def parse(text: str) -> tuple[Input, ...]:
    inputs = []
    for part in text.split(";"):
        found = re.fullmatch(r"\s*(\w+): (float|int|mask|bool)(?:\((\d+)\))?\[(.*)\]\s*", part)
        if not found:
            raise ValueError(f"expected 'name: kind[dims]', got {part!r}")
        name, kind, below, dims = found.groups()
        parsed = [d.strip() for d in dims.split(",") if d.strip()]
        inputs.append(
            Input(name, kind, int(below or 0), tuple(int(d) if d.isdigit() else d for d in parsed))
        )
    return tuple(inputs)


def values(inputs: tuple[Input, ...], size: int, seed: int = 0) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(100 * seed + size + 1)
    return tuple(i.value(size, generator) for i in inputs)
