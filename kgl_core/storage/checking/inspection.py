"""The port through which a check looks at everything in a store as it is, damaged or not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, Generic, Literal, Protocol, TypeVar
from uuid import UUID

import attrs

from kgl_core.access.oauth_clients import Client
from kgl_core.access.users import User
from kgl_core.graph.changes import Change
from kgl_core.graph.entities import Entity
from kgl_core.graph.relationships import Relationship
from kgl_core.storage.checking.findings import Finding

COUNTER_ENDS_WITHIN: Final = timedelta(days=1)
"""No counter of attempts ends later than this: the longest limit has a window of an hour."""

T = TypeVar("T", covariant=True)
Subject = Literal["entity", "relationship"]


@attrs.frozen
class Row(Generic[T]):
    """A row as it is stored: the record that it makes, or None and why it makes none.

    ``derived`` is what the store keeps of the record beside it, such as the sort_name.
    """

    id: UUID | None
    record: T | None
    fault: str = ""
    derived: str | None = None


@attrs.frozen
class Logged:
    """A change as it is stored, at its ``place`` in the log; None for the change where it can't be read."""

    id: UUID | None
    place: int
    change: Change | None
    fault: str = ""


class Inspection(Protocol):
    """Port: looks at everything in a store as it is. Every method sees what its unit of work sees.

    Rows come one after the other, never all at once. Where what is stored is so damaged that it can't be read on, the
    methods raise StoreFault.
    """

    def size(self) -> Mapping[str, int]:
        """How many rows each table has, by its name."""

    def findings(self, now: datetime) -> Iterator[Finding]:
        """What the store finds by itself: damage of the database, references, what must be unique, and tokens,
        answers and counters that are of no use at ``now``."""

    def entities(self) -> Iterator[Row[Entity]]:
        """Every entity, in the order of the ids."""

    def relationships(self) -> Iterator[Row[Relationship]]:
        """Every relationship, in the order of the ids."""

    def users(self) -> Iterator[Row[User]]:
        """Every user."""

    def clients(self) -> Iterator[Row[Client]]:
        """Every service client."""

    def log(self, subject: Subject) -> Iterator[Logged]:
        """Every change of the entities or of the relationships, in the order of their ids and then of their places."""

    def strange(self) -> Iterator[Logged]:
        """Every change that is neither of an entity nor of a relationship."""

    def latest(self, subject: Subject, ids: Sequence[UUID]) -> Mapping[UUID, Logged]:
        """The last change of each of these records that has one."""

    def close(self) -> None:
        """Let go of what is not read to its end."""

    def lock(self, subject: Subject, ids: Sequence[UUID]) -> None:
        """Keep others from changing these records until the unit of work ends, whether or not they can be read."""

    def overwrite(self, record: Entity | Relationship) -> None:
        """Keep a record in place of what its row holds. Raises AlreadyExists where what must be unique is taken."""

    def mend(self, code: str, keys: Sequence[Any]) -> int:
        """Mend findings of a kind that concerns no change of a record; how many it mended.

        Raises Conflict, NotFound or StoreFault where what it finds is in the way, and nothing is kept then.
        """
