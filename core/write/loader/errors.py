"""What a conversion, a package or a graph that is run can be refused with."""

from __future__ import annotations

from typing import Any, Iterable, NamedTuple


class Diagnostic(NamedTuple):
    """One fault; ``notes`` are remedies."""

    severity: str
    where: str
    what: str
    notes: tuple[str, ...]


class UnsupportedOperator(NamedTuple):
    """An operator that nothing lowers, and all nodes of the model that use it."""

    domain: str
    op_type: str
    opset: int
    nodes: tuple[str, ...]
    reasons: tuple[str, ...]


class ConversionError(ValueError):
    """A model that cannot be converted; ``diagnostics`` has every fault."""

    def __init__(self, message: str, diagnostics: Iterable[Any] = ()) -> None:
        super().__init__(message)
        self.diagnostics = tuple(Diagnostic(s, w, t, tuple(n)) for s, w, t, n in diagnostics)


class UnsupportedOperatorError(ConversionError):
    """Operators that no plugin lowers; ``operators`` has every one of the model."""

    def __init__(
        self, message: str, operators: Iterable[Any] = (), diagnostics: Iterable[Any] = ()
    ) -> None:
        super().__init__(message, diagnostics)
        self.operators = tuple(
            UnsupportedOperator(d, t, v, tuple(n), tuple(r)) for d, t, v, n, r in operators
        )


class PluginError(ConversionError):
    """A plugin, its descriptor or the manifest is at fault."""


class ConversionWarning(UserWarning):
    """Of a conversion that went well: what a plugin says, a rule that selects nothing..."""


class PackageError(ValueError):
    """A document or package that breaks FORMAT.md, or whose weights are not what it says."""
