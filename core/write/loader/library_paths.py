"""Where a library has the loader take further code from, read from its bytes before it is loaded: as core/plugin/elf_image.cpp does, in the same words."""

from __future__ import annotations

import struct
from typing import Iterator

_LOAD, _DYNAMIC = 1, 2  # of segments
_NULL, _NEEDED, _STRTAB, _RPATH, _RUNPATH, _AUXILIARY, _FILTER = 0, 1, 5, 15, 29, 0x7FFFFFFD, 0x7FFFFFFF


def relative_paths(library: bytes) -> list[str]:
    """What would have the loader take code from wherever the process stands; of what is no ELF library nothing, which the loader says itself."""
    if library[:6] != b"\x7fELF\x02\x01":
        return []
    try:
        return list(_faults(library))
    except (struct.error, ValueError):
        return ["expected a whole ELF file, got a truncated or damaged one"]


def _faults(library: bytes) -> Iterator[str]:
    entries, names = _dynamic(library)

    def text(at: int) -> str:
        return library[names + at : library.index(b"\0", names + at)].decode(errors="replace")

    for tag, value in entries:
        if tag in (_RPATH, _RUNPATH):
            for path in text(value).split(":"):
                if not _is_absolute(path):
                    yield f"run path '{path}': expected an absolute one, or $ORIGIN"
    for tag, value in entries:
        if tag in (_NEEDED, _AUXILIARY, _FILTER) and "/" in (needed := text(value)) and not _is_absolute(needed):
            yield f"needs '{needed}': expected a name, an absolute path, or $ORIGIN"


def _dynamic(library: bytes) -> tuple[list[tuple[int, int]], int]:
    """The entries of the dynamic segments, and where in the file their texts lie."""
    (first,) = struct.unpack_from("<Q", library, 32)
    size, count = struct.unpack_from("<HH", library, 54)
    segments = [struct.unpack_from("<IIQQQQQQ", library, first + i * size) for i in range(count)]
    entries = []
    for kind, _, offset, _, _, length, _, _ in segments:
        if kind == _DYNAMIC:
            for at in range(offset, offset + length, 16):
                entry = struct.unpack_from("<qQ", library, at)
                if entry[0] == _NULL:
                    break
                entries.append(entry)
    address = next((value for tag, value in entries if tag == _STRTAB), None)
    for kind, _, offset, start, _, length, _, _ in segments:
        if kind == _LOAD and address is not None and start <= address < start + length:
            return entries, offset + address - start
    raise ValueError("no table of texts")


def _is_absolute(path: str) -> bool:
    first, slash, _ = path.partition("/")
    return bool(slash) if not first else first in ("$ORIGIN", "${ORIGIN}")
