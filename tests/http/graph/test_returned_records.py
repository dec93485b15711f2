"""What GET gave can be sent back: with PUT and PATCH, fields that kgl sets may come along, and can't be changed."""

from collections.abc import Mapping
from typing import Any, Final

import pytest

from kgl_core.graph.relationships import RELATIONSHIP
from tests.http.conftest import Api, problem

RICH: Final[Mapping[str, Any]] = {
    "type": "person",
    "name": "Ada ไม้ パパ 🙂",
    "aliases": ["Ada", "அடா", "アダ"],
    "key": "https://example.org/ада?q=1",
    "confidence": 0.1,
    "source": "https://example.org/ソース",
    "source_type": "web",
    "metadata": {"é": [1, 1.0, -0.5, None, True, {"ключ": "значение"}], "big": 2**62},
}
ENTITIES: Final = (RICH, {"type": "person", "name": "Bo"}, {"type": "t", "name": "x", "confidence": 1, "aliases": []})
DATED: Final = {"confidence": None, "key": "k", "valid_from": "1994-05", "valid_to": "2000-01-01T00:00:00.5+02:00"}
RELATIONSHIPS: Final = ({}, {"confidence": 0, "source": "s", "metadata": {"a": {"b": []}}}, DATED)


def records(api: Api) -> list[tuple[str, dict[str, Any]]]:
    """Records of every shape: where they are, and how GET shows them."""
    made = [("entities", api.entity(**fields)) for fields in ENTITIES]
    for fields in RELATIONSHIPS:
        made.append(("relationships", api.relationship(api.entity()["id"], api.entity()["id"], **fields)))
    paths = [f"/api/v1/{kind}/{record['id']}" for kind, record in made]
    return [(path, api("GET", path).json["data"]) for path in paths]


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_what_was_read_can_be_sent_back(api: Api, method: str) -> None:
    """As it is, and changed where the caller may: the first changes nothing, not even the ETag."""
    for path, shown in records(api):
        before = api("GET", path)
        for body in (shown, before.json["data"]):
            answer = api(method, path, json=body, headers={"If-Match": before.headers["etag"]})
            assert (answer.status_code, answer.json["data"]) == (200, shown), answer.text
            assert answer.headers["etag"] == before.headers["etag"]
        answer = api(method, path, json={**shown, "confidence": 0.75})
        assert answer.status_code == 200, answer.text
        after = api("GET", path).json["data"]
        changed = {"confidence": 0.75, "version": 2, "updated_at": after["updated_at"]}
        assert after == answer.json["data"] == {**shown, **changed}


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_what_is_pinned_can_be_sent_back(api: Api, method: str) -> None:
    """As it was read, in its order; a change of it says what it is, as JSON."""
    path, shown = records(api)[0]
    shown = api("PUT", f"{path}/pinned", json={"pinned": ["/name", "/confidence"]}).json["data"]
    assert shown["pinned"] == ["/confidence", "/name"]
    answer = api(method, path, json=shown)
    assert (answer.status_code, answer.json["data"]) == (200, shown), answer.text
    found = problem(api(method, path, json={**shown, "pinned": []}), 422, "invalid_input")
    assert 'it is ["/confidence", "/name"] now' in found["errors"][0]["detail"]


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_moments_and_ids_may_be_spelled_otherwise(api: Api, method: str) -> None:
    """Any spelling of the same value is the same: RFC 3339 has several, and so have UUIDs and numbers."""
    for path, shown in records(api):
        moment = shown["created_at"]
        spellings = [
            moment.lower(),
            moment.replace("T", " "),
            moment.replace("Z", "+00:00"),
            moment.replace("Z", "-00:00"),
        ]
        hour = int(moment[11:13])
        if hour < 22:
            spellings.append(f"{moment[:11]}{hour + 2:02}{moment[13:]}".replace("Z", "+02:00"))
        for spelling in spellings:
            answer = api(method, path, json={**shown, "created_at": spelling})
            assert (answer.status_code, answer.json["data"]) == (200, shown), answer.text
        odd = {"id": shown["id"].upper(), "version": 1.0}
        assert api(method, path, json={**shown, **odd}).status_code == 200


