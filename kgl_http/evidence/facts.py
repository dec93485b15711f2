"""``…/{id}/assertions``, ``…/values`` and ``…/pinned`` of entities and relationships: the evidence of one fact."""

from __future__ import annotations

from abc import ABC
from typing import Any, ClassVar, Final

import attrs

from kgl_core.evidence.asserting import PINNED_MAX
from kgl_core.evidence.assertions import ASSERTION, AssertionDraft, SourcedAssertion, Stance
from kgl_core.evidence.supporting import Value
from kgl_core.graph.entities import ENTITY, Entity
from kgl_core.graph.nouns import GraphNoun
from kgl_core.graph.relationships import RELATIONSHIP, Relationship
from kgl_core.graph.shared_fields import EXTRACTOR
from kgl_core.kernel.checked_records import build, check, ruled
from kgl_core.kernel.field_rules import Choice, Each, Flag, Optional, Text
from kgl_core.kernel.nouns.pages import LIMIT_DEFAULT
from kgl_core.kernel.permissions import Action
from kgl_http.api.envelope import send, send_page
from kgl_http.api.operations import Answer, GraphResource, operation
from kgl_http.api.preconditions import send_record
from kgl_http.api.query_parameters import CURSOR, LIMIT, NoQuery

_POINTER_LENGTH_MAX: Final = 2_000


@attrs.frozen(kw_only=True)
class FactAssertionQuery:
    """The assertions about one fact in force; with ``is_withdrawn`` those that were withdrawn, or both (any)."""

    extractor: str | None = ruled(Optional(EXTRACTOR), default=None)
    stance: str | None = ruled(Optional(Choice(tuple(stance.value for stance in Stance))), default=None)
    is_withdrawn: bool | None = ruled(Optional(Flag()), default=False)
    sort: str = ruled(ASSERTION.sort_rule, default="asserted_at")
    limit: int = ruled(LIMIT, default=LIMIT_DEFAULT)
    cursor: str | None = ruled(CURSOR, default=None)

    def __attrs_post_init__(self) -> None:
        check(self)


@attrs.frozen(kw_only=True)
class Pins:
    """What the assertions about a fact do not change, checked as a whole: raises InvalidInput with every fault.

    ``pinned`` are JSON Pointers (RFC 6901) such as /confidence, /name, /metadata/born or /is_active.
    """

    pinned: tuple[str, ...] = ruled(Each(Text(_POINTER_LENGTH_MAX), PINNED_MAX))

    def __attrs_post_init__(self) -> None:
        check(self)


_LISTING: Final[dict[str, Any]] = {
    "action": Action.READ,
    "query": FactAssertionQuery,
    "answers": {200: Answer(SourcedAssertion, "page")},
    "errors": (404,),
}
_ASSERTING: Final[dict[str, Any]] = {
    "action": Action.CREATE,
    "takes_run": True,
    "body": AssertionDraft,
    "answers": {201: Answer(SourcedAssertion, has_location=True)},
    "errors": (404,),
}
_VALUES: Final[dict[str, Any]] = {"action": Action.READ, "answers": {200: Answer(Value, "page")}, "errors": (404,)}
_PINNING: Final[dict[str, Any]] = {"action": Action.CHANGE, "takes_run": True, "body": Pins, "errors": (404,)}


class _OfFact(GraphResource, ABC):
    """A resource below a fact, whose kind a subclass names."""

    _noun: ClassVar[GraphNoun]

    def _list(self, req: Any, resp: Any, id: str) -> None:
        query = req.read_query(FactAssertionQuery)
        page = self._graph(req).assertions.of(
            self._noun,
            req.read_id(id),
            sort=query.sort,
            limit=query.limit,
            cursor=query.cursor,
            extractor=query.extractor,
            stance=query.stance,
            is_withdrawn=query.is_withdrawn,
        )
        send_page(req, resp, page)

    def _assert(self, req: Any, resp: Any, id: str) -> None:
        req.read_query(NoQuery)
        said = self._graph(req).assertions.add(self._noun, req.read_id(id), **req.read_object())
        resp.status = 201
        resp.location = f"{req.root_path}/api/v1/assertions/{said.id}"
        send(req, resp, said)

    def _send_values(self, req: Any, resp: Any, id: str) -> None:
        req.read_query(NoQuery)
        values = self._graph(req).assertions.values(self._noun, req.read_id(id))
        send(req, resp, values, next_cursor=None, limit=None)

    def _pin(self, req: Any, resp: Any, id: str) -> None:
        req.read_query(NoQuery)
        pins = build(Pins, req.read_object())
        send_record(req, resp, self._graph(req).assertions.pin(self._noun, req.read_id(id), pins.pinned))


class EntityAssertions(_OfFact):
    """``/entities/{id}/assertions``."""

    _noun = ENTITY

    @operation(summary="List who says that there is an entity, or is not", **_LISTING)
    def on_get(self, req: Any, resp: Any, id: str) -> None:
        self._list(req, resp, id)

    @operation(name="createEntityAssertion", summary="Assert an entity, or speak against it", **_ASSERTING)
    def on_post(self, req: Any, resp: Any, id: str) -> None:
        self._assert(req, resp, id)


class EntityValues(_OfFact):
    """``/entities/{id}/values``."""

    _noun = ENTITY

    @operation(summary="List what sources say of each field of an entity, those first that win", **_VALUES)
    def on_get(self, req: Any, resp: Any, id: str) -> None:
        self._send_values(req, resp, id)


class EntityPins(_OfFact):
    """``/entities/{id}/pinned``."""

    _noun = ENTITY

    @operation(
        summary="Set what assertions do not change in an entity",
        answers={200: Answer(Entity, has_etag=True)},
        **_PINNING,
    )
    def on_put(self, req: Any, resp: Any, id: str) -> None:
        self._pin(req, resp, id)


class RelationshipAssertions(_OfFact):
    """``/relationships/{id}/assertions``."""

    _noun = RELATIONSHIP

    @operation(summary="List who says that a relationship holds, or does not", **_LISTING)
    def on_get(self, req: Any, resp: Any, id: str) -> None:
        self._list(req, resp, id)

    @operation(name="createRelationshipAssertion", summary="Assert a relationship, or speak against it", **_ASSERTING)
    def on_post(self, req: Any, resp: Any, id: str) -> None:
        self._assert(req, resp, id)


class RelationshipValues(_OfFact):
    """``/relationships/{id}/values``."""

    _noun = RELATIONSHIP

    @operation(summary="List what sources say of each field of a relationship, those first that win", **_VALUES)
    def on_get(self, req: Any, resp: Any, id: str) -> None:
        self._send_values(req, resp, id)


class RelationshipPins(_OfFact):
    """``/relationships/{id}/pinned``."""

    _noun = RELATIONSHIP

    @operation(
        summary="Set what assertions do not change in a relationship",
        answers={200: Answer(Relationship, has_etag=True)},
        **_PINNING,
    )
    def on_put(self, req: Any, resp: Any, id: str) -> None:
        self._pin(req, resp, id)
