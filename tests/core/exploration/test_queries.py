"""What walks are asked for: what is beyond a limit is refused, with the limit."""

from typing import Any
from uuid import uuid4

import pytest

from kgl_core import InvalidInput
from kgl_core.exploration.common_neighbors import CommonQuery
from kgl_core.exploration.neighborhoods import NeighborhoodQuery
from kgl_core.exploration.paths import PathQuery
from kgl_core.exploration.subgraphs import SubgraphQuery
from kgl_core.kernel.checked_records import build

ENDS = {"from": str(uuid4()), "to": str(uuid4())}
IDS = [uuid4() for _ in range(201)]


@pytest.mark.parametrize(
    ("query", "given", "pointer", "advice"),
    [
        (NeighborhoodQuery, {"depth": 7}, "/depth", "6"),
        (NeighborhoodQuery, {"depth": -1}, "/depth", "0"),
        (NeighborhoodQuery, {"depth": True}, "/depth", "whole number"),
        (NeighborhoodQuery, {"max_entities": 10_001}, "/max_entities", "10000"),
        (NeighborhoodQuery, {"max_entities": 0}, "/max_entities", "1"),
        (NeighborhoodQuery, {"max_per_entity": 10_001}, "/max_per_entity", "10000"),
        (NeighborhoodQuery, {"max_relationships": 50_001}, "/max_relationships", "50000"),
        (NeighborhoodQuery, {"min_confidence": 1.1}, "/min_confidence", "1"),
        (NeighborhoodQuery, {"min_confidence": float("nan")}, "/min_confidence", "number"),
        (NeighborhoodQuery, {"min_sources": -1}, "/min_sources", "0"),
        (NeighborhoodQuery, {"valid_at": "1994-13"}, "/valid_at", "month"),
        (NeighborhoodQuery, {"direction": "up"}, "/direction", "both"),
        (NeighborhoodQuery, {"relationship_type": "ist gut"}, "/relationship_type/0", "letter"),
        (NeighborhoodQuery, {"entity_type": ["t"] * 201}, "/entity_type", "200"),
        (NeighborhoodQuery, {"depht": 1}, "/depht", "depth"),
        (PathQuery, {"max_depth": 13}, "/max_depth", "12"),
        (PathQuery, {"limit": 101}, "/limit", "100"),
        (PathQuery, {"limit": 0}, "/limit", "1"),
        (PathQuery, {"budget": 500_001}, "/budget", "500000"),
        (PathQuery, {"kind": "fastest"}, "/kind", "k_shortest"),
        (PathQuery, {"kind": "lightest"}, "/weight", "name"),
        (PathQuery, {"weight": "km"}, "/weight", "lightest"),
        (PathQuery, {"weight": "", "kind": "lightest"}, "/weight", "character"),
        (PathQuery, {"from": []}, "/from", "1"),
        (PathQuery, {"to": ["Ada"]}, "/to/0", "UUID"),
        (PathQuery, {"to": IDS[:11]}, "/to", "10"),
        (PathQuery, {"avoid": IDS}, "/avoid", "200"),
        (PathQuery, {"avoid": [1]}, "/avoid/0", "UUID"),
        (CommonQuery, {"id": IDS[:1]}, "/id", "2"),
        (CommonQuery, {"id": IDS[:11]}, "/id", "10"),
        (CommonQuery, {"id": IDS[:2], "limit": 201}, "/limit", "200"),
        (SubgraphQuery, {"ids": IDS * 50}, "/ids", "10000"),
        (SubgraphQuery, {}, "/ids", "filter"),
        (SubgraphQuery, {"ids": IDS, "filter": {}}, "/ids", "filter"),
        (SubgraphQuery, {"filter": {"typ": "person"}}, "/filter/typ", "type"),
        (SubgraphQuery, {"filter": []}, "/filter", "object"),
        (SubgraphQuery, {"ids": IDS, "max_entities": 10_001}, "/max_entities", "10000"),
    ],
)
def test_what_is_beyond_the_limits_is_refused(query: type, given: dict[str, Any], pointer: str, advice: str) -> None:
    """Every fault names the field, and says what can be given."""
    with pytest.raises(InvalidInput) as refused:
        build(query, {**(ENDS if query is PathQuery else {}), **given})
    [fault] = refused.value.faults
    assert fault.pointer == pointer
    assert advice in fault.detail.replace(",", "")
