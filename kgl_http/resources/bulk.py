"""``/import`` and ``/export``: many records at once, as NDJSON."""

from __future__ import annotations

import tempfile
from collections.abc import Generator, Iterator
from typing import Any, Final

import attrs

from kgl_core.errors import FAULTS_MAX, Fault
from kgl_core.knowledge_graph import KnowledgeGraph
from kgl_core.permissions import Action
from kgl_core.usecases.dump import Dump
from kgl_core.usecases.load import LoadResult, LoadSummary
from kgl_http.envelope import dump_json
from kgl_http.errors import BadRequest, ImportRefused
from kgl_http.idempotency import Idempotency, key_of
from kgl_http.operations import NDJSON, Answer, Resource, operation
from kgl_http.progress import Lines
from kgl_http.queries import ImportQuery, NoQuery
from kgl_http.slots import Slots

_SPOOLED_IN_MEMORY: Final = 1024 * 1024
_CHUNK_BYTES: Final = 64 * 1024


class Import(Resource):
    """``/import``."""

    def __init__(self, kg: KnowledgeGraph, slots: Slots, idempotency: Idempotency, *, bytes_max: int) -> None:
        self._kg, self._slots, self._idempotency, self._bytes_max = kg, slots, idempotency, bytes_max

    @operation(
        summary="Load entities and relationships from NDJSON",
        action=Action.CREATE,
        query=ImportQuery,
        body_media_types=(NDJSON,),
        answers={200: Answer(LoadResult, "text", media_type=NDJSON)},
    )
    def on_post(self, req: Any, resp: Any) -> None:
        query = req.read_query(ImportQuery)
        req.require_media_type((NDJSON,))
        key = key_of(req)
        if key is not None:
            _require_one_answer(query)
        with self._slots.hold(), tempfile.SpooledTemporaryFile(_SPOOLED_IN_MEMORY) as body:
            # The whole body first: a sender that stalls must hold no transaction open.
            req.spool_body(body, self._bytes_max)
            chunks = () if key is None else _read(body)
            self._idempotency.once(key, req, resp, chunks, lambda: self._respond(req, resp, query, body))

    def _respond(self, req: Any, resp: Any, query: ImportQuery, body: Any) -> None:
        body.seek(0)
        results = tempfile.SpooledTemporaryFile(_SPOOLED_IN_MEMORY)  # noqa: SIM115  # closed once it is sent
        try:
            summary = self._load(self._kg.acting_as(req.actor), query, body, results)
        except BaseException:
            results.close()
            raise
        results.write(dump_json({"summary": _shown(summary)}) + b"\n")
        length = results.tell()
        results.seek(0)
        resp.content_type = NDJSON
        resp.set_stream(results, length)

    def _load(self, kg: KnowledgeGraph, query: ImportQuery, body: Any, results: Any) -> LoadSummary:
        def write(result: LoadResult) -> None:
            if query.results == "all" or result.outcome == "refused":
                results.write(dump_json(attrs.asdict(result)) + b"\n")

        summary = kg.load(Lines([body]), atomic=query.atomic, dry_run=query.dry_run, on_result=write)
        if query.atomic and summary.refused and not query.dry_run:
            faults = [Fault(f"/{refusal.number}", refusal.code, refusal.detail) for refusal in summary.refusals]
            raise ImportRefused(summary.refused, faults[:FAULTS_MAX])
        return summary


class Export(Resource):
    """``/export``."""

    def __init__(self, kg: KnowledgeGraph, slots: Slots) -> None:
        self._kg, self._slots = kg, slots

    @operation(
        summary="Stream everything, the deleted too, as NDJSON of one moment",
        action=Action.READ,
        answers={200: Answer(None, "text", media_type=NDJSON, has_changes_cursor=True)},
    )
    def on_get(self, req: Any, resp: Any) -> None:
        req.read_query(NoQuery)
        resp.content_type = NDJSON
        resp.set_header("Cache-Control", "no-store")
        if req.method == "HEAD":
            return
        export = _Export(self._kg.acting_as(req.actor), self._slots)
        resp.set_header("Changes-Cursor", export.cursor)
        resp.stream = export


class _Export:
    """The lines of an export in chunks; gives its slot back when it is closed, which every WSGI server does.

    ``cursor`` is the place in the feed of changes at which it is taken. Raises Overloaded, and what reading raises at
    its start: later there is no status left to tell it by.
    """

    def __init__(self, kg: KnowledgeGraph, slots: Slots) -> None:
        slots.take()
        self._slots = slots
        try:
            dump = kg.dump()
            self.cursor = dump.cursor
            self._chunks = _chunks(dump)
            self._first = next(self._chunks)
        except BaseException:
            slots.give_back()
            raise

    def __iter__(self) -> Generator[bytes]:
        yield self._first
        yield from self._chunks

    def close(self) -> None:
        self._chunks.close()
        self._slots.give_back()


def _chunks(dump: Dump) -> Generator[bytes]:
    chunk = bytearray()
    with dump:
        for record in dump:
            chunk += dump_json(record)
            chunk += b"\n"
            if len(chunk) >= _CHUNK_BYTES:
                yield bytes(chunk)
                chunk.clear()
    yield bytes(chunk)


def _read(file: Any) -> Iterator[bytes]:
    file.seek(0)
    return iter(lambda: file.read(_CHUNK_BYTES), b"")


def _require_one_answer(query: ImportQuery) -> None:
    """Raise BadRequest for an import whose effect or whose answer is not of one piece, as a key needs it."""
    faults = []
    if not query.atomic:
        advice = "give atomic=true with Idempotency-Key; without both, importing the same again is harmless"
        faults.append(Fault("/atomic", "needs_atomic", advice))
    if query.results == "all":
        advice = "leave results=all out with Idempotency-Key: an answer that is kept must be short"
        faults.append(Fault("/results", "answer_too_long", advice))
    if faults:
        raise BadRequest(faults)


def _shown(summary: LoadSummary) -> dict[str, Any]:
    names = ("created", "updated", "unchanged", "refused", "is_kept")
    return {name: getattr(summary, name) for name in names}
