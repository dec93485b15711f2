"""A connection to PostgreSQL that never waits for ever, whatever becomes of the network."""

from __future__ import annotations

from typing import Any

from psycopg import Connection, OperationalError
from psycopg.pq import TransactionStatus


class BoundedConnection(Connection[Any]):
    """psycopg's connection, which is lost after ``wait_max_s`` seconds without the end of a statement.

    The server's statement_timeout can't be told over a network that swallows what it is sent, and a proxy on the way
    may go on acknowledging. Raises OperationalError then, on a connection that is closed.
    """

    wait_max_s: float | None = None

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        if timeout is not None or self.wait_max_s is None:
            return super().wait(gen, interval, timeout)
        try:
            return super().wait(gen, interval, self.wait_max_s)
        except OperationalError as error:
            if self.pgconn.transaction_status != TransactionStatus.ACTIVE:
                raise
            self.close()  # its end is not known: the time was up
            raise OperationalError(f"the server has not answered for {self.wait_max_s:g} s") from error
