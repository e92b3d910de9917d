"""The author's modules: at their paths, of their classes, called with what they were called with."""

from __future__ import annotations

import pathlib
import runpy
import tempfile

import torch
from torch import fx, nn
from torch.utils._pytree import tree_leaves

from ..compare import Wrong, listed
from ..subject import Converted
from . import column


class _Calls:
    """Of every module but the root: its class, and how many tensors its first call took and returned."""

    def __init__(self, module: nn.Module, args: tuple) -> None:
        self.seen: dict[str, tuple[str, int, int]] = {}
        hooks = [
            m.register_forward_hook(lambda m, a, k, y, path=path: self._see(path, m, (a, k), y), with_kwargs=True)
            for path, m in module.named_modules()
            if path
        ]
        with torch.no_grad():
            module(*args)
        for hook in hooks:
            hook.remove()

    def _see(self, path: str, module: nn.Module, given, returned) -> None:
        inputs, outputs = _tensors(given), _tensors(returned)
        if outputs <= inputs:  # it did nothing: no file tells of it
            return
        self.seen.setdefault(path, (type(module).__name__, len(inputs), len(outputs)))


def _tensors(values) -> set[int]:
    return {id(t) for t in tree_leaves(values) if isinstance(t, torch.Tensor)}


def _says_classes(s: Converted) -> bool:
    return s.form in ("dynamo", "unoptimized")


def _is_folded(s: Converted, path: str) -> bool:
    """Weights of the module, or of one that it lies in, were made one with others."""
    parts = path.split(".")
    holders = (".".join(parts[:i]) for i in range(1, len(parts) + 1))
    return any(not s.holds(f"{h}.{n}") for h in holders for n, _ in s.original.get_submodule(h).named_parameters() if _is_own(n))


def _is_own(name: str) -> bool:
    return "." not in name or name.startswith("parametrizations.")


@column("modules", "borders", own=True, quick=True)
def modules(s: Converted):
    """Every module that the original calls is called, at its path and (where the file says it) of its class;
    and each that is a program of its own takes and returns no more tensors than the original's."""
    module = s.module()
    ours, theirs = _Calls(module, s.args()).seen, _Calls(s.original, s.model_args()).seen
    lost = [p for p in theirs if p not in ours and not _is_folded(s, p)]
    held = [p for p in theirs if p in ours and not _is_folded(s, p)]
    other = [f"{p} is a {ours[p][0]}" for p in held if ours[p][0] != theirs[p][0] and _says_classes(s)]
    s.shares["modules at their paths"] = len(held), len(held) + len(lost)
    if _says_classes(s):
        s.shares["modules of their classes"] = len(held) - len(other), len(held) + len(lost)
    if lost or other:
        what = f"{len(lost)} of {len(theirs)} not called, {len(other)} of another class"
        raise Wrong("other modules than the original's", f"{what}: {listed(lost + other)}")
    yield f"{len(theirs)} modules"
    blocks = [p for p in theirs if p in ours and isinstance(module.get_submodule(p), fx.GraphModule)]
    narrow = lambda p: all(map(int.__le__, ours[p][1:], theirs[p][1:]))  # noqa: E731
    s.shares["blocks' borders"] = sum(map(narrow, blocks)), len(blocks)
    wider = [f"{p} has {ours[p][1:]}, not {theirs[p][1:]}" for p in blocks if any(map(int.__gt__, ours[p][1:], theirs[p][1:]))]
    if wider:
        raise Wrong("more tensors cross a block's border", f"{len(wider)} of {len(blocks)}: {listed(wider)}")
    yield f"{len(blocks)} blocks"


@column("source", own=True, quick=True)
def source(s: Converted):
    """model.py computes what the module does, to the last bit, under the same names."""
    from onnx_to_fx import write_source

    module = s.module()
    with tempfile.TemporaryDirectory() as folder:
        write_source(module, folder)
        written = runpy.run_path(f"{folder}/model.py")["Model"].load()
        lines = len(pathlib.Path(folder, "model.py").read_text().splitlines())
    for size in s.sizes:
        with torch.no_grad():
            got, want = (tree_leaves(m(*s.args(size))) for m in (written, module))
        if not all(map(torch.equal, got, want)):
            raise Wrong("the source computes other numbers", f"at size {size}")
    if written.state_dict().keys() != module.state_dict().keys():
        raise Wrong("the source has other names", listed(written.state_dict().keys() ^ module.state_dict().keys()))
    return f"{lines} lines"
