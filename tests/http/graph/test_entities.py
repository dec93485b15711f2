"""``/entities``: list, create, get, replace, patch, delete and restore over HTTP."""

import json
from typing import Any

import pytest

from kgl_core.graph.entities import ENTITY
from tests.http.conftest import Api, problem

PATH = "/api/v1/entities"
NOWHERE = "01890a5d-ac96-774b-bcce-b302099a8057"
FULL = {
    "type": "person",
    "name": "Ada Lovelace",
    "aliases": ["Countess of Lovelace"],
    "key": "Q7259",
    "confidence": 0.98,
    "source": "https://example.org/ada",
    "source_type": "wiki",
    "metadata": {"born": {"year": 1815}, "tags": ["a"], "zero": 0, "none": None},
}


def names(api: Api, **params: Any) -> list[str]:
    """The names of the entities that a listing holds."""
    answer = api("GET", PATH, params=params, params_csv=False)
    assert answer.status_code == 200, answer.text
    return [entity["name"] for entity in answer.json["data"]]


def pointers(found: dict[str, Any]) -> list[tuple[str, str]]:
    """Where a problem's faults are, and their codes."""
    return [(fault["pointer"], fault["code"]) for fault in found["errors"]]


def test_a_created_entity_is_shown_whole(api: Api) -> None:
    """201 with its place, and everything that was said of it beside what kgl knows of it."""
    answer = api("POST", PATH, json=FULL)
    assert answer.status_code == 201
    entity = answer.json["data"]
    assert answer.headers["location"] == f"{PATH}/{entity['id']}"
    assert {name: entity[name] for name in FULL} == FULL
    assert entity["created_by"] == {"kind": "user", "id": str(api.account("admin").id)}
    assert (entity["version"], entity["is_active"], entity["deleted_at"], entity["deleted_by"]) == (1, True, None, None)
    assert entity["created_at"] == entity["updated_at"]
    assert entity["created_at"].endswith("Z")
    assert set(entity) - set(FULL) == {
        *("id", "created_by", "created_at", "updated_at", "version", "is_active", "deleted_at", "deleted_by"),
        *("pinned", "sources_for", "sources_against", "is_retired"),
    }
    assert (entity["pinned"], entity["is_retired"]) == ([], False)
    assert (entity["sources_for"], entity["sources_against"]) == (1, 0)
    assert api("GET", answer.headers["location"]).json["data"] == entity


def test_an_entity_needs_a_type_and_a_name_only(api: Api) -> None:
    """Everything else is empty then; a body in UTF-8 with a charset is taken as well."""
    answer = api("POST", PATH, body=b'{"type":"x","name":"\xc3\x85"}', content_type="Application/JSON; charset=UTF-8")
    entity = answer.json["data"]
    assert (entity["name"], entity["aliases"], entity["key"], entity["metadata"]) == ("Å", [], None, {})


def test_every_fault_of_a_body_is_told_at_once(api: Api) -> None:
    """By JSON Pointer, unknown fields with the near miss; nothing is created."""
    body = {"nmae": "Ada", "type": "9", "confidence": "1", "aliases": ["", "b"], "metadata": {"a": [float(2**70)]}}
    found = problem(api("POST", PATH, json=body), 422, "invalid_input")
    assert pointers(found) == [
        ("/nmae", "unknown_field"),
        ("/type", "pattern"),
        ("/name", "required"),
        ("/aliases/0", "blank"),
        ("/confidence", "not_a_number"),
    ]
    assert "did you mean name?" in found["errors"][0]["detail"]
    assert names(api) == []


def test_a_taken_key_is_a_conflict(api: Api) -> None:
    """For creating, replacing and patching, as long as the entity that has it is active."""
    first, other = api.entity(key="Q1"), api.entity()
    problem(api("POST", PATH, json={"type": "x", "name": "X", "key": "Q1"}), 409, "already_exists")
    problem(api("PATCH", f"{PATH}/{other['id']}", json={"key": "Q1"}), 409, "already_exists")
    body = {"type": "x", "name": "X", "key": "Q1"}
    problem(api("PUT", f"{PATH}/{other['id']}", json=body), 409, "already_exists")
    api("DELETE", f"{PATH}/{first['id']}")
    assert api("PUT", f"{PATH}/{other['id']}", json=body).status_code == 200
    problem(api("POST", f"{PATH}/{first['id']}/restore"), 409, "already_exists")


