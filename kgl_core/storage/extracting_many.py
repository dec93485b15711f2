"""Extracting many documents, one after the other, from a file or from mappings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs

from kgl_core.evidence.extraction.extracting import extract
from kgl_core.evidence.extraction.extractions import ExtractionResult
from kgl_core.graph.journal.running import running
from kgl_core.graph.journal.runs import RunDraft, RunKind
from kgl_core.kernel.checked_records import build
from kgl_core.kernel.errors import Fault, InvalidInput
from kgl_core.kernel.permissions import Action, require
from kgl_core.kernel.units_of_work import Context
from kgl_core.storage.record_files import read_items
from kgl_core.storage.record_lines import parse_line


@attrs.frozen(kw_only=True)
class DocumentResult:
    """What became of one of many documents, counted from 1: its result, or what was wrong with it as a whole."""

    number: int
    source: str | None
    extractor: str | None
    result: ExtractionResult | None = None
    faults: tuple[Fault, ...] = ()


def extract_many(context: Context, documents: object, title: str | None = None) -> Iterator[DocumentResult]:
    """Extract documents, each in a transaction of its own, and say of each what became of it.

    ``documents`` is whatever a load takes: an open file, NDJSON text, or mappings. Each document has the fields of an
    `Extraction`, and its ``source`` and ``extractor`` besides. All are one run with this title, unless the context has
    one. A document that is faulty as a whole is told and changes nothing. Raises PermissionDenied when the actor may
    not create.
    """
    require(context.actor, Action.CREATE)
    draft = build(RunDraft, {"title": title})
    items = read_items(documents)
    if context.run is not None:
        yield from _each(context, items)
        return
    with running(context, RunKind.EXTRACTION, draft.title) as inner:
        yield from _each(inner, items)


def _each(context: Context, items: Any) -> Iterator[DocumentResult]:
    number = 0
    for item in items:
        if isinstance(item, bytes | str) and (not item or item.isspace()):
            continue
        number += 1
        source: Any = None
        extractor: Any = None
        try:
            fields = _fields(item)
            source, extractor = fields.pop("source", None), fields.pop("extractor", None)
            result = extract(context, source, extractor, fields)
            yield DocumentResult(number=number, source=source, extractor=extractor, result=result)
        except InvalidInput as error:
            told = [value if isinstance(value, str) else None for value in (source, extractor)]
            yield DocumentResult(number=number, source=told[0], extractor=told[1], faults=error.faults)


def _fields(item: object) -> dict[str, Any]:
    if isinstance(item, InvalidInput):
        raise item
    found = parse_line(item) if isinstance(item, bytes | str) else item
    if not isinstance(found, dict):
        raise InvalidInput([Fault("", "not_an_object", "a document is a JSON object")])
    return dict(found)
