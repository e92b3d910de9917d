"""The tensors of a graph document, without reading them before their first use.

Needs torch only: a copy lies in every FX package.
"""

from __future__ import annotations

import concurrent.futures
import functools
import importlib
import json
import math
import mmap
import operator
import os
import stat
import tempfile
import zlib
from typing import Any, Callable, Mapping, Sequence

try:
    import resource
except ImportError:  # not on Windows
    resource = None

import torch
from torch import fx

_targets = importlib.import_module(__name__.removesuffix("weights") + "targets")
PackageError, dtype_of = _targets.PackageError, _targets.dtype_of
_weightless = importlib.import_module(__name__.removesuffix("weights") + "weightless")

_SMALL = 64 * 1024
_HEADER_LIMIT = 100_000_000  # bytes, that of the safetensors library
SAFETENSORS = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "BF16": "bfloat16",
    "I64": "int64",
    "I32": "int32",
    "I16": "int16",
    "I8": "int8",
    "U64": "uint64",
    "U32": "uint32",
    "U16": "uint16",
    "U8": "uint8",
    "BOOL": "bool",
    "C64": "complex64",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2",
    "F8_E8M0": "float8_e8m0fnu",
    "F8_E4M3FNUZ": "float8_e4m3fnuz",
    "F8_E5M2FNUZ": "float8_e5m2fnuz",
}


