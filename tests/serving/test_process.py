"""The service as a process: how it starts, refuses to start, tells its state, loses a worker, and stops."""

import os
import pty
import re
import secrets
import select
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import create_engine, inspect

from tests.postgres import fresh_database
from tests.serving.service import (
    API,
    BIN,
    KGL,
    THREADS,
    WITHIN_S,
    WORKERS,
    Service,
    chunk,
    kgl,
    read_answer,
    serving,
    until,
)


def refused(folder: Path, *arguments: str, **environment: str) -> str:
    """What ``kgl serve`` says when it does not start: one line, exit status 1, and nothing else anywhere."""
    folder.mkdir()
    done = subprocess.run(
        [KGL, "serve", "--port", "0", *arguments],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "TMPDIR": str(folder), **environment},
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
    )
    assert (done.returncode, done.stdout, [*folder.iterdir()]) == (1, "", []), done
    assert done.stderr.startswith("Error: ")
    assert done.stderr.count("\n") == 1
    return done.stderr


GOOD = {"JWT_SECRET": secrets.token_hex()}
WEAK = "tiger" * 7


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        pytest.param({}, ["JWT_SECRET: it is missing"], id="no secret"),
        pytest.param({"JWT_SECRET": WEAK[:31]}, ["JWT_SECRET: it has less than 32 bytes"], id="a short secret"),
        pytest.param({"JWT_SECRET": WEAK}, ["JWT_SECRET: it can be guessed"], id="a weak secret"),
        pytest.param({"JWT_ALG": "ES256"}, ["JWT_KEYS: name"], id="no keys"),
        pytest.param({"JWT_ALG": "ES256", "JWT_KEYS": "/nowhere"}, ["/nowhere", "check JWT_KEYS"], id="lost keys"),
        pytest.param(
            {"LOG_LEVEL": "LOUD", "CORS_ORIGINS": "*", "JWT_SECRET": WEAK},
            ["LOG_LEVEL: give one of", "CORS_ORIGINS: give exact origins", "JWT_SECRET: it can be guessed"],
            id="all at once",
        ),
        pytest.param({**GOOD, "DATABASE_URL": "memory://"}, ["set DATABASE_URL"], id="memory"),
        pytest.param({**GOOD, "DATABASE_URL": "sqlite://"}, ["set DATABASE_URL"], id="SQLite in memory"),
        pytest.param({**GOOD, "DATABASE_URL": f"mysql://u:{WEAK}@h/kgl"}, ["kgl has no store"], id="another database"),
        pytest.param({**GOOD, "DATABASE_URL": f"postgresql://u:{WEAK}@:x/d"}, ["cannot be read"], id="a broken URL"),
    ],
)
def test_wrong_settings_stop_it_before_anything_else(
    tmp_path: Path, environment: dict[str, str], expected: list[str]
) -> None:
    """One message names all that is wrong, and repeats no secret."""
    message = refused(tmp_path / "work", **environment)
    for part in expected:
        assert part in message
    assert "tiger" not in message


def begun(folder: Path, redirect: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """``kgl serve`` for development, at an address that nobody can listen on: all before that has been done."""
    return subprocess.run(
        ["/bin/sh", "-c", f"umask 777; exec '{KGL}' serve --host no.invalid {redirect}"],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "KGL_ENV": "development", **environment},
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
    )


def test_a_secret_for_development_is_for_its_owner_alone(tmp_path: Path) -> None:
    """Whatever the umask; what others could get at is told of, with what to run; and a weak one is named."""
    folder, file = tmp_path / ".kgl", tmp_path / ".kgl" / "jwt_secret"
    assert "Warning" not in begun(tmp_path).stderr
    assert (folder.stat().st_mode & 0o777, file.stat().st_mode & 0o777) == (0o700, 0o600)
    folder.chmod(0o755)
    assert begun(tmp_path).stderr.count("chmod go= .kgl\n") == 1
    file.write_text("short")
    assert ".kgl/jwt_secret: it has less than 32 bytes" in begun(tmp_path).stderr
    told = begun(tmp_path, LOG_LEVEL="infos").stderr
    assert "LOG_LEVEL: give one of" in told
    assert "JWT_SECRET" not in told


