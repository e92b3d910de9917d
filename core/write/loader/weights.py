"""The tensors of a graph document, without reading them before their first use."""

from __future__ import annotations

import concurrent.futures
import functools
import math
import os
import tempfile
import zlib
from typing import Any, Callable, Mapping, Sequence

import torch
from torch import fx

from . import weightless
from .errors import PackageError
from .files import File, Memory, allow_files, move
from .layout import Layouts
from .safetensors import read_header
from .targets import dtype_of
from .vocabulary import WEIGHTS_LAYOUTS

_SMALL = 64 * 1024


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
      layout: of weights that the file holds transposed: "contiguous", or "view", which costs no
        memory, and which FSDP2, safetensors, ``parameters_to_vector`` and ``prune`` refuse. None:
        as the document says.
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
        layout: str | None = None,
    ) -> None:
        layout = layout or document.get("weights_layout", WEIGHTS_LAYOUTS[0])
        if layout not in WEIGHTS_LAYOUTS:
            expected = ", ".join(WEIGHTS_LAYOUTS)
            raise ValueError(f"weights_layout: expected one of {expected}, got {layout!r}")
        self._mode, self._copy, self.layout = mode, copy, layout
        self._layouts = Layouts()
        transposed = transposed_tensors(document) if layout == "contiguous" else set()
        tensors = document["tensors"]
        self._laid_out = {tensors[i]["path"] for i in transposed if i < len(tensors)}
        self._absent = "random" if "random" in (mode, document["weights"]) else "meta"
        self._fake_mode = weightless.new_fake_mode() if mode == "fake" else None
        no_weights = (mode or document["weights"]) in ("meta", "fake")
        self._constants: dict[str, torch.Tensor] | None = {} if no_weights else None
        self._numbers = weightless.read_as_numbers(document) if no_weights else set()
        self._paths, self._sources, self._memory = files, document["sources"], memory
        allow_files(2 * len(files))
        self._files: dict[Any, File | Memory] = {}
        self._safetensors, self._keys = safetensors, {}
        if safetensors is not None:
            entries, _ = read_header(safetensors)
            self._keys = {key: (offset, length) for key, (offset, length, *_) in entries.items()}
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
            self._check_size(entry, flat.numel())
            value = flat.view(dtype).view(shape)
            if self._constants is None:
                return value
            self._constants[entry["path"]] = value
            if entry["path"] in self._numbers:
                return weightless.with_value(value, self._fake_mode)
        if self._fake_mode is not None:
            with self._fake_mode:
                return torch.empty(shape, dtype=dtype)
        if (self._mode or self._absent) == "meta":
            return torch.empty(shape, dtype=dtype, device="meta")
        return _random(entry["path"], dtype, shape)

    def transposed(self, entry: Mapping[str, Any]) -> torch.Tensor:
        """``.t()`` of the tensor, laid out as `layout` says; without weights always contiguous."""
        if entry["path"] not in self._laid_out or not self._is_read(entry) or self._constants is not None:
            value = self(entry).t()
            return value if self._is_read(entry) else value.contiguous()
        dtype, (height, width) = dtype_of(entry["dtype"]), entry["shape"]
        return self._layouts.transposed((height, width), dtype, self._rows_of(entry, dtype))

    def _rows_of(
        self, entry: Mapping[str, Any], dtype: torch.dtype
    ) -> Callable[[int, int], torch.Tensor]:
        data, width = entry["data"], entry["shape"][1]
        size = width * dtype.itemsize
        if "memory" in data:
            whole = self._memory.buffer(data["memory"])
            self._check_size(entry, whole.numel())
            return lambda begin, end: whole[begin * size : end * size].view(dtype).view(-1, width)
        file, offset, length = self._range(data)
        self._check_size(entry, length)
        file.check(offset, length)

        def read(begin: int, end: int) -> torch.Tensor:
            length = (end - begin) * size
            block = file.copy(offset + begin * size, length, self._layouts.buffer(length))
            return block.view(dtype).view(-1, width)

        return read

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
        place: tuple[Any, ...]
        if "memory" in data:
            place = (data["memory"],)
            flat = self._memory.buffer(data["memory"])
        else:
            file, offset, length = self._range(data)
            flat, place = file.view(offset, length), (id(file), offset, length)
        self._check_size(entry, flat.numel())
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
            weightless.keep_constants(module, self._constants)

    def _check_size(self, entry: Mapping[str, Any], got: int) -> None:
        expected = math.prod(entry["shape"]) * dtype_of(entry["dtype"]).itemsize
        if got != expected:
            raise PackageError(f"tensor {entry['path']!r}: expected {expected} bytes, got {got}")

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
        if self._scratch and place in self._moved:
            return self._scratch.view(self._moved[place], length), place
        return file.view(offset, length), place

    def _range(self, data: Mapping[str, Any]) -> tuple[File | Memory, int, int]:
        if "safetensors" in data:
            if data["safetensors"] not in self._keys:
                raise PackageError(f"weights.safetensors: no tensor {data['safetensors']!r}")
            return (self._file("safetensors"), *self._keys[data["safetensors"]])
        return self._file(data["source"]), data["offset"], data["length"]

    def _file(self, key: Any) -> File | Memory:
        if key not in self._files:
            if key == "safetensors":
                self._files[key] = File(self._safetensors)
            elif self._paths[key] != "":
                source = self._sources[key]
                self._files[key] = File(
                    self._paths[key], source["size"], source["mtime_ns"], name=source["path"]
                )
            else:
                self._files[key] = Memory(functools.partial(self._memory.source_bytes, key))
        return self._files[key]

    def __enter__(self) -> Weights:
        return self

    def __exit__(self, *failure: object) -> None:
        """Waits until what had to be moved is where the tensors look.

        What was copied is of one state of its file.
        """
        self._layouts.close(failure[0] is not None)
        if self._moving is not None:
            self._moving.shutdown(wait=True, cancel_futures=failure[0] is not None)
            for move in self._moves:
                if not move.cancelled():
                    move.result()
        if failure[0] is None:
            for file in self._files.values():
                file.check_unchanged()

    def _move_unaligned(self, entries: Sequence[Mapping[str, Any]]) -> File | None:
        """Lays out the temporary file and starts to fill it; __exit__ waits for the end."""
        ranges, end = [], 0
        for entry in entries:
            if not self._is_read(entry) or "memory" in entry["data"]:
                continue
            file, offset, length = self._range(entry["data"])
            if entry["path"] in self._laid_out:
                continue  # read in blocks, wherever it lies
            place = (id(file), offset, length)
            aligned = offset % dtype_of(entry["dtype"]).itemsize == 0
            if aligned or length < _SMALL or isinstance(file, Memory) or place in self._moved:
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
        scratch = File(handle.fileno())
        self._moving = concurrent.futures.ThreadPoolExecutor(2, "onnx2fx weights")
        self._moves = [
            self._moving.submit(move, source, offset, handle.fileno(), at, length)
            for source, offset, at, length in ranges
        ]
        return scratch


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


def transposed_tensors(document: Mapping[str, Any]) -> set[int]:
    """Indices of the tensors that the module holds as ``.t()`` of what is stored."""
    modules, tensors = document["modules"], document["tensors"]
    return {i for i, t in enumerate(tensors) if t.get("transposed")} | {
        u["tensor"] for m in modules for u in m["tensors"] if u.get("transposed")
    }
