"""``/users``: the accounts, for admins."""

from typing import Any

import pytest

from kgl_http.api import authentication
from tests.http.conftest import NOBODY, PASSWORD, Api, problem

PATH = "/api/v1/users"
NOWHERE = "01890a5d-ac96-774b-bcce-b302099a8057"
SHOWN = {
    *("id", "email", "first_name", "last_name", "role", "is_active", "created_at", "updated_at", "last_login_at"),
}


@pytest.fixture(autouse=True)
def _accounts_are_always_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """What ends tokens takes effect at once, not after the second for which an account is remembered."""
    monkeypatch.setattr(authentication, "STANDING_AGE_MAX_S", 0)


def emails(api: Api, **params: Any) -> list[str]:
    """The names of the accounts that a listing holds, without the domain."""
    answer = api("GET", PATH, params=params)
    assert answer.status_code == 200, answer.text
    return [user["email"].removesuffix("@example.org") for user in answer.json["data"]]


def test_an_account_is_shown_without_its_secrets(api: Api) -> None:
    """Neither the password's hash nor the version of what was issued, here and in every listing."""
    id = str(api.account("eve").id)
    user = api("GET", f"{PATH}/{id}").json["data"]
    assert set(user) == SHOWN
    assert (user["id"], user["email"], user["role"], user["is_active"]) == (id, "eve@example.org", "user", True)
    assert user["last_login_at"] is None
    api.token("eve")
    assert api("GET", f"{PATH}/{id}").json["data"]["last_login_at"].endswith("Z")
    answer = api("GET", PATH)
    assert all(set(user) == SHOWN for user in answer.json["data"])
    assert "$" not in answer.text


def test_accounts_are_listed_by_email_and_filtered(api: Api) -> None:
    """By a part of the address, by role, by whether they are enabled; page by page."""
    for name in ("eve", "moderator", "bob"):
        api.account(name)
    api("POST", f"{PATH}/{api.account('bob').id}/disable")
    assert emails(api) == ["admin", "bob", "eve", "moderator"]
    assert emails(api, email="O") == ["admin", "bob", "eve", "moderator"]
    assert emails(api, email="BO") == ["bob"]
    assert emails(api, role="user") == ["bob", "eve"]
    assert emails(api, is_active="false") == ["bob"]
    assert emails(api, is_active="true", role="user") == ["eve"]
    assert emails(api, is_active="any") == emails(api)
    first = api("GET", PATH, params={"limit": 3}).json
    assert (len(first["data"]), first["meta"]["limit"]) == (3, 3)
    cursor = first["meta"]["next_cursor"]
    assert emails(api, limit=3, cursor=cursor) == ["moderator"]
    problem(api("GET", PATH, params={"cursor": cursor, "role": "user"}), 400, "invalid_cursor")
    for params in ({"role": "root"}, {"sort": "email"}, {"is_active": "1"}, {"email": ""}, {"limit": 201}):
        problem(api("GET", PATH, params=params), 400, "bad_request")


def test_another_role_ends_the_tokens_and_lets_do_more(api: Api) -> None:
    """What was issued before says the old role, so it is no longer taken; with a new login the new role holds."""
    path = f"{PATH}/{api.account('eve').id}/role"
    refresh = api(
        "POST", "/api/v1/auth/token", by=NOBODY, json={"email": "eve@example.org", "password": PASSWORD}
    ).json["refresh_token"]
    assert api("GET", "/api/v1/auth/me", by="eve").status_code == 200
    answer = api("PUT", path, json={"role": "admin"})
    assert (answer.status_code, answer.json["data"]["role"]) == (200, "admin")
    problem(api("GET", "/api/v1/auth/me", by="eve"), 401, "invalid_token")
    problem(api("POST", "/api/v1/auth/refresh", by=NOBODY, json={"refresh_token": refresh}), 401, "invalid_token")
    api._tokens.pop("eve")
    assert api("GET", PATH, by="eve").status_code == 200
    assert api("PUT", path, json={"role": "admin"}).json["data"] == api("GET", path.removesuffix("/role")).json["data"]
    assert api("GET", PATH, by="eve").status_code == 200


