"""``/extractions``: all that an extractor found in a document, in one call, and its withdrawal."""

import gzip
import json
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import pytest
from falcon import testing

from kgl_core.storage.record_lines import LINE_BYTES_MAX
from kgl_http.server.long_bodies import SHORT_BYTES_MAX
from tests.http.conftest import Api, MakeApi, problem
from tests.http.evidence.documents import (
    ADA,
    AT,
    FOUND,
    NOTE_G,
    NOTHING,
    PAGE,
    PATH,
    WROTE,
    counts,
    data_of,
    extracted,
    put,
)
from tests.http.graph.test_runs import changes_of, opened
from tests.http.storage.test_import_and_export import all_slots_are_free, take_all_slots

NDJSON = "application/x-ndjson"
REINSTATE = f"{PATH}/reinstate"
OTHER = {"source": "https://example.org/other", "extractor": "spert"}


def withdrawn(api: Api, at: Any = AT, **request: Any) -> dict[str, Any]:
    """What a withdrawal did."""
    done: dict[str, Any] = data_of(api("DELETE", PATH, params=at, **request))
    return done


def reinstated(api: Api, at: Any = AT, **request: Any) -> dict[str, Any]:
    """What taking a withdrawal back did."""
    done: dict[str, Any] = data_of(api("POST", REINSTATE, params=at, **request))
    return done


def active(api: Api) -> set[str]:
    """The ids of all active facts."""
    lists = (api("GET", f"/api/v1/{plural}", params={"limit": 200}) for plural in ("entities", "relationships"))
    return {fact["id"] for answer in lists for fact in data_of(answer)}


# One document.


def test_an_extraction_is_answered_in_the_words_that_were_promised(api: Api) -> None:
    """What it created, the ids of its labels, and nothing of items about which there is nothing to tell."""
    answer = put(api)
    done = data_of(answer)
    labels = done["labels"]
    assert done == {**NOTHING, "run": done["run"], "created": 3, "retires": True, "labels": labels, "items": []}
    assert set(labels) == {"T1", "T2"}
    ada = data_of(api("GET", f"/api/v1/entities/{labels['T1']}"))
    assert (ada["name"], ada["confidence"], ada["source"], ada["sources_for"]) == ("Ada Lovelace", 0.9, PAGE, 1)
    [wrote] = data_of(api("GET", "/api/v1/relationships"))
    assert (wrote["source_entity_id"], wrote["target_entity_id"]) == (labels["T1"], labels["T2"])
    assert (wrote["relationship_type"], wrote["confidence"]) == ("wrote", 0.8)
    run = data_of(api("GET", f"/api/v1/runs/{done['run']}"))
    assert (run["kind"], run["title"], run["state"], run["counts"]) == (
        "extraction",
        "Note G",
        "completed",
        {"created": 3},
    )
    assert {change["run"] for change in data_of(api("GET", "/api/v1/changes"))} == {done["run"]}


def test_the_same_again_changes_nothing_and_says_so(api: Api) -> None:
    """No run, no change, no version; in whatever order its names are written."""
    first = extracted(api)
    changes = data_of(api("GET", "/api/v1/changes"))
    for body in (FOUND, dict(reversed(FOUND.items()))):
        again = extracted(api, body)
        assert again == {
            **NOTHING,
            "run": None,
            "unchanged": 3,
            "retires": True,
            "labels": first["labels"],
            "items": [],
        }
    assert data_of(api("GET", "/api/v1/changes")) == changes
    assert len(data_of(api("GET", "/api/v1/runs"))) == 1


