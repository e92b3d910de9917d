"""Builds torch.fx.GraphModules from graph documents and their weights.

Needs torch only: a copy lies in every FX package, as ``_loader``.
"""

from .document import build, check
from .errors import PackageError
from .package import load, read_document
from .torch_libraries import load_torch_libraries
from .weights import Weights

__all__ = ["PackageError", "Weights", "build", "check", "load", "load_torch_libraries", "read_document"]
