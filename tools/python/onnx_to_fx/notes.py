"""What a module says of the conversion that it comes from."""

from __future__ import annotations

from typing import Any

from torch import nn


def notes_of(module: nn.Module) -> dict[str, Any]:
    """``meta["onnx2fx"]``; empty for a module that is not ours."""
    meta: dict[str, Any] = getattr(module, "meta", {})
    return meta.get("onnx2fx", {})
