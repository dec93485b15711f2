"""``/health`` and ``/health/ready``: whether the process answers, and whether it can serve."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from falcon import testing

from kgl_adapters import connect
from kgl_core.kernel.errors import InvalidToken
from kgl_core.kernel.store_errors import StoreUnavailable
from kgl_http.server import readiness
from tests.http.conftest import NOBODY, Api, MakeApi, making_apis
from tests.postgres import fresh_database

READY = "/health/ready"


@pytest.fixture
def make_elsewhere() -> Iterator[MakeApi]:
    """Makes the application over databases of the test's own."""
    with making_apis("memory://") as make:
        yield make


def checks(answer: testing.Result, *failed: str) -> dict[str, Any]:
    """The parts that an answer tells of, of which just these must have failed."""
    assert answer.headers["cache-control"] == "no-store"
    assert answer.status_code == (503 if failed else 200)
    assert answer.json["status"] == ("not_ready" if failed else "ready")
    found: dict[str, Any] = answer.json["checks"]
    assert sorted(found) == ["database", "schema", "signing_key"]
    assert [name for name, part in found.items() if part["status"] == "failed"] == list(failed)
    assert all(bool(part["detail"]) == (part["status"] == "failed") for part in found.values())
    assert answer.headers.get("retry-after") == ("5" if failed else None)
    return found


def test_a_process_that_answers_is_healthy(api: Api) -> None:
    """Whoever asks, and whatever the database does: an orchestrator restarts what does not answer here."""
    answer = api("GET", "/health", by=NOBODY)
    assert (answer.status_code, answer.content) == (200, b'{"status":"healthy"}')
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    head = api("HEAD", "/health", by=NOBODY)
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", "20")


def test_a_service_whose_parts_are_in_order_is_ready(api: Api) -> None:
    """Database, schema and signing key, for everybody to see."""
    checks(api("GET", READY, by=NOBODY))
    assert api("HEAD", READY, by=NOBODY).status_code == 200


def test_a_database_that_is_gone_is_named(make_elsewhere: MakeApi) -> None:
    """Without its address: that is for the log. The process stays healthy."""
    api = make_elsewhere(database_url="postgresql://kgl:hunter22@127.0.0.1:1/nothing")
    answer = api("GET", READY, by=NOBODY)
    found = checks(answer, "database", "schema")
    assert "cannot be reached" in found["database"]["detail"]
    assert not any(word in answer.text for word in ("127.0.0.1", "hunter22", "kgl@", "nothing"))
    assert api("GET", "/health", by=NOBODY).status_code == 200


def test_a_database_that_is_not_migrated_is_named_until_it_is(make_elsewhere: MakeApi, tmp_path: Path) -> None:
    """The migration makes the running service ready, without a restart."""
    url = f"sqlite:///{tmp_path / 'graph.db'}"
    api = make_elsewhere(database_url=url)
    found = checks(api("GET", READY, by=NOBODY), "schema")
    assert "kgl migrate" in found["schema"]["detail"]
    connect(url, migrate=True).close()
    checks(api("GET", READY, by=NOBODY))


def test_so_is_one_on_postgres(make_elsewhere: MakeApi, postgres_server: str) -> None:
    """As on SQLite."""
    with fresh_database(postgres_server) as url:
        api = make_elsewhere(database_url=url)
        checks(api("GET", READY, by=NOBODY), "schema")
        connect(url, migrate=True).close()
        checks(api("GET", READY, by=NOBODY))
        api.container.engine().dispose()


def test_a_database_that_hangs_is_not_waited_for(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a second the answer says so; while one check hangs no other is started, so that no threads pile up."""
    assert readiness.DATABASE_MAX_S == 1
    monkeypatch.setattr(readiness, "DATABASE_MAX_S", 0.001)
    answers = threading.Event()
    asked: list[None] = []

    def hang() -> None:
        asked.append(None)
        answers.wait()

    monkeypatch.setattr(api.container.readiness(), "_require_head", hang)
    try:
        for _ in range(3):
            found = checks(api("GET", READY, by=NOBODY), "database", "schema")
            assert "did not answer within" in found["database"]["detail"]
        assert len(asked) == 1
    finally:
        answers.set()
    monkeypatch.setattr(readiness, "DATABASE_MAX_S", 60)
    checks(api("GET", READY, by=NOBODY))


def test_a_check_that_fails_once_does_not_fail_for_good(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every request looks again."""
    looks = api.container.readiness()._require_head

    def fail() -> None:
        raise StoreUnavailable("no route to db.internal")

    monkeypatch.setattr(api.container.readiness(), "_require_head", fail)
    assert "db.internal" not in str(checks(api("GET", READY, by=NOBODY), "database", "schema"))
    monkeypatch.setattr(api.container.readiness(), "_require_head", looks)
    checks(api("GET", READY, by=NOBODY))


def test_a_check_that_breaks_is_a_failed_check(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also what nobody thought of keeps the service from getting requests, and says nothing that is secret."""

    def fail() -> None:
        raise ZeroDivisionError("hunter22")

    monkeypatch.setattr(api.container.readiness(), "_require_head", fail)
    answer = api("GET", READY, by=NOBODY)
    checks(answer, "database", "schema")
    assert "hunter22" not in answer.text


def test_a_key_that_does_not_sign_is_named(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token that is signed has to come back as it was."""

    class Broken:
        def sign(self, claims: object) -> str:
            return "token"

        def verify(self, token: str, now: object) -> object:
            if is_refused:
                raise InvalidToken("its signature is wrong")
            return None

    for is_refused in (True, False):  # noqa: B007  # the signer sees it
        monkeypatch.setattr(api.container.readiness(), "_signer", Broken())
        checks(api("GET", READY, by=NOBODY), "signing_key")


def test_the_public_keys_can_be_cached(api: Api) -> None:
    """Under HS256 there are none (RFC 7517, section 5), for anybody."""
    answer = api("GET", "/.well-known/jwks.json", by=NOBODY)
    assert (answer.status_code, answer.json) == (200, {"keys": []})
    assert answer.headers["cache-control"] == "public, max-age=300"
