"""The connections of an engine: one for a block, or one that is lent for a single statement."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, Final, NoReturn, ParamSpec, TypeVar

from sqlalchemy import Connection, Engine, Transaction, event
from sqlalchemy.exc import DBAPIError, InvalidatePoolError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from kgl_adapters.sql.engine import engines
from kgl_adapters.sql.engine.driver_errors import translate
from kgl_adapters.sql.engine.engines import begin, begin_snapshot, shown
from kgl_adapters.sql.engine.idle_connections import Idle, Lent
from kgl_core.kernel.errors import KglError
from kgl_core.kernel.store_errors import CommitUnknown, StoreClosed, StoreUnavailable

P = ParamSpec("P")
T = TypeVar("T")
Values = Mapping[str, Any] | Sequence[Any]

AGAIN_WITHIN_S: Final = 0.5
"""How soon a read must have failed to be tried once more. Who has waited for a silent server is told."""

_MADE_AT: Final = "kgl_made_at"


class Connections:
    """Hands out an engine's connections. ``where`` names its database in errors, without the password.

    ``statement_max_s`` is how long a statement may take, in seconds; None for any time.

    Every method raises StoreClosed once it is closed, StoreBusy where none becomes free, and StoreUnavailable where
    none can be made.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine, self.where = engine, shown(engine.url)
        dialect: Any = engine.dialect
        self._dialect, self._driver_error = dialect, dialect.loaded_dbapi.Error
        self.statement_max_s: float | None = engine.get_execution_options().get(engines.STATEMENT_MAX_S)
        self._is_closed = False
        self._lost_at = 0.0
        self._idle = Idle(engine)
        self.in_use, self.wanting = self._idle.in_use, self._idle.wanting
        event.listen(engine, "connect", _note_age)
        event.listen(engine, "checkout", self._refuse_old)

    def require_open(self) -> None:
        """Raise StoreClosed where it is."""
        if self._is_closed:
            raise StoreClosed

    def open(self) -> Connection:
        """A connection of the pool; closed, it undoes what is open."""
        self.require_open()
        try:
            with self.wanting():
                return self.engine.connect()
        except (DBAPIError, PoolTimeout) as error:
            raise translate(error, self.where) from error

    def begin(self) -> tuple[Connection, Transaction]:
        """As `open`, in a transaction that writes: on a fresh connection where the first turns out to be lost."""
        return once_more(self._begin, begin)

    def begin_snapshot(self, settings: Mapping[str, str]) -> Connection:
        """As `begin`, for statements that see the same state. Whoever closes the connection ends that before."""
        connection, _ = once_more(self._begin, partial(begin_snapshot, settings=settings))
        return connection

    @contextmanager
    def opened(self) -> Iterator[Connection]:
        """A connection of the pool for the block, after which what is open is undone."""
        with closed(self.open()) as connection:
            yield connection

    def fetch(self, text: str, values: Values) -> list[tuple[Any, ...]]:
        """The rows that one statement of the driver's own finds, in autocommit; it must only read.

        It is tried once more where its connection turns out to be lost. Raises the core's errors as well.
        """
        return once_more(self._fetch, text, values)

    def run(self, text: str, values: Values) -> None:
        """Run one statement that is a transaction by itself.

        Raises as `fetch`, but CommitUnknown where the connection is lost: the statement may have been kept.
        """
        lent = self._take()
        if lent.driver.has_ended:  # better known now than after the statement is sent
            self.note_loss()
            lent.proxy.invalidate()
            lent.proxy.close()
            lent = self._take()
        try:
            with lent.driver.at_most(engines.WAIT_MAX_S):
                lent.cursor.execute(text, values)
        except BaseException as error:
            self._fail(lent, error, if_lost=CommitUnknown())
        self._idle.put(lent)

    def close(self) -> None:
        """Close the connections that are not in use, and hand out no more."""
        self._is_closed = True
        self._idle.close()
        self.engine.dispose()

    def note_loss(self) -> None:
        """Let go of what was made before now: a restart of the server ends all its connections."""
        self._lost_at = time.monotonic()
        self._idle.clear()

    def note_if_lost(self, connection: Connection, driver: Any, error: Any) -> None:
        """Give a connection up if its driver's error says that it is lost."""
        if self._dialect.is_disconnect(error, driver, None):
            self.note_loss()
            connection.invalidate(error)

    def _begin(self, begin: Callable[[Connection], T]) -> tuple[Connection, T]:
        connection = self.open()
        driver = connection.connection.driver_connection
        try:
            return connection, begin(connection)
        except BaseException as error:
            if isinstance(error, self._driver_error):  # SQLAlchemy invalidates it after its own
                self.note_if_lost(connection, driver, error)
            with suppress(DBAPIError):
                connection.close()
            if isinstance(error, (DBAPIError, self._driver_error)):
                raise translate(error, self.where) from error
            raise

    def _fetch(self, text: str, values: Values) -> list[tuple[Any, ...]]:
        lent = self._take()
        try:
            rows: list[tuple[Any, ...]] = lent.cursor.execute(text, values).fetchall()
        except BaseException as error:
            self._fail(lent, error)
        self._idle.put(lent)
        return rows

    def _take(self) -> Lent:
        self.require_open()
        try:
            return self._idle.take()
        except (self._driver_error, DBAPIError, PoolTimeout) as error:
            raise translate(error, self.where) from error

    def _fail(self, lent: Lent, error: BaseException, if_lost: KglError | None = None) -> NoReturn:
        """Give a connection back, and raise what its statement's error means; ``if_lost`` where it was lost by that.

        A connection that is lost, or was interrupted somewhere in the driver, is not used again.
        """
        try:
            if isinstance(error, self._driver_error):
                is_lost = self._dialect.is_disconnect(error, lent.driver, None)
                if is_lost:
                    self.note_loss()
                    lent.proxy.invalidate(error)
                raise (is_lost and if_lost) or translate(error, self.where) from error
            if not isinstance(error, Exception):
                lent.proxy.invalidate(error)
            raise error
        finally:
            lent.proxy.close()

    def _refuse_old(self, _: Any, entry: Any, __: Any) -> None:
        if entry.info.get(_MADE_AT, 0.0) < self._lost_at:
            raise InvalidatePoolError


@contextmanager
def closed(connection: Connection) -> Iterator[Connection]:
    """A connection that is closed at the end of the block, which undoes what is open."""
    try:
        yield connection
    finally:
        # A loss here changes nothing: what was committed is kept, the server undoes the rest, and the work knows
        # its own error. The pool throws a lost connection away.
        with suppress(DBAPIError):
            connection.close()


def once_more(run: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What ``run`` gives, tried a second time where the store can't be reached; when it fails, it must have no effect.

    The second time is on a fresh connection, and there is none when the first has taken AGAIN_WITHIN_S.
    """
    began = time.monotonic()
    try:
        return run(*args, **kwargs)
    except StoreUnavailable:
        if time.monotonic() - began > AGAIN_WITHIN_S:
            raise
    return run(*args, **kwargs)


def _note_age(_: Any, entry: Any) -> None:
    entry.info[_MADE_AT] = time.monotonic()
