"""Sequences and optional values that exist only at run time: lists, and None."""

from __future__ import annotations

from typing import Any, Sequence

import torch


def optional_get_element(value: Any) -> Any:
    """The element; a missing one is an error."""
    if value is None:
        raise ValueError("OptionalGetElement: expected an element, got none")
    return value


def optional_has_element(value: Any) -> torch.Tensor:
    return torch.tensor(value is not None)


def sequence_erase(sequence: Sequence[Any], position: int | None) -> list[Any]:
    """All but the element at ``position`` (None: the last)."""
    rest = list(sequence)
    rest.pop(-1 if position is None else position)
    return rest


def sequence_insert(sequence: Sequence[Any], element: Any, position: int | None) -> list[Any]:
    """``element`` before ``position`` (None: at the end); negative positions count from the end."""
    size = len(sequence)
    at = size if position is None else position
    if not -size <= at <= size:
        raise IndexError(f"SequenceInsert: position: expected [{-size}, {size}], got {at}")
    at = at + size if at < 0 else at
    return [*sequence[:at], element, *sequence[at:]]


def sequence_length(sequence: Sequence[Any]) -> int:
    return len(sequence)
