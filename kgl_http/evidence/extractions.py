"""``/extractions``: all that an extractor found in a document, in one call, and its withdrawal."""

from __future__ import annotations

import tempfile
from typing import Any, Final

import attrs

from kgl_core.evidence.extraction.extractions import (
    Extraction,
    ExtractionAddress,
    ExtractionResult,
    WithdrawalResult,
)
from kgl_core.graph.journal.runs import TITLE
from kgl_core.kernel.checked_records import check, ruled
from kgl_core.kernel.permissions import Action
from kgl_core.knowledge_graph import KnowledgeGraph
from kgl_core.storage.extracting_many import DocumentResult
from kgl_core.storage.record_files import read_texts
from kgl_http.api.envelope import dump_json, send
from kgl_http.api.json_views import unstructure
from kgl_http.api.operations import NDJSON, Answer, GraphResource, operation
from kgl_http.api.problems import BodyTooLarge
from kgl_http.server.long_bodies import SPOOLED_IN_MEMORY, LongBody
from kgl_http.server.long_requests import LongRequestSlots


@attrs.frozen(kw_only=True)
class ManyQuery:
    """How many documents at once are extracted: ``title`` is what their run is called."""

    title: str | None = ruled(TITLE, default=None)

    def __attrs_post_init__(self) -> None:
        check(self)


_SENT_WHOLE: Final = (
    "a document is sent whole, so leave out quotes and places, or take parts of the source, such as its chapters, for "
    "sources of their own"
)
_ADDRESSED: Final[dict[str, Any]] = {"action": Action.CREATE, "takes_run": True, "query": ExtractionAddress}


class Extractions(GraphResource):
    """``/extractions``."""

    def __init__(self, kg: KnowledgeGraph, slots: LongRequestSlots, *, bytes_max: int) -> None:
        super().__init__(kg)
        self._slots, self._bytes_max = slots, bytes_max

    @operation(
        summary="Say all that an extractor found in a source, in place of what it said of it before",
        name="replaceExtraction",
        body=Extraction,
        answers={200: Answer(ExtractionResult)},
        **_ADDRESSED,
    )
    def on_put(self, req: Any, resp: Any) -> None:
        at = req.read_query(ExtractionAddress)
        try:
            document = req.read_object()
        except BodyTooLarge as error:
            raise BodyTooLarge(error.bytes_max, _SENT_WHOLE) from error
        send(req, resp, self._graph(req).extract(at.source, at.extractor, document))

    @operation(
        summary="Withdraw all that an extractor says of a source",
        name="deleteExtraction",
        answers={200: Answer(WithdrawalResult)},
        errors=(404, 409),
        **_ADDRESSED,
    )
    def on_delete(self, req: Any, resp: Any) -> None:
        at = req.read_query(ExtractionAddress)
        send(req, resp, self._graph(req).withdraw(at.source, at.extractor))

    @operation(
        summary="Extract many documents from NDJSON, one a line with its source and extractor",
        name="createExtractions",
        action=Action.CREATE,
        query=ManyQuery,
        takes_run=True,
        is_repeatable=True,
        body_media_types=(NDJSON,),
        answers={200: Answer(DocumentResult, "text", media_type=NDJSON)},
    )
    def on_post(self, req: Any, resp: Any) -> None:
        query = req.read_query(ManyQuery)
        req.require_media_type((NDJSON,))
        with LongBody(self._slots, req.actor, None) as body:
            body.expect(req.content_length or 0)
            # The whole body first: a sender that stalls must hold no transaction open.
            req.spool_body(body, self._bytes_max)
            body.file.seek(0)
            results = tempfile.SpooledTemporaryFile(SPOOLED_IN_MEMORY)  # noqa: SIM115  # closed once it is sent
            try:
                for result in self._graph(req).extract_many(
                    read_texts(body.file.read, unpacks=False), title=query.title
                ):
                    results.write(dump_json(unstructure(result)) + b"\n")
            except BaseException:
                results.close()
                raise
        length = results.tell()
        results.seek(0)
        resp.content_type = NDJSON
        resp.set_stream(results, length)


class ExtractionReinstatement(GraphResource):
    """``/extractions/reinstate``."""

    @operation(
        summary="Take the withdrawal of an extraction back",
        answers={200: Answer(WithdrawalResult)},
        errors=(404, 409),
        **_ADDRESSED,
    )
    def on_post(self, req: Any, resp: Any) -> None:
        at = req.read_query(ExtractionAddress)
        send(req, resp, self._graph(req).reinstate(at.source, at.extractor))