class Weights:
    """The tensors of a document, as views of privately mapped files where their bytes are aligned.

    What is not aligned is moved, inside the kernel and beside the building of the graph, into one
    unlinked temporary file: no weight takes resident memory before its first use. The values are
    there at the end of the ``with`` block.

    Args:
      files: the path of each of document["sources"], or an open descriptor of it, which stays the
        caller's and open until the end of the ``with`` block; "" for one that `memory` has.
      memory: gives bytes that lie in no file: ``buffer(index)``, ``source_bytes(source, offset,
        length)``.
      mode: "meta", "fake" or "random": all weights so, whatever the document says.
      copy: no views; what the files hold later does not matter.
    """

    def __init__(
        self,
        document: Mapping[str, Any],
        files: Sequence[str | os.PathLike[str] | int] = (),
        memory: Any = None,
        *,
        safetensors: str | os.PathLike[str] | None = None,
        mode: str | None = None,
        copy: bool = False,
    ) -> None:
        self._mode, self._copy = mode, copy
        self._absent = "random" if "random" in (mode, document["weights"]) else "meta"
        self._fake_mode = _weightless.new_fake_mode() if mode == "fake" else None
        weightless = (mode or document["weights"]) in ("meta", "fake")
        self._constants: dict[str, torch.Tensor] | None = {} if weightless else None
        self._numbers = _weightless.read_as_numbers(document) if weightless else set()
        self._paths, self._sources, self._memory = files, document["sources"], memory
        _allow_files(2 * len(files))
        self._files: dict[Any, _File | _Memory] = {}
        self._safetensors, self._keys = safetensors, {}
        if safetensors is not None:
            self._keys = read_safetensors_header(safetensors)
        self._given: set[tuple[Any, ...]] = set()
        self._moved: dict[tuple[int, int, int], int] = {}
        self._moving: concurrent.futures.Executor | None = None
        self._moves: list[concurrent.futures.Future[None]] = []
        if not copy:
            self._scratch = self._move_unaligned(document["tensors"])

    def __call__(self, entry: Mapping[str, Any]) -> torch.Tensor:
        dtype, shape = dtype_of(entry["dtype"]), entry["shape"]
        if self._is_read(entry):
            flat = (
                self._bytes(entry, dtype) if math.prod(shape) else torch.empty(0, dtype=torch.uint8)
            )
            expected = math.prod(shape) * dtype.itemsize
            if flat.numel() != expected:
                raise PackageError(
                    f"tensor {entry['path']!r}: expected {expected} bytes, got {flat.numel()}"
                )
            value = flat.view(dtype).view(shape)
            if self._constants is None:
                return value
            self._constants[entry["path"]] = value
            if entry["path"] in self._numbers:
                return _weightless.with_value(value, self._fake_mode)
        if self._fake_mode is not None:
            with self._fake_mode:
                return torch.empty(shape, dtype=dtype)
        if (self._mode or self._absent) == "meta":
            return torch.empty(shape, dtype=dtype, device="meta")
        return _random(entry["path"], dtype, shape)

    def part(
        self, entry: Mapping[str, Any], offsets: Sequence[int], shape: Sequence[int]
    ) -> torch.Tensor:
        """The block of `shape` at `offsets` of a tensor; no byte outside its rows is read.

        A view where the block is one aligned range, else a copy.
        """
        dtype, full = dtype_of(entry["dtype"]), entry["shape"]
        if not math.prod(shape):
            return torch.empty(tuple(shape), dtype=dtype)
        data = entry["data"]
        if "memory" in data:
            file, place = None, (data["memory"],)
            flat = self._memory.buffer(data["memory"])
        else:
            file, offset, length = self._range(data)
            flat, place = file.view(offset, length), (id(file), offset, length)
        expected = math.prod(full) * dtype.itemsize
        if flat.numel() != expected:
            raise PackageError(
                f"tensor {entry['path']!r}: expected {expected} bytes, got {flat.numel()}"
            )
        block = flat.view(*full[:-1], full[-1] * dtype.itemsize) if full else flat
        for dim, (start, size) in enumerate(zip(offsets, shape)):
            scale = dtype.itemsize if dim == len(full) - 1 else 1
            block = block.narrow(dim, start * scale, size * scale)
        place = (*place, *offsets, *shape)
        aligned = block.is_contiguous() and block.data_ptr() % dtype.itemsize == 0
        if self._copy or not aligned or place in self._given:
            block = block.clone(memory_format=torch.contiguous_format)
        self._given.add(place)
        return block.view(dtype).view(tuple(shape))

    def describe(self, module: fx.GraphModule) -> None:
        """Notes in a module without weights what it needs to become a whole one."""
        if self._fake_mode is not None:
            module.meta["onnx2fx"]["fake_mode"] = self._fake_mode
        if self._constants is not None:
            _weightless.keep_constants(module, self._constants)

    def _is_read(self, entry: Mapping[str, Any]) -> bool:
        data = entry["data"]
        if data is None or not self._mode:
            return data is not None
        # of a weightless conversion, only what is no weight has bytes in memory
        return entry["role"] == "constant" or (self._constants is not None and "memory" in data)

    def _bytes(self, entry: Mapping[str, Any], dtype: torch.dtype) -> torch.Tensor:
        data = entry["data"]
        if "memory" in data:
            flat, place = self._memory.buffer(data["memory"]), (data["memory"],)
        else:
            flat, place = self._from_file(data, dtype.itemsize)
        if self._copy or place in self._given:
            return flat.clone()  # else two tensors would share what training writes
        self._given.add(place)
        return flat

    def _from_file(
        self, data: Mapping[str, Any], itemsize: int
    ) -> tuple[torch.Tensor, tuple[Any, ...]]:
        file, offset, length = self._range(data)
        place = (id(file), offset, length)
        if self._copy or (offset % itemsize and place not in self._moved):
            return file.copy(offset, length), place
        if offset % itemsize:
            return self._scratch.view(self._moved[place], length), place
        return file.view(offset, length), place

    def _range(self, data: Mapping[str, Any]) -> tuple[_File | _Memory, int, int]:
        if "safetensors" in data:
            if data["safetensors"] not in self._keys:
                raise PackageError(f"weights.safetensors: no tensor {data['safetensors']!r}")
            return (self._file("safetensors"), *self._keys[data["safetensors"]])
        return self._file(data["source"]), data["offset"], data["length"]

    def _file(self, key: Any) -> _File | _Memory:
        if key not in self._files:
            if key == "safetensors":
                self._files[key] = _File(self._safetensors)
            elif self._paths[key] != "":
                source = self._sources[key]
                self._files[key] = _File(
                    self._paths[key], source["size"], source["mtime_ns"], name=source["path"]
                )
            else:
                self._files[key] = _Memory(functools.partial(self._memory.source_bytes, key))
        return self._files[key]

    def __enter__(self) -> Weights:
        return self

    def __exit__(self, *failure: object) -> None:
        """Waits until what had to be moved is where the tensors look.

        What was copied is of one state of its file.
        """
        if self._moving is not None:
            self._moving.shutdown(wait=True, cancel_futures=failure[0] is not None)
            for move in self._moves:
                if not move.cancelled():
                    move.result()
        if failure[0] is None:
            for file in self._files.values():
                file.check_unchanged()

    def _move_unaligned(self, entries: Sequence[Mapping[str, Any]]) -> _File | None:
        """Lays out the temporary file and starts to fill it; __exit__ waits for the end."""
        ranges, end = [], 0
        for entry in entries:
            if not self._is_read(entry) or "memory" in entry["data"]:
                continue
            file, offset, length = self._range(entry["data"])
            place = (id(file), offset, length)
            aligned = offset % dtype_of(entry["dtype"]).itemsize == 0
            if aligned or length < _SMALL or isinstance(file, _Memory) or place in self._moved:
                continue
            file.check(offset, length)
            self._moved[place] = end
            ranges.append((file.handle.fileno(), offset, end, length))
            end += -(-length // 64) * 64
        if not ranges:
            return None
        handle = tempfile.TemporaryFile()
        handle.truncate(end)
        self._temporary = handle
        scratch = _File(handle.fileno())
        self._moving = concurrent.futures.ThreadPoolExecutor(2, "onnx2fx weights")
        self._moves = [
            self._moving.submit(_move, source, offset, handle.fileno(), at, length)
            for source, offset, at, length in ranges
        ]
        return scratch


class _File:
    """A file, mapped when first asked for: private and writable, so training never writes to it."""

    def __init__(
        self, file: Any, size: int | None = None, mtime_ns: int | None = None, name: str = ""
    ) -> None:
        self.name = name if isinstance(file, int) else os.fspath(file)
        try:
            self.handle = open(file, "rb", closefd=not isinstance(file, int), opener=_open_regular)
        except OSError as e:
            raise PackageError(
                f"{self.name}: cannot open the file that holds the weights: {e.strerror}; "
                "put it back, or convert the model again with --weights copy"
            ) from e
        now = os.fstat(self.handle.fileno())
        self.size = now.st_size
        facts = ("size", size, now.st_size), ("time of last change", mtime_ns, now.st_mtime_ns)
        for what, expected, got in facts:
            if expected is not None and expected != got:
                raise PackageError(
                    f"{self.name}: {what}: expected {expected}, got {got}; "
                    "convert the model again, or with --weights copy"
                )
        self._opened = now
        self._map: mmap.mmap | None = None

    def check_unchanged(self) -> None:
        now = os.fstat(self.handle.fileno())
        if (now.st_size, now.st_mtime_ns) != (self._opened.st_size, self._opened.st_mtime_ns):
            raise PackageError(
                f"{self.name}: the file was written to while its weights were read; "
                "load them again when nobody writes to it"
            )

    def check(self, offset: int, length: int) -> None:
        if offset < 0 or length < 0 or offset + length > self.size:
            raise PackageError(
                f"{self.name}: expected {length} bytes at {offset}, the file has {self.size}"
            )

    def copy(self, offset: int, length: int) -> torch.Tensor:
        self.check(offset, length)
        buffer = bytearray(length)
        done, view = 0, memoryview(buffer)
        while done < length:  # one call moves 2 GiB at most
            n = os.preadv(self.handle.fileno(), [view[done:]], offset + done)
            if n == 0:
                raise PackageError(f"{self.name}: the file became shorter")
            done += n
        return torch.frombuffer(buffer, dtype=torch.uint8)

    def view(self, offset: int, length: int) -> torch.Tensor:
        self.check(offset, length)
        if self._map is None:
            self._map = _map_private(self.handle.fileno())
        return torch.frombuffer(self._map, dtype=torch.uint8, count=length, offset=offset)


class _Memory:
    """A model that was given in memory."""

    def __init__(self, view: Callable[[int, int], torch.Tensor]) -> None:
        self.view = view

    def check_unchanged(self) -> None:
        pass

    def copy(self, offset: int, length: int) -> torch.Tensor:
        return self.view(offset, length).clone()


def _allow_files(count: int) -> None:
    """A mapped file stays open, and a model may have one for each of its weights."""
    if resource is None:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count + len(os.listdir("/dev/fd")) + 64
    if resource.RLIM_INFINITY != soft < wanted:
        limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, limit), hard))


