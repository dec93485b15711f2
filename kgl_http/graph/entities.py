"""``/entities``: the nodes of the graph."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

import attrs

from kgl_core.exploration.walks import Direction
from kgl_core.graph.deleting_and_restoring import Restoration
from kgl_core.graph.editing_entities import Entities as EntityUseCases
from kgl_core.graph.entities import ENTITY, KEY, Entity, EntityFilter, EntitySelection
from kgl_core.graph.relationships import RELATIONSHIP, Relationship
from kgl_core.graph.shared_fields import FILTER_VALUES_MAX
from kgl_core.kernel.checked_records import build, check, ruled
from kgl_core.kernel.field_rules import TYPE_NAME, Choice, Each, Id, Number, Optional
from kgl_core.kernel.nouns.pages import LIMIT_DEFAULT
from kgl_core.kernel.periods import Date
from kgl_core.kernel.permissions import Action
from kgl_http.api.envelope import send, send_page
from kgl_http.api.operations import Answer, GraphResource, operation
from kgl_http.api.preconditions import entity_tag
from kgl_http.api.query_parameters import COUNT, CURSOR, LIMIT, NoQuery, require_alone
from kgl_http.graph.records import (
    RecordById,
    RecordCollection,
    RecordResource,
    RecordRestoration,
    creating,
    deleting,
    getting,
    listing,
    patching,
    replacing,
    restoring,
)

_STRONGEST: Final = "-confidence"
_END: Final = {"both": "entity_id", "out": "source_entity_id", "in": "target_entity_id"}


@attrs.frozen(kw_only=True)
class EntityQuery(EntityFilter):
    """A listing of entities; or several at once, by ``id`` or ``key``, and then by nothing else but ``is_active``."""

    sort: str = ruled(ENTITY.sort_rule, default="created_at")
    limit: int = ruled(LIMIT, default=LIMIT_DEFAULT)
    cursor: str | None = ruled(CURSOR, default=None)
    count: str | None = ruled(COUNT, default=None)
    id: tuple[UUID, ...] = ruled(Each(Id(), FILTER_VALUES_MAX), default=())
    key: tuple[str, ...] = ruled(Each(KEY, FILTER_VALUES_MAX), default=())

    def __attrs_post_init__(self) -> None:
        check(self)
        require_alone(self, "id", "key")


@attrs.frozen(kw_only=True)
class EntityRelationshipQuery:
    """The relationships of one entity: those that leave it (``out``), arrive (``in``), or both.

    By default the strongest come first: by confidence, where unknown comes last, then the newest, then by id. Any other
    sort has to read all of them.
    """

    direction: Direction = ruled(Choice(("both", "out", "in")), default="both")
    relationship_type: tuple[str, ...] = ruled(Each(TYPE_NAME, FILTER_VALUES_MAX), default=())
    min_confidence: float | None = ruled(Optional(Number(0, 1)), default=None)
    valid_at: str | None = ruled(Optional(Date()), default=None)
    sort: str = ruled(Choice((_STRONGEST, *RELATIONSHIP.sort_rule.values)), default=_STRONGEST)
    limit: int = ruled(LIMIT, default=LIMIT_DEFAULT)
    cursor: str | None = ruled(CURSOR, default=None)

    def __attrs_post_init__(self) -> None:
        check(self)


class _OfEntities(RecordResource):
    def _records(self, req: Any) -> EntityUseCases:
        return self._graph(req).entities


class Entities(_OfEntities, RecordCollection):
    """``/entities``."""

    @operation(summary="List entities, or fetch several by id or key", **listing(ENTITY, EntityQuery))
    def on_get(self, req: Any, resp: Any) -> None:
        query = req.read_query(EntityQuery)
        if query.id or query.key:
            found = self._records(req).get_many(ids=query.id, keys=query.key, is_active=query.is_active)
            send(req, resp, found, next_cursor=None, limit=None)
        else:
            self._list(req, resp, query, ENTITY)

    @operation(summary="Create an entity", **creating(ENTITY))
    def on_post(self, req: Any, resp: Any) -> None:
        self._create(req, resp, ENTITY)


class EntitySelections(GraphResource):
    """``/entities/get``."""

    @operation(
        summary="Fetch up to 1,000 entities by id, key or name; for more than fit into a URL",
        action=Action.READ,
        body=EntitySelection,
        answers={200: Answer(Entity, "page")},
    )
    def on_post(self, req: Any, resp: Any) -> None:
        req.read_query(NoQuery)
        selection = build(EntitySelection, req.read_object())
        found = self._kg.acting_as(req.actor).entities.get_many(
            ids=selection.ids, keys=selection.keys, names=selection.names, is_active=selection.is_active
        )
        send(req, resp, found, next_cursor=None, limit=None)


class EntityById(_OfEntities, RecordById):
    """``/entities/{id}``."""

    @operation(summary="Get an entity", **getting(ENTITY))
    def on_get(self, req: Any, resp: Any, id: str) -> None:
        self._get(req, resp, id)

    @operation(summary="Replace an entity", **replacing(ENTITY))
    def on_put(self, req: Any, resp: Any, id: str) -> None:
        self._replace(req, resp, id)

    @operation(summary="Change some fields of an entity", **patching(ENTITY))
    def on_patch(self, req: Any, resp: Any, id: str) -> None:
        self._patch(req, resp, id)

    @operation(summary="Delete an entity, and its relationships with it", **deleting(ENTITY, 409))
    def on_delete(self, req: Any, resp: Any, id: str) -> None:
        self._delete(req, resp, id)


class EntityRestoration(_OfEntities, RecordRestoration):
    """``/entities/{id}/restore``."""

    @operation(
        summary="Restore a deleted entity, and the relationships that its deletion took along",
        **restoring(ENTITY, Answer(Restoration, has_etag=True)),
    )
    def on_post(self, req: Any, resp: Any, id: str) -> None:
        restoration = self._restore(req, id)
        resp.set_header("ETag", entity_tag(restoration.entity))
        send(req, resp, restoration)


class EntityRelationships(GraphResource):
    """``/entities/{id}/relationships``."""

    @operation(
        summary="List the relationships of an entity",
        action=Action.READ,
        query=EntityRelationshipQuery,
        answers={200: Answer(Relationship, "page")},
        errors=(404,),
    )
    def on_get(self, req: Any, resp: Any, id: str) -> None:
        query = req.read_query(EntityRelationshipQuery)
        kg, entity_id = self._graph(req), req.read_id(id)
        page_and_filter: dict[str, Any] = {
            "limit": query.limit,
            "cursor": query.cursor,
            "relationship_type": query.relationship_type,
            "min_confidence": query.min_confidence,
            "valid_at": query.valid_at,
        }
        if query.sort == _STRONGEST:
            page = kg.graph.relationships(entity_id, direction=query.direction, **page_and_filter)
        else:
            end: dict[str, Any] = {_END[query.direction]: kg.entities.get(entity_id).id}
            page = kg.relationships.list(sort=query.sort, **end, **page_and_filter)
        send_page(req, resp, page)