OTHERS: Final[Mapping[str, tuple[Any, ...]]] = {
    "id": ("01890a5d-ac96-774b-bcce-b302099a8057", None, 1, "x", []),
    "version": (2, 0, None, "1", True, 1.5, [1]),
    "created_at": ("2026-01-01T00:00:00Z", "2026-01-01", "now", None, 0, {}),
    "updated_at": ("9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "x" * 100_000, False),
    "created_by": ({"kind": "user", "id": "eve"}, {"kind": "system"}, {}, None, "system", []),
    "is_active": (False, None, 1, "true"),
    "deleted_at": ("2026-01-01T00:00:00Z", False, 0, ""),
    "deleted_by": ({"kind": "system", "id": None}, {}, False),
    "pinned": (["/name"], ["/confidence"], None, "", {}, False, [[]]),
    "sources_for": (2, None, "1", True),
    "sources_against": (1, None, "0", False),
    "is_retired": (True, None, 0, "false"),
}


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_what_kgl_sets_cannot_be_changed(api: Api, method: str) -> None:
    """Every field that differs is named, with what it is; nothing is changed."""
    made = records(api)
    for path, shown in (made[0], made[-1]):
        others = {**OTHERS, **({"deleted_with": (shown["id"], False)} if "deleted_with" in shown else {})}
        assert set(others) == set(shown) - set(RICH) - set(RELATIONSHIP.said)
        for name, values in others.items():
            for value in values:
                found = problem(api(method, path, json={**shown, name: value}), 422, "invalid_input")
                assert [(fault["pointer"], fault["code"]) for fault in found["errors"]] == [(f"/{name}", "immutable")]
                assert "unchanged" in found["errors"][0]["detail"]
        everything = {name: values[0] for name, values in others.items()}
        found = problem(api(method, path, json={**shown, **everything}), 422, "invalid_input")
        assert {fault["pointer"] for fault in found["errors"]} == {f"/{name}" for name in others}
        assert api("GET", path).json["data"] == shown


def test_what_was_read_before_a_change_is_not_written_over_it(api: Api) -> None:
    """A record that comes back with an old version is refused, even without If-Match."""
    shown = api.entity()
    path = f"/api/v1/entities/{shown['id']}"
    api("PATCH", path, json={"name": "Ada L."})
    found = problem(api("PUT", path, json={**shown, "name": "Eve"}), 422, "invalid_input")
    assert [fault["pointer"] for fault in found["errors"]] == ["/updated_at", "/version"]
    assert "it is 2 now" in found["errors"][1]["detail"]


def test_faults_come_in_the_order_of_who_may_know(api: Api) -> None:
    """What is malformed, missing, not the caller's or failed its precondition is told before what was changed."""
    shown = api.entity()
    path = f"/api/v1/entities/{shown['id']}"
    changed = {**shown, "version": 7}
    assert (
        problem(api("PUT", path, json={**changed, "nmae": 1}), 422, "invalid_input")["errors"][0]["pointer"] == "/nmae"
    )
    problem(api("PUT", path, by="eve", json=changed), 403, "permission_denied")
    problem(api("PUT", path, json=changed, headers={"If-Match": '"7"'}), 412, "stale_version")
    api("DELETE", path)
    problem(api("PUT", path, json=changed), 404, "deleted")


def test_a_new_record_has_nothing_that_kgl_sets(api: Api) -> None:
    """There is nothing yet that it could be the same as."""
    shown = api.entity()
    found = problem(api("POST", "/api/v1/entities", json={**shown, "key": None}), 422, "invalid_input")
    assert {fault["code"] for fault in found["errors"]} == {"unknown_field"}
