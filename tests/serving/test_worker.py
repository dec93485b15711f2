"""Workers: connections that send nothing, too much, or do not end."""

import os
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import BinaryIO, Final

import pytest

from kgl_http.server.worker import Remembered
from tests.serving.service import BIN, THREADS, WORKERS, read_answer, serving, until

_SERVE: Final = "from kgl_http.cli.main import main; main()"


def changed(change: str) -> tuple[str, ...]:
    """`kgl` in which something is otherwise."""
    return (str(BIN / "python"), "-c", f"{change}; {_SERVE}")


def test_what_stays_idle_is_closed(sqlite_url: str, tmp_path: Path) -> None:
    """Connections that nothing was ever sent on, and those that were used, and more of either than threads."""
    command = changed("import kgl_http.server.serving; kgl_http.server.serving.KEEP_ALIVE_S = 1")
    with serving(sqlite_url, tmp_path / "run", command=command) as service, ExitStack() as stack:
        service._token = "none"
        connections = []
        for number in range(4 * WORKERS * THREADS):
            connection = stack.enter_context(service.socket())
            if number % 2:
                connection.sendall(service.head("GET", "/health"))
                assert read_answer(connection).status == 200
            connections.append(connection)
        for connection in connections:
            assert connection.recv(1) == b""
        assert service("GET", "/health").status == 200


def test_more_connections_than_a_worker_may_have_wait(sqlite_url: str, tmp_path: Path) -> None:
    """They are accepted, and answered, as others end."""
    few = (
        "from kgl_http.server.worker import Worker; Worker.worker_connections = property(lambda _: 3, lambda *_: None)"
    )
    with serving(sqlite_url, tmp_path / "run", command=changed(few)) as service, ExitStack() as stack:
        service._token = "none"
        connections = [stack.enter_context(service.socket()) for _ in range(10 * WORKERS)]
        for connection in connections:
            connection.sendall(service.head("GET", "/health"))
        for connection in connections:
            with connection:
                assert read_answer(connection).status == 200


def test_a_worker_without_file_descriptors_says_so_and_goes_on(sqlite_url: str, tmp_path: Path) -> None:
    """As soon as connections have ended, others are accepted."""
    few = "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))"
    with serving(sqlite_url, tmp_path / "run", command=changed(few)) as service:
        service._token = "none"
        with ExitStack() as stack:
            for _ in range(64 * WORKERS):
                stack.enter_context(service.socket())
            told = "Cannot accept a connection, trying again: Too many open files"
            [line, *_] = until(lambda: service.lines(told))
            assert line["level"] == "WARNING"
        until(lambda: service("GET", "/health").status == 200)


def test_clients_that_never_close_keep_nobody_waiting(sqlite_url: str, tmp_path: Path) -> None:
    """They took their answers, said that they would close, and do not: others are served."""
    patient = "from gunicorn import util; util.close_graceful.__defaults__ = (60.0, 65536)"
    with serving(sqlite_url, tmp_path / "run", command=changed(patient)) as service, ExitStack() as stack:
        service._token = "none"
        for _ in range(THREADS - 1):
            connection = stack.enter_context(service.socket())
            connection.sendall(service.head("GET", "/health", "Connection: close"))
            assert read_answer(connection).status == 200
        for _ in range(4 * WORKERS):
            with service.socket() as connection:
                connection.sendall(service.head("GET", "/health"))
                assert read_answer(connection).status == 200


def test_workers_share_connections(sqlite_url: str, tmp_path: Path) -> None:
    """Each gets about as many of those that are opened at once: at least half of what would be even."""
    with serving(sqlite_url, tmp_path / "run") as service, ExitStack() as stack:
        service._token = "none"
        until(lambda: len(service.workers()) == WORKERS)
        idle = {worker: sockets_of(worker) for worker in service.workers()}

        def is_reached() -> bool:
            stack.enter_context(service.socket())
            return all(sockets_of(worker) > idle[worker] for worker in idle)

        until(is_reached)  # for they do not begin at the same time
        before = {worker: sockets_of(worker) for worker in idle}
        count = 32 * WORKERS
        for _ in range(count):
            stack.enter_context(service.socket())
        until(lambda: sum(map(sockets_of, before)) >= sum(before.values()) + count)
        assert min(sockets_of(worker) - before[worker] for worker in before) >= 16


def sockets_of(pid: int) -> int:
    """How many sockets a process has open."""
    number = 0
    for file in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed since it was listed
            number += os.readlink(file).startswith("socket:")
    return number


def test_who_sends_ahead_does_not_keep_others_waiting(sqlite_url: str, tmp_path: Path) -> None:
    """Requests that are here already take turns with those of others, on more connections than there are threads."""
    with serving(sqlite_url, tmp_path / "run") as service, ExitStack() as stack:
        service._token = "none"
        count, each = 2 * WORKERS * THREADS, 50
        connections = [stack.enter_context(service.socket()) for _ in range(count)]
        for connection in connections:
            connection.sendall(service.head("GET", "/health") * each)
        assert service("GET", "/health").status == 200
        for connection in connections:
            with connection.makefile("rb") as answers:
                assert [read_status(answers) for _ in range(each)] == [200] * each


def read_status(answers: BinaryIO) -> int:
    """The status of the next answer, which is read to its end."""
    status, length = int(answers.readline().split()[1]), 0
    while (line := answers.readline()) != b"\r\n":
        name, _, value = line.partition(b":")
        length = int(value) if name.lower() == b"content-length" else length
    assert len(answers.read(length)) == length
    return status


def test_what_is_remembered_of_a_configuration_is_what_it_says() -> None:
    """It is asked once for each attribute; what it does not have raises, each time."""
    asked = []

    class Told:
        def __getattr__(self, name: str) -> str:
            asked.append(name)
            if name == "missing":
                raise AttributeError(name)
            return name.upper()

    remembered = Remembered(Told())
    assert [remembered.keepalive, remembered.keepalive, remembered.workers] == ["KEEPALIVE", "KEEPALIVE", "WORKERS"]
    assert asked == ["keepalive", "workers"]
    for _ in range(2):
        with pytest.raises(AttributeError, match="missing"):
            _ = remembered.missing
