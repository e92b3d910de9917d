"""Runs the columns of one subject, each in a process of its own: a crash or a hang is that cell's only."""

from __future__ import annotations

import gc
import multiprocessing
import os
import re
import resource
import signal
import time
import traceback
import types
import warnings
from typing import Any, Callable, Iterator

from .columns import Group, Skip
from .compare import Wrong

MEMORY = 6 << 30
PATIENCE = 5  # how much longer than its time of the processor a cell may take
FORK = multiprocessing.get_context("fork")

Cell = dict[str, Any]  # status: ok, fail, crash, time, skip; what, kind, seconds, where, shares


def run(group: Group, subject: Any, seconds: float | None = None) -> dict[str, Cell]:
    """Column -> cell of the group's columns."""
    ours, theirs = FORK.Pipe(duplex=False)
    process = FORK.Process(target=_work, args=(theirs, group, subject, seconds or group.seconds))
    start = time.monotonic()
    process.start()
    theirs.close()
    limit = (seconds or group.seconds) * PATIENCE
    cells: dict[str, Cell] = {}
    for name in group.columns:
        left = start + limit - time.monotonic()
        try:
            if not ours.poll(max(left, 0)):
                cells[name] = {"status": "time", "kind": "time limit", "what": f"over {limit:.0f} s"}
                break
            cells[name] = ours.recv()
        except EOFError:
            process.join()
            cells[name] = _ended(process.exitcode)
            break
        if cells[name]["status"] != "ok":
            break
    process.kill()
    process.join()
    ours.close()
    failed = next((n for n in group.columns if n in cells and cells[n]["status"] != "ok"), None)
    for name in group.columns:
        if name not in cells:
            cells[name] = {"status": "fail", "kind": f"needs {failed}", "what": f"needs {failed}"}
    return cells


def _ended(code: int) -> Cell:
    if code == -signal.SIGXCPU:
        return {"status": "time", "kind": "time limit", "what": "the processor's time is used up"}
    return {"status": "crash", "kind": "crash", "what": f"the process ended with {code}"}


def _work(pipe: Any, group: Group, subject: Any, seconds: float) -> None:
    warnings.simplefilter("ignore")
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1), os.dup2(null, 2)
    used = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
    resource.setrlimit(resource.RLIMIT_CPU, (int(used + seconds), resource.RLIM_INFINITY))
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    gc.freeze()
    start = time.monotonic()
    for cell in _stages(group.function, subject):
        pipe.send({**cell, "seconds": round(time.monotonic() - start, 1), "shares": dict(subject.shares)})
        start = time.monotonic()
    pipe.close()
    os._exit(0)


def _stages(function: Callable, subject: Any) -> Iterator[Cell]:
    try:
        result = function(subject)
        if not isinstance(result, types.GeneratorType):
            yield _passed(result)
            return
        for note in result:
            yield _passed(note)
    except Skip as e:
        yield {"status": "skip", "kind": str(e), "what": str(e)}
    except (Exception, SystemExit) as e:  # whatever a column raises is its result
        yield {"status": "fail", "kind": kind_of(e), "what": _text(e), "where": _where(e)}


def _passed(note: str | None) -> Cell:
    return {"status": "ok", "kind": "", "what": note or ""}


def _text(error: BaseException) -> str:
    cause = _cause(error)
    text = f"{error}" if isinstance(error, Wrong) else f"{type(cause).__name__}: {cause}"
    return text.strip()[:1500]


def kind_of(error: BaseException) -> str:
    """The message's first line without what differs from model to model."""
    if isinstance(error, Wrong):
        return error.kind
    error = _cause(error)
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    cause = next((line for line in lines if re.match(r"(\w+Error|Exception): ", line)), "")
    text = cause or f"{type(error).__name__}: {lines[0] if lines else ''}"
    text = re.sub(r"'(?!(aten|prims|List|Tensor|[Ss]ym|int|list|tuple|NoneType)\b)[^']*'|\"[^\"]*\"|`[^`]*`", "'…'", text)
    text = re.sub(r"<[^<>]* object at 0x[0-9a-f]+>|\b0x[0-9a-f]+\b", "…", text)
    text = re.sub(r"(\[|\()[-\d, s]+(\]|\))", r"\1…\2", text)
    return re.sub(r"\d+(\.\d+)?", "N", text)[:160]


def _cause(error: BaseException) -> BaseException:
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def _where(error: BaseException) -> list[str]:
    """The innermost frames, of the first cause too."""
    error = _cause(error)
    frames = traceback.extract_tb(error.__traceback__)[-7:]
    short = [f"{'/'.join(f.filename.split('/')[-3:])}:{f.lineno} {f.name}: {f.line}" for f in frames]
    return [s[:200] for s in short]
