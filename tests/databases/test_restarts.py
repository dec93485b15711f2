"""PostgreSQL has restarted: the connections that workers keep are all dead, and nobody notices."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import psycopg

from tests.databases.pgbouncer import pgbouncer
from tests.faults.database import database
from tests.serving.service import API, SLOTS, Service, serving

CALLS: Final = 40


def calls(service: Service) -> list[int]:
    """The statuses of what several clients ask at once, of both workers and through all their threads."""
    made = service("POST", f"{API}/entities", {"type": "fault", "name": "one"})
    path = f"{API}/entities/{made.data['id']}"
    kinds = (
        lambda: service("GET", path),
        lambda: service("POST", f"{API}/entities", {"type": "fault", "name": "another"}),
        lambda: service("GET", f"{API}/entities?id={made.data['id']}"),
        lambda: service("PATCH", path, {"name": "two"}),
        lambda: service("GET", f"{API}/entities"),
        lambda: service("GET", f"{API}/changes?limit=1"),
        lambda: service("GET", f"{API}/auth/me"),
    )
    with ThreadPoolExecutor(SLOTS) as threads:
        running = [threads.submit(kinds[number % len(kinds)]) for number in range(CALLS)]
        return [made.status, *(call.result().status for call in running)]


def test_who_comes_after_a_restart_does_not_notice_it(tmp_path: Path) -> None:
    """Reads and writes alike; while it is away, 503 with when to come again."""
    with database() as postgres, serving(postgres.url, tmp_path / "run") as service:
        assert {*calls(service)} == {200, 201}
        for _ in range(2):
            postgres.stop()
            away = service("GET", f"{API}/entities")
            assert (away.status, int(away.headers["retry-after"]) > 0) == (503, True)
            postgres.start()
            assert {*calls(service)} == {200, 201}


def test_connections_that_the_server_ends_are_not_missed(tmp_path: Path) -> None:
    """As it ends those that are idle for long, where administrators say so, or firewalls do."""
    with (
        database() as postgres,
        serving(postgres.url, tmp_path / "run") as service,
        psycopg.connect(postgres.url, autocommit=True) as admin,
    ):
        for _ in range(3):
            assert {*calls(service)} == {200, 201}
            admin.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
            )
        assert {*calls(service)} == {200, 201}


def test_a_restart_behind_a_pooler_is_not_noticed(tmp_path: Path) -> None:
    """PgBouncer keeps its clients, and tries again to reach the server after ``server_login_retry``."""
    with (
        database() as postgres,
        pgbouncer(postgres.url, server_login_retry=1) as between,
        serving(between.url, tmp_path / "run") as service,
    ):
        assert {*calls(service)} == {200, 201}
        postgres.stop()
        postgres.start()
        assert {*calls(service)} == {200, 201}
