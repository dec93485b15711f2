"""``/relationships``: the edges of the graph."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import attrs

from kgl_core.graph.editing_relationships import Relationships as RelationshipUseCases
from kgl_core.graph.relationships import RELATIONSHIP, RelationshipFilter
from kgl_core.graph.shared_fields import FILTER_VALUES_MAX
from kgl_core.kernel.checked_records import check, ruled
from kgl_core.kernel.field_rules import Each, Id
from kgl_core.kernel.nouns.pages import LIMIT_DEFAULT
from kgl_http.api.operations import operation
from kgl_http.api.preconditions import send_record
from kgl_http.api.query_parameters import COUNT, CURSOR, LIMIT, require_alone
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


@attrs.frozen(kw_only=True)
class RelationshipQuery(RelationshipFilter):
    """A listing of relationships; or several at once, by ``id``, and then by nothing else but ``is_active``."""

    sort: str = ruled(RELATIONSHIP.sort_rule, default="created_at")
    limit: int = ruled(LIMIT, default=LIMIT_DEFAULT)
    cursor: str | None = ruled(CURSOR, default=None)
    count: str | None = ruled(COUNT, default=None)
    id: tuple[UUID, ...] = ruled(Each(Id(), FILTER_VALUES_MAX), default=())

    def __attrs_post_init__(self) -> None:
        check(self)
        require_alone(self, "id")


class _OfRelationships(RecordResource):
    def _records(self, req: Any) -> RelationshipUseCases:
        return self._graph(req).relationships


class Relationships(_OfRelationships, RecordCollection):
    """``/relationships``."""

    @operation(summary="List relationships, or fetch several by id", **listing(RELATIONSHIP, RelationshipQuery))
    def on_get(self, req: Any, resp: Any) -> None:
        query = req.read_query(RelationshipQuery)
        if query.id:
            self._fetch(req, resp, query)
        else:
            self._list(req, resp, query, RELATIONSHIP)

    @operation(summary="Create a relationship", **creating(RELATIONSHIP))
    def on_post(self, req: Any, resp: Any) -> None:
        self._create(req, resp, RELATIONSHIP)


class RelationshipById(_OfRelationships, RecordById):
    """``/relationships/{id}``."""

    @operation(summary="Get a relationship", **getting(RELATIONSHIP))
    def on_get(self, req: Any, resp: Any, id: str) -> None:
        self._get(req, resp, id)

    @operation(
        summary="Replace a relationship; its ends, type and key must stay as they are", **replacing(RELATIONSHIP)
    )
    def on_put(self, req: Any, resp: Any, id: str) -> None:
        self._replace(req, resp, id)

    @operation(
        summary="Change some fields of a relationship; its ends, type and key must stay as they are",
        **patching(RELATIONSHIP),
    )
    def on_patch(self, req: Any, resp: Any, id: str) -> None:
        self._patch(req, resp, id)

    @operation(summary="Delete a relationship", **deleting(RELATIONSHIP))
    def on_delete(self, req: Any, resp: Any, id: str) -> None:
        self._delete(req, resp, id)


class RelationshipRestoration(_OfRelationships, RecordRestoration):
    """``/relationships/{id}/restore``."""

    @operation(summary="Restore a deleted relationship", **restoring(RELATIONSHIP))
    def on_post(self, req: Any, resp: Any, id: str) -> None:
        send_record(req, resp, self._restore(req, id))
