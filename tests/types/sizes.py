"""Sizes that know how they came about: an int for torch, an expression for the type rules."""

from __future__ import annotations

from typing import Any


class Size(int):
    """`expr`: a number, a name, or [operator, left, right]."""

    expr: Any

    def __new__(cls, value: int, expr: Any = None) -> Size:
        size = super().__new__(cls, value)
        size.expr = int(value) if expr is None else expr
        return size

    @property
    def literal(self) -> bool:
        return isinstance(self.expr, int)

    def _with(self, operator: str, other: int, value: int) -> Size:
        right = other if isinstance(other, Size) else Size(other)
        folds = self.literal and right.literal
        return Size(value, value if folds else [operator, self.expr, right.expr])

    def __add__(self, other: int) -> Size:
        return self._with("+", other, int(self) + int(other))

    def __sub__(self, other: int) -> Size:
        return self._with("-", other, int(self) - int(other))

    def __mul__(self, other: int) -> Size:
        return self._with("*", other, int(self) * int(other))

    def __floordiv__(self, other: int) -> Size:
        return self._with("//", other, int(self) // int(other))


def product(sizes: list[Size]) -> Size:
    result = Size(1)
    for size in sizes:
        result = result * size
    return result


def value_of(text: str, names: dict[str, int]) -> int:
    """The number that a text of the type rules ("max(2*n - 1, 0)") stands for."""
    functions = {"floordiv": lambda a, b: a // b, "mod": lambda a, b: a % b, "max": max, "min": min}
    return eval(text, {"__builtins__": {}}, {**functions, **names})  # noqa: S307: of our own program
