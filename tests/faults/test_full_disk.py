"""A disk that is full, and has space again."""

import secrets
import shutil
import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Final

import pytest

from kgl_adapters import connect
from tests.faults.database import database
from tests.faults.disk import full, no_space_for_changes, small_disk, small_files
from tests.faults.load import CLIENTS, Attempt, Ledger, check_kept, load, rounds
from tests.postgres import fresh_database
from tests.serving.service import API, Service, serving, until

REFUSALS: Final = 3 * CLIENTS
FEW: Final = 5
"""How often with ``-m soak``: a disk that was full once is as full the next time."""


def write_through(service: Service, name: str, no_space: Callable[[], AbstractContextManager[None]]) -> list[Attempt]:
    """All attempts to write before, while and after there is no space: 507 meanwhile, and whoever reads is served."""
    with load(service, name) as ledger:
        ledger.wait_for(201, CLIENTS)
        with no_space():
            ledger.wait_for(507, REFUSALS)
            assert service("GET", f"{API}/entities?limit=1").status == 200
            assert service("GET", "/health/ready").status == 200
        ledger.wait_for(201, CLIENTS, len(ledger.attempts))
    check_told(ledger, {201, 507})
    return ledger.attempts


def one_after_another(count: int, url: str, folder: Path, **environment: str) -> Iterator[Service]:
    """That many services, each after the last has ended: SQLite empties its log when it is closed."""
    secret, token = secrets.token_urlsafe(48), None
    for number in range(count):
        with serving(url, folder / f"run{number}", JWT_SECRET=secret, **environment) as service:
            service._token = token
            yield service
            token = service.token


def check_told(ledger: Ledger, statuses: set[int]) -> None:
    """Every attempt was answered with one of these, and a refused one with when to try again."""
    assert ledger.lost() == []
    assert {*ledger.statuses()} <= statuses
    for attempt in ledger.attempts:
        assert attempt.answer is not None
        assert attempt.status == 201 or int(attempt.answer.headers["retry-after"]) > 0


def check_intact(file: Path) -> None:
    """SQLite finds nothing wrong with its file."""
    connection = sqlite3.connect(file)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


@rounds(FEW)
def test_sqlite_files_that_may_not_grow_lose_nothing(sqlite_template: Path, tmp_path: Path, rounds: int) -> None:
    """Writes are refused with 507 and no other status, reads go on, and every acknowledged write is there."""
    file, attempts = tmp_path / "graph.db", list[Attempt]()
    shutil.copy(sqlite_template, file)
    url = f"sqlite:///{file}"
    for service in one_after_another(rounds, url, tmp_path):
        attempts += write_through(service, service.folder.name, partial(small_files, service))
    check_intact(file)
    check_kept(url, attempts)


@rounds(FEW)
def test_a_postgres_that_has_no_space_loses_nothing(postgres_server: str, tmp_path: Path, rounds: int) -> None:
    """What it refuses with its own error of a full disk is a 507, undone as a whole, and it is served again after."""
    attempts = list[Attempt]()
    with fresh_database(postgres_server) as url:
        connect(url, migrate=True).close()
        with serving(url, tmp_path / "run") as service:
            for number in range(rounds):
                attempts += write_through(service, f"round{number}", partial(no_space_for_changes, url))
            check_kept(url, attempts)


@pytest.mark.root
@pytest.mark.soak
def test_sqlite_on_a_full_disk_loses_nothing(sqlite_template: Path, tmp_path: Path) -> None:
    """The same on a real disk without a free page, which holds the service's temporary files too."""
    attempts = list[Attempt]()
    with small_disk(mebibytes=32) as disk:
        file, temporary = disk / "graph.db", disk / "tmp"
        shutil.copy(sqlite_template, file)
        temporary.mkdir()
        url = f"sqlite:///{file}"
        for service in one_after_another(FEW, url, tmp_path, TMPDIR=str(temporary)):
            attempts += write_through(service, service.folder.name, partial(full, disk))
        assert [*temporary.iterdir()] == [], "nothing is left behind"
        check_intact(file)
        check_kept(url, attempts)


@pytest.mark.root
@pytest.mark.soak
def test_postgres_on_a_full_disk_loses_nothing(tmp_path: Path) -> None:
    """A real disk without a free page under its tables: 507, and what was told is there."""
    attempts = list[Attempt]()
    with (
        small_disk(mebibytes=80) as disk,
        database(disk, is_log_elsewhere=True) as postgres,
        serving(postgres.url, tmp_path / "run") as service,
    ):
        for number in range(FEW):
            attempts += write_through(service, f"round{number}", partial(full, disk))
        postgres.kill()
        postgres.start()
        check_kept(postgres.url, attempts)


@pytest.mark.root
@pytest.mark.soak
def test_postgres_whose_log_is_on_the_full_disk_loses_nothing(tmp_path: Path) -> None:
    """PostgreSQL ends itself when its log cannot go on: 503 until there is space and it is started, or 507 before."""
    with (
        small_disk(mebibytes=80) as disk,
        database(disk) as postgres,
        serving(postgres.url, tmp_path / "run") as service,
    ):
        with load(service, "log") as ledger:
            for _ in range(FEW):
                ledger.wait_for(201, CLIENTS, len(ledger.attempts))
                with full(disk):
                    begin = len(ledger.attempts)
                    until(lambda begin=begin: sum(ledger.statuses(begin)[told] for told in (503, 507)) >= REFUSALS)
                postgres.stop(signal.SIGQUIT)
                postgres.start()
            ledger.wait_for(201, CLIENTS, len(ledger.attempts))
        check_told(ledger, {201, 503, 507})
        check_kept(postgres.url, ledger.attempts)
