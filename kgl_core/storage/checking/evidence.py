"""Compares what facts show of their evidence with the assertions that are in force about them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final
from uuid import UUID

import attrs

from kgl_core.evidence.assertions import Assertion
from kgl_core.evidence.stored_evidence import origins_of
from kgl_core.evidence.supporting import shown
from kgl_core.graph.facts import Fact
from kgl_core.graph.nouns import noun_of
from kgl_core.kernel.checked_records import same_values
from kgl_core.kernel.store_errors import UnreadableRow
from kgl_core.kernel.units_of_work import UnitOfWork
from kgl_core.storage.checking.findings import Finding

COMPARED_AT_ONCE: Final = 500
"""How many facts are compared at a time: their assertions are read at once."""


def unlike_evidence(uow: UnitOfWork, facts: Sequence[Fact]) -> Iterator[Finding]:
    """The facts that show something else than their assertions make."""
    ids = [fact.id for fact in facts]
    try:
        said = [*uow.assertions.of_entities(ids), *uow.assertions.of_relationships(ids)]
        origins = origins_of(uow, said)
    except UnreadableRow:  # which is found where assertions, sources and extractors are looked at
        return
    about: dict[UUID, list[Assertion]] = {id: [] for id in ids}
    for each in said:
        about[each.fact_id].append(each)
    for fact in facts:
        own = about[fact.id]
        if any(each.source_id is not None and each.source_id not in origins.sources for each in own):
            continue  # the same
        state = attrs.evolve(fact, **shown(fact, own, origins))
        if not same_values(fact, state, noun_of(fact).field_names):
            yield Finding("stale_evidence", f"{noun_of(fact).name} {fact.id}", (noun_of(fact).name, fact.id))
