"""Modules that are not of torch.nn. Those of a class that other packages look for are of that class, too."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


def _of_transformers() -> Any:
    """Of which PEFT's targets are."""
    try:
        from transformers.pytorch_utils import Conv1D
    except Exception:  # not installed, or not for this torch: nobody can ask for it then
        return nn.Module
    return Conv1D


_Theirs: Any = _of_transformers()


class Conv1D(_Theirs):
    """weight[nx, nf] and bias[nf] of a product: y = x @ weight + bias."""

    def __init__(self, nf: int, nx: int, device: str | None = None) -> None:
        nn.Module.__init__(self)
        self.nf, self.nx = nf, nx
        self.weight = nn.Parameter(torch.empty(nx, nf, device=device))
        self.bias = nn.Parameter(torch.empty(nf, device=device))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        rows = torch.addmm(self.bias, x.reshape(-1, self.nx), self.weight)
        return rows.unflatten(0, x.shape[:-1])

    def __repr__(self) -> str:
        return f"Conv1D(nf={self.nf}, nx={self.nx})"
