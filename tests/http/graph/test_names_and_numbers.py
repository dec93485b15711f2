"""Names and numbers come back as they were sent, or are refused with the reason, by whatever way they go in."""

import json
from collections.abc import Iterator
from decimal import Decimal

import pytest

from kgl_http.api.operations import NDJSON
from tests.http.conftest import Api, making_apis, problem

ENTITIES = "/api/v1/entities"
AS_JSON = {"Content-Type": "application/json"}
AS_PATCH = {"Content-Type": "application/merge-patch+json"}


@pytest.fixture
def api() -> Iterator[Api]:
    """The application over a store that keeps what it is given; the contract tests say that all do."""
    with making_apis("memory://") as make:
        yield make()


@pytest.mark.parametrize(
    "aliases",
    [["ハハ", "パパ"], ["ไม้", "ไม่"], ["102", "10²"], ["कम्", "कम"], ["Май", "Маи"], ["1", "①"], ["가", "각"]],
)
def test_words_that_marks_tell_apart_are_all_kept(api: Api, aliases: list[str]) -> None:
    """As aliases, given one way or another, and found by their own names only."""
    made = api.entity(name=aliases[0], aliases=aliases)
    assert made["aliases"] == aliases
    other = api.entity(name=aliases[1])
    for path in (f"{ENTITIES}/{made['id']}", f"{ENTITIES}/{other['id']}"):
        body = json.dumps({"aliases": aliases}).encode()
        assert api("PATCH", path, body=body, headers=AS_PATCH).json["data"]["aliases"] == aliases
    found = api("POST", f"{ENTITIES}/get", json={"names": [aliases[0]]}).json["data"]
    assert [entity["id"] for entity in found] == [made["id"]]


@pytest.mark.parametrize(("first", "second"), [("Mediaș", "MEDIAS"), ("café", "CAFE"), ("Straße", "STRASSE")])
def test_of_two_spellings_the_first_stays(api: Api, first: str, second: str) -> None:
    """And finds what is called by the other."""
    assert api.entity(aliases=[first, second])["aliases"] == [first]
    assert api.entity(aliases=[second, first])["aliases"] == [second]
    named = api.entity(name=first)
    found = api("POST", f"{ENTITIES}/get", json={"names": [second]}).json["data"]
    assert [entity["id"] for entity in found] == [named["id"]]


INEXACT = ["12345678901234567890.0", "0.1e-400", "0.12345678901234567", "-9007199254740993.0", "1e-400"]
EXACT = ["0.1", "1e22", "1.10", "-0.0", "0.30000000000000004", "9007199254740992.0", "5e-324"]


@pytest.mark.parametrize("literal", [*INEXACT, *EXACT])
def test_numbers_in_metadata_are_exact_or_refused(api: Api, literal: str) -> None:
    """At the top and further in, created, replaced, patched and imported."""
    path = f"{ENTITIES}/{api.entity()['id']}"
    for value in (literal, f"[{literal}]", f'{{"b": {literal}}}'):
        metadata = f'{{"a": {value}}}'
        whole = f'{{"type": "t", "name": "n", "metadata": {metadata}}}'.encode()
        patch = f'{{"metadata": {metadata}}}'.encode()
        answers = [
            api("POST", ENTITIES, body=whole, headers=AS_JSON),
            api("PUT", path, body=whole, headers=AS_JSON),
            api("PATCH", path, body=patch, headers=AS_PATCH),
        ]
        for answer in answers:
            if literal in EXACT:
                assert answer.status_code in (200, 201), answer.text
                kept = json.loads(answer.content, parse_float=Decimal)["data"]["metadata"]
                assert kept == json.loads(metadata, parse_float=Decimal)
            else:
                [fault] = problem(answer, 422, "invalid_input")["errors"]
                assert fault["pointer"].startswith("/metadata/a")
                assert fault["code"] == "inexact_number"
                assert "as text" in fault["detail"]
        line = f'{{"kind": "entity", "key": "k", "type": "t", "name": "n", "metadata": {metadata}}}'.encode()
        answer = api("POST", "/api/v1/import", body=line, headers={"Content-Type": NDJSON})
        results = [json.loads(result) for result in answer.content.splitlines()]
        assert [result["code"] for result in results[:-1]] == (["inexact_number"] if literal in INEXACT else [])


def test_a_record_is_one_line_for_every_reader(api: Api) -> None:
    """Whatever separators its metadata holds, in answers and exports; and they come back."""
    text = "a\u2028b\u2029c\x85d\u000be"
    made = api.entity(metadata={text: [text]})
    assert made["metadata"] == {text: [text]}
    for path in (f"{ENTITIES}/{made['id']}", ENTITIES, "/api/v1/export", "/api/v1/changes"):
        assert len(api("GET", path).content.decode().splitlines()) == 1, path


def test_names_are_trimmed_and_keys_are_not(api: Api) -> None:
    """White space of any kind goes from the ends of names and aliases, and stays within."""
    made = api.entity(name="\u3000Ada  Lovelace\u00a0", aliases=[" A", "A ", "B\u2003"], key=" k ", source=" s ")
    assert (made["name"], made["aliases"]) == ("Ada  Lovelace", ["A", "B"])
    assert (made["key"], made["source"]) == (" k ", " s ")
