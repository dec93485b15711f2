"""A PostgreSQL of a test's own, to stop, kill and restart; unlike the tests' shared one, it survives a power cut."""

import os
import pwd
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import psycopg

from kgl_adapters import connect
from tests.postgres import _copy_for, _wheel_programs
from tests.serving.service import until


@attrs.define
class Database:
    """A server in a folder, with durable settings, on a port of its own; its data may be elsewhere, as may its log."""

    home: Path
    data: Path
    log: Path | None
    programs: Path
    identity: dict[str, Any]
    port: int
    _process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Its database, over TCP."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def make(self) -> None:
        """Make its files."""
        options = (
            "--username=postgres",
            "--auth=trust",
            "--encoding=UTF8",
            "--no-locale",
            "--no-sync",
            "--no-instructions",
        )
        if self.log is not None:
            options = (*options, f"--waldir={self.log}")
        # Small segments, so that a small disk holds several.
        made = self._run("initdb", *options, "--wal-segsize=1", f"--pgdata={self.data}")
        assert made.wait() == 0, (self.home / "log").read_text()

    def start(self) -> None:
        """Start it, and return when it takes connections."""
        settings = ("listen_addresses=127.0.0.1", f"port={self.port}", f"unix_socket_directories={self.home}")
        options = [f"--{setting}" for setting in settings]
        self._process = self._run("postgres", "-D", str(self.data), *options)
        until(self._answers)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop it, by default without waiting for its clients, and return when it has stopped."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait()
            self._process = None

    def kill(self) -> None:
        """Kill the server and all its processes, as a machine does that has no memory left."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)  # so that it starts no other
        number = self._process.pid
        others = [*map(int, Path(f"/proc/{number}/task/{number}/children").read_text().split())]
        for process in (number, *others):
            os.kill(process, signal.SIGKILL)
        self._process.wait()
        self._process = None
        until(lambda: not any(_lives(process) for process in others))

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self.home / "log").read_text()
        try:
            psycopg.connect(self.url).close()
        except psycopg.OperationalError:
            return False
        return True

    def _run(self, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        with (self.home / "log").open("ab") as log:
            return subprocess.Popen(
                [self.programs / program, *arguments], cwd=self.home, stdout=log, stderr=log, **self.identity
            )


def _lives(process: int) -> bool:
    """Whether a process still holds anything: one that has ended may wait for its parent to notice."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


@contextmanager
def database(disk: Path | None = None, *, is_log_elsewhere: bool = False) -> Iterator[Database]:
    """A running server whose database is at head, for as long as the block runs.

    ``disk``: a folder to keep its data in, for anybody to write to; with ``is_log_elsewhere``, all but the log.
    """
    # As in tests.postgres: a socket's path is short, PostgreSQL refuses to run as root.
    with tempfile.TemporaryDirectory(prefix="kgl-pg-", dir="/tmp") as folder:
        home, programs, identity = Path(folder), _wheel_programs(), dict[str, Any]()
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            identity = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
            programs = _copy_for(nobody, programs, home)
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = int(free.getsockname()[1])
        made = Database(
            home, (disk or home) / "data", home / "wal" if is_log_elsewhere else None, programs, identity, port
        )
        made.make()
        try:
            made.start()
            connect(made.url, migrate=True).close()
            yield made
        finally:
            made.stop(signal.SIGQUIT)
