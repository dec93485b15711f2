"""Idempotency keys: a request that is sent twice under one key has one effect, and is answered alike.

The header and its meaning are those of draft-ietf-httpapi-idempotency-key-header-07. What makes it hold is that the
answer is committed together with the effect: there is never one without the other, whatever breaks down in between.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from contextvars import ContextVar
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

import attrs

from kgl_core.changes import Change
from kgl_core.entities import Entity
from kgl_core.errors import KglError, RequestInFlight
from kgl_core.ids import Clock
from kgl_core.permissions import Actor
from kgl_core.unit_of_work import SWEPT_MAX, Store, UnitOfWork, create_in

KEPT_FOR: Final = timedelta(hours=24)
"""How long an answer is kept; after that its key is as if never used."""


@attrs.frozen
class IdempotencyKey:
    """A key as a caller gave it; None is a caller that nobody knows. Nothing that is kept can be read without it."""

    text: str = attrs.field(repr=False)
    caller: Actor | None

    @property
    def id(self) -> bytes:
        """The 32 bytes that an answer is kept by. Callers who choose the same text do not meet."""
        scope = "nobody" if self.caller is None else str(self.caller)
        return hashlib.sha256(json.dumps([scope, self.text]).encode()).digest()

    def fingerprint(self, request: Iterable[str], body: Iterable[bytes]) -> bytes:
        """32 bytes that tell a request from any other under this key, and tell nobody else what it was."""
        mac = hmac.new(self.text.encode(), json.dumps(list(request)).encode() + b"\n", hashlib.sha256)
        for chunk in body:
            mac.update(chunk)
        return mac.digest()


@attrs.frozen
class KeptAnswer:
    """What a request was answered, sealed, and the fingerprint of that request."""

    id: bytes
    fingerprint: bytes = attrs.field(repr=False)
    answer: bytes = attrs.field(repr=False)
    created_at: datetime
    expires_at: datetime

    def answers(self, fingerprint: bytes) -> bool:
        """Whether it was this request that was answered so."""
        return hmac.compare_digest(self.fingerprint, fingerprint)


class AnswerRepository(Protocol):
    """Keeps answers, by ids of 32 bytes. Every method sees what its unit of work sees."""

    def get(self, id: bytes) -> KeptAnswer | None:
        """The answer with this id, also when it has expired; None when there is none."""

    def claim(self, id: bytes) -> bool:
        """Whether no other unit of work has claimed this id; then none can until this one ends. Waits for nobody."""

    def add(self, answer: KeptAnswer) -> None:
        """Keep a new answer. Raises AlreadyExists when there is one with this id."""

    def delete(self, id: bytes) -> None:
        """Forget the answer with this id, if there is one."""

    def delete_expired(self, now: datetime, limit: int) -> int:
        """Forget up to ``limit`` answers that have expired at ``now``; returns how many it forgot."""


class AnswerSeal(Protocol):
    """Port: seals answers so that only who knows the key of the request can read them; shared by threads."""

    def seal(self, key: IdempotencyKey, answer: bytes) -> bytes:
        """The answer, encrypted and protected against changes."""

    def unseal(self, key: IdempotencyKey, sealed: bytes) -> bytes:
        """The answer that was sealed under this key. Raises ValueError for anything else."""


class AnswerKept(Exception):
    """The request needs no work: ``kept`` answers it. Not an error, so it is no KglError."""

    def __init__(self, kept: KeptAnswer) -> None:
        self.kept = kept
        super().__init__("this request was answered before; send that answer again")


class Hold:
    """What one request does in a store, held back until its answer is known. It belongs to one thread."""

    def __init__(self, store: Store, id: bytes, now: Clock) -> None:
        self._store, self._id, self._now = store, id, now
        self._open = ExitStack()
        self.uow: UnitOfWork | None = None
        """What a use case has committed, as it sees it; None as long as none has."""

    @contextmanager
    def begin(self) -> Iterator[UnitOfWork]:
        """As `Store.begin`; raises RequestInFlight and AnswerKept as well, before anything is done."""
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
        """Keep the answer together with its effect. Without an effect nothing is kept: to repeat it does no harm."""
        if self.uow is None:
            return
        now = self._now()
        self.uow.answers.add(KeptAnswer(self._id, fingerprint, answer, now, now + KEPT_FOR))
        self.uow.answers.delete_expired(now, SWEPT_MAX)
        self.release()

    def release(self) -> None:
        """Keep the effect, if there is one, without an answer."""
        if self.uow is not None:
            uow, self.uow = self.uow, None
            uow.commit()

    def abandon(self) -> None:
        """Leave no trace of what was not kept; at the end, in any case."""
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
    """A unit of work whose commit only says that it is to be committed."""

    def __init__(self, uow: UnitOfWork) -> None:
        self._uow = uow
        self.is_committed = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._uow, name)

    def commit(self) -> None:
        self.is_committed = True


class HeldStore:
    """A `kgl_core.unit_of_work.Store` around another, in which what a request does can be held back.

    Between requests with a key, and for those without, it is as the other. While a thread holds, all its units of work
    are one transaction, which ends with the request.
    """

    def __init__(self, store: Store, now: Clock) -> None:
        self._store, self._now = store, now
        self._current: ContextVar[Hold | None] = ContextVar("hold", default=None)

    def find(self, id: bytes) -> KeptAnswer | None:
        """The answer with this id that has not expired, at the cost of a reading call; None when there is none."""
        with self._store.read() as uow:
            kept = uow.answers.get(id)
        return kept if kept is not None and self._now() < kept.expires_at else None

    @contextmanager
    def hold(self, id: bytes) -> Iterator[Hold]:
        """Hold back what this thread does in the block. Left without `Hold.finish` or `Hold.release`, it is undone.

        A use case that commits and then raises one of our errors means both, such as the end of a login whose refresh
        token was used twice: that is kept.
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

    def begin(self) -> AbstractContextManager[UnitOfWork]:
        hold = self._current.get()
        return self._store.begin() if hold is None else hold.begin()

    def create(self, entity: Entity, change: Change) -> None:
        if self._current.get() is None:
            self._store.create(entity, change)
        else:
            create_in(self, entity, change)

    def read(self) -> AbstractContextManager[UnitOfWork]:
        hold = self._current.get()
        return self._store.read() if hold is None or hold.uow is None else nullcontext(hold.uow)

    def snapshot(self) -> AbstractContextManager[UnitOfWork]:
        hold = self._current.get()
        return self._store.snapshot() if hold is None or hold.uow is None else nullcontext(hold.uow)

    def snapshot_at_place(self) -> AbstractContextManager[tuple[UnitOfWork, str]]:
        return self._store.snapshot_at_place()

    def rehearse(self) -> AbstractContextManager[UnitOfWork]:
        hold = self._current.get()
        return self._store.rehearse() if hold is None or hold.uow is None else hold.uow.begin()

    def close(self) -> None:
        self._store.close()
