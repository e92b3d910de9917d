"""Packs in Python: functions that lower operators, beside those of plugin libraries."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import threading
from importlib import metadata
from typing import TYPE_CHECKING, Any, Callable, Iterable, Iterator, Sequence

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

    Args:
      since, until: opsets of the domain, inclusive; until=0 has no end.
      pack: the plugin that messages and reports name; the rows of one name are one plugin.
      torch_targets: operators beside ATen's that the function calls, "acme::rope".
    Raises:
      ValueError: the operator is registered for this opset already.
    """

    def register(function: Lowering) -> Lowering:
        row = Row(domain, op_type, since, until, function, pack, tuple(torch_targets))
        with _lock:
            for other in _rows:
                if (other.domain, other.op_type, other.since) == (domain, op_type, since):
                    name = f"{domain}::{op_type}" if domain else op_type
                    raise ValueError(f"{name} since {since}: expected an operator that is not registered, got one that is")
            _rows.append(row)
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
    register_op(*where, **how)(function)
    try:
        yield
    finally:
        unregister_op(function)


@functools.cache
def _load_entry_points() -> None:
    for point in metadata.entry_points(group=ENTRY_POINTS):
        point.load()


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
