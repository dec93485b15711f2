"""What entities and relationships share: where they come from, and the filters of their listings."""

from __future__ import annotations

from datetime import datetime
from typing import Final, TypedDict

import attrs

from kgl_core.kernel.checked_records import check, ruled, rules_of
from kgl_core.kernel.field_rules import Flag, Instant, Number, Optional, Text

SOURCE_LENGTH_MAX: Final = 2000
FILTER_VALUES_MAX: Final = 200
CONFIDENCE: Final = Optional(Number(0, 1))
SOURCE: Final = Optional(Text(SOURCE_LENGTH_MAX))
SOURCE_TYPE: Final = Optional(Text(64))


class RecordFilterFields(TypedDict, total=False):
    """The filters that both have, as keyword arguments."""

    min_confidence: float
    max_confidence: float
    source: str
    source_type: str
    created_after: datetime
    created_before: datetime
    updated_after: datetime
    updated_before: datetime
    is_active: bool | None


@attrs.frozen(kw_only=True)
class RecordFilter:
    """Which records a listing holds; None means any.

    Confidence bounds are inclusive, and an unknown confidence is within none. ``…_after`` and ``…_before`` are
    exclusive. ``is_active`` is True by default; None lists deleted records, too. A record needs to match only one of
    several values; they are sorted and each kept once, so that the same filter is always the same value.
    """

    min_confidence: float | None = ruled(CONFIDENCE, default=None)
    max_confidence: float | None = ruled(CONFIDENCE, default=None)
    source: str | None = ruled(SOURCE, default=None)
    source_type: str | None = ruled(SOURCE_TYPE, default=None)
    created_after: datetime | None = ruled(Optional(Instant()), default=None)
    created_before: datetime | None = ruled(Optional(Instant()), default=None)
    updated_after: datetime | None = ruled(Optional(Instant()), default=None)
    updated_before: datetime | None = ruled(Optional(Instant()), default=None)
    is_active: bool | None = ruled(Optional(Flag()), default=True)

    def __attrs_post_init__(self) -> None:
        check(self)
        for name in rules_of(type(self)):
            value = getattr(self, name)
            if type(value) is tuple and len(value) > 1:
                object.__setattr__(self, name, tuple(sorted(set(value))))
