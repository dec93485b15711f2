"""Extracting many documents, one after the other, from a file or from mappings."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping
from itertools import chain
from typing import Any

import attrs

from kgl_core.evidence.extraction.extracting import extract
from kgl_core.evidence.extraction.extractions import ExtractionAddress, ExtractionResult
from kgl_core.graph.journal.running import running
from kgl_core.graph.journal.runs import RunDraft, RunKind
from kgl_core.kernel.checked_records import build, rules_of
from kgl_core.kernel.errors import Fault, InvalidInput, KglError
from kgl_core.kernel.permissions import Action, require
from kgl_core.kernel.units_of_work import Context
from kgl_core.storage.record_files import read_items
from kgl_core.storage.record_lines import parse_line


@attrs.frozen(kw_only=True)
class DocumentResult:
    """What became of one of many documents: its result, or what was wrong with it as a whole.

    ``number`` counts from 1; in NDJSON it is the number of the line.
    """

    number: int
    source: str | None
    extractor: str | None
    result: ExtractionResult | None = None
    faults: tuple[Fault, ...] = ()


def extract_many(context: Context, documents: object, title: str | None = None) -> Generator[DocumentResult]:
    """Extract documents, each in a transaction of its own, and say of each what became of it.

    ``documents`` is whatever a load takes: an open file, NDJSON text, or mappings. Each document has the fields of an
    `Extraction`, and its ``source`` and ``extractor`` besides. All are one run with this title, unless the context has
    one; without a document there is no run. A document that is faulty as a whole is told and changes nothing. If the
    store fails after the first document, that is told of the next one, which is the last. Raises PermissionDenied when
    the actor may not create, and StoreError when the store is in trouble before anything is done.
    """
    require(context.actor, Action.CREATE)
    draft = build(RunDraft, {"title": title})
    items = _numbered(read_items(documents))
    first = next(items, None)
    if first is None:
        return
    items = chain([first], items)
    try:
        if context.run is not None:
            yield from _each(context, items)
            return
        with running(context, RunKind.EXTRACTION, draft.title) as inner:
            yield from _each(inner, items)
    except _Stopped:
        return


def _numbered(items: Iterable[object]) -> Iterator[tuple[int, object]]:
    """The items with their numbers, without blank lines."""
    for number, item in enumerate(items, start=1):
        if not isinstance(item, bytes | str) or (item and not item.isspace()):
            yield number, item


class _Stopped(Exception):
    """The store failed, which was told."""


def _each(context: Context, items: Iterable[tuple[int, object]]) -> Generator[DocumentResult]:
    is_first = True
    for number, item in items:
        given: dict[str, Any] = {}
        try:
            fields = _fields(item)
            names = [name for name in rules_of(ExtractionAddress) if name in fields]
            given = {name: fields.pop(name) for name in names}
            at = build(ExtractionAddress, given)
            result = extract(context, at.source, at.extractor, fields)
            yield DocumentResult(number=number, source=at.source, extractor=at.extractor, result=result)
        except InvalidInput as error:
            yield _faulty(number, given, error.faults)
        except KglError as error:
            if is_first:
                raise
            detail = f"{error}; this document and those after it were not extracted: send them again"
            yield _faulty(number, given, (Fault("", error.code, detail),))
            raise _Stopped from error
        is_first = False


def _faulty(number: int, given: Mapping[str, Any], faults: tuple[Fault, ...]) -> DocumentResult:
    """What is told of a faulty document; lone surrogates can't be."""
    told = {name: value.encode("utf-8", "replace").decode() for name, value in given.items() if isinstance(value, str)}
    return DocumentResult(number=number, source=told.get("source"), extractor=told.get("extractor"), faults=faults)


def _fields(item: object) -> dict[str, Any]:
    if isinstance(item, InvalidInput):
        raise item
    found = parse_line(item) if isinstance(item, bytes | str) else item
    if not isinstance(found, dict):
        raise InvalidInput([Fault("", "not_an_object", "a document is a JSON object")])
    return dict(found)
