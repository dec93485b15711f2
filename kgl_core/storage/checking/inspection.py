"""Inspection: the port through which a check looks at everything in a store as it is, damaged or not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, Generic, Protocol, TypeVar
from uuid import UUID

import attrs

from kgl_core.graph.entities import Entity
from kgl_core.graph.journal.changes import Change
from kgl_core.graph.naming.names import NameRow
from kgl_core.graph.nouns import GraphNoun
from kgl_core.kernel.nouns.noun import Noun
from kgl_core.kernel.nouns.records import Kept, Record
from kgl_core.storage.checking.findings import Finding

COUNTER_ENDS_WITHIN: Final = timedelta(days=1)
"""No counter of attempts ends later than this: the longest limit has a window of an hour."""

T = TypeVar("T", covariant=True)
R = TypeVar("R", bound=Kept)


@attrs.frozen
class Row(Generic[T]):
    """A row as it is stored: its record, or None and the reason why there is none.

    ``stale`` names what the store keeps beside the record, of the noun's ``derived``, and the record makes otherwise.
    """

    id: UUID | None
    record: T | None
    fault: str = ""
    stale: Sequence[str] = ()


@attrs.frozen
class Logged:
    """A change as it is stored, at its ``place`` in the log; ``change`` is None when it can't be read."""

    id: UUID | None
    place: int
    change: Change | None
    fault: str = ""


class Inspection(Protocol):
    """Port: looks at everything in a store as it is. Every method sees what its unit of work sees.

    Rows are read one after the other, never all at once. The methods raise StoreFault when what is stored is too
    damaged to be read on.
    """

    def size(self) -> Mapping[str, int]:
        """How many rows each table has, by its name."""

    def findings(self, now: datetime) -> Iterator[Finding]:
        """What the store finds by itself, as of ``now``.

        That is damage of the database, broken references, values that are not unique, and tokens, answers and counters
        that are of no use.
        """

    def rows(self, noun: Noun[R, Any, Any, Any]) -> Iterator[Row[R]]:
        """Every record of a noun, ordered by id."""

    def log(self, noun: GraphNoun) -> Iterator[Logged]:
        """Every change of a noun's records, ordered by their ids and then their places."""

    def strange(self) -> Iterator[Logged]:
        """Every change that is of no noun."""

    def latest(self, noun: GraphNoun, ids: Sequence[UUID]) -> Mapping[UUID, Logged]:
        """The last change of each of these records, if it has one."""

    def names(self, entities: Sequence[Entity]) -> Mapping[UUID, Sequence[NameRow]]:
        """What the index of names holds of each of these entities, by position."""

    def close(self) -> None:
        """Stop reading what was not read to the end."""

    def lock(self, noun: GraphNoun, ids: Sequence[UUID]) -> None:
        """Lock these records until the unit of work ends, even those that can't be read."""

    def refresh(self, noun: GraphNoun, ids: Sequence[UUID]) -> int:
        """Derive anew what is kept beside these records; returns how many of them had it otherwise."""

    def overwrite(self, record: Record) -> None:
        """Store a record in place of whatever its row holds. Raises AlreadyExists when a unique value is taken."""

    def mend(self, code: str, keys: Sequence[Any]) -> int:
        """Mend findings of a kind that is mended without a change to a record; returns how many.

        Raises Conflict, NotFound or StoreFault when something is in the way; then nothing is kept.
        """
