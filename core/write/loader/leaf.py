"""Leaves: functions that graphs call, and that symbolic tracing (fx.symbolic_trace, torch.load) does not look into."""

from __future__ import annotations

import functools
from typing import Any, Callable, Iterable, TypeVar

from torch import fx

F = TypeVar("F", bound=Callable[..., Any])


def leaf(function: F) -> F:
    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        proxy = _first_proxy((*args, *kwargs.values()))
        if proxy is not None:
            return proxy.tracer.create_proxy("call_function", call, args, kwargs)
        return function(*args, **kwargs)

    return call  # type: ignore[return-value]


def _first_proxy(values: Iterable[Any]) -> fx.Proxy | None:
    for v in values:
        if isinstance(v, fx.Proxy):
            return v
        if isinstance(v, (list, tuple)) and (proxy := _first_proxy(v)) is not None:
            return proxy
    return None