def test_a_secret_that_cannot_be_kept_is_named(tmp_path: Path) -> None:
    """With the way out, and without a traceback."""
    (tmp_path / ".kgl").write_text("in the way")
    told = begun(tmp_path).stderr
    assert told.startswith("Error: .kgl/jwt_secret: ")
    assert "set JWT_SECRET" in told
    assert told.count("\n") == 1


def test_a_closed_output_does_not_stop_it(tmp_path: Path) -> None:
    """The log can't be written; that decides nothing."""
    told = begun(tmp_path, ">&-").stderr
    assert "cannot listen on no.invalid" in told


def test_an_address_that_is_taken_is_named(tmp_path: Path) -> None:
    """At once, in one line, and not by five tries."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        message = refused(tmp_path / "work", "--port", port, **GOOD)
    assert f"cannot listen on 127.0.0.1, port {port}: Address already in use" in message
    assert "--port" in message
    assert "Name or service" in refused(tmp_path / "b", "--host", "no.invalid", **GOOD)


@pytest.mark.parametrize("store", ["sqlite", "postgres"])
def test_it_waits_for_a_database_that_somebody_else_migrates(
    request: pytest.FixtureRequest, tmp_path: Path, store: str
) -> None:
    """It starts, says what is missing, makes no table, and is ready as soon as the database is."""
    if store == "sqlite":
        becomes_ready(f"sqlite:///{tmp_path / 'graph.db'}", tmp_path)
        return
    with fresh_database(request.getfixturevalue("postgres_server")) as url:
        becomes_ready(url, tmp_path)


def becomes_ready(url: str, folder: Path) -> None:
    """The test above, on the database of that URL."""
    with serving(url, folder / "run") as service:
        service._token = "none"  # there is no table of accounts
        found = service("GET", "/health/ready")
        assert (found.status, found.json["status"]) == (503, "not_ready")
        parts = {name: check["status"] for name, check in found.json["checks"].items()}
        assert parts == {"database": "ok", "schema": "failed", "signing_key": "ok"}
        assert "kgl migrate" in found.json["checks"]["schema"]["detail"]
        assert service("GET", "/health").json == {"status": "healthy"}
        login = service("POST", f"{API}/auth/token", {"email": "a@example.org", "password": "correct horse"})
        assert (login.status, login.json["code"]) == (503, "migration_needed")
        assert until(lambda: service.lines("Not ready"))[0]["part"] == "schema"
        engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
        assert inspect(engine).get_table_names() == []
        engine.dispose()
        kgl(service, "migrate")
        assert service("GET", "/health/ready").status == 200
        service._token = None
        assert service("GET", f"{API}/auth/me").status == 200


def test_a_database_that_cannot_be_reached_stops_nothing_else(tmp_path: Path) -> None:
    """It starts without one, is alive but not ready, and does not tell strangers where the database would be."""
    with serving("postgresql://kgl@127.0.0.1:1/kgl", tmp_path / "run") as service:
        service._token = "none"
        assert service("GET", "/health").status == 200
        found = service("GET", "/health/ready")
        assert (found.status, found.json["checks"]["database"]["status"]) == (503, "failed")
        assert b"127.0.0.1" not in found.body


def test_a_database_that_others_can_read_is_told_of_once(sqlite_url: str, tmp_path: Path) -> None:
    """As the service starts, and not by each worker or request."""
    (tmp_path / "graph.db").chmod(0o640)
    with serving(sqlite_url, tmp_path / "run") as service:
        assert service("GET", f"{API}/entities").status == 200
        [told] = [line["message"] for line in service.lines() if line["level"] == "WARNING"]
        assert f"run chmod 600 {tmp_path / 'graph.db'}" in told


def test_requests_under_way_are_finished_when_it_stops(sqlite_url: str, tmp_path: Path) -> None:
    """After SIGTERM nobody else is let in, and who is in gets an answer."""
    line = b'{"kind":"entity","key":"k","type":"t","name":"n"}\n'
    with serving(sqlite_url, tmp_path / "run") as service, service.socket() as connection:
        head = service.head("POST", f"{API}/import", "Content-Type: application/x-ndjson", "Transfer-Encoding: chunked")
        connection.sendall(head + chunk(line[:20]))
        until(lambda: b"kgl_http_requests_in_flight 2.0" in service("GET", "/metrics").body)
        address = ("127.0.0.1", service.port)
        service.process.send_signal(signal.SIGTERM)
        until(lambda: not accepts(address))
        connection.sendall(chunk(line[20:]) + chunk(b""))
        found = read_answer(connection)
        assert (found.status, found.body.count(b'"created":1')) == (200, 1)
        assert service.process.wait(WITHIN_S) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_waits_for_changes_end_when_it_stops(sqlite_url: str, tmp_path: Path, number: signal.Signals) -> None:
    """With an answer, long before the time that was asked for."""
    with serving(sqlite_url, tmp_path / "run") as service, ExitStack() as stack:
        # One: of two, the same worker might get both, and one caller has no more than half of its places.
        waiting = [stack.enter_context(service.socket())]
        for connection in waiting:
            connection.sendall(service.head("GET", f"{API}/changes?wait=30"))
        until(lambda: f"kgl_http_requests_in_flight {len(waiting) + 1}.0".encode() in service("GET", "/metrics").body)
        service.process.send_signal(number)
        for connection in waiting:
            found = read_answer(connection)
            assert (found.status, found.data) == (200, [])
        assert service.process.wait(WITHIN_S) == 0


def test_workers_end_in_order_when_their_parent_is_killed(sqlite_url: str, tmp_path: Path) -> None:
    """Whoever waits gets an answer, long before the time that was asked for, and no process is left."""
    service = Service(sqlite_url, tmp_path / "run")
    with service.socket() as connection:
        connection.sendall(service.head("GET", f"{API}/changes?wait=30"))
        until(lambda: b"kgl_http_requests_in_flight 2.0" in service("GET", "/metrics").body)
        workers = service.workers()
        service.process.kill()
        service.process.wait()
        assert read_answer(connection).status == 200
    until(lambda: not any(Path(f"/proc/{worker}").exists() for worker in workers))


def test_it_stops_as_the_first_process_of_a_container(sqlite_url: str, tmp_path: Path) -> None:
    """For which the kernel ignores every signal that it has no handler for: there is one for each that stops it."""
    namespace = ("unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child")
    is_allowed = subprocess.run([*namespace, "true"], capture_output=True).returncode == 0
    command = (*namespace, KGL) if is_allowed else (KGL,)  # a container may forbid another one within
    with serving(sqlite_url, tmp_path / "run", command=command) as service:
        service._token = "none"
        assert service("GET", "/health").status == 200
        process = next(iter(service.workers())) if is_allowed else service.process.pid
        status = Path(f"/proc/{process}/status").read_text()
        caught = int(status.partition("SigCgt:")[2].split()[0], 16)
        assert all(caught >> (number - 1) & 1 for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT))
        os.kill(process, signal.SIGTERM)
        assert service.process.wait(WITHIN_S) == 0


def test_a_second_interrupt_waits_for_nobody(sqlite_url: str, tmp_path: Path) -> None:
    """Ctrl-C finishes what is under way, and Ctrl-C again does not."""
    with serving(sqlite_url, tmp_path / "run") as service, service.socket() as connection:
        connection.sendall(
            service.head("POST", f"{API}/entities", "Content-Type: application/json", "Content-Length: 9")
        )
        until(lambda: b"kgl_http_requests_in_flight 2.0" in service("GET", "/metrics").body)
        service.process.send_signal(signal.SIGINT)
        until(lambda: not accepts(("127.0.0.1", service.port)))
        assert service.process.poll() is None
        service.process.send_signal(signal.SIGINT)
        assert service.process.wait(WITHIN_S) == 0
        # gunicorn may still see that its worker had to be killed.
        service.expected_errors = sum("SIGKILL" in line["message"] for line in service.lines())


def test_one_worker_that_stops_leaves_the_door_open(sqlite_url: str, tmp_path: Path) -> None:
    """New connections are served by the others."""
    with serving(sqlite_url, tmp_path / "run") as service:
        service._token = "none"
        until(lambda: len(service.workers()) == WORKERS)
        stopped = max(service.workers())
        # A process that was forked just now has not set its signals yet. It has threads once it has.
        until(lambda: len([*Path(f"/proc/{stopped}/task").iterdir()]) > 1)
        os.kill(stopped, signal.SIGTERM)
        while stopped in service.workers():
            assert service("GET", "/health").status == 200
        assert service("GET", "/health").status == 200


def accepts(address: tuple[str, int]) -> bool:
    """Whether somebody listens there."""
    try:
        socket.create_connection(address, WITHIN_S).close()
    except ConnectionRefusedError:
        return False
    return True


IMPATIENT = "from kgl_http.server import worker; worker.CLIENT_IDLE_S = 1; from kgl_http.cli.main import main; main()"


def test_clients_that_stop_half_way_lose_their_threads(sqlite_url: str, tmp_path: Path) -> None:
    """Within the headers or the body, and more of them than threads: all are let go, and the next one is served."""
    with serving(sqlite_url, tmp_path / "run", command=(str(BIN / "python"), "-c", IMPATIENT)) as service:
        service._token = "none"
        begun = [
            b"GET /health HTTP/1.1\r\nHost: k",
            service.head("POST", f"{API}/auth/token", "Content-Type: application/json", "Content-Length: 99") + b"{",
        ]
        with ExitStack() as stack:
            for number in range(3 * WORKERS * THREADS):
                stack.enter_context(service.socket()).sendall(begun[number % 2])
            until(lambda: service("GET", "/health").status == 200)
            until(lambda: service.lines("Closed the connection of a client that paused for too long"))


def test_metrics_are_those_of_all_workers(sqlite_url: str, tmp_path: Path) -> None:
    """Each worker counts for itself, the page sums; a worker that is killed is replaced, and what it counted stays."""
    with serving(sqlite_url, tmp_path / "run") as service:
        service._token = "none"
        connections = [service.connect() for _ in range(16)]
        for connection in connections:
            connection.request("GET", "/health")
        for connection in connections:
            assert connection.getresponse().read() == b'{"status":"healthy"}'
        until(lambda: answered(service) == 16)
        until(lambda: len(service.workers()) == WORKERS)
        before = service.workers()
        os.kill(min(before), signal.SIGKILL)
        until(lambda: len(service.workers()) == WORKERS and min(before) not in service.workers())
        assert answered(service) == 16
        os.kill(max(before), signal.SIGTERM)
        until(lambda: len(service.workers()) == WORKERS and max(before) not in service.workers())
        assert answered(service) == 16
        assert service("GET", "/health").status == 200
        until(lambda: answered(service) == 17)
        # The one that asks; another worker says within a second or so that it has none.
        until(lambda: sample(service, "kgl_http_requests_in_flight", {}) == 1)
        for connection in connections:
            connection.close()
        # gunicorn tells of the kill as an error, and rightly.
        [error] = [line for line in service.lines() if line["level"] == "ERROR"]
        assert "SIGKILL" in error["message"]
        service.expected_errors = 1


def answered(service: Service) -> float:
    """How many requests to /health were counted."""
    labels = {"method": "GET", "route": "/health", "status": "200"}
    return sample(service, "kgl_http_requests_total", labels)


def sample(service: Service, name: str, labels: dict[str, str]) -> float:
    """One value of the metrics; 0 as long as nothing was counted."""
    families = text_string_to_metric_families(service("GET", "/metrics").body.decode())
    samples = [found for family in families for found in family.samples]
    return float(sum(found.value for found in samples if (found.name, found.labels) == (name, labels)))


def changes(service: Service) -> Iterator[dict[str, Any]]:
    """All changes that there are."""
    after = ""
    while True:
        page = service("GET", f"{API}/changes?limit=200{after}").json
        yield from page["data"]
        if not page["data"]:
            return
        after = f"&after={page['meta']['next_cursor']}"


def test_writes_and_logins_are_counted(service: Service) -> None:
    """What is committed and who logs in, whichever worker served it."""
    created = {"kind": "entity", "action": "created"}
    for _ in range(3):
        assert service("POST", f"{API}/entities", {"type": "t", "name": "counted"}).status == 201
    assert service("POST", f"{API}/entities", {"type": "t", "name": ""}).status == 422
    wanted = len([each for each in changes(service) if (each["kind"], each["action"]) == ("entity", "created")])
    until(lambda: sample(service, "kgl_records_changed_total", created) == wanted)
    wrong = service("POST", f"{API}/auth/token", {"email": "nobody@example.org", "password": "wrong horse battery"})
    assert wrong.status == 401
    assert sample(service, "kgl_logins_total", {"outcome": "refused"}) >= 1
    assert sample(service, "kgl_database_connections_in_use", {}) <= WORKERS * THREADS


def test_a_developer_reads_logs_on_a_terminal(tmp_path: Path) -> None:
    """Not as JSON; a secret is made and kept for its owner alone, and Ctrl-C ends it."""
    master, slave = pty.openpty()
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "KGL_ENV": "development",
        "TERM": "dumb",
        "DATABASE_URL": f"sqlite:///{tmp_path / 'graph.db'}",
    }
    process = subprocess.Popen(
        [KGL, "serve", "--port", "0", "--workers", "1"],
        umask=0,
        cwd=tmp_path,
        env=environment,
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
    )
    os.close(slave)
    seen = b""
    try:
        while b"Not ready" not in seen:
            assert select.select([master], [], [], WITHIN_S)[0], seen
            seen += os.read(master, 4096)
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(WITHIN_S) == 0
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        os.close(master)
    assert re.search(rb"Listening .*http://127.0.0.1:\d+", seen), seen
    assert b'{"' not in seen
    assert b"Traceback" not in seen
    secret = tmp_path / ".kgl" / "jwt_secret"
    assert secret.parent.stat().st_mode & 0o777 == 0o700
    assert secret.stat().st_mode & 0o777 == 0o600
    assert secret.read_bytes() not in seen


def test_another_wsgi_server_can_serve_it(sqlite_url: str, tmp_path: Path) -> None:
    """`make_application` reads the environment, and ends what it began with the process."""
    serve_one = (
        "import sys; from wsgiref.simple_server import make_server; from kgl_http.wsgi import make_application\n"
        "server = make_server('127.0.0.1', 0, make_application())\n"
        "print(server.server_port, file=sys.stderr, flush=True)\n"
        "server.handle_request(); server.server_close()"
    )
    environment = {"PATH": os.environ["PATH"], "DATABASE_URL": sqlite_url, **GOOD}
    with subprocess.Popen(
        [BIN / "python", "-c", serve_one], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path
    ) as process:
        assert process.stderr is not None
        with socket.create_connection(("127.0.0.1", int(process.stderr.readline())), WITHIN_S) as connection:
            connection.sendall(b"GET /health/ready HTTP/1.0\r\nHost: kgl\r\n\r\n")
            assert read_answer(connection).json["status"] == "ready"
        out, _ = process.communicate(timeout=WITHIN_S)
    assert process.returncode == 0
    assert b'"message":"Request answered"' in out
    missing = subprocess.run(
        [BIN / "python", "-c", "from kgl_http.wsgi import make_application; make_application()"],
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
    )
    assert missing.returncode == 1
    assert b"JWT_SECRET: it is missing" in missing.stderr


def test_under_another_wsgi_server_what_was_counted_is_shown_without_being_asked(
    sqlite_url: str, tmp_path: Path
) -> None:
    """Each of its processes writes to the folder that they share, whichever of them is scraped."""
    serve_one_and_wait = (
        "import sys; from wsgiref.simple_server import make_server; from kgl_http.wsgi import make_application\n"
        "server = make_server('127.0.0.1', 0, make_application())\n"
        "print(server.server_port, file=sys.stderr, flush=True)\n"
        "server.handle_request(); sys.stdin.read(); server.server_close()"
    )
    folder = tmp_path / "metrics"
    folder.mkdir()
    environment = {"PATH": os.environ["PATH"], "DATABASE_URL": sqlite_url, "PROMETHEUS_MULTIPROC_DIR": str(folder)}
    with subprocess.Popen(
        [BIN / "python", "-c", serve_one_and_wait],
        env={**environment, **GOOD},
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
    ) as process:
        assert process.stderr is not None
        with socket.create_connection(("127.0.0.1", int(process.stderr.readline())), WITHIN_S) as connection:
            connection.sendall(b"GET /health HTTP/1.0\r\nHost: kgl\r\n\r\n")
            assert read_answer(connection).status == 200

        def counted() -> float | None:
            registry = CollectorRegistry()
            MultiProcessCollector(registry, str(folder))  # type: ignore[no-untyped-call]
            labels = {"method": "GET", "route": "/health", "status": "200"}
            return registry.get_sample_value("kgl_http_requests_total", labels)

        until(lambda: counted() == 1)
        process.communicate(timeout=WITHIN_S)
    assert process.returncode == 0
