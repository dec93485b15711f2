"""A store that reports the changes that were committed in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from uuid import UUID

from kgl_core.graph.journal.changes import Change, ChangeLog
from kgl_core.kernel.units_of_work import Store, UnitOfWork

Observer = Callable[[Sequence[Change]], object]


class ObservedStore:
    """A `kgl_core.kernel.units_of_work.Store` over another. Calls ``observer`` with changes once they are committed."""

    def __init__(self, store: Store, observer: Observer) -> None:
        self._store, self._observer = store, observer
        self.read, self.snapshot, self.rehearse, self.close = store.read, store.snapshot, store.rehearse, store.close
        self.snapshot_at_place = store.snapshot_at_place

    @contextmanager
    def begin(self, *, adds_only: bool = False) -> Iterator[UnitOfWork]:
        with self._store.begin(adds_only=adds_only) as uow:
            yield _ObservedUnitOfWork(uow, self._observer)


class _ObservedUnitOfWork:
    def __init__(self, uow: UnitOfWork, observer: Observer) -> None:
        self._uow, self._observer = uow, observer
        self._changes: list[Change] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._uow, name)

    @property
    def changes(self) -> ChangeLog:
        return _ObservedChangeLog(self._uow.changes, self._changes)

    def commit(self) -> None:
        self._uow.commit()
        self._observer(self._changes)

    def begin(self) -> AbstractContextManager[UnitOfWork]:
        return self._nested()

    @contextmanager
    def _nested(self) -> Iterator[UnitOfWork]:
        with self._uow.begin() as uow:
            yield _ObservedUnitOfWork(uow, self._changes.extend)


class _ObservedChangeLog:
    def __init__(self, log: ChangeLog, appended: list[Change]) -> None:
        self._log, self._appended = log, appended

    def read(self, after: str | None, limit: int, run: UUID | None = None) -> Sequence[Change]:
        return self._log.read(after, limit, run)

    def count_by_action(self, run: UUID) -> dict[str, int]:
        return self._log.count_by_action(run)

    def count(self) -> int:
        return self._log.count()

    def append(self, changes: Sequence[Change]) -> None:
        self._log.append(changes)
        self._appended.extend(changes)