def test_what_is_not_found_any_more_is_retired_and_comes_back(api: Api) -> None:
    """As the feed and the lists say, and GET with its own code."""
    labels = extracted(api)["labels"]
    less = extracted(api, {**FOUND, "entities": [ADA], "relationships": []})
    assert counts(less) == {"retired": 2, "unchanged": 1}
    path = f"/api/v1/entities/{labels['T2']}"
    told = problem(api("GET", path), 404, "retired")
    assert "include_deleted" in told["detail"]
    shown = data_of(api("GET", path, params={"include_deleted": "true"}))
    assert (shown["is_retired"], shown["is_active"], shown["sources_for"]) == (True, False, 0)
    retired = data_of(api("GET", "/api/v1/entities", params={"is_active": "false", "is_retired": "true"}))
    assert [each["id"] for each in retired] == [labels["T2"]]
    assert data_of(api("GET", "/api/v1/entities", params={"is_active": "any", "is_retired": "false"})) == [
        data_of(api("GET", f"/api/v1/entities/{labels['T1']}"))
    ]
    feed = data_of(api("GET", f"/api/v1/runs/{less['run']}/changes"))
    assert [(each["action"], each["kind"]) for each in feed] == [("retired", "relationship"), ("retired", "entity")]
    for request in (
        api("PATCH", path, json={"name": "x"}),
        api("DELETE", path),
        api("PUT", path, json={"type": "document", "name": "x"}),
    ):
        problem(request, 404, "retired")
    back = extracted(api)
    assert (counts(back), back["labels"]) == ({"restored": 2, "unchanged": 1}, labels)
    assert data_of(api("GET", path))["is_retired"] is False
    feed = data_of(api("GET", f"/api/v1/runs/{back['run']}/changes"))
    assert [each["action"] for each in feed] == ["restored", "restored"]


def test_an_incomplete_extraction_retires_nothing(api: Api) -> None:
    """Absence was not shown; an item that is refused shows none either."""
    extracted(api)
    partly = extracted(api, {"complete": False, "entities": [ADA]})
    assert (counts(partly), partly["retires"]) == ({"updated": 1}, False)
    refused = extracted(api, {"entities": [ADA, {**NOTE_G, "type": "no type"}]})
    assert (refused["retires"], refused["refused"], refused["retired"]) == (False, 1, 0)
    assert len(active(api)) == 3


def test_items_that_are_refused_are_told_by_their_pointers(api: Api) -> None:
    """With a code and advice; all that is right is done."""
    entities = [
        ADA,
        {**NOTE_G, "name": ""},
        NOTE_G,
        {**NOTE_G, "name": "Another"},
        {"type": "person", "name": "Nameless"},
        {**NOTE_G, "label": "T5", "id": str(uuid4())},
        {**NOTE_G, "label": "T6", "confidense": 1},
        {**NOTE_G, "label": "T7", "locations": [{}, {"start": 5, "end": 2}]},
        {**NOTE_G, "label": "T8", "metadata": {"a": 2**64}},
    ]
    relationships = [
        WROTE,
        {**WROTE, "target_entity_label": "T9"},
        {**WROTE, "target_entity_key": "k"},
        {**WROTE, "valid_from": "1843", "valid_to": "1842"},
        {"relationship_type": "wrote"},
        {**WROTE, "target_entity_label": None, "target_entity_key": "nobody"},
    ]
    done = extracted(api, {"entities": entities, "relationships": relationships})
    told = {note["pointer"]: note["code"] for note in done["items"]}
    assert told == {
        "/entities/1/name": "blank",
        "/entities/3": "duplicate_label",
        "/entities/4/label": "required",
        "/entities/5": "not_found",
        "/entities/6/confidense": "unknown_field",
        "/entities/7/locations/1/end": "out_of_range",
        "/entities/8/metadata/a": told["/entities/8/metadata/a"],
        "/relationships/1/target_entity_label": "end_not_found",
        "/relationships/2/target_entity_label": "end",
        "/relationships/3/valid_to": told["/relationships/3/valid_to"],
        "/relationships/4/source_entity_label": "end",
        "/relationships/5/target_entity_key": "end_not_found",
    }
    assert all(note["is_refused"] and note["detail"] and note["id"] is None for note in done["items"])
    assert counts(done) == {"created": 3, "refused": len(told)}


def test_what_a_person_deleted_stays_deleted(api: Api) -> None:
    """The item says so, and is not refused; a moderator may bring it back."""
    labels = extracted(api)["labels"]
    assert api("DELETE", f"/api/v1/entities/{labels['T2']}").status_code == 200
    done = extracted(api, {**FOUND, "version": "3"})
    assert {(note["code"], note["is_refused"]) for note in done["items"]} == {("deleted", False)}
    assert done["items"][0]["id"] == labels["T2"]
    assert (done["refused"], done["updated"], done["retires"]) == (0, 1, True)
    problem(api("GET", f"/api/v1/entities/{labels['T2']}"), 404, "deleted")
    gone = withdrawn(api)
    assert labels["T2"] in gone["untouched"]


