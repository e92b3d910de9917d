"""Options as a caller writes them, and where the installation's own plugins are."""

from __future__ import annotations

import os
import sys
from typing import Any, Iterable

Paths = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]


def several(value: Any) -> list[Any]:
    """One path or glob is a list of one: a text is not taken for its letters."""
    return [value] if isinstance(value, (str, bytes, os.PathLike)) else list(value)


def chosen_plugins(
    plugins: Paths, plugin_dirs: Paths, manifest: str | os.PathLike[str] | None, op_set: str | None
) -> dict[str, Any]:
    """The options that say which plugins there are, as the extension takes them."""
    return dict(
        plugins=[os.fspath(d) for d in several(plugins)],
        plugin_dirs=[os.fspath(d) for d in several(plugin_dirs)],
        manifest=os.fspath(manifest) if manifest is not None else "",
        op_set=op_set or "",
    )


def builtin_plugins() -> str:
    """<prefix>/lib/onnx2fx/plugins.d of the prefix that this package is installed in."""
    package = os.path.dirname(os.path.abspath(__file__))
    prefixes = (os.path.normpath(os.path.join(package, *[os.pardir] * 4)), sys.prefix)
    folders = [os.path.join(p, "lib", "onnx2fx", "plugins.d") for p in prefixes]
    return next((f for f in folders if os.path.isdir(f)), folders[0])
