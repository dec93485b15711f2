"""Small graphs that a test draws as text, and answers told by the names that the test gave."""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from kgl_core import Entity, Relationship
from kgl_core.exploration.neighborhoods import Truncated
from kgl_core.exploration.paths import Path, PathOutcome
from kgl_core.kernel.units_of_work import Store
from tests.contract.samples import Clock, graph_on

Around = tuple[dict[str, int], list[str], dict[str, int] | None]
"""Entities with their distances, relationships, and how many were left out where."""


class Drawn:
    """A graph on a store. A relationship from A to B is called A-B; one with the key x is called A-B/x."""

    def __init__(self, store: Store, clock: Clock | None = None) -> None:
        self.kg = graph_on(store, clock)
        self.entities: dict[str, Entity] = {}
        self.relationships: dict[str, Relationship] = {}

    def draw(self, text: str, **fields: Any) -> None:
        """Create relationships, such as ``A-B, B-C .9, B-C/x .5``: the number is the confidence."""
        for item in text.split(","):
            name, *confidence = item.split()
            ends, _, key = name.partition("/")
            source, target = (self.entity(end).id for end in ends.split("-"))
            about = {"relationship_type": "knows", **fields, "key": key or None}
            if confidence:
                about["confidence"] = float(confidence[0])
            type = about.pop("relationship_type")
            self.relationships[name] = self.kg.relationships.create(source, type, target, **about)

    def entity(self, name: str, type: str = "thing") -> Entity:
        """The entity of that name, which is created when it is first named."""
        if name not in self.entities:
            self.entities[name] = self.kg.entities.create(type=type, name=name)
        return self.entities[name]

    def ids(self, names: str) -> list[UUID]:
        """The ids of entities, such as ``A B``."""
        return [self.entities[name].id for name in names.split()]

    def names(self, ids: Iterable[UUID]) -> list[str]:
        """The names of entities and relationships by their ids."""
        known = {record.id: name for name, record in (*self.entities.items(), *self.relationships.items())}
        return [known[id] for id in ids]

    def around(self, name: str, /, **query: Any) -> Around:
        """The neighborhood of an entity."""
        found = self.kg.graph.neighborhood(self.entities[name].id, **query)
        distances = dict(
            zip(
                self.names(each.entity.id for each in found.entities),
                (each.distance for each in found.entities),
                strict=True,
            )
        )
        return distances, self.names(each.id for each in found.relationships), self.left_out(found.truncated)

    def left_out(self, truncated: Truncated | None) -> dict[str, int] | None:
        """How many relationships were left out at which entities."""
        if truncated is None:
            return None
        left_out = [each.left_out for each in truncated.at]
        return dict(zip(self.names(each.id for each in truncated.at), left_out, strict=True))

    def paths(self, start: str, end: str, /, **query: Any) -> list[str]:
        """The paths from any of some entities to any of some others, as the names of their relationships."""
        found = self.kg.graph.paths(self.ids(start), self.ids(end), **query)
        assert {each.id for each in found.entities} == {id for path in found.paths for id in path.entity_ids}
        assert {each.id for each in found.relationships} == {id for path in found.paths for id in path.relationship_ids}
        return [self.told(path) for path in found.paths]

    def told(self, path: Path) -> str:
        """The names of a path's relationships; what is followed from its target to its source begins with <."""
        assert path.length == len(path.relationship_ids) == len(path.entity_ids) - 1
        names = self.names(path.relationship_ids)
        marks = ("<" if direction == "in" else "" for direction in path.directions)
        return " ".join(mark + name for mark, name in zip(marks, names, strict=True))

    def outcomes(self, start: str, end: str, /, **query: Any) -> list[PathOutcome]:
        """What is known of the paths between each two ends."""
        return [pair.outcome for pair in self.kg.graph.paths(self.ids(start), self.ids(end), **query).pairs]

    def common(self, names: str, /, **query: Any) -> set[str]:
        """The common neighbors of some entities."""
        found = self.kg.graph.common_neighbors(self.ids(names), **query)
        return set(self.names(each.id for each in found.entities))

    def among(self, names: str, /, **query: Any) -> Sequence[str]:
        """The relationships of the subgraph of some entities."""
        return self.names(each.id for each in self.kg.graph.subgraph(self.ids(names), **query).relationships)
