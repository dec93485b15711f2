"""Changes: every change of a record adds one, and none is ever altered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from enum import StrEnum
from hashlib import blake2b
from typing import Final, Protocol
from uuid import UUID

import attrs

from kgl_core.kernel.errors import HistoryLost, InvalidCursor
from kgl_core.kernel.ids import RunId
from kgl_core.kernel.nouns.pages import decode_cursor, encode_cursor
from kgl_core.kernel.nouns.records import Record
from kgl_core.kernel.permissions import Actor


class ChangeAction(StrEnum):
    """What was done to the record."""

    CREATED = "created"
    UPDATED = "updated"
    DELETED = "deleted"
    RESTORED = "restored"
    RETIRED = "retired"


@attrs.frozen(slots=False)  # as for records: with slots, making one takes longer
class Change:
    """Who did what, when, and the record as it was afterwards.

    ``run`` is the run that it is part of. ``cursor`` is its place, once a store has kept it.
    """

    at: datetime
    actor: Actor
    action: ChangeAction
    record: Record
    cursor: str | None = None
    run: RunId | None = None


Observer = Callable[[Sequence[Change]], object]
"""What a store can tell of changes: it is called after a commit, with those that were appended before it."""

_LOG: Final = "changes"  # the log is one listing, without filter or sort
_DIGEST_BYTES: Final = 9
_WAY_OUT: Final = "make a fresh export, and read on after the cursor that comes with it"


@attrs.frozen
class Place:
    """A place in the log: after the change with this ``sequence`` number, or before the first one when it is 0.

    ``digest`` identifies the change at this place. A log that has another change with the number, or none, is not the
    log that the place was read from.
    """

    sequence: int
    digest: str = ""

    @staticmethod
    def of(sequence: int, *identity: object) -> Place:
        """The place after a change. ``identity`` are the values that identify it, always the same in one store."""
        text = "\n".join(map(str, identity))
        return Place(sequence, blake2b(text.encode(), digest_size=_DIGEST_BYTES).hexdigest())

    @staticmethod
    def parse(cursor: str | None) -> Place:
        """The place that a cursor names; None is the beginning.

        Raises InvalidCursor for anything else, and HistoryLost for a cursor of kgl 0.1, which has no digest.
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
        """Raise HistoryLost unless it equals ``found``, the place in this log of the change with the same number."""
        if found != self:
            raise HistoryLost(_WAY_OUT)


BEGINNING: Final = Place(0)
"""The place before the first change. Every log begins there, so it is valid in all of them."""


class ChangeLog(Protocol):
    """Stores changes, in one order that all readers see."""

    def append(self, changes: Sequence[Change]) -> None:
        """Append changes in this order, as part of the unit of work."""

    def read(self, after: str | None, limit: int, run: UUID | None = None) -> Sequence[Change]:
        """Up to ``limit`` committed changes after the cursor ``after``, in order, each with its cursor.

        With ``run``, only those of this run.

        The versions of a record come in their order, and a relationship comes after its ends. No change ever appears
        before one that was already read. Call it within the store's `read`, since a snapshot may be too old.

        Raises InvalidCursor, and HistoryLost when the change at the cursor is missing or is another one.
        """

    def count(self) -> int:
        """How many changes there are."""

    def count_by_action(self, run: UUID) -> dict[str, int]:
        """How many changes of each action a run has, sorted by action."""
