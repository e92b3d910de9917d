"""Operators on tensors of strings."""

from __future__ import annotations

from typing import Sequence

import torch

from .code_points import lower, upper
from .leaf import leaf
from .number_text import number_text, parse_integer, parse_real
from .regex import full_matcher
from .strings import Strings


@leaf
def strings(items: Sequence[str], shape: Sequence[int]) -> Strings:
    return Strings(shape, items)


@leaf
def strings_lookup(x: Strings, pool: Sequence[str]) -> torch.Tensor:
    """For each element its first place in ``pool``, -1 if it is not there."""
    places: dict[str, int] = {}
    for place, text in enumerate(pool):
        places.setdefault(text, place)
    found = [places.get(text, -1) for text in x.items]
    return torch.tensor(found, dtype=torch.int64).reshape(x.shape)


@leaf
def strings_positions(xs: Sequence[Strings]) -> list[torch.Tensor]:
    """Tensors of the shapes of ``xs`` that number their elements consecutively."""
    result, start = [], 0
    for x in xs:
        result.append(torch.arange(start, start + len(x.items)).reshape(x.shape))
        start += len(x.items)
    return result


@leaf
def strings_take(xs: Sequence[Strings], index: torch.Tensor) -> Strings:
    """The elements that ``strings_positions(xs)`` numbered so."""
    pool, places = [text for x in xs for text in x.items], index.flatten().tolist()
    for place in places:
        if not 0 <= place < len(pool):
            raise IndexError(f"Gather: index: expected one in [0, {len(pool) - 1}], got {place}")
    return Strings(index.shape, [pool[place] for place in places])


@leaf
def string_concat(x: Strings, y: Strings) -> Strings:
    """Element by element, broadcast as tensors are."""
    shape = _common_shape(x, y)
    return Strings(shape, [a + b for a, b in zip(_broadcast(x, shape), _broadcast(y, shape))])


@leaf
def string_normalize(
    x: Strings, stopwords: Sequence[str], is_case_sensitive: bool, case_change_action: str
) -> Strings:
    """Drops the stopwords, then changes the case; a result of no element is one empty string."""

    def key(text: str) -> str:
        return text if is_case_sensitive else lower(text)

    def cased(text: str) -> str:
        if case_change_action == "NONE":
            return text
        return lower(text) if case_change_action == "LOWER" else upper(text)

    if len(x.shape) not in (1, 2) or (len(x.shape) == 2 and x.shape[0] != 1):
        raise ValueError(f"StringNormalizer: expected shape [C] or [1, C], got {list(x.shape)}")
    dropped = {key(text) for text in stopwords}
    items = [cased(text) for text in x.items if key(text) not in dropped] or [""]
    return Strings((*x.shape[:-1], len(items)), items)


@leaf
def string_split(x: Strings, delimiter: str | None, maxsplit: int) -> tuple[Strings, torch.Tensor]:
    """The parts of each element, filled up with "" along a new last axis, and their number."""
    parts = [text.split(delimiter, maxsplit) for text in x.items]
    width = max((len(p) for p in parts), default=0)
    items = [text for p in parts for text in p + [""] * (width - len(p))]
    counts = torch.tensor([len(p) for p in parts], dtype=torch.int64).reshape(x.shape)
    return Strings((*x.shape, width), items), counts


@leaf
def regex_full_match(x: Strings, pattern: str) -> torch.Tensor:
    """Whether an element as a whole is what a pattern of RE2 describes."""
    matches = full_matcher(pattern)
    found = [matches(text) for text in x.items]
    return torch.tensor(found, dtype=torch.bool).reshape(x.shape)


@leaf
def strings_equal(a: Strings, b: Strings) -> torch.Tensor:
    """Element by element, broadcast as tensors are."""
    shape = _common_shape(a, b)
    equal = [x == y for x, y in zip(_broadcast(a, shape), _broadcast(b, shape))]
    return torch.tensor(equal, dtype=torch.bool).reshape(shape)


@leaf
def strings_from_tensor(x: torch.Tensor) -> Strings:
    """Numbers as text: integers in full, floats as the shortest decimal that gives them back."""
    values = x.detach().flatten().tolist()
    return Strings(x.shape, [number_text(v, x.dtype) for v in values])


@leaf
def strings_to_tensor(x: Strings, dtype: torch.dtype) -> torch.Tensor:
    """Text as numbers; a fraction is cut off for integers."""
    if dtype.is_floating_point:
        numbers = [parse_real(text) for text in x.items]
    else:
        numbers = [parse_integer(text, dtype) for text in x.items]
    return torch.tensor(numbers, dtype=dtype).reshape(x.shape)


def _common_shape(a: Strings, b: Strings) -> Sequence[int]:
    # torch.broadcast_shapes imports sympy
    element = torch.empty(())
    return torch.broadcast_tensors(element.expand(a.shape), element.expand(b.shape))[0].shape


def _broadcast(a: Strings, shape: Sequence[int]) -> list[str]:
    """The items of ``a`` as a tensor of ``shape`` would hold them."""
    at = torch.arange(len(a.items)).reshape(a.shape).expand(tuple(shape))
    return [a.items[i] for i in at.flatten().tolist()]
