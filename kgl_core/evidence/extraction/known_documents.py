"""Documents that are known: sent again, they change nothing, and nobody looks into them."""

from __future__ import annotations

from kgl_core.evidence.extraction.extractions import ExtractionAddress, ExtractionResult
from kgl_core.evidence.extraction.kept_extractions import EXTRACTION, KeptExtraction, extraction_id
from kgl_core.evidence.recording import Work
from kgl_core.evidence.sources import source_id
from kgl_core.evidence.stored_evidence import assertions_of
from kgl_core.kernel.units_of_work import Context


def unchanged(context: Context, address: ExtractionAddress, digest: bytes) -> ExtractionResult | None:
    """The result of sending the document again that is in force; None if it is another one."""
    id = extraction_id(address.source, address.extractor, context.actor)
    with context.store.read() as uow:
        kept = uow.of(EXTRACTION).get(id)
        if kept is None or kept.digest != digest:
            return None
        labels = assertions_of(uow).labels(kept.source_id, address.extractor, context.actor)
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


def keep(work: Work, address: ExtractionAddress, digest: bytes | None) -> None:
    """Keep which document is in force now; its source is locked."""
    repository, context = work.uow.of(EXTRACTION), work.context
    id = extraction_id(address.source, address.extractor, context.actor)
    before = repository.get(id)
    now = context.now()
    kept = KeptExtraction(
        id=id,
        source_id=source_id(address.source),
        extractor=address.extractor,
        created_by=context.actor,
        created_at=now if before is None else before.created_at,
        extracted_at=now,
        run=context.run,
        digest=digest,
    )
    if before is None:
        repository.add([kept])
    else:
        repository.replace([kept])
