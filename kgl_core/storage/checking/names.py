"""Compares the index of names with the entities that it is made of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kgl_core.graph.entities import Entity
from kgl_core.graph.naming.names import name_rows
from kgl_core.storage.checking.findings import Finding
from kgl_core.storage.checking.inspection import Inspection


def unlike_names(inspection: Inspection, entities: Sequence[Entity]) -> Iterator[Finding]:
    """The entities that the index has otherwise than they are."""
    held = inspection.names(entities) if entities else {}
    for entity in entities:
        if list(held[entity.id]) != list(name_rows(entity)):
            yield Finding("stale_names", f"entity {entity.id}", entity.id)
