"""What an installation has: plugins, the operators that they lower, the op sets of a manifest."""

from __future__ import annotations

import json
import os
import warnings
from typing import Any, Iterable

from . import packs as _packs
from .loader.errors import ConversionWarning
from .options import Paths, builtin_plugins, chosen_plugins, several

Row = dict[str, Any]


def _listing(what: str, options: dict[str, Any], safe_mode: bool = False) -> list[Row]:
    from . import _native

    options = {**options, "safe_mode": safe_mode, "builtin_directory": builtin_plugins()}
    if not safe_mode:
        options["packs"] = _packs.described()
    found = json.loads(_native.listing(what, **options))
    for text in found["said"]:
        warnings.warn(text, ConversionWarning, stacklevel=3)
    return found[what]


def list_plugins(
    *,
    plugins: Paths = (),
    plugin_dirs: Paths = (),
    manifest: str | os.PathLike[str] | None = None,
    op_set: str | None = None,
    safe_mode: bool = False,
) -> list[Row]:
    """Every plugin that a conversion with these options would find, loading none: "id", "version",
    "ops" (their number), "weights" (schemes), "status" ("ok", or why it cannot serve), "library",
    "descriptor". One that is refused is listed, and warned of."""
    return _listing("plugins", chosen_plugins(plugins, plugin_dirs, manifest, op_set), safe_mode)


def list_operators(
    *,
    plugins: Paths = (),
    plugin_dirs: Paths = (),
    manifest: str | os.PathLike[str] | None = None,
    op_set: str | None = None,
    allow_override: str | Iterable[str] = (),
    safe_mode: bool = False,
) -> list[Row]:
    """Who lowers what: "domain", "op", "since" and "until" (opsets, None without end), "provider". With a manifest or
    an op set who comes first by it; "provider" is None where it leaves a conflict. Raises PluginError."""
    options = chosen_plugins(plugins, plugin_dirs, manifest, op_set)
    return _listing("operators", {**options, "allow_override": several(allow_override)}, safe_mode)


def list_op_sets(manifest: str | os.PathLike[str], op_set: str | None = None) -> list[Row]:
    """The op sets of a manifest: "name", "in_force". Raises PluginError, also where none is chosen."""
    return _listing("op_sets", chosen_plugins((), (), manifest, op_set))