@pytest.mark.parametrize(
    "source",
    ["\u0e2b\u0e19\u0e49\u0e32 \u0e51", "\u5929\u5730", "\U0001f9ee", "a b+c%20d&e=f#g?h/../i", "%", "x" * 2000],
)
def test_any_uri_is_an_address(api: Api, source: str) -> None:
    """Whatever it holds, percent-encoded, it is the same one for PUT, DELETE, POST and GET."""
    at = {"source": source, "extractor": "\u8a9e spert/2"}
    query = urlencode(at)
    headers = {"Content-Type": "application/json"}
    answer = api("PUT", PATH, query_string=query, body=json.dumps(FOUND).encode(), headers=headers)
    assert counts(data_of(answer)) == {"created": 3}
    [found] = data_of(api("GET", "/api/v1/sources", query_string=urlencode({"uri": source})))
    assert found["uri"] == source
    filtered = api("GET", "/api/v1/entities", query_string=urlencode({"source": source, "extractor": at["extractor"]}))
    assert len(data_of(filtered)) == 2
    assert data_of(api("DELETE", PATH, query_string=query))["withdrawn"] == 3
    assert data_of(api("POST", REINSTATE, query_string=query))["reinstated"] == 3
    [told] = data_of(api("GET", "/api/v1/runs", params={"limit": 1}))
    assert told["title"] == source[:200]


ADDRESSES = [
    ("", ["/source", "/extractor"]),
    ("source=a", ["/extractor"]),
    ("extractor=a", ["/source"]),
    ("source=&extractor=a", ["/source"]),
    ("source=a&extractor=", ["/extractor"]),
    ("source=%20&extractor=%E2%80%8B", ["/source", "/extractor"]),
    (f"source={'a' * 2001}&extractor={'a' * 201}", ["/source", "/extractor"]),
    ("source=a%00&extractor=a%0Ab", ["/source", "/extractor"]),
    ("source=a&source=b&extractor=a", ["/source"]),
    ("source=a&extractor=a&version=1", ["/version"]),
    ("source=%FF&extractor=a", [""]),
    ("Source=a&extractor=a", ["/Source", "/source"]),
]


@pytest.mark.parametrize(("query", "pointers"), ADDRESSES)
@pytest.mark.parametrize("method", ["PUT", "DELETE", "POST"])
def test_an_address_that_is_none(api: Api, method: str, query: str, pointers: list[str]) -> None:
    """Is 400 and names what is missing, empty, too long or unknown; nothing is written."""
    body = {"json": FOUND} if method == "PUT" else {}
    answer = api(method, REINSTATE if method == "POST" else PATH, query_string=query, **body)
    told = problem(answer, 400, "bad_request")
    assert {fault["pointer"] for fault in told["errors"]} == {*pointers}
    assert data_of(api("GET", "/api/v1/sources")) == data_of(api("GET", "/api/v1/runs")) == []


def test_each_caller_has_extractions_of_their_own(api: Api) -> None:
    """Nobody replaces or withdraws what another's extractor of that name found, a moderator neither."""
    labels = extracted(api, by="ann")["labels"]
    hers = extracted(api, {"entities": []}, by="bob")
    assert counts(hers) == {}
    assert withdrawn(api, by="bob")["withdrawn"] == 0
    for by in ("moderator", "admin"):
        told = problem(api("DELETE", PATH, params=AT, by=by), 404, "not_found")
        assert "who extracted it" in told["detail"]
    assert len(active(api)) == 3
    again = extracted(api, by="bob")
    assert again["labels"] == labels, "one label is one thing, whoever says so"
    assert withdrawn(api, by="ann")["retired"] == []
    assert len(withdrawn(api, by="bob")["retired"]) == 3


def test_a_document_that_is_too_large_is_not_to_be_sent_in_parts(api: Api) -> None:
    """The second part would take the place of the first."""
    told = problem(api("PUT", PATH, params=AT, json={"title": "x" * 2**20}), 413, "body_too_large")
    assert "sent whole" in told["detail"]
    assert "requests" not in told["detail"]


