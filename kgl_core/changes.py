"""Changes: the one event of the graph, appended by every change of an entity or relationship, and never altered."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Final, Protocol

import attrs

from kgl_core.entities import Entity
from kgl_core.permissions import Actor
from kgl_core.relationships import Relationship


class ChangeAction(StrEnum):
    """What was done to the record."""

    CREATED = "created"
    UPDATED = "updated"
    DELETED = "deleted"
    RESTORED = "restored"


@attrs.frozen
class Change:
    """Who did what, when, and the record as it was afterwards. ``cursor`` is its place, once a store has kept it."""

    at: datetime
    actor: Actor
    action: ChangeAction
    record: Entity | Relationship
    cursor: str | None = None


CHANGES: Final = "changes"
"""The fingerprint of the log's cursors: it is one listing, without filter or sort."""


class ChangeLog(Protocol):
    """Keeps changes in one order that all readers see."""

    def append(self, changes: Sequence[Change]) -> None:
        """Keep changes, in this order, with the unit of work's transaction."""

    def read(self, after: str | None, limit: int) -> Sequence[Change]:
        """Up to ``limit`` committed changes past the cursor ``after``, in order, each with its cursor.

        The order never disagrees with that in which one record's versions were made, nor puts a relationship before
        its ends. No change ever appears before one that was read already. Raises InvalidCursor. To be read with the
        store's `read`: a snapshot may be older than what it takes for complete.
        """

    def count(self) -> int:
        """How many changes there are."""
