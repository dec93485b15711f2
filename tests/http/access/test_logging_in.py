"""Accounts and tokens over HTTP: registering, logging in and out, and what ends a token."""

from collections.abc import Callable
from typing import Any

import pytest
from falcon import testing

from kgl_http.api import authentication
from tests.http.conftest import NOBODY, PASSWORD, Api, MakeApi, problem

AUTH = "/api/v1/auth"
PEER = "127.0.0.1"
EMAIL = "ada@example.org"
OTHER_PASSWORD = "other unrelated words"
TAKES_EFFECT_WITHIN_S = 2.0


def post(api: Api, what: str, body: Any, by: str = NOBODY, **request: Any) -> testing.Result:
    """A request to one of the routes of ``/auth``."""
    return api("POST", f"{AUTH}/{what}", by=by, json=body, **{"remote_addr": PEER, **request})


def log_in(api: Api, email: str = EMAIL, password: str = PASSWORD, **request: Any) -> testing.Result:
    """A login."""
    return post(api, "token", {"email": email, "password": password}, **request)


def bearer(token: str) -> dict[str, str]:
    """The header that shows a token."""
    return {"Authorization": f"Bearer {token}"}


def me(api: Api, token: str) -> testing.Result:
    """What the account that a token belongs to is told of itself."""
    return api("GET", f"{AUTH}/me", by=NOBODY, headers=bearer(token))


def register(api: Api, email: str = EMAIL, **fields: Any) -> dict[str, Any]:
    """A new account, as the API shows it."""
    answer = post(api, "register", {"email": email, "password": PASSWORD, **fields})
    assert answer.status_code == 200, answer.text
    return answer.json["data"]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> "Clock":
    """What accounts that were read grow old by."""
    clock = Clock()
    monkeypatch.setattr(authentication, "time", clock)
    return clock


class Clock:
    """A clock that is moved by hand."""

    now_s = 1000.0

    def monotonic(self) -> float:
        return self.now_s


def test_the_flow_of_the_seed(api: Api) -> None:
    """Register, log in, fail to log in: the contract that the service's first users rely on, to the letter."""
    client = api.client
    response = client.simulate_post(
        "/api/v1/auth/register", json={"email": "test@example.com", "password": "testpass123"}
    )
    assert response.status_code == 200
    response = client.simulate_post("/api/v1/auth/token", json={"email": "test@example.com", "password": "testpass123"})
    assert response.status_code == 200
    assert "access_token" in response.json
    response = client.simulate_post("/api/v1/auth/token", json={"email": "test@example.com", "password": "wrongpass"})
    assert response.status_code == 401


def test_registering_makes_a_user(api: Api) -> None:
    """Shown without its hash, in the envelope; it can log in at once, and the email's case does not matter."""
    made = register(api, "Ada@Example.ORG", first_name="Ada", last_name="Lovelace")
    assert made.keys() == {
        "id", "email", "first_name", "last_name", "role", "is_active", "created_at", "updated_at", "last_login_at",
    }  # fmt: skip
    assert (made["email"], made["first_name"], made["role"], made["is_active"]) == (EMAIL, "Ada", "user", True)
    token = log_in(api, "ADA@example.org").json["access_token"]
    shown = me(api, token).json["data"]
    assert shown.pop("last_login_at") is not None
    assert made.pop("last_login_at") is None
    assert {**made, "updated_at": None} == {**shown, "updated_at": None}


def test_nobody_gives_themselves_a_role(api: Api) -> None:
    """Or anything else that the account has beside what people say of themselves."""
    for field, value in (
        ("role", "admin"),
        ("is_superuser", True),
        ("is_active", True),
        ("id", 1),
        ("auth_version", 7),
    ):
        answer = post(api, "register", {"email": EMAIL, "password": PASSWORD, field: value})
        [fault] = problem(answer, 422, "invalid_input")["errors"]
        assert (fault["pointer"], fault["code"]) == (f"/{field}", "unknown_field")
    problem(log_in(api), 401, "invalid_credentials")


def test_registering_names_every_fault(api: Api) -> None:
    """At once, and never quotes the password."""
    body = {"email": "ada", "password": "ada1234", "last_name": " ", "name": "Ada"}
    found = problem(post(api, "register", body), 422, "invalid_input")
    assert {fault["pointer"] for fault in found["errors"]} == {"/email", "/password", "/last_name", "/name"}
    assert "ada1234" not in str(found)
    for password in ("password", "PassWord1!", EMAIL, "x" * 129, "short", "ada@EXAMPLE.org"):
        found = problem(post(api, "register", {"email": EMAIL, "password": password}), 422, "invalid_input")
        assert [fault["pointer"] for fault in found["errors"]] == ["/password"], password