def test_a_disabled_account_can_do_nothing_until_it_is_enabled(api: Api) -> None:
    """Its tokens end, it can't log in, and enabling brings back neither the old tokens."""
    path = f"{PATH}/{api.account('eve').id}"
    login = {"email": "eve@example.org", "password": PASSWORD}
    assert api("GET", "/api/v1/entities", by="eve").status_code == 200
    assert api("POST", f"{path}/disable").json["data"]["is_active"] is False
    problem(api("GET", "/api/v1/entities", by="eve"), 401, "invalid_token")
    problem(api("POST", "/api/v1/auth/token", by=NOBODY, json=login), 401, "invalid_credentials")
    assert api("POST", f"{path}/disable").json["data"]["is_active"] is False
    assert api("POST", f"{path}/enable").json["data"]["is_active"] is True
    problem(api("GET", "/api/v1/entities", by="eve"), 401, "invalid_token")
    assert api("POST", "/api/v1/auth/token", by=NOBODY, json=login).status_code == 200


def test_a_remembered_account_is_asked_for_again_after_a_second(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within that second a disabled account may still pass; after it, it does not."""
    monkeypatch.setattr(authentication, "STANDING_AGE_MAX_S", 1.0)
    now_s = 1000.0

    class FakeTime:
        @staticmethod
        def monotonic() -> float:
            return now_s

    monkeypatch.setattr(authentication, "time", FakeTime)
    assert api("GET", "/api/v1/auth/me", by="eve").status_code == 200
    api.kg.users.disable(api.account("eve").id)
    now_s += 0.9
    assert api("GET", "/api/v1/entities", by="eve").status_code == 200
    now_s += 0.1
    problem(api("GET", "/api/v1/entities", by="eve"), 401, "invalid_token")


def test_what_is_no_role_or_account_is_refused(api: Api) -> None:
    """422 with what to give, 404 for an id that nobody has, 400 for what is no id."""
    path = f"{PATH}/{api.account('eve').id}/role"
    for body, code in (({"role": "root"}, "not_a_choice"), ({}, "required"), ({"role": None}, "not_a_choice")):
        found = problem(api("PUT", path, json=body), 422, "invalid_input")
        assert [(fault["pointer"], fault["code"]) for fault in found["errors"]] == [("/role", code)]
    problem(api("PUT", path, json={"role": "user", "email": "x"}), 422, "invalid_input")
    for id, status, code in ((NOWHERE, 404, "not_found"), ("1", 400, "bad_request")):
        problem(api("GET", f"{PATH}/{id}"), status, code)
        problem(api("PUT", f"{PATH}/{id}/role", json={"role": "user"}), status, code)
        problem(api("POST", f"{PATH}/{id}/disable"), status, code)
        problem(api("POST", f"{PATH}/{id}/enable"), status, code)


@pytest.mark.parametrize("by", ["user", "moderator"])
def test_only_admins_see_and_change_accounts(api: Api, by: str) -> None:
    """Others are refused whether or not the account exists, and nothing changes; who they are, they read at /me."""
    for id in (api.account("eve").id, api.account(by).id, NOWHERE):
        for method, path, body in (
            ("GET", PATH, None),
            ("GET", f"{PATH}/{id}", None),
            ("PUT", f"{PATH}/{id}/role", {"role": "admin"}),
            ("POST", f"{PATH}/{id}/disable", None),
            ("POST", f"{PATH}/{id}/enable", None),
        ):
            problem(api(method, path, json=body, by=by), 403, "permission_denied")
            problem(api(method, path, json=body, by=NOBODY), 401, "not_authenticated")
    assert api("GET", f"{PATH}/{api.account(by).id}").json["data"]["role"] == by
