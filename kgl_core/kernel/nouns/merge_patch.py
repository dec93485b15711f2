"""JSON Merge Patch (RFC 7396, section 2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def merge_patch(target: Any, patch: Any) -> Any:
    """Apply a JSON Merge Patch: objects are merged name by name, null removes, anything else replaces.

    Neither argument is changed. Raises RecursionError for a patch that nests deeper than Python can recurse; parsing
    refuses that before.
    """
    if not isinstance(patch, Mapping):
        return patch
    merged = dict(target) if isinstance(target, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), value)
    return merged
