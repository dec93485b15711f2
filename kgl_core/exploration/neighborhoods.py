"""Neighborhoods: what is around an entity, level by level, up to a distance and to caps that the answer tells of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Final, Generic, Literal
from uuid import UUID

import attrs

from kgl_core.exploration.walked_records import E, R
from kgl_core.exploration.walks import (
    PLACE_KINDS,
    Place,
    Step,
    WalkFilter,
    WalkFilterFields,
    Walks,
    filters_of,
    place_of,
    place_parts,
    strength,
)
from kgl_core.kernel.checked_records import ruled
from kgl_core.kernel.errors import InvalidCursor
from kgl_core.kernel.field_rules import Integer, Optional, Text
from kgl_core.kernel.nouns.pages import CURSOR_LENGTH_MAX, decode_cursor, encode_cursor, fingerprint

DEPTH_MAX: Final = 6
ENTITIES_MAX: Final = 10_000
RELATIONSHIPS_MAX: Final = 50_000
DISTANCES_MAX: Final = 1_000_000
STEPS_MAX: Final = 200_000
"""How many relationships one level of a walk looks at."""
LEFT_OUT_MAX: Final = 10_000
"""Up to where it is counted how many relationships of an entity were left out."""
_FEW_STEPS: Final = 8
"""How many steps of each entity are read at first, at least."""
_STEPS_FOR_ONE: Final = 2
"""How many steps it is likely to take to reach one more entity: some lead to entities that are there already."""
CUTS_MAX: Final = 100
"""How many entities an answer names at which something was left out."""


class NeighborhoodFields(WalkFilterFields, total=False):
    """How a neighborhood is asked for, as keyword arguments. `NeighborhoodQuery` says what they mean."""

    depth: int
    max_entities: int
    max_relationships: int
    max_per_entity: int
    cursor: str


@attrs.frozen(kw_only=True)
class NeighborhoodQuery(WalkFilter):
    """How far a neighborhood reaches, and how large it may get; what is followed is as in `WalkFilter`.

    ``depth`` is the greatest distance, in relationships. ``max_entities`` counts the one in the middle, too. Of each
    entity, ``max_per_entity`` relationships are followed, the strongest. ``cursor`` is that of an entity at which
    something was left out: its neighborhood goes on from there.
    """

    depth: int = ruled(Integer(0, DEPTH_MAX), default=1)
    max_entities: int = ruled(Integer(1, ENTITIES_MAX), default=200)
    max_relationships: int = ruled(Integer(0, RELATIONSHIPS_MAX), default=1_000)
    max_per_entity: int = ruled(Integer(1, ENTITIES_MAX), default=100)
    cursor: str | None = ruled(Optional(Text(CURSOR_LENGTH_MAX)), default=None)


@attrs.frozen(kw_only=True)
class DistanceQuery(WalkFilter):
    """How far distances are wanted, and of how many entities at most; what is followed is as in `WalkFilter`."""

    depth: int = ruled(Integer(0, DEPTH_MAX), default=DEPTH_MAX)
    max_entities: int = ruled(Integer(1, DISTANCES_MAX), default=ENTITIES_MAX)


@attrs.frozen
class Distances:
    """The distances of entities from one, by id, in no particular order.

    With ``is_cut``, there are others, further away than all of these.
    """

    by_id: Mapping[UUID, int]
    is_cut: bool


@attrs.frozen
class Neighbor(Generic[E]):
    """An entity, and how many relationships it is away."""

    entity: E
    distance: int


@attrs.frozen(kw_only=True)
class Cut:
    """An entity at which something was left out.

    ``left_out`` is the number of its relationships that were not followed; with ``is_at_least``, there are more, which
    were not counted. ``cursor`` leads on: ask for the neighborhood of this entity with it and the same filters.
    """

    id: UUID
    left_out: int
    is_at_least: bool
    cursor: str


@attrs.frozen(kw_only=True)
class Truncated:
    """That an answer does not have everything: ``reason`` is the cap that was met.

    ``at`` are the entities at which something was left out, the nearest first, up to 100; ``more_entities`` is how many
    there are besides. What was left out may lead to entities that the answer has already. ``more_relationships`` says
    that there are more between the entities of the answer.
    """

    reason: Literal["max_entities", "max_per_entity", "max_relationships", "max_steps"]
    at: tuple[Cut, ...] = ()
    more_entities: int = 0
    more_relationships: bool = False


@attrs.frozen(kw_only=True)
class Neighborhood(Generic[E, R]):
    """The entities around one, by distance, and the relationships between them that the filters admit.

    ``truncated`` is None if nothing was left out.
    """

    entities: tuple[Neighbor[E], ...]
    relationships: tuple[R, ...]
    truncated: Truncated | None = None


@attrs.frozen
class Begin:
    """Where the walk begins at the entity in the middle: after ``place``, with ``done`` relationships before that."""

    place: Place | None = None
    done: int = 0


@attrs.define
class Reach:
    """How far a walk came.

    ``distances`` are those of the entities that it reached. ``cuts`` are the entities at which it left something out,
    or was not let on at all: how many of their relationships it followed, and the place of the last one.
    """

    distances: dict[UUID, int]
    cuts: dict[UUID, tuple[int, Place | None]]
    reason: Literal["max_entities", "max_per_entity", "max_steps"] | None = None


def reach(walks: Walks, start: UUID, begin: Begin, query: NeighborhoodQuery) -> Reach:
    """Walk from an entity level by level, as far as the query lets it.

    Where a level does not fit into ``max_entities``, the strongest relationship of each entity comes first, then the
    second of each, so that no hub takes the place of all others.
    """
    found = Reach({start: 0}, {})
    frontier: Sequence[UUID] = [start]
    for distance in range(1, query.depth + 1):
        if found.reason in ("max_entities", "max_steps"):
            found.cuts |= dict.fromkeys(frontier, (0, None))
            break
        after = begin if distance == 1 else Begin()
        found, frontier = _level(walks, frontier, query, found, distance, after)
    return found


def _level(
    walks: Walks, frontier: Sequence[UUID], query: NeighborhoodQuery, before: Reach, distance: int, begin: Begin
) -> tuple[Reach, Sequence[UUID]]:
    """Take one step from each entity of a frontier; returns how far the walk is then, and what it has just reached.

    At first only the strongest steps of each entity are read, as many as are likely to fill the answer. If they don't
    fill it, all are read.
    """
    if not frontier:
        return before, ()
    room = query.max_entities - len(before.distances)
    few = max(_FEW_STEPS, _STEPS_FOR_ONE * room // len(frontier))
    if few < query.max_per_entity:
        found, reached = _follow(walks, frontier, query, before, distance, begin, few)
        if found.reason == "max_entities" or found.cuts == before.cuts:
            return found, reached
    return _follow(walks, frontier, query, before, distance, begin, query.max_per_entity)


def _follow(
    walks: Walks,
    frontier: Sequence[UUID],
    query: NeighborhoodQuery,
    before: Reach,
    distance: int,
    begin: Begin,
    most: int,
) -> tuple[Reach, Sequence[UUID]]:
    """Do what `_level` does with up to ``most`` steps from each entity."""
    found = Reach(dict(before.distances), dict(before.cuts), before.reason)
    steps = walks.steps(frontier, query, each=most + 1, limit=STEPS_MAX, after=begin.place)
    followed = {id: list(own) for id, own in groupby(steps, attrgetter("from_id"))}
    if len(steps) == STEPS_MAX:
        found.reason = "max_steps"
        for id in _unread(frontier, followed):
            own = followed.get(id, [])
            found.cuts[id] = _cut_after(own[:most], begin)
    for id, own in followed.items():
        if len(own) > most:
            del own[most:]
            found.cuts[id] = _cut_after(own, begin)
            found.reason = found.reason or "max_per_entity"
    reached: list[UUID] = []
    rest = [*followed.values()]
    for rank in range(max(map(len, rest), default=0)):
        rest = [own for own in rest if len(own) > rank]
        ranked = [own[rank] for own in rest]
        if len(found.distances) < query.max_entities:
            ranked.sort(key=lambda step: strength(step.place))
        for step in ranked:
            if step.to_id in found.distances:
                continue
            if len(found.distances) < query.max_entities:
                found.distances[step.to_id] = distance
                reached.append(step.to_id)
                continue
            found.reason = "max_entities"
            if step.from_id not in found.cuts or begin.done + rank < found.cuts[step.from_id][0]:
                found.cuts[step.from_id] = _cut_after(followed[step.from_id][:rank], begin)
    return found, reached


def _unread(frontier: Sequence[UUID], followed: Mapping[UUID, object]) -> Sequence[UUID]:
    """The entities of a frontier of which not all was read: the last one that was, and those after it."""
    last = next(reversed([id for id in frontier if id in followed]), None)
    return frontier if last is None else frontier[frontier.index(last) :]


def _cut_after(steps: Sequence[Step], begin: Begin) -> tuple[int, Place | None]:
    return (begin.done + len(steps), steps[-1].place if steps else begin.place)


def truncated(walks: Walks, query: NeighborhoodQuery, found: Reach, *, has_all_relationships: bool) -> Truncated | None:
    """What an answer says of what a walk left out."""
    if found.reason is None:
        return None if has_all_relationships else Truncated(reason="max_relationships", more_relationships=True)
    ids = sorted(found.cuts, key=lambda id: (found.distances[id], id.int))
    named = ids[:CUTS_MAX]
    done_max = max(done for done, _ in found.cuts.values())
    counts = walks.counts(named, query, done_max + LEFT_OUT_MAX)
    cuts = []
    for id in named:
        done, place = found.cuts[id]
        left_out = min(counts.get(id, 0) - done, LEFT_OUT_MAX)
        if left_out > 0:
            cursor = _cursor(id, query, place, done)
            cuts.append(Cut(id=id, left_out=left_out, is_at_least=left_out == LEFT_OUT_MAX, cursor=cursor))
    return Truncated(
        reason=found.reason,
        at=tuple(cuts),
        more_entities=len(ids) - len(named),
        more_relationships=not has_all_relationships,
    )


def _listing(id: UUID, query: NeighborhoodQuery) -> str:
    return fingerprint("neighborhood", id, *filters_of(query))


def _cursor(id: UUID, query: NeighborhoodQuery, place: Place | None, done: int) -> str:
    return encode_cursor(_listing(id, query), done, *(() if place is None else place_parts(place)))


def begin_of(start: UUID, query: NeighborhoodQuery) -> Begin:
    """Where the query's cursor says that the walk goes on. Raises InvalidCursor."""
    if query.cursor is None:
        return Begin()
    listing = _listing(start, query)
    try:
        [done] = decode_cursor(listing, query.cursor, int)
        return Begin(None, done)
    except InvalidCursor:
        done, *parts = decode_cursor(listing, query.cursor, int, *PLACE_KINDS)
    return Begin(place_of(*parts), done)
