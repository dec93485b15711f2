"""SQLAlchemy's pool of connections, which also lends one to the driver for a single statement."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

from sqlalchemy import Engine, QueuePool, event

T = TypeVar("T")
_IS_TAKEN: Final = "kgl_is_taken"


class ConnectionLost(Exception):
    """A connection was lost while it was lent, by this error of the driver."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        super().__init__(str(error))


def _nothing() -> None:
    """What nobody watches."""


class LendingPool(QueuePool):
    """A pool whose connections can be had in two ways, under the same limits.

    SQLAlchemy's own way makes objects that are watched for being lost, and undoes at its end what is open. A statement
    in autocommit needs neither, and in a short request they would take a tenth of the time.
    """

    _taken: Callable[[], object] = staticmethod(_nothing)
    _returned: Callable[[], object] = staticmethod(_nothing)

    def watch(self, taken: Callable[[], object], returned: Callable[[], object]) -> None:
        """Call ``taken`` for each connection that is taken from the pool, and ``returned`` when it is back."""
        self._taken, self._returned = taken, returned

        @event.listens_for(self, "checkout")
        def check_out(_: Any, entry: Any, __: Any) -> None:
            entry.record_info[_IS_TAKEN] = True
            taken()

        @event.listens_for(self, "checkin")
        def check_in(_: Any, entry: Any) -> None:
            # A connection that could not be made is checked in without having been checked out.
            if entry.record_info.pop(_IS_TAKEN, False):
                returned()

    def recreate(self) -> Any:
        """As SQLAlchemy's, for an engine that is disposed of and used again; who watches goes on."""
        again: Any = super().recreate()
        again._taken, again._returned = self._taken, self._returned
        return again

    def lend(self, run: Callable[[Any], T]) -> T:
        """What ``run`` makes of a driver's connection, on which it leaves nothing open.

        Raises ConnectionLost, other errors of the driver, and SQLAlchemy's TimeoutError where no connection becomes
        free.
        """
        dialect: Any = self._dialect
        entry: Any = self._do_get()
        self._taken()
        connection = None
        try:
            connection = entry.get_connection()
            if self._pre_ping and not dialect._do_ping_w_event(connection):
                entry.invalidate()
                connection = entry.get_connection()
            return run(connection)
        except dialect.loaded_dbapi.Error as error:
            if connection is None or not dialect.is_disconnect(error, connection, None):
                raise
            entry.invalidate(error)
            self._invalidate(entry, error, _checkin=False)  # and whatever was made before it
            raise ConnectionLost(error) from error
        except Exception:
            raise
        except BaseException as error:  # in the middle of who knows what
            entry.invalidate(error)
            raise
        finally:
            self._do_return_conn(entry)
            self._returned()


def pool_of(engine: Engine) -> LendingPool:
    """The pool of an engine that `kgl_adapters.sql.engine.make_engine` made. Raises TypeError for another one."""
    if not isinstance(engine.pool, LendingPool):
        raise TypeError("this engine's pool does not lend; make the engine with make_engine")
    return engine.pool