def _open_regular(path: str, flags: int) -> int:
    """Opens a file for reading, and not a pipe, which would wait for its writer."""
    descriptor = os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise PackageError(f"{path}: expected a regular file, got a folder, device or pipe")
    return descriptor


def _map_private(descriptor: int) -> mmap.mmap:
    if not hasattr(mmap, "MAP_PRIVATE"):
        return mmap.mmap(descriptor, 0, access=mmap.ACCESS_COPY)
    no_reserve = (
        0x4000 if os.uname().sysname == "Linux" else 0
    )  # else files beyond RAM cannot be mapped
    return mmap.mmap(
        descriptor, 0, flags=mmap.MAP_PRIVATE | no_reserve, prot=mmap.PROT_READ | mmap.PROT_WRITE
    )


def _move(source: int, offset: int, target: int, at: int, length: int) -> None:
    """Moves a range between files, inside the kernel where it can."""
    in_kernel = hasattr(os, "copy_file_range")
    while length:
        done = 0
        if in_kernel:
            try:
                done = os.copy_file_range(source, target, length, offset, at)
            except OSError:  # two file systems that cannot
                in_kernel = False
        if not in_kernel:
            done = os.pwrite(target, os.pread(source, min(length, 1 << 22), offset), at)
        if done == 0:
            raise PackageError(f"weights: expected {length} more bytes, the file ended")
        offset, at, length = offset + done, at + done, length - done


