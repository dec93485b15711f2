"""``/import`` and ``/export``: many records at once, as NDJSON."""

from __future__ import annotations

import tempfile
from collections.abc import Generator, Iterator
from typing import Any, Final

import attrs

from kgl_core.graph.journal.runs import TITLE
from kgl_core.kernel.checked_records import check, ruled
from kgl_core.kernel.errors import FAULTS_MAX, Fault
from kgl_core.kernel.field_rules import Choice, Flag, Optional
from kgl_core.kernel.periods import Date
from kgl_core.kernel.permissions import Action, Actor
from kgl_core.knowledge_graph import KnowledgeGraph
from kgl_core.storage.dumping import Dump
from kgl_core.storage.loading.existing_records import Existing
from kgl_core.storage.loading.load import LoadResult, LoadSummary
from kgl_core.storage.record_files import read_texts
from kgl_http.api.envelope import dump_json
from kgl_http.api.idempotency import Idempotency, key_of
from kgl_http.api.operations import JSON, NDJSON, Answer, GraphResource, Resource, operation
from kgl_http.api.problems import BadRequest, ImportRefused
from kgl_http.server.long_bodies import SPOOLED_IN_MEMORY, LongBody
from kgl_http.server.long_requests import LongRequestSlots

REFUSALS_TOLD_MAX: Final = 1_000
"""How many refused lines an answer names; of the others it has the number."""
_CHUNK_BYTES: Final = 64 * 1024


@attrs.frozen(kw_only=True)
class ImportQuery:
    """How lines are imported, and what is told of them."""

    existing: str = ruled(Choice(tuple(Existing)), default=Existing.MERGE.value)
    atomic: bool = ruled(Flag(), default=False)
    dry_run: bool = ruled(Flag(), default=False)
    results: str = ruled(Choice(("refused", "all")), default="refused")
    title: str | None = ruled(TITLE, default=None)

    def __attrs_post_init__(self) -> None:
        check(self)


@attrs.frozen(kw_only=True)
class ExportQuery:
    """What is exported: with ``valid_at``, no relationship that does not hold then."""

    valid_at: str | None = ruled(Optional(Date()), default=None)

    def __attrs_post_init__(self) -> None:
        check(self)


class Import(GraphResource):
    """``/import``. ``atomic_bytes_max`` is up to which size an import may be atomic; None for any."""

    def __init__(
        self,
        kg: KnowledgeGraph,
        slots: LongRequestSlots,
        idempotency: Idempotency,
        *,
        bytes_max: int,
        atomic_bytes_max: int | None,
    ) -> None:
        super().__init__(kg)
        self._slots, self._idempotency = slots, idempotency
        self._bytes_max, self._atomic_bytes_max = bytes_max, atomic_bytes_max

    @operation(
        summary="Load entities and relationships from NDJSON, or from a JSON array",
        action=Action.CREATE,
        query=ImportQuery,
        body_media_types=(NDJSON, JSON),
        takes_run=True,
        answers={200: Answer(LoadResult, "text", media_type=NDJSON)},
    )
    def on_post(self, req: Any, resp: Any) -> None:
        query = req.read_query(ImportQuery)
        req.require_media_type((NDJSON, JSON))
        key = key_of(req)
        if key is not None:
            _require_one_answer(query)
        with LongBody(
            self._slots, req.actor, self._atomic_bytes_max if query.atomic and not query.dry_run else None
        ) as body:
            body.expect(req.content_length or 0)
            # The whole body first: a sender that stalls must hold no transaction open.
            req.spool_body(body, self._bytes_max)
            chunks = () if key is None else _read(body.file)
            self._idempotency.once(key, req, resp, chunks, lambda: self._respond(req, resp, query, body.file))

    def _respond(self, req: Any, resp: Any, query: ImportQuery, body: Any) -> None:
        body.seek(0)
        results = tempfile.SpooledTemporaryFile(SPOOLED_IN_MEMORY)  # noqa: SIM115  # closed once it is sent
        try:
            summary = self._load(self._graph(req), query, body, results)
        except BaseException:
            results.close()
            raise
        results.write(dump_json({"summary": _shown(summary)}) + b"\n")
        length = results.tell()
        results.seek(0)
        resp.content_type = NDJSON
        resp.set_stream(results, length)

    def _load(self, kg: KnowledgeGraph, query: ImportQuery, body: Any, results: Any) -> LoadSummary:
        told = 0

        def write(result: LoadResult) -> None:
            nonlocal told
            if result.outcome == "refused":
                told += 1
                if told > REFUSALS_TOLD_MAX:
                    return
            elif query.results != "all":
                return
            results.write(dump_json(attrs.asdict(result)) + b"\n")

        summary = kg.load(
            read_texts(body.read, unpacks=False),
            existing=query.existing,
            atomic=query.atomic,
            dry_run=query.dry_run,
            title=query.title,
            on_result=write,
        )
        if query.atomic and summary.refused and not query.dry_run:
            faults = [Fault(f"/{refusal.number}", refusal.code, refusal.detail) for refusal in summary.refusals]
            raise ImportRefused(summary.refused, faults[:FAULTS_MAX])
        return summary


class Export(Resource):
    """``/export``."""

    def __init__(self, kg: KnowledgeGraph, slots: LongRequestSlots) -> None:
        self._kg, self._slots = kg, slots

    @operation(
        summary="Stream everything, the deleted too, as NDJSON of one moment",
        action=Action.READ,
        query=ExportQuery,
        answers={200: Answer(None, "text", media_type=NDJSON, has_changes_cursor=True)},
    )
    def on_get(self, req: Any, resp: Any) -> None:
        query = req.read_query(ExportQuery)
        resp.content_type = NDJSON
        resp.set_header("Cache-Control", "no-store")
        if req.method == "HEAD":
            return
        export = _Export(self._kg.acting_as(req.actor), self._slots, req.actor, query.valid_at)
        resp.set_header("Changes-Cursor", export.cursor)
        resp.stream = export


class _Export:
    """The lines of an export, in chunks. Reading it to its end returns its slot, and so does closing it.

    ``cursor`` is its place in the feed of changes; ``valid_at`` is as in `ExportQuery`. Raises Overloaded, and what the
    first read raises: once the answer has begun, its status can't change.
    """

    def __init__(self, kg: KnowledgeGraph, slots: LongRequestSlots, caller: Actor, valid_at: str | None) -> None:
        slots.take(caller)
        self._slots, self._caller = slots, caller
        self._is_closed = False
        try:
            dump = kg.dump(valid_at=valid_at)
            self.cursor = dump.cursor
            self._chunks = _chunks(dump)
            self._first = next(self._chunks)
        except BaseException:
            slots.give_back(caller)
            raise

    def __iter__(self) -> Generator[bytes]:
        yield self._first
        yield from self._chunks
        # A server closes it only after the client has seen the end, and may have sent its next request.
        self.close()

    def close(self) -> None:
        self._chunks.close()
        if not self._is_closed:
            self._is_closed = True
            self._slots.give_back(self._caller)


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
    """Raise BadRequest if an import with a key is not atomic, or its answer may be long."""
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
    names = ("created", "updated", "unchanged", "kept", "refused", "is_kept", "refused_by_code", "run")
    left_out = max(0, summary.refused - REFUSALS_TOLD_MAX)
    return {**{name: getattr(summary, name) for name in names}, "refusals_left_out": left_out}
