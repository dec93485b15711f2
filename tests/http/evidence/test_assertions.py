"""``…/{id}/assertions``, ``…/values`` and ``…/pinned`` of both kinds of facts, and ``/assertions``."""

from typing import Any
from uuid import uuid4

import pytest

from tests.http.conftest import Api, problem
from tests.http.evidence.documents import ADA, AT, FOUND, PAGE, data_of, extracted
from tests.http.graph.test_runs import changes_of, opened

ASSERTIONS = "/api/v1/assertions"
PLURALS = pytest.mark.parametrize("plural", ["entities", "relationships"])
SAID = {
    "source": "https://example.org/a?b=1&c=2#d",
    "extractor": "spert",
    "extractor_version": "2.1",
    "stance": "for",
    "confidence": 0.5,
    "locations": [
        {"page": 3, "sentence": 0, "start": 4, "end": 7, "quote": "Ada\n\U0001f9ee \u0e2b\u0e19\u0e49\u0e32"},
        {"sentence": 9},
        {},
    ],
}
NOWHERE = dict.fromkeys(("page", "sentence", "start", "end", "quote"))


def made(api: Api, plural: str, *, by: str = "admin", **fields: Any) -> str:
    """The path of a new fact."""
    if plural == "entities":
        fact = api.entity(by=by, **fields)
    else:
        fact = api.relationship(api.entity()["id"], api.entity()["id"], by=by, **fields)
    return f"/api/v1/{plural}/{fact['id']}"


def said(api: Api, path: str, *, by: str = "admin", headers: Any = None, **fields: Any) -> dict[str, Any]:
    """A new assertion about the fact at a path."""
    answer = api("POST", f"{path}/assertions", by=by, json=fields, headers=headers or {})
    found: dict[str, Any] = data_of(answer, 201)
    assert answer.headers["location"] == f"{ASSERTIONS}/{found['id']}"
    assert data_of(api("GET", answer.headers["location"])) == found
    return found


def of(api: Api, path: str, **query: Any) -> list[dict[str, Any]]:
    """The assertions about the fact at a path."""
    found: list[dict[str, Any]] = data_of(api("GET", f"{path}/assertions", params=query))
    return found


def shown(api: Api, path: str) -> dict[str, Any]:
    """The fact at a path, whether it is active or not."""
    found: dict[str, Any] = data_of(api("GET", path, params={"include_deleted": "true"}))
    return found


# Who says so.


@PLURALS
def test_whoever_creates_a_fact_is_the_first_to_assert_it(api: Api, plural: str) -> None:
    """With its source and confidence; the assertion has the fact's own id until there are others, and afterwards."""
    path = made(api, plural, by="ann", source=PAGE, confidence=0.5)
    [first] = of(api, path)
    kind = "entity_id" if plural == "entities" else "relationship_id"
    assert first["id"] == first[kind] == path.rpartition("/")[2]
    assert (first["source"], first["confidence"], first["stance"]) == (PAGE, 0.5, "for")
    assert (first["extractor"], first["run"], first["withdrawn_at"], first["locations"]) == (None, None, None, [])
    assert first["asserted_by"] == {"kind": "user", "id": str(api.account("ann").id)}
    assert first["asserted_at"] == shown(api, path)["created_at"]
    assert data_of(api("GET", f"{ASSERTIONS}/{first['id']}")) == first
    said(api, path, source="other")
    assert first in of(api, path)
    assert data_of(api("GET", f"{ASSERTIONS}/{first['id']}")) == first


@PLURALS
def test_an_assertion_is_shown_as_it_was_made(api: Api, plural: str) -> None:
    """With every location, to the last character; and the fact shows what follows from it."""
    path = made(api, plural, source=PAGE, confidence=0.5)
    one = said(api, path, by="bob", **SAID)
    assert {name: one[name] for name in SAID} == {
        **SAID,
        "locations": [{**NOWHERE, **place} for place in SAID["locations"]],  # type: ignore[attr-defined]
    }
    assert one["asserted_by"] == {"kind": "user", "id": str(api.account("bob").id)}
    fact = shown(api, path)
    assert (fact["confidence"], fact["sources_for"], fact["sources_against"]) == (0.75, 2, 0)
    assert fact["version"] == 2
    [change] = data_of(api("GET", "/api/v1/changes"))[-1:]
    assert (change["action"], change["record"]) == ("updated", fact)


