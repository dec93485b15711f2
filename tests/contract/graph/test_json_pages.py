"""Pages of JSON: what `list` gives, for whoever only passes it on."""

from itertools import pairwise
from typing import Any

import orjson
import pytest

from kgl_core import Deleted, KnowledgeGraph, NotFound
from kgl_core.graph.nouns import GRAPH_NOUNS
from kgl_core.kernel.nouns.json_records import json_record
from kgl_core.kernel.nouns.noun import AnyNoun

METADATA: list[dict[str, Any]] = [
    {},
    {"": {}, "ชื่อ": ["ไทย", "京都", "🔵", None, True, 1, 1.0, -0.0, 1e300, 2**53 + 1]},
    {"line\u2028break": '\u2029\n\t"\\', "deep": {"a": {"b": [{}, []]}}},
]
TEXTS = ["Ada", "أدا", "अडा", "Zoë ﬁr", "a" * 490]


@pytest.fixture
def filled(kg: KnowledgeGraph) -> KnowledgeGraph:
    """Entities and relationships of every shape: active, deleted, retired, with and without each field."""
    said: list[dict[str, Any]] = [
        {"name": name, "aliases": [f"{name} {n}" for n in range(place)], "metadata": METADATA[place % len(METADATA)]}
        for place, name in enumerate(TEXTS)
    ]
    entities = [kg.entities.create(type="t", **each) for each in said]
    entities.append(kg.entities.create(type="t", name="all", key="k", confidence=0.1, source="s", source_type="web"))
    made = [
        kg.relationships.create(
            source_entity_id=one.id, relationship_type="r", target_entity_id=other.id, metadata=metadata
        )
        for (one, other), metadata in zip(pairwise(entities), METADATA * 2, strict=False)
    ]
    kg.relationships.update(made[0].id, valid_from="1815", valid_to="1852-11", confidence=1)
    kg.relationships.delete(made[1].id)
    kg.entities.delete(entities[-1].id)
    kg.extract("https://example.org/1", "ner", {"entities": [{"label": "T1", "type": "t", "name": "retired"}]})
    kg.extract("https://example.org/1", "ner", {})
    return kg


@pytest.mark.parametrize("noun", GRAPH_NOUNS, ids=lambda noun: noun.name)
@pytest.mark.parametrize("is_active", [True, False, None])
def test_pages_of_json_are_those_of_records(filled: KnowledgeGraph, noun: AnyNoun, is_active: bool | None) -> None:
    """The same JSON in the same order, byte for byte, with the same cursors, in every sort and from page to page."""
    records: Any = getattr(filled, noun.plural)
    seen = 0
    for sort in noun.sorts:
        cursor = None
        while True:
            wanted = records.list(sort=sort, limit=2, cursor=cursor, is_active=is_active)
            page = records.list_json({"is_active": is_active}, sort=sort, limit=2, cursor=cursor)
            shown = [json_record(record, noun.hidden) for record in wanted.items]
            assert orjson.dumps(page.items) == orjson.dumps(tuple(shown))
            assert (page.next_cursor, page.limit) == (wanted.next_cursor, wanted.limit)
            seen += len(shown)
            cursor = page.next_cursor
            if cursor is None:
                break
    assert seen


@pytest.mark.parametrize("noun", GRAPH_NOUNS, ids=lambda noun: noun.name)
def test_a_record_as_json_is_that_record(filled: KnowledgeGraph, noun: AnyNoun) -> None:
    """Byte for byte, so that it has the entity tag that a change asks for; what is gone raises the same error."""
    records: Any = getattr(filled, noun.plural)
    seen = set()
    for record in records.list(is_active=None).items:
        shown = records.get_json(record.id, include_deleted=True)
        assert orjson.dumps(shown) == orjson.dumps(json_record(record, noun.hidden))
        if not record.is_active:
            with pytest.raises(Deleted) as wanted:
                records.get(record.id)
            with pytest.raises(type(wanted.value), match=str(record.id)):
                records.get_json(record.id)
        seen.add((record.is_active, record.is_retired))
    assert len(seen) == (3 if noun.name == "entity" else 2)
    with pytest.raises(NotFound):
        records.get_json("01890a5d-ac96-774b-bcce-b302099a8057")