def test_a_taken_email_is_a_conflict(api: Api) -> None:
    """In any case of letters."""
    register(api)
    answer = post(api, "register", {"email": EMAIL.upper(), "password": OTHER_PASSWORD})
    problem(answer, 409, "already_exists")
    assert log_in(api).status_code == 200


def test_registration_can_be_closed(make_api: MakeApi) -> None:
    """By a setting, and by default in production: whatever is sent, the answer is the same."""
    for settings in ({"registration": "closed"}, {"kgl_env": "production"}):
        api = make_api(**settings)
        for body in ({"email": EMAIL, "password": PASSWORD}, {"email": "x"}, {}):
            problem(post(api, "register", body), 403, "registration_closed")
        problem(log_in(api), 401, "invalid_credentials")
    assert register(make_api(kgl_env="production", registration="open"))["role"] == "user"


def test_tokens_stand_at_the_top_and_nothing_keeps_them(api: Api) -> None:
    """As RFC 6749, section 5.1 has it: outside the envelope, of type Bearer, with no-store."""
    register(api)
    answers = [log_in(api)]
    answers.append(post(api, "refresh", {"refresh_token": answers[0].json["refresh_token"]}))
    for answer in answers:
        assert answer.json.keys() == {"access_token", "token_type", "expires_in", "refresh_token"}
        assert (answer.json["token_type"], answer.json["expires_in"]) == ("Bearer", 900)
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["pragma"] == "no-cache"
        assert me(api, answer.json["access_token"]).json["data"]["email"] == EMAIL
    assert answers[0].json["refresh_token"] != answers[1].json["refresh_token"]


def test_answers_about_an_account_are_not_kept_by_others(api: Api) -> None:
    """What a person is told of themselves is private, and what they are refused is stored nowhere."""
    register(api)
    token = log_in(api).json["access_token"]
    assert "private" in me(api, token).headers["cache-control"]
    for refused in (me(api, "x"), log_in(api, password="wrong"), api("GET", f"{AUTH}/me", by=NOBODY)):
        assert refused.headers["cache-control"] == "no-store"


def test_refused_logins_are_alike(api: Api) -> None:
    """Unknown, wrong or disabled: the same answer but for the request's id and moment, after the same work."""
    register(api)
    register(api, "disabled@example.org")
    api.kg.users.disable(api.kg.users.get_by_email("disabled@example.org").id)
    hasher = api.container.hasher()
    answers = []
    for email, password in (
        ("nobody@example.org", PASSWORD),
        (EMAIL, "wrong"),
        ("disabled@example.org", PASSWORD),
        ("disabled@example.org", "wrong"),
        ("no address at all", PASSWORD),
    ):
        hasher.done.clear()
        answer = log_in(api, email, password)
        found = problem(answer, 401, "invalid_credentials")
        found.pop("meta")
        headers = {name: value for name, value in answer.headers.items() if name != "x-request-id"}
        answers.append((found, headers, hasher.done.copy()))
    assert all(answer == answers[0] for answer in answers)
    assert answers[0][1]["www-authenticate"] == "Bearer"


def test_a_refresh_token_works_once(api: Api) -> None:
    """Its second use ends its whole family, because somebody holds a copy."""
    register(api)
    first = log_in(api).json["refresh_token"]
    second = post(api, "refresh", {"refresh_token": first}).json["refresh_token"]
    assert post(api, "refresh", {"refresh_token": first}).json["refresh_token"] == second  # a retry
    third = post(api, "refresh", {"refresh_token": second}).json["refresh_token"]
    for used in (first, second, third):
        answer = post(api, "refresh", {"refresh_token": used})
        problem(answer, 401, "invalid_token")
        assert answer.headers["cache-control"] == "no-store"
    assert log_in(api).status_code == 200


def test_logging_out_ends_the_family(api: Api) -> None:
    """And is silent about tokens that are none (RFC 7009, section 2.2)."""
    register(api)
    one, other = log_in(api).json, log_in(api).json
    for _ in range(2):
        answer = post(api, "logout", {"refresh_token": one["refresh_token"]})
        assert (answer.status_code, answer.content) == (204, b"")
    problem(post(api, "refresh", {"refresh_token": one["refresh_token"]}), 401, "invalid_token")
    assert post(api, "logout", {"refresh_token": "x"}).status_code == 204
    assert post(api, "logout", {"refresh_token": other["access_token"]}).status_code == 204
    assert post(api, "refresh", {"refresh_token": other["refresh_token"]}).status_code == 200


