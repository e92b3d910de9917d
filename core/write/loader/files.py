"""Files that hold weights: mapped privately, so that training never writes to them."""

from __future__ import annotations

import mmap
import os
import stat
from typing import Any, Callable

try:
    import resource
except ImportError:  # not on Windows
    resource = None  # type: ignore[assignment]

import torch

from .errors import PackageError


class File:
    """A file, mapped when first asked for: private and writable, so training never writes to it."""

    def __init__(
        self, file: Any, size: int | None = None, mtime_ns: int | None = None, name: str = ""
    ) -> None:
        self.name = name if isinstance(file, int) else os.fspath(file)
        try:
            self.handle = open(file, "rb", closefd=not isinstance(file, int), opener=open_regular)
        except OSError as e:
            raise PackageError(
                f"{self.name}: cannot open the file that holds the weights: {e.strerror}; "
                "put it back, or convert the model again with --weights copy"
            ) from e
        now = os.fstat(self.handle.fileno())
        self.size = now.st_size
        facts = ("size", size, now.st_size), ("time of last change", mtime_ns, now.st_mtime_ns)
        for what, expected, got in facts:
            if expected is not None and expected != got:
                raise PackageError(
                    f"{self.name}: {what}: expected {expected}, got {got}; "
                    "convert the model again, or with --weights copy"
                )
        self._opened = now
        self._map: mmap.mmap | None = None

    def check_unchanged(self) -> None:
        now = os.fstat(self.handle.fileno())
        if (now.st_size, now.st_mtime_ns) != (self._opened.st_size, self._opened.st_mtime_ns):
            raise PackageError(
                f"{self.name}: the file was written to while its weights were read; "
                "load them again when nobody writes to it"
            )

    def check(self, offset: int, length: int) -> None:
        if offset < 0 or length < 0 or offset + length > self.size:
            raise PackageError(
                f"{self.name}: expected {length} bytes at {offset}, the file has {self.size}"
            )

    def copy(self, offset: int, length: int, to: bytearray | None = None) -> torch.Tensor:
        """The range, in memory of its own, or at the beginning of `to`."""
        self.check(offset, length)
        buffer = bytearray(length) if to is None else to
        done, view = 0, memoryview(buffer)[:length]
        while done < length:  # one call moves 2 GiB at most
            n = os.preadv(self.handle.fileno(), [view[done:]], offset + done)
            if n == 0:
                raise PackageError(f"{self.name}: the file became shorter")
            done += n
        return torch.frombuffer(buffer, dtype=torch.uint8, count=length)

    def view(self, offset: int, length: int) -> torch.Tensor:
        self.check(offset, length)
        if self._map is None:
            self._map = _map_private(self.handle.fileno())
        return torch.frombuffer(self._map, dtype=torch.uint8, count=length, offset=offset)


class Memory:
    """A model that was given in memory."""

    def __init__(self, view: Callable[[int, int], torch.Tensor]) -> None:
        self.view = view

    def check(self, offset: int, length: int) -> None:
        """`view` does."""

    def check_unchanged(self) -> None:
        pass

    def copy(self, offset: int, length: int, to: bytearray | None = None) -> torch.Tensor:
        return self.view(offset, length).clone()


def allow_files(count: int) -> None:
    """A mapped file stays open, and a model may have one for each of its weights."""
    if resource is None:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count + len(os.listdir("/dev/fd")) + 64
    if resource.RLIM_INFINITY != soft < wanted:
        limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, limit), hard))


def open_regular(path: str, flags: int) -> int:
    """Opens a file for reading, and not a pipe, which would wait for its writer."""
    descriptor = os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise PackageError(f"{path}: expected a regular file, got a folder, device or pipe")
    return descriptor


def _map_private(descriptor: int) -> mmap.mmap:
    if not hasattr(mmap, "MAP_PRIVATE"):
        return mmap.mmap(descriptor, 0, access=mmap.ACCESS_COPY)
    no_reserve = (
        0x4000 if os.uname().sysname == "Linux" else 0
    )  # else files beyond RAM cannot be mapped
    return mmap.mmap(
        descriptor, 0, flags=mmap.MAP_PRIVATE | no_reserve, prot=mmap.PROT_READ | mmap.PROT_WRITE
    )


def move(source: int, offset: int, target: int, at: int, length: int) -> None:
    """Moves a range between files, inside the kernel where it can."""
    in_kernel = hasattr(os, "copy_file_range")
    while length:
        done = 0
        if in_kernel:
            try:
                done = os.copy_file_range(source, target, length, offset, at)
            except OSError:  # two file systems that cannot
                in_kernel = False
        if not in_kernel:
            done = os.pwrite(target, os.pread(source, min(length, 1 << 22), offset), at)
        if done == 0:
            raise PackageError(f"weights: expected {length} more bytes, the file ended")
        offset, at, length = offset + done, at + done, length - done
