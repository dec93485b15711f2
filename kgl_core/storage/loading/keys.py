"""Keys that change hands within a load: lines that wait for a key, and how waiting lines hand keys to each other.

A line may give an entity a key that another entity still holds, and a later line may take it from that one, perhaps to
swap the two. So such a line waits until the end of the load. Every later line that names what it would change waits,
too, so that the result does not depend on where batches end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from math import inf
from typing import Final
from uuid import UUID

from kgl_core.storage.record_lines import EntityLine, GraphLine

WAITING_MAX: Final = 5_000
WAITING_BYTES_MAX: Final = 4 * 1024 * 1024


class Waiting:
    """The lines of a load that wait for its end, and the ids and keys that later lines have to wait for as well."""

    def __init__(self) -> None:
        self.records: list[tuple[int, GraphLine]] = []
        self._ids: dict[UUID, int] = {}
        self._keys: dict[str, int] = {}
        # Separately for each kind: a batch looks at its entities first, and limits must not depend on batches either.
        self._counts: Counter[type] = Counter()
        self._bytes: Counter[type] = Counter()

    def copy(self) -> Waiting:
        """A copy that stays as it is when more is added here."""
        copy = Waiting()
        copy.records, copy._ids, copy._keys = list(self.records), dict(self._ids), dict(self._keys)
        copy._counts, copy._bytes = self._counts.copy(), self._bytes.copy()
        return copy

    def has_room(self, record: GraphLine) -> bool:
        """Whether another line of this kind can wait."""
        kind = type(record)
        return self._counts[kind] < WAITING_MAX and self._bytes[kind] < WAITING_BYTES_MAX

    def holds_back(self, number: int, record: GraphLine, key_before: str | None = None) -> bool:
        """Whether the record of line ``number`` has to wait: it touches what an earlier waiting line names or changes.

        ``key_before`` is the present key of the entity that the record names by its id.
        """
        ids, keys = _names(record)
        return any(self._ids.get(id, inf) < number for id in ids if id is not None) or any(
            self._keys.get(key, inf) < number for key in (*keys, key_before) if key is not None
        )

    def add(self, number: int, record: GraphLine, key_before: str | None = None) -> None:
        """Let the record of line ``number`` wait."""
        self.records.append((number, record))
        self._counts[type(record)] += 1
        self._bytes[type(record)] += _weight(record)
        ids, keys = _names(record)
        if isinstance(record, EntityLine):
            self._ids.update({id: min(number, self._ids.get(id, number)) for id in ids if id is not None})
        for key in (*keys, key_before):
            if key is not None:
                self._keys[key] = min(number, self._keys.get(key, number))


def _names(record: GraphLine) -> tuple[tuple[UUID | None, ...], tuple[str | None, ...]]:
    """The ids and the keys by which a record names entities."""
    if isinstance(record, EntityLine):
        return (record.id,), (record.key,)
    return (record.source_entity_id, record.target_entity_id), (record.source_entity_key, record.target_entity_key)


def _weight(record: GraphLine) -> int:
    """About how many bytes a record takes."""
    aliases = record.aliases or () if isinstance(record, EntityLine) else ()
    return 500 + sum(map(len, aliases)) + len(repr(record.metadata))


def granted(wanted: Mapping[UUID, str], holder: Callable[[str], UUID | None], can_give: Iterable[UUID]) -> set[UUID]:
    """The entities that can have the keys they want, though others hold them now, if all change hands at once.

    ``wanted`` is a key for each entity, in the order of their lines; ``holder`` says who has a key now; ``can_give``
    are those of ``wanted`` that may give up their present key. A key goes to the first that wants it, if its holder
    gets another: along a chain that ends at a free key, or around a circle. Takes linear time.
    """
    first: dict[str, UUID] = {}
    for id, key in wanted.items():
        first.setdefault(key, id)
    givers = frozenset(can_give)
    is_granted: dict[UUID, bool] = {id: False for id, key in wanted.items() if first[key] != id}
    for start, key in wanted.items():
        if holder(key) is None:
            continue
        path: dict[UUID, None] = {}
        at: UUID | None = start
        while at is not None and at not in is_granted and at not in path:
            path[at] = None
            at = holder(wanted[at])
            if at is not None and (at not in wanted or at not in givers):
                is_granted[at] = False
        is_granted.update(dict.fromkeys(path, True if at is None else is_granted.get(at, True)))
    return {id for id, is_ in is_granted.items() if is_}
