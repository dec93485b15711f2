"""The repository of any noun in dictionaries: versions, soft deletion, pages, unique values and references."""

from __future__ import annotations

import copy
import operator
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final, Generic, TypeVar
from uuid import UUID

import attrs

from kgl_adapters.memory.kernel.shelves import Shelf
from kgl_core.kernel.errors import AlreadyExists, NotFound, StaleVersion
from kgl_core.kernel.nouns.json_records import JsonRecord, json_line, json_record
from kgl_core.kernel.nouns.noun import NOUNS, AnyNoun, Comparison, Condition, Noun, Related
from kgl_core.kernel.nouns.pages import Position
from kgl_core.kernel.nouns.records import Kept
from kgl_core.kernel.nouns.repositories import Lock
from kgl_core.kernel.nouns.spellings import spellings_of
from kgl_core.kernel.periods import Period, period_of

R = TypeVar("R", bound=Kept)
F = TypeVar("F")
V = TypeVar("V")

_COMPARISONS: Final[Mapping[Comparison, Callable[[Any, Any], bool]]] = {
    "==": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "contains": operator.contains,
    "begins": str.startswith,
}
Shelves = Callable[[AnyNoun], Shelf[Any, Any]]
"""What finds the records of a noun."""


class MemoryRepository(Generic[R, F, V]):
    """A `kgl_core.kernel.nouns.repositories.Repository`. One writer at a time makes locks needless."""

    def __init__(self, noun: Noun[R, Any, F, V], shelves: Shelves) -> None:
        self._noun, self._shelves = noun, shelves
        self._shelf: Shelf[R, V] = shelves(noun)

    def get(self, id: UUID, *, lock: Lock = None) -> R | None:
        row = self._shelf.rows.get(id)
        return None if row is None else self._detached(row)

    def get_by(self, value: V) -> R | None:
        id = self._shelf.holders.get(value)
        return None if id is None else self.get(id)

    def find(self, ids: Collection[UUID], values: Collection[V] = (), *, lock: Lock = None) -> Sequence[R]:
        rows, holders = self._shelf.rows, self._shelf.holders
        found = {id: row for id in ids if (row := rows.get(id)) is not None}
        if values:
            wanted = frozenset(values)
            active = {id for value in wanted if (id := holders.get(value)) is not None}
            found.update({id: row for id in active if (row := rows.get(id)) is not None})
            unique = self._noun.unique_value
            found.update({row.id: row for row in self._rows() if unique(row) in wanted and not self._is_active(row)})
        return [self._detached(row) for row in found.values()]

    def list(self, filter: F, sort: str, after: Position | None, limit: int) -> Sequence[R]:
        value_of = operator.attrgetter(self._noun.sort_field(sort), "id")
        is_descending = sort.startswith("-")
        found = sorted(self._admitted(filter), key=value_of, reverse=is_descending)
        if after is not None:
            is_past = operator.lt if is_descending else operator.gt
            found = [row for row in found if is_past(value_of(row), after)]
        return [self._detached(row) for row in found[:limit]]

    def get_json(self, id: UUID) -> JsonRecord | None:
        found = self.get(id)
        return None if found is None else json_record(found, self._noun.hidden)

    def list_json(
        self, filter: F, sort: str, after: Position | None, limit: int
    ) -> tuple[Sequence[JsonRecord], R | None]:
        found = self.list(filter, sort, after, limit + 1)
        shown = [json_record(record, self._noun.hidden) for record in found[:limit]]
        return shown, found[limit - 1] if len(found) > limit else None

    def count(self, filter: F) -> int:
        return sum(1 for _ in self._admitted(filter))

    def count_by_type(self) -> dict[str, int]:
        type_of = operator.attrgetter(self._noun.type_field or "")
        return dict(sorted(Counter(type_of(row) for row in self._rows() if self._is_active(row)).items()))

    def count_deleted(self) -> int:
        return sum(not self._is_active(row) for row in self._rows())

    def scan(self, after: UUID | None, limit: int) -> Sequence[R]:
        return self._first_by_id((row for row in self._rows() if after is None or row.id > after), limit)

    def scan_lines(self, after: UUID | None, limit: int) -> Sequence[dict[str, Any]]:
        return [json_line(record, self._noun) for record in self.scan(after, limit)]

    def add(self, records: Sequence[R]) -> None:
        rows = self._shelf.rows
        taken: dict[V, UUID | None] = {}
        added: dict[UUID, R] = {}
        for record in records:
            if rows.get(record.id) is not None or record.id in added:
                raise AlreadyExists(self._noun.name, "id")
            self._require_references(record)
            added[record.id] = self._detached(record)
            self._take(record, taken)
        rows.update(added)
        self._shelf.holders.update(taken)

    def replace(self, records: Sequence[R]) -> None:
        noun = self._noun
        taken: dict[V, UUID | None] = {}
        for record in records:
            before = self._shelf.rows.get(record.id)
            if before is None:
                raise NotFound(noun.name, record.id)
            if noun.is_versioned:
                _require_later(noun, before, record)
            freed = noun.unique_value(before) if self._is_active(before) else None
            if freed is not None:
                taken.setdefault(freed, None)
            self._take(record, taken)
        self._shelf.rows.update({record.id: self._detached(record) for record in records})
        self._shelf.holders.update(taken)

    def delete(self, id: UUID) -> None:
        row = self._shelf.rows.get(id)
        if row is None:
            raise NotFound(self._noun.name, id)
        self._shelf.rows[id] = None
        value = self._noun.unique_value(row)
        if value is not None:
            self._shelf.holders[value] = None

    def _rows(self) -> Iterator[R]:
        return (row for row in self._shelf.rows.values() if row is not None)

    def _is_active(self, record: R) -> bool:
        return not self._noun.is_deletable or getattr(record, "deleted_at") is None  # noqa: B009  # R need not have it

    def _admitted(self, filter: F) -> Iterator[R]:
        """The records that pass a filter: only what it asks is looked at."""
        rows = self._rows()
        wanted = getattr(filter, "is_active", None) if self._noun.is_deletable else None
        if wanted is not None:
            rows = (row for row in rows if self._is_active(row) is wanted)
        for name, condition in self._noun.all_conditions.items():
            value = getattr(filter, name)
            if value is None or value == ():
                continue
            if condition.comparison == "overlaps":
                rows = _overlapping(rows, condition.fields, period_of(value) or Period())
            elif condition.comparison == "is_set":
                rows = _having(rows, condition.fields[0], is_set=value)
            elif condition.comparison == "same_name":
                rows = self._named(rows, name, condition, value)
            else:
                ids = self._related(condition.related, value)
                rows = _passing(rows, condition.fields, _test(condition.comparison, value), ids)
        return rows

    def _named(self, rows: Iterator[R], filter: str, condition: Condition, wanted: Collection[str]) -> Iterator[R]:
        """The rows whose name is the same as one of those that the ``filter`` wants."""
        name, sort_form = condition.fields
        forms = frozenset(map(condition.sort_form, wanted))
        found = {getattr(row, name) for row in self._rows() if getattr(row, sort_form) in forms}
        spellings = spellings_of(wanted, found, filter)
        return (row for row in rows if getattr(row, name) in spellings)

    def _related(self, related: Related | None, value: Any) -> frozenset[UUID]:
        """The ids of the records that are referred to by one that is related and passes."""
        if related is None:
            return frozenset()
        wanted = {related.field: related.convert(value), **related.values, **dict.fromkeys(related.unset)}
        field = related.reference(self._noun)
        rows = (row for row in self._shelves(NOUNS[related.noun]).rows.values() if row is not None)
        return frozenset(
            getattr(row, field) for row in rows if all(getattr(row, name) == mine for name, mine in wanted.items())
        )

    def _take(self, record: R, taken: dict[V, UUID | None]) -> None:
        """Note in ``taken`` that a record holds its unique value. Raises AlreadyExists if another one does."""
        value = self._noun.unique_value(record) if self._is_active(record) else None
        if value is None:
            return
        holder = taken[value] if value in taken else self._shelf.holders.get(value)
        if holder is not None and holder != record.id:
            raise AlreadyExists(self._noun.name, "id" if self._noun.unique is None else self._noun.unique.name)
        taken[value] = record.id

    def _require_references(self, record: R) -> None:
        """Raise NotFound if a record refers to one that does not exist."""
        for field, noun in self._noun.references.items():
            id = getattr(record, field)
            if id is not None and self._shelves(noun).rows.get(id) is None:
                raise NotFound(noun.name, id)

    def _first_by_id(self, rows: Iterable[R], limit: int) -> Sequence[R]:
        """The first ``limit`` rows in the order of their ids."""
        return [self._detached(row) for row in sorted(rows, key=operator.attrgetter("id"))[:limit]]

    def _detached(self, record: R) -> R:
        return detached(self._noun, record)


