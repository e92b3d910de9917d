"""What a converted graph calls that ATen and the higher-order operators cannot say: strings, loops
of any form, sequences that exist only at run time. A target ``onnx2fx::name`` is the function
``name`` here.

Needs torch only: a copy lies in every FX package.
"""

from __future__ import annotations

import io
import re
import struct
from typing import Any, Callable, Iterable, NamedTuple, Sequence

import torch

__all__ = [
    "ConversionError",
    "Diagnostic",
    "Strings",
    "UnsupportedOperator",
    "UnsupportedOperatorError",
]


class Diagnostic(NamedTuple):
    """One fault; ``notes`` are remedies."""

    severity: str
    where: str
    what: str
    notes: tuple[str, ...]


class UnsupportedOperator(NamedTuple):
    """An operator that nothing lowers, and all nodes of the model that use it."""

    domain: str
    op_type: str
    opset: int
    nodes: tuple[str, ...]
    reasons: tuple[str, ...]


class ConversionError(ValueError):
    """A model that cannot be converted; ``diagnostics`` has every fault."""

    def __init__(self, message: str, diagnostics: Iterable[Any] = ()) -> None:
        super().__init__(message)
        self.diagnostics = tuple(Diagnostic(s, w, t, tuple(n)) for s, w, t, n in diagnostics)


class UnsupportedOperatorError(ConversionError):
    """Operators that no plugin lowers; ``operators`` has every one of the model."""

    def __init__(
        self, message: str, operators: Iterable[Any] = (), diagnostics: Iterable[Any] = ()
    ) -> None:
        super().__init__(message, diagnostics)
        self.operators = tuple(
            UnsupportedOperator(d, t, v, tuple(n), tuple(r)) for d, t, v, n, r in operators
        )


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


def loop(
    body: Callable[..., Any],
    trips: Any,
    condition: Any,
    state: Sequence[Any],
    operands: Sequence[Any],
    scan_outputs: int,
) -> tuple[Any, ...]:
    """ONNX Loop in full: run-time trip count and condition, scan outputs, any carried values."""
    state = list(state)
    slices: list[list[Any]] = [[] for _ in range(scan_outputs)]
    alive = torch.tensor(True) if condition is None else condition
    limit = None if trips is None else int(trips)
    step = 0
    while (limit is None or step < limit) and bool(alive):
        alive, *results = body(torch.tensor(step), alive, *state, *operands)
        slices = [old + [new] for old, new in zip(slices, results[len(state) :])]
        state = results[: len(state)]
        step += 1
    if step == 0 and scan_outputs:
        return (*state, *_no_slices(body, alive, state, operands))
    return (*state, *(torch.stack(s) for s in slices))


def _no_slices(
    body: Callable[..., Any], alive: Any, state: list[Any], operands: Sequence[Any]
) -> list[torch.Tensor]:
    """Scan outputs of a loop of zero steps: what one step would give, with no rows."""
    with torch.no_grad():
        results = body(torch.tensor(0), alive, *state, *operands)
    return [slice_.new_empty((0, *slice_.shape)) for slice_ in results[1 + len(state) :]]


def gradient(
    function: Callable[..., Any], xs: Sequence[torch.Tensor], operands: Sequence[Any]
) -> tuple[torch.Tensor, ...]:
    """The derivatives of ``function(*xs, *operands)`` by ``xs``, of the sum of its elements.

    Where autograd records, they are differentiable in turn.
    """
    again = torch.is_grad_enabled()
    with torch.enable_grad():
        # a step of its own: what else was computed from x does not count
        points = [x.view_as(x) if x.requires_grad else x.detach().requires_grad_() for x in xs]
        y = function(*points, *operands)
        if not y.requires_grad:
            return tuple(torch.zeros_like(x) for x in xs)
        ones = torch.ones_like(y)
        return torch.autograd.grad(
            y, points, ones, create_graph=again, allow_unused=True, materialize_grads=True
        )


def opaque(
    domain: str,
    op_type: str,
    opset: int,
    inputs: Sequence[Any],
    attributes: Sequence[Any],
    outputs: int,
) -> tuple[Any, ...]:
    """Stands where ``--keep-going`` kept an operator that nothing lowers."""
    operator = f"{domain or 'ai.onnx'}::{op_type}"
    raise UnsupportedOperatorError(
        f"{operator} (opset {opset}): this node was kept as an opaque one and cannot be run; "
        "the conversion's report says why",
        [(domain, op_type, opset, (), ())],
    )


