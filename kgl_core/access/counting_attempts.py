"""Counts attempts to log in, to register and the like, in transactions of their own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from kgl_core.access.throttling import Attempt, count
from kgl_core.kernel.errors import Overloaded, TransactionConflict
from kgl_core.kernel.store_errors import StoreError
from kgl_core.kernel.units_of_work import SWEPT_MAX, Context, transaction


class AttemptCounter:
    """Counts attempts; shared by threads. Every method raises StoreError when the store is in trouble."""

    def __init__(self, context: Context) -> None:
        self._context = context

    @contextmanager
    def counted(self, attempts: tuple[Attempt, ...]) -> Iterator[None]:
        """Count an attempt to do what the block does. Raises TooManyAttempts before the block runs.

        An attempt that fails still counts, unless it fails because kgl is too busy or its store is in trouble.
        """
        self.count(attempts)
        try:
            yield
        except (Overloaded, StoreError, TransactionConflict):
            with suppress(StoreError, TransactionConflict):  # the first error says more
                self._uncount(attempts)
            raise

    @transaction
    def count(self, attempts: tuple[Attempt, ...]) -> None:
        """Count an attempt. Raises TooManyAttempts."""
        now = self._context.now()
        with self._context.store.begin() as uow:
            count(uow.counters, attempts, now)
            uow.counters.delete_expired(now, SWEPT_MAX)
            uow.commit()

    @transaction
    def _uncount(self, attempts: tuple[Attempt, ...]) -> None:
        with self._context.store.begin() as uow:
            uow.counters.decrement([attempt.key for attempt in attempts])
            uow.commit()
