"""What a batch of relationship records does: which relationships it creates and changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from kgl_core.graph.entities import End
from kgl_core.graph.facts import why_gone
from kgl_core.graph.journal.changes import ChangeAction
from kgl_core.graph.relationships import RELATIONSHIP, Relationship, Triple, require_period, triple_order
from kgl_core.kernel.errors import InvalidInput
from kgl_core.kernel.ids import EntityId, RelationshipId
from kgl_core.kernel.permissions import Action, require
from kgl_core.kernel.units_of_work import Context
from kgl_core.storage.loading.existing_records import LEAVING, Existing, Outcome, RecordRefused
from kgl_core.storage.loading.fact_plan import NO_EVIDENCE, Evidence, FactPlan
from kgl_core.storage.record_lines import RelationshipLine


class RelationshipPlan(FactPlan[RelationshipLine, Relationship]):
    """What relationship records do, one after the other, to the relationships that they name."""

    def __init__(
        self,
        context: Context,
        stored: Sequence[Relationship],
        existing: Existing = Existing.MERGE,
        evidence: Evidence = NO_EVIDENCE,
    ) -> None:
        super().__init__(RELATIONSHIP, context, existing, stored, evidence)
        self._active: dict[Triple, UUID] = {}
        self._deleted: dict[Triple, UUID] = {}
        for relationship in stored:
            self._note(relationship)

    @property
    def created(self) -> list[Relationship]:
        """The new relationships, ordered by ends and type: the order in which every load takes unique values."""
        return sorted((self._by_id[id] for id in self._created), key=lambda created: triple_order(created.triple))

    def apply(self, record: RelationshipLine, source: End | None, target: End | None) -> tuple[Outcome, Relationship]:
        """Apply a record whose ends were found: returns what became of it, and the relationship as it is then.

        An end is None when the record does not name it. Raises RecordRefused, PermissionDenied or InvalidInput when the
        record must be refused.
        """
        current = self._match(record, source, target)
        if current is None:
            return self._create(record, source, target)
        if record.is_active and current.is_retired:
            _require_active(source, target)
        outcome, relationship = self._apply_to(current, record)
        if relationship.is_active and not current.is_active:
            self._note(relationship)
        return outcome, relationship

    def _require_place(self, fact: Relationship) -> None:
        holder = self._active.get(fact.triple)
        if holder is not None and holder != fact.id:
            raise _taken(holder)

    def _changes(self, record: RelationshipLine, current: Relationship) -> Mapping[str, Any]:
        changes = super()._changes(record, current)
        if "valid_from" in changes or "valid_to" in changes:
            dates = (changes.get(name, getattr(current, name)) for name in ("valid_from", "valid_to"))
            require_period(*dates)
        return changes

    def _match(self, record: RelationshipLine, source: End | None, target: End | None) -> Relationship | None:
        triple = _triple(record, source, target)
        holder = None if triple is None else self._active.get(triple)
        if record.id is not None:
            current = self._by_id.get(record.id)
            if current is not None and self._existing in LEAVING:
                return current
            if current is not None and current.key is not None and "key" not in record.given:
                holder = None  # a line that leaves out the key of what it names says of no other that it is this one
            if record.is_active and holder is not None and holder != record.id:
                raise _taken(holder)
            if current is not None and not _agrees(record, source, target, current):
                raise RecordRefused(
                    "ends_changed",
                    f"relationship {current.id} has other ends, another type or another key, which can't change",
                )
            return current
        if not record.is_active and triple in self._deleted:
            return self._by_id[self._deleted[triple]]
        if record.is_active and holder is None:
            return self._retired(triple)
        return None if holder is None else self._by_id[holder]

    def _create(self, record: RelationshipLine, source: End | None, target: End | None) -> tuple[Outcome, Relationship]:
        require(self._context.actor, Action.CREATE)
        if source is None or target is None or record.relationship_type is None:
            raise InvalidInput(record.missing())
        triple = (source.id, record.relationship_type, target.id, record.key)
        if record.is_active:
            _require_active(source, target)
            if self._deleted and record.id is None and triple in self._deleted:
                gone = self._by_id[self._deleted[triple]]
                raise RecordRefused(
                    "deleted",
                    f"relationship {gone.id} between these {why_gone(gone)}",
                )
        elif record.deleted_with not in (None, source.id, target.id):
            raise RecordRefused("deleted_with", "deleted_with names one of the relationship's two ends")
        now = self._now
        relationship = Relationship(
            id=RelationshipId(record.id or self._context.new_id()),
            source_entity_id=source.id,
            relationship_type=record.relationship_type,
            target_entity_id=target.id,
            confidence=record.confidence,
            source=record.source,
            source_type=record.source_type,
            metadata=record.metadata or {},
            created_by=self._context.actor,
            created_at=now,
            updated_at=now,
            deleted_at=None if record.is_active else now,
            deleted_by=None if record.is_active else self._context.actor,
            deleted_with=None if record.deleted_with is None else EntityId(record.deleted_with),
            key=record.key,
            valid_from=record.valid_from,
            valid_to=record.valid_to,
        )
        self._created[relationship.id] = None
        self._note(relationship)
        self._keep(relationship, ChangeAction.CREATED)
        return Outcome.CREATED, relationship

    def _note(self, relationship: Relationship) -> None:
        triple, id = relationship.triple, relationship.id
        if relationship.is_active:
            self._active[triple] = id
        elif triple not in self._deleted or id.int < self._deleted[triple].int:
            self._deleted[triple] = id  # of several, the lowest, so that it does not depend on their order


def _taken(holder: UUID) -> RecordRefused:
    return RecordRefused(
        "triple_taken", f"relationship {holder} joins these already; leave out the id to update that one"
    )


def _require_active(*ends: End | None) -> None:
    """Raise RecordRefused when an end is deleted or retired."""
    for end in ends:
        if end is not None and not end.is_active:
            advice = "restore it first, or load a line of it before this one if it is retired"
            raise RecordRefused("ends_deleted", f"its end, entity {end.id}, is deleted or retired; {advice}")


def _triple(record: RelationshipLine, source: End | None, target: End | None) -> Triple | None:
    if source is None or target is None or record.relationship_type is None:
        return None
    return (source.id, record.relationship_type, target.id, record.key)


def _agrees(record: RelationshipLine, source: End | None, target: End | None, current: Relationship) -> bool:
    """Whether the ends, the type and the key that the record names are the relationship's own; null is no key."""
    named = (source and source.id, record.relationship_type, target and target.id)
    if "key" in record.given and record.key != current.key:
        return False
    return all(mine is None or mine == theirs for mine, theirs in zip(named, current.triple, strict=False))
