"""``/search``: results, suggestions and links over HTTP."""

from typing import Any
from urllib.parse import quote

import pytest

from kgl_http.openapi.shown_fields import KNOWN_FIELDS
from tests.http.conftest import Api, problem

SEARCH = "/api/v1/search"


def get(api: Api, path: str = "", **query: Any) -> Any:
    """The answer to a GET."""
    pairs = "&".join(f"{name}={quote(str(value))}" for name, value in query.items())
    return api("GET", SEARCH + path, query_string=pairs)


def test_search(api: Api) -> None:
    """The entity as it is shown elsewhere, how well it fits, and where; totals and facets beside them."""
    oak = api.entity(name="Jean-Luc Oak", aliases=["大灯工厂"], source="https://s/1")
    api.entity(name="Oak Street", type="place")
    answer = get(api, q="luc", facets="type")
    assert answer.status_code == 200
    assert answer.json["data"] == [
        {
            "entity": api("GET", f"/api/v1/entities/{oak['id']}").json["data"],
            "score": 0.4,
            "matched": {"field": "name", "text": "Jean-Luc Oak", "offsets": [[5, 8]]},
        }
    ]
    meta = answer.json["meta"]
    assert (meta["total"], meta["truncated"], meta["next_cursor"], meta["nearest_words"]) == (1, None, None, [])
    assert meta["facets"] == {"type": [{"value": "person", "count": 1}]}
    assert get(api, q="灯工").json["data"][0]["matched"] == {"field": "alias", "text": "大灯工厂", "offsets": [[1, 3]]}
    first = get(api, q="oak", limit=1, fields="name")
    assert set(first.json["data"][0]["entity"]) == {"id", "name"}
    second = get(api, q="oak", limit=1, cursor=first.json["meta"]["next_cursor"])
    names = [each["entity"]["name"] for page in (first, second) for each in page.json["data"]]
    assert names == ["Oak Street", "Jean-Luc Oak"]
    assert get(api, q="oka").json["meta"]["nearest_words"] == ["oak"]
    assert [each["entity"]["name"] for each in get(api, q="oak", type="place").json["data"]] == ["Oak Street"]


def test_suggestions(api: Api) -> None:
    """What begins so comes first."""
    for name in ("Old Oak", "Oak", "Oakwood"):
        api.entity(name=name)
    answer = get(api, "/suggest", q="oa", fields="name", limit=2)
    assert [each["entity"]["name"] for each in answer.json["data"]] == ["Oak", "Oakwood"]
    assert answer.json["meta"]["limit"] == 2


def test_links(api: Api) -> None:
    """Each name with the entities that have it."""
    oak = api.entity(name="Oak")
    body = {"names": [{"name": "OAK"}, {"name": "Elm", "type": "tree"}], "fields": ["name"]}
    answer = api("POST", f"{SEARCH}/link", json=body)
    assert answer.json["data"] == [
        {
            "name": "OAK",
            "type": None,
            "matches": [
                {"entity": {"id": oak["id"], "name": "Oak"}, "likeness": "identity", "field": "name", "text": "Oak"}
            ],
            "is_cut": False,
        },
        {"name": "Elm", "type": "tree", "matches": [], "is_cut": False},
    ]


@pytest.mark.parametrize("field", KNOWN_FIELDS)
def test_every_field_can_be_asked_for(api: Api, field: str) -> None:
    """What entities do not have is not shown, and no error: relationships and answers of walks have it."""
    oak = api.entity(name="Oak")
    shown = {"id": oak["id"]} | ({field: oak[field]} if field in oak else {})
    assert get(api, q="oak", fields=field).json["data"][0]["entity"] == shown
    assert get(api, "/suggest", q="oak", fields=field).json["data"][0]["entity"] == shown
    [linked] = api("POST", f"{SEARCH}/link", json={"names": [{"name": "oak"}], "fields": [field]}).json["data"]
    assert linked["matches"][0]["entity"] == shown


@pytest.mark.parametrize("query", [{}, {"q": ""}, {"q": " "}, {"q": "x", "is_active": "false"}, {"q": "x" * 501}])
def test_refused(api: Api, query: dict[str, str]) -> None:
    """With the parameter that is at fault."""
    problem(get(api, **query), 400, "bad_request")


def test_a_cursor_of_another_search(api: Api) -> None:
    """It is told, and nothing else is answered."""
    for name in ("Oak", "Oakwood"):
        api.entity(name=name)
    cursor = get(api, q="oak", limit=1).json["meta"]["next_cursor"]
    problem(get(api, q="elm", cursor=cursor), 400, "invalid_cursor")
