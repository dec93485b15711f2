"""Claims: what an extraction says of each fact, once items that mean the same fact are put together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import attrs

from kgl_core.evidence.assertions import Assertion, Location, Stance
from kgl_core.evidence.extraction.extractions import ExtractedEntity, ExtractedRelationship
from kgl_core.evidence.supporting import PERIOD, stated
from kgl_core.graph.entities import Entity
from kgl_core.graph.relationships import Relationship, Triple
from kgl_core.kernel.checked_records import same_json
from kgl_core.kernel.ids import EntityId, RelationshipId


@attrs.define
class Claim:
    """What an extraction says of one fact: the strongest confidence, and all the places.

    ``is_known_otherwise`` says whether the item with this label means the fact by an id or a key, too.
    """

    fact_id: UUID
    version: str | None
    label: str | None
    is_known_otherwise: bool
    confidence: float | None
    places: dict[Location, None]
    values: Mapping[str, Any]

    @property
    def locations(self) -> tuple[Location, ...]:
        """The places, each once, in the order of the items."""
        return tuple(self.places)

    @staticmethod
    def of(fact_id: UUID, item: ExtractedEntity | ExtractedRelationship, version: str | None) -> Claim:
        """The claim of one item."""
        label, is_known_otherwise = None, True
        fields: dict[str, Any]
        if isinstance(item, ExtractedEntity):
            label, is_known_otherwise = item.label, item.id is not None or item.key is not None
            fields = {"type": item.type, "name": item.name, "aliases": item.aliases}
        else:
            fields = {"valid_from": item.valid_from, "valid_to": item.valid_to}
        values = stated({**fields, "metadata": item.metadata})
        places = dict.fromkeys(item.locations)
        return Claim(fact_id, version, label, is_known_otherwise, item.confidence, places, values)

    def differs(self, other: Claim) -> tuple[str, ...]:
        """The names of the values that another claim of the same fact states otherwise."""
        both = sorted(self.values.keys() & other.values.keys())
        return tuple(name for name in both if not same_json(self.values[name], other.values[name]))

    def add(self, other: Claim) -> None:
        """Put another claim of the same fact with this one, whose values stay.

        The label stays, unless another is all by which the fact is found again.
        """
        known = [each for each in (self.confidence, other.confidence) if each is not None]
        self.confidence = max(known, default=None)
        self.places |= other.places
        known_period = () if self.values.keys().isdisjoint(PERIOD) else PERIOD
        self.values = {name: other.values[name] for name in other.values if name not in known_period} | {**self.values}
        is_needed = self.label is None or (self.is_known_otherwise and not other.is_known_otherwise)
        if other.label is not None and is_needed:
            self.label, self.is_known_otherwise = other.label, other.is_known_otherwise

    def is_as(self, assertion: Assertion) -> bool:
        """Whether an assertion says the same."""
        return (
            assertion.stance is Stance.FOR
            and assertion.confidence == self.confidence
            and assertion.extractor_version == self.version
            and assertion.locations == self.locations
            and (self.label is None or assertion.label == self.label)
            and same_json(assertion.values, self.values)
        )

    def label_after(self, assertion: Assertion | None) -> str | None:
        """The label of the assertion that it becomes: without its own, that of the one before it."""
        return assertion.label if self.label is None and assertion is not None else self.label

    def fields(self, assertion: Assertion | None) -> dict[str, Any]:
        """The fields of the assertion that it becomes, after the one before it."""
        return {
            "extractor_version": self.version,
            "label": self.label_after(assertion),
            "confidence": self.confidence,
            "locations": self.locations,
            "values": self.values,
        }

    def entity(self, key: str | None, noted: Mapping[str, Any]) -> Entity:
        """The new entity that is claimed, with this key; ``noted`` are the fields that the claim does not have."""
        said = self.values
        return Entity(
            id=EntityId(self.fact_id),
            type=said["type"],
            name=said["name"],
            aliases=tuple(said.get("aliases", ())),
            key=key,
            metadata=said.get("metadata", {}),
            confidence=self.confidence,
            has_assertions=True,
            **noted,
        )

    def relationship(self, triple: Triple, noted: Mapping[str, Any]) -> Relationship:
        """The new relationship that is claimed, as `entity` makes one."""
        source, type_, target, key = triple
        said = self.values
        return Relationship(
            id=RelationshipId(self.fact_id),
            source_entity_id=EntityId(source),
            relationship_type=type_,
            target_entity_id=EntityId(target),
            key=key,
            valid_from=said.get("valid_from"),
            valid_to=said.get("valid_to"),
            metadata=said.get("metadata", {}),
            confidence=self.confidence,
            has_assertions=True,
            **noted,
        )
