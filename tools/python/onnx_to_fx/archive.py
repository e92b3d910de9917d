"""A converted module as a .pt2 archive: what torch.export.save writes and torch.export.load reads."""

from __future__ import annotations

import json
import os
import sys
import zipfile
from typing import Any

import torch
from torch import fx, nn
from torch.export import ExportedProgram

from . import load
from .lifted import lift
from .loader.errors import PackageError
from .loader.weightless import is_absent
from .values import Bounds

REPORT = "onnx2fx_report.json"


def write_pt2(
    module: fx.GraphModule, path: str | os.PathLike[str], *, min: Bounds = None, max: Bounds = None
) -> None:
    """Saves the ExportedProgram that `lift` gives, without tracing or running the module.

    The archive holds the weights themselves, wherever those of the module lie, the symbolic sizes with their bounds,
    and as the extra file onnx2fx_report.json how the conversion went. It is written beside `path` and renamed at the
    end.

    Of a module made with weights="fake" it has names, shapes and dtypes of the weights only: they are loaded on the
    meta device, and ``load_state_dict(..., assign=True)`` of the program's module brings the rest.

    Args:
      module: of the dialect "aten".
      path: NAME.pt2.
      min, max: bounds of symbolic dimensions, as dynamic_shapes takes them.
    Raises:
      ValueError: `path` has another suffix; the module is on the meta device; see also lift.
    """
    path = os.fspath(path)
    if not path.endswith(".pt2"):
        raise ValueError(f"path: expected a name that ends in .pt2, got {path!r}")
    if any(t.device.type == "meta" for t in (*module.parameters(), *module.buffers())):
        raise ValueError(
            'module: expected one that has its weights or was made with weights="fake", got one on the meta device, '
            "which its program could not leave"
        )
    program = lift(module, min=min, max=max)
    _take_weights_out(program)
    report = module.meta["onnx2fx"].get("report", b"{}")
    folder, name = os.path.split(path)
    new = os.path.join(folder, f".{name}.new-{os.getpid()}")
    try:
        with open(new, "w+b") as file:
            torch.export.save(program, file, extra_files={REPORT: report.decode()})
        os.replace(new, path)
    finally:
        if os.path.exists(new):
            os.remove(new)


def _take_weights_out(program: ExportedProgram) -> None:
    """torch would save the elements of FakeTensors as zeros."""
    made: dict[int, torch.Tensor] = {}
    state = program.state_dict
    for name, tensor in state.items():
        if is_absent(tensor):
            state[name] = made.setdefault(id(tensor), _on_meta(tensor))
    inputs, keywords = program.example_inputs
    program.example_inputs = tuple(torch.zeros(t.shape, dtype=t.dtype) for t in inputs), keywords


def _on_meta(tensor: torch.Tensor) -> torch.Tensor:
    value = torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device="meta")
    if isinstance(tensor, nn.Parameter):
        return nn.Parameter(value, requires_grad=tensor.requires_grad)
    return value


# ---- onnx2fx --format pt2


def main(package: str, path: str, shown: str, force: str) -> int:
    """Writes the archive of an FX package; `shown` is its path in messages."""
    try:
        module = load(package, weights="fake" if _is_weightless(package) else None)
        if not force:
            _check_same_model(module.meta["onnx2fx"]["report"], path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        write_pt2(module, path)
    except (OSError, ValueError, PackageError) as e:
        print(f"error: {shown}: {e}", file=sys.stderr)
        return 1
    return 0


def _is_weightless(package: str) -> bool:
    with open(os.path.join(package, "graph.json"), "rb") as f:
        document = json.load(f)
    return document["weights"] == "meta" and all(t["data"] is None for t in document["tensors"] if t["role"] == "parameter")


def _check_same_model(report: bytes, path: str) -> None:
    """An archive of another model, or what is none of ours, stays."""
    if not os.path.exists(path):
        return
    ours, theirs = json.loads(report)["model"], _model_of(path)
    if ours == theirs:
        return
    got = "another file" if theirs is None else f"one of {theirs['file']!r}"
    if theirs is not None and theirs["file"] == ours["file"]:
        got = f"one of another {theirs['file']!r}, with other inputs or outputs"
    raise ValueError(
        f"expected an archive of {ours['file']!r}, got {got}\n  note: choose another name, or replace it with --force"
    )


def _model_of(path: str) -> Any:
    """What the report in an archive says; None: there is none."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = [n for n in archive.namelist() if n.endswith(f"/extra/{REPORT}")]
            return json.loads(archive.read(names[0]))["model"] if names else None
    except zipfile.BadZipFile:
        return None
