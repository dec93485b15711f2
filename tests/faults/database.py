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
from typing import Any, Final

import attrs

from kgl_adapters import connect
from tests.postgres import _copy_for, _wheel_programs

_SERVER: Final = "-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={home} -c max_connections=40"


@attrs.frozen
class Database:
    """A server in a folder, with durable settings, on a port of its own."""

    home: Path
    programs: str
    identity: dict[str, Any]
    port: int

    @property
    def url(self) -> str:
        """Its database, over TCP."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        """Start it, and return when it takes connections."""
        options = _SERVER.format(port=self.port, home=self.home)
        self._control("start", "--wait", f"--log={self.home / 'log'}", f"--options={options}")

    def stop(self, mode: str = "fast") -> None:
        """Stop it, and return when it has stopped."""
        self._control("stop", "--wait", f"--mode={mode}")

    def kill(self) -> None:
        """Kill the server and all its processes, as a machine does that has no memory left."""
        postmaster = int((self.home / "data" / "postmaster.pid").read_text().splitlines()[0])
        children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
        for process in (postmaster, *map(int, children)):
            os.kill(process, signal.SIGKILL)

    def _control(self, action: str, *options: str) -> None:
        subprocess.run(
            [f"{self.programs}/pg_ctl", action, "--silent", f"--pgdata={self.home / 'data'}", *options],
            cwd=self.home,
            check=True,
            stdout=subprocess.DEVNULL,
            **self.identity,
        )


@contextmanager
def database() -> Iterator[Database]:
    """A running server whose database is at head, for as long as the block runs."""
    # As in tests.postgres: a socket's path is short, PostgreSQL refuses to run as root.
    with tempfile.TemporaryDirectory(prefix="kgl-pg-", dir="/tmp") as folder:
        home, programs, identity = Path(folder), _wheel_programs(), dict[str, Any]()
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            identity = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
            programs = _copy_for(nobody, programs, home)
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = int(free.getsockname()[1])
        made = Database(home, str(programs), identity, port)
        made._control("initdb", "--options=--username=postgres --auth=trust --encoding=UTF8 --no-locale")
        made.start()
        try:
            connect(made.url, migrate=True).close()
            yield made
        finally:
            if (home / "data" / "postmaster.pid").exists():
                made.stop("immediate")
