"""The forms in which PyTorch exports a model, written once to build/zoo/exports."""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import os
import pathlib
import sys
import warnings
from typing import Callable

import torch

from . import inputs as _inputs
from .models import Model, make_distinct

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = ROOT / "build/zoo/exports"
OPSET = 18


class NoExport(Exception):
    """PyTorch's exporter refused the model in this form."""


def _dynamo(model: Model, path: str, optimize: bool) -> None:
    torch.onnx.export(
        model.build(), _inputs.values(model.parsed(), _inputs.TRACED), path, dynamo=True,
        input_names=[i.name for i in model.parsed()], optimize=optimize, external_data=False,
        dynamic_shapes=tuple(i.dynamic() for i in model.parsed()), opset_version=OPSET, verbose=False,
        custom_translation_table=translations(),
    )  # fmt: skip


def _legacy(model: Model, path: str, preserve: bool) -> None:
    mode = torch.onnx.TrainingMode.PRESERVE if preserve else torch.onnx.TrainingMode.EVAL
    translations()
    try:
        _legacy_in(model, path, mode, preserve)
    except torch.onnx.errors.OnnxExporterError:  # some kinds of dropout have no ONNX
        if not preserve:
            raise
        _legacy_in(model, path, mode, False)


def _legacy_in(model: Model, path: str, mode, training: bool) -> None:
    network = model.build().train(training)
    if any(getattr(m, "scripted", False) for m in network.modules()):
        network = torch.jit.script(network)
    preserve = mode == torch.onnx.TrainingMode.PRESERVE
    torch.onnx.export(
        network, _inputs.values(model.parsed(), _inputs.TRACED), path, dynamo=False,
        input_names=[i.name for i in model.parsed()], training=mode, do_constant_folding=not preserve,
        dynamic_axes={i.name: i.dynamic() for i in model.parsed()}, opset_version=OPSET - 1,
    )  # fmt: skip


FORMS: dict[str, Callable[[Model, str], None]] = {
    "dynamo": lambda m, p: _dynamo(m, p, True),
    "unoptimized": lambda m, p: _dynamo(m, p, False),
    "legacy": lambda m, p: _legacy(m, p, False),
    "preserve": lambda m, p: _legacy(m, p, True),
}
ORIGINAL = "original"


def translations() -> dict:
    """Of the operators that the zoo defines."""
    detection = sys.modules.get("zoo.networks.detection")
    return detection.register() if detection else {}


def exported(model: Model, form: str) -> pathlib.Path:
    """The model's file in this form; raises NoExport with what the exporter said."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    stem = f"{model.name}.{form}.{_stamp(model)}"
    path, refused, part = (FOLDER / f"{stem}.{end}" for end in ("onnx", "refused", "part"))
    if refused.exists():
        raise NoExport(refused.read_text())
    if not path.exists():
        for old in FOLDER.glob(f"{model.name}.{form}.*"):
            old.unlink()
        try:
            with warnings.catch_warnings(), silence():
                warnings.simplefilter("ignore")
                FORMS[form](model, str(part))
        except Exception as e:  # whatever the exporter raises is the result
            while e.__cause__ is not None:
                e = e.__cause__
            refused.write_text(f"{type(e).__name__}: {e}"[:2000])
            raise NoExport(refused.read_text()) from e
        part.rename(path)
    return path


@contextlib.contextmanager
def silence():
    """The exporters print graphs, from C++ too."""
    kept = os.dup(1), os.dup(2)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1), os.dup2(null, 2)
    try:
        yield
    finally:
        os.dup2(kept[0], 1), os.dup2(kept[1], 2)
        for f in (*kept, null):
            os.close(f)


def _stamp(model: Model) -> str:
    """Of the model's row, its weights, the text of its network, and how it is exported."""
    network = pathlib.Path(__file__).parent / f"networks/{model.network.split('.')[0]}.py"
    texts = [repr(model), torch.__version__, str(_inputs.SIZES), network.read_text()]
    texts += map(inspect.getsource, (make_distinct, _dynamo, _legacy, _legacy_in))
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:12]
