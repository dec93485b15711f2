"""``/relationships``: the edges of the graph."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import attrs

from kgl_core.graph.editing_relationships import Relationships as RelationshipUseCases
from kgl_core.graph.relationships import SORT, Relationship, RelationshipDraft, RelationshipFilter
from kgl_core.graph.shared_fields import FILTER_VALUES_MAX
from kgl_core.kernel.checked_records import build, check, ruled
from kgl_core.kernel.field_rules import Each, Id
from kgl_core.kernel.pages import LIMIT_DEFAULT
from kgl_core.kernel.permissions import Action
from kgl_http.api.envelope import send, send_page
from kgl_http.api.operations import JSON, MERGE_PATCH, Answer, GraphResource, operation
from kgl_http.api.preconditions import precondition, send_record
from kgl_http.api.query_parameters import COUNT, CURSOR, LIMIT, NoQuery, RecordQuery, filter_of, require_alone
from kgl_http.graph.records import RecordById


@attrs.frozen(kw_only=True)
class RelationshipQuery(RelationshipFilter):
    """A listing of relationships; or several at once, by ``id``, and then by nothing else but ``is_active``."""

    sort: str = ruled(SORT, default="created_at")
    limit: int = ruled(LIMIT, default=LIMIT_DEFAULT)
    cursor: str | None = ruled(CURSOR, default=None)
    count: str | None = ruled(COUNT, default=None)
    id: tuple[UUID, ...] = ruled(Each(Id(), FILTER_VALUES_MAX), default=())

    def __attrs_post_init__(self) -> None:
        check(self)
        require_alone(self, "id")


class Relationships(GraphResource):
    """``/relationships``."""

    @operation(
        summary="List relationships, or fetch several by id",
        action=Action.READ,
        query=RelationshipQuery,
        answers={200: Answer(Relationship, "page")},
    )
    def on_get(self, req: Any, resp: Any) -> None:
        query = req.read_query(RelationshipQuery)
        relationships = self._kg.acting_as(req.actor).relationships
        if query.id:
            found = relationships.get_many(ids=query.id, is_active=query.is_active)
            send(req, resp, found, next_cursor=None, limit=None)
            return
        filter = filter_of(query, RelationshipFilter)
        page = relationships.list(sort=query.sort, limit=query.limit, cursor=query.cursor, **filter)
        send_page(req, resp, page, **({"total": relationships.count(**filter)} if query.count else {}))

    @operation(
        summary="Create a relationship",
        action=Action.CREATE,
        body=RelationshipDraft,
        answers={201: Answer(Relationship, has_etag=True, has_location=True)},
        errors=(404, 409),
    )
    def on_post(self, req: Any, resp: Any) -> None:
        req.read_query(NoQuery)
        draft = build(RelationshipDraft, req.read_object())
        relationship = self._kg.acting_as(req.actor).relationships.create(**attrs.asdict(draft, recurse=False))
        resp.status = 201
        resp.location = f"{req.root_path}/api/v1/relationships/{relationship.id}"
        send_record(req, resp, relationship)


class RelationshipById(RecordById):
    """``/relationships/{id}``."""

    @operation(
        summary="Get a relationship",
        action=Action.READ,
        query=RecordQuery,
        answers={200: Answer(Relationship, has_etag=True)},
        errors=(404,),
    )
    def on_get(self, req: Any, resp: Any, id: str) -> None:
        self._get(req, resp, id)

    @operation(
        summary="Replace a relationship; its ends and type must stay as they are",
        action=Action.CHANGE,
        body=RelationshipDraft,
        is_conditional=True,
        answers={200: Answer(Relationship, has_etag=True)},
        errors=(404,),
    )
    def on_put(self, req: Any, resp: Any, id: str) -> None:
        self._replace(req, resp, id)

    @operation(
        summary="Change some fields of a relationship; its ends and type must stay as they are",
        action=Action.CHANGE,
        body=RelationshipDraft,
        is_partial=True,
        body_media_types=(MERGE_PATCH, JSON),
        is_conditional=True,
        answers={200: Answer(Relationship, has_etag=True)},
        errors=(404,),
    )
    def on_patch(self, req: Any, resp: Any, id: str) -> None:
        self._patch(req, resp, id)

    @operation(
        summary="Delete a relationship",
        action=Action.CHANGE,
        is_conditional=True,
        answers={200: Answer(Relationship, has_etag=True)},
        errors=(404,),
    )
    def on_delete(self, req: Any, resp: Any, id: str) -> None:
        self._delete(req, resp, id)

    def _records(self, req: Any) -> RelationshipUseCases:
        return self._kg.acting_as(req.actor).relationships


class RelationshipRestoration(GraphResource):
    """``/relationships/{id}/restore``."""

    @operation(
        summary="Restore a deleted relationship",
        action=Action.RESTORE,
        is_conditional=True,
        answers={200: Answer(Relationship, has_etag=True)},
        errors=(404, 409),
    )
    def on_post(self, req: Any, resp: Any, id: str) -> None:
        req.read_query(NoQuery)
        relationships = self._kg.acting_as(req.actor).relationships
        condition = precondition(req, is_required=False)
        send_record(req, resp, relationships.restore(req.read_id(id), precondition=condition))
