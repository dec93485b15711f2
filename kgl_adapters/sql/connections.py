"""The connections of an engine: one for a block, or one that is lent for a single statement."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from kgl_adapters.sql.engine import shown
from kgl_adapters.sql.errors import translate
from kgl_adapters.sql.lending import ConnectionLost, pool_of
from kgl_core.errors import CommitUnknown, StoreClosed

T = TypeVar("T")


class Connections:
    """Hands out an engine's connections. ``where`` names its database in errors, without the password.

    Every method raises StoreClosed once it is closed, StoreBusy where none becomes free, and StoreUnavailable where
    none can be made.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine, self.where = engine, shown(engine.url)
        self._errors: Any = (engine.dialect.loaded_dbapi.Error, PoolTimeout)
        self._is_closed = False

    def require_open(self) -> None:
        """Raise StoreClosed where it is."""
        if self._is_closed:
            raise StoreClosed

    def open(self) -> Connection:
        """A connection of the pool; closed, it undoes what is open."""
        self.require_open()
        try:
            return self.engine.connect()
        except (DBAPIError, PoolTimeout) as error:
            raise translate(error, self.where) from error

    @contextmanager
    def opened(self) -> Iterator[Connection]:
        """A connection of the pool for the block, after which what is open is undone."""
        connection = self.open()
        try:
            yield connection
        finally:
            # A loss here changes nothing: what was committed is kept, the server undoes the rest, and the work knows
            # its own error. The pool throws a lost connection away.
            with suppress(DBAPIError):
                connection.close()

    def lend(self, run: Callable[[Any], T], *, commits: bool = False) -> T:
        """What ``run`` makes of a driver's connection in autocommit.

        Also raises the core's errors for the driver's; CommitUnknown where the connection is lost while ``run`` does
        what ``commits`` by itself.
        """
        self.require_open()
        try:
            return pool_of(self.engine).lend(run)
        except ConnectionLost as lost:
            raise (CommitUnknown() if commits else translate(lost.error, self.where)) from lost.error
        except self._errors as error:
            raise translate(error, self.where) from error

    def close(self) -> None:
        """Close the connections that are not in use, and hand out no more."""
        self._is_closed = True
        self.engine.dispose()
