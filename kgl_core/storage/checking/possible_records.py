"""Whether kgl can have stored a record at all: what no version of its rules ever allowed."""

from __future__ import annotations

from typing import Final

from kgl_core.graph.entities import Entity
from kgl_core.graph.nouns import noun_of
from kgl_core.graph.relationships import Relationship
from kgl_core.kernel.nouns.records import Record
from kgl_core.kernel.periods import period_of
from kgl_core.kernel.permissions import Actor, ActorKind

VERSION_MAX: Final = 1_000_000_000
"""No record has been changed more often: at a hundred changes a second, that would take four months."""


def broken(record: Record) -> str:
    """What is wrong with a record that kgl can't have stored; empty when nothing is."""
    if isinstance(record, Relationship):
        for date in (record.valid_from, record.valid_to):
            if date is not None and (type(date) is not str or period_of(date) is None):
                return "it has a date that is none"
    noun = noun_of(record)
    names = () if noun.unique is None else noun.unique.fields
    for field in noun.fields:
        value = getattr(record, field.name)
        if value is None and not field.is_optional:
            return f"it has no {field.name}"
        is_needed = field.type is str and (field.name in names or not field.is_optional)
        texts = value if field.type == tuple[str, ...] else (value,) if is_needed else ()
        if any(text is not None and (type(text) is not str or not text) for text in texts):
            return f"its {field.name} is empty or no text"
    if type(record.version) is not int or not 1 <= record.version <= VERSION_MAX:
        return "its version is none that a record can have"
    if isinstance(record, Entity | Relationship) and not 0 <= (record.confidence or 0) <= 1:
        return "its confidence is not within 0 and 1"
    if not _is_somebody(record.created_by) or not (record.deleted_by is None or _is_somebody(record.deleted_by)):
        return "nobody is named as who created or deleted it"
    return ""


def unlike(record: Record, last: Record) -> str:
    """How a record differs from its last change in what never changes; empty when it does not."""
    names = [name for name in ("created_by", "created_at") if getattr(record, name) != getattr(last, name)]
    return f"its {' and '.join(names)} never changes, but differs from the journal" if names else ""


def _is_somebody(actor: Actor | None) -> bool:
    return actor is not None and (actor.kind is ActorKind.SYSTEM) is (actor.id is None)