def _broadcast(a: Strings, shape: Sequence[int]) -> list[str]:
    """The items of ``a`` as a tensor of ``shape`` would hold them."""
    at = torch.arange(len(a.items)).reshape(a.shape).expand(tuple(shape))
    return [a.items[i] for i in at.flatten().tolist()]


def strings_equal(a: Strings, b: Strings) -> torch.Tensor:
    """Element by element, broadcast as tensors are."""
    shape = torch.broadcast_shapes(a.shape, b.shape)
    equal = [x == y for x, y in zip(_broadcast(a, shape), _broadcast(b, shape))]
    return torch.tensor(equal, dtype=torch.bool).reshape(shape)


def _number_text(value: float, digits: int) -> str:
    """The shortest decimal that a float of so many significant digits is read back from."""
    pack = "e" if digits == 5 else "f"
    for n in range(digits):
        text = f"{value:.{n}e}"
        try:
            if struct.unpack(pack, struct.pack(pack, float(text)))[0] == value:
                return repr(float(text))
        except OverflowError:  # rounded up past the greatest float
            continue
    return repr(value)  # inf, nan


def strings_from_tensor(x: torch.Tensor) -> Strings:
    """Numbers as text: integers in full, floats as the shortest decimal that gives them back."""
    values = x.detach().flatten().tolist()
    digits = {torch.float16: 5, torch.float32: 9}.get(x.dtype)
    return Strings(x.shape, [_number_text(v, digits) if digits else str(v) for v in values])


