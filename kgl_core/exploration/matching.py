"""Matching: the rows of a pattern, and the records that they name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic
from uuid import UUID

import attrs

from kgl_core.exploration.patterns import COUNTED_MAX, Pattern
from kgl_core.exploration.subgraphs import Cap
from kgl_core.exploration.walked_records import E, R, Records
from kgl_core.kernel.units_of_work import UnitOfWork


@attrs.frozen(kw_only=True)
class Matches(Generic[E, R]):
    """The rows of a pattern, as ids by variable, and the records that they name, each once.

    ``truncated`` is None, or says that there are more rows than ``limit``. ``total`` is how many there are, if that was
    asked for; with ``is_total_cut`` there are more, because counting stopped there.
    """

    rows: tuple[Mapping[str, UUID | None], ...]
    entities: tuple[E, ...]
    relationships: tuple[R, ...]
    limit: int
    truncated: Cap | None = None
    total: int | None = None
    is_total_cut: bool = False


def match(uow: UnitOfWork, records: Records[E, R], pattern: Pattern) -> Matches[E, R]:
    """The rows of a pattern in a unit of work that sees one moment."""
    found = uow.patterns.rows(pattern, pattern.limit + 1)
    kept = found[: pattern.limit]
    is_cut = len(found) > pattern.limit
    total = uow.patterns.count(pattern, COUNTED_MAX + 1) if pattern.count and is_cut else len(kept)
    nodes = {name for part in pattern.shown_parts for name in part.nodes}
    ids: dict[bool, dict[UUID, None]] = {True: {}, False: {}}
    for row in kept:
        for name, id in zip(pattern.returned, row, strict=True):
            if id is not None:
                ids[name in nodes][id] = None
    return Matches(
        rows=tuple(dict(zip(pattern.returned, row, strict=True)) for row in kept),
        entities=records.entities(ids[True]),
        relationships=records.relationships(ids[False]),
        limit=pattern.limit,
        truncated=Cap(reason="limit") if is_cut else None,
        total=min(total, COUNTED_MAX) if pattern.count else None,
        is_total_cut=pattern.count and total > COUNTED_MAX,
    )
