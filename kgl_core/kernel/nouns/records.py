"""Records: what kgl notes of all that has versions and can be restored once it is deleted, and how it is filtered."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any, Final, Protocol, TypedDict, TypeVar
from uuid import UUID

import attrs

from kgl_core.kernel.checked_records import check, ruled
from kgl_core.kernel.errors import NotFound
from kgl_core.kernel.field_rules import Each, Flag, Id, Instant, Optional
from kgl_core.kernel.permissions import Actor


class Kept(Protocol):
    """What every record has, also where it has no versions."""

    @property
    def id(self) -> UUID: ...
    @property
    def created_at(self) -> datetime: ...


class Versioned(Kept, Protocol):
    """What every record has that has versions."""

    @property
    def version(self) -> int: ...


K = TypeVar("K", bound=Kept)


def found(record: K | None, kind: str, name: object) -> K:
    """The record. Raises NotFound when it is None: there is no ``kind`` with this ``name``, an id or another one."""
    if record is None:
        raise NotFound(kind, name)
    return record


NEVER_CHANGE: Final = ("id", "created_by", "created_at")
"""The fields of a record that no later version changes."""


@attrs.frozen(kw_only=True, slots=False)  # with slots, making one takes twice as long
class Record:
    """What kgl notes of every record. Its kinds add what callers say.

    ``version`` counts from 1 and grows by 1 with every change. ``deleted_at`` and ``deleted_by`` are set together.
    """

    id: UUID
    created_by: Actor
    created_at: datetime
    updated_at: datetime
    version: int = 1
    deleted_at: datetime | None = None
    deleted_by: Actor | None = None

    @property
    def is_active(self) -> bool:
        """Whether it is not deleted."""
        return self.deleted_at is None


_NOTED: Final = frozenset(field.name for field in attrs.fields(Record))


def said_first(cls: type, fields: Sequence[attrs.Attribute[Any]]) -> list[attrs.Attribute[Any]]:
    """Order the fields of a record as people read it: its id, what a caller says, what kgl notes, what has a default.

    It is a ``field_transformer`` of attrs.
    """

    def place(field: attrs.Attribute[Any]) -> int:
        if field.name == "id":
            return 0
        if field.name in _NOTED:
            return 2
        return 1 if field.default is attrs.NOTHING else 3

    return sorted(fields, key=place)


SELECTED_MAX: Final = 1_000
"""How many records can be asked for at once."""


@attrs.frozen(kw_only=True)
class RecordSelection:
    """Records to fetch at once, by id: up to 1,000. ``is_active`` False finds the deleted ones, None both."""

    ids: tuple[UUID, ...] = ruled(Each(Id(), SELECTED_MAX), default=())
    is_active: bool | None = ruled(Optional(Flag()), default=True)

    def __attrs_post_init__(self) -> None:
        check(self)


class RecordFilterFields(TypedDict, total=False):
    """The filters that all records have, as keyword arguments."""

    created_after: datetime
    created_before: datetime
    updated_after: datetime
    updated_before: datetime
    is_active: bool | None


@attrs.frozen(kw_only=True)
class RecordFilter:
    """Which records a listing holds; None means any.

    ``…_after`` and ``…_before`` are exclusive. ``is_active`` is True by default; None lists deleted records, too. A
    record needs to match only one of several values; they are sorted and each kept once, so that the same filter is
    always the same value.
    """

    created_after: datetime | None = ruled(Optional(Instant()), default=None)
    created_before: datetime | None = ruled(Optional(Instant()), default=None)
    updated_after: datetime | None = ruled(Optional(Instant()), default=None)
    updated_before: datetime | None = ruled(Optional(Instant()), default=None)
    is_active: bool | None = ruled(Optional(Flag()), default=True)

    def __attrs_post_init__(self) -> None:
        check(self)
        cls: Any = type(self)
        for name in _with_several(cls):
            value = getattr(self, name)
            if len(value) > 1:
                object.__setattr__(self, name, tuple(sorted(set(value))))


@cache
def _with_several(cls: Any) -> Sequence[str]:
    """The filters of this class that take several values."""
    return [field.name for field in attrs.fields(cls) if field.default == ()]
