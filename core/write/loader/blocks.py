"""The author's modules, as a graph document describes them: GraphModules at the author's paths."""

from __future__ import annotations

from typing import Any, Mapping

from torch import nn

from .converted import ConvertedModule, SequenceOfModules
from .errors import PackageError
from .modules import Holder, container
from .program import empty_module
from .targets import split_path


def place_blocks(
    root: ConvertedModule, document: Mapping[str, Any], blocks: dict[int, ConvertedModule]
) -> list[nn.Module]:
    """Puts an empty module at the path of each block; fills `blocks`, by index of the module.

    Children that are numbered from 0 stand in an nn.ModuleList. Gives what has numbered children, for sort_children.
    """
    entries = {i: e for i, e in enumerate(document["modules"]) if "program" in e}
    if not entries:
        return []
    children = _children(document)
    paths: dict[str, int] = {}
    for i, e in entries.items():
        if paths.setdefault(e["path"], i) != i:
            raise _taken(e["path"])
    numbered: list[nn.Module] = []
    for path in sorted(children, key=lambda p: p.count(".")):
        owner = container(root, split_path(path)[:-1])
        if path in paths:
            made = _empty_block(entries[paths[path]], children[path])
            blocks[paths[path]] = _add(owner, path, made)
        elif _is_list(children[path]):
            made = _add(owner, path, nn.ModuleList())
        else:
            continue
        if isinstance(made, (nn.ModuleList, SequenceOfModules)):
            numbered.append(made)
    return numbered


def order_children(module: ConvertedModule) -> None:
    """As its graph calls them: torch prints and counts them in this order. What none of its nodes names comes first:
    there the author holds what several modules share."""
    named = {str(n.target).split(".")[0]: None for n in module.graph.nodes if n.op in ("get_attr", "call_module")}
    children = module._modules
    held = {n: c for n, c in children.items() if n not in named and type(c) is Holder}
    module._modules = {**held, **{n: children[n] for n in named if n in children}, **children}


def sort_children(numbered: list[nn.Module]) -> None:
    """By number: modules were added as they are called."""
    place = lambda name: (not name.isdigit(), int(name) if name.isdigit() else 0)  # noqa: E731
    for module in numbered:
        module._modules = dict(sorted(module._modules.items(), key=lambda item: place(item[0])))


def _children(document: Mapping[str, Any]) -> dict[str, set[str]]:
    """Of each path that others lie below, and of each block: the next components."""
    children: dict[str, set[str]] = {e["path"]: set() for e in document["modules"] if "program" in e}
    for entry in (*document["tensors"], *document["modules"]):
        components = split_path(entry["path"])
        for i in range(1, len(components)):
            children.setdefault(".".join(components[:i]), set()).add(components[i])
    return children


def _is_list(children: set[str]) -> bool:
    return children == {str(i) for i in range(len(children))}


def _empty_block(entry: Mapping[str, Any], children: set[str]) -> ConvertedModule:
    numbered = bool(children) and all(c.isdigit() for c in children)
    return empty_module(entry["type"], SequenceOfModules if numbered else ConvertedModule)


def _add(owner: nn.Module, path: str, module: Any) -> Any:
    name = path.rpartition(".")[2]
    if hasattr(owner, name):
        raise _taken(path)
    owner._modules[name] = module
    return module


def _taken(path: str) -> PackageError:
    return PackageError(f"block {path!r}: expected a path of its own, got one that is taken")
