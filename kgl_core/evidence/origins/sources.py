"""Sources: the documents, pages and databases that say something, and the port that stores them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Never, TypedDict

import attrs

from kgl_core.graph.entities import Json
from kgl_core.graph.metadata import JsonObject
from kgl_core.graph.shared_fields import SOURCE_LENGTH_MAX, SOURCE_TYPE
from kgl_core.kernel.checked_records import check, ruled
from kgl_core.kernel.field_rules import Instant, Optional, Text
from kgl_core.kernel.ids import SourceId, uri_id
from kgl_core.kernel.nouns.noun import Noun
from kgl_core.kernel.periods import Date
from kgl_core.kernel.permissions import Actor

URI: Final = Text(SOURCE_LENGTH_MAX)
TITLE: Final = Text(500)


class SourceFields(TypedDict, total=False):
    """The fields that a caller gives a source, as keyword arguments. `SourceDraft` has the rules."""

    uri: str
    title: str | None
    type: str | None
    published: str | None
    metadata: Mapping[str, Json]


@attrs.frozen(kw_only=True)
class SourceDraft:
    """What a caller says of a source, checked as a whole: raises InvalidInput with every fault.

    ``uri`` is required and identifies it: a URI, or an id of the caller's own. ``published`` says when it was
    published, as in `Date`.
    """

    uri: str = ruled(URI)
    title: str | None = ruled(Optional(TITLE), default=None)
    type: str | None = ruled(SOURCE_TYPE, default=None)
    published: str | None = ruled(Optional(Date()), default=None)
    metadata: Mapping[str, Json] = ruled(JsonObject(), default=attrs.Factory(dict))

    def __attrs_post_init__(self) -> None:
        check(self)


def source_id(uri: str) -> SourceId:
    """The id of the source with this URI; there is only one, since it follows from the URI."""
    return SourceId(uri_id(uri))


@attrs.frozen(kw_only=True, slots=False)
class Source:
    """A source as a store keeps it: a checked draft, and who named it first and when.

    Where sources differ, what those of a higher ``rank`` say wins: `Origins` has the rule. ``version`` counts from 1
    and grows by 1 with every change.
    """

    id: SourceId
    uri: str
    title: str | None
    type: str | None
    published: str | None
    metadata: Mapping[str, Any]
    created_by: Actor
    created_at: datetime
    rank: int = 0
    version: int = 1


class SourceFilterFields(TypedDict, total=False):
    """The filters of a listing, as keyword arguments. `SourceFilter` has the rules."""

    type: str
    created_after: datetime
    created_before: datetime


@attrs.frozen(kw_only=True)
class SourceFilter:
    """Which sources a listing holds; None means any. ``created_after`` and ``created_before`` are exclusive."""

    type: str | None = ruled(SOURCE_TYPE, default=None)
    created_after: datetime | None = ruled(Optional(Instant()), default=None)
    created_before: datetime | None = ruled(Optional(Instant()), default=None)

    def __attrs_post_init__(self) -> None:
        check(self)


SOURCE: Final = Noun[Source, SourceDraft, SourceFilter, Never](
    name="source",
    plural="sources",
    record=Source,
    draft=SourceDraft,
    filter=SourceFilter,
    sorts={"created_at": "created_at"},
    fixed=("uri",),
)
