"""``kgl serve`` as a process of its own, and a client that speaks to it over sockets."""

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any

import attrs

BIN = Path(sys.executable).parent
KGL = str(BIN / "kgl")
WORKERS, THREADS = 2, 4
SLOTS = WORKERS * THREADS // 2
"""How many long requests all workers serve at once."""
WITHIN_S = 20
"""When a test gives up. No test depends on how long something takes."""
API = "/api/v1"
EMAIL, PASSWORD = "root@example.org", "correct horse battery"
LOG_KEYS = ["timestamp", "level", "module_id", "user_id", "client_id", "request_id", "message", "logger"]


def until(condition: Callable[[], Any]) -> Any:
    """What ``condition`` answers, as soon as that is true."""
    deadline, pause = time.monotonic() + WITHIN_S, threading.Event()
    while not (found := condition()):
        assert time.monotonic() < deadline, f"{condition} did not come true"
        pause.wait(0.02)
    return found


@attrs.frozen
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def data(self) -> Any:
        return self.json["data"]


class Service:
    """A running service in an empty folder, which is its home too; everything it writes is there."""

    def __init__(
        self,
        database_url: str,
        folder: Path,
        *,
        command: tuple[str, ...] = (KGL,),
        workers: int = WORKERS,
        threads: int = THREADS,
        email: str = EMAIL,
        out: int | None = None,
        port: int = 0,
        **environment: str,
    ) -> None:
        """``out`` is a descriptor for its log instead of a file; then ``port`` has to be given, too."""
        self.database_url, self.folder = database_url, folder
        self.home, self.temporary, self.working = (folder / name for name in ("home", "tmp", "work"))
        for made in (self.home, self.temporary, self.working):
            made.mkdir(parents=True)
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "TMPDIR": str(self.temporary),
            "DATABASE_URL": database_url,
            "JWT_SECRET": secrets.token_urlsafe(48),
            "REGISTRATION": "open",
            "REGISTRATIONS_PER_HOUR": "1000000",
            **environment,
        }
        self._port = port
        size = ("--port", str(port), "--workers", str(workers), "--threads", str(threads))
        with (folder / "out").open("wb") as log, (folder / "err").open("wb") as err:
            self.process = subprocess.Popen(
                [*command, "serve", *size],
                cwd=self.working,
                env=self.environment,
                stdout=log if out is None else out,
                stderr=err,
            )
        self._email = email
        self._token: str | None = None
        self.expected_errors = 0

    @property
    def err(self) -> str:
        """What it wrote to standard error."""
        return (self.folder / "err").read_text()

    def lines(self, message: str | None = None) -> list[dict[str, Any]]:
        """The lines of its log, each of which has to be whole; with ``message``, those alone."""
        text = (self.folder / "out").read_bytes()
        lines = [json.loads(line) for line in text[: text.rfind(b"\n") + 1].splitlines()]
        return [line for line in lines if message in (None, line["message"])]

    @cached_property
    def port(self) -> int:
        """Where it listens, as its log says."""

        def listening() -> list[dict[str, Any]]:
            assert self.process.poll() is None, self.err
            return self.lines("Listening")

        if not self._port:
            [line] = until(listening)
            self._port = int(line["address"].rpartition(":")[2])
        return self._port

    def connect(self) -> HTTPConnection:
        """A connection of one's own."""
        return HTTPConnection("127.0.0.1", self.port, timeout=WITHIN_S)

    def socket(self, receive_buffer: int | None = None) -> socket.socket:
        """The same, for what a well-behaved client would not send."""
        address = ("127.0.0.1", self.port)
        made = socket.socket()
        if receive_buffer is not None:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        made.settimeout(WITHIN_S)
        made.connect(address)
        return made

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """Send a request as the admin; what is no bytes is sent as JSON, and names of headers have underscores."""
        connection = self.connect()
        try:
            given = {name.replace("_", "-"): value for name, value in headers.items()}
            if not isinstance(body, bytes | None):
                body = json.dumps(body).encode()
                given = {"Content-Type": "application/json", **given}
            connection.request(method, path, body, {"Authorization": f"Bearer {self.token}", **given})
            return answer(connection.getresponse())
        finally:
            connection.close()

    @property
    def token(self) -> str:
        """An access token of the admin, who is made when first needed."""
        if self._token is None:
            kgl(self, "user", "create", self._email, "--role", "admin", "--password-file", "-", given=PASSWORD)
            self._token = "none"
            found = self("POST", f"{API}/auth/token", {"email": self._email, "password": PASSWORD})
            self._token = str(found.json["access_token"])
        return self._token

    def head(self, method: str, path: str, *headers: str) -> bytes:
        """The beginning of a request, for a socket: up to and with the blank line."""
        lines = (f"{method} {path} HTTP/1.1", "Host: kgl", f"Authorization: Bearer {self.token}", *headers, "", "")
        return "\r\n".join(lines).encode()

    def workers(self) -> set[int]:
        """The ids of its workers."""
        return {*map(int, Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split())}

    def processes(self) -> set[int]:
        """The ids of all its processes."""
        return {self.process.pid, *self.workers()}

    def stop(self) -> int:
        """Stop it as an orchestrator does; its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(WITHIN_S * 2)


def answer(response: HTTPResponse) -> Answer:
    """All of an answer."""
    body = response.read()
    return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, body)


def read_answer(connection: socket.socket, method: str = "GET") -> Answer:
    """The next answer on a socket; 100 (Continue) is passed over."""
    response = HTTPResponse(connection, method=method)
    response.begin()
    return answer(response)


def chunk(data: bytes) -> bytes:
    """A piece of a chunked body (RFC 9112, section 7.1); that of nothing is the last."""
    return b"%x\r\n%s\r\n" % (len(data), data)


def kgl(service: Service, *arguments: str, given: str = "") -> str:
    """Run a command on the service's database."""
    done = subprocess.run(
        [KGL, *arguments], env=service.environment, input=given, capture_output=True, text=True, check=True
    )
    return done.stdout


@contextmanager
def serving(database_url: str, folder: Path, **options: Any) -> Iterator[Service]:
    """A service for as long as the block runs, which must end well: nothing on standard error, and every line whole."""
    service = Service(database_url, folder, **options)
    try:
        yield service
        assert service.stop() == 0, service.err
    finally:
        if service.process.poll() is None:
            service.process.kill()
            service.process.wait()
    assert service.err == ""
    assert [*service.home.iterdir()] == [], "nothing is written to the home folder"
    assert [*service.temporary.iterdir()] == [], "nothing is left behind"
    for line in service.lines():
        assert [*line][: len(LOG_KEYS)] == LOG_KEYS, line
    errors = [line for line in service.lines() if line["level"] in ("ERROR", "CRITICAL")]
    assert len(errors) == service.expected_errors, errors
