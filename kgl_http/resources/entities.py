"""``/entities``: the nodes of the graph."""

from __future__ import annotations

from typing import Any, Final

from kgl_core.entities import Entity, EntityDraft, EntityFilter, EntitySelection
from kgl_core.knowledge_graph import KnowledgeGraph
from kgl_core.permissions import Action
from kgl_core.relationships import Relationship
from kgl_core.rules import build
from kgl_core.usecases.entities import Entities as EntityUseCases
from kgl_core.usecases.entities import Restoration
from kgl_http.conditional import entity_tag, expected_version, send_record
from kgl_http.envelope import send, send_page
from kgl_http.operations import JSON, MERGE_PATCH, Answer, Resource, operation
from kgl_http.queries import EntityQuery, EntityRelationshipQuery, NoQuery, RecordQuery, filter_of

_END: Final = {"both": "entity_id", "out": "source_entity_id", "in": "target_entity_id"}


class Entities(Resource):
    """``/entities``."""

    def __init__(self, kg: KnowledgeGraph) -> None:
        self._kg = kg

    @operation(
        summary="List entities, or fetch several by id or key",
        action=Action.READ,
        query=EntityQuery,
        answers={200: Answer(Entity, "page")},
    )
    def on_get(self, req: Any, resp: Any) -> None:
        query = req.read_query(EntityQuery)
        entities = self._kg.acting_as(req.actor).entities
        if query.id or query.key:
            found = entities.get_many(ids=query.id, keys=query.key, is_active=query.is_active)
            send(req, resp, found, next_cursor=None, limit=None)
            return
        filter = filter_of(query, EntityFilter)
        page = entities.list(sort=query.sort, limit=query.limit, cursor=query.cursor, **filter)
        send_page(req, resp, page, **({"total": entities.count(**filter)} if query.count else {}))

    @operation(
        summary="Create an entity",
        action=Action.CREATE,
        body=EntityDraft,
        answers={201: Answer(Entity, has_etag=True, has_location=True)},
        errors=(409,),
    )
    def on_post(self, req: Any, resp: Any) -> None:
        req.read_query(NoQuery)
        entity = self._kg.acting_as(req.actor).entities.create(**req.read_object())
        resp.status = 201
        resp.location = f"{req.root_path}/api/v1/entities/{entity.id}"
        send_record(req, resp, entity)


class EntitySelections(Resource):
    """``/entities/get``."""

    def __init__(self, kg: KnowledgeGraph) -> None:
        self._kg = kg

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


class EntityById(Resource):
    """``/entities/{id}``."""

    def __init__(self, kg: KnowledgeGraph, *, require_if_match: bool) -> None:
        self._kg, self._require_if_match = kg, require_if_match

    @operation(
        summary="Get an entity",
        action=Action.READ,
        query=RecordQuery,
        answers={200: Answer(Entity, has_etag=True)},
        errors=(404,),
    )
    def on_get(self, req: Any, resp: Any, id: str) -> None:
        query = req.read_query(RecordQuery)
        found = self._kg.acting_as(req.actor).entities.get(req.read_id(id), include_deleted=query.include_deleted)
        send_record(req, resp, found)

    @operation(
        summary="Replace an entity",
        action=Action.CHANGE,
        body=EntityDraft,
        is_conditional=True,
        answers={200: Answer(Entity, has_etag=True)},
        errors=(404, 409),
    )
    def on_put(self, req: Any, resp: Any, id: str) -> None:
        req.read_query(NoQuery)
        draft = build(EntityDraft, req.read_object())
        entities, version = self._at(req, id)
        send_record(req, resp, entities.replace(id, draft, expected_version=version))

    @operation(
        summary="Change some fields of an entity",
        action=Action.CHANGE,
        body=EntityDraft,
        is_partial=True,
        body_media_types=(MERGE_PATCH, JSON),
        is_conditional=True,
        answers={200: Answer(Entity, has_etag=True)},
        errors=(404, 409),
    )
    def on_patch(self, req: Any, resp: Any, id: str) -> None:
        req.read_query(NoQuery)
        patch = req.read_object((MERGE_PATCH, JSON))
        entities, version = self._at(req, id)
        send_record(req, resp, entities.patch(id, patch, expected_version=version))

    @operation(
        summary="Delete an entity, and its relationships with it",
        action=Action.CHANGE,
        is_conditional=True,
        answers={200: Answer(Entity, has_etag=True)},
        errors=(404,),
    )
    def on_delete(self, req: Any, resp: Any, id: str) -> None:
        req.read_query(NoQuery)
        entities, version = self._at(req, id)
        send_record(req, resp, entities.delete(id, expected_version=version))

    def _at(self, req: Any, id: str) -> tuple[EntityUseCases, int | None]:
        return _at_version(self._kg, req, id, is_required=self._require_if_match)


class EntityRestoration(Resource):
    """``/entities/{id}/restore``."""

    def __init__(self, kg: KnowledgeGraph) -> None:
        self._kg = kg

    @operation(
        summary="Restore a deleted entity, and the relationships that its deletion took along",
        action=Action.RESTORE,
        is_conditional=True,
        answers={200: Answer(Restoration, has_etag=True)},
        errors=(404, 409),
    )
    def on_post(self, req: Any, resp: Any, id: str) -> None:
        req.read_query(NoQuery)
        entities, version = _at_version(self._kg, req, id, is_required=False)
        restoration = entities.restore(id, expected_version=version)
        resp.set_header("ETag", entity_tag(restoration.entity))
        send(req, resp, restoration)


class EntityRelationships(Resource):
    """``/entities/{id}/relationships``."""

    def __init__(self, kg: KnowledgeGraph) -> None:
        self._kg = kg

    @operation(
        summary="List the relationships of an entity",
        action=Action.READ,
        query=EntityRelationshipQuery,
        answers={200: Answer(Relationship, "page")},
        errors=(404,),
    )
    def on_get(self, req: Any, resp: Any, id: str) -> None:
        query = req.read_query(EntityRelationshipQuery)
        kg = self._kg.acting_as(req.actor)
        entity = kg.entities.get(req.read_id(id))
        end: dict[str, Any] = {_END[query.direction]: entity.id}
        page = kg.relationships.list(
            sort=query.sort,
            limit=query.limit,
            cursor=query.cursor,
            relationship_type=query.relationship_type,
            min_confidence=query.min_confidence,
            **end,
        )
        send_page(req, resp, page)


def _at_version(kg: KnowledgeGraph, req: Any, id: str, *, is_required: bool) -> tuple[EntityUseCases, int | None]:
    """The caller's use cases, and the version that the request's precondition names for the entity."""
    entities = kg.acting_as(req.actor).entities
    wanted = req.read_id(id)
    version = expected_version(req, lambda: entities.get(wanted, include_deleted=True), is_required=is_required)
    return entities, version
