"""Connections that wait outside of the pool for the next single statement.

SQLAlchemy's pool takes longer to hand a connection out and to take it back than PostgreSQL needs for a short statement.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, cast

import attrs
from sqlalchemy import Engine, PoolProxiedConnection, QueuePool, event

IDLE_MAX_S: Final = 1.0
"""How long a connection may stay outside of the pool, which looks at its age and pings it as it is set up to."""

_CURSOR: Final = "kgl_cursor"


@attrs.define(eq=False)
class Lent:
    """A connection of the pool, its one cursor, and when the pool handed it out, by `time.monotonic`."""

    proxy: PoolProxiedConnection
    driver: Any
    cursor: Any
    since_s: float


class Idle:
    """Lends an engine's connections for single statements; shared by threads.

    A connection that is put back is lent to the next caller. Code that asks the engine itself for a connection must do
    so within `wanting`, so that the connections that wait here go back to the pool.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine, self._pool = engine, engine.pool
        self._kept_max = self._pool.size() if isinstance(self._pool, QueuePool) else 0
        # Threads share deques without a lock; this one's length is a count.
        self._idle: deque[Lent] = deque()
        self._wanting: deque[None] = deque()
        self._cleared_s = 0.0
        self._is_closed = False
        event.listen(engine, "engine_disposed", self._drop)

    def in_use(self) -> int:
        """How many of the pool's connections are in use; those that wait here are not."""
        return max(0, cast(QueuePool, self._pool).checkedout() - len(self._idle))

    def take(self) -> Lent:
        """The connection that was used last, or one from the pool. Raises what the pool raises."""
        while self._idle:
            try:
                lent = self._idle.pop()
            except IndexError:  # another thread was quicker
                break
            if self._cleared_s < lent.since_s > time.monotonic() - IDLE_MAX_S:
                return lent
            lent.proxy.close()
        with self.wanting():
            proxy = self._engine.raw_connection()
        return Lent(proxy, proxy.driver_connection, cursor_of(proxy), time.monotonic())

    def put(self, lent: Lent) -> None:
        """Take back a connection that nothing is open on."""
        self._idle.append(lent)
        # Checked after the append: either this thread sees that one is wanted, or the other sees this one waiting.
        if self._is_closed:
            self._drop(self._engine)
        elif self._wanting or len(self._idle) > self._kept_max:
            self._give_back()

    @contextmanager
    def wanting(self) -> Iterator[None]:
        """A block in which a connection of the engine is asked for."""
        self._wanting.append(None)
        try:
            self._give_back()
            yield
        finally:
            self._wanting.pop()

    def clear(self) -> None:
        """Give all that wait back to the pool. Those that are lent now follow: they are not lent again."""
        self._cleared_s = time.monotonic()
        while self._give_back():
            pass

    def close(self) -> None:
        """As `clear`; and close what is put back from now on, because its pool will be gone."""
        self.clear()
        self._is_closed = True

    def _drop(self, _: Engine) -> None:
        """Close those that wait, as the engine has done with those in its pool."""
        while (lent := self._first()) is not None:
            lent.proxy.invalidate()
            lent.proxy.close()

    def _give_back(self) -> bool:
        lent = self._first()
        if lent is not None:
            lent.proxy.close()
        return lent is not None

    def _first(self) -> Lent | None:
        try:
            return self._idle.popleft()
        except IndexError:  # none waits
            return None


def cursor_of(proxy: PoolProxiedConnection) -> Any:
    """The one cursor of a connection for statements that are read at once: to make one takes as long as a short one."""
    cursor = proxy.info.get(_CURSOR)
    if cursor is None:
        cursor = proxy.info[_CURSOR] = proxy.driver_connection.cursor()  # type: ignore[union-attr]
    return cursor
