"""Names of values as a person would choose them, of those that the graph has."""

from __future__ import annotations

import re


class Names:
    """Of a block at `path`, whose own place its names need not say."""

    def __init__(self, path: str) -> None:
        parts = path.split(".") if path else []
        self.places = ["_".join(parts[:i]) + "_" for i in range(len(parts), 0, -1)]

    def of(self, name: str) -> str:
        base = re.sub(r"(_\d+)+$", "", name).strip("_")
        place = next((p for p in self.places if base.startswith(p) and len(base) > len(p)), "")
        base = re.sub(r"^(node|val)(_|$)", "", base[len(place) :])  # an exporter's, for want of a name
        base = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", base).lower().strip("_") or "value"
        return base if base.isidentifier() else f"value_{base}"
