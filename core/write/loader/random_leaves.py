"""Draws of an operator that has a ``seed``: independent of torch's global generator, the same in
C++ and, normal ones up to the rounding of its ``erfinv``, on every device.

Number i of draw d is SplitMix64 of (seed, d) at place i, all in int64, which wraps in torch as in
C. ``draws`` is a buffer of the node, an int64 scalar that counts them: the numbers start afresh
when the module is loaded, go on after ``load_state_dict``, and differ from call to call.
"""

from __future__ import annotations

import math
from typing import Sequence

import torch

_GOLDEN = 0x9E3779B97F4A7C15 - 2**64
_BITS = {torch.float64: 53, torch.float32: 24, torch.float16: 11, torch.bfloat16: 8}


def _shifted(z: torch.Tensor, by: int) -> torch.Tensor:
    """To the right, zeros coming in."""
    return (z >> by) & ((1 << (64 - by)) - 1)


def _mixed(z: torch.Tensor) -> torch.Tensor:
    z = (z ^ _shifted(z, 30)) * (0xBF58476D1CE4E5B9 - 2**64)
    z = (z ^ _shifted(z, 27)) * (0x94D049BB133111EB - 2**64)
    return z ^ _shifted(z, 31)


def _drawn(size: Sequence[int], bits: int, seed: int, draws: torch.Tensor) -> torch.Tensor:
    """Integers in [0, 2**bits), each as likely as the others."""
    key = _mixed(_mixed(torch.full_like(draws, seed)) + draws * _GOLDEN)
    draws.add_(1)
    places = torch.arange(1, math.prod(size) + 1, device=draws.device).reshape(tuple(size))
    return _shifted(_mixed(key + places * _GOLDEN), 64 - bits)


def seeded_rand(
    size: Sequence[int], dtype: torch.dtype, seed: int, draws: torch.Tensor
) -> torch.Tensor:
    """Uniform in [0, 1)."""
    bits = _BITS[dtype]
    return _drawn(size, bits, seed, draws).to(dtype) * 2.0**-bits


def seeded_randn(
    size: Sequence[int], dtype: torch.dtype, seed: int, draws: torch.Tensor
) -> torch.Tensor:
    """Normal, by the inverse of the distribution."""
    odd = _drawn(size, 52, seed, draws).to(torch.float64) * 2 + (1 - 2.0**52)
    return (torch.erfinv(odd * 2.0**-52) * math.sqrt(2)).to(dtype)


def seeded_dropout(
    input: torch.Tensor, p: float, train: bool, seed: int, draws: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """The result and the mask of what stays; draws nothing unless ``train``."""
    if not 0 <= p <= 1:
        raise ValueError(f"Dropout: ratio: expected a value in [0, 1], got {p}")
    if not train:
        return input, torch.ones_like(input, dtype=torch.bool)
    mask = _drawn(input.shape, 24, seed, draws) >= p * 2.0**24
    return input * mask * (0 if p == 1 else 1 / (1 - p)), mask
