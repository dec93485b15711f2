"""What the records of a batch see of entities, each as of its own line.

A batch writes its entities before its relationships. That must not show: a relationship sees the entities of the lines
before it, and every key where it was then, whatever the size of the batch.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from uuid import UUID

from kgl_core.entities import End
from kgl_core.ids import EntityId

_AT_THE_END: Final = 2**63


class Ends:
    """The entities that a batch names, under their ids and keys: those of the store, and what its lines make of them.

    ``stored`` must hold every entity, active or deleted, under every id and key that will be asked for.
    """

    def __init__(self, stored: Iterable[End]) -> None:
        self._by_id: dict[UUID, End] = {}
        self._since: dict[UUID, int] = {}
        self._holders: dict[str, UUID] = {}
        self._moves: dict[str, list[tuple[int, UUID | None]]] = {}
        self._deleted: dict[str, list[tuple[int, UUID]]] = {}
        for end in stored:
            self._by_id[end.id] = end
            if end.key is None:
                continue
            if end.is_active:
                self._holders[end.key] = end.id
            else:
                self._deleted.setdefault(end.key, []).append((0, end.id))

    def add(self, number: int, end: End) -> None:
        """An entity that the record of line ``number`` has made."""
        self._by_id[end.id] = end
        self._since[end.id] = number
        if end.key is None:
            return
        if end.is_active:
            self._moves.setdefault(end.key, []).append((number, end.id))
        else:
            self._deleted.setdefault(end.key, []).append((number, end.id))

    def move(self, number: int, id: EntityId, before: str | None, after: str | None) -> None:
        """The record of line ``number`` has given an active entity another key."""
        self._by_id[id] = End(id, after, True)
        if before is not None:
            self._moves.setdefault(before, []).append((number, None))
        if after is not None:
            self._moves.setdefault(after, []).append((number, id))

    def holder(self, key: str, number: int = _AT_THE_END) -> UUID | None:
        """The active entity with this key, before line ``number``."""
        holder = self._holders.get(key)
        for since, moved_to in self._moves.get(key, ()):
            if since < number:
                holder = moved_to
        return holder

    def deleted(self, key: str, number: int = _AT_THE_END) -> UUID | None:
        """Of the deleted entities with this key, before line ``number``, the one with the lowest id."""
        found = [id for since, id in self._deleted.get(key, ()) if since < number]
        return min(found, key=lambda id: id.int, default=None)

    def find(self, number: int, id: UUID | None, key: str | None) -> End | None:
        """What the record of line ``number`` names by id or by key; an active entity rather than a deleted one."""
        if key is not None:
            id = self.holder(key, number) or self.deleted(key, number)
        if id is None or self._since.get(id, 0) > number:
            return None
        return self._by_id.get(id)
