"""Searching: what is done to find entities by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final, Generic, Unpack
from uuid import UUID

import attrs

from kgl_core.exploration.search.answers import COMPARED, Found, found, ranked
from kgl_core.exploration.search.linking import Linked, LinkQuery, link
from kgl_core.exploration.search.names import CANDIDATES_MAX, FacetField, Hits
from kgl_core.exploration.search.nearest_words import nearest_words
from kgl_core.exploration.search.questions import QUESTION, read_question
from kgl_core.exploration.subgraphs import Cap
from kgl_core.exploration.walked_records import Compared, E, Part, check_fields
from kgl_core.graph.entities import Entity, EntityFilter, EntityFilterFields
from kgl_core.graph.shared_fields import FILTER_VALUES_MAX
from kgl_core.kernel.checked_records import build, check, ruled
from kgl_core.kernel.errors import Fault, InvalidInput
from kgl_core.kernel.field_rules import TYPE_NAME, Choice, Each, Integer, Optional, Text
from kgl_core.kernel.garbage import collector_paused
from kgl_core.kernel.nouns.listings import require_known
from kgl_core.kernel.nouns.pages import (
    CURSOR_LENGTH_MAX,
    LIMIT_DEFAULT,
    LIMIT_MAX,
    decode_cursor,
    encode_cursor,
    fingerprint,
)
from kgl_core.kernel.permissions import Action, require
from kgl_core.kernel.units_of_work import Context, UnitOfWork

RESULTS_MAX: Final = CANDIDATES_MAX
"""How many of the entities that answer a question can be reached, page by page."""
SUGGESTIONS_MAX: Final = 20
FACET_VALUES_MAX: Final = 50
_READ_STEPS: Final = (150, 300, RESULTS_MAX)
"""How many of the best a store is asked for, by the page: few different numbers, of which each has a plan."""
_COME_MEANWHILE: Final = 50
"""How many entities may have come before the place of a cursor since then; it is still found by its entity."""
_SUGGESTED_FROM: Final = 50
"""How many names a suggestion is chosen from."""


@attrs.frozen(kw_only=True)
class SearchQuery(EntityFilter):
    """What to search for, among the active entities that pass the filters of a listing.

    Of ``q``, every word must occur in one name, the last one perhaps as a beginning; what is between quotation marks
    must occur as it stands. ``facets`` are fields of which the values are counted: type, source.
    """

    q: str = ruled(QUESTION)
    limit: int = ruled(Integer(1, LIMIT_MAX), default=LIMIT_DEFAULT)
    cursor: str | None = ruled(Optional(Text(CURSOR_LENGTH_MAX)), default=None)
    facets: tuple[FacetField, ...] = ruled(Each(Choice(("type", "source")), 2, single=True), default=())

    def __attrs_post_init__(self) -> None:
        EntityFilter.__attrs_post_init__(self)
        faults = []
        for name, only in (("is_active", True), ("is_retired", None)):
            if getattr(self, name) not in (only, False if only is None else only):
                faults.append(Fault(f"/{name}", "not_searchable", "search finds active entities only; list the others"))
        if faults:
            raise InvalidInput(faults)


@attrs.frozen(kw_only=True)
class SuggestQuery:
    """What somebody has typed so far; up to ``limit`` entities are suggested, of any of these types."""

    q: str = ruled(QUESTION)
    limit: int = ruled(Integer(1, SUGGESTIONS_MAX), default=10)
    type: tuple[str, ...] = ruled(Each(TYPE_NAME, FILTER_VALUES_MAX, single=True), default=())

    def __attrs_post_init__(self) -> None:
        check(self)


@attrs.frozen
class FacetCount:
    """A value of a field, and how many of the entities that are found have it."""

    value: str | None
    count: int


@attrs.frozen(kw_only=True)
class Results(Generic[E]):
    """A page of what answers a question, the best first; ``next_cursor`` leads to the next page, None on the last.

    ``total`` is how many entities answer it. ``truncated`` is None, or says that not all were looked at
    (max_candidates), so that ``total`` is at least that many, or can be reached (max_results). Whole names, and what
    begins as the question, are looked at first.
    ``facets`` has the most frequent values of the fields asked for. Where nothing is found, ``nearest_words`` are words
    that do exist.
    """

    items: tuple[Found[E], ...]
    limit: int
    total: int
    next_cursor: str | None = None
    truncated: Cap | None = None
    facets: Mapping[FacetField, tuple[FacetCount, ...]]
    nearest_words: tuple[str, ...] = ()


class Search(Generic[E]):
    """Finds entities by name, on behalf of one actor. Answers have entities as E.

    Every method raises PermissionDenied when the actor may not read, InvalidInput for malformed arguments, and
    StoreError when the store is in trouble.
    """

    def __init__(self, context: Context, fields: frozenset[str] | None = None) -> None:
        self._context, self._fields = context, fields

    def showing(self, *fields: str) -> Search[Part]:
        """The same searches, quicker: answers have mappings in place of entities, with these fields and ``id``."""
        return Search(self._context, check_fields(fields))

    def __call__(
        self,
        q: str,
        *,
        limit: int = LIMIT_DEFAULT,
        cursor: str | None = None,
        facets: FacetField | Sequence[FacetField] = (),
        **filter: Unpack[EntityFilterFields],
    ) -> Results[E]:
        """A page of the active entities with a name that ``q`` asks for. `SearchQuery` has the arguments.

        Raises InvalidCursor for a cursor of another search, HistoryLost for one of another store.
        """
        require(self._context.actor, Action.READ)
        given: dict[str, Any] = {"q": q, "limit": limit, "cursor": cursor, "facets": facets, **filter}
        query = build(SearchQuery, given)
        question = read_question(query.q)
        with self._context.store.snapshot() as uow:
            begin, last = _begin_of(uow, query)
            limit = next(
                step for step in _READ_STEPS if step == RESULTS_MAX or step > begin + query.limit + _COME_MEANWHILE
            )
            hits = uow.names.find(question, query, candidates=CANDIDATES_MAX, limit=limit)
            ids = ranked(uow, hits.best)
            if last in ids:
                begin = ids.index(last) + 1
            page = ids[begin : begin + query.limit]
            items, created_at = found(uow, question, Compared[E](self._fields, COMPARED), page)
            facets_found = uow.names.facets(
                question, query, query.facets, candidates=CANDIDATES_MAX, limit=FACET_VALUES_MAX
            )
            near = () if hits.total or hits.is_cut else nearest_words(uow.names, question)
        more = None
        if created_at is not None and begin + len(page) < min(hits.total, RESULTS_MAX):
            place = (begin + len(page), str(page[-1]), created_at.isoformat())
            more = encode_cursor(_listing(query), *place)
        return Results(
            items=items,
            limit=query.limit,
            total=hits.total,
            next_cursor=more,
            truncated=_cut(hits),
            facets={field: tuple(FacetCount(*each) for each in counts) for field, counts in facets_found.items()},
            nearest_words=near,
        )

    def suggest(self, q: str, *, limit: int = 10, type: str | Sequence[str] = ()) -> tuple[Found[E], ...]:
        """Up to ``limit`` (1..20) entities to suggest while somebody types ``q``.

        Names that begin with it come first, whatever else is known of them; then those that have its words.
        """
        require(self._context.actor, Action.READ)
        query = build(SuggestQuery, {"q": q, "limit": limit, "type": type})
        question, filter = read_question(query.q), EntityFilter(type=query.type)
        with self._context.store.snapshot() as uow:
            find = partial(uow.names.find, question, filter, candidates=_SUGGESTED_FROM, limit=_SUGGESTED_FROM)
            # Many names begin with one word. Few begin with several, so that all are asked for at once.
            is_one_word = " " not in question.whole
            hits = find(beginning=is_one_word)
            if is_one_word and hits.total < query.limit:
                hits = find()
            ids = ranked(uow, hits.best)[: query.limit]
            items, _ = found(uow, question, Compared[E](self._fields, COMPARED), ids)
        return items

    def link(self, names: Sequence[str | Mapping[str, Any]], *, limit: int = 5) -> tuple[Linked[E], ...]:
        """For each of up to 1,000 names, up to ``limit`` (1..20) entities that have just this name.

        A name is text, or a mapping with ``name`` and ``type``. Extractors call it before they create entities.
        """
        require(self._context.actor, Action.READ)
        # Anything but a list goes to its rule as it is: a text is a list of its characters otherwise.
        is_list = isinstance(names, (list, tuple))
        asked = [{"name": each} if isinstance(each, str) else each for each in names] if is_list else names
        query = build(LinkQuery, {"names": asked, "limit": limit})
        with self._context.store.snapshot() as uow, collector_paused():
            return link(uow.names, query, self._fields)


RecordSearch = Search[Entity]
"""Searches whose answers have whole entities."""


def _cut(hits: Hits) -> Cap | None:
    if hits.is_cut:
        return Cap(reason="max_candidates")
    return Cap(reason="max_results") if hits.total > RESULTS_MAX else None


def _listing(query: SearchQuery) -> str:
    asked = attrs.asdict(query, recurse=False, filter=lambda field, _: field.name not in ("limit", "cursor", "facets"))
    return fingerprint("search", *asked.items())


def _begin_of(uow: UnitOfWork, query: SearchQuery) -> tuple[int, UUID | None]:
    """Where the page begins, and after which entity, wherever that is now. Raises InvalidCursor, HistoryLost."""
    if query.cursor is None:
        return 0, None
    place, id, created_at = decode_cursor(_listing(query), query.cursor, int, UUID, datetime)
    require_known(uow.entities.get(id), created_at)
    return place, id
