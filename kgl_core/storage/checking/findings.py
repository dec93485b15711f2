"""Findings: what a check has found, and the report of all that it found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import attrs

from kgl_core.storage.checking.kinds import Kind

EXAMPLES_MAX: Final = 5


@attrs.frozen
class Finding:
    """One thing that was found: the code of its kind, where it is (for people), and its key (for mending it)."""

    code: str
    at: str
    key: Any = None


@attrs.frozen
class Problem:
    """All findings of one kind: how many, and the first EXAMPLES_MAX."""

    kind: Kind
    count: int
    examples: tuple[str, ...]


@attrs.frozen
class CheckReport:
    """What a check found: how many rows of each table it looked at, the faults, and the notes.

    ``mended`` is how many faults of each kind a repair has mended; faults and notes are what is left after that.
    """

    looked_at: Mapping[str, int]
    faults: tuple[Problem, ...]
    notes: tuple[Problem, ...]
    mended: Mapping[str, int]

    @property
    def is_clean(self) -> bool:
        """Whether there is no fault; there may be notes."""
        return not self.faults
