"""Paths from one entity to another: what is asked, what a path is, and what reading them may cost."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Final, Generic, Literal
from uuid import UUID

import attrs

from kgl_core.exploration.walked_records import E, R
from kgl_core.exploration.walks import Direction, Step, WalkFilter, WalkFilterFields, Walks, joining, opposite
from kgl_core.graph.entities import Entity
from kgl_core.kernel.checked_records import ruled
from kgl_core.kernel.errors import Fault, InvalidInput
from kgl_core.kernel.field_rules import Choice, Each, Id, Integer, Optional, Text

PATH_DEPTH_MAX: Final = 12
ENDS_MAX: Final = 10
AVOIDED_MAX: Final = 200
PATHS_MAX: Final = 100
BUDGET_DEFAULT: Final = 50_000
BUDGET_MAX: Final = 500_000
_NAME_LENGTH_MAX: Final = 500

PathKind = Literal["shortest", "k_shortest", "most_certain", "lightest"]
_KINDS: Final = ("shortest", "k_shortest", "most_certain", "lightest")


class PathFields(WalkFilterFields, total=False):
    """How paths are asked for, as keyword arguments. `PathQuery` says what they mean."""

    kind: PathKind
    weight: str
    max_depth: int
    limit: int
    avoid: UUID | str | Sequence[UUID | str]
    budget: int


@attrs.frozen(kw_only=True)
class PathQuery(WalkFilter):
    """Which paths are wanted; what they follow is as in `WalkFilter`. ``kind`` is one of these:

    - ``shortest``: all that have the least number of relationships;
    - ``k_shortest``: those with few relationships, the shortest first;
    - ``most_certain``: those with the greatest product of confidences first; unknown ones are not followed;
    - ``lightest``: those with the least sum of the numbers that relationships have under the name ``weight`` in their
      metadata first; relationships without one from 0 to 1e300 are not followed.

    No path has an entity twice, nor one of ``avoid``, and none has more than ``max_depth`` relationships. From each
    of ``from_`` to each of ``to``, up to ``limit`` paths are given. ``budget`` is how many relationships may be looked
    at in all.
    """

    from_: tuple[UUID, ...] = ruled(Each(Id(), ENDS_MAX, single=True, min_items=1))
    to: tuple[UUID, ...] = ruled(Each(Id(), ENDS_MAX, single=True, min_items=1))
    kind: PathKind = ruled(Choice(_KINDS), default="shortest")
    weight: str | None = ruled(Optional(Text(_NAME_LENGTH_MAX)), default=None)
    max_depth: int = ruled(Integer(0, PATH_DEPTH_MAX), default=6)
    limit: int = ruled(Integer(1, PATHS_MAX), default=10)
    avoid: tuple[UUID, ...] = ruled(Each(Id(), AVOIDED_MAX, single=True), default=())
    budget: int = ruled(Integer(1, BUDGET_MAX), default=BUDGET_DEFAULT)

    def __attrs_post_init__(self) -> None:
        WalkFilter.__attrs_post_init__(self)
        if (self.kind == "lightest") != (self.weight is not None):
            advice = "give a weight, the name in the metadata, with the kind lightest, and with no other kind"
            raise InvalidInput([Fault("/weight", "not_together", advice)])
        for name in ("from_", "to"):
            object.__setattr__(self, name, tuple(dict.fromkeys(getattr(self, name))))


class PathOutcome(StrEnum):
    """What is known of the paths between two entities.

    ``found``: these are the paths. ``no_path``: there is none within ``max_depth``. ``budget_spent``: the budget did
    not suffice to tell all; those that are given are right and come first, but there may be more.
    """

    FOUND = "found"
    NO_PATH = "no_path"
    BUDGET_SPENT = "budget_spent"


@attrs.frozen(kw_only=True)
class Path:
    """A path: its entities in their order, and the relationships between them.

    ``directions`` tells of each relationship whether it is followed from its source to its target (out) or against that
    (in). ``weight`` is what its kind compares: the number of relationships, the product of confidences, or the sum.
    """

    length: int
    weight: float
    entity_ids: tuple[UUID, ...]
    relationship_ids: tuple[UUID, ...]
    directions: tuple[Direction, ...]


@attrs.frozen(kw_only=True)
class PathsBetween:
    """What was found from one entity to another; ``is_cut`` says that there may be more paths than ``limit``."""

    from_id: UUID
    to_id: UUID
    outcome: PathOutcome
    is_cut: bool


@attrs.frozen(kw_only=True)
class Paths(Generic[E, R]):
    """The paths, the best first for each pair of ends, and the records that they name, each once."""

    paths: tuple[Path, ...]
    pairs: tuple[PathsBetween, ...]
    entities: tuple[E, ...]
    relationships: tuple[R, ...]


def path_of(start: UUID, steps: Sequence[Step], weight: float) -> Path:
    """The path of these steps from an entity."""
    return Path(
        length=len(steps),
        weight=float(weight),
        entity_ids=(start, *(step.to_id for step in steps)),
        relationship_ids=tuple(step.id for step in steps),
        directions=tuple("out" if step.is_forward else "in" for step in steps),
    )


class BudgetSpent(Exception):
    """More relationships would have to be looked at than the budget allows."""


class Roads:
    """The steps that searches can take, read as they ask for them, and paid from one budget.

    ``ends`` are where paths begin or end: they may be entered there, whatever their type is.
    """

    def __init__(self, walks: Walks, query: PathQuery, ends: Iterable[Entity]) -> None:
        self._walks = walks
        self._avoid = self._closed = frozenset(query.avoid)
        known = {end.id: end.type for end in ends}
        self._unfit = {id for id, type in known.items() if query.entity_type and type not in query.entity_type}
        self._free, self._weight = tuple(sorted(known)), query.weight
        self._filters: Mapping[bool, WalkFilter] = {
            True: query,
            False: attrs.evolve(query, direction=opposite(query.direction)),
        }
        self.budget = query.budget
        self._known: dict[tuple[UUID, bool], list[Step]] = {}

    def lead(self, start: UUID, end: UUID) -> bool:
        """From now on, lead from one entity to another; False if one of them is to be avoided.

        Other ends whose type is not asked for are no way through.
        """
        self._closed = self._avoid | (self._unfit - {start, end})
        return self._avoid.isdisjoint((start, end))

    def spend(self, count: int) -> None:
        """Pay for relationships that are looked at. Raises BudgetSpent."""
        if count > self.budget:
            self.budget = 0
            raise BudgetSpent
        self.budget -= count

    def neighbors(self, entity_ids: Sequence[UUID], limit: int, *, onward: bool) -> list[tuple[UUID, UUID]] | None:
        """All pairs of these entities and those that one step enters, onward or back; None for more than ``limit``.

        Raises BudgetSpent.
        """
        limit = min(limit, self.budget)
        found = self._walks.neighbors(entity_ids, self._filters[onward], limit=limit + 1, free=self._free)
        if self._is_within(limit, found):
            return [pair for pair in found if pair[1] not in self._closed]
        return None

    def joining(self, entity_ids: Collection[UUID], others: Collection[UUID]) -> list[Step]:
        """All steps onward from some entities to others. Raises BudgetSpent."""
        found = joining(self._walks, self._filters[True], entity_ids, others, self.budget + 1)
        self.spend(len(found))
        return found

    def steps_of(self, entity_id: UUID, others: Iterable[UUID], *, onward: bool) -> list[Step]:
        """All steps from an entity; those of ``others`` are read with them, for later. Raises BudgetSpent."""
        known = self._known
        if (entity_id, onward) not in known:
            wanted = [id for id in dict.fromkeys((entity_id, *others)) if (id, onward) not in known]
            limit = self.budget
            found = self._walks.steps(
                wanted, self._filters[onward], limit=limit + 1, free=self._free, weight=self._weight
            )
            self._is_within(limit, found)
            for id in wanted:
                known[id, onward] = []
            for step in found:
                known[step.from_id, onward].append(step)
        return self._open(known[entity_id, onward])

    def _is_within(self, limit: int, found: Sequence[object]) -> bool:
        """Pay for what was found, and tell if that is all. Raises BudgetSpent if more can't be paid."""
        self.spend(min(len(found), limit))
        if len(found) > limit and self.budget == 0:
            raise BudgetSpent
        return len(found) <= limit

    def _open(self, steps: Sequence[Step]) -> list[Step]:
        return [step for step in steps if step.to_id not in self._closed]
