"""What an older torch lacks, and how a refusal says so.

What is missing is found by looking for it. A version number decides only where a torch has the thing and computes wrong.
"""

from __future__ import annotations

import inspect
from typing import Any, Mapping

import torch

from .errors import PackageError

TESTED = "2.13"  # what the vocabulary and the schemas are of
_SINCE: Mapping[str, str] = {"float8_e8m0fnu": "2.7"}
"""The first torch that has a name of the vocabulary, where that is not the oldest that may be installed."""


def version(text: str) -> tuple[int, ...]:
    """(2, 13) of "2.13.0+cpu"."""
    return tuple(int(part) for part in text.split(".")[:2])


def is_older_than(since: str) -> bool:
    return version(torch.__version__) < version(since)


def lacks(what: str, since: str) -> PackageError:
    """ "dtype 'float8_e8m0fnu': needs torch >= 2.7, this is 2.6.0"."""
    return PackageError(f"{what}: needs torch >= {since}, this is {torch.__version__}")


def _has_scan() -> bool:
    """With the arguments of today: that of 2.6 takes an axis and a direction, too."""
    try:
        from torch._higher_order_ops.scan import ScanOp
    except ImportError:
        return False
    return "dim" not in inspect.signature(ScanOp.__call__).parameters


_HAS_SCAN = _has_scan()


def require_scan(where: str) -> None:
    if not _HAS_SCAN:
        raise lacks(where, "2.7")


def part(owner: Any, name: str, what: str) -> Any:
    """An attribute of torch that the vocabulary has; `what` names it in the refusal."""
    try:
        return getattr(owner, name)
    except AttributeError:
        raise lacks(what, _SINCE.get(name, TESTED)) from None


WRONG_GRADIENTS = is_older_than("2.13")
"""Of torch's scan, which are wrong without a word, and of its while_loop, which has none. The Python form has none of this."""


def is_recorded(*values: Any) -> bool:
    """Whether autograd follows any of these."""
    return torch.is_grad_enabled() and any(isinstance(v, torch.Tensor) and v.requires_grad for v in values)


def gradients(form: str, remedy: str) -> RuntimeError:
    """Why a torch of WRONG_GRADIENTS gets no scan or while_loop to record."""
    return RuntimeError(f"{form}: right gradients of it need torch >= 2.13, this is {torch.__version__}; {remedy}")