def test_a_withdrawal_says_what_went_and_what_stays_and_why(api: Api) -> None:
    """Through which sources, null for what was said without one; reinstating takes it back."""
    by_hand = api.entity(name="Charles", key="charles")
    charles = {"label": "T3", "type": "person", "name": "Charles", "key": "charles"}
    labels = extracted(api, {**FOUND, "entities": [ADA, {**NOTE_G, "key": "note-g"}, charles]})["labels"]
    extracted(api, {"entities": [{**NOTE_G, "key": "note-g", "label": "X"}]}, OTHER)
    before = active(api)
    gone = withdrawn(api)
    assert set(gone) == {"run", "withdrawn", "reinstated", "retired", "restored", "kept", "moved", "untouched"}
    assert (gone["withdrawn"], gone["reinstated"], gone["restored"], gone["untouched"]) == (4, 0, [], [])
    assert labels["T1"] in gone["retired"]
    assert len(gone["retired"]) == 2
    assert sorted(gone["kept"], key=str) == sorted(
        [
            {"kind": "entity", "id": by_hand["id"], "sources": [None]},
            {"kind": "entity", "id": labels["T2"], "sources": [OTHER["source"]]},
        ],
        key=str,
    )
    assert active(api) == before - set(gone["retired"])
    told = problem(api("DELETE", PATH, params=AT), 409, "already_withdrawn")
    assert "reinstate it" in told["detail"]
    back = reinstated(api)
    assert (back["reinstated"], back["withdrawn"], back["kept"]) == (4, 0, [])
    assert sorted(back["restored"]) == sorted(gone["retired"])
    assert active(api) == before
    told = problem(api("POST", REINSTATE, params=AT), 409, "not_withdrawn")
    assert "extract the whole document" in told["detail"]
    assert counts(extracted(api, {**FOUND, "entities": [ADA, {**NOTE_G, "key": "note-g"}, charles]})) == {
        "unchanged": 4
    }


def test_there_is_nothing_to_withdraw_or_reinstate(api: Api) -> None:
    """404 tells what to look at; an extraction of nothing is one."""
    for method, path in (("DELETE", PATH), ("POST", REINSTATE)):
        told = problem(api(method, path, params=AT), 404, "not_found")
        assert "spert" in told["detail"]
        assert PAGE in told["detail"]
    extracted(api, {"entities": []})
    problem(api("POST", REINSTATE, params=AT), 409, "not_withdrawn")
    assert (withdrawn(api)["withdrawn"], reinstated(api)["reinstated"]) == (0, 0)
    kinds = [run["kind"] for run in data_of(api("GET", "/api/v1/runs"))]
    assert kinds == ["reinstatement", "withdrawal", "extraction"]


def test_reinstating_with_a_key_is_done_once(api: Api) -> None:
    """The same answer again, although it is in force by then."""
    extracted(api)
    withdrawn(api)
    key = {"Idempotency-Key": "again"}
    first = reinstated(api, headers=key)
    assert reinstated(api, headers=key) == first
    problem(api("POST", REINSTATE, params=OTHER, headers=key), 422, "idempotency_key_reused")


# The run of a client.


def test_all_can_be_part_of_a_run(api: Api) -> None:
    """By the header: its changes are those of the run, and no other run is made."""
    run = opened(api)
    part = {"headers": {"Run": run}}
    assert extracted(api, **part)["run"] == run
    assert extracted(api, **part)["run"] is None
    assert withdrawn(api, **part)["run"] == run
    assert reinstated(api, **part)["run"] == run
    [line] = results(post(api, [{**AT, "entities": []}], headers={"Run": run}))
    assert line["result"]["run"] == run
    actions = [change["action"] for change in changes_of(api, run)]
    assert actions == ["created"] * 3 + ["retired"] * 3 + ["restored"] * 3 + ["retired"] * 3
    assert [each["id"] for each in data_of(api("GET", "/api/v1/runs"))] == [run]


