"""Sequences, optional values and shapes that exist only at run time."""

from __future__ import annotations

from typing import Any, Sequence

import torch

from .leaf import leaf


@leaf
def optional_get_element(value: Any) -> Any:
    """The element; a missing one is an error."""
    if value is None:
        raise ValueError("OptionalGetElement: expected an element, got none")
    return value


@leaf
def optional_has_element(value: Any) -> torch.Tensor:
    return torch.tensor(value is not None)


@leaf
def sequence_erase(sequence: Sequence[Any], position: int | None) -> list[Any]:
    """All but the element at ``position`` (None: the last)."""
    size, at = len(sequence), -1 if position is None else position
    if not -size <= at < size:
        raise IndexError(_misplaced("SequenceErase", -size, size - 1, at))
    rest = list(sequence)
    del rest[at]
    return rest


@leaf
def sequence_insert(sequence: Sequence[Any], element: Any, position: int | None) -> list[Any]:
    """``element`` before ``position`` (None: at the end); negative positions count from the end."""
    size = len(sequence)
    at = size if position is None else position
    if not -size <= at <= size:
        raise IndexError(_misplaced("SequenceInsert", -size, size, at))
    at = at + size if at < 0 else at
    return [*sequence[:at], element, *sequence[at:]]


def _misplaced(op_type: str, first: int, last: int, got: int) -> str:
    return f"{op_type}: position: expected one in [{first}, {last}], got {got}"


@leaf
def sequence_length(sequence: Sequence[Any]) -> int:
    return len(sequence)


@leaf
def shape_of(x: torch.Tensor) -> torch.Tensor:
    """The extents, one by one: of a tensor whose rank only the one at hand tells."""
    sizes = [torch.scalar_tensor(d, dtype=torch.int64, device=x.device) for d in x.size()]
    return torch.stack(sizes) if sizes else x.new_empty((0,), dtype=torch.int64)
