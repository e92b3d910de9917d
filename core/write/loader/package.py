"""An FX package: graph.json, and the files that its weights lie in."""

from __future__ import annotations

import json
import os
from typing import Any, Mapping

from torch import fx

from .document import build, check
from .structure import check_structure
from .torch_libraries import Libraries, load_torch_libraries
from .weights import Weights


def load(
    folder: str | os.PathLike[str],
    *,
    weights: str | None = None,
    training: bool = False,
    weights_layout: str | None = None,
    torch_libraries: Libraries = (),
) -> fx.GraphModule:
    """The GraphModule of an FX package.

    Args:
      weights: None (as stored), "meta", "fake", "random".
      weights_layout: None (as the package says), "contiguous", "view"; see Weights.
      torch_libraries: of packs whose torch operators the module calls, which are loaded first.
    """
    document, files, stored = read_document(folder)
    load_torch_libraries(torch_libraries, document.get("torch_libraries", ()))
    with Weights(
        document, files, safetensors=stored, mode=weights, layout=weights_layout
    ) as tensors:
        return build(document, tensors, training=training)


def read_document(folder: str | os.PathLike[str]) -> tuple[dict[str, Any], list[str], str | None]:
    """graph.json of a package, the paths of its sources, and weights.safetensors if it has one."""
    folder = os.fspath(folder)
    with open(os.path.join(folder, "graph.json"), "rb") as f:
        document = json.load(f)
    check(document)
    check_structure(document)
    stored = os.path.join(folder, "weights.safetensors")
    files = [source_path(folder, s) for s in document["sources"]]
    return document, files, stored if os.path.exists(stored) else None


def source_path(folder: str, source: Mapping[str, Any]) -> str:
    path = os.path.normpath(os.path.join(folder, source.get("relative") or source["path"]))
    return path if os.path.exists(path) else source["path"]