def test_all_may_be_left_out(api: Api) -> None:
    """It is the caller's own word then, for the fact, of unknown confidence."""
    path = made(api, "entities", by="ann")
    one = said(api, path, by="bob")
    assert (one["source"], one["extractor"], one["stance"], one["confidence"]) == (None, None, "for", None)
    fact = shown(api, path)
    assert (fact["sources_for"], fact["confidence"], fact["source"]) == (2, None, None)


def test_speaking_against(api: Api) -> None:
    """Is counted and can be filtered by, and leaves the confidence as it is."""
    path = made(api, "entities", confidence=0.5)
    for source in ("a", "b"):
        said(api, path, source=source, stance="against", confidence=1)
    fact = shown(api, path)
    assert (fact["confidence"], fact["sources_for"], fact["sources_against"]) == (0.5, 1, 2)
    assert [each["source"] for each in of(api, path, stance="against")] == ["a", "b"]
    assert len(of(api, path, stance="for")) == 1
    problem(api("POST", f"{path}/assertions", json={"stance": "maybe"}), 422, "invalid_input")


def test_the_same_caller_again_takes_the_place_of_what_they_said(api: Api) -> None:
    """With the same source and extractor; said twice alike it is the one that there is. Others are left alone."""
    path = made(api, "entities")
    first = said(api, path, by="ann", source="a", extractor="x", confidence=0.25)
    assert said(api, path, by="ann", source="a", extractor="x", confidence=0.25) == first
    others = [
        said(api, path, by="ann", source="a", confidence=0.25),
        said(api, path, by="ann", source="a", extractor="y", confidence=0.25),
        said(api, path, by="ann", source="b", extractor="x", confidence=0.25),
        said(api, path, by="bob", source="a", extractor="x", confidence=0.25),
    ]
    second = said(api, path, by="ann", source="a", extractor="x", confidence=0.5, stance="against")
    assert second["id"] != first["id"]
    assert {each["id"] for each in of(api, path)} == {
        path.rpartition("/")[2],
        second["id"],
        *(other["id"] for other in others),
    }
    [gone] = of(api, path, is_withdrawn="true")
    assert gone == {**first, **{name: gone[name] for name in ("withdrawn_at", "withdrawn_by")}}
    assert gone["withdrawn_by"] == second["asserted_by"]
    assert len(of(api, path, is_withdrawn="any")) == 7


def test_an_assertion_with_a_key_is_made_once(api: Api) -> None:
    """The first answer again, although another was made meanwhile."""
    path = made(api, "entities")
    key = {"Idempotency-Key": "one"}
    first = api("POST", f"{path}/assertions", json={"source": "a"}, headers=key)
    said(api, path, source="a", confidence=1)
    again = api("POST", f"{path}/assertions", json={"source": "a"}, headers=key)
    assert (again.json["data"], again.headers["location"]) == (first.json["data"], first.headers["location"])
    assert [each["confidence"] for each in of(api, path, stance="for")] == [None, 1]
    problem(api("POST", f"{path}/assertions", json={"source": "b"}, headers=key), 422, "idempotency_key_reused")


@PLURALS
def test_pages_of_assertions(api: Api, plural: str) -> None:
    """In both directions, by extractor, and with what was withdrawn."""
    path = made(api, plural)
    ids = [said(api, path, source=f"s{number}", extractor=f"x{number % 2}")["id"] for number in range(5)]
    every = [path.rpartition("/")[2], *ids]
    for sort, expected in (("asserted_at", every), ("-asserted_at", every[::-1])):
        found: list[str] = []
        cursor: dict[str, str] = {}
        while True:
            page = api("GET", f"{path}/assertions", params={"limit": 4, "sort": sort, **cursor}).json
            found += [each["id"] for each in page["data"]]
            if page["meta"]["next_cursor"] is None:
                break
            cursor = {"cursor": page["meta"]["next_cursor"]}
        assert found == expected
    assert [each["id"] for each in of(api, path, extractor="x1")] == [ids[1], ids[3]]
    assert of(api, path, extractor="x2") == of(api, path, is_withdrawn="true") == []
    data_of(api("DELETE", f"{ASSERTIONS}/{ids[1]}"))
    assert [each["id"] for each in of(api, path, is_withdrawn="true")] == [ids[1]]
    problem(api("GET", f"{path}/assertions", params={"sort": "confidence"}), 400, "bad_request")
    problem(api("GET", f"{path}/assertions", params={"limit": 201}), 400, "bad_request")


