"""A connection to PostgreSQL that never waits for ever, and that works through a pooler too."""

from __future__ import annotations

import select
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, NoReturn

from psycopg import Connection, Error, OperationalError
from psycopg.pq import TransactionStatus
from psycopg.types.string import TextLoader

_ANSWER_S: Final = 1.0  # for the answer to come after the end of a statement
_CANCEL_S: Final = 1.0


class BoundedConnection(Connection[Any]):
    """psycopg's connection, given up when a statement has not ended after ``wait_max_s`` seconds.

    The server's statement_timeout can't be told over a network that swallows what it is sent, and a proxy on the way
    may go on acknowledging. Raises OperationalError then, on a connection that is closed.
    """

    wait_max_s: float | None = None
    is_pooled = False
    """Whether a pooler is between, so that each transaction may run on another connection of the server."""
    opening = ""
    """What to send along with BEGIN, in one message: the time limits, where a session can't keep them."""

    def set_up(self, lock_max_s: float, statement_max_s: float | None) -> None:
        """Set how long a lock is waited for, and how long a statement may take; UTC; and JSON as text, as in SQLite.

        A pooler in transaction mode gives a client no session: what is set stays with a connection that others use
        next, and a prepared statement is not there when it is asked for. It shows by the process id that it made up,
        which is not that of the server's process. Time zone and date style are the two that PgBouncer keeps for each
        client; times come with their offset, so that they are right even where a pooler does not.
        """
        self.adapters.register_loader("json", TextLoader)
        limits = {"lock_timeout": round(lock_max_s * 1000)}
        if statement_max_s is not None:
            limits["statement_timeout"] = round(statement_max_s * 1000)
        is_direct = f"pg_backend_pid() = {self.info.backend_pid}"
        settings = ", ".join(f"set_config('{name}', '{ms}', false)" for name, ms in limits.items())
        row: Any = self.execute(
            f"SELECT {is_direct}, set_config('TimeZone', 'UTC', false), set_config('DateStyle', 'ISO', false),"
            f" CASE WHEN {is_direct} THEN ARRAY[{settings}] END"
        ).fetchone()
        self.is_pooled = not row[0]
        if self.is_pooled:
            self.prepare_threshold = None
            self.opening = "".join(f"; SET LOCAL {name} TO {ms}" for name, ms in limits.items())
        if statement_max_s is None:
            self.wait_max_s = None
        else:
            self.wait_max_s = statement_max_s if self.is_pooled else statement_max_s + _ANSWER_S

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        if timeout is not None or self.wait_max_s is None:
            return super().wait(gen, interval, timeout)
        try:
            return super().wait(gen, interval, self.wait_max_s)
        except OperationalError as error:
            if self.pgconn.transaction_status != TransactionStatus.ACTIVE:
                raise
            if not self.is_pooled:  # else nothing may have told the server when to stop
                self._give_up(error)
        try:
            self.cancel_safe(timeout=_CANCEL_S)
            return super().wait(gen, interval, _ANSWER_S)
        except Error as error:
            if self.pgconn.transaction_status != TransactionStatus.ACTIVE:
                raise
            self._give_up(error)

    @contextmanager
    def at_most(self, seconds: float) -> Iterator[None]:
        """Bound what runs in the block by itself, without BEGIN, to as long as a lock may be waited for.

        Without a pooler, the session's limits do.
        """
        before = self.wait_max_s
        if self.is_pooled and before is None:
            self.wait_max_s = seconds
        try:
            yield
        finally:
            self.wait_max_s = before

    @property
    def has_ended(self) -> bool:
        """Whether something has come while nothing was asked: the server's goodbye, or the end of the connection."""
        waiting = select.poll()
        waiting.register(self.fileno(), select.POLLIN)
        return bool(waiting.poll(0))

    def _give_up(self, error: Error) -> NoReturn:
        self.close()  # its end is not known: the time was up
        raise OperationalError(f"the server has not answered for {self.wait_max_s:g} s") from error
