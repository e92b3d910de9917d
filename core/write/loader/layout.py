"""Weights that the file holds transposed, laid out as torch.nn holds them.

ONNX's MatMul takes [in, out], nn.Linear [out, in]. FSDP2, safetensors, ``parameters_to_vector`` and
``prune`` take contiguous parameters only.
"""

from __future__ import annotations

import concurrent.futures
import os
import threading
from typing import Callable, Iterator

import torch

_ROWS, _COLUMNS = 64, 384  # of a block: small enough for a core's cache, and for one thread of torch


class Layouts:
    """Lays matrices out on all cores, beside whatever else goes on, and is done when closed."""

    def __init__(self) -> None:
        self._pool: concurrent.futures.Executor | None = None
        self._running: list[concurrent.futures.Future[None]] = []
        self._thread = threading.local()

    def buffer(self, size: int) -> bytearray:
        """At least `size` bytes, for one block at a time of the thread that asks."""
        if len(getattr(self._thread, "buffer", b"")) < size:
            self._thread.buffer = bytearray(size)
        return self._thread.buffer

    def transposed(
        self, shape: tuple[int, int], dtype: torch.dtype, rows: Callable[[int, int], torch.Tensor]
    ) -> torch.Tensor:
        """The transposed matrix, contiguous; its values are there after `close`.

        `rows` gives rows [begin, end) of the stored matrix of this shape.
        """
        target = torch.empty(shape[::-1], dtype=dtype)
        if self._pool is None:
            self._pool = concurrent.futures.ThreadPoolExecutor(os.cpu_count(), "onnx2fx layout")
        for begin in range(0, shape[0], _ROWS):
            end = min(begin + _ROWS, shape[0])
            self._running.append(self._pool.submit(_lay_out, target, rows, begin, end))
        return target

    def close(self, failed: bool) -> None:
        if self._pool is None:
            return
        self._pool.shutdown(wait=True, cancel_futures=failed)
        for job in self._running:
            if not job.cancelled():
                job.result()


def contiguous_transpose(matrix: torch.Tensor) -> torch.Tensor:
    """``matrix.t().contiguous()``, in blocks."""
    target = torch.empty(matrix.shape[::-1], dtype=matrix.dtype, device=matrix.device)
    for begin in range(0, matrix.shape[0], _ROWS):
        _lay_out(target, lambda b, e: matrix[b:e], begin, min(begin + _ROWS, matrix.shape[0]))
    return target


def _lay_out(
    target: torch.Tensor, rows: Callable[[int, int], torch.Tensor], begin: int, end: int
) -> None:
    block = rows(begin, end).t()
    for part in _parts(block.shape[0]):
        target[part, begin:end].copy_(block[part])


def _parts(size: int) -> Iterator[slice]:
    for begin in range(0, size, _COLUMNS):
        yield slice(begin, min(begin + _COLUMNS, size))
