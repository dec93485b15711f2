"""The repository of any noun in its table: versions, soft deletion, pages and locks."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, Generic, Protocol, TypeVar
from uuid import UUID

from kgl_adapters.sql.engine.sessions import Session
from kgl_adapters.sql.kernel.lookups import Finder, LockingFinder
from kgl_adapters.sql.kernel.noun_table import NounTable
from kgl_core.kernel.errors import NotFound, StaleVersion
from kgl_core.kernel.nouns.json_records import JsonRecord
from kgl_core.kernel.nouns.noun import Noun
from kgl_core.kernel.nouns.pages import Position
from kgl_core.kernel.nouns.records import Kept
from kgl_core.kernel.nouns.repositories import Lock

R = TypeVar("R", bound=Kept)
F = TypeVar("F")
V = TypeVar("V")


class _Found(Protocol):
    @property
    def id(self) -> UUID: ...


T = TypeVar("T", bound=_Found)


def lock_order(ids: Iterable[UUID]) -> list[tuple[UUID]]:
    """The ids in the order in which every transaction locks, each once, as the values that `Finder` takes."""
    return [(id,) for _, id in sorted({id.int: id for id in ids}.items())]


class SqlRepository(Generic[R, F, V]):
    """A `kgl_core.kernel.nouns.repositories.Repository`."""

    def __init__(self, session: Session, of: NounTable[R, F, V]) -> None:
        self._session, self._of = session, of
        self._encoding = session.encoding

    def get(self, id: UUID, *, lock: Lock = None) -> R | None:
        if lock is not None:
            return next(map(self._of.read, self._of.by_id[lock].find(self._session, [(id,)])), None)
        found = self._session.fetch(self._of.get, {"id": self._encoding.id(id)})
        return self._of.read(found[0]) if found else None

    def get_by(self, value: V) -> R | None:
        [values] = _columns(self._of.noun, [value])
        parameters = {f"value_{number}": self._encoding.value(part) for number, part in enumerate(values)}
        found = self._session.fetch(self._of.get_by, parameters)
        return self._of.read(found[0]) if found else None

    def find(self, ids: Collection[UUID], values: Collection[V] = (), *, lock: Lock = None) -> Sequence[R]:
        of = self._of
        locking = of.locking.get(lock) if values else None
        return self._find(of.by_id[lock], of.by_value, locking, of.read, of.noun.unique_value, ids, values)

    def list(self, filter: F, sort: str, after: Position | None, limit: int) -> Sequence[R]:
        return [*map(self._of.read, self._of.listing.page(self._session, filter, sort, after, limit))]

    def get_json(self, id: UUID) -> JsonRecord | None:
        found = self._session.fetch(self._of.get, {"id": self._encoding.id(id)})
        return self._of.read_json(found[0]) if found else None

    def list_json(
        self, filter: F, sort: str, after: Position | None, limit: int
    ) -> tuple[Sequence[JsonRecord], R | None]:
        rows = self._of.listing.page(self._session, filter, sort, after, limit + 1)
        shown = [*map(self._of.pass_json, rows[:limit])]
        return shown, self._of.read(rows[limit - 1]) if len(rows) > limit else None

    def count(self, filter: F) -> int:
        return self._of.listing.count(self._session, filter)

    def count_by_type(self) -> dict[str, int]:
        return {row[0]: row[1] for row in self._session.execute(self._of.count_by_type)}

    def count_deleted(self) -> int:
        return int(self._session.execute(self._of.count_deleted).scalar_one())

    def scan(self, after: UUID | None, limit: int) -> Sequence[R]:
        return [*map(self._of.read, self._scanned(after, limit))]

    def scan_lines(self, after: UUID | None, limit: int) -> Sequence[dict[str, Any]]:
        return [*map(self._of.read_line, self._scanned(after, limit))]

    def _scanned(self, after: UUID | None, limit: int) -> Sequence[Sequence[Any]]:
        first, rest = self._of.scans
        if after is None:
            return self._session.fetch(first, {"limit": limit})
        return self._session.fetch(rest, {"after": self._encoding.id(after), "limit": limit})

    def add(self, records: Sequence[R]) -> None:
        of = self._of
        try:
            self._session.insert(of.table, of.inserted, records, of.write)
        except NotFound as error:
            referred = " or ".join(sorted({noun.name for noun in of.noun.references.values()}))
            raise NotFound(referred, f"that this {of.noun.name} refers to") from error

    def replace(self, records: Sequence[R]) -> None:
        if not records:
            return
        rows = []
        for record in records:
            values = dict(zip(self._of.inserted, self._of.write(record), strict=True))
            rows.append(self._of.replace.values({**values, "at_id": values["id"]}))
        with self._session.all_or_none(records) as savepoint:
            is_complete = self._replace_rows(records, rows) == len(records)
            if savepoint is not None and not is_complete:
                savepoint.rollback()
        if not is_complete:
            raise self._stale(records)

    def _replace_rows(self, records: Sequence[R], rows: Sequence[tuple[Any, ...]]) -> int:
        """Write the rows of these records; returns how many of them were there, with an earlier version."""
        return self._session.write(self._of.replace.text, list(rows) if len(rows) > 1 else rows[0])

    def delete(self, id: UUID) -> None:
        if not self._session.execute(self._of.delete, {"at_id": self._encoding.id(id)}).rowcount:
            raise NotFound(self._of.noun.name, id)

    def _find(
        self,
        by_id: Finder,
        by_value: Sequence[Finder],
        locking: LockingFinder | None,
        read: Callable[[Sequence[Any]], T],
        value_of: Callable[[T], V],
        ids: Collection[UUID],
        values: Collection[V],
    ) -> Sequence[T]:
        """The rows with these ids or unique values, each once, converted by ``read``."""
        by = _columns(self._of.noun, values)
        if not by:  # no row can be found twice
            return tuple(map(read, by_id.find(self._session, lock_order(ids))))
        if locking is None:
            rows = (*by_id.find(self._session, lock_order(ids)), *self._find_by(by_value, by))
            return tuple({each.id: each for each in map(read, rows)}.values())
        ids, values = frozenset(ids), frozenset(values)
        while True:
            found = tuple(map(read, locking.find(self._session, ids, by)))
            if all(value_of(each) in values or each.id in ids for each in found):
                return found
            # A value was taken from a record while this waited for it, and perhaps given to another.

    def _find_by(self, finders: Sequence[Finder], values: Sequence[tuple[Any, ...]]) -> Sequence[Sequence[Any]]:
        if not values:
            return ()
        first, *of_deleted = finders
        found = first.find(self._session, values)
        if of_deleted and self._session.execute(self._of.any_deleted).first() is not None:
            found += of_deleted[0].find(self._session, values)
        return found

    def _stale(self, records: Sequence[R]) -> NotFound | StaleVersion:
        noun = self._of.noun
        found = self._of.by_id[None].find(self._session, lock_order(record.id for record in records))
        kept: dict[UUID, Any] = {record.id: record for record in map(self._of.read, found)}
        changed: Sequence[Any] = records
        for record in changed:
            if record.id not in kept:
                return NotFound(noun.name, record.id)
            if noun.is_versioned and kept[record.id].version >= record.version:
                return StaleVersion(noun.name, record.id, record.version - 1, kept[record.id].version)
        raise AssertionError("a replacement failed that nothing stood in the way of")


def _columns(noun: Noun[Any, Any, Any, V], values: Collection[V]) -> list[tuple[Any, ...]]:
    """Unique values as tuples, one part for each column."""
    given: Collection[Any] = values
    if noun.unique is None or len(noun.unique.fields) == 1:
        return [(value,) for value in given]
    if not noun.empty_for_none:
        return [*given]
    return [tuple(["" if part is None else part for part in value]) for value in given]
