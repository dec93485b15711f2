"""A standby of a PostgreSQL: a second server that replays what the first one logs, and answers reads."""

import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import attrs
import psycopg

from tests.faults.database import Database
from tests.serving.service import until


@attrs.define
class Standby(Database):
    """A standby, which can be held up and promoted; to be stopped and started like any server."""

    def ask(self, statement: str) -> Any:
        """The one value that a statement gives on it."""
        return _ask(self.url, statement)

    def pause(self) -> None:
        """Replay no more, so that it falls behind."""
        self.ask("SELECT pg_wal_replay_pause()")
        until(lambda: self.ask("SELECT pg_get_wal_replay_pause_state()") == "paused")

    def resume(self) -> None:
        """Replay again."""
        self.ask("SELECT pg_wal_replay_resume()")

    def promote(self) -> None:
        """Make it a primary of its own."""
        assert self.ask("SELECT pg_promote()")

    def catch_up(self, primary: Database) -> None:
        """Return when it has replayed all that the primary has committed by now.

        Where the next record goes would be too far: after a backup nothing may come there for a quarter of a minute.
        """
        position = _ask(primary.url, "SELECT pg_current_wal_flush_lsn()")
        until(lambda: self.ask(f"SELECT pg_last_wal_replay_lsn() >= '{position}'"))


@contextmanager
def standby(primary: Database) -> Iterator[Standby]:
    """A running standby for as long as the block runs; it is in the primary's folder."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    data = primary.home / f"standby-{port}"
    copy = [primary.programs / "pg_basebackup", f"--dbname={primary.url}", f"--pgdata={data}"]
    subprocess.run(
        [*copy, "--write-recovery-conf", "--checkpoint=fast", "--no-sync"],
        cwd=primary.home,
        check=True,
        **primary.identity,
    )
    made = Standby(primary.home, data, None, primary.programs, primary.identity, port)
    try:
        made.start()
        yield made
    finally:
        made.stop()


def _ask(url: str, statement: str) -> Any:
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(statement).fetchone()  # type: ignore[call-overload]
        return row[0]
