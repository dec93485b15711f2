"""What the records of a batch see of entities, each as of its own line.

A batch writes its entities before its relationships. That must not show: whatever the size of the batch, a relationship
sees the entities of the lines before it, and every key where it was at its own line.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from uuid import UUID

from kgl_core.graph.entities import End
from kgl_core.kernel.ids import EntityId

_Steps = list[tuple[int, UUID | None]]
"""Which entity has a key from which line on, ordered by line."""


class Ends:
    """The entities that a batch names, by id and by key: those of the store, and what the batch's lines make of them.

    ``stored`` must hold every entity, active or deleted, under every id and key that will be asked for. Lines are added
    in the order of their numbers. A question without a number is about the state after the last line.
    """

    def __init__(self, stored: Iterable[End]) -> None:
        self._by_id: dict[UUID, End] = {}
        self._since: dict[UUID, int] = {}
        self._back: dict[UUID, int] = {}
        self._holders: dict[str, UUID | None] = {}
        self._moves: dict[str, _Steps] = {}
        self._deleted: dict[str, _Steps] = {}
        for end in stored:
            self._by_id[end.id] = end
            if end.key is None:
                continue
            if end.is_active:
                self._holders[end.key] = end.id
            else:
                self._add_deleted(0, end.key, end.id)

    def add(self, number: int, end: End) -> None:
        """Add an entity that the record of line ``number`` has created."""
        self._by_id[end.id] = end
        self._since[end.id] = number
        if end.key is None:
            return
        if end.is_active:
            self._give(number, end.key, end.id)
        else:
            self._add_deleted(number, end.key, end.id)

    def move(self, number: int, id: EntityId, before: str | None, after: str | None) -> None:
        """Note that the record of line ``number`` has given an active entity another key."""
        self._by_id[id] = End(id, after, True)
        if before is not None and self._holders.get(before) == id:
            self._give(number, before, None)
        if after is not None:
            self._give(number, after, id)

    def bring_back(self, number: int, end: End) -> None:
        """Note that the record of line ``number`` has brought a retired entity back."""
        self._by_id[end.id] = end
        self._back[end.id] = number
        if end.key is not None:
            self._give(number, end.key, end.id)

    def free(self, number: int, key: str) -> None:
        """Note that nobody holds the key from line ``number`` on."""
        self._give(number, key, None)

    def holder(self, key: str, number: int | None = None) -> UUID | None:
        """The active entity with this key, before line ``number``."""
        moves = None if number is None else self._moves.get(key)
        return self._holders.get(key) if moves is None else _before(moves, number)

    def deleted(self, key: str, number: int | None = None) -> UUID | None:
        """The deleted entity with this key before line ``number``; of several, the one with the lowest id."""
        steps = self._deleted.get(key)
        return None if steps is None else steps[-1][1] if number is None else _before(steps, number)

    def find(self, number: int, id: UUID | None, key: str | None) -> End | None:
        """The entity that the record of line ``number`` names by id or key; an active one rather than a deleted one."""
        if key is not None:
            id = self.holder(key, number) or self.deleted(key, number)
        # Most batches have no entities of their own, and looking ids up in empty dictionaries is slow.
        if id is None or (self._since and self._since.get(id, 0) > number):
            return None
        end = self._by_id.get(id)
        if self._back and end is not None and self._back.get(id, 0) > number:
            return end._replace(is_active=False)
        return end

    def _give(self, number: int, key: str, id: UUID | None) -> None:
        self._moves.setdefault(key, [(-1, self._holders.get(key))]).append((number, id))
        self._holders[key] = id

    def _add_deleted(self, number: int, key: str, id: UUID) -> None:
        steps = self._deleted.setdefault(key, [(-1, None)])
        lowest = steps[-1][1]
        steps.append((number, id if lowest is None or id.int < lowest.int else lowest))


def _before(steps: _Steps, number: int | None) -> UUID | None:
    """What the last step before line ``number`` says."""
    return steps[bisect_left(steps, number, key=lambda step: step[0]) - 1][1]
