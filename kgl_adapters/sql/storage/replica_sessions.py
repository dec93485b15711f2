"""Reads entities and relationships from a replica, and all else from the primary."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import CursorResult
from sqlalchemy.sql import Executable

from kgl_adapters.sql.engine.connections import Connections
from kgl_adapters.sql.engine.encoding import Encoding
from kgl_adapters.sql.engine.queries import Query
from kgl_adapters.sql.engine.sessions import Parameters, Session
from kgl_adapters.sql.storage.replica_lag import Replica
from kgl_core.kernel.errors import TransactionConflict
from kgl_core.kernel.store_errors import StoreBusy, StoreClosed, StoreError

T = TypeVar("T")


class ReplicatedSession(Session):
    """Runs statements on the replica, and on the primary from the first one that fails there.

    A snapshot that was read from can't move to another server: an error is raised then.
    """

    def __init__(
        self, connections: Connections, encoding: Encoding, replica: Replica, *, in_snapshot: bool = False
    ) -> None:
        super().__init__(connections, encoding, in_snapshot=in_snapshot)
        self._replica = replica
        self._there: Session | None = Session(replica.connections, encoding, in_snapshot=in_snapshot)
        self._is_settled = False

    def close(self) -> None:
        super().close()
        if self._there is not None:
            self._there.close()

    def limit_time(self) -> None:
        super().limit_time()
        if self._there is not None:
            self._there.limit_time()

    def lift_limit(self) -> None:
        super().lift_limit()
        if self._there is not None:
            self._there.lift_limit()

    def set_locally(self, name: str, value: str) -> None:
        super().set_locally(name, value)
        if self._there is not None:
            self._there.set_locally(name, value)

    def execute(self, statement: Executable, parameters: Parameters | None = None) -> CursorResult[*tuple[Any, ...]]:
        here = partial(super().execute, statement, parameters)
        return self._run_there(lambda there: there.execute(statement, parameters), here)

    def fetch(self, query: Query, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        return self._run_there(lambda there: there.fetch(query, parameters), partial(super().fetch, query, parameters))

    def _run_there(self, run: Callable[[Session], T], here: Callable[[], T]) -> T:
        if self._there is None:
            return here()
        try:
            found = run(self._there)
        except (StoreBusy, StoreClosed):
            raise
        except (StoreError, TransactionConflict) as error:  # also where its replay has ended the statement
            if self._is_settled:
                raise
            self._replica.leave_out(error)
        else:
            self._is_settled = self._in_snapshot
            return found
        there, self._there = self._there, None
        there.close()
        return here()
