"""Maps: dictionaries with keys of one type, int or str."""

from __future__ import annotations

from typing import Any, Sequence

import torch

from .leaf import leaf
from .number_text import parse_integer, parse_real, to_integer
from .strings import Strings


def _item(value: Any) -> Any:
    """The number or text that a value of a map is, whatever holds it."""
    if isinstance(value, Strings):
        return value.items[0]
    return value.item() if isinstance(value, torch.Tensor) else value


def _row(items: Sequence[Any], dtype: torch.dtype | None) -> Any:
    """Shape [1, C]; strings without a dtype."""
    if dtype is None:
        return Strings((1, len(items)), items)
    return torch.tensor([items], dtype=dtype)


@leaf
def map_cast(x: dict[int, Any], dtype: torch.dtype | None, width: int | None) -> Any:
    """The values by ascending key, or (with a width) each at the place that its key says."""

    values = {key: _cast(_item(x[key]), dtype) for key in sorted(x)}
    if width is None:
        return _row(list(values.values()), dtype)
    for key in values:
        if not 0 <= key < width:
            raise ValueError(f"CastMap: keys: expected values from 0 to {width - 1}, got {key}")
    missing = "" if dtype is None else 0
    return _row([values.get(place, missing) for place in range(width)], dtype)


def _cast(value: Any, dtype: torch.dtype | None) -> Any:
    if dtype is None:
        return value if isinstance(value, str) else f"{value:f}"
    if isinstance(value, str):
        return parse_real(value) if dtype.is_floating_point else parse_integer(value, dtype)
    if isinstance(value, float) and not dtype.is_floating_point:
        return to_integer(value, dtype)
    return value


@leaf
def map_vectorize(
    x: dict[Any, Any], integers: Sequence[int], texts: Sequence[str], dtype: torch.dtype | None
) -> Any:
    """The values of the keys listed; 0 or "" for a key that the map has not."""
    missing = "" if dtype is None else 0
    return _row([_item(x.get(key, missing)) for key in (integers or texts)], dtype)


@leaf
def map_zip(
    x: torch.Tensor, integers: Sequence[int], texts: Sequence[str]
) -> list[dict[Any, torch.Tensor]]:
    """A map from label to element for each row; a vector is one row."""
    keys = integers or texts
    rows = x.unsqueeze(0) if x.dim() == 1 else x
    if rows.dim() != 2 or rows.shape[1] != len(keys):
        raise ValueError(f"ZipMap: expected {len(keys)} columns, got shape {list(x.shape)}")
    return [dict(zip(keys, row.unbind())) for row in rows.unbind()]
