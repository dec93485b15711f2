"""Guessing over HTTP: how often one may try, and who is believed about where attempts come from."""

from typing import Any

from kgl_core import Overloaded
from kgl_core.access.throttling import FAILURES_FROM_ADDRESS, LOGINS_FROM_ADDRESS
from tests.http.access.test_logging_in import EMAIL, OTHER_PASSWORD, bearer, log_in, me, post, register
from tests.http.conftest import PASSWORD, Api, MakeApi, problem


def guesses(api: Api, number: int, **request: Any) -> list[int]:
    """What that many wrong passwords are answered with."""
    return [log_in(api, password="wrong", **request).status_code for _ in range(number)]


def forwarded(*addresses: str) -> dict[str, str]:
    """What a proxy says of who is behind it."""
    return {"X-Forwarded-For": ", ".join(addresses)}


def test_guessing_is_slowed_down(api: Api) -> None:
    """The sixth attempt in a minute has to wait, right or wrong, for an account that there is not as well."""
    register(api)
    for email in (EMAIL, "nobody@example.org"):
        assert [log_in(api, email, "wrong").status_code for _ in range(6)] == [401] * 5 + [429]
        answer = log_in(api, email)
        problem(answer, 429, "too_many_attempts")
        assert 1 <= int(answer.headers["retry-after"]) <= 60
        assert answer.headers["cache-control"] == "no-store"
    assert log_in(api, remote_addr="198.51.100.1").status_code == 200  # from elsewhere, its owner gets in


def test_waiting_leaves_live_sessions_alone(api: Api) -> None:
    """Whoever is logged in stays so, and can go on."""
    register(api)
    issued = log_in(api).json
    assert guesses(api, 6)[-1] == 429
    assert me(api, issued["access_token"]).status_code == 200
    assert post(api, "refresh", {"refresh_token": issued["refresh_token"]}).status_code == 200
    change = {"current_password": "wrong", "new_password": OTHER_PASSWORD}
    problem(post(api, "password", change, headers=bearer(issued["access_token"])), 429, "too_many_attempts")


def test_malformed_logins_are_not_counted(api: Api) -> None:
    """What cannot be a guess makes nobody wait."""
    register(api)
    for _ in range(7):
        problem(post(api, "token", {"email": EMAIL, "password": 5}), 422, "invalid_input")
        problem(post(api, "token", {"email": EMAIL}), 422, "invalid_input")
    assert log_in(api).status_code == 200


def test_nobody_is_believed_about_addresses(api: Api) -> None:
    """Unless the settings say so: another X-Forwarded-For is no way around the wait."""
    register(api)
    statuses = [guesses(api, 1, headers=forwarded(f"203.0.113.{number}"))[0] for number in range(6)]
    assert statuses == [401] * 5 + [429]


def test_trusted_proxies_are_believed(make_api: MakeApi) -> None:
    """About the address that the nearest of them saw; what stands further left anybody may have written."""
    api = make_api(trusted_proxies="10.0.0.0/8, 127.0.0.1")
    register(api)
    for address in ("203.0.113.1", "203.0.113.2", "2001:db8::1"):
        assert guesses(api, 6, headers=forwarded(address)) == [401] * 5 + [429]
    for behind in (
        forwarded("203.0.113.1:4711"),
        forwarded("[2001:db8::2]:4711"),
        forwarded("[2001:db8::3]"),
        forwarded("198.51.100.1", "203.0.113.1"),
        forwarded("garbage", "203.0.113.1"),
        forwarded("203.0.113.1", "10.1.2.3"),
        forwarded("::ffff:203.0.113.1"),
        forwarded("2001:db8::2"),  # the same customer's network
    ):
        assert guesses(api, 1, headers=behind) == [429], behind
    assert guesses(api, 6, headers=forwarded("203.0.113.1"), remote_addr="198.51.100.9")[-1] == 429
    assert log_in(api, headers=forwarded("198.51.100.1")).status_code == 200


NONSENSE = [
    "",
    ",",
    "unknown",
    "\x7f",
    "1.2.3.4.5",
    "999.1.1.1",
    "[::g]",
    "1.2.3.4:x",
    "1.2.3.4:123456",
    "[1.2.3.4",
    "[" * 5000,
    "1" * 5000 + ":80",
    "x" * 5000,
    "%",
    ",,,,",
    "\xff",
]


def test_a_proxy_that_says_nonsense_counts_itself(make_api: MakeApi) -> None:
    """Its own address is then what is known."""
    api = make_api(trusted_proxies="127.0.0.1")
    for number, header in enumerate(NONSENSE):
        email = f"nobody-{number}@example.org"
        assert guesses(api, 6, email=email, headers={"X-Forwarded-For": header}) == [401] * 5 + [429], header
        assert guesses(api, 1, email=email) == [429], header


def test_one_address_cannot_try_a_password_on_every_account(make_api: MakeApi) -> None:
    """Its failures count whatever the account; behind a trusted proxy, those of the client's address."""
    api = make_api(trusted_proxies="127.0.0.1")
    register(api)

    def spray(address: str) -> list[int]:
        return [
            log_in(api, f"user-{number}@example.org", "Summer2026!", headers=forwarded(address)).status_code
            for number in range(FAILURES_FROM_ADDRESS.attempts_max + 1)
        ]

    assert spray("203.0.113.1") == [401] * FAILURES_FROM_ADDRESS.attempts_max + [429]
    problem(log_in(api, headers=forwarded("203.0.113.1:99")), 429, "too_many_attempts")
    assert log_in(api, headers=forwarded("203.0.113.2")).status_code == 200


def test_a_login_that_was_too_much_for_the_service_does_not_count(api: Api) -> None:
    """Nobody has to wait because the queue of hashes was full."""
    register(api)
    hasher = api.container.hasher()

    def refuse() -> None:
        raise Overloaded("password hashing")

    hasher.before_verifying = refuse
    for _ in range(LOGINS_FROM_ADDRESS.attempts_max + 1):
        problem(log_in(api), 503, "overloaded")
    hasher.before_verifying = lambda: None
    assert log_in(api).status_code == 200


def test_registering_is_limited_by_address(make_api: MakeApi) -> None:
    """Per hour, as the settings say; malformed ones are not counted, taken emails are."""
    api = make_api(registrations_per_hour="2")
    problem(post(api, "register", {"email": "x", "password": PASSWORD}), 422, "invalid_input")
    register(api)
    problem(post(api, "register", {"email": EMAIL, "password": PASSWORD}), 409, "already_exists")
    answer = post(api, "register", {"email": "eve@example.org", "password": PASSWORD}, headers=forwarded("203.0.113.1"))
    problem(answer, 429, "too_many_attempts")
    assert 1 <= int(answer.headers["retry-after"]) <= 3600
    body = {"email": "eve@example.org", "password": PASSWORD}
    assert post(api, "register", body, remote_addr="198.51.100.1").status_code == 200


def test_a_caller_without_an_address_is_one_caller(make_api: MakeApi) -> None:
    """Over a socket that has none, nothing that is said in a header makes two of it."""
    api = make_api(trusted_proxies="0.0.0.0/0, ::/0")
    for peer in ("", "unix:"):
        statuses = [
            guesses(api, 1, remote_addr=peer, headers=forwarded(f"203.0.113.{number}"))[0] for number in range(6)
        ]
        assert statuses[-1] == 429
