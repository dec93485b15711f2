"""What is kept of each extraction besides its assertions, so that the same document sent again is no work."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from hashlib import blake2b
from typing import Any, Final, Never
from uuid import UUID, uuid5

import attrs

from kgl_core.evidence.extraction.extractions import ExtractionAddress, ExtractionResult
from kgl_core.evidence.origins.sources import SOURCE, source_id
from kgl_core.evidence.recording import Work
from kgl_core.graph.shared_fields import EXTRACTOR
from kgl_core.kernel.checked_records import check, ruled
from kgl_core.kernel.field_rules import Id, Optional
from kgl_core.kernel.ids import RunId, SourceId
from kgl_core.kernel.nouns.noun import Noun
from kgl_core.kernel.permissions import Actor
from kgl_core.kernel.units_of_work import Context, UnitOfWork

_DIGEST_BYTES: Final = 16
WITHDRAWN: Final = b""
"""What is kept in place of a digest while an extraction is withdrawn."""


@attrs.frozen(kw_only=True)
class KeptExtractionDraft:
    """What identifies an extraction besides its caller."""

    source_id: UUID = ruled(Id())
    extractor: str = ruled(EXTRACTOR)


@attrs.frozen(kw_only=True)
class KeptExtractionFilter:
    """Which extractions a listing holds; None means any."""

    source_id: UUID | None = ruled(Optional(Id()), default=None)

    def __attrs_post_init__(self) -> None:
        check(self)


@attrs.frozen(kw_only=True, slots=False)
class KeptExtraction:
    """The extraction of a source by an actor's extractor: when it was first made, and changed last by which run.

    ``extracted_at`` is when it was last made, withdrawn or put in force again. ``digest`` is that of the document that
    is in force, None where the same document would have something to tell or to do, and WITHDRAWN while none is.
    """

    id: UUID
    source_id: SourceId
    extractor: str
    created_by: Actor
    created_at: datetime
    extracted_at: datetime
    run: RunId | None = None
    digest: bytes | None = None

    @property
    def is_withdrawn(self) -> bool:
        """Whether it was withdrawn as a whole, and nothing was said in its place since."""
        return self.digest == WITHDRAWN


EXTRACTION: Final = Noun[KeptExtraction, KeptExtractionDraft, KeptExtractionFilter, Never](
    name="extraction",
    plural="extractions",
    record=KeptExtraction,
    draft=KeptExtractionDraft,
    filter=KeptExtractionFilter,
    sorts={"created_at": "created_at"},
    fixed=("source_id", "extractor"),
    hidden=("digest",),
    references={"source_id": SOURCE},
)


def extraction_id(source: str, extractor: str, by: Actor) -> UUID:
    """The id of an extraction: it follows from what identifies it (RFC 9562, section 5.5)."""
    return uuid5(source_id(source), f"{by}\n{extractor}")


def digest_of(document: Mapping[str, Any]) -> bytes | None:
    """A digest of a document, which no other has; None where it holds what is no JSON."""
    try:
        text = json.dumps(document, sort_keys=True, ensure_ascii=False)
        return blake2b(text.encode(), digest_size=_DIGEST_BYTES).digest()
    except (TypeError, ValueError):
        return None


def result_in_force(context: Context, address: ExtractionAddress, digest: bytes) -> ExtractionResult | None:
    """The result of sending the document again that is in force; None if it is another one."""
    id = extraction_id(address.source, address.extractor, context.actor)
    with context.store.read() as uow:
        kept = uow.of(EXTRACTION).get(id)
        if kept is None or kept.digest != digest:
            return None
        labels = uow.assertions.labels(kept.source_id, address.extractor, context.actor)
        if not all(is_active for _, _, is_active in labels):  # there is something to tell, or to bring back
            return None
        if uow.of(EXTRACTION).get(id) != kept:  # it changed meanwhile
            return None
    return ExtractionResult(
        run=None,
        **{**ExtractionResult.counting([]), "unchanged": len(labels)},
        refused=0,
        retires=True,
        labels={label: id for label, id, _ in labels if label is not None},
        items=(),
    )


def keep_extraction(
    work: Work, address: ExtractionAddress, digest: bytes | None, at: datetime, *, is_first: bool = False
) -> None:
    """Keep which document is in force since then, or WITHDRAWN; its source is locked.

    It ``is_first`` where nothing has been said of the source before.
    """
    repository, context = work.uow.of(EXTRACTION), work.context
    id = extraction_id(address.source, address.extractor, context.actor)
    before = None if is_first else repository.get(id)
    kept = KeptExtraction(
        id=id,
        source_id=source_id(address.source),
        extractor=address.extractor,
        created_by=context.actor,
        created_at=at if before is None else before.created_at,
        extracted_at=at,
        run=context.run,
        digest=digest,
    )
    if before is None:
        repository.add([kept])
    else:
        repository.replace([kept])


def end_extraction(work: Work, kept: KeptExtraction, at: datetime) -> None:
    """Keep that an extraction, of which everything is withdrawn then, is not in force. Its source is locked."""
    if not kept.is_withdrawn:
        ended = attrs.evolve(kept, digest=WITHDRAWN, extracted_at=at, run=work.context.run)
        work.uow.of(EXTRACTION).replace([ended])


def forget_digest(uow: UnitOfWork, id: UUID) -> None:
    """Note that not all of what this extraction said is in force any more. Its source is locked."""
    kept = uow.of(EXTRACTION).get(id)
    if kept is not None and kept.digest is not None:
        uow.of(EXTRACTION).replace([attrs.evolve(kept, digest=None)])
