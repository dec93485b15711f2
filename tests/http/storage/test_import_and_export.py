"""``/import`` and ``/export``: many records as NDJSON, within limits and without leaks."""

import gzip
import json
from collections.abc import Iterable, Iterator
from typing import Any
from unittest.mock import ANY

import pytest
from falcon import testing

from kgl_core.kernel.store_errors import StoreUnavailable
from kgl_core.storage.loading.reading import BATCH_BYTES_MAX
from kgl_core.storage.record_lines import LINE_BYTES_MAX
from kgl_http.api import middleware
from kgl_http.server.long_bodies import SHORT_BYTES_MAX
from kgl_http.storage.import_and_export import REFUSALS_TOLD_MAX
from tests.http.conftest import Api, MakeApi, in_use, problem

IMPORT, EXPORT = "/api/v1/import", "/api/v1/export"
NDJSON = "application/x-ndjson"
ADA = {"kind": "entity", "key": "Q7259", "type": "person", "name": "Ada Lovelace"}
NOTES = {"kind": "entity", "key": "note-g", "type": "document", "name": "Note G", "metadata": {"year": 1843}}
WROTE = {
    "kind": "relationship",
    "source_entity_key": "Q7259",
    "relationship_type": "wrote",
    "target_entity_key": "note-g",
    "confidence": 0.9,
}
BAD = {"kind": "entity", "key": "bad", "type": "person", "name": "Bad", "confidence": 7}


def lines_of(records: Iterable[dict[str, Any]]) -> bytes:
    """Records as NDJSON."""
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


def send(api: Api, body: bytes, *, content_type: str = NDJSON, **request: Any) -> testing.Result:
    """Import a body."""
    return api("POST", IMPORT, body=body, headers={"Content-Type": content_type}, **request)


def results(answer: testing.Result) -> list[dict[str, Any]]:
    """The lines of an import's answer."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == NDJSON
    assert answer.text.endswith("\n")
    return [json.loads(line) for line in answer.text.splitlines()]


def summary(*, is_kept: bool = True, codes: dict[str, int] | None = None, left_out: int = 0, **counts: int) -> object:
    """The last line of an import's answer; ``codes`` are those of refused lines."""
    zeros = dict.fromkeys(("created", "updated", "unchanged", "kept"), 0)
    refused = sum((codes or {}).values())
    rest = {"refused": refused, "is_kept": is_kept, "refused_by_code": codes or {}, "refusals_left_out": left_out}
    return {"summary": {**zeros, **counts, **rest, "run": ANY if is_kept else None}}


def all_slots_are_free(api: Api) -> bool:
    """Whether nothing holds a slot."""
    callers = take_all_slots(api)
    for caller in callers:
        api.container.slots().give_back(caller)
    return True