@pytest.mark.parametrize(("method", "path"), [("PUT", PATH), ("DELETE", PATH), ("POST", REINSTATE), ("POST", PATH)])
def test_a_run_that_nothing_can_be_part_of(api: Api, method: str, path: str) -> None:
    """It has ended, is somebody else's, of nobody, or no id; nothing is written."""
    extracted(api)
    if path == REINSTATE:
        withdrawn(api)
    before = data_of(api("GET", "/api/v1/changes"))
    ended, theirs = opened(api), opened(api, by="ann")
    api("POST", f"/api/v1/runs/{ended}/end", json={})
    is_many = (method, path) == ("POST", PATH)
    body: dict[str, Any] = {"json": {**FOUND, "version": "3"}} if method == "PUT" else {}
    if is_many:
        body = {"body": lines([{**AT, **FOUND, "version": "3"}])}
    refused = [(ended, 409, "run_ended", "admin"), (str(uuid4()), 404, "not_found", "admin")]
    refused += [("nightly", 400, "bad_request", "admin"), (theirs, 403, "permission_denied", "bob")]
    for run, status, code, by in refused:
        headers = {"Run": run, **({"Content-Type": NDJSON} if is_many else {})}
        params = {} if is_many else AT
        problem(api(method, path, by=by, params=params, headers=headers, **body), status, code)
    assert data_of(api("GET", "/api/v1/changes")) == before


# Many documents.


def lines(documents: Iterable[Any]) -> bytes:
    """Documents as NDJSON."""
    return b"".join(json.dumps(each).encode() + b"\n" for each in documents)


def post(api: Api, documents: Iterable[Any] | bytes, **request: Any) -> testing.Result:
    """The answer to many documents."""
    body = documents if isinstance(documents, bytes) else lines(documents)
    headers = {"Content-Type": NDJSON, **request.pop("headers", {})}
    return api("POST", PATH, body=body, headers=headers, **request)


