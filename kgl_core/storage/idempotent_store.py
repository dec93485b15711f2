"""A store that holds back what a request does, and commits it together with the request's answer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from contextvars import ContextVar
from typing import Any

from kgl_core.kernel.errors import KglError, RequestInFlight
from kgl_core.kernel.idempotency import KEPT_FOR, AnswerKept, KeptAnswer
from kgl_core.kernel.ids import Clock
from kgl_core.kernel.units_of_work import SWEPT_MAX, Store, UnitOfWork


class Hold:
    """What one request does in a store, held back until its answer is known. It belongs to one thread."""

    def __init__(self, store: Store, id: bytes, now: Clock) -> None:
        self._store, self._id, self._now = store, id, now
        self._open = ExitStack()
        self.uow: UnitOfWork | None = None
        """What a use case has committed, as a unit of work; None until one has."""

    @contextmanager
    def begin(self) -> Iterator[UnitOfWork]:
        """Like `Store.begin`, but also raises RequestInFlight and AnswerKept, before anything is done."""
        if self.uow is not None:
            with self.uow.begin() as nested:
                yield nested
            return
        with ExitStack() as stack:
            uow = stack.enter_context(self._store.begin())
            self._claim(uow)
            held = _HeldUnitOfWork(uow)
            try:
                yield held
            finally:
                if held.is_committed:
                    self.uow, self._open = uow, stack.pop_all()

    def finish(self, fingerprint: bytes, answer: bytes) -> None:
        """Commit the effect and its answer. Without an effect nothing is stored: repeating it does no harm."""
        if self.uow is None:
            return
        now = self._now()
        self.uow.answers.add(KeptAnswer(self._id, fingerprint, answer, now, now + KEPT_FOR))
        self.uow.answers.delete_expired(now, SWEPT_MAX)
        self.release()

    def release(self) -> None:
        """Commit the effect, if there is one, without an answer."""
        if self.uow is not None:
            uow, self.uow = self.uow, None
            uow.commit()

    def abandon(self) -> None:
        """Undo what was not committed. To be called at the end in any case."""
        self.uow = None
        self._open.close()

    def _claim(self, uow: UnitOfWork) -> None:
        if not uow.answers.claim(self._id):
            raise RequestInFlight
        kept = uow.answers.get(self._id)
        if kept is not None:
            if self._now() < kept.expires_at:
                raise AnswerKept(kept)
            uow.answers.delete(self._id)


class _HeldUnitOfWork:
    """A unit of work whose commit is only noted, for later."""

    def __init__(self, uow: UnitOfWork) -> None:
        self._uow = uow
        self.is_committed = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._uow, name)

    def commit(self) -> None:
        self.is_committed = True


class HeldStore:
    """A `kgl_core.kernel.units_of_work.Store` around another one, which can hold back what a request does.

    Without `hold`, it works like the other store. While a thread holds, all its units of work are one transaction,
    which ends with the request.
    """

    def __init__(self, store: Store, now: Clock) -> None:
        self._store, self._now = store, now
        self._current: ContextVar[Hold | None] = ContextVar("hold", default=None)

    def find(self, id: bytes) -> KeptAnswer | None:
        """The answer with this id, unless it has expired, at the cost of one read; None when there is none."""
        with self._store.read() as uow:
            kept = uow.answers.get(id)
        return kept if kept is not None and self._now() < kept.expires_at else None

    @contextmanager
    def hold(self, id: bytes) -> Iterator[Hold]:
        """Hold back what this thread does in the block; without `Hold.finish` or `Hold.release`, it is undone.

        A use case that commits and then raises one of kgl's errors means both, as when a refresh token that is used
        twice ends the login: what it committed is kept.
        """
        hold = Hold(self._store, id, self._now)
        before = self._current.set(hold)
        try:
            yield hold
        except KglError:
            hold.release()
            raise
        finally:
            self._current.reset(before)
            hold.abandon()

    def begin(self, *, adds_only: bool = False) -> AbstractContextManager[UnitOfWork]:
        hold = self._current.get()
        return self._store.begin(adds_only=adds_only) if hold is None else hold.begin()

    def read(self) -> AbstractContextManager[UnitOfWork]:
        hold = self._current.get()
        return self._store.read() if hold is None or hold.uow is None else hold.uow.reading()

    def snapshot(self) -> AbstractContextManager[UnitOfWork]:
        hold = self._current.get()
        return self._store.snapshot() if hold is None or hold.uow is None else hold.uow.reading()

    def snapshot_at_place(self) -> AbstractContextManager[tuple[UnitOfWork, str]]:
        return self._store.snapshot_at_place()

    def rehearse(self) -> AbstractContextManager[UnitOfWork]:
        hold = self._current.get()
        return self._store.rehearse() if hold is None or hold.uow is None else hold.uow.begin()

    def close(self) -> None:
        self._store.close()