def test_the_list_of_all_assertions(api: Api) -> None:
    """By fact, by source, by extractor and by stance; what nobody but its creator asserts is in none."""
    alone = made(api, "entities")
    labels = extracted(api)["labels"]
    [edge] = data_of(api("GET", "/api/v1/relationships"))
    against = said(api, f"/api/v1/relationships/{edge['id']}", source="no", stance="against")
    every = data_of(api("GET", ASSERTIONS))
    assert len(every) == 4
    assert alone.rpartition("/")[2] not in {each["entity_id"] for each in every}

    def found(**query: str) -> set[str]:
        return {each["id"] for each in data_of(api("GET", ASSERTIONS, params=query))}

    assert found(stance="against") == {against["id"]}
    assert found(relationship_id=edge["id"], stance="for", extractor="spert", source_id=every[0]["source_id"]) == {
        each["id"] for each in every if each["relationship_id"] and each["stance"] == "for"
    }
    assert found(entity_id=labels["T1"]) == {each["id"] for each in every if each["entity_id"] == labels["T1"]}
    assert found(entity_id=str(uuid4())) == found(source_id=str(uuid4())) == found(extractor="none") == set()
    assert found(is_withdrawn="true") == set()
    first = api("GET", ASSERTIONS, params={"limit": 3}).json
    rest = api("GET", ASSERTIONS, params={"limit": 3, "cursor": first["meta"]["next_cursor"]}).json
    assert [*first["data"], *rest["data"]] == every
    other = {"cursor": first["meta"]["next_cursor"], "stance": "for"}
    problem(api("GET", ASSERTIONS, params=other), 400, "invalid_cursor")


# Taking it back.


def test_who_may_withdraw_an_assertion(api: Api) -> None:
    """Whoever made it, and moderators; everybody else is refused, also whoever created the fact."""
    path = made(api, "entities", by="ann")
    ids = [said(api, path, by="bob", source=f"s{number}")["id"] for number in range(3)]
    for by in ("ann", "eve", "writer"):
        problem(api("DELETE", f"{ASSERTIONS}/{ids[0]}", by=by), 403, "permission_denied")
    problem(api("DELETE", f"{ASSERTIONS}/{ids[0]}", by="nobody"), 401, "not_authenticated")
    for by, id in zip(("bob", "moderator", "admin"), ids, strict=True):
        gone = data_of(api("DELETE", f"{ASSERTIONS}/{id}", by=by))
        assert (gone["id"], gone["withdrawn_by"]) == (id, {"kind": "user", "id": str(api.account(by).id)})
        assert data_of(api("GET", f"{ASSERTIONS}/{id}")) == gone
        assert data_of(api("DELETE", f"{ASSERTIONS}/{id}", by=by)) == gone, "what is withdrawn is left as it is"
    assert shown(api, path)["sources_for"] == 1
    problem(api("DELETE", f"{ASSERTIONS}/{uuid4()}"), 404, "not_found")
    problem(api("DELETE", f"{ASSERTIONS}/1"), 400, "bad_request")


@PLURALS
def test_a_fact_that_loses_its_last_support_is_retired(api: Api, plural: str) -> None:
    """Also when its creator takes back the first; a new assertion brings it back, and it shows what that says."""
    path = made(api, plural, by="ann", confidence=0.5, metadata={"a": 1})
    id = path.rpartition("/")[2]
    gone = data_of(api("DELETE", f"{ASSERTIONS}/{id}", by="ann"))
    assert gone["withdrawn_at"] is not None
    problem(api("GET", path), 404, "retired")
    fact = shown(api, path)
    assert (fact["is_retired"], fact["sources_for"], fact["confidence"]) == (True, 0, None)
    assert fact["metadata"] == {"a": 1}, "it is shown as it was"
    said(api, path, by="bob", confidence=0.25)
    fact = data_of(api("GET", path))
    assert (fact["is_retired"], fact["deleted_at"], fact["confidence"], fact["metadata"]) == (
        False,
        None,
        0.25,
        {},
    )
    actions = [change["action"] for change in data_of(api("GET", "/api/v1/changes")) if change["record"]["id"] == id]
    assert actions == ["created", "retired", "restored"]


