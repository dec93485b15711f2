"""What a batch of entity records does: which entities it creates and changes, and how keys move between them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from uuid import UUID

from kgl_core.graph.entities import ENTITY, End, Entity
from kgl_core.graph.facts import why_gone
from kgl_core.graph.journal.changes import ChangeAction
from kgl_core.kernel.checked_records import required
from kgl_core.kernel.errors import InvalidInput, KglError
from kgl_core.kernel.ids import EntityId
from kgl_core.kernel.permissions import Action, require
from kgl_core.kernel.units_of_work import Context
from kgl_core.storage.loading.existing_records import LEAVING, Existing, KeyTaken, Outcome, RecordRefused
from kgl_core.storage.loading.fact_plan import NO_EVIDENCE, Evidence, FactPlan
from kgl_core.storage.loading.keys import granted
from kgl_core.storage.loading.relationship_ends import Ends
from kgl_core.storage.record_lines import EntityLine


class EntityPlan(FactPlan[EntityLine, Entity]):
    """What entity records do, one after the other, to the entities that they name.

    ``stored`` is every entity under an id or key that they name; ``other_ends`` are those that only relationships name.
    ``ends`` is what relationship records of the same batch see.
    """

    def __init__(
        self,
        context: Context,
        stored: Sequence[Entity],
        other_ends: Iterable[End] = (),
        existing: Existing = Existing.MERGE,
        evidence: Evidence = NO_EVIDENCE,
    ) -> None:
        super().__init__(ENTITY, context, existing, stored, evidence)
        named = (End(entity.id, entity.key, entity.is_active) for entity in stored)
        self.ends = Ends(chain(named, other_ends))
        self._rekeyed: set[UUID] = set()

    @property
    def created(self) -> list[Entity]:
        """The new entities, ordered by key and id: the order in which every load takes unique values."""
        return sorted((self._by_id[id] for id in self._created), key=lambda entity: (entity.key or "", entity.id))

    @property
    def rekeyed(self) -> list[UUID]:
        """The ids of the updated entities that have given up a key, ordered."""
        return sorted(self._rekeyed)

    def key_of(self, id: UUID | None) -> str | None:
        """The present key of an entity, if there is one."""
        entity = None if id is None else self._by_id.get(id)
        return None if entity is None else entity.key

    def hand_over(self, records: Iterable[tuple[int, EntityLine]]) -> set[int]:
        """Free the keys that waiting records hand to each other; returns the numbers of those that can have theirs now.

        Apply these next, before all others.
        """
        first: dict[UUID, tuple[int, EntityLine]] = {}
        for number, record in records:
            if record.id is not None and record.key is not None and self.key_of(record.id) != record.key:
                first.setdefault(record.id, (number, record))
        wanted = {id: record.key for id, (_, record) in first.items() if record.key is not None}
        givers = [id for id, (_, record) in first.items() if self._can_change(id, record)]
        ready = granted(wanted, self.ends.holder, givers)
        for id in ready:
            key = self.key_of(id)
            if key is not None and self.ends.holder(key) == id:
                self.ends.free(0, key)
        return {first[id][0] for id in ready}

    def apply(self, number: int, record: EntityLine) -> tuple[Outcome, Entity]:
        """Apply the record of line ``number``: returns what became of it, and the entity as it is then.

        Raises KeyTaken, RecordRefused, PermissionDenied or InvalidInput when the record must be refused.
        """
        current = self._match(record)
        if current is None:
            return self._create(number, record)
        outcome, entity = self._apply_to(current, record)
        if entity.is_active and not current.is_active:
            self.ends.bring_back(number, End(entity.id, entity.key, True))
        elif entity.key != current.key:
            if current.key is not None and current.id not in self._created:
                self._rekeyed.add(current.id)
            self.ends.move(number, entity.id, current.key, entity.key)
        return outcome, entity

    def _match(self, record: EntityLine) -> Entity | None:
        holder = None if record.key is None else self.ends.holder(record.key)
        if record.id is not None:
            current = self._by_id.get(record.id)
            if current is not None and self._existing in LEAVING:
                return current
            if record.is_active and record.key is not None and holder is not None and holder != record.id:
                raise KeyTaken(record.key, holder)
            return current
        if not record.is_active and record.key is not None:
            holder = self.ends.deleted(record.key) or holder
        elif holder is None:
            return self._retired(record.key)
        return None if holder is None else self._by_id[holder]

    def _require_place(self, fact: Entity) -> None:
        holder = None if fact.key is None else self.ends.holder(fact.key)
        if fact.key is not None and holder is not None and holder != fact.id:
            raise KeyTaken(fact.key, holder)

    def _require_whole(self, record: EntityLine) -> None:
        _require_named(record)

    def _can_change(self, id: UUID, record: EntityLine) -> bool:
        entity = self._by_id.get(id)
        if entity is None or not (entity.is_active and record.is_active):
            return False
        try:
            require(self._context.actor, Action.CHANGE, entity.created_by)
            self._changes(record, entity)
        except KglError:
            return False
        return True

    def _create(self, number: int, record: EntityLine) -> tuple[Outcome, Entity]:
        require(self._context.actor, Action.CREATE)
        # A record with an id of its own is another entity, which has taken the key meanwhile.
        names_no_other = record.is_active and record.id is None
        gone = self.ends.deleted(record.key) if names_no_other and record.key is not None else None
        if gone is not None:
            raise RecordRefused("deleted", f"entity {gone} with this key {why_gone(self._by_id[gone])}")
        type, name = _require_named(record)
        now = self._now
        entity = Entity(
            id=EntityId(record.id or self._context.new_id()),
            type=type,
            name=name,
            aliases=record.aliases or (),
            key=record.key,
            confidence=record.confidence,
            source=record.source,
            source_type=record.source_type,
            metadata=record.metadata or {},
            created_by=self._context.actor,
            created_at=now,
            updated_at=now,
            deleted_at=None if record.is_active else now,
            deleted_by=None if record.is_active else self._context.actor,
        )
        self._created[entity.id] = None
        self.ends.add(number, End(entity.id, entity.key, entity.is_active))
        self._keep(entity, ChangeAction.CREATED)
        return Outcome.CREATED, entity


def _require_named(record: EntityLine) -> tuple[str, str]:
    """The type and the name of an entity, which can't be empty. Raises InvalidInput."""
    if record.type is None or record.name is None:
        missing = [name for name in ("type", "name") if getattr(record, name) is None]
        raise InvalidInput([*map(required, missing)])
    return record.type, record.name
