"""Libraries that register torch operators of packs, or give reference functions: the user gives them, a document says which ones it needs."""

from __future__ import annotations

import hashlib
import os
from typing import Any, Iterable, Mapping, Sequence

import torch

from .errors import PackageError
from .library_paths import relative_paths
from .older_torch import is_older_than
from .references import add_references

Libraries = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]
Needed = Sequence[Mapping[str, Any]]  # torch_libraries of a document

_loaded: dict[str, str] = {}  # real path -> sha256 of what was loaded


def load_torch_libraries(libraries: Libraries, needed: Needed = ()) -> None:
    """Loads each, once in a process. Their code runs: give none that you do not trust.

    Refuses one with the name of a needed one and other bytes, and one that was built anew since it
    was loaded: torch can neither forget nor replace an operator.
    """
    one = [libraries] if isinstance(libraries, (str, os.PathLike)) else libraries
    for library in one:
        _load(os.path.realpath(library), os.fspath(library), needed)


def _load(path: str, shown: str, needed: Needed) -> None:
    library = _read(path, shown)
    sha256 = hashlib.sha256(library).hexdigest()
    _check(shown, sha256, needed)
    if path in _loaded:
        if _loaded[path] != sha256:
            raise PackageError(
                f"{shown}: torch library: expected the one that is loaded, got another, built since; "
                "end this process"
            )
        return
    if sha256 in _loaded.values():  # these very bytes, from another place
        return
    if faults := relative_paths(library):
        raise PackageError("\n".join(f"{shown}: torch library: {fault}" for fault in faults))
    try:
        torch.ops.load_library(path)
    except (OSError, RuntimeError) as e:
        raise PackageError(f"{shown}: torch library: cannot be loaded: {e}") from e
    add_references(path)
    _loaded[path] = sha256


def _read(path: str, shown: str) -> bytes:
    try:
        with open(path, "rb") as f:
            return f.read()
    except OSError as e:
        raise PackageError(f"{shown}: torch library: cannot be read: {e.strerror}") from e


def _check(shown: str, sha256: str, needed: Needed) -> None:
    for entry in needed:
        if os.path.basename(shown) != entry["file"]:
            continue
        if entry.get("sha256", sha256) != sha256:
            raise PackageError(
                f"{shown}: torch library: expected {described(entry)}, got one with sha256 {sha256}; "
                "give that one, or convert the model again with this pack"
            )
        if "min_torch" in entry and is_older_than(entry["min_torch"]):
            raise PackageError(
                f"{shown}: torch library: expected torch {entry['min_torch']} or later, "
                f"got {torch.__version__}"
            )


def described(entry: Mapping[str, Any]) -> str:
    """ "clip_torch.so of com.acme.clip 1.0.0 (sha256 9f86..., torch 2.10 or later)"."""
    facts = [f"sha256 {entry['sha256']}"] if "sha256" in entry else []
    facts += [f"torch {entry['min_torch']} or later"] if "min_torch" in entry else []
    more = f" ({', '.join(facts)})" if facts else ""
    return f"{entry['file']} of {entry['plugin']} {entry['version']}{more}"


def remedy(target: str, needed: Needed, otherwise: str = "") -> str:
    """What to do where torch does not know an operator, or nobody a reference function."""
    for entry in needed:
        if target in entry["targets"]:
            return f"; it is in {described(entry)}: give the path of that file, torch_libraries=[...]"
    return otherwise or f"; import the package that registers torch.ops.{target.partition('::')[0]} first"
