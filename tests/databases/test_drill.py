"""The drill: everything that an operator does or suffers, one after another, under mixed load."""

import re
import resource
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import pytest

from kgl_adapters import connect
from tests.databases.drill import Drill, check, drilling, pause, tokens
from tests.databases.pgbouncer import pgbouncer
from tests.databases.standby import standby
from tests.faults.database import database
from tests.serving.service import Service, until

THREADS: Final = 8
PASSWORD: Final = "correct horse battery"
STEP_S: Final = 8.0
"""How long each trouble lasts or is recovered from: seven steps make a minute."""


@contextmanager
def full_log(service: Service) -> Iterator[None]:
    """For as long as the block runs, the file that the log is written to can't grow, as on a full disk."""
    out = service.folder / "out"
    until(lambda: out.stat().st_size > 1 << 20)  # more than its files of metrics have
    limits = {process: resource.prlimit(process, resource.RLIMIT_FSIZE) for process in service.processes()}
    for process, (_, hard) in limits.items():
        resource.prlimit(process, resource.RLIMIT_FSIZE, (out.stat().st_size, hard))
    yield
    dropped = re.search(rb"^kgl_log_lines_dropped_total ([0-9.e+]+)$", service("GET", "/metrics").body, re.M)
    assert dropped is not None
    assert float(dropped[1]) > 0
    for process, limit in limits.items():
        resource.prlimit(process, resource.RLIMIT_FSIZE, limit)


@pytest.mark.soak
@pytest.mark.parametrize("with_standby", [False, True], ids=["primary", "standby"])
def test_the_drill(tmp_path: Path, *, with_standby: bool) -> None:
    """No acknowledged write is lost, no 5xx but a 503 that says when to come again, and the feed is complete."""
    with ExitStack() as stack:
        primary = stack.enter_context(database())
        behind = stack.enter_context(standby(primary)) if with_standby else None
        between = stack.enter_context(pgbouncer(primary.url, server_login_retry=1))
        environment = {"JWT_SECRET": secrets.token_urlsafe(48)}
        if behind is not None:
            environment["DATABASE_REPLICA_URL"] = behind.url
        kg = stack.enter_context(connect(primary.url))

        def start(name: str) -> Service:
            service = Service(between.url, tmp_path / name, threads=THREADS, **environment)
            stack.callback(service.stop)
            until(lambda: service.lines("Listening"))
            return service

        service = start("first")
        drill = Drill(service, tokens(service, "w", 4, PASSWORD, kg), tokens(service, "r", 4, PASSWORD, kg))
        with drilling(drill):
            pause(drill, STEP_S)
            with full_log(service):
                pause(drill, STEP_S)
            primary.stop()
            drill.ending.wait(1)
            primary.start()
            pause(drill, STEP_S)
            between.stop()
            between.start()
            pause(drill, STEP_S)
            assert service.stop() == 0, service.err
            drill.service = start("second")
            pause(drill, STEP_S)
            if behind is not None:
                behind.stop()
                pause(drill, STEP_S)
                behind.start()
            pause(drill, STEP_S)
            primary.kill()
            primary.start()
            pause(drill, STEP_S)
        assert drill.service.stop() == 0, drill.service.err
        assert (service.err, drill.service.err) == ("", "")
        check(drill, kg)
