"""Walks that are refused over HTTP, before a store is asked."""

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import pytest
from sqlalchemy import NullPool, create_engine, text

from kgl_adapters.sql.engine.engines import parse_url
from kgl_adapters.sql.graph.tables import RELATIONSHIPS
from tests.http.conftest import Api, MakeApi, making_apis, problem
from tests.http.exploration.conftest import Drawn

ENTITIES, GRAPH = "/api/v1/entities", "/api/v1/graph"


@pytest.fixture
def make_api() -> Iterator[MakeApi]:
    """The same on every store."""
    with making_apis("memory://") as make:
        yield make


@pytest.mark.parametrize(
    ("path", "query", "pointers"),
    [
        (f"{GRAPH}/paths", {}, ["/from", "/to"]),
        (f"{GRAPH}/paths", {"from_": "Ada"}, ["/to"]),
        (f"{GRAPH}/paths", {"from_": "me", "to": "Ada"}, ["/from/0"]),
        (f"{GRAPH}/paths", {"from_": ["Ada", "x"], "to": ["", "Ada", "y"]}, ["/from/1", "/to/0", "/to/2"]),
        (f"{GRAPH}/paths", {"from_": ["Ada"] * 11, "to": "Ada", "max_depth": "99"}, ["/from", "/max_depth"]),
        (f"{GRAPH}/paths", {"from_": "Ada", "to": "Eve", "weight": "km"}, ["/weight"]),
        (f"{GRAPH}/paths", {"from_": "Ada", "to": "Eve", "from__": "Ada", "fro": "Ada"}, ["/from_", "/fro"]),
        (f"{GRAPH}/common", {"id": "Ada"}, ["/id"]),
        (f"{GRAPH}/common", {"id": ["Ada", "Bob"], "limit": "201", "ids": "Ada"}, ["/ids", "/limit"]),
        (f"{ENTITIES}/Ada/neighborhood", {"depth": "7"}, ["/depth"]),
        (f"{ENTITIES}/Ada/neighborhood", {"depth": "9" * 400}, ["/depth"]),
        (f"{ENTITIES}/Ada/neighborhood", {"depth": ["1", "1"]}, ["/depth"]),
        (f"{ENTITIES}/Ada/neighborhood", {"depth": "²", "max_entities": "1e3"}, ["/depth", "/max_entities"]),
        (f"{ENTITIES}/Ada/neighborhood", {"min_confidence": "NaN"}, ["/min_confidence"]),
        (
            f"{ENTITIES}/Ada/neighborhood",
            {"min_confidence": "inf", "min_sources": "-1"},
            ["/min_confidence", "/min_sources"],
        ),
        (f"{ENTITIES}/Ada/neighborhood", {"relationship_type": "รู้จัก"}, ["/relationship_type/0"]),
        (f"{ENTITIES}/Ada/neighborhood", {"entity_type": ["person", "人", "🙂"]}, ["/entity_type/1", "/entity_type/2"]),
        (f"{ENTITIES}/Ada/neighborhood", {"valid_at": "2024-02-30"}, ["/valid_at"]),
        (f"{ENTITIES}/Ada/neighborhood", {"valid_at": "1994-05-17T08:30:00 02:00"}, ["/valid_at"]),
        (f"{ENTITIES}/Ada/summary", {"strongest": "51"}, ["/strongest"]),
    ],
)
def test_what_is_refused(drawn: Drawn, path: str, query: dict[str, Any], pointers: list[str]) -> None:
    """Every fault names its parameter, as it is written in the URL."""
    found = problem(drawn.get(path, **query), 400, "bad_request")
    assert sorted(fault["pointer"] for fault in found["errors"]) == sorted(pointers)
    assert all("from_" not in fault["detail"] for fault in found["errors"])


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({}, ["/ids"]),
        ({"ids": [], "filter": {}}, ["/ids"]),
        ({"ids": "Ada"}, ["/ids"]),
        ({"ids": ["Ada"]}, ["/ids/0"]),
        ({"filter": {"typ": "person"}}, ["/filter/typ"]),
        ({"filter": {"created_after": "yesterday", "type": ["人"]}}, ["/filter/type/0", "/filter/created_after"]),
        ({"filter": "person"}, ["/filter"]),
        ({"filter": {}, "max_entities": 10_001, "depth": 1}, ["/depth", "/max_entities"]),
        ({"filter": {}, "min_confidence": 10**400}, ["/min_confidence"]),
    ],
)
def test_which_subgraphs_are_refused(api: Api, body: dict[str, Any], pointers: list[str]) -> None:
    """Every fault names its place in the body."""
    found = problem(api("POST", f"{GRAPH}/subgraph", json=body), 422, "invalid_input")
    assert sorted(fault["pointer"] for fault in found["errors"]) == sorted(pointers)