def test_changing_the_password(api: Api) -> None:
    """Asks for the present one, ends every token, and lets in with the new one at once."""
    register(api)
    old = log_in(api).json
    change = {"current_password": PASSWORD, "new_password": OTHER_PASSWORD}
    headers = bearer(old["access_token"])
    assert me(api, old["access_token"]).status_code == 200
    problem(post(api, "password", change), 401, "not_authenticated")
    wrong = post(api, "password", {**change, "current_password": "wrong"}, headers=headers)
    [fault] = problem(wrong, 422, "invalid_input")["errors"]
    assert (fault["pointer"], fault["code"]) == ("/current_password", "wrong_password")
    found = problem(post(api, "password", {**change, "new_password": "short"}, headers=headers), 422, "invalid_input")
    assert [fault["pointer"] for fault in found["errors"]] == ["/new_password"]
    assert post(api, "password", change, headers=headers).json["data"]["email"] == EMAIL
    problem(log_in(api), 401, "invalid_credentials")
    problem(post(api, "refresh", {"refresh_token": old["refresh_token"]}), 401, "invalid_token")
    # On this worker, which holds the account as it was.
    assert me(api, log_in(api, password=OTHER_PASSWORD).json["access_token"]).status_code == 200
    problem(me(api, old["access_token"]), 401, "invalid_token")


ENDINGS: dict[str, Callable[[Api, str], object]] = {
    "role": lambda api, id: api("PUT", f"/api/v1/users/{id}/role", json={"role": "moderator"}),
    "disable": lambda api, id: api("POST", f"/api/v1/users/{id}/disable"),
    "password": lambda api, id: api.kg.users.set_password(id, OTHER_PASSWORD),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_what_ends_tokens_takes_effect_within_two_seconds(api: Api, clock: Clock, ending: str) -> None:
    """Also on a worker that knows the account as it was; the others' tokens go on."""
    id = register(api)["id"]
    issued = log_in(api).json
    assert me(api, issued["access_token"]).status_code == 200
    ENDINGS[ending](api, id)
    clock.now_s += TAKES_EFFECT_WITHIN_S
    answer = me(api, issued["access_token"])
    problem(answer, 401, "invalid_token")
    assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'
    problem(post(api, "refresh", {"refresh_token": issued["refresh_token"]}), 401, "invalid_token")
    assert api("GET", f"{AUTH}/me", by="admin").status_code == 200


def test_an_account_is_read_again_before_it_is_too_old(api: Api, clock: Clock) -> None:
    """Not with every request, and never later than promised."""
    assert authentication.STANDING_AGE_MAX_S < TAKES_EFFECT_WITHIN_S
    id = register(api)["id"]
    token = log_in(api).json["access_token"]
    assert me(api, token).status_code == 200
    api.kg.users.disable(id)
    clock.now_s += authentication.STANDING_AGE_MAX_S / 2
    assert api("GET", "/api/v1/entities", by=NOBODY, headers=bearer(token)).status_code == 200
    clock.now_s += authentication.STANDING_AGE_MAX_S / 2
    problem(me(api, token), 401, "invalid_token")


@pytest.mark.parametrize("ending", ["role", "disable"])
def test_a_new_token_works_at_once(api: Api, clock: Clock, ending: str) -> None:
    """Where the worker still knows the account as it was, the token proves that it has changed since."""
    id = register(api)["id"]
    assert me(api, log_in(api).json["access_token"]).status_code == 200
    ENDINGS[ending](api, id)
    assert api("POST", f"/api/v1/users/{id}/enable").status_code == 200
    shown = me(api, log_in(api).json["access_token"]).json["data"]
    assert shown["role"] == ("moderator" if ending == "role" else "user")


def test_a_minimum_length_can_be_set(make_api: MakeApi) -> None:
    """Which asks for longer passwords of new accounts."""
    api = make_api(password_length_min="15")
    found = problem(post(api, "register", {"email": EMAIL, "password": "a good one, no?"[:14]}), 422, "invalid_input")
    assert [(fault["pointer"], fault["code"]) for fault in found["errors"]] == [("/password", "too_short")]
    assert register(api)["email"] == EMAIL


def test_no_answer_holds_a_hash_or_a_password(api: Api) -> None:
    """Neither one's own account, nor a list of accounts, nor the metrics."""
    register(api)
    kept = api.kg.users.get_by_email(EMAIL).password_hash
    token = log_in(api).json["access_token"]
    for answer in (me(api, token), api("GET", "/api/v1/users"), api("GET", "/metrics"), api("GET", "/api/v1/export")):
        assert kept not in answer.text
        assert PASSWORD not in answer.text
        assert "auth_version" not in answer.text
