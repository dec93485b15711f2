"""What the resource of one entity and that of one relationship share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from kgl_core.graph.editing_entities import Entities
from kgl_core.graph.editing_relationships import Relationships
from kgl_core.knowledge_graph import KnowledgeGraph
from kgl_http.api.operations import JSON, MERGE_PATCH, GraphResource
from kgl_http.api.preconditions import Precondition, precondition, send_record
from kgl_http.api.query_parameters import NoQuery, RecordQuery


class RecordById(GraphResource, ABC):
    """A resource for one record. With ``require_if_match``, every change needs a precondition.

    A subclass describes each operation, and calls the method here that carries it out.
    """

    def __init__(self, kg: KnowledgeGraph, *, require_if_match: bool) -> None:
        super().__init__(kg)
        self._require_if_match = require_if_match

    @abstractmethod
    def _records(self, req: Any) -> Entities | Relationships:
        """The use cases of these records, on behalf of the caller."""

    def _get(self, req: Any, resp: Any, id: str) -> None:
        query = req.read_query(RecordQuery)
        send_record(req, resp, self._records(req).get(req.read_id(id), include_deleted=query.include_deleted))

    def _replace(self, req: Any, resp: Any, id: str) -> None:
        req.read_query(NoQuery)
        record = req.read_object()
        changed = self._records(req).replace(req.read_id(id), record, precondition=self._precondition(req))
        send_record(req, resp, changed)

    def _patch(self, req: Any, resp: Any, id: str) -> None:
        req.read_query(NoQuery)
        patch = req.read_object((MERGE_PATCH, JSON))
        changed = self._records(req).patch(req.read_id(id), patch, precondition=self._precondition(req))
        send_record(req, resp, changed)

    def _delete(self, req: Any, resp: Any, id: str) -> None:
        req.read_query(NoQuery)
        send_record(req, resp, self._records(req).delete(req.read_id(id), precondition=self._precondition(req)))

    def _precondition(self, req: Any) -> Precondition | None:
        return precondition(req, is_required=self._require_if_match)
