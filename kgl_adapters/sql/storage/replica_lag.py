"""A standby of PostgreSQL that answers reads as long as it is known to be fresh enough.

A thread asks the primary how far its log has come, and then the standby how far it has replayed that log. Once the
standby is there, it has all that was committed before the primary was asked. A read goes to the standby if that moment
is at most ``lag_max_s`` ago, and after the caller's own last write.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final, Protocol

import attrs
from sqlalchemy import Engine

from kgl_adapters.sql.engine.connections import Connections
from kgl_adapters.sql.graph.changes import COMPLETE_UP_TO
from kgl_core.kernel.errors import KglError

LAG_MAX_S: Final = 5.0
POLL_S: Final = 0.5
_NEVER: Final = float("-inf")
# With synchronous_commit off, what was acknowledged may not have been flushed yet.
_PRIMARY: Final = """
SELECT (SELECT system_identifier FROM pg_control_system()), current_database(),
    ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int,
    (CASE current_setting('synchronous_commit')
        WHEN 'off' THEN pg_current_wal_insert_lsn() ELSE pg_current_wal_flush_lsn() END - '0/0'::pg_lsn)::bigint
"""
_STANDBY: Final = """
SELECT (SELECT system_identifier FROM pg_control_system()), current_database(),
    (SELECT timeline_id FROM pg_control_checkpoint()),
    CASE WHEN pg_is_in_recovery() THEN (pg_last_wal_replay_lsn() - '0/0'::pg_lsn)::bigint END
"""

_log = logging.getLogger(__name__)


class Writers(Protocol):
    """Knows when the present caller last wrote, in seconds of `time.monotonic`. Shared by threads."""

    def note(self) -> None:
        """The caller may have written until now."""

    def last(self) -> float:
        """When the caller may have written last."""


class OneWriter:
    """A `Writers` that takes all callers for one."""

    def __init__(self) -> None:
        self._at = _NEVER

    def note(self) -> None:
        self._at = time.monotonic()

    def last(self) -> float:
        return self._at


@attrs.frozen
class _Mark:
    """How far the primary's log had come at a moment, and up to which number its changes were complete by then."""

    at: float
    position: int
    complete_up_to: int


_NO_MARK: Final = _Mark(_NEVER, 0, 0)


class Replica:
    """The standby behind ``engine`` of ``primary``. ``told`` is called with its lag after each look."""

    def __init__(
        self,
        engine: Engine,
        primary: Connections,
        writers: Writers,
        lag_max_s: float = LAG_MAX_S,
        told: Callable[[float], object] = lambda _: None,
    ) -> None:
        self.connections, self.writers = Connections(engine), writers
        self._primary, self._lag_max_s, self._told = primary, lag_max_s, told
        self._marks: deque[_Mark] = deque(maxlen=round(lag_max_s / POLL_S) + 2)
        self._reached = _NO_MARK
        self._problem: str | None = "it has not been looked at yet"
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="replica", daemon=True)
        self._thread.start()

    @property
    def problem(self) -> str | None:
        """Why reads go to the primary, without naming a host; None if they don't."""
        if self._problem is None and self._lag() > self._lag_max_s:
            return f"it is more than {self._lag_max_s:g} s behind the primary"
        return self._problem

    @property
    def complete_up_to(self) -> int:
        """A sequence number up to which it has every change there will ever be."""
        return self._reached.complete_up_to

    def may_answer(self) -> bool:
        """Whether the standby is fresh enough for the present caller."""
        at = self._reached.at
        return time.monotonic() - at <= self._lag_max_s and self.writers.last() < at

    def leave_out(self, error: KglError) -> None:
        """Read nothing from the standby until the next look, because a read failed there with ``error``."""
        self._reached = _NO_MARK
        _log.warning("A read failed on the replica, and goes to the primary: %s", error)

    def close(self) -> None:
        """End the thread, and close the connections that are not in use."""
        self._ended.set()
        self.connections.close()

    def _lag(self) -> float:
        return time.monotonic() - self._reached.at

    def _watch(self) -> None:
        was = self._problem
        while not self._ended.is_set():
            try:
                self._problem = self._look()
            except Exception as error:
                if self._ended.is_set():
                    return
                self._problem = "it can't be compared with the primary: one of the two can't be asked"
                _log.debug("The replica can't be looked at: %s", error)
            if self._problem is not None:
                self._reached = _NO_MARK
            self._told(self._lag())
            now = self.problem
            if now != was:
                if now is None:
                    _log.info("The replica answers reads")
                else:
                    _log.warning("Reads go to the primary and not to the replica: %s", now)
                was = now
            self._ended.wait(POLL_S)

    def _look(self) -> str | None:
        """Compare the two. Returns what is wrong with the standby, other than its lag."""
        at = time.monotonic()
        [(complete_up_to,)] = self._primary.fetch(COMPLETE_UP_TO, ())
        [(*primary, position)] = self._primary.fetch(_PRIMARY, ())
        self._marks.append(_Mark(at, position, complete_up_to))
        [(*standby, replayed)] = self.connections.fetch(_STANDBY, ())
        if problem := _difference(primary, standby, replayed):
            return problem
        while self._marks and self._marks[0].position <= replayed:
            self._reached = self._marks.popleft()
        return None


def _difference(primary: list[Any], standby: list[Any], replayed: int | None) -> str | None:
    if primary[:2] != standby[:2]:
        return "it is no standby of this database"
    if replayed is None:
        return "it is a primary itself, as after a promotion"
    if primary[2] != standby[2]:
        return "it follows another timeline than the primary's, as after a failover"
    return None