def test_a_conflict_tells_the_key_and_who_holds_it(api: Api) -> None:
    """In words, and by the pointer of the field; to a caller who may not read, only that the key is taken."""
    holder = api.entity(key="Q1")
    found = problem(api("POST", PATH, json={"type": "x", "name": "X", "key": "Q1"}), 409, "already_exists")
    assert found["detail"] == (
        f"the key Q1 is taken by entity {holder['id']}; update the entity that holds this key, or choose another"
    )
    assert pointers(found) == [("/key", "already_exists")]
    hidden = problem(
        api("POST", PATH, json={"type": "x", "name": "X", "key": "Q1"}, by="writer"), 409, "already_exists"
    )
    assert holder["id"] not in str(hidden)


def test_a_deleted_entity_is_found_by_its_key(api: Api) -> None:
    """With is_active, as in a listing."""
    gone = api.entity(key="Q1")
    api("DELETE", f"{PATH}/{gone['id']}")
    for query, expected in (({}, []), ({"is_active": "false"}, [gone["id"]]), ({"is_active": "any"}, [gone["id"]])):
        for by in ({"key": "Q1"}, {"id": gone["id"]}):
            answer = api("GET", PATH, params={**by, **query})
            assert [each["id"] for each in answer.json["data"]] == expected, (by, query)


def test_many_entities_are_fetched_by_a_post(api: Api) -> None:
    """What does not fit into a URL: ids, keys and names, up to 1,000 in all; it takes no idempotency key."""
    keys = [f"https://example.org/{'ก' * 400}/{number}" for number in range(150)]
    lines = "".join(
        f'{{"kind": "entity", "type": "t", "name": "Zoë {number}", "key": "{key}"}}\n'
        for number, key in enumerate(keys)
    )
    api("POST", "/api/v1/import", body=lines.encode(), content_type="application/x-ndjson")
    other = api.entity(name="ハハ")

    def found(**body: Any) -> list[str]:
        answer = api("POST", f"{PATH}/get", json=body, by="reader")
        assert (answer.status_code, answer.json["meta"]["next_cursor"]) == (200, None), answer.text
        return [each["name"] for each in answer.json["data"]]

    assert found(keys=keys) == [f"Zoë {number}" for number in range(150)]
    assert found(names=["ZOE 7", "ハハ", "パパ"], ids=[other["id"]]) == ["Zoë 7", "ハハ"]
    assert found() == found(keys=["none"], ids=None) == []
    api("DELETE", f"{PATH}/{other['id']}")
    assert found(ids=[other["id"]]) == []
    assert found(ids=[other["id"]], is_active=False) == found(ids=[other["id"]], is_active=None) == ["ハハ"]
    too_many = api("POST", f"{PATH}/get", json={"keys": keys[:1], "names": [str(n) for n in range(1_000)]})
    assert pointers(problem(too_many, 422, "invalid_input")) == [("", "too_many")]
    for body, expected in (
        ({"keys": "Q1"}, [("/keys", "not_a_list")]),
        ({"ids": ["x"], "key": []}, [("/key", "unknown_field"), ("/ids/0", "invalid_id")]),
        ({"names": [" ", "n\u0000"]}, [("/names/0", "blank"), ("/names/1", "control_character")]),
    ):
        assert pointers(problem(api("POST", f"{PATH}/get", json=body), 422, "invalid_input")) == expected
    problem(api("POST", f"{PATH}/get", json={}, by="writer"), 403, "permission_denied")
    problem(api("GET", f"{PATH}/get"), 405, "method_not_allowed")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_null_empties_a_field(api: Api, method: str) -> None:
    """Every field that is not required, whatever the method."""
    made = api("POST", PATH, json=FULL).json["data"]
    path = PATH if method == "POST" else f"{PATH}/{made['id']}"
    body = {**dict.fromkeys(FULL), "type": "person", "name": "Ada"}
    changed = api(method, path, json=body).json["data"]
    assert {name: changed[name] for name in FULL} == {**body, "aliases": [], "metadata": {}}
    found = problem(api(method, path, json={**body, "name": None}), 422, "invalid_input")
    assert [pointer for pointer, _ in pointers(found)] == ["/name"]