@PLURALS
def test_what_a_person_deleted_takes_no_assertion(api: Api, plural: str) -> None:
    """It is still told who said what of it."""
    path = made(api, plural)
    said(api, path, source="a")
    assert api("DELETE", path).status_code == 200
    problem(api("POST", f"{path}/assertions", json={"source": "b"}), 404, "deleted")
    problem(api("PUT", f"{path}/pinned", json={"pinned": []}), 404, "deleted")
    assert len(of(api, path)) == 2


@PLURALS
def test_a_fact_that_does_not_exist(api: Api, plural: str) -> None:
    """Has neither assertions nor values nor pins; and an entity's are not those of a relationship."""
    other = made(api, "relationships" if plural == "entities" else "entities").rpartition("/")[2]
    for id, status, code in ((str(uuid4()), 404, "not_found"), (other, 404, "not_found"), ("x", 400, "bad_request")):
        path = f"/api/v1/{plural}/{id}"
        for answer in (
            api("GET", f"{path}/assertions"),
            api("GET", f"{path}/values"),
            api("POST", f"{path}/assertions", json={}),
            api("PUT", f"{path}/pinned", json={"pinned": []}),
        ):
            problem(answer, status, code)


# Values that differ.


def test_the_values_of_each_source_are_kept(api: Api) -> None:
    """Those first that win, field by field and name by name; a loser wins when what beat it is withdrawn."""
    entity = {**ADA, "key": "ada", "aliases": ["Countess"], "metadata": {"born": 1815, "a/b~c": 1}}
    extracted(api, {"entities": [entity]})
    other = {"source": "https://example.org/other", "extractor": "spert"}
    less = {**entity, "name": "A. Lovelace", "confidence": 0.5, "metadata": {"born": 1816}}
    [id] = extracted(api, {"entities": [less]}, other)["labels"].values()
    path = f"/api/v1/entities/{id}"
    values = data_of(api("GET", f"{path}/values"))
    assert [(each["pointer"], each["value"], each["is_shown"], each["source"]) for each in values] == [
        ("/aliases", ["Countess"], True, PAGE),
        ("/aliases", ["Countess"], True, other["source"]),
        ("/metadata/a~1b~0c", 1, True, PAGE),
        ("/metadata/born", 1815, True, PAGE),
        ("/metadata/born", 1816, False, other["source"]),
        ("/name", "Ada Lovelace", True, PAGE),
        ("/name", "A. Lovelace", False, other["source"]),
        ("/type", "person", True, PAGE),
        ("/type", "person", True, other["source"]),
    ]
    assert {each["assertion_id"] for each in values} == {each["id"] for each in of(api, path)}
    assert (shown(api, path)["name"], shown(api, path)["metadata"]) == ("Ada Lovelace", {"born": 1815, "a/b~c": 1})
    data_of(api("DELETE", "/api/v1/extractions", params=AT))
    fact = shown(api, path)
    assert (fact["name"], fact["metadata"], fact["confidence"]) == ("A. Lovelace", {"born": 1816}, 0.5)
    assert {each["source"] for each in data_of(api("GET", f"{path}/values"))} == {other["source"]}
    answer = api("GET", f"{path}/values")
    assert (answer.json["meta"]["next_cursor"], answer.json["meta"]["limit"]) == (None, None)


@PLURALS
def test_a_value_has_an_assertion_of_its_own(api: Api, plural: str) -> None:
    """With its places; it says nothing of the fact itself."""
    path = made(api, plural, confidence=0.5)
    told = said(api, path, source=PAGE, about="/metadata/born", value=1815, locations=[{"page": 7}])
    assert (told["about"], told["values"]) == ("/metadata/born", {"metadata": {"born": 1815}})
    fact = shown(api, path)
    assert (fact["metadata"], fact["confidence"], fact["sources_for"]) == ({"born": 1815}, 0.5, 1)
    [value] = [each for each in data_of(api("GET", f"{path}/values")) if each["pointer"] == "/metadata/born"]
    assert [place["page"] for place in value["locations"]] == [7]
    for body in ({"about": "/metadata/born"}, {"value": 1}, {"about": "/name", "value": "x"}):
        problem(api("POST", f"{path}/assertions", json=body), 422, "invalid_input")


