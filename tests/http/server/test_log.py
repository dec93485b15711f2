"""The log: one JSON object a line, with the same keys on every line, and nothing in it that is secret."""

import json
import logging
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import structlog
from sqlalchemy import text

from kgl_core.kernel.errors import TransactionConflict
from kgl_core.storage.idempotent_store import HeldStore
from kgl_http.api import error_handlers
from kgl_http.server import log, readiness
from tests.http.conftest import NOBODY, PASSWORD, Api, MakeApi, making_apis

ENTITIES = "/api/v1/entities"
KEYS = ["timestamp", "level", "module_id", "user_id", "client_id", "request_id", "message", "logger"]
REQUEST_KEYS = [*KEYS, "method", "path", "status", "duration_ms"]

Lines = Callable[[], list[dict[str, Any]]]
Configure = Callable[..., Lines]


@pytest.fixture
def configured(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Configure]:
    """Configures the log as the service does; then gives the lines that were logged since they were last given."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    original = structlog.configure
    for module in (sys, threading):
        monkeypatch.setattr(module, "excepthook", module.excepthook)  # put back when the test ends
    # A logger that remembers its output would write to that of a test which has ended.
    monkeypatch.setattr(structlog, "configure", lambda **how: original(**{**how, "cache_logger_on_first_use": False}))
    for module in (error_handlers, readiness):
        module._log.__dict__.pop("bind", None)

    def configure(level: str = "INFO", **how: Any) -> Lines:
        log.configure(level=level, module_id="lab", **how)
        capsys.readouterr()
        return lambda: [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    yield configure
    logging.captureWarnings(False)
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def make_api() -> Iterator[MakeApi]:
    """The same on every store."""
    with making_apis("memory://") as make:
        yield make


def test_every_request_is_one_line(configured: Configure, api: Api) -> None:
    """Whatever comes of it; the route is a template, so that no id and no query is in it."""
    account = api.account("eve")
    api.token("eve")
    lines = configured()
    for method, path, by, status in (
        ("GET", ENTITIES, "eve", 200),
        ("GET", f"{ENTITIES}/hunter22", "eve", 400),
        ("POST", ENTITIES, "eve", 415),
        ("GET", ENTITIES, NOBODY, 401),
        ("GET", "/hunter22", NOBODY, 404),
        ("HEAD", "/health", NOBODY, 200),
        ("OPTIONS", ENTITIES, NOBODY, 200),
    ):
        answer = api(
            method,
            path,
            by=by,
            headers={"X-Request-ID": "the-request"},
            params={"password": "hunter22"} if status == 400 else None,
        )
        [line] = lines()
        assert list(line) == REQUEST_KEYS
        assert (line["method"], line["status"], answer.status_code) == (method, status, status)
        assert (line["request_id"], line["module_id"], line["level"]) == ("the-request", "lab", "INFO")
        assert line["user_id"] == (str(account.id) if by == "eve" and status != 401 else None)
        assert (line["message"], line["logger"]) == ("Request answered", "kgl_http.requests")
        assert line["path"] == {"/hunter22": None, f"{ENTITIES}/hunter22": f"{ENTITIES}/{{id}}"}.get(path, path)
        assert line["duration_ms"] >= 0
        assert datetime.fromisoformat(line["timestamp"]).utcoffset() is not None
        assert "hunter22" not in json.dumps(line)


def test_a_retry_is_one_line(configured: Configure, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the request that it belongs to, and without what was sent; the client sees nothing of it."""
    api.token("user")
    lines = configured()
    begin, conflicts = HeldStore.begin, iter((TransactionConflict(),))

    def conflict_once(store: HeldStore, **how: bool) -> Any:
        for error in conflicts:
            raise error
        return begin(store, **how)

    monkeypatch.setattr(HeldStore, "begin", conflict_once)
    answer = api("POST", ENTITIES, json={"type": "person", "name": "hunter22"}, by="user")
    assert answer.status_code == 201
    retry, request = lines()
    assert list(retry) == KEYS
    told = "Transaction conflict: it runs again after 1 of 4 tries"
    assert (retry["level"], retry["message"], retry["logger"]) == ("INFO", told, "kgl_adapters.retrying")
    assert retry["request_id"] == request["request_id"] == answer.json["meta"]["request_id"]
    assert "hunter22" not in json.dumps(retry)