def test_times_are_taken_in_every_spelling_of_rfc_3339(api: Api) -> None:
    """Lower case t and z; a + that was not escaped is explained."""
    api.entity(name="Ada")
    for moment in ("2026-01-01t00:00:00z", "2026-01-01T00:00:00Z", "2026-01-01T02:00:00+02:00", "2026-01-01 00:00:00Z"):
        assert names(api, created_after=moment) == ["Ada"], moment
    answer = api("GET", PATH, query_string="created_after=2026-01-01T02:00:00+02:00")
    found = problem(answer, 400, "bad_request")
    assert pointers(found) == [("/created_after", "not_an_instant")]
    assert "%2B" in found["errors"][0]["detail"]


def test_what_is_replaced_has_only_what_the_body_says(api: Api) -> None:
    """PUT empties what is left out; a PUT of the same changes nothing."""
    path = f"{PATH}/{api('POST', PATH, json=FULL).json['data']['id']}"
    same = api("PUT", path, json=FULL)
    assert (same.json["data"]["version"], same.headers["etag"][:3]) == (1, '"1-')
    replaced = api("PUT", path, json={"type": "person", "name": "Ada"}).json["data"]
    assert (replaced["aliases"], replaced["key"], replaced["metadata"], replaced["version"]) == ([], None, {}, 2)
    problem(api("PUT", path, json={"name": "Ada"}), 422, "invalid_input")


def test_a_merge_patch_changes_what_it_names(api: Api) -> None:
    """Under its own media type or as JSON; null empties, metadata is merged, the rest stays (RFC 7396)."""
    path = f"{PATH}/{api('POST', PATH, json=FULL).json['data']['id']}"
    patch = b'{"confidence":null,"metadata":{"born":{"day":10},"tags":null}}'
    patched = api("PATCH", path, body=patch, content_type="application/merge-patch+json").json["data"]
    expected = {**FULL, "confidence": None, "metadata": {"born": {"year": 1815, "day": 10}, "zero": 0, "none": None}}
    assert {name: patched[name] for name in FULL} == expected
    assert api("PATCH", path, json={}).json["data"] == patched
    assert pointers(problem(api("PATCH", path, json={"name": None}), 422, "invalid_input")) == [("/name", "required")]
    answer = api("PATCH", path, body=b"[]", content_type="application/merge-patch+json")
    assert pointers(problem(answer, 422, "invalid_input")) == [("", "not_an_object")]


def test_no_depth_of_a_body_is_too_much(api: Api) -> None:
    """However deep a patch or a draft nests, it is refused, also just below what the parser takes."""
    path = f"{PATH}/{api.entity()['id']}"
    for depth in (63, 64, *range(700, 1000, 10), 100_000):
        nested = b'{"metadata":' + b'{"a":' * depth + b"1" + b"}" * depth + b"}"
        for method in ("PATCH", "PUT"):
            assert api(method, path, body=nested, content_type="application/json").status_code in (400, 422), depth
    assert api("GET", path).json["data"]["version"] == 1


def test_confidence_is_kept_as_it_was_written_or_refused(api: Api) -> None:
    """By every way to write it, and as a filter."""
    entity = api.entity()
    path, headers = f"{PATH}/{entity['id']}", {"content-type": "application/json"}
    for literal in ("1.00000000000000000001", "-1e-400", "1e-400", "0.30000000000000004441"):
        body = f'{{"type": "t", "name": "n", "confidence": {literal}}}'
        for method, place in (("POST", PATH), ("PUT", path), ("PATCH", path)):
            found = problem(api(method, place, body=body, headers=headers), 422, "invalid_input")
            assert pointers(found) == [("/confidence", "inexact_number")]
        line = body.replace("{", '{"kind": "entity", "key": "k", ', 1)
        loaded = api("POST", "/api/v1/import", body=line, headers={"content-type": "application/x-ndjson"})
        assert "inexact_number" in loaded.text, loaded.text
    found = problem(api("GET", PATH, params={"min_confidence": "0.99999999999999999999"}), 400, "bad_request")
    assert pointers(found) == [("/min_confidence", "inexact_number")]
    for text in (".5", "5e-1", "0.50", "1."):
        assert api("GET", PATH, params={"min_confidence": text}).status_code == 200


def test_what_is_deleted_says_who_can_restore_it(api: Api) -> None:
    """A change is not advised to use a parameter that it does not take; a GET is."""
    path = f"{PATH}/{api.entity()['id']}"
    api("DELETE", path)
    for method, body in (("PUT", {"type": "t", "name": "n"}), ("PATCH", {"name": "n"}), ("DELETE", None)):
        found = problem(api(method, path, **({} if body is None else {"json": body})), 404, "deleted")
        assert "a moderator can restore it" in found["detail"]
        assert "include_deleted" not in found["detail"]
    assert "include_deleted" in problem(api("GET", path), 404, "deleted")["detail"]


