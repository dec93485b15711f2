"""What the resources of every noun of the graph share: their operations, and how they are carried out.

A resource describes each of its operations, in the words of its noun, beside a responder that calls the method here.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from kgl_core.graph.editing_records import Records
from kgl_core.graph.nouns import GraphNoun
from kgl_core.kernel.nouns.versions import Precondition
from kgl_core.kernel.permissions import Action
from kgl_core.knowledge_graph import KnowledgeGraph
from kgl_http.api.envelope import send, send_shown
from kgl_http.api.operations import JSON, MERGE_PATCH, Answer, GraphResource
from kgl_http.api.preconditions import precondition, send_json_record, send_record
from kgl_http.api.query_parameters import NoQuery, RecordQuery, filter_of

Described = dict[str, Any]
"""Arguments of `operation`."""


def listing(noun: GraphNoun, query: type) -> Described:
    """To list records, or fetch several."""
    return {"action": Action.READ, "query": query, "answers": {200: Answer(noun.record, "page")}}


def creating(noun: GraphNoun) -> Described:
    """To create a record; it may name others, which must exist."""
    answers = {201: Answer(noun.record, has_etag=True, has_location=True)}
    errors = (404, 409) if noun.references else (409,)
    return {"action": Action.CREATE, "takes_run": True, "body": noun.draft, "answers": answers, "errors": errors}


def getting(noun: GraphNoun) -> Described:
    """To get a record."""
    return {"action": Action.READ, "query": RecordQuery, "answers": _one(noun), "errors": (404,)}


def replacing(noun: GraphNoun) -> Described:
    """To replace all fields of a record."""
    return {**_changing(noun), "body": noun.draft}


def patching(noun: GraphNoun) -> Described:
    """To change some fields of a record."""
    return {**_changing(noun), "body": noun.draft, "is_partial": True, "body_media_types": (MERGE_PATCH, JSON)}


def deleting(noun: GraphNoun, *errors: int) -> Described:
    """To delete a record, which can raise these errors besides."""
    return {
        "action": Action.CHANGE,
        "takes_run": True,
        "is_conditional": True,
        "answers": _one(noun),
        "errors": (404, *errors),
    }


def restoring(noun: GraphNoun, answer: Answer | None = None) -> Described:
    """To restore a deleted record; it answers with the record, or with something else."""
    answers = _one(noun) if answer is None else {200: answer}
    return {
        "action": Action.RESTORE,
        "takes_run": True,
        "is_conditional": True,
        "answers": answers,
        "errors": (404, 409),
    }


def _changing(noun: GraphNoun) -> Described:
    can_be_taken = noun.unique is not None and not {*noun.unique.fields} <= {*noun.fixed}
    errors = (404, 409) if can_be_taken else (404,)
    return {"action": Action.CHANGE, "takes_run": True, "is_conditional": True, "answers": _one(noun), "errors": errors}


def _one(noun: GraphNoun) -> dict[int, Answer]:
    return {200: Answer(noun.record, has_etag=True)}


class RecordResource(GraphResource, ABC):
    """A resource over the records of a noun."""

    @abstractmethod
    def _records(self, req: Any) -> Records[Any, Any, Any]:
        """The use cases of these records, on behalf of the caller."""


class RecordCollection(RecordResource, ABC):
    """A resource for all records of a noun."""

    def _list(self, req: Any, resp: Any, query: Any, noun: GraphNoun) -> None:
        records: Any = self._records(req)
        filter = filter_of(query, noun.filter)
        page = records.list_json(filter, sort=query.sort, limit=query.limit, cursor=query.cursor)
        total = {"total": records.count(**filter)} if query.count else {}
        send_shown(req, resp, page.items, next_cursor=page.next_cursor, limit=page.limit, **total)

    def _fetch(self, req: Any, resp: Any, query: Any) -> None:
        """Answer with the records that ``query`` names by ``id``."""
        found = self._records(req).get_many(ids=query.id, is_active=query.is_active)
        send(req, resp, found, next_cursor=None, limit=None)

    def _create(self, req: Any, resp: Any, noun: GraphNoun) -> None:
        req.read_query(NoQuery)
        record = self._records(req).create_from(req.read_object())
        resp.status = 201
        resp.location = f"{req.root_path}/api/v1/{noun.plural}/{record.id}"
        send_record(req, resp, record)


class RecordById(RecordResource, ABC):
    """A resource for one record. With ``require_if_match``, every change needs a precondition."""

    def __init__(self, kg: KnowledgeGraph, *, require_if_match: bool) -> None:
        super().__init__(kg)
        self._require_if_match = require_if_match

    def _get(self, req: Any, resp: Any, id: str) -> None:
        query = req.read_query(RecordQuery)
        shown = self._records(req).get_json(req.read_id(id), include_deleted=query.include_deleted)
        send_json_record(req, resp, shown)

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


class RecordRestoration(RecordResource, ABC):
    """A resource that restores one record."""

    def _restore(self, req: Any, id: str) -> Any:
        """What restoring the record gives."""
        req.read_query(NoQuery)
        records: Any = self._records(req)
        return records.restore(req.read_id(id), precondition=precondition(req, is_required=False))