def _integer(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        return int(float(text))


def strings_to_tensor(x: Strings, dtype: torch.dtype) -> torch.Tensor:
    """Text as numbers; a fraction is cut off for integers."""
    read = float if dtype.is_floating_point else _integer
    return torch.tensor([read(text) for text in x.items], dtype=dtype).reshape(x.shape)


# ---- control flow and sequences that exist only at run time


def cond(
    predicate: Any,
    then_branch: Callable[..., Any],
    else_branch: Callable[..., Any],
    operands: Sequence[Any],
) -> tuple[Any, ...]:
    """ONNX If in full: branches may return anything, of different types too."""
    return tuple((then_branch if bool(predicate) else else_branch)(*operands))


def optional_get_element(value: Any) -> Any:
    """The element; a missing one is an error."""
    if value is None:
        raise ValueError("OptionalGetElement: expected an element, got none")
    return value


def optional_has_element(value: Any) -> torch.Tensor:
    return torch.tensor(value is not None)


def shape_of(x: torch.Tensor) -> torch.Tensor:
    """The extents, one by one: of a tensor whose rank only the one at hand tells."""
    sizes = [torch.scalar_tensor(d, dtype=torch.int64, device=x.device) for d in x.size()]
    return torch.stack(sizes) if sizes else x.new_empty((0,), dtype=torch.int64)


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


# ---- maps, which are dictionaries with keys of one type, int or str


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


def map_cast(x: dict[int, Any], dtype: torch.dtype | None, width: int | None) -> Any:
    """The values by ascending key, or (with a width) each at the place that its key says."""

    def cast(value: Any) -> Any:
        if dtype is None:
            return value if isinstance(value, str) else f"{value:f}"
        number = float(value)
        return number if dtype.is_floating_point else int(number)

    values = {key: cast(_item(x[key])) for key in sorted(x)}
    if width is None:
        return _row(list(values.values()), dtype)
    if any(not 0 <= key < width for key in values):
        raise ValueError(f"CastMap: expected keys from 0 to {width - 1}, got {list(values)}")
    return _row([values.get(place, 0) for place in range(width)], dtype)


def map_vectorize(
    x: dict[Any, Any], integers: Sequence[int], texts: Sequence[str], dtype: torch.dtype | None
) -> Any:
    """The values of the keys listed; 0 or "" for a key that the map has not."""
    missing = "" if dtype is None else 0
    return _row([_item(x.get(key, missing)) for key in (integers or texts)], dtype)


def map_zip(
    x: torch.Tensor, integers: Sequence[int], texts: Sequence[str]
) -> list[dict[Any, torch.Tensor]]:
    """A map from label to element for each row; a vector is one row."""
    keys = integers or texts
    rows = x.unsqueeze(0) if x.dim() == 1 else x
    if rows.dim() != 2 or rows.shape[1] != len(keys):
        raise ValueError(f"ZipMap: expected {len(keys)} columns, got shape {list(x.shape)}")
    return [dict(zip(keys, row.unbind())) for row in rows.unbind()]


# ---- strings


def strings(items: Sequence[str], shape: Sequence[int]) -> Strings:
    return Strings(shape, items)


def strings_lookup(x: Strings, pool: Sequence[str]) -> torch.Tensor:
    """For each element its first place in ``pool``, -1 if it is not there."""
    places: dict[str, int] = {}
    for place, text in enumerate(pool):
        places.setdefault(text, place)
    found = [places.get(text, -1) for text in x.items]
    return torch.tensor(found, dtype=torch.int64).reshape(x.shape)


def strings_positions(xs: Sequence[Strings]) -> list[torch.Tensor]:
    """Tensors of the shapes of ``xs`` that number their elements consecutively."""
    result, start = [], 0
    for x in xs:
        result.append(torch.arange(start, start + len(x.items)).reshape(x.shape))
        start += len(x.items)
    return result


def strings_take(xs: Sequence[Strings], index: torch.Tensor) -> Strings:
    """The elements that ``strings_positions(xs)`` numbered so."""
    pool = [text for x in xs for text in x.items]
    return Strings(index.shape, [pool[i] for i in index.flatten().tolist()])


def string_concat(x: Strings, y: Strings) -> Strings:
    """Element by element, broadcast as tensors are."""
    shape = torch.broadcast_shapes(x.shape, y.shape)
    return Strings(shape, [a + b for a, b in zip(_broadcast(x, shape), _broadcast(y, shape))])


def string_normalize(
    x: Strings, stopwords: Sequence[str], is_case_sensitive: bool, case_change_action: str
) -> Strings:
    """Drops the stopwords, then changes the case; a result of no element is one empty string."""

    def key(text: str) -> str:
        return text if is_case_sensitive else text.lower()

    def cased(text: str) -> str:
        if case_change_action == "NONE":
            return text
        return text.lower() if case_change_action == "LOWER" else text.upper()

    if len(x.shape) not in (1, 2) or (len(x.shape) == 2 and x.shape[0] != 1):
        raise ValueError(f"StringNormalizer: expected shape [C] or [1, C], got {list(x.shape)}")
    dropped = {key(text) for text in stopwords}
    items = [cased(text) for text in x.items if key(text) not in dropped] or [""]
    return Strings((*x.shape[:-1], len(items)), items)


def string_split(x: Strings, delimiter: str | None, maxsplit: int) -> tuple[Strings, torch.Tensor]:
    """The parts of each element, filled up with "" along a new last axis, and their number."""
    parts = [text.split(delimiter, maxsplit) for text in x.items]
    width = max((len(p) for p in parts), default=0)
    items = [text for p in parts for text in p + [""] * (width - len(p))]
    counts = torch.tensor([len(p) for p in parts], dtype=torch.int64).reshape(x.shape)
    return Strings((*x.shape, width), items), counts


def regex_full_match(x: Strings, pattern: str) -> torch.Tensor:
    regex = re.compile(pattern)
    matches = [regex.fullmatch(text) is not None for text in x.items]
    return torch.tensor(matches, dtype=torch.bool).reshape(x.shape)


def image_decoder(encoded: torch.Tensor, pixel_format: str) -> torch.Tensor:
    try:
        from PIL import Image
    except ImportError as e:
        raise RuntimeError(
            "onnx2fx::image_decoder: expected the package Pillow, got none; "
            "note: pip install pillow, or decode the image before the model"
        ) from e
    with Image.open(io.BytesIO(bytes(encoded.cpu().tolist()))) as image:
        gray = pixel_format == "Grayscale"
        pixels = image.convert("L" if gray else "RGB")
        shape = (pixels.height, pixels.width, 1 if gray else 3)
        decoded = torch.frombuffer(bytearray(pixels.tobytes()), dtype=torch.uint8).reshape(shape)
    return decoded.flip(-1) if pixel_format == "BGR" else decoded