def detached(noun: AnyNoun, record: R) -> R:
    """The record with a copy of its JSON, so that nobody outside can change what is stored."""
    for name in noun.json_fields:
        if value := getattr(record, name):
            evolved: Any = record
            record = attrs.evolve(evolved, **{name: copy.deepcopy(value)})
    return record


def _require_later(noun: AnyNoun, before: Any, record: Any) -> None:
    if before.version >= record.version:
        raise StaleVersion(noun.name, record.id, record.version - 1, before.version)


def _test(comparison: Comparison, value: Any) -> Callable[[Any], bool]:
    """Whether a field's value, which is not None, compares so with a filter's."""
    if comparison == "holds":
        return lambda mine: all(wanted.is_in(mine) for wanted in value)
    if comparison == "has_names":
        return lambda mine: all(name in mine for name in value)
    if isinstance(value, tuple):
        return partial(operator.contains, frozenset(value))
    compare = _COMPARISONS[comparison]
    return lambda mine: compare(mine, value)


def _overlapping(rows: Iterator[R], fields: Sequence[str], period: Period) -> Iterator[R]:
    bounds_of = operator.attrgetter(*fields)
    return (row for row in rows if Period(*bounds_of(row)).overlaps(period))


def _having(rows: Iterator[R], field: str, *, is_set: bool) -> Iterator[R]:
    return (row for row in rows if (getattr(row, field) is not None) is is_set)


def _passing(
    rows: Iterator[R], fields: Sequence[str], test: Callable[[Any], bool], ids: frozenset[UUID]
) -> Iterator[R]:
    """The rows with one of these ids, or of which one of the fields passes the test."""
    for row in rows:
        if row.id in ids:
            yield row
            continue
        for field in fields:
            mine = getattr(row, field)
            if mine is not None and test(mine):
                yield row
                break
