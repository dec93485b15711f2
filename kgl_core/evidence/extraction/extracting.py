"""Extracting: what one extractor found in one document becomes assertions, and the facts follow.

One transaction compares a document with what the same caller's same extractor said of it before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import attrs

from kgl_core.evidence.assertions import Assertion
from kgl_core.evidence.extraction.claims import Claim
from kgl_core.evidence.extraction.extractions import (
    ExtractedEntity,
    ExtractedRelationship,
    Extraction,
    ExtractionAddress,
    ExtractionResult,
)
from kgl_core.evidence.extraction.kept_extractions import digest_of, keep_extraction, result_in_force
from kgl_core.evidence.extraction.matching import ItemRefused, Matching
from kgl_core.evidence.extraction.notes import Notes
from kgl_core.evidence.ledger import Ledger
from kgl_core.evidence.origins.sources import Source
from kgl_core.evidence.outcomes import FactOutcome
from kgl_core.evidence.recording import Work, recorded
from kgl_core.evidence.settling import settle_source
from kgl_core.evidence.stored_evidence import ends_of, ensure_sources
from kgl_core.graph.entities import Entity
from kgl_core.graph.facts import Fact, is_deleted, pointer, went_last
from kgl_core.graph.journal.runs import RunKind
from kgl_core.graph.relationships import Relationship, Triple
from kgl_core.kernel.checked_records import build
from kgl_core.kernel.errors import AlreadyExists, Fault, InvalidInput
from kgl_core.kernel.permissions import Action, may, require
from kgl_core.kernel.units_of_work import Context


def extract(context: Context, source: str, extractor: str, document: Mapping[str, Any]) -> ExtractionResult:
    """Say all that an extractor found in a source, in place of what the same actor said of both before.

    ``document`` has the fields of an `Extraction`. Raises InvalidInput with every fault of it as a whole; faulty items
    are told in the result. Raises PermissionDenied when the actor may not create.
    """
    require(context.actor, Action.CREATE)
    address = build(ExtractionAddress, {"source": source, "extractor": extractor})
    if not isinstance(document, Mapping):
        raise InvalidInput([Fault("", "not_an_object", "a document is a JSON object")])
    digest = digest_of(document)
    if digest is not None and (known := result_in_force(context, address, digest)) is not None:
        return known
    extraction, notes = build(Extraction, document), Notes()
    described = {"title": extraction.title, "type": extraction.type, "published": extraction.published}
    entities = notes.checked(ExtractedEntity, "entities", extraction.entities)
    relationships = notes.checked(ExtractedRelationship, "relationships", extraction.relationships)

    typed: set[UUID] = set()

    def run() -> ExtractionResult:
        title = extraction.title or address.source
        with recorded(context, RunKind.EXTRACTION, title) as work:
            # Locked, so that two extractions of one document come one after the other.
            ensured = ensure_sources(context, work.uow, [address.source], locked=True, **described)
            typed.update(ensured.typed)
            [source] = ensured.by_id.values()
            is_first = source.id in ensured.added
            extracting = _Extracting(work, source, address.extractor, extraction, notes.copy(), is_first=is_first)
            result = extracting.run(entities, relationships)
            is_plain = result.retires and not result.items and extracting.labels_are_kept
            keep_extraction(work, address, digest if is_plain else None, context.now(), is_first=is_first)
            return result

    result = context.retry(run, AlreadyExists)
    for id in typed:
        settle_source(context, id)
    return result


class _Extracting:
    """One extraction in its unit of work. It ``is_first`` where nothing has been said of its source before."""

    def __init__(
        self, work: Work, source: Source, extractor: str, extraction: Extraction, notes: Notes, *, is_first: bool
    ) -> None:
        self._work, self._context, self._uow = work, work.context, work.uow
        self._source, self._extractor, self._extraction = source, extractor, extraction
        self._notes, self._is_first = notes, is_first
        self._now = work.context.now()
        self._claims: dict[UUID, Claim] = {}
        self._new: dict[UUID, Triple | None] = {}
        self._labels: dict[str, UUID] = {}
        self._left: set[UUID] = set()
        self._keys: dict[UUID, str] = {}
        self._keys_of_new: dict[UUID, str | None] = {}
        self.labels_are_kept = False

    def run(
        self,
        entities: Sequence[tuple[int, ExtractedEntity]],
        relationships: Sequence[tuple[int, ExtractedRelationship]],
    ) -> ExtractionResult:
        """Do everything but the commit."""
        before: list[Assertion] = []
        if not self._is_first:
            said = self._uow.assertions.extracted(self._source.id, self._extractor, self._context.actor)
            before = [each for each in said if each.about is None]
        previous = {each.fact_id: each for each in before}
        matching = self._match(entities, relationships, before)
        self._claim_entities(entities, matching)
        found = self._claim_relationships(relationships, matching, before)
        facts: dict[UUID, Any] = {**matching.by_id, **found}
        kept = {id: claim.label_after(previous.get(id)) for id, claim in self._claims.items()}
        self.labels_are_kept = self._labels == {label: id for id, label in kept.items() if label is not None}
        ledger = Ledger(self._work)
        self._assert(ledger, facts, previous)
        retires = self._extraction.complete and not self._notes.refused
        dropped = previous.keys() - self._claims.keys() - self._left if retires else set()
        for id in dropped:
            ledger.withdraw(facts[id], previous[id])
        for id in self._keys:
            ledger.touch(facts[id])
        ledger.settle(self._with_key)
        return self._result(ledger, dropped, retires=retires)

    def _match(
        self,
        entities: Sequence[tuple[int, ExtractedEntity]],
        relationships: Sequence[tuple[int, ExtractedRelationship]],
        before: Sequence[Assertion],
    ) -> Matching:
        ends = [end for _, item in relationships for end in (item.source, item.target)]
        ids = {id for _, _, id in ends if id is not None}
        ids |= {each.entity_id for each in before if each.entity_id is not None}
        ids |= ends_of(self._uow, {each.relationship_id for each in before if each.relationship_id is not None})
        return Matching(
            self._uow,
            None if self._is_first else self._source.id,
            self._extractor,
            entities,
            by_name=self._extraction.match_names,
            ids=ids,
            keys={key for _, key, _ in ends if key is not None},
        )

    def _claim_entities(self, items: Sequence[tuple[int, ExtractedEntity]], matching: Matching) -> None:
        for number, item in items:
            try:
                if item.label is not None and item.label in self._labels:
                    detail = f"another entity before it has the label {item.label}; labels are unique in a document"
                    raise ItemRefused("duplicate_label", detail)
                id = matching.match(item)
            except ItemRefused as error:
                self._notes.refuse(f"/entities/{number}", error.code, str(error))
                continue
            if id is None:
                id = self._context.new_id()
                self._new[id] = None
                self._keys_of_new[id] = item.key
                matching.add(id, item)
                self._notes.namesake(f"/entities/{number}", matching.deleted_namesake(item))
            if item.label is not None:
                self._labels[item.label] = id
            self._notes.moved(f"/entities/{number}/id", item.id, id)
            entity = matching.by_id.get(id)
            if entity is not None and is_deleted(entity):
                self._leave(f"/entities/{number}", entity)
                continue
            self._claim(f"/entities/{number}", Claim.of(id, item, self._extraction.version))
            if item.key is not None and entity is not None and entity.key is None and id not in self._keys:
                self._give_key(number, entity, item.key, matching)

    def _give_key(self, number: int, entity: Entity, key: str, matching: Matching) -> None:
        """Give a key to an entity without one, unless somebody took it away; to another's only in this document."""
        if pointer("key") in entity.pinned:
            return
        matching.give_key(entity.id, key)
        if may(self._context.actor, Action.CHANGE, entity.created_by):
            self._keys[entity.id] = key
        else:
            self._notes.key_not_given(f"/entities/{number}/key", entity)

    def _claim_relationships(
        self, items: Sequence[tuple[int, ExtractedRelationship]], matching: Matching, before: Sequence[Assertion]
    ) -> Mapping[UUID, Relationship]:
        """Claim the relationships; returns those that are in the graph, which are locked."""
        joined: list[tuple[int, ExtractedRelationship, Triple]] = []
        for number, item in items:
            source = self._end(number, "source", item.source, matching)
            target = self._end(number, "target", item.target, matching)
            if source is not None and target is not None:
                joined.append((number, item, (source, item.relationship_type, target, item.key)))
        ids = {each.relationship_id for each in before if each.relationship_id is not None}
        triples = {triple for _, _, triple in joined if not {triple[0], triple[2]} & self._new.keys()}
        found = self._uow.relationships.find(ids, triples, lock="update") if ids or triples else ()
        holders: dict[Triple, UUID] = {each.triple: each.id for each in sorted(found, key=went_last)}
        by_id: dict[UUID, Relationship] = {each.id: each for each in found}
        for number, item, triple in joined:
            id = holders.get(triple)
            if any(end in matching.by_id and is_deleted(matching.by_id[end]) for end in (triple[0], triple[2])):
                self._left.update(() if id is None else (id,))
                continue
            if id is None:
                id = holders[triple] = self._context.new_id()
                self._new[id] = triple
            elif id in by_id and is_deleted(by_id[id]):
                self._leave(f"/relationships/{number}", by_id[id])
                continue
            self._claim(f"/relationships/{number}", Claim.of(id, item, self._extraction.version))
        return by_id

    def _end(
        self, number: int, name: str, end: tuple[str | None, str | None, UUID | None], matching: Matching
    ) -> UUID | None:
        """The id of an end that is, or will be, active, or that somebody deleted; None where there is none.

        What is wrong with it is noted.
        """
        label, key, id = end
        way = "label" if label is not None else "key" if key is not None else "id"
        at = f"/relationships/{number}/{name}_entity_{way}"
        found = self._labels.get(label) if label is not None else None
        if key is not None:
            found = matching.entity_with_key(key)
        elif id is not None:
            found = matching.now(id) if id in matching.by_id else None
        if found is None:
            what = f"entity in this extraction with the label {label}" if label is not None else f"entity {key or id}"
            self._notes.refuse(at, "end_not_found", f"there is no {what}; add it to the entities")
            return None
        self._notes.moved(at, id, found)
        entity = matching.by_id.get(found)
        if entity is None or entity.is_active or found in self._claims:
            return found
        if entity.is_retired:
            detail = f"entity {found} is retired; name it in the entities to bring it back"
            self._notes.refuse(at, "end_retired", detail)
            return None
        detail = f"entity {found} was deleted by {entity.deleted_by}, and so is what would join it"
        self._notes.tell(at, "deleted", detail, found)
        return found

    def _claim(self, at: str, claim: Claim) -> None:
        known = self._claims.setdefault(claim.fact_id, claim)
        if known is not claim:
            self._notes.repeated(at, claim.fact_id, known.differs(claim))
            known.add(claim)

    def _leave(self, at: str, fact: Fact) -> None:
        """Leave a fact as it is that somebody has deleted."""
        self._left.add(fact.id)
        self._notes.deleted(at, fact)

    def _assert(self, ledger: Ledger, facts: Mapping[UUID, Fact], previous: Mapping[UUID, Assertion]) -> None:
        for id, claim in self._claims.items():
            was = previous.get(id)
            if was is not None and claim.is_as(was) and not facts[id].is_retired:
                continue
            fact = facts.get(id)
            if fact is None:
                fact = self._made(claim)
                ledger.create(fact)
            if was is not None:
                ledger.withdraw(fact, was)
            ledger.say(fact, source_id=self._source.id, extractor=self._extractor, **claim.fields(was))

    def _made(self, claim: Claim) -> Fact:
        """The new fact that is claimed."""
        noted = {
            "source": self._source.uri,
            "source_type": self._source.type,
            "created_by": self._context.actor,
            "created_at": self._now,
            "updated_at": self._now,
        }
        triple = self._new[claim.fact_id]
        if triple is None:
            return claim.entity(self._keys_of_new.get(claim.fact_id), noted)
        return claim.relationship(triple, noted)

    def _with_key(self, fact: Fact) -> Fact:
        key = self._keys.get(fact.id)
        return fact if key is None or not isinstance(fact, Entity) else attrs.evolve(fact, key=key)

    def _result(self, ledger: Ledger, dropped: set[UUID], *, retires: bool) -> ExtractionResult:
        outcomes = []
        for id in (*self._claims, *dropped):
            outcome = ledger.outcomes.get(id, FactOutcome.UNCHANGED)
            is_told_otherwise = outcome is FactOutcome.UNCHANGED and ledger.has_touched(id)
            outcomes.append(FactOutcome.UPDATED if is_told_otherwise else outcome)
        return ExtractionResult(
            run=self._context.run,
            **ExtractionResult.counting(outcomes),
            refused=self._notes.refused,
            retires=retires,
            labels=dict(self._labels),
            items=tuple(self._notes.all),
        )
