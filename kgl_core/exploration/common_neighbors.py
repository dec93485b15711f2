"""Common neighbors: the entities that are next to all of several others."""

from __future__ import annotations

from datetime import datetime
from typing import Final, Generic
from uuid import UUID

import attrs

from kgl_core.exploration.neighborhoods import STEPS_MAX
from kgl_core.exploration.subgraphs import Cap
from kgl_core.exploration.walked_records import E, R, Records, require_active
from kgl_core.exploration.walks import WalkFilter, filters_of, joining
from kgl_core.kernel.checked_records import ruled
from kgl_core.kernel.errors import Fault, InvalidInput
from kgl_core.kernel.field_rules import Each, Id, Integer, Optional, Text
from kgl_core.kernel.nouns.listings import require_known
from kgl_core.kernel.nouns.pages import (
    CURSOR_LENGTH_MAX,
    LIMIT_DEFAULT,
    LIMIT_MAX,
    decode_cursor,
    encode_cursor,
    fingerprint,
)
from kgl_core.kernel.units_of_work import UnitOfWork

COMMON_MAX: Final = 10


@attrs.frozen(kw_only=True)
class CommonQuery(WalkFilter):
    """Whose common neighbors are wanted: two to ten entities. Pages are as in listings."""

    id: tuple[UUID, ...] = ruled(Each(Id(), COMMON_MAX, min_items=2))
    limit: int = ruled(Integer(1, LIMIT_MAX), default=LIMIT_DEFAULT)
    cursor: str | None = ruled(Optional(Text(CURSOR_LENGTH_MAX)), default=None)

    def __attrs_post_init__(self) -> None:
        WalkFilter.__attrs_post_init__(self)
        object.__setattr__(self, "id", tuple(dict.fromkeys(self.id)))
        if len(self.id) < 2:
            raise InvalidInput([Fault("/id", "too_few", "give at least two different entities")])


@attrs.frozen(kw_only=True)
class CommonNeighbors(Generic[E, R]):
    """A page of the entities that are next to all of those given, by id, and the relationships that make them so.

    ``next_cursor`` leads to the next page; it is None on the last one. ``truncated`` is None, or says that the entities
    have so many relationships that only the strongest were looked at.
    """

    entities: tuple[E, ...]
    relationships: tuple[R, ...]
    limit: int
    next_cursor: str | None = None
    truncated: Cap | None = None


def common_neighbors(uow: UnitOfWork, records: Records[E, R], query: CommonQuery) -> CommonNeighbors[E, R]:
    """A page of common neighbors: the neighbors of the entity with the fewest that are next to all the others."""
    walks = uow.walks
    listing = fingerprint("common", query.id, *filters_of(query))
    after: UUID | None = None
    if query.cursor is not None:
        after, created_at = decode_cursor(listing, query.cursor, UUID, datetime)
        require_known(uow.entities.get(after), created_at)
    counts = walks.counts(query.id, query, STEPS_MAX)
    first, *others = sorted(query.id, key=lambda id: (counts.get(id, 0), id.int))
    steps = walks.steps([first], query, limit=STEPS_MAX + 1)
    cut = Cap(reason="max_steps") if len(steps) > STEPS_MAX else None
    common = {step.to_id for step in steps}.difference(query.id)
    for other in others:
        joined = joining(walks, query, [other], common, STEPS_MAX)
        if len(joined) >= STEPS_MAX:
            cut = Cap(reason="max_steps")
        common &= {step.to_id for step in joined}
    left = sorted((id for id in common if after is None or id.int > after.int), key=lambda id: id.int)
    page = left[: query.limit]
    named = sorted({step.id for step in joining(walks, query, query.id, page, STEPS_MAX)}, key=lambda id: id.int)
    more = None
    if len(left) > len(page):
        [last] = require_active(uow, page[-1:])
        more = encode_cursor(listing, str(last.id), last.created_at.isoformat())
    return CommonNeighbors(
        entities=records.entities(page),
        relationships=records.relationships(named),
        limit=query.limit,
        next_cursor=more,
        truncated=cut,
    )