def _random(path: str, dtype: torch.dtype, shape: Sequence[int]) -> torch.Tensor:
    """The same values for the same path: small weights, scales and variances around 1."""
    generator = torch.Generator().manual_seed(zlib.crc32(path.encode()))
    if not (dtype.is_floating_point or dtype.is_complex):
        return torch.zeros(shape, dtype=dtype)
    if len(shape) < 2:
        value = torch.rand(shape, generator=generator) + 0.5
    else:
        value = torch.randn(shape, generator=generator) / math.sqrt(max(1, math.prod(shape[1:])))
    return value.to(dtype)


def read_safetensors_header(path: str | os.PathLike[str]) -> dict[str, tuple[int, int]]:
    """Key -> (offset in the file, length)."""
    return {k: (o, n) for k, (o, n, _, _) in safetensors_entries(path)[0].items()}


def safetensors_entries(
    path: str | os.PathLike[str],
) -> tuple[dict[str, tuple[int, int, str, list[int]]], dict[str, str]]:
    """Key -> (offset in the file, length, dtype as written there, shape); the file's metadata."""
    with open(path, "rb", opener=_open_regular) as f:
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


def transposed_tensors(document: Mapping[str, Any]) -> set[int]:
    """Indices of the tensors that the module holds as ``.t()`` of what is stored."""
    modules = document["modules"]
    return {u["tensor"] for m in modules for u in m["tensors"] if u.get("transposed")}
