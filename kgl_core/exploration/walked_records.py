"""The records that walks name: whole, or only the parts of them that are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter, itemgetter
from typing import Any, Final, Generic, TypeVar
from uuid import UUID

from kgl_core.exploration.walks import Step
from kgl_core.graph.entities import ENTITY, Entity
from kgl_core.graph.facts import gone
from kgl_core.graph.nouns import GRAPH_NOUNS, GraphNoun
from kgl_core.graph.relationships import RELATIONSHIP, Relationship
from kgl_core.kernel.errors import Fault, InvalidInput
from kgl_core.kernel.nouns.records import found
from kgl_core.kernel.units_of_work import UnitOfWork

E = TypeVar("E")
R = TypeVar("R")
Part = Mapping[str, Any]
"""Some fields of a record, by name."""

_ALWAYS: Final = frozenset({"id", "source_entity_id", "target_entity_id"})
PART_FIELDS: Final = tuple(
    sorted({"is_active"}.union(*(set(noun.field_names) - set(noun.hidden) for noun in GRAPH_NOUNS)))
)
"""What can be asked for of a record."""


def check_fields(names: Iterable[str]) -> frozenset[str]:
    """The names of fields of entities or relationships. Raises InvalidInput."""
    wanted = tuple(names)
    if not all(isinstance(name, str) for name in wanted):
        raise InvalidInput([Fault("/fields", "not_text", "give the names of fields as text")])
    if unknown := sorted({*wanted}.difference(PART_FIELDS)):
        advice = f"there is no field {unknown[0][:64]!r}; the fields are {', '.join(PART_FIELDS)}"
        raise InvalidInput([Fault("/fields", "not_a_choice", advice)])
    return frozenset(wanted)


def part_names(noun: GraphNoun, fields: frozenset[str]) -> tuple[str, ...]:
    """The names of what a part has of a record of this noun: the ids of it and of its ends are always there."""
    wanted = fields | _ALWAYS
    return tuple(name for name in (*noun.field_names, "is_active") if name in wanted and name not in noun.hidden)


def part_of(record: Any, names: Iterable[str]) -> Part:
    """The part of a record that has these fields."""
    return {name: getattr(record, name) for name in names}


_TOLD_BY_STEPS: Final[Mapping[str, Callable[[Step], Any]]] = {
    "id": attrgetter("place.id"),
    "source_entity_id": attrgetter("from_id"),
    "relationship_type": attrgetter("relationship_type"),
    "target_entity_id": attrgetter("to_id"),
    "confidence": attrgetter("place.confidence"),
    "created_at": attrgetter("place.created_at"),
    "is_active": lambda _: True,
}
"""The fields of a relationship that a step forward along it tells."""


class Records(Generic[E, R]):
    """Reads entities as E and relationships as R: the records, or parts of them if there are ``fields``.

    Every method gives what has these ids, in this order, each once; all of it must be there.
    """

    def __init__(self, uow: UnitOfWork, fields: frozenset[str] | None) -> None:
        self._uow, self._fields = uow, fields

    def entities(self, ids: Iterable[UUID]) -> tuple[E, ...]:
        """The entities."""
        return self._read(ENTITY, ids)

    def relationships(self, ids: Iterable[UUID]) -> tuple[R, ...]:
        """The relationships."""
        return self._read(RELATIONSHIP, ids)

    def of_steps(self, steps: Sequence[Step]) -> tuple[R, ...]:
        """The relationships of steps that `Walks.between` found: what these tell need not be read."""
        names = None if self._fields is None else part_names(RELATIONSHIP, self._fields)
        if names is None or not _TOLD_BY_STEPS.keys() >= {*names}:
            return self.relationships(step.id for step in steps)
        told = [(name, _TOLD_BY_STEPS[name]) for name in names]
        return tuple([{name: get(step) for name, get in told} for step in steps])  # type: ignore[misc]  # R is Part then

    def shown(self, entities: Iterable[Entity]) -> tuple[E, ...]:
        """Entities that were read as a whole already."""
        if self._fields is None:
            return tuple(entities)  # type: ignore[arg-type]  # E is Entity then
        names = part_names(ENTITY, self._fields)
        return tuple(part_of(entity, names) for entity in entities)  # type: ignore[misc]  # E is Part then

    def _read(self, noun: GraphNoun, ids: Iterable[UUID]) -> tuple[Any, ...]:
        wanted = dict.fromkeys(ids)
        known: Mapping[UUID, Any]
        if self._fields is None:
            known = {record.id: record for record in self._uow.of(noun).find(wanted)}
        else:
            known = self._uow.walks.parts(noun, wanted, part_names(noun, self._fields))
        return tuple([known[id] for id in wanted])


class Compared(Generic[E]):
    """Reads entities to compare and to show: their ``names`` (two or more) are compared, and ``fields`` shown, or all.

    ``read`` are the fields that a store has to read; None for whole entities. ``values`` gives what is compared of what
    was read.
    """

    def __init__(self, fields: frozenset[str] | None, names: Sequence[str]) -> None:
        self._wanted = None if fields is None else fields.union(names)
        self.read = None if self._wanted is None else part_names(ENTITY, self._wanted)
        self.values: Callable[[Any], tuple[Any, ...]] = attrgetter(*names)
        if fields is not None:
            self._shown = part_names(ENTITY, fields)
            self.values = itemgetter(*names)

    def shown(self, found: Any) -> E:
        """What is shown of an entity, or of its part that has what is in ``read``."""
        shown: Any = found if self.read is None else {name: found[name] for name in self._shown}
        return shown  # type: ignore[no-any-return]

    def find(self, uow: UnitOfWork, ids: Sequence[UUID]) -> Sequence[Any]:
        """What is read of the entities with these ids, in their order."""
        return Records[Any, Any](uow, self._wanted).entities(ids)


def whole_records(uow: UnitOfWork) -> Records[Entity, Relationship]:
    """Reads the records as they are."""
    return Records(uow, None)


def require_active(uow: UnitOfWork, ids: Sequence[UUID]) -> Sequence[Entity]:
    """The entities with these ids, in their order. Raises NotFound, Deleted."""
    known: dict[UUID, Entity]
    if len(ids) > 1:
        known = {entity.id: entity for entity in uow.entities.find(frozenset(ids))}
    else:
        known = {entity.id: entity for id in ids if (entity := uow.entities.get(id)) is not None}
    entities = [found(known.get(id), ENTITY.name, id) for id in ids]
    for entity in entities:
        if entity.deleted_at is not None:
            raise gone(ENTITY.name, entity)
    return entities
