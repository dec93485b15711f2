"""The services that are measured against one another, each a process with its workers over the same database."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Final

import attrs

from kgl_adapters.sql.engine.engines import parse_url
from tests.serving.service import Service, until

WORKERS: Final = 2
THREADS: Final = 4
_CHECKOUT: Final = Path(__file__).parents[2]
HOST: Final = "127.0.0.1"
_ENTITIES: Final = "/api/v1/entities"
_BACKLOG: Final = 2048


@attrs.frozen
class Contender:
    """A running service: its first process, where it listens, and the headers that it wants."""

    name: str
    pid: int
    workers: int
    address: tuple[str, int]
    headers: Mapping[str, str] = attrs.field(factory=dict, repr=False)

    def get(self, id: str) -> bytes:
        """The request for an entity."""
        return self.request("GET", f"{_ENTITIES}/{id}")

    def page(self) -> bytes:
        """The request for the first page of entities."""
        return self.request("GET", _ENTITIES)

    def creation(self, draft: Mapping[str, Any]) -> bytes:
        """The request that creates an entity."""
        return self.request("POST", _ENTITIES, json.dumps(draft, ensure_ascii=False).encode())

    def request(self, method: str, path: str, body: bytes = b"") -> bytes:
        """A request as it goes over the wire."""
        headers = {"Host": "{}:{}".format(*self.address), **self.headers}
        if body:
            headers |= {"Content-Type": "application/json", "Content-Length": str(len(body))}
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
        return "\r\n".join(lines).encode() + body


@contextmanager
def kgl(database_url: str, folder: Path, *, workers: int = WORKERS, threads: int = THREADS) -> Iterator[Contender]:
    """``kgl serve`` as it is deployed: HS256 checked, metrics on, and a line for each request in a log file."""
    service = Service(
        database_url,
        folder,
        workers=workers,
        threads=threads,
        email=f"bench-{workers}-{threads}@example.org",  # several may run over one database
        REGISTRATION="closed",
        ACCESS_TOKEN_TTL="86400",
    )
    try:
        headers = {"Authorization": f"Bearer {service.token}"}
        name = "kgl" if (workers, threads) == (WORKERS, THREADS) else f"kgl, {workers} workers of {threads}"
        yield Contender(name, service.process.pid, workers, (HOST, service.port), headers)
    finally:
        service.stop()


@contextmanager
def floor(database_url: str, folder: Path) -> Iterator[Contender]:
    """What `tests.benchmarks.floor` does, under gunicorn's worker of threads."""
    size = ["--workers", str(WORKERS), "--threads", str(THREADS)]
    command = [sys.executable, "-m", "gunicorn", "tests.benchmarks.floor:app", "--worker-class", "gthread", *size]
    command += ["--keep-alive", "75", "--worker-tmp-dir", "/dev/shm", "--no-control-socket", "--bind", "fd://{fd}"]
    with _running("floor", command, folder, {"FLOOR_DATABASE_URL": plain(database_url)}, WORKERS) as running:
        yield running


@contextmanager
def fastapi_asyncpg(database_url: str, folder: Path) -> Iterator[Contender]:
    """`tests.benchmarks.peers.fastapi_asyncpg` under uvicorn, with as many workers as kgl."""
    with _uvicorn("FastAPI + asyncpg", "fastapi_asyncpg", database_url, folder) as running:
        yield running


@contextmanager
def fastapi_orm(database_url: str, folder: Path) -> Iterator[Contender]:
    """`tests.benchmarks.peers.fastapi_orm` under uvicorn, with as many workers as kgl."""
    with _uvicorn("FastAPI + ORM", "fastapi_orm", database_url, folder) as running:
        yield running


def plain(database_url: str) -> str:
    """The URL as libpq reads it, for those who know nothing of SQLAlchemy."""
    return parse_url(database_url).set(drivername="postgresql").render_as_string(hide_password=False)


@contextmanager
def _uvicorn(name: str, module: str, database_url: str, folder: Path) -> Iterator[Contender]:
    command = [sys.executable, "-m", "uvicorn", f"tests.benchmarks.peers.{module}:app", "--fd", "{fd}"]
    command += ["--workers", str(WORKERS), "--no-access-log", "--log-level", "warning"]
    command += ["--timeout-keep-alive", "75"]  # as the others; after its own 5 s it would close some under load
    with _running(name, command, folder, {"PEER_DATABASE_URL": plain(database_url)}, WORKERS) as running:
        yield running


@contextmanager
def _running(
    name: str, command: list[str], folder: Path, environment: dict[str, str], workers: int
) -> Iterator[Contender]:
    """A command that serves on a socket which it is given: ``{fd}`` in its arguments stands for that."""
    folder.mkdir()
    with socket.create_server((HOST, 0), backlog=_BACKLOG) as listener, (folder / "out").open("wb") as out:
        # Inherited by connections. uvicorn takes the descriptor for a Unix socket's and would not set it; answers that
        # are sent in two pieces would then wait for the client's delayed acknowledgement.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        descriptor = listener.fileno()
        process = subprocess.Popen(
            [argument.format(fd=descriptor) for argument in command],
            env={**os.environ, **environment},
            cwd=_CHECKOUT,
            stdout=out,
            stderr=subprocess.STDOUT,
            pass_fds=[descriptor],
        )
        address = (HOST, int(listener.getsockname()[1]))
    try:
        until(lambda: answers(address, process, folder / "out"))
        yield Contender(name, process.pid, workers, address)
    finally:
        process.terminate()
        process.wait()


def answers(address: tuple[str, int], process: "subprocess.Popen[bytes]", out: Path) -> bool:
    """Whether a service answers anything. Raises RuntimeError once its process has ended, with what that wrote."""
    if process.poll() is not None:
        raise RuntimeError(f"it ended: {out.read_text()}")
    connection = HTTPConnection(*address, timeout=20)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status > 0
    except OSError:
        return False
    finally:
        connection.close()
