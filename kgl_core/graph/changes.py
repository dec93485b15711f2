"""Changes: the one event of the graph, appended by every change of an entity or relationship, and never altered."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from hashlib import blake2b
from typing import Final, Protocol

import attrs

from kgl_core.graph.entities import Entity
from kgl_core.graph.relationships import Relationship
from kgl_core.kernel.errors import HistoryLost, InvalidCursor
from kgl_core.kernel.pages import decode_cursor, encode_cursor
from kgl_core.kernel.permissions import Actor


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


_LOG: Final = "changes"  # the log is one listing, without filter or sort
_DIGEST_BYTES: Final = 9
_WAY_OUT: Final = "make a fresh export, and read on after the cursor that comes with it"


@attrs.frozen
class Place:
    """A place in the log: after the change with this ``sequence`` number, or before the first one where it is 0.

    ``digest`` is that of the change that stands there. A place proves itself by it: a log in which another change has
    the number, or none, is not the one that the place was read from.
    """

    sequence: int
    digest: str = ""

    @staticmethod
    def of(sequence: int, *identity: object) -> Place:
        """The place after a change. ``identity`` is all that makes it that change, as one store always says it."""
        text = "\n".join(map(str, identity))
        return Place(sequence, blake2b(text.encode(), digest_size=_DIGEST_BYTES).hexdigest())

    @staticmethod
    def parse(cursor: str | None) -> Place:
        """The place that a cursor names; None is the beginning.

        Raises InvalidCursor for what is none, and HistoryLost for one of kgl 0.1, which proves nothing.
        """
        if cursor is None:
            return BEGINNING
        try:
            place = Place(*decode_cursor(_LOG, cursor, int, str))
        except InvalidCursor:
            decode_cursor(_LOG, cursor, int)
            raise HistoryLost(_WAY_OUT) from None
        if (place.sequence == 0) is not (place.digest == ""):
            raise InvalidCursor
        return place

    @property
    def cursor(self) -> str:
        """The place as opaque text."""
        return encode_cursor(_LOG, self.sequence, self.digest)

    def require(self, found: Place | None) -> None:
        """Raise HistoryLost unless ``found``, where this log has the change of the same number, is this place."""
        if found != self:
            raise HistoryLost(_WAY_OUT)


BEGINNING: Final = Place(0)
"""The place before the first change. Every log begins there, so it proves itself everywhere."""


class ChangeLog(Protocol):
    """Keeps changes in one order that all readers see."""

    def append(self, changes: Sequence[Change]) -> None:
        """Keep changes, in this order, with the unit of work's transaction."""

    def read(self, after: str | None, limit: int) -> Sequence[Change]:
        """Up to ``limit`` committed changes past the cursor ``after``, in order, each with its cursor.

        The order never disagrees with that in which one record's versions were made, nor puts a relationship before
        its ends. No change ever appears before one that was read already. To be read with the store's `read`: a
        snapshot may be older than what it takes for complete.

        Raises InvalidCursor; and HistoryLost where the change that the cursor stands at is not here, or is another.
        """

    def count(self) -> int:
        """How many changes there are."""
