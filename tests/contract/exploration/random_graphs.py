"""Random multigraphs, and random filters of walks; what a filter admits, as a graph of networkx."""

from itertools import count
from typing import Any
from uuid import UUID

import attrs
from hypothesis import strategies as st

from kgl_core import Entity, Relationship
from kgl_core.exploration.walks import WalkFilter
from kgl_core.kernel.periods import Period, period_of
from tests.contract.samples import NOON, SECOND, deleted, entity, relationship

ENTITY_TYPES, TYPES = ("city", "person"), ("knows", "likes", "owns")
CONFIDENCES = (None, 0.0, 0.25, 0.5, 0.5, 0.9, 1.0)
DATES = (None, None, "1990", "1994-05", "1994-05-17T08:30:00Z", "2000")
_ids = count(1)
"""Graphs of all examples are in the same stores, each with ids of its own."""

edges = st.fixed_dictionaries(
    {
        "ends": st.tuples(st.integers(0, 24), st.integers(0, 24)),
        "type": st.sampled_from(TYPES),
        "confidence": st.sampled_from(CONFIDENCES),
        "at": st.integers(0, 2),
        "km": st.sampled_from((None, 0, 1, 1, 2, 0.5, "far", -1)),
        "sources_for": st.integers(1, 3),
        "dates": st.tuples(st.sampled_from(DATES[:4]), st.sampled_from((None, None, "1995", "2001"))),
        "is_deleted": st.sampled_from((False, False, False, False, True)),
        "shuffled": st.integers(0, 2**64),
    }
)
some_types = st.lists(st.sampled_from(TYPES), max_size=2)
filters = st.fixed_dictionaries(
    {"direction": st.sampled_from(("both", "out", "in"))},
    optional={
        "relationship_type": some_types,
        "not_relationship_type": some_types,
        "entity_type": st.lists(st.sampled_from(ENTITY_TYPES), max_size=1),
        "min_confidence": st.sampled_from((0, 0.5, 0.9)),
        "min_sources": st.integers(0, 3),
        "valid_at": st.sampled_from([date for date in DATES if date]),
    },
)


@attrs.frozen
class Graph:
    """What every store holds."""

    entities: list[Entity]
    relationships: list[Relationship]

    def roads(self, filter: dict[str, Any], pair: tuple[UUID, ...] = ()) -> Any:
        """The steps that a filter admits, between all entities, as a graph of networkx.

        Only the ends in ``pair`` may have any type.
        """
        import networkx as nx  # for these tests alone, so that no other run waits for it

        wanted = WalkFilter(**filter)
        roads = nx.MultiDiGraph()
        types = {each.id: each.type for each in self.entities}
        roads.add_nodes_from(types)
        for each in self.relationships:
            if not each.is_active or not admits(wanted, each):
                continue
            about = {"confidence": each.confidence, "km": each.metadata.get("km")}
            source, target = each.ends
            ways = {"out": [(source, target)], "in": [(target, source)], "both": {(source, target), (target, source)}}
            for start, end in ways[wanted.direction]:
                if not wanted.entity_type or types[end] in wanted.entity_type or end in pair:
                    roads.add_edge(start, end, key=each.id, **about)
        return roads


def admits(filter: WalkFilter, each: Relationship) -> bool:
    """Whether a walk with this filter follows a relationship."""
    least, period = filter.min_confidence, period_of(filter.valid_at) if filter.valid_at else Period()
    assert period is not None
    return (
        each.relationship_type in (filter.relationship_type or TYPES)
        and each.relationship_type not in filter.not_relationship_type
        and (least is None or (each.confidence is not None and each.confidence >= least))
        and each.sources_for >= (filter.min_sources or 0)
        and each.period.overlaps(period)
    )


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """A multigraph of up to 25 entities, with loops, parallel and deleted relationships, and ties."""
    size = draw(st.integers(2, 25))
    number = next(_ids)
    ends = [
        entity(f"{n}", id=UUID(int=number << 64 | n * 7919 % 257), type=draw(st.sampled_from(ENTITY_TYPES)))
        for n in range(size)
    ]
    rows = []
    for n, drawn in enumerate(draw(st.lists(edges, min_size=size, max_size=70))):
        source, target = (ends[end % size] for end in drawn["ends"])
        made = relationship(
            source,
            target,
            id=UUID(int=number << 64 | drawn["shuffled"] % 2**40 << 8 | n),
            relationship_type=drawn["type"],
            key=str(n),
            confidence=drawn["confidence"],
            created_at=NOON + drawn["at"] * SECOND,
            metadata={} if drawn["km"] is None else {"km": drawn["km"]},
            sources_for=drawn["sources_for"],
            valid_from=drawn["dates"][0],
            valid_to=drawn["dates"][1],
        )
        rows.append(deleted(made) if drawn["is_deleted"] else made)
    return Graph(ends, rows)
