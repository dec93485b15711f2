"""Lists by name and by metadata over HTTP: what the parameters mean, and which are refused."""

from typing import Any
from urllib.parse import quote

import pytest

from tests.http.conftest import Api, problem

LISTS = ("/api/v1/entities", "/api/v1/relationships")
ODD = '50% of "it\'s"\n'
METADATA: dict[str, Any] = {
    "text": {"country": "FR", "zip": "75001", "a.b": 1},
    "number": {"country": "DE", "zip": 75001, "is": True, "n": None},
    "other": {"zip": [75001], "is": "true", "n": "null", ODD: "ไทย 🔵"},
}


@pytest.fixture
def described(api: Api) -> Api:
    """An entity and a relationship with each metadata."""
    for name, metadata in METADATA.items():
        entity = api.entity(name=name, metadata=metadata)
        api.relationship(entity["id"], entity["id"], key=name, metadata=metadata)
    return api


def found(api: Api, query: str) -> set[str]:
    """What both lists hold, by name, and by key; the total agrees."""
    entities, relationships = (
        api("GET", path, query_string=f"{query}&count=exact", headers={"Cache-Control": "no-store"}) for path in LISTS
    )
    names = [entity["name"] for entity in entities.json["data"]]
    assert [relationship["key"] for relationship in relationships.json["data"]] == names
    assert entities.json["meta"]["total"] == relationships.json["meta"]["total"] == len(names)
    return {*names}


def test_metadata_is_given_by_name(described: Api) -> None:
    """What is JSON is read as such, all else is text; a name may have any characters, a dot too."""
    expected = {
        "metadata.country=FR": {"text"},
        "metadata.country=FR&metadata.country=DE": {"text", "number"},
        "metadata.country=fr": set(),
        "metadata.zip=75001": {"number"},
        "metadata.zip=75001.0": {"number"},
        'metadata.zip="75001"': {"text"},
        'metadata.zip="75001"&metadata.zip=75001': {"text", "number"},
        "metadata.zip=75001&metadata.country=FR": set(),
        "metadata.is=true": {"number"},
        'metadata.is="true"': {"other"},
        "metadata.n=null": {"number"},
        "metadata.a.b=1": {"text"},
        f"metadata.{quote(ODD)}={quote('ไทย 🔵')}": {"other"},
        "metadata.country=": set(),
        "metadata.=1": set(),
        "has_metadata=n": {"number", "other"},
        "has_metadata=n&has_metadata=country": {"number"},
        "has_metadata=a.b&metadata.country=FR": {"text"},
    }
    assert {query: found(described, query) for query in expected} == expected


REFUSED = {
    "metadata=FR": ("/metadata", "unknown_parameter", "write metadata.NAME=VALUE"),
    "metadta.country=FR": ("/metadta.country", "unknown_parameter", "there is no such parameter"),
    "metadata.a=[1]": ("/metadata/a", "not_compared", "lists and objects are not compared"),
    "metadata.a=%7B%7D": ("/metadata/a", "not_compared", "lists and objects are not compared"),
    "metadata.a=1e400": ("/metadata/a/0", "not_finite", "numbers must be finite"),
    "metadata.a=9223372036854775808": ("/metadata/a/0", "out_of_range", "64 bits"),
    "metadata.a%00=1": ("/metadata/a\x00", "invalid_text", "NUL"),
    "&".join(f"metadata.{n}=1" for n in range(21)): ("/metadata", "too_many", "at most 20"),
    "&".join(f"metadata.a={n}" for n in range(201)): ("/metadata/a", "not_a_list", "1 to 200"),
    "has_metadata=%00": ("/has_metadata/0", "invalid_text", "NUL"),
}


def test_what_cannot_be_asked_is_refused(api: Api) -> None:
    """With the name, and what to do."""
    for query, (pointer, code, advice) in REFUSED.items():
        for path in LISTS:
            [fault] = problem(api("GET", path, query_string=query), 400, "bad_request")["errors"]
            assert (fault["pointer"], fault["code"]) == (pointer, code), query
            assert advice in fault["detail"], query


def test_entities_are_listed_by_name(api: Api) -> None:
    """Their own, in any spelling, or how it begins; not together with ids."""
    for name in ("Zoë", "zoe", "Zoe 50%", "Zo"):
        api.entity(name=name, aliases=["Z"])

    def names(query: str) -> list[str]:
        return [each["name"] for each in api("GET", LISTS[0], query_string=query).json["data"]]

    assert names("name=ZOE") == ["Zoë", "zoe"]
    assert names("name=zo&name=zoe%2050%25&name=Z&sort=-name") == ["Zoe 50%", "Zo"]
    assert names("name_prefix=zo%C3%89&sort=-created_at") == ["Zoe 50%", "zoe", "Zoë"]
    assert names("name_prefix=%25") == []
    found = problem(api("GET", LISTS[0], query_string="key=a&name=b&metadata.c=d"), 400, "bad_request")
    assert [(fault["pointer"], fault["code"]) for fault in found["errors"]] == [
        ("/metadata", "not_together"),
        ("/name", "not_together"),
    ]
