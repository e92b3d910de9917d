"""carry.py LIBRARY FOLDER [SUFFIX]: a private copy of a shared library in FOLDER, whose path is printed.

The copy is the extension's own whatever else the process has loaded: it has a soname of its own
(libprotobuf.so.32 becomes libprotobuf.o2fx, or .SUFFIX), so that the loader never takes another library for it
nor it for another; and its unique symbols are plain ones, as the loader would else make every copy
in the process share them, whatever their versions are.
"""

import pathlib
import struct
import sys

DT_STRTAB, DT_SYMTAB, DT_SONAME = 5, 6, 14
SHT_DYNAMIC, SHT_DYNSYM = 6, 11
UNIQUE, GLOBAL = 10, 1


def sections(image):
    at, (size, number) = struct.unpack_from("<Q", image, 0x28)[0], struct.unpack_from("<HH", image, 0x3A)
    for i in range(number):
        # type, offset, size, link
        kind, offset, length, link = struct.unpack_from("<4xI16xQQI", image, at + i * size)
        yield kind, offset, length, link


def renamed(name, length, suffix):
    new = name[: name.index(b".so")] + b"." + suffix
    if len(new) > length:
        raise SystemExit(f"carry.py: expected a soname with room for {new.decode()}, got {name.decode()}")
    return new


def privatise(image, suffix):
    """Edits the image in place; returns its new soname."""
    if image[:6] != b"\x7fELF\x02\x01":
        raise SystemExit("carry.py: expected a 64-bit little-endian ELF library")
    table = list(sections(image))
    symbols = next(s for s in table if s[0] == SHT_DYNSYM)
    dynamic = next(s for s in table if s[0] == SHT_DYNAMIC)
    strings = table[symbols[3]][1]
    used = set()
    for at in range(symbols[1], symbols[1] + symbols[2], 24):
        name, info = struct.unpack_from("<IB", image, at)
        used.add(name)
        if info >> 4 == UNIQUE:
            image[at + 4] = GLOBAL << 4 | info & 15
    entries = [struct.unpack_from("<QQ", image, at) for at in range(dynamic[1], dynamic[1] + dynamic[2], 16)]
    at = next(value for tag, value in entries if tag == DT_SONAME)
    name = bytes(image[strings + at : image.index(b"\0", strings + at)])
    if any(at <= u <= at + len(name) for u in used):
        raise SystemExit(f"carry.py: {name.decode()}: a symbol's name lies in the soname")
    new = renamed(name, len(name), suffix)
    image[strings + at : strings + at + len(name)] = new.ljust(len(name), b"\0")
    return new.decode()


def main(library, folder, suffix="o2fx"):
    image = bytearray(pathlib.Path(library).read_bytes())
    path = pathlib.Path(folder) / privatise(image, suffix.encode())
    if not path.exists() or path.read_bytes() != image:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_bytes(image)
    print(path)


if __name__ == "__main__":
    main(*sys.argv[1:])