# What is pinned.


@PLURALS
def test_what_is_pinned_stays_whatever_is_asserted(api: Api, plural: str) -> None:
    """The answer is the fact with its tag; without the pin, the evidence decides again."""
    path = made(api, plural, confidence=0.5)
    answer = api("PUT", f"{path}/pinned", json={"pinned": ["/confidence", "/metadata/born", "/confidence"]})
    fact = data_of(answer)
    assert fact["pinned"] == ["/confidence", "/metadata/born"]
    assert api("GET", path, headers={"If-None-Match": answer.headers["etag"]}).status_code == 304
    said(api, path, source="a", confidence=1)
    assert shown(api, path)["confidence"] == 0.5
    told = problem(
        api("PUT", f"{path}/pinned", json={"pinned": ["/z", "/name/x", "/confidence"]}), 422, "invalid_input"
    )
    assert [fault["pointer"] for fault in told["errors"]] == ["/pinned/0", "/pinned/1"], "as they were sent"
    version = shown(api, path)["version"]
    again = api("PUT", f"{path}/pinned", json={"pinned": ["/metadata/born", "/confidence"]})
    assert data_of(again)["version"] == version, "set so again, it changes nothing"
    assert data_of(api("PUT", f"{path}/pinned", json={"pinned": []}))["confidence"] == 1


def test_a_change_by_hand_pins_what_it_sets(api: Api) -> None:
    """On a fact with assertions: it stays when the extractor finds something else."""
    id = extracted(api)["labels"]["T1"]
    path = f"/api/v1/entities/{id}"
    fact = data_of(api("PATCH", path, json={"confidence": 0.125, "metadata": {"a/b~c": 1}}))
    assert fact["pinned"] == ["/confidence", "/metadata/a~1b~0c"]
    extracted(api, {**FOUND, "entities": [{**ADA, "confidence": 1, "metadata": {"a/b~c": 2, "d": 3}}]})
    fact = shown(api, path)
    assert (fact["confidence"], fact["metadata"]) == (0.125, {"a/b~c": 1, "d": 3})
    fact = data_of(api("PUT", f"{path}/pinned", json={"pinned": ["/confidence"]}))
    assert (fact["confidence"], fact["metadata"]) == (0.125, {"a/b~c": 2, "d": 3})


def test_a_fact_that_is_pinned_active_is_not_retired(api: Api) -> None:
    """And a moderator who restores a retired one pins it so."""
    labels = extracted(api)["labels"]
    path, other = (f"/api/v1/entities/{labels[label]}" for label in ("T1", "T2"))
    data_of(api("PUT", f"{path}/pinned", json={"pinned": ["/is_active"]}))
    done = data_of(api("DELETE", "/api/v1/extractions", params=AT))
    assert [each["id"] for each in done["kept"]] == [labels["T1"]]
    assert (data_of(api("GET", path))["sources_for"], shown(api, other)["is_retired"]) == (0, True)
    assert api("POST", f"{other}/restore", by="moderator").status_code == 200
    fact = data_of(api("GET", other))
    assert (fact["pinned"], fact["is_retired"]) == (["/is_active"], False)
    extracted(api, {"entities": []})
    assert data_of(api("GET", other))["is_active"] is True


@PLURALS
def test_pointers_to_what_cannot_be_pinned(api: Api, plural: str) -> None:
    """Are named, each in its place."""
    path = made(api, plural)
    field = "/name" if plural == "relationships" else "/valid_from"
    wrong = ["/id", "/metadata/a/b", "/metadata/a~2", "/metadata/~", "/version", "/x", "confidence", "/metadata", field]
    for pointer in wrong:
        told = problem(api("PUT", f"{path}/pinned", json={"pinned": ["/confidence", pointer]}), 422, "invalid_input")
        assert "/confidence" in told["detail"]
        assert len(told["errors"]) == 1
    for body in ({}, {"pinned": None}, {"pinned": "/confidence"}, {"pinned": [1]}, {"pinned": [""]}, {"pins": []}):
        problem(api("PUT", f"{path}/pinned", json=body), 422, "invalid_input")
    many = {"pinned": [f"/metadata/n{number}" for number in range(101)]}
    problem(api("PUT", f"{path}/pinned", json=many), 422, "invalid_input")
    assert shown(api, path)["pinned"] == []
    fine = ["/metadata/", "/metadata/a~0b~1c", "/metadata/\u0e01\U0001f9ee"]
    assert data_of(api("PUT", f"{path}/pinned", json={"pinned": fine}))["pinned"] == fine


