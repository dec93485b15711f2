"""What the statements of walks depend on."""

from __future__ import annotations

import attrs


@attrs.frozen
class Shape:
    """What the SQL of a step depends on: the direction, which filters there are, and how many values each has."""

    direction: str
    relationship_type: int = 0
    not_relationship_type: int = 0
    entity_type: int = 0
    free: int = 0
    min_confidence: bool = False
    min_sources: bool = False
    valid_at: bool = False
    has_weight: bool = False
    after: str = ""
    """Whether it begins after a place with a confidence (known), one without (unknown), or at the beginning."""

    @property
    def sides(self) -> tuple[bool, ...]:
        """Whether relationships are followed that leave an entity (True), that enter it (False), or both."""
        return {"out": (True,), "in": (False,), "both": (True, False)}[self.direction]

    def without_entities(self) -> Shape:
        """The same for any entity in any direction."""
        return attrs.evolve(self, direction="out", entity_type=0, free=0)
