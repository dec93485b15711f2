"""Service clients over HTTP: how admins manage them, and what is shown of them."""

from typing import Any

from tests.http.conftest import NOBODY, Api, problem

CLIENTS = "/api/v1/oauth-clients"
UNKNOWN = "01890a5d-ac96-774b-bcce-b302099a8057"
NEW = {"name": "publishing", "scopes": ["graph:write", "graph:read"]}


def create(api: Api, **fields: Any) -> dict[str, Any]:
    """A new client and its secret, as the API shows them."""
    answer = api("POST", CLIENTS, json={**NEW, **fields})
    assert answer.status_code == 201, answer.text
    data: dict[str, Any] = answer.json["data"]
    return data


def test_a_client_is_created(api: Api) -> None:
    """Its secret is shown this once, and no cache keeps it; Location leads to the client."""
    answer = api("POST", CLIENTS, json={**NEW, "expires_at": "2999-12-31T23:59:59+01:00"})
    assert answer.status_code == 201
    assert answer.headers["cache-control"] == "no-store"
    made = answer.json["data"]
    assert made.keys() == {"client", "secret"}
    assert len(made["secret"]) == 43
    client = made["client"]
    assert client.keys() == {"id", "name", "scopes", "created_by", "created_at", "updated_at", "expires_at"}
    assert (client["name"], client["scopes"]) == ("publishing", ["graph:read", "graph:write"])
    assert client["expires_at"] == "2999-12-31T22:59:59Z"
    assert client["created_by"] == {"kind": "user", "id": str(api.account("admin").id)}
    assert answer.headers["location"] == f"{CLIENTS}/{client['id']}"
    shown = api("GET", answer.headers["location"])
    assert shown.json["data"] == client
    for text in (shown.text, api("GET", CLIENTS).text):
        assert made["secret"] not in text
        assert "hash" not in text


def test_clients_are_listed_in_the_order_of_their_creation(api: Api) -> None:
    """Page by page, and never with anything that proves who they are."""
    made = [create(api, name=name)["client"] for name in ("b", "a", "c")]
    page = api("GET", CLIENTS, params={"limit": 2}).json
    rest = api("GET", CLIENTS, params={"limit": 2, "cursor": page["meta"]["next_cursor"]}).json
    assert page["data"] + rest["data"] == made
    assert rest["meta"]["next_cursor"] is None
    problem(api("GET", CLIENTS, params={"limit": 2, "cursor": "garbage"}), 400, "invalid_cursor")
    [fault] = problem(api("GET", CLIENTS, params={"name": "b"}), 400, "bad_request")["errors"]
    assert fault["code"] == "unknown_parameter"


def test_what_is_said_of_a_client_is_checked(api: Api) -> None:
    """Every fault at once, and nothing is created."""
    body = {"name": "", "scopes": ["graph:admin"], "expires_at": "tomorrow", "secret": "mine", "id": UNKNOWN}
    found = problem(api("POST", CLIENTS, json=body), 422, "invalid_input")
    assert {(fault["pointer"], fault["code"]) for fault in found["errors"]} == {
        ("/name", "blank"),
        ("/scopes/0", "not_a_choice"),
        ("/expires_at", "not_an_instant"),
        ("/secret", "unknown_field"),
        ("/id", "unknown_field"),
    }
    for moment in ("2020-01-01T00:00:00Z", "2999-01-01T00:00:00", "2999-01-01", 5, True, ["x"], ""):
        [fault] = problem(api("POST", CLIENTS, json={**NEW, "expires_at": moment}), 422, "invalid_input")["errors"]
        assert fault["pointer"] == "/expires_at", moment
    assert api("GET", CLIENTS).json["data"] == []


def test_a_new_secret_keeps_the_expiry_unless_told_otherwise(api: Api) -> None:
    """Leaving it out keeps it, null takes it away."""
    client = create(api, expires_at="2999-01-01T00:00:00Z")["client"]
    for body, expected in (
        ({}, "2999-01-01T00:00:00Z"),
        ({"expires_at": "2998-01-01T00:00:00Z"}, "2998-01-01T00:00:00Z"),
        ({"expires_at": None}, None),
        ({}, None),
    ):
        answer = api("POST", f"{CLIENTS}/{client['id']}/rotate", json=body)
        assert answer.status_code == 200, answer.text
        assert answer.headers["cache-control"] == "no-store"
        assert answer.json["data"]["client"]["expires_at"] == expected
    for body in ({"expires_at": "2020-01-01T00:00:00Z"}, {"id": UNKNOWN}, {"name": "x"}):
        problem(api("POST", f"{CLIENTS}/{client['id']}/rotate", json=body), 422, "invalid_input")


def test_a_deleted_client_is_gone(api: Api) -> None:
    """There is nothing to restore; what it created stays."""
    made = api.credentials("service")
    entity = api.entity(by="service")
    answer = api("DELETE", f"{CLIENTS}/{made.client.id}")
    assert (answer.status_code, answer.content) == (204, b"")
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/rotate")):
        json = {} if method == "POST" else None
        problem(api(method, f"{CLIENTS}/{made.client.id}{path}", json=json), 404, "not_found")
    kept = api("GET", f"/api/v1/entities/{entity['id']}").json["data"]
    assert kept["created_by"] == {"kind": "service", "id": str(made.client.id)}


def test_what_is_no_id_is_a_bad_request(api: Api) -> None:
    """And an unknown one is not found."""
    problem(api("GET", f"{CLIENTS}/ai"), 400, "bad_request")
    problem(api("GET", f"{CLIENTS}/%00"), 400, "bad_request")
    problem(api("GET", f"{CLIENTS}/{UNKNOWN}"), 404, "not_found")
    problem(api("GET", CLIENTS, by=NOBODY), 401, "not_authenticated")