def test_who_may_pin(api: Api) -> None:
    """Whoever may change the fact."""
    path = made(api, "entities", by="ann")
    for by in ("bob", "reader"):
        problem(api("PUT", f"{path}/pinned", by=by, json={"pinned": []}), 403, "permission_denied")
    for by in ("ann", "moderator"):
        data_of(api("PUT", f"{path}/pinned", by=by, json={"pinned": ["/name"]}))


# Lists of facts.


@PLURALS
def test_lists_filter_by_their_evidence(api: Api, plural: str) -> None:
    """By how many sources support a fact or speak against it, and by any source or extractor that supports it."""
    paths = [made(api, plural, source="first") for _ in range(3)]
    ids = [path.rpartition("/")[2] for path in paths]
    said(api, paths[1], source="second", extractor="spert")
    said(api, paths[2], source="second", stance="against")
    said(api, paths[2], source="third", stance="against")

    def found(**query: Any) -> set[str]:
        answer = api("GET", f"/api/v1/{plural}", params={"count": "exact", **query})
        assert answer.json["meta"]["total"] == len(answer.json["data"])
        return {each["id"] for each in data_of(answer)} & {*ids}

    assert found(min_sources=0) == found(min_sources=1) == {*ids}
    assert found(min_sources=2) == {ids[1]}
    assert found(min_sources_against=2) == found(min_sources_against=1) == {ids[2]}
    assert found(min_sources_against=3) == found(min_sources=3) == set()
    assert found(source="first") == {*ids}
    assert found(source="second") == found(extractor="spert") == {ids[1]}
    assert found(source="first", extractor="spert", min_sources=2) == {ids[1]}
    assert found(is_retired="true", is_active="any") == set()
    data_of(api("DELETE", f"{ASSERTIONS}/{ids[0]}"))
    assert found(is_retired="true", is_active="any") == {ids[0]}
    for name in ("min_sources", "min_sources_against"):
        for value in ("-1", "x", "1.5", ""):
            problem(api("GET", f"/api/v1/{plural}", params={name: value}), 400, "bad_request")


# Runs.


@PLURALS
def test_all_can_be_part_of_a_run(api: Api, plural: str) -> None:
    """By the header; the assertion names its run and the run that withdrew it."""
    path = made(api, plural)
    run, other = opened(api), opened(api)
    one = said(api, path, headers={"Run": run}, source="a", confidence=1)
    assert one["run"] == run
    gone = data_of(api("DELETE", f"{ASSERTIONS}/{one['id']}", headers={"Run": other}))
    assert (gone["run"], gone["withdrawn_run"]) == (run, other)
    data_of(api("PUT", f"{path}/pinned", json={"pinned": ["/confidence"]}, headers={"Run": other}))
    assert [change["action"] for change in changes_of(api, run)] == ["updated"]
    assert [change["action"] for change in changes_of(api, other)] == ["updated", "updated"]


def test_nothing_is_added_to_a_run_that_has_ended(api: Api) -> None:
    """409, and nothing is written."""
    path = made(api, "entities")
    one = said(api, path, source="a")
    run = opened(api)
    api("POST", f"/api/v1/runs/{run}/end", json={})
    before = shown(api, path)
    for answer in (
        api("POST", f"{path}/assertions", json={"source": "b"}, headers={"Run": run}),
        api("DELETE", f"{ASSERTIONS}/{one['id']}", headers={"Run": run}),
        api("PUT", f"{path}/pinned", json={"pinned": ["/name"]}, headers={"Run": run}),
    ):
        problem(answer, 409, "run_ended")
    assert (shown(api, path), len(of(api, path))) == (before, 2)
