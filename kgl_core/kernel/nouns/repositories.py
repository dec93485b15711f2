"""The port that stores the records of a noun."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Literal, Protocol, TypeVar
from uuid import UUID

from kgl_core.kernel.nouns.json_records import JsonRecord
from kgl_core.kernel.nouns.pages import Position
from kgl_core.kernel.nouns.records import Kept

R = TypeVar("R", bound=Kept)
F = TypeVar("F", contravariant=True)
V = TypeVar("V", contravariant=True)

Lock = Literal["update", "share"] | None
"""What others can't do with a record until the unit of work ends: change or lock it (update), or change it (share)."""


class Repository(Protocol[R, F, V]):
    """Stores the records of a noun, including deleted ones. Every method sees what its unit of work sees.

    ``V`` is the type of what only one active record can have, such as an entity's key.
    """

    def get(self, id: UUID, /, *, lock: Lock = None) -> R | None:
        """The record with this id, active or deleted; None when there is none."""

    def get_by(self, value: V, /) -> R | None:
        """The active record with this unique value; None when there is none."""

    def find(self, ids: Collection[UUID], values: Collection[V] = (), /, *, lock: Lock = None) -> Sequence[R]:
        """The records with any of these ids or unique values, active and deleted, in any order, each once.

        Raises TransactionConflict when two units of work wait for each other's ``lock``.
        """

    def list(self, filter: F, sort: str, after: Position | None, limit: int, /) -> Sequence[R]:
        """Up to ``limit`` records that match ``filter``, ordered by ``sort``, then id, after position ``after``."""

    def get_json(self, id: UUID, /) -> JsonRecord | None:
        """What `get` gives, as JSON, in which nothing is encoded yet; for nouns that are deletable."""

    def list_json(
        self, filter: F, sort: str, after: Position | None, limit: int, /
    ) -> tuple[Sequence[JsonRecord], R | None]:
        """What `list` gives as JSON, and the last of these records if there are more; for nouns that are deletable."""

    def count(self, filter: F, /) -> int:
        """How many records match ``filter``."""

    def count_by_type(self) -> dict[str, int]:
        """How many active records of each type there are, sorted by type; for nouns that have types."""

    def count_deleted(self) -> int:
        """How many deleted records there are; for nouns whose records stay when they are deleted."""

    def scan(self, after: UUID | None, limit: int, /) -> Sequence[R]:
        """Up to ``limit`` records, active and deleted, ordered by id, after the id ``after``."""

    def scan_lines(self, after: UUID | None, limit: int, /) -> Sequence[dict[str, Any]]:
        """What `scan` gives as `json_line` makes it, for nouns that are deletable; never the store's own values."""

    def add(self, records: Sequence[R], /) -> None:
        """Store new records: all or none.

        Raises AlreadyExists when an id, or the unique value of an active record, is taken; NotFound when a record
        refers to one that does not exist.
        """

    def replace(self, records: Sequence[R], /) -> None:
        """Store new states of records: all or none.

        Raises NotFound when one does not exist, AlreadyExists when a unique value is taken, and where records have
        versions StaleVersion unless every stored version is lower.
        """

    def delete(self, id: UUID, /) -> None:
        """Remove a record for good, where the noun's records do not stay. Raises NotFound."""
