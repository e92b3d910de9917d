"""The header of a safetensors file."""

from __future__ import annotations

import json
import operator
import os

from .errors import PackageError
from .files import open_regular

_HEADER_LIMIT = 100_000_000  # bytes, that of the safetensors library


def read_header(
    path: str | os.PathLike[str],
) -> tuple[dict[str, tuple[int, int, str, list[int]]], dict[str, str]]:
    """Key -> (offset in the file, length, dtype as written there, shape); the file's metadata."""
    with open(path, "rb", opener=open_regular) as f:
        size = os.fstat(f.fileno()).st_size
        length = int.from_bytes(f.read(8), "little")
        if size < 8 or length > min(size - 8, _HEADER_LIMIT):
            raise PackageError(
                f"{os.fspath(path)}: expected a safetensors file, got a header of {length} bytes"
            )
        text = f.read(length)
    start, entries = 8 + length, {}
    try:
        header = json.loads(text)
        metadata = header.pop("__metadata__", {})
        for key, e in header.items():
            first, last = map(operator.index, e["data_offsets"])
            entries[key] = (start + first, last - first, e["dtype"], e["shape"])
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as e:
        raise PackageError(
            f"{os.fspath(path)}: expected the header of a safetensors file, got {e!r}"
        ) from e
    for key, (offset, count, _, _) in entries.items():
        if offset < start or count < 0 or offset + count > size:
            raise PackageError(f"{os.fspath(path)}: {key!r}: data_offsets lie outside the file")
    return entries, metadata