def test_a_trace_context_is_logged_if_it_is_one(configured: Configure, api: Api) -> None:
    """As W3C's trace context has it; anything else is left out."""
    lines = configured()
    good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    bad = (
        "",
        "x",
        good.upper(),
        f"ff{good[2:]}",
        good.replace("4bf92f3577b34da6a3ce929d0e0e4736", "0" * 32),
        good + "-",
    )
    api("GET", "/health", by=NOBODY, headers={"traceparent": good})
    [line] = lines()
    assert list(line) == [*REQUEST_KEYS, "traceparent"]
    assert line["traceparent"] == good
    for traceparent in bad:
        api("GET", "/health", by=NOBODY, headers={"traceparent": traceparent})
        [line] = lines()
        assert list(line) == REQUEST_KEYS


def test_every_library_logs_in_the_same_form(configured: Configure, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines of the standard library's loggers have the same keys, and those of a request its id and caller."""
    user_id = str(api.account("eve").id)
    api.token("eve")

    def tell(*_: object, **__: object) -> None:
        logging.getLogger("sqlalchemy.pool").warning("pool is\nat %d %%", 80)
        raise ZeroDivisionError

    lines = configured()
    logging.getLogger("gunicorn.error").info("Booting worker: %s", 7)
    logging.getLogger("sqlalchemy.engine").debug("below the level")
    structlog.get_logger("kgl_http.server.serving").info("Listening", address="::1")
    booting, listening = lines()
    assert list(booting) == KEYS
    assert (booting["message"], booting["logger"], booting["level"]) == ("Booting worker: 7", "gunicorn.error", "INFO")
    assert (booting["request_id"], booting["user_id"], booting["module_id"]) == (None, None, "lab")
    assert list(listening) == [*KEYS, "address"]

    monkeypatch.setattr("kgl_core.graph.editing_entities.Entities.list_json", tell)
    answer = api("GET", ENTITIES, by="eve")
    told, failed, request = lines()
    assert list(told) == KEYS
    assert (told["message"], told["logger"], told["level"]) == ("pool is\nat 80 %", "sqlalchemy.pool", "WARNING")
    for line in (told, failed, request):
        assert (line["request_id"], line["user_id"]) == (answer.headers["x-request-id"], user_id)
    logging.getLogger("gunicorn.error").info("after the request")
    assert lines()[0]["request_id"] is None


def test_an_exception_is_on_the_line_that_tells_of_it(
    configured: Configure, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its traceback and its causes, ours and others'; no line is anything but one JSON object."""

    def fail(*_: object, **__: object) -> None:
        try:
            raise KeyError("cause")
        except KeyError as cause:
            raise ValueError("first\nsecond") from cause

    monkeypatch.setattr("kgl_core.graph.editing_entities.Entities.list_json", fail)
    api.token("admin")
    lines = configured()
    api("GET", ENTITIES)
    failed, request = lines()
    assert list(failed) == [*KEYS, "exception"]
    assert (failed["level"], failed["logger"], request["status"]) == ("ERROR", "kgl_http.api.problems", 500)
    for part in ("Traceback", "KeyError: 'cause'", "ValueError: first\nsecond"):
        assert part in failed["exception"]
    try:
        fail()
    except ValueError:
        logging.getLogger("gunicorn.error").exception("Socket error")
    [line] = lines()
    assert list(line) == [*KEYS, "exception"]
    assert "ValueError: first\nsecond" in line["exception"]


@pytest.mark.parametrize("is_readable", [False, True])
def test_rows_that_postgresql_quotes_are_not_logged(
    configured: Configure,
    api: Api,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    is_readable: bool,
) -> None:
    """The driver's message ends with the row that breaks a constraint, and an account's row holds its hash."""

    def fail(*_: object, **__: object) -> None:
        message = "new row violates x\nDETAIL:  Failing row contains (ada@example.org, $argon2id$).\nHINT:  none"
        raise ValueError(message)

    monkeypatch.setattr("kgl_core.graph.editing_entities.Entities.list_json", fail)
    api.token("admin")
    configured(is_readable=is_readable)
    api("GET", ENTITIES)
    shown = capsys.readouterr().out
    assert "new row violates x" in shown
    assert "HINT:  none" in shown
    assert "ada@example.org" not in shown
    assert "argon2id" not in shown


def test_what_is_below_the_level_is_not_logged(configured: Configure, api: Api) -> None:
    """For our loggers and others' alike."""
    lines = configured("ERROR")
    api("GET", "/health", by=NOBODY)
    logging.getLogger("gunicorn.error").warning("x")
    assert lines() == []
    logging.getLogger("gunicorn.error").error("x")
    assert len(lines()) == 1


def test_a_developer_reads_text_without_local_variables(
    configured: Configure, api: Api, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A traceback says where; the variables there hold passwords."""

    def fail(self: object, *, email: str, password: str, address: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("kgl_core.access.logging_in.Auth.log_in", fail)
    configured(is_readable=True)
    body = {"email": "eve@example.org", "password": PASSWORD}
    assert api("POST", "/api/v1/auth/token", by=NOBODY, json=body).status_code == 500
    logging.getLogger("gunicorn.error").info("Booting")
    shown = capsys.readouterr().out
    for part in ("Request answered", "ZeroDivisionError", "Booting"):
        assert part in shown
    assert PASSWORD not in shown
    assert "eve@example.org" not in shown


def test_no_line_ever_holds_a_secret(
    configured: Configure, make_api: MakeApi, sqlite_template: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Through all of authentication, also where it goes wrong in every way, nothing of it is in the log."""
    file = shutil.copy(sqlite_template, tmp_path / "graph.db")
    secret = "Zm9yIHRlc3RzIG9ubHksIDQ4IGNoYXJhY3RlcnMgbG9uZy4"
    api = make_api(database_url=f"sqlite:///{file}", jwt_secret=secret)
    configured("DEBUG")
    email, new = "ada.lovelace@example.org", "another horse battery"
    hidden = {secret, email, "ada.lovelace", PASSWORD, new, "hunter22", "argon2"}

    def post(path: str, body: object, status: int, **more: Any) -> Any:
        answer = api("POST", f"/api/v1/auth/{path}", **{"by": NOBODY, **more}, json=body)
        assert answer.status_code == status, answer.text
        issued = answer.json if status in (200, 201) else {}
        hidden.update(issued[name] for name in ("access_token", "refresh_token") if name in issued)
        return issued

    post("register", {"email": email, "password": PASSWORD}, 200)
    post("register", {"email": email, "password": PASSWORD}, 409)
    post("register", {"email": PASSWORD, "password": "hunter22", "passwort": "hunter22"}, 422)
    post("token", {"email": email, "password": "hunter22"}, 401)
    post("token", {"email": PASSWORD, "password": "hunter22"}, 401)
    post("token", {"email": email, "password": [PASSWORD]}, 422)
    issued = post("token", {"email": email, "password": PASSWORD}, 200)
    bearer = {"headers": {"Authorization": f"Bearer {issued['access_token']}"}}
    assert api("GET", "/api/v1/auth/me", by=NOBODY, **bearer).status_code == 200
    broken = {"Authorization": f"Bearer {issued['access_token']}x"}
    assert api("GET", "/api/v1/auth/me", by=NOBODY, headers=broken).status_code == 401
    assert api("GET", "/api/v1/auth/me", by=NOBODY, params={"access_token": "hunter22"}).status_code == 401
    renewed = post("refresh", {"refresh_token": issued["refresh_token"]}, 200)
    post("refresh", {"refresh_token": renewed["refresh_token"]}, 200)
    post("refresh", {"refresh_token": issued["refresh_token"]}, 401)
    post("refresh", {"refresh_token": "hunter22"}, 401)
    post("password", {"current_password": "hunter22", "new_password": new}, 422, **bearer)
    post("password", {"current_password": PASSWORD, "new_password": new}, 200, **bearer)
    post("logout", {"refresh_token": renewed["refresh_token"]}, 204)
    for _ in range(5):
        api("POST", "/api/v1/auth/token", by=NOBODY, json={"email": email, "password": "hunter22"})
    post("token", {"email": email, "password": new}, 429)

    api.account("eve")
    # A database that fails tells what it was asked for, and it was asked for secrets.
    for table, column in (("refresh_tokens", "family"), ("throttle_counters", "count"), ("users", "first_name")):
        with api.container.engine().begin() as connection:
            connection.execute(text(f"ALTER TABLE {table} RENAME COLUMN {column} TO lost"))
        post("token", {"email": "eve@example.org", "password": PASSWORD}, 500)
    post("register", {"email": "users@example.org", "password": PASSWORD}, 500)
    post("refresh", {"refresh_token": renewed["refresh_token"]}, 503)
    hidden.update({"eve@example.org", "users@example.org"})

    shown = capsys.readouterr()
    assert shown.out.count("Request answered") > 25
    assert shown.out.count("Unexpected error") == 4
    for word in hidden:
        assert word not in shown.out + shown.err
