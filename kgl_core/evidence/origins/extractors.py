"""Extractors: the programs that find entities and relationships in sources, known by their names."""

from __future__ import annotations

from datetime import datetime
from typing import Final, Never, TypedDict

import attrs

from kgl_core.graph.shared_fields import EXTRACTOR as NAME
from kgl_core.kernel.checked_records import check, ruled
from kgl_core.kernel.field_rules import Instant, Optional
from kgl_core.kernel.ids import ExtractorId, uri_id
from kgl_core.kernel.nouns.noun import Noun
from kgl_core.kernel.permissions import Actor


class ExtractorFields(TypedDict, total=False):
    """The fields that a caller gives an extractor, as keyword arguments. `ExtractorDraft` has the rules."""

    name: str


@attrs.frozen(kw_only=True)
class ExtractorDraft:
    """What a caller says of an extractor, checked as a whole: raises InvalidInput. ``name`` identifies it."""

    name: str = ruled(NAME)

    def __attrs_post_init__(self) -> None:
        check(self)


def extractor_id(name: str) -> ExtractorId:
    """The id of the extractor with this name, which follows from it as that of a source from its URI."""
    return ExtractorId(uri_id(name))


@attrs.frozen(kw_only=True, slots=False)
class Extractor:
    """An extractor as a store keeps it: its name, who named it first and when, and how far it is trusted.

    Whoever runs it, and whatever its version, it is one extractor. ``version`` counts from 1 and grows by 1 with every
    change of its rank.
    """

    id: ExtractorId
    name: str
    created_by: Actor
    created_at: datetime
    rank: int = 0
    version: int = 1


class ExtractorFilterFields(TypedDict, total=False):
    """The filters of a listing, as keyword arguments. `ExtractorFilter` has the rules."""

    created_after: datetime
    created_before: datetime


@attrs.frozen(kw_only=True)
class ExtractorFilter:
    """Which extractors a listing holds; None means any. Both moments are exclusive."""

    created_after: datetime | None = ruled(Optional(Instant()), default=None)
    created_before: datetime | None = ruled(Optional(Instant()), default=None)

    def __attrs_post_init__(self) -> None:
        check(self)


EXTRACTOR: Final = Noun[Extractor, ExtractorDraft, ExtractorFilter, Never](
    name="extractor",
    plural="extractors",
    record=Extractor,
    draft=ExtractorDraft,
    filter=ExtractorFilter,
    sorts={"created_at": "created_at"},
    fixed=("name",),
)