def test_a_whole_answer_is_not_a_record(api: Api) -> None:
    """It says which part of it to send; what kgl sets is shown as GET shows it."""
    path = f"{PATH}/{api.entity()['id']}"
    answer = api("GET", path).json
    found = problem(api("PUT", path, json=answer), 422, "invalid_input")
    assert pointers(found) == [("", "enveloped")]
    found = problem(api("PATCH", path, json={"created_by": None}), 422, "invalid_input")
    assert json.dumps(answer["data"]["created_by"]) in found["detail"]


def test_an_entity_with_too_many_relationships_is_not_deleted(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """409, with how many are allowed and what to do."""
    monkeypatch.setattr("kgl_core.graph.deleting_and_restoring.TAKEN_ALONG_MAX", 1)
    hub, *spokes = (api.entity(name=name)["id"] for name in ("hub", "a", "b"))
    wheel = [api.relationship(hub, spoke)["id"] for spoke in spokes]
    found = problem(api("DELETE", f"{PATH}/{hub}"), 409, "too_many_relationships")
    assert "at most 1 along" in found["detail"]
    assert api("GET", f"{PATH}/{hub}").status_code == 200
    assert api("DELETE", f"/api/v1/relationships/{wheel[0]}").status_code == 200
    assert api("DELETE", f"{PATH}/{hub}").status_code == 200


def test_a_deleted_entity_leaves_and_comes_back_with_its_relationships(api: Api) -> None:
    """Deleting answers with the record as it is then, restoring with what came back and what could not."""
    ada, notes, eve = (api.entity(name=name)["id"] for name in ("Ada", "Notes", "Eve"))
    wrote = api.relationship(ada, notes, relationship_type="wrote")["id"]
    knows = api.relationship(ada, eve)["id"]
    deleted = api("DELETE", f"{PATH}/{ada}").json["data"]
    assert (deleted["is_active"], deleted["version"]) == (False, 2)
    assert deleted["deleted_by"] == {"kind": "user", "id": str(api.account("admin").id)}
    problem(api("GET", f"{PATH}/{ada}"), 404, "deleted")
    problem(api("DELETE", f"{PATH}/{ada}"), 404, "deleted")
    assert api("GET", f"{PATH}/{ada}", params={"include_deleted": "true"}).json["data"] == deleted
    gone = api("GET", f"/api/v1/relationships/{wrote}", params={"include_deleted": "true"}).json["data"]
    assert (gone["is_active"], gone["deleted_with"]) == (False, ada)
    api("DELETE", f"{PATH}/{eve}")
    back = api("POST", f"{PATH}/{ada}/restore").json["data"]
    assert (back["entity"]["is_active"], back["entity"]["version"]) == (True, 3)
    assert (back["relationships"], back["left_deleted"]) == ([wrote], [knows])
    again = api("POST", f"{PATH}/{ada}/restore").json["data"]
    assert again == {"entity": back["entity"], "relationships": [], "left_deleted": [], "has_more_deleted": False}


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
def test_an_id_that_names_nothing_is_not_found_and_no_id_is_malformed(api: Api, method: str) -> None:
    """404 for a UUID that nobody has, 400 for what is no UUID in its canonical form."""
    body = None if method in ("GET", "DELETE") else {"type": "x", "name": "X"}
    problem(api(method, f"{PATH}/{NOWHERE}", json=body), 404, "not_found")
    for text in ("1", NOWHERE.replace("-", ""), f"{{{NOWHERE}}}", "%00", NOWHERE + "0", "%F0%9F%92%A9"):
        found = problem(api(method, f"{PATH}/{text}", json=body), 400, "bad_request")
        assert pointers(found) == [("/id", "invalid_id")]
    problem(api("POST", f"{PATH}/{NOWHERE}/restore"), 404, "not_found")
    problem(api("GET", f"{PATH}/{NOWHERE}/relationships"), 404, "not_found")


def test_entities_can_be_filtered_by_everything(api: Api) -> None:
    """Each filter alone, and together; confidence bounds are inclusive, times exclusive."""
    api.entity(name="A", type="person", confidence=0.2, source="s1", source_type="web")
    b = api.entity(name="B", type="city", confidence=0.5, source="s1", source_type="book")
    api.entity(name="C", type="idea", source="s2")
    api("PATCH", f"{PATH}/{api.entity(name='D', type='city', confidence=0.9)['id']}", json={"source": "s3"})
    api("DELETE", f"{PATH}/{api.entity(name='E', type='city')['id']}")
    middle = b["created_at"]
    offset = middle.replace("Z", "+00:00")
    for params, found in (
        ({}, "ABCD"),
        ({"type": "city"}, "BD"),
        ({"type": ["city", "idea", "none"]}, "BCD"),
        ({"min_confidence": "0.5"}, "BD"),
        ({"max_confidence": "5e-1"}, "AB"),
        ({"min_confidence": "0.3", "max_confidence": "0.8"}, "B"),
        ({"source": "s1"}, "AB"),
        ({"source_type": "book"}, "B"),
        ({"created_after": middle}, "CD"),
        ({"created_before": offset}, "A"),
        ({"updated_after": middle, "updated_before": "2999-01-01T00:00:00Z"}, "CD"),
        ({"is_active": "false"}, "E"),
        ({"is_active": "any"}, "ABCDE"),
        ({"is_active": "any", "type": "city", "source": "s3"}, "D"),
    ):
        assert "".join(names(api, **params)) == found, params
        total = api("GET", PATH, params={**params, "limit": 1, "count": "exact"}, params_csv=False).json["meta"][
            "total"
        ]
        assert total == len(found), params


@pytest.mark.parametrize("sort", ENTITY.sort_rule.values)
def test_every_order_can_be_walked_page_by_page(api: Api, sort: str) -> None:
    """The pages of a cursor hold all, each once, in order; the last has no cursor; totals only when asked for."""
    made = [api.entity(name=name) for name in ("b", "Á", "a", "C", "B")]
    api("PATCH", f"{PATH}/{made[0]['id']}", json={"confidence": 1})
    walked: list[dict[str, Any]] = []
    params: dict[str, Any] = {"sort": sort, "limit": 2}
    for _ in range(3):
        answer = api("GET", PATH, params=params).json
        walked += answer["data"]
        assert set(answer["meta"]) == {"request_id", "timestamp", "limit", "next_cursor"}
        assert answer["meta"]["limit"] == 2
        params["cursor"] = answer["meta"]["next_cursor"]
    assert params["cursor"] is None
    assert len(walked) == len({entity["id"] for entity in walked}) == 5
    assert walked == api("GET", PATH, params={"sort": sort, "limit": 5}).json["data"]
    field = sort.removeprefix("-")
    if field == "name":
        assert [entity["name"].lower().replace("á", "a") for entity in walked] == sorted(
            "abcab", reverse=sort[0] == "-"
        )
    else:
        shown = [entity[field] for entity in walked]
        assert shown == sorted(shown, reverse=sort[0] == "-")


def test_a_cursor_belongs_to_its_filter_and_sort(api: Api) -> None:
    """Under another, or damaged, it is refused, whatever is in it."""
    for _ in range(3):
        api.entity()
    cursor = api("GET", PATH, params={"limit": 1}).json["meta"]["next_cursor"]
    assert api("GET", PATH, params={"limit": 2, "cursor": cursor}).status_code == 200
    for params in (
        {"cursor": cursor, "sort": "name"},
        {"cursor": cursor, "type": "person"},
        {"cursor": cursor[:-1]},
        {"cursor": "garbage"},
        {"cursor": "W10"},
    ):
        problem(api("GET", PATH, params=params), 400, "invalid_cursor")
    problem(api("GET", PATH, params={"cursor": "x" * 5000}), 400, "bad_request")


def test_every_fault_of_a_query_is_told_at_once(api: Api) -> None:
    """Parameters that are unknown, repeated, empty or out of range."""
    query = (
        "tpye=person&limit=0&sort=age&min_confidence=nan&max_confidence=1&max_confidence=1&is_active=1"
        "&created_after=2026-01-31&created_before=now&count=all&source=&type=&id=1&include_deleted=true"
    )
    found = problem(api("GET", PATH, query_string=query), 400, "bad_request")
    assert sorted(pointers(found)) == sorted(
        [
            ("/tpye", "unknown_parameter"),
            ("/include_deleted", "unknown_parameter"),
            ("/max_confidence", "repeated"),
            ("/limit", "out_of_range"),
            ("/sort", "not_a_choice"),
            ("/min_confidence", "not_a_number"),
            ("/is_active", "not_a_flag"),
            ("/created_after", "not_an_instant"),
            ("/created_before", "not_an_instant"),
            ("/count", "not_a_choice"),
            ("/source", "blank"),
            ("/type/0", "blank"),
            ("/id/0", "invalid_id"),
        ]
    )
    assert "did you mean type?" in found["detail"]


@pytest.mark.parametrize("query", ["source=%00", "source=%ED%A0%80", "source=%FF", "=", "&".join(["type=a"] * 501)])
def test_a_query_that_is_no_text_or_too_long_is_refused(api: Api, query: str) -> None:
    """NUL, lone surrogates, bytes that are not UTF-8, nameless parameters, and hundreds of them."""
    problem(api("GET", PATH, query_string=query), 400, "bad_request")


def test_several_are_fetched_at_once_by_id_or_key(api: Api) -> None:
    """Up to 200 of each, the active ones that exist, each once; no cursor, as there is no next page."""
    a, b = api.entity(name="A", key="k,1"), api.entity(name="B", key="k2")
    gone = api.entity(name="C", key="k3")
    api("DELETE", f"{PATH}/{gone['id']}")
    answer = api("GET", PATH, params={"id": [b["id"], a["id"], a["id"], gone["id"], NOWHERE]}, params_csv=False).json
    assert [entity["id"] for entity in answer["data"]] == sorted([a["id"], b["id"]])
    assert (answer["meta"]["next_cursor"], answer["meta"]["limit"]) == (None, None)
    assert sorted(names(api, key=["k,1", "k3", "nobody"], id=b["id"])) == ["A", "B"]
    many = "&".join(f"id={a['id']}" for _ in range(200))
    assert len(api("GET", PATH, query_string=many).json["data"]) == 1
    found = problem(api("GET", PATH, query_string=f"{many}&id={a['id']}"), 400, "bad_request")
    assert pointers(found) == [("/id", "too_many")]


def test_what_fetches_several_stands_beside_nothing_else(api: Api) -> None:
    """A filter, an order or a count would say nothing about records that are named one by one."""
    query = f"id={NOWHERE}&type=person&sort=name&limit=3&count=exact&is_active=any&cursor=x"
    found = problem(api("GET", PATH, query_string=query), 400, "bad_request")
    names = ("cursor", "limit", "sort", "type", "count")
    assert sorted(pointers(found)) == sorted((f"/{name}", "not_together") for name in names)


def test_who_may_do_what(api: Api) -> None:
    """A user changes what is theirs, a moderator everything; nobody does nothing."""
    path = f"{PATH}/{api.entity(by='eve')['id']}"
    assert api("GET", path, by="user").status_code == 200
    problem(api("PATCH", path, json={"name": "X"}, by="user"), 403, "permission_denied")
    assert api("PATCH", path, json={"name": "X"}, by="eve").status_code == 200
    assert api("PATCH", path, json={"name": "Y"}, by="moderator").status_code == 200
    assert api("DELETE", path, by="eve").status_code == 200
    problem(api("POST", f"{path}/restore", by="eve"), 403, "permission_denied")
    assert api("POST", f"{path}/restore", by="moderator").status_code == 200
    for method in ("GET", "PUT", "PATCH", "DELETE"):
        problem(api(method, path, by="nobody"), 401, "not_authenticated")


def test_one_filter_has_one_cursor_however_it_is_spelled(api: Api) -> None:
    """Other order, repeated values, other spellings of a number and of a moment."""
    for number in range(4):
        api.entity(type=f"t{number % 2}", confidence=0.5)
    path = "/api/v1/entities"
    query = "type=t0&type=t1&min_confidence=0.5&created_after=2020-01-01T00:00:00Z"
    first = api("GET", path, query_string=f"{query}&limit=1").json["meta"]["next_cursor"]
    rest = api("GET", path, query_string=f"{query}&cursor={first}").json["data"]
    assert len(rest) == 3
    for other in (
        "type=t1&type=t0&min_confidence=0.5&created_after=2020-01-01T00:00:00Z",
        "created_after=2020-01-01T02:00:00%2B02:00&min_confidence=.50&type=t1&type=t0&type=t1",
        "type=t0&type=t1&min_confidence=5e-1&created_after=2019-12-31T23:00:00.000000-01:00",
        "type=t0&type=t1&min_confidence=0.500&created_after=2020-01-01t00:00:00z",
    ):
        answer = api("GET", path, query_string=f"{other}&cursor={first}")
        assert (answer.status_code, answer.json["data"]) == (200, rest), other
    problem(api("GET", path, query_string=f"type=t0&cursor={first}"), 400, "invalid_cursor")
