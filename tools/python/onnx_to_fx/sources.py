"""What bind takes tensors from: first their names, dtypes and shapes, then the values asked for."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
from typing import Any, Callable, Iterable, Iterator, Mapping, Optional, Protocol, Sequence

import torch

from . import loader, sharding
from .loader import safetensors, weights
from .loader.vocabulary import SAFETENSORS
from .notes import notes_of

# Offsets and shape of a part of a stored tensor; None: all of it.
Block = Optional[tuple[tuple[int, ...], tuple[int, ...]]]


@dataclasses.dataclass(frozen=True)
class Stored:
    """A tensor of a source, of which no value was read yet.

    Attributes:
      key: what the source calls it: an attribute path, or the name of an ONNX initializer.
      dtype: torch name ("float32"), or the source's own for one that torch lacks.
      shape: as it is stored.
      data: where its values are; the source knows how to read it.
      name: of the ONNX tensor behind it; None: `key` may be that or the path.
      transposed: the module's attribute `key` is ``.t()`` of it.
    """

    key: str
    dtype: str
    shape: tuple[int, ...]
    data: Any
    name: str | None = None
    transposed: bool = False


Read = Callable[[Stored, Block], torch.Tensor]


class Source(Protocol):
    label: str  # for messages

    @property
    def tensors(self) -> Sequence[Stored]: ...

    def reading(
        self, whole: Iterable[Stored], copy: bool
    ) -> contextlib.AbstractContextManager[Read]:
        """Gives ``read(stored, block)``: the values, as stored.

        `whole` are those that will be asked for with block None. Their values are there when the
        context ends; those of blocks at once. `copy`: no views of what the source owns.
        """


def source_of(source: Any, module: torch.nn.Module, directory: Any = None) -> Source:
    """The tensors of what the caller of bind gave.

    directory: of the external data of a model in memory; None: as the module's conversion had it.

    Raises:
      TypeError, ValueError: nothing that bind takes.
      PackageError, ConversionError, OSError: a file that is broken or not there.
    """
    if isinstance(source, Mapping):
        return _StateDict(source)
    if isinstance(source, (str, os.PathLike)):
        return _of_path(os.fspath(source), module)
    if hasattr(source, "SerializeToString") or isinstance(source, (bytes, bytearray, memoryview)):
        return _of_model(source, "<memory>", module, directory)
    raise TypeError(
        "source: expected a path, an onnx.ModelProto, a state dict or an init function, got "
        + type(source).__name__
    )


def _of_path(path: str, module: torch.nn.Module) -> Source:
    if os.path.isdir(path):
        if os.path.exists(os.path.join(path, "graph.json")):
            return _of_package(path)
        return _of_safetensors(path, _files_of(path))
    if path.endswith(".safetensors.index.json"):
        return _of_safetensors(path, _files_of_index(path))
    if _is_safetensors(path):
        return _of_safetensors(path, [path])
    return _of_model(path, path, module, None)


# ---- sources that are files: entries like those of graph.json


class _Document:
    """Tensors by their ranges in files, or in the memory of a conversion."""

    def __init__(
        self,
        label: str,
        tensors: Sequence[Stored],
        sources: Sequence[Mapping[str, Any]],
        files: Sequence[str | int],
        memory: Any = None,
        safetensors: str | None = None,
    ) -> None:
        self.label, self.tensors = label, tensors
        self._sources, self._files = sources, files
        self._memory, self._safetensors = memory, safetensors

    @contextlib.contextmanager
    def reading(self, whole: Iterable[Stored], copy: bool) -> Iterator[Read]:
        document = {
            "weights": "reference",
            "sources": self._sources,
            "tensors": [self._entry(s) for s in whole],
        }
        with weights.Weights(
            document,
            self._files,
            self._memory,
            safetensors=self._safetensors,
            copy=copy,
            layout="view",
        ) as values:
            yield lambda stored, block: (
                values(self._entry(stored))
                if block is None
                else values.part(self._entry(stored), *block)
            )

    @staticmethod
    def _entry(stored: Stored) -> dict[str, Any]:
        return {
            "path": stored.key,
            "dtype": stored.dtype,
            "shape": list(stored.shape),
            "role": "parameter",
            "data": stored.data,
        }


def _of_document(document: Mapping[str, Any]) -> list[Stored]:
    transposed = weights.transposed_tensors(document)
    return [
        Stored(t["path"], t["dtype"], tuple(t["shape"]), t["data"], t["name"], i in transposed)
        for i, t in enumerate(document["tensors"])
        if t["data"] is not None
    ]


def _of_model(model: Any, label: str, module: torch.nn.Module, directory: Any) -> Source:
    """Converts again, as the module was: only this tells which bytes each tensor is made of."""
    from . import _convert, _native  # the package imports this module
    from .options import builtin_plugins

    meta = notes_of(module)
    options = {
        "dialect": meta.get("dialect", "nn"),
        **meta.get("options", {}),
        "builtin_directory": builtin_plugins(),
        "weights": "reference",
        "keep_going": True,
    }
    recorded = options.pop("directory", None)
    in_memory = not isinstance(model, str)
    directory = (recorded if directory is None else directory) if in_memory else None
    conversion = _convert(_native, model, directory, options)
    document = json.loads(conversion.graph_json())
    files = ["" if d < 0 else d for d in conversion.descriptors()]
    return _Document(label, _of_document(document), document["sources"], files, conversion)


def _of_package(folder: str) -> Source:
    document, files, stored = loader.read_document(folder)
    return _Document(
        folder, _of_document(document), document["sources"], files, safetensors=stored
    )


def _of_safetensors(label: str, files: Sequence[str]) -> Source:
    tensors: dict[str, Stored] = {}
    for i, path in enumerate(files):
        entries, metadata = safetensors.read_header(path)
        transposed = set(json.loads(metadata.get("transposed", "[]")))
        for key, (offset, length, dtype, shape) in entries.items():
            if key in tensors:
                first = files[tensors[key].data["source"]]
                raise ValueError(f"{label}: tensor {key!r}: stands in {first} and in {path}")
            data = {"source": i, "offset": offset, "length": length}
            name = SAFETENSORS.get(dtype, dtype)
            tensors[key] = Stored(key, name, tuple(shape), data, None, key in transposed)
    sources = [{"path": f, "size": None, "mtime_ns": None} for f in files]
    return _Document(label, list(tensors.values()), sources, files)


def _is_safetensors(path: str) -> bool:
    """Eight bytes with the length of the header, which is a JSON object."""
    if path.endswith(".onnx"):
        return False
    with open(path, "rb") as f:
        head = f.read(9)
        size = os.fstat(f.fileno()).st_size
    fits = int.from_bytes(head[:8], "little") <= size - 8
    return path.endswith(".safetensors") or (fits and head[8:] == b"{")


def _files_of(folder: str) -> list[str]:
    names = sorted(os.listdir(folder))
    indices = [n for n in names if n.endswith(".safetensors.index.json")]
    if len(indices) > 1:
        raise ValueError(f"{folder}: expected one *.safetensors.index.json, got {indices}")
    if indices:
        return _files_of_index(os.path.join(folder, indices[0]))
    files = [os.path.join(folder, n) for n in names if n.endswith(".safetensors")]
    if not files:
        raise ValueError(f"{folder}: expected graph.json or *.safetensors files, got none")
    return files


def _files_of_index(path: str) -> list[str]:
    with open(path, "rb") as f:
        index = json.load(f)
    names = sorted(set(index["weight_map"].values()))
    for name in names:
        if not isinstance(name, str) or os.path.basename(name) != name or name in ("", ".", ".."):
            raise ValueError(f"{path}: file: expected a name in the same folder, got {name!r}")
    return [os.path.join(os.path.dirname(path), n) for n in names]


# ---- tensors in memory


class _StateDict:
    """The caller's own tensors, which the module takes as they are."""

    label = "the state dict"

    def __init__(self, tensors: Mapping[str, torch.Tensor]) -> None:
        for key, value in tensors.items():
            if not isinstance(value, torch.Tensor):
                raise TypeError(
                    f"source: {key!r}: expected a tensor, got {type(value).__name__}; "
                    "give the state dict itself, not what a checkpoint wraps it in"
                )
        self.tensors = [
            Stored(key, str(value.dtype).removeprefix("torch."), tuple(value.shape), value)
            for key, value in tensors.items()
        ]

    @contextlib.contextmanager
    def reading(self, whole: Iterable[Stored], copy: bool) -> Iterator[Read]:
        given: set[tuple[Any, ...]] = set()

        def read(stored: Stored, block: Block) -> torch.Tensor:
            value = sharding.local(stored.data).detach()
            if block is not None:
                for dim, (offset, size) in enumerate(zip(*block)):
                    value = value.narrow(dim, offset, size)
                return value.clone(memory_format=torch.contiguous_format)
            place = (value.data_ptr(), value.shape, value.stride())
            if copy or (value.numel() and place in given):
                return value.clone()  # else two tensors would share what training writes
            given.add(place)
            return value

        yield read