def results(answer: testing.Result) -> list[dict[str, Any]]:
    """The lines of an answer."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == NDJSON
    found = [json.loads(line) for line in answer.text.splitlines()]
    assert all(set(line) == {"number", "source", "extractor", "result", "faults"} for line in found)
    return found


def test_many_documents_are_one_run_with_a_result_each(api: Api) -> None:
    """In their order, with what one by one would be answered; the title is that of the run."""
    documents = [{**FOUND, "source": f"s{number}", "extractor": "spert"} for number in range(20)]
    told = results(post(api, documents, params={"title": "nightly"}))
    assert [(line["number"], line["source"], line["extractor"]) for line in told] == [
        (number + 1, f"s{number}", "spert") for number in range(20)
    ]
    assert all(line["faults"] == [] and counts(line["result"]) == {"created": 3} for line in told)
    [run] = data_of(api("GET", "/api/v1/runs"))
    assert {line["result"]["run"] for line in told} == {run["id"]}
    assert (run["title"], run["kind"], run["state"], run["counts"]) == (
        "nightly",
        "extraction",
        "completed",
        {"created": 60},
    )
    again = results(post(api, documents))
    assert [counts(line["result"]) for line in again] == [{"unchanged": 3}] * 20
    assert {line["result"]["run"] for line in again} == {None}
    assert [line["result"]["labels"] for line in again] == [line["result"]["labels"] for line in told]
    problem(post(api, documents, params={"title": "x" * 201}), 400, "bad_request")


def test_documents_that_are_faulty_as_a_whole_are_told_by_their_lines(api: Api) -> None:
    """And change nothing; blank lines count, as in an import, and a line that was cut off is one of them."""
    good, other = lines([{**AT, **FOUND}]), lines([{**OTHER, "entities": [ADA, 7]}])
    bad = [
        (b'{"entities": []}', ["/source", "/extractor"], "required"),
        (b'{"source": "a", "extractor": 5}', ["/extractor"], "not_text"),
        (b'{"source": null, "extractor": "spert"}', ["/source"], "not_text"),
        (b'{"source": "a", "extractor": "b", "version": 3}', ["/version"], "not_text"),
        (b'{"source": "a", "extractor": "b", "entities": {}}', ["/entities"], "not_a_list"),
        (b'{"source": "a", "extractor": "b", "entitys": []}', ["/entitys"], "unknown_field"),
        (b"5", [""], "not_an_object"),
        (b"null", [""], "not_an_object"),
        (b"\xff", [""], "malformed_json"),
        (b'{"a": NaN}', [""], "malformed_json"),
        (b"[" * 10_000, [""], "malformed_json"),
        (b'{"source": "' + b"x" * LINE_BYTES_MAX + b'"}', [""], "too_large"),
        (b'{"source": "a", "extr', [""], "malformed_json"),
    ]
    told = results(post(api, good + b"\n \n" + other + b"\n".join(line for line, _, _ in bad)))
    assert [line["number"] for line in told] == [1, *range(4, 5 + len(bad))]
    assert (counts(told[0]["result"]), counts(told[1]["result"])) == ({"created": 3}, {"created": 1, "refused": 1})
    for line, (sent, pointers, code) in zip(told[2:], bad, strict=True):
        assert line["result"] is None, sent[:100]
        assert [fault["pointer"] for fault in line["faults"]] == pointers, sent[:100]
        assert {fault["code"] for fault in line["faults"]} == {code}, sent[:100]
    assert len(active(api)) == 4


def test_nothing_to_extract(api: Api) -> None:
    """Is no mistake, no line and no run."""
    for body in (b"", b"\n\n", b" ", b"[]"):
        answer = post(api, body)
        assert (answer.status_code, answer.content) == (200, b"")
    assert data_of(api("GET", "/api/v1/runs")) == []


def test_packed_documents(api: Api) -> None:
    """Gzip is taken where it is told of; of what breaks off, nothing is kept."""
    body = lines([{**AT, **FOUND}])
    told = results(post(api, gzip.compress(body), headers={"Content-Encoding": "gzip"}))
    assert [counts(line["result"]) for line in told] == [{"created": 3}]
    told_of = problem(post(api, gzip.compress(body)), 422, "invalid_input")
    assert "Content-Encoding" in told_of["detail"]
    problem(post(api, gzip.compress(body)[:-9], headers={"Content-Encoding": "gzip"}), 400, "bad_request")
    problem(post(api, body, headers={"Content-Encoding": "br"}), 415, "unsupported_media_type")
    problem(post(api, body, headers={"Content-Type": "application/json"}), 415, "unsupported_media_type")
    whole = put(api, headers={"Content-Encoding": "gzip", "Content-Type": "application/json"})
    problem(whole, 400, "bad_request")


def test_a_body_over_the_limit_is_refused_as_a_whole(make_api: MakeApi) -> None:
    """Not one document of it is kept."""
    api = make_api(import_bytes_max="2000")
    one = lines([{**AT, **FOUND}])
    body = one * (2000 // len(one) + 1)
    problem(post(api, body), 413, "body_too_large")
    assert data_of(api("GET", "/api/v1/runs")) == []
    assert len(results(post(api, one))) == 1


def test_many_documents_take_a_slot(api: Api) -> None:
    """Long ones, as imports do, and give it back whatever happens."""
    body = lines([{**AT, **FOUND}])
    long = body + b" " * SHORT_BYTES_MAX
    callers = take_all_slots(api)
    problem(post(api, long), 503, "overloaded")
    assert len(results(post(api, body))) == 1, "a short one needs none"
    for caller in callers:
        api.container.slots().give_back(caller)
    assert len(results(post(api, long))) == 1
    problem(post(api, b"PK\3\4" + long), 422, "invalid_input")
    assert all_slots_are_free(api)


def test_who_may_not_write_may_not_extract(api: Api) -> None:
    """Neither one document nor many."""
    problem(put(api, by="reader"), 403, "permission_denied")
    problem(post(api, [{**AT, **FOUND}], by="reader"), 403, "permission_denied")
    assert extracted(api, by="writer")["created"] == 3


@pytest.mark.parametrize("media_type", ["text/plain", "application/merge-patch+json", NDJSON])
def test_a_document_is_json(api: Api, media_type: str) -> None:
    """And nothing else."""
    answer = api("PUT", PATH, params=AT, body=b"{}", headers={"Content-Type": media_type})
    problem(answer, 415, "unsupported_media_type")
