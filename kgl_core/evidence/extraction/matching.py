"""Matching: which entities of the graph an extraction is about."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from operator import attrgetter
from uuid import UUID

from kgl_core.evidence.assertions import Assertion
from kgl_core.evidence.extraction.extractions import ExtractedEntity
from kgl_core.evidence.succeeding import successors_of
from kgl_core.graph.entities import NAMED_MAX, Entity, sort_name
from kgl_core.graph.facts import is_deleted, pointer, went_last
from kgl_core.kernel.errors import KglError
from kgl_core.kernel.text import identity_form
from kgl_core.kernel.units_of_work import UnitOfWork

Numbered = tuple[int, ExtractedEntity]


class ItemRefused(KglError):
    """An item of an extraction can't be accepted; ``code`` is stable."""

    def __init__(self, code: str, detail: str) -> None:
        self.code = code  # type: ignore[misc]  # of the instance, as in a load
        super().__init__(detail)


class Matching:
    """The entities that an extraction may be about, locked, and which of them an item means.

    An item means the entity with its id; else the one with its key; else the one that its label meant in this source
    before; else, where ``by_name`` is set, the only active one of its type and name. Otherwise it means a new one. A
    retired one whose key another has now stands for that one.

    ``source_id`` is None where nothing has been said of the source before.
    """

    def __init__(
        self,
        uow: UnitOfWork,
        source_id: UUID | None,
        extractor: str,
        items: Sequence[Numbered],
        *,
        by_name: bool,
        ids: Collection[UUID],
        keys: Collection[str],
    ) -> None:
        self._by_name = by_name
        self._labelled: Mapping[str, UUID] = {}
        labels = {item.label for _, item in items if item.id is None and item.label is not None}
        if labels and source_id is not None:
            self._labelled = _latest(uow.assertions.labelled(source_id, extractor, labels))
        named = self._nameless(item for _, item in items) if by_name else ()
        sort_names = {sort_name(item.name) for item in named}
        candidates = uow.entities.find_by_sort_name(sort_names, NAMED_MAX + 1) if sort_names else ()
        self._has_too_many = len(candidates) > NAMED_MAX
        wanted = {*ids, *self._labelled.values(), *(each.id for each in candidates if each.is_active)}
        wanted |= {item.id for _, item in items if item.id is not None}
        all_keys = {*keys, *(item.key for _, item in items if item.key is not None)}
        found = uow.entities.find(wanted, all_keys, lock="update") if wanted or all_keys else ()
        self.by_id: dict[UUID, Entity] = {entity.id: entity for entity in found}
        successors = successors_of(uow, found)
        self.by_id |= {entity.id: entity for entity in successors.values()}
        self._successors = {id: entity.id for id, entity in successors.items()}
        self._by_key: dict[str, Entity] = {}
        for entity in sorted(found, key=went_last):
            if entity.key is not None:
                self._by_key[entity.key] = entity
        self._named: dict[tuple[str, str], list[UUID]] = {}
        names = {each.id for each in candidates}
        for entity in found:
            if entity.is_active and entity.id in names:
                self._named.setdefault(_name_of(entity), []).append(entity.id)
        self._deleted = {_name_of(each): each for each in sorted(candidates, key=went_last) if is_deleted(each)}
        self._new_by_key: dict[str, UUID] = {}

    def entity_with_key(self, key: str) -> UUID | None:
        """The id of the entity with this key: one that gets it, the active one, or the one that went last."""
        if key in self._new_by_key:
            return self._new_by_key[key]
        found = self._by_key.get(key)
        return None if found is None else found.id

    def now(self, id: UUID) -> UUID:
        """The id of the entity that stands for this one: itself, or what has succeeded it."""
        return self._successors.get(id, id)

    def match(self, item: ExtractedEntity) -> UUID | None:
        """The id of the entity that an item means; None for a new one. Raises ItemRefused."""
        if item.id is not None:
            found = self.by_id.get(item.id)
            if found is None:
                raise ItemRefused("not_found", f"there is no entity {item.id}; leave out the id, or create it first")
            if item.key is not None and found.key not in (None, item.key):
                raise ItemRefused(
                    "key_differs", f"entity {item.id} has the key {found.key}; leave out the id or the key"
                )
            holder = self._holder(item.key) if found.key is None else None
            if holder not in (None, found.id):
                raise ItemRefused("key_taken", f"entity {holder} has the key {item.key}; leave out the id or the key")
            return self.now(found.id)
        if item.key is not None and (known := self.entity_with_key(item.key)) is not None:
            return known
        labelled = self._labelled.get(item.label) if item.label is not None else None
        if labelled is not None and (item.key is None or may_be_keyed(self.by_id[labelled])):
            return self.now(labelled)
        return self._by_its_name(item) if self._by_name and item.key is None else None

    def deleted_namesake(self, item: ExtractedEntity) -> Entity | None:
        """The entity of this type and name that somebody deleted last, where names identify."""
        return self._deleted.get((item.type, identity_form(item.name))) if item.key is None else None

    def add(self, id: UUID, item: ExtractedEntity) -> None:
        """Note that an item means a new entity with this id."""
        if item.key is not None:
            self.give_key(id, item.key)
        self._named.setdefault((item.type, identity_form(item.name)), []).append(id)

    def give_key(self, id: UUID, key: str) -> None:
        """Note that an entity is to have this key."""
        self._new_by_key[key] = id

    def _holder(self, key: str | None) -> UUID | None:
        """The id of the entity that has a key, may come back with it, or gets it in this extraction."""
        id = None if key is None else self.entity_with_key(key)
        return None if id in self.by_id and is_deleted(self.by_id[id]) else id

    def _by_its_name(self, item: ExtractedEntity) -> UUID | None:
        found = self._named.get((item.type, identity_form(item.name)), [])
        if len(found) > 1 or self._has_too_many:
            detail = f"{len(found)} entities are a {item.type} of this name; give the key or the id of one"
            raise ItemRefused("ambiguous", detail)
        return found[0] if found else None

    def _nameless(self, items: Iterable[ExtractedEntity]) -> Iterable[ExtractedEntity]:
        """The items that only their names may identify."""
        return (item for item in items if item.id is None and item.key is None and item.label not in self._labelled)


def may_be_keyed(entity: Entity) -> bool:
    """Whether an item with a key can mean an entity without it: one that has none, or whose key was set by hand."""
    return entity.key is None or pointer("key") in entity.pinned


def _latest(assertions: Iterable[Assertion]) -> Mapping[str, UUID]:
    """The entity that each label meant last."""
    ordered = sorted(assertions, key=attrgetter("age"))
    return {each.label: each.entity_id for each in ordered if each.label is not None and each.entity_id is not None}


def _name_of(entity: Entity) -> tuple[str, str]:
    return (entity.type, identity_form(entity.name))
