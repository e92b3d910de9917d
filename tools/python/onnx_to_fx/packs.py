"""Packs in Python: functions that lower operators, beside those of plugin libraries."""

from __future__ import annotations

import contextlib
import dataclasses
import re
import threading
import warnings
from importlib import metadata
from typing import TYPE_CHECKING, Any, Callable, Iterable, Iterator, Sequence

from .loader.errors import ConversionWarning
from .options import several

if TYPE_CHECKING:
    from ._native import Node

Lowering = Callable[["Node"], object]
ENTRY_POINTS = "onnx_to_fx.packs"  # of distributions: modules that register operators when they are imported


@dataclasses.dataclass(frozen=True)
class Row:
    domain: str
    op_type: str
    since: int
    until: int  # inclusive; 0: open end
    function: Lowering
    pack: str
    torch_targets: tuple[str, ...]


_rows: list[Row] = []
_lock = threading.Lock()
_loading = threading.RLock()  # a pack may convert while it is imported
_loaded = False  # the packs of installed distributions

_ID = re.compile(r"[a-z0-9]+(\.[a-z0-9][a-z0-9-]*)+")  # as of a descriptor
_TARGET = re.compile(r"[A-Za-z_]\w*::[A-Za-z_]\w*(\.\w+)?", re.ASCII)
_LAST_OPSET = 2**31 - 1


def _require(holds: bool, what: str, expected: str, got: object) -> None:
    if not holds:
        raise ValueError(f"{what}: expected {expected}, got {got!r}")


def _row(
    op_type: str, domain: str, since: int, until: int, function: Lowering, pack: str, torch_targets: Iterable[str]
) -> Row:
    """What the conversions that follow will find right, or an error here, where it is wrong."""
    targets = tuple(several(torch_targets))
    _require(isinstance(op_type, str) and op_type != "", "op_type", "a name", op_type)
    _require(isinstance(domain, str), "domain", "a text", domain)
    _require(type(since) is int and 1 <= since <= _LAST_OPSET, "since", "an opset from 1", since)
    open_end = type(until) is int and until == 0
    _require(open_end or (type(until) is int and since <= until <= _LAST_OPSET), "until", f"0 or an opset from {since}", until)
    _require(callable(function), "register_op", "a function that takes a node", function)
    _require(isinstance(pack, str) and _ID.fullmatch(pack) is not None, "pack", "an id such as com.acme.pack", pack)
    for target in targets:
        is_target = isinstance(target, str) and _TARGET.fullmatch(target) is not None
        _require(is_target, "torch_targets", "torch operators such as 'acme::rope'", target)
    return Row("" if domain == "ai.onnx" else domain, op_type, since, until, function, pack, targets)


def _named(function: Lowering) -> str:
    """Where it is defined; "" of one that others may share a name with."""
    name = getattr(function, "__qualname__", "<")
    return "" if "<" in name else f"{function.__module__}.{name}"


def _add(row: Row) -> None:
    with _lock:
        for other in _rows:
            if (other.domain, other.op_type, other.since) != (row.domain, row.op_type, row.since):
                continue
            if other.function is row.function or (_named(row.function) and _named(row.function) == _named(other.function)):
                _rows.remove(other)  # its definition was run again, as in a notebook
                break
            name = f"{row.domain}::{row.op_type}" if row.domain else row.op_type
            raise ValueError(
                f"{name} since {row.since}: expected an operator that is not registered, got one of "
                f"{_named(other.function) or repr(other.function)}; unregister_op() that first"
            )
        _rows.append(row)


def register_op(
    op_type: str,
    domain: str = "",
    since: int = 1,
    until: int = 0,
    *,
    pack: str = "python.registered",
    torch_targets: Iterable[str] = (),
) -> Callable[[Lowering], Lowering]:
    """The function below lowers this operator in every conversion of the process from now on.

        @register_op("Rope", domain="com.acme", since=1)
        def rope(n: sdk.Node) -> None:
            n.output(n.call("aten::mul.Tensor", n.input(0), n.real("scale")))

    ``n`` has the methods of the C++ SDK's Node, name for name; arguments of ``call`` follow the
    target, keywords are keywords, and a size that is known is an int. Inputs and attributes that
    are present and not read are an error, as in every plugin. Raise sdk.Invalid (the model is
    wrong), sdk.Unsupported (the model is right, this function cannot say it) or sdk.Decline (another provider, or
    the operator's ONNX function body, should). It comes before the plugins of the installation.

    A definition that is run again, as a cell of a notebook is, takes the place of the former one.

    Args:
      since, until: opsets of the domain, inclusive; until=0 has no end.
      pack: the plugin that messages and reports name; the rows of one name are one plugin.
      torch_targets: operators beside ATen's that the function calls, "acme::rope".
    Raises:
      ValueError: an argument is wrong, or another function is registered for this opset of the operator.
    """

    def register(function: Lowering) -> Lowering:
        _add(_row(op_type, domain, since, until, function, pack, torch_targets))
        return function

    return register


def unregister_op(function: Lowering) -> None:
    """Forgets all that the function is registered for. Raises ValueError: it is not."""
    with _lock:
        left = [r for r in _rows if r.function is not function]
        if len(left) == len(_rows):
            raise ValueError(f"{function!r}: expected a registered function, got another")
        _rows[:] = left


@contextlib.contextmanager
def registered(function: Lowering, *where: Any, **how: Any) -> Iterator[None]:
    """Inside, the function lowers the operator: the arguments are those of register_op."""
    with _lock:
        before = list(_rows)
    register_op(*where, **how)(function)
    try:
        yield
    finally:
        with _lock:  # what else it is registered for stays
            _rows[:] = [r for r in _rows if r.function is not function or r in before]


def _load_entry_points() -> None:
    """One that cannot be imported is left out whole, with a warning: others have nothing to do with it."""
    global _loaded
    with _loading:
        if _loaded:
            return
        _loaded = True
        for point in metadata.entry_points(group=ENTRY_POINTS):
            before = list(_rows)
            try:
                point.load()
            except Exception as e:
                with _lock:
                    _rows[:] = before
                of = f" of {point.dist.name} {point.dist.version}" if point.dist else ""
                warnings.warn(
                    f"pack '{point.value}'{of}: left out, it cannot be imported: {type(e).__name__}: {e}",
                    ConversionWarning,
                    stacklevel=2,
                )


def described() -> list[tuple[str, str, Sequence[tuple[Any, ...]], list[str]]]:
    """What the native part makes plugins of; the packs of installed distributions are among it."""
    _load_entry_points()
    with _lock:
        rows = list(_rows)
    packs = dict.fromkeys(r.pack for r in rows)
    return [
        (
            pack,
            "1.0.0",
            [(r.domain, r.op_type, r.since, r.until, r.function) for r in rows if r.pack == pack],
            sorted({t for r in rows if r.pack == pack for t in r.torch_targets}),
        )
        for pack in packs
    ]
