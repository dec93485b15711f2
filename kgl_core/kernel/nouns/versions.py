"""Versions of records: what must hold of the present one before a change, and how the next one is made."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Any, TypeVar

import attrs

from kgl_core.kernel.errors import Fault, InvalidInput, StaleVersion
from kgl_core.kernel.nouns.noun import AnyNoun
from kgl_core.kernel.nouns.records import Record, Versioned

R = TypeVar("R", bound=Record)
_Noun = AnyNoun

Precondition = Callable[[Any], object]
"""Looks at a record before it is changed, while nobody else can change it; what it raises ends the call."""


def next_version(record: R, now: datetime, **values: Any) -> R:
    """The record's next version, changed now, with these values."""
    return attrs.evolve(record, version=record.version + 1, updated_at=now, **values)


def require_state(noun: _Noun, record: Versioned, expected: int | None, precondition: Precondition | None) -> None:
    """Raise StaleVersion unless ``expected`` is None or the record's version, and whatever the precondition raises.

    Raises InvalidInput when ``expected`` can't be a version.
    """
    if expected is not None:
        if type(expected) is not int or expected < 1:
            advice = "give the version that you read, 1 or more"
            raise InvalidInput([Fault("/expected_version", "out_of_range", advice)])
        if record.version != expected:
            raise StaleVersion(noun.name, record.id, expected, record.version)
    if precondition is not None:
        precondition(record)


def require_fixed(noun: _Noun, record: Record, draft: object) -> None:
    """Raise InvalidInput when ``draft`` changes what can't change in a record."""
    moved = [name for name in noun.fixed if getattr(draft, name) != getattr(record, name)]
    if moved:
        word = noun.name
        advice = f"it identifies the {word} and can't change; delete the {word} and create another"
        raise InvalidInput([Fault(f"/{name}", "immutable", advice) for name in moved])


def in_order(records: Collection[R], is_active: bool | None) -> Sequence[R]:
    """The active ones of these records (True), the deleted ones (False), or both (None), ordered by id."""
    wanted = (record for record in records if is_active in (None, record.is_active))
    return sorted(wanted, key=lambda record: record.id)