def take_all_slots(api: Api) -> list[object]:
    """The callers who hold all slots now, one each."""
    callers: list[object] = [object() for _ in range(max(1, api.container.capacity().threads // 2))]
    for caller in callers:
        api.container.slots().take(caller)
    return callers


def test_an_import_tells_what_it_did(api: Api) -> None:
    """By default the summary, and what was refused; the importer is who sent it."""
    body = lines_of([ADA, NOTES, WROTE])
    assert results(send(api, body, by="eve")) == [summary(created=3)]
    assert results(send(api, body)) == [summary(unchanged=3)]
    found = api("GET", "/api/v1/entities", params={"key": "Q7259"}).json["data"][0]
    assert found["created_by"] == {"kind": "user", "id": str(api.account("eve").id)}
    changed = lines_of([{**ADA, "name": "Ada"}, BAD])
    answer = results(send(api, changed))
    assert answer[-1] == summary(updated=1, codes={"out_of_range": 1})
    assert [(line["number"], line["outcome"], line["code"]) for line in answer[:-1]] == [(2, "refused", "out_of_range")]
    assert "confidence" in answer[0]["detail"]


def test_an_import_can_tell_of_every_line(api: Api) -> None:
    """With ids and versions, in the order of the lines within what comes into the graph together."""
    answer = results(send(api, lines_of([ADA, BAD, NOTES, WROTE]), params={"results": "all"}))
    assert sorted((line["number"], line["outcome"]) for line in answer[:-1]) == [
        (1, "created"),
        (2, "refused"),
        (3, "created"),
        (4, "created"),
    ]
    ada = next(line for line in answer if line.get("number") == 1)
    assert set(ada) == {"number", "outcome", "id", "version", "code", "detail"}
    assert api("GET", f"/api/v1/entities/{ada['id']}").json["data"]["version"] == ada["version"] == 1
    refused = next(line for line in answer if line.get("number") == 2)
    assert (refused["id"], refused["version"]) == (None, None)


def test_an_atomic_import_keeps_all_or_nothing(api: Api) -> None:
    """With a refused line, the problem names the first of them by their numbers, and nothing is kept."""
    answer = send(api, lines_of([ADA, BAD, {"kind": "?"}]), params={"atomic": "true"})
    found = problem(answer, 422, "import_refused")
    assert [(fault["pointer"], fault["code"]) for fault in found["errors"]] == [
        ("/2", "out_of_range"),
        ("/3", "not_a_choice"),
    ]
    assert api("GET", "/api/v1/changes").json["data"] == []
    assert results(send(api, lines_of([ADA, NOTES, WROTE]), params={"atomic": "true"})) == [summary(created=3)]
    assert all_slots_are_free(api)


@pytest.mark.parametrize("atomic", ["true", "false"])
def test_a_dry_run_tells_everything_and_keeps_nothing(api: Api, atomic: str) -> None:
    """Its answer is 200 with what is refused, also where the import itself would be refused."""
    params = {"dry_run": "true", "atomic": atomic, "results": "all"}
    answer = results(send(api, lines_of([ADA, NOTES, WROTE, BAD]), params=params))
    assert answer[-1] == summary(created=3, codes={"out_of_range": 1}, is_kept=False)
    assert len(answer) == 5
    assert api("GET", "/api/v1/changes").json["data"] == []


def test_a_line_that_is_no_record_is_refused_by_its_number(api: Api) -> None:
    """Broken JSON, bytes that are not UTF-8, NaN, a line that is too long; blank lines are passed over."""
    long = b'{"kind":"entity","key":"' + b"x" * LINE_BYTES_MAX + b'"}'
    good = lines_of([ADA])
    bodies = [b"{", b"\xff", b'{"a":NaN}', b'{"a":1,"a":2}', long, b"[" * 100_000, b"7"]
    answer = results(send(api, b"\n".join([b"", *bodies, b"  ", good.strip()])))
    assert answer[-1] == summary(created=1, codes={"malformed_json": 5, "too_large": 1, "not_an_object": 1})
    codes = [(line["number"], line["code"]) for line in answer[:-1]]
    malformed = "malformed_json"
    assert codes == [
        *[(number, malformed) for number in (2, 3, 4, 5)],
        (6, "too_large"),
        (7, malformed),
        (8, "not_an_object"),
    ]


def test_an_empty_import_does_nothing(api: Api) -> None:
    """No line is no mistake."""
    assert results(send(api, b"")) == [summary()]
    assert results(send(api, b"\n \n")) == [summary()]


def test_an_import_takes_json_only(api: Api) -> None:
    """In UTF-8: anything else is named with what to send."""
    body = lines_of([ADA])
    assert results(send(api, body, content_type=f"{NDJSON}; charset=utf-8"))
    assert results(send(api, body, content_type="application/json"))
    for content_type in ("text/plain", "", f"{NDJSON}; charset=latin-1", "application/ndjson"):
        found = problem(send(api, body, content_type=content_type), 415, "unsupported_media_type")
        assert NDJSON in found["detail"]
    problem(send(api, body, params={"atomic": "yes", "batch": "1"}), 400, "bad_request")


def test_an_import_has_at_most_so_many_bytes(make_api: MakeApi) -> None:
    """By its Content-Length before anything is read, by what comes when there is none; just as many are taken."""
    api = make_api(import_bytes_max="2048")
    body = lines_of([ADA]).ljust(2048)
    chunked = {"CONTENT_LENGTH": "", "wsgi.input_terminated": True}
    assert results(send(api, body)) == [summary(created=1)]
    assert results(send(api, body, extras=chunked)) == [summary(unchanged=1)]
    assert "2048" in problem(send(api, body + b" "), 413, "body_too_large")["detail"]
    problem(send(api, body + b" ", extras=chunked), 413, "body_too_large")
    problem(send(api, b"", extras={"CONTENT_LENGTH": "9" * 30}), 413, "body_too_large")
    assert all_slots_are_free(api)


def test_a_body_without_a_length_is_read_where_the_server_ends_it(api: Api) -> None:
    """Chunked bodies, of an import and of a JSON body; without the server's word there is no body."""
    chunked = {"CONTENT_LENGTH": "", "wsgi.input_terminated": True}
    assert results(send(api, lines_of([ADA, NOTES]), extras=chunked)) == [summary(created=2)]
    answer = api("POST", "/api/v1/entities", json={"type": "person", "name": "Eve"}, extras=chunked)
    assert answer.json["data"]["name"] == "Eve"
    unended = {"CONTENT_LENGTH": ""}
    assert results(send(api, lines_of([ADA]), extras=unended)) == [summary()]
    large = json.dumps({"type": "person", "name": "x" * 1024 * 1024}).encode()
    headers = {"Content-Type": "application/json"}
    problem(api("POST", "/api/v1/entities", body=large, headers=headers, extras=chunked), 413, "body_too_large")


def test_a_body_that_ends_early_is_refused_whole(api: Api) -> None:
    """A connection that broke must not leave half an import that looks whole."""
    body = lines_of([ADA, NOTES])
    answer = send(api, body, extras={"CONTENT_LENGTH": str(len(body) + 1)})
    assert problem(answer, 400, "bad_request")["errors"][0]["code"] == "incomplete_body"
    assert api("GET", "/api/v1/changes").json["data"] == []
    assert all_slots_are_free(api)


def test_when_too_much_goes_on_the_next_is_told_to_come_back(api: Api) -> None:
    """Long imports and exports share the slots; nothing is read of a long body that finds none."""
    long = lines_of([ADA]).ljust(SHORT_BYTES_MAX + 1)
    callers = take_all_slots(api)
    chunked = {"CONTENT_LENGTH": "", "wsgi.input_terminated": True}
    for answer in (send(api, long), send(api, long, extras=chunked), api("GET", EXPORT)):
        problem(answer, 503, "overloaded")
        assert answer.headers["retry-after"] == "1"
    assert api("HEAD", EXPORT).status_code == 200
    assert results(send(api, long[:SHORT_BYTES_MAX])) == [summary(created=1)]
    api.container.slots().give_back(callers[0])
    assert results(send(api, long)) == [summary(unchanged=1)]
    assert api("GET", EXPORT).text.count("\n") == 1


def test_short_imports_need_no_slot(api: Api) -> None:
    """However many there are at once, and whatever else goes on: they wait their turn like any request."""
    take_all_slots(api)
    assert results(send(api, lines_of([ADA, NOTES, WROTE]))) == [summary(created=3)]
    packed = {"Content-Type": NDJSON, "Content-Encoding": "gzip"}
    large = gzip.compress(lines_of([ADA]).ljust(SHORT_BYTES_MAX + 1))
    problem(api("POST", IMPORT, body=large, headers=packed), 503, "overloaded")


def test_nobody_takes_more_than_half_of_the_slots(make_api: MakeApi) -> None:
    """Who has taken a share is told so, and others are served."""
    api = make_api()
    slots = api.container.slots()
    slots.take(api.actor("eve"))
    assert "your share" in problem(api("GET", EXPORT, by="eve"), 503, "overloaded")["detail"]
    assert api("GET", EXPORT, by="user").status_code == 200
    slots.take(api.actor("service"))
    assert "each of the 2" in problem(api("GET", EXPORT, by="user"), 503, "overloaded")["detail"]
    for name in ("eve", "service"):
        slots.give_back(api.actor(name))
    assert all_slots_are_free(api)


@pytest.mark.parametrize("content_type", [NDJSON, "application/json"])
@pytest.mark.parametrize("indent", [None, 2])
def test_a_json_array_is_imported(api: Api, content_type: str, indent: int | None) -> None:
    """Of one line or of many, with its elements as the lines; what is no record is refused by its number."""
    body = json.dumps([ADA, NOTES, BAD, 7, WROTE], indent=indent).encode()
    answer = results(send(api, body, content_type=content_type))
    assert answer[-1] == summary(created=3, codes={"out_of_range": 1, "not_an_object": 1})
    assert [line["number"] for line in answer[:-1]] == [3, 4]
    cut = results(send(api, body[:-1], content_type=content_type, params={"dry_run": "true"}))
    assert (cut[-2]["code"], cut[-1]["summary"]["refused"]) == ("malformed_json", 3)
    one = json.dumps(ADA, indent=2, ensure_ascii=False).encode()
    assert results(send(api, one, content_type=content_type)) == [summary(unchanged=1)]


@pytest.mark.parametrize("existing", ["merge", "replace", "keep", "refuse"])
def test_an_import_says_what_becomes_of_what_is_there(api: Api, existing: str) -> None:
    """By default, what a line leaves out stays; another word is refused."""
    send(api, lines_of([{**ADA, "source": "book"}]))
    body = lines_of([{"kind": "entity", "key": "Q7259", "name": "เอดา", "type": "person"}])
    answer = results(send(api, body, params={"existing": existing}))[-1]
    expected = {"refuse": summary(codes={"already_exists": 1}), "keep": summary(kept=1)}
    assert answer == expected.get(existing, summary(updated=1))
    found = api("GET", "/api/v1/entities", params={"key": "Q7259"}).json["data"][0]
    assert (found["name"] == "เอดา") == (existing in ("merge", "replace"))
    assert found["source"] == (None if existing == "replace" else "book")
    problem(send(api, body, params={"existing": "other"}), 400, "bad_request")


def test_refusals_take_bounded_room(api: Api) -> None:
    """The first are named, the others are counted by code; a long detail is cut."""
    many = b"?\n" * (REFUSALS_TOLD_MAX + 500) + lines_of([{**ADA, "n" * 60 + str(n): 1} for n in range(3)])
    for told in ("refused", "all"):
        answer = send(api, many + lines_of([ADA]), params={"results": told, "dry_run": "true"})
        lines = results(answer)
        assert lines[-1] == summary(
            created=1,
            is_kept=False,
            codes={"malformed_json": REFUSALS_TOLD_MAX + 500, "unknown_field": 3},
            left_out=503,
        )
        assert len(lines) == REFUSALS_TOLD_MAX + 1 + (told == "all")
    names = {f"{'x' * 60}{n}": 1 for n in range(100)}
    [refused, _] = results(send(api, lines_of([{**ADA, **names}])))
    assert len(refused["detail"]) == 500


def test_an_atomic_import_has_a_size_where_one_writes_at_a_time(make_api: MakeApi, store_url: str) -> None:
    """So that nobody waits longer for it than for a part of another; on PostgreSQL any size will do."""
    api = make_api()
    body = lines_of([ADA]).ljust(BATCH_BYTES_MAX + 1)
    chunked = {"CONTENT_LENGTH": "", "wsgi.input_terminated": True}
    for extras in ({}, chunked):
        answer = send(api, body, params={"atomic": "true"}, extras=extras)
        if store_url.startswith("postgres"):
            assert results(answer)[-1]["summary"]["refused"] == 0
        else:
            assert "without atomic" in problem(answer, 413, "atomic_import_too_large")["detail"]
    assert results(send(api, body[:-1], params={"atomic": "true"}))[-1]["summary"]["is_kept"]
    assert results(send(api, body))[-1]["summary"]["refused"] == 0
    assert all_slots_are_free(api)


@pytest.fixture
def filled(api: Api) -> Api:
    """An application with enough for an export of several chunks, something deleted among it."""
    many = [{"kind": "entity", "key": f"k{n}", "type": "thing", "name": f"Ä {n}" * 20} for n in range(1500)]
    api.kg.load([ADA, NOTES, WROTE, *many])
    api.kg.entities.delete(api.kg.entities.get_by_key("Q7259").id)
    return api


def test_an_export_is_what_a_dump_is(filled: Api) -> None:
    """Everything, the deleted too, a line each, in the same order; compressed if the client likes that."""
    plain = filled("GET", EXPORT, by="user")
    assert plain.headers["content-type"] == NDJSON
    assert plain.headers["cache-control"] == "no-store"
    assert [json.loads(line) for line in plain.text.splitlines()] == list(filled.kg.dump())
    packed = filled("GET", EXPORT, headers={"Accept-Encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert len(packed.content) < len(plain.content) / 5
    assert gzip.decompress(packed.content) == plain.content
    assert all_slots_are_free(filled)


def test_an_export_says_where_the_feed_goes_on(filled: Api) -> None:
    """In a header, also when it is compressed: the feed has what happened since, and nothing from before."""
    for encoding in ("identity", "gzip"):
        cursor = filled("GET", EXPORT, headers={"Accept-Encoding": encoding}).headers["changes-cursor"]
        made = filled.entity()
        found = filled("GET", "/api/v1/changes", params={"after": cursor}).json
        assert [change["record"]["id"] for change in found["data"]] == [made["id"]]


def test_an_export_of_nothing_is_empty(api: Api) -> None:
    """Compressed as well: that is a gzip file of nothing. HEAD tells the type and takes no slot."""
    answer = api("GET", EXPORT)
    assert answer.content == b""
    assert answer.headers["changes-cursor"]
    assert gzip.decompress(api("GET", EXPORT, headers={"Accept-Encoding": "gzip"}).content) == b""
    head = api("HEAD", EXPORT)
    assert (head.status_code, head.content, head.headers["content-type"]) == (200, b"", NDJSON)
    problem(api("GET", EXPORT, params={"type": "person"}), 400, "bad_request")
    problem(api("GET", EXPORT, by="nobody"), 401, "not_authenticated")


def test_an_export_of_a_date_leaves_out_what_does_not_hold_then(api: Api) -> None:
    """Of the relationships; what is no date is refused before anything is sent, for HEAD as well."""
    ada, notes = api.entity()["id"], api.entity()["id"]
    for year in ("1842", "1843"):
        api.relationship(ada, notes, key=year, valid_from=year, valid_to=year)
    everything = api("GET", EXPORT).text.splitlines()
    assert len(everything) == 4
    for valid_at, left_out in {"1843-10": 2, "1842": 3}.items():
        answer = api("GET", EXPORT, params={"valid_at": valid_at})
        assert answer.text.splitlines() == [line for at, line in enumerate(everything) if at != left_out]
        assert answer.headers["changes-cursor"] == api("GET", EXPORT).headers["changes-cursor"]
    for method in ("GET", "HEAD"):
        for params in ({"valid_at": "1994-00"}, {"valid_at": ""}, {"valid_at": ["1994", "1995"]}):
            assert api(method, EXPORT, params=params).status_code == 400
    found = problem(api("GET", EXPORT, query_string="valid_at=1994-05-17T08:30:00+02:00"), 400, "bad_request")
    assert [(fault["pointer"], fault["code"]) for fault in found["errors"]] == [("/valid_at", "not_a_date")]
    assert "%2B" in found["errors"][0]["detail"]
    assert all_slots_are_free(api)


def test_an_export_makes_an_equal_graph_elsewhere(filled: Api, make_api: MakeApi) -> None:
    """What was exported is imported into an empty graph, and exported there is the same, byte by byte."""
    exported = filled("GET", EXPORT).content
    other = make_api(database_url="memory://")
    answer = results(send(other, exported, params={"atomic": "true"}))
    assert answer == [summary(created=exported.count(b"\n"))]
    assert other("GET", EXPORT).content == exported


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
@pytest.mark.parametrize("read", [0, 1])
def test_a_client_that_goes_away_takes_nothing_along(
    filled: Api, monkeypatch: pytest.MonkeyPatch, encoding: str, read: int
) -> None:
    """An export that is closed before its end gives its slot and its connection back."""
    monkeypatch.setattr(middleware, "_GZIP_LEVEL", 0)  # so that there is more than one piece
    held = 0 if filled.container.engine() is None else 1
    for _ in range(3):
        headers = {**filled.headers("admin"), "Accept-Encoding": encoding}
        environ = testing.create_environ(EXPORT, headers=headers)
        body: Any = filled.container.app()(environ, lambda status, headers: None)
        pieces: Iterator[bytes] = iter(body)
        assert all(len(next(pieces)) > 0 for _ in range(read))
        assert in_use(filled.container) == held
        body.close()
        assert in_use(filled.container) == 0
    assert all_slots_are_free(filled)


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_who_has_read_an_export_to_its_end_may_ask_for_the_next(filled: Api, encoding: str) -> None:
    """Its slot is free before the server closes it, which is after the client has seen the end."""
    headers = {**filled.headers("admin"), "Accept-Encoding": encoding}
    for _ in range(3):
        environ = testing.create_environ(EXPORT, headers=headers)
        body: Any = filled.container.app()(environ, lambda status, headers: None)
        assert len(b"".join(body)) > 0
        assert (in_use(filled.container), all_slots_are_free(filled)) == (0, True)
        body.close()
        assert all_slots_are_free(filled)


def test_an_export_that_cannot_begin_is_a_problem(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not a success with nothing in it: what goes wrong before the first line still has a status."""
    api.token("admin")

    def fail(*_: object) -> None:
        raise StoreUnavailable("no route to the host db.internal")

    for repository in ("memory.kernel.repository.MemoryRepository", "sql.kernel.repository.SqlRepository"):
        monkeypatch.setattr(f"kgl_adapters.{repository}.scan_lines", fail)
    api.entity()
    for _ in range(3):
        found = problem(api("GET", EXPORT), 503, "store_unavailable")
        assert "db.internal" not in json.dumps(found)
    assert all_slots_are_free(api)
