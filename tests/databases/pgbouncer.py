"""PgBouncer in front of a PostgreSQL, in transaction pooling: each transaction gets whichever connection is free."""

import os
import pwd
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import attrs
import psycopg
from sqlalchemy import make_url

from tests.programs import program
from tests.serving.service import until

_CONFIGURATION: Final = """
[databases]
* = {server}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {home}/users
admin_users = postgres
pool_mode = transaction
max_client_conn = 500
default_pool_size = {connections}
logfile = {home}/log
{more}
"""


@attrs.define
class PgBouncer:
    """A PgBouncer on a port of its own; ``server`` is the URL of any database on the server behind it."""

    home: Path
    server: str
    port: int
    _program: str
    _identity: dict[str, Any]
    _process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The same database, through it."""
        url = make_url(self.server).set(host="127.0.0.1", port=self.port)
        return url.difference_update_query(["host", "port"]).render_as_string(hide_password=False)

    @property
    def log(self) -> str:
        """What it wrote."""
        return (self.home / "log").read_text()

    def start(self) -> None:
        """Start it, and return when it takes connections."""
        out = (self.home / "out").open("ab")
        with closing(out):
            command = [self._program, "--quiet", self.home / "configuration"]
            self._process = subprocess.Popen(command, cwd=self.home, stdout=out, stderr=out, **self._identity)
        until(self._answers)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Stop it at once, with every connection."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait()
            self._process = None

    def command(self, text: str) -> list[tuple[Any, ...]]:
        """What its console answers to a command, such as SHOW POOLS."""
        with psycopg.connect(f"postgresql://postgres@127.0.0.1:{self.port}/pgbouncer", autocommit=True) as console:
            found = console.execute(text)  # type: ignore[call-overload]
            return list(found) if found.description else []

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self.home / "out").read_text()
        with suppress(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", self.port)).close()
            return True
        return False


@contextmanager
def pgbouncer(server: str, *, connections: int = 20, **settings: object) -> Iterator[PgBouncer]:
    """A PgBouncer for as long as the block runs, which keeps up to ``connections`` to each database."""
    found = program("pgbouncer")
    with tempfile.TemporaryDirectory(prefix="kgl-pgbouncer-", dir="/tmp") as folder:
        home, identity = Path(folder), dict[str, Any]()
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = int(free.getsockname()[1])
        behind = make_url(server)
        parts = {"host": behind.query.get("host", behind.host), "port": behind.query.get("port", behind.port)}
        (home / "users").write_text(f'"{behind.username}" ""\n')
        (home / "configuration").write_text(
            _CONFIGURATION.format(
                home=home,
                port=port,
                connections=connections,
                server=" ".join(f"{name}={value}" for name, value in parts.items() if value),
                more="\n".join(f"{name} = {value}" for name, value in settings.items()),
            )
        )
        if os.geteuid() == 0:  # it refuses to run as root
            nobody = pwd.getpwnam("nobody")
            identity = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
            for path in (home, *home.iterdir()):
                os.chown(path, nobody.pw_uid, nobody.pw_gid)
        made = PgBouncer(home, server, port, found, identity)
        try:
            made.start()
            yield made
        finally:
            made.stop()
