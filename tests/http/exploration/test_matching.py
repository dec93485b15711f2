"""``/graph/match``: rows, the records beside them, and faults that lead to their place in the body."""

from typing import Any

from tests.http.conftest import Api

MATCH = "/api/v1/graph/match"
WROTE: dict[str, Any] = {
    "nodes": {"a": {"type": "person"}, "b": {"type": "work", "metadata": {"year": 1843}}},
    "relationships": {"r": {"source": "a", "type": "wrote", "target": "b"}},
}


def test_rows_of_ids_and_the_records_beside_them(api: Api) -> None:
    """Each record once, with the fields that are asked for; what is missing is null."""
    notes = api.entity(type="work", name="Notes", metadata={"year": 1843})["id"]
    authors = [api.entity(type="person", name=name)["id"] for name in ("Ada", "Luigi")]
    wrote = [api.relationship(id, notes, relationship_type="wrote")["id"] for id in authors]
    read = {"nodes": {"c": {}}, "relationships": {"s": {"source": "c", "type": "read", "target": "b"}}}
    body = {
        **WROTE,
        "optional": [read],
        "order": [{"variable": "a", "field": "name"}],
        "fields": ["name"],
        "count": True,
    }
    answer = api("POST", MATCH, json=body).json
    none = {"c": None, "s": None}
    assert answer["data"] == [{"a": id, "b": notes, "r": by, **none} for id, by in zip(authors, wrote, strict=True)]
    assert answer["included"] == {
        "entities": [
            {"id": authors[0], "name": "Ada"},
            {"id": notes, "name": "Notes"},
            {"id": authors[1], "name": "Luigi"},
        ],
        "relationships": [
            {"id": by, "source_entity_id": id, "target_entity_id": notes} for id, by in zip(authors, wrote, strict=True)
        ],
    }
    about = {name: answer["meta"][name] for name in ("limit", "truncated", "total", "is_total_cut")}
    assert about == {"limit": 50, "truncated": None, "total": 2, "is_total_cut": False}
    cut = api("POST", MATCH, json={**body, "limit": 1}).json
    assert [row["a"] for row in cut["data"]] == authors[:1]
    assert (cut["meta"]["truncated"], cut["meta"]["total"]) == ({"reason": "limit"}, 2)


def test_faults_lead_to_their_place(api: Api) -> None:
    """In the body as it was sent."""
    answer = api(
        "POST",
        MATCH,
        json={**WROTE, "return": ["x"], "optional": [{"relationships": {"s": {"source": "a", "target": "z"}}}]},
    )
    assert answer.status_code == 422
    assert [fault["pointer"] for fault in answer.json["errors"]] == ["/optional/0/relationships/s/target"]
    apart = {"nodes": {"a": {}, "b": {}}, "fields": ["nonsense"]}
    assert [fault["pointer"] for fault in api("POST", MATCH, json=apart).json["errors"]] == ["/fields"]
    del apart["fields"]
    assert [fault["code"] for fault in api("POST", MATCH, json=apart).json["errors"]] == ["disconnected"]