@pytest.mark.parametrize(
    "query",
    [
        [("relationship_type", "t")] * 5_000,
        [("relationship_type", f"t{n}") for n in range(201)],
        [("avoid", str(uuid4())) for _ in range(201)],
        [("from", str(uuid4())) for _ in range(499)],
        [(f"x{n}", "1") for n in range(2_000)],
        [("weight", "重" * 501), ("kind", "lightest")],
        [("cursor", "x" * 5_000)],
        [("fields", "name," * 500)],
    ],
)
def test_too_much_is_refused(drawn: Drawn, query: list[tuple[str, str]]) -> None:
    """Before any of it is looked for."""
    given = [("from", drawn.ids["Ada"]), ("to", drawn.ids["Eve"]), *query]
    path = f"{ENTITIES}/{drawn.ids['Ada']}/neighborhood" if query[0][0] == "cursor" else f"{GRAPH}/paths"
    answer = drawn.api("GET", path, query_string=urlencode(given[2:] if query[0][0] == "cursor" else given))
    problem(answer, 400, "bad_request")


def test_a_pattern_that_takes_sqlite_too_long(empty_url: Callable[[str], str]) -> None:
    """Is ended after the time that the settings name: here there are many millions of rows to sort."""
    with making_apis(empty_url("sqlite")) as make:
        api = make(database_statement_timeout="0.5")
        ids = [api.entity(key=str(n))["id"] for n in range(20)]
        ends = [{"source_entity_id": one, "target_entity_id": other} for one in ids for other in ids]
        api.kg.load([{"kind": "relationship", "relationship_type": "knows", **each} for each in ends])
        chain = {f"r{n}": {"source": f"n{n}", "target": f"n{n + 1}"} for n in range(5)}
        pattern = {"nodes": {f"n{n}": {} for n in range(6)}, "relationships": chain, "limit": 1}
        answer = api("POST", f"{GRAPH}/match", json={**pattern, "order": [{"variable": "n5", "field": "name"}]})
        problem(answer, 503, "statement_timeout")
        assert api("GET", f"{ENTITIES}/{ids[0]}/neighborhood").status_code == 200


def test_a_walk_that_takes_too_long_is_an_error(empty_url: Callable[[str], str]) -> None:
    """And no empty answer: here it waits for a lock that nobody gives back."""
    url = empty_url("postgres")
    with making_apis(url) as make:
        api = make(database_statement_timeout="0.5")
        ada, bob = (api.entity()["id"] for _ in range(2))
        engine = create_engine(parse_url(url), poolclass=NullPool)
        with engine.begin() as other:
            other.execute(text(f"LOCK TABLE {RELATIONSHIPS[False].fullname} IN ACCESS EXCLUSIVE MODE"))
            for path in (f"{ENTITIES}/{ada}/neighborhood", f"{ENTITIES}/{ada}/summary", f"{GRAPH}/paths"):
                query = urlencode({"from": ada, "to": bob}) if path.endswith("paths") else ""
                answer = api("GET", path, query_string=query)
                assert "filters" in problem(answer, 503, "statement_timeout")["detail"]
                assert "retry-after" in answer.headers
        assert api("GET", f"{ENTITIES}/{ada}/neighborhood").status_code == 200
