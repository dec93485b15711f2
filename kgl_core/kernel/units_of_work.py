"""Units of work: how use cases reach the repositories, and how their changes are committed.

Without a commit, nothing is kept. A unit of work belongs to one thread; a store is shared by many.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial, wraps
from typing import Any, Concatenate, Final, ParamSpec, Protocol, TypeVar

import attrs

from kgl_core.access.oauth_clients import ClientRepository
from kgl_core.access.throttling import CounterRepository
from kgl_core.access.tokens import RefreshTokenRepository, RevocationRepository
from kgl_core.access.users import UserRepository
from kgl_core.evidence.assertions import AssertionRepository
from kgl_core.exploration.patterns import Patterns
from kgl_core.exploration.search.names import Names
from kgl_core.exploration.walks import Walks
from kgl_core.graph.entities import EntityRepository
from kgl_core.graph.journal.changes import Change, ChangeAction, ChangeLog
from kgl_core.graph.relationships import RelationshipRepository
from kgl_core.kernel.errors import Conflict
from kgl_core.kernel.idempotency import AnswerRepository
from kgl_core.kernel.ids import Clock, IdSource, RunId
from kgl_core.kernel.nouns.noun import Noun
from kgl_core.kernel.nouns.records import Kept, Record
from kgl_core.kernel.nouns.repositories import Repository
from kgl_core.kernel.permissions import Actor
from kgl_core.storage.checking.inspection import Inspection

SWEPT_MAX: Final = 100
"""How many expired rows one call deletes: more than it adds, and few enough not to be noticed."""

P = ParamSpec("P")
T = TypeVar("T")
R = TypeVar("R", bound=Kept)
F = TypeVar("F")
V = TypeVar("V")


class UnitOfWork(Protocol):
    """The repositories over one view of the store, and the commit."""

    def of(self, noun: Noun[R, Any, F, V]) -> Repository[R, F, V]:
        """The repository of a noun's records."""

    # The same for the nouns whose repositories can do more, or are used most.
    @property
    def entities(self) -> EntityRepository: ...
    @property
    def relationships(self) -> RelationshipRepository: ...
    @property
    def assertions(self) -> AssertionRepository: ...
    @property
    def changes(self) -> ChangeLog: ...
    @property
    def users(self) -> UserRepository: ...
    @property
    def clients(self) -> ClientRepository: ...
    @property
    def refresh_tokens(self) -> RefreshTokenRepository: ...
    @property
    def revocations(self) -> RevocationRepository: ...
    @property
    def counters(self) -> CounterRepository: ...
    @property
    def answers(self) -> AnswerRepository: ...
    @property
    def walks(self) -> Walks: ...
    @property
    def patterns(self) -> Patterns: ...
    @property
    def names(self) -> Names: ...
    @property
    def inspection(self) -> Inspection: ...

    def commit(self) -> None:
        """Commit all that was done. Call it once at most, and last. Raises a StoreError when it fails."""

    def begin(self) -> AbstractContextManager[UnitOfWork]:
        """A unit of work within this one: without a commit, it undoes what was done in it, and only that."""

    def reading(self) -> AbstractContextManager[UnitOfWork]:
        """This unit of work, for calls that read together: what limits them in time ends with the block."""


class Store(Protocol):
    """Opens units of work; shared by threads. Every method raises StoreClosed after `close`."""

    def begin(self, *, adds_only: bool = False) -> AbstractContextManager[UnitOfWork]:
        """A unit of work that reads and writes. Without a commit, it leaves no trace.

        With ``adds_only``, it does nothing but add records and append changes, and what these raise may be raised by
        the commit: a database can then do everything at once.
        """

    def read(self) -> AbstractContextManager[UnitOfWork]:
        """A unit of work for one call that reads: it sees what is committed at that call."""

    def snapshot(self) -> AbstractContextManager[UnitOfWork]:
        """A unit of work for several calls that read: all see what was committed at the first. No writer waits."""

    def snapshot_at_place(self) -> AbstractContextManager[tuple[UnitOfWork, str]]:
        """A snapshot, and the cursor of its place in the log of changes.

        The snapshot has every change up to the place. If units of work committed out of order, it may also have some
        changes that come after the place; every change is in at least one of the two.
        """

    def rehearse(self) -> AbstractContextManager[UnitOfWork]:
        """A unit of work over a snapshot, to try out what would be written: nothing is kept.

        Units of work within it see what the others within it have committed. No writer has to wait. It has the
        repositories of the graph's nouns only, with what a load needs of them.
        """

    def close(self) -> None:
        """Return every connection. A second call does nothing."""


class Retry(Protocol):
    """Runs a transaction, and runs it again when it was undone because a concurrent one came first."""

    def __call__(self, run: Callable[[], T], *also: type[Conflict]) -> T:
        """Return what ``run`` returns, which begins and commits one unit of work at every call.

        ``run`` is called again, a few times and after a short wait, when it raises TransactionConflict or one of
        ``also``; the last of these errors is raised. Any other error, above all CommitUnknown, is raised at once.
        """


def once(run: Callable[[], T], *also: type[Conflict]) -> T:
    """The `Retry` that runs nothing again: for parts of a transaction that its caller can repeat."""
    return run()


class JoinedStore:
    """A store within an open unit of work, so that several use cases are committed together or not at all."""

    def __init__(self, uow: UnitOfWork) -> None:
        self._uow = uow

    def begin(self, *, adds_only: bool = False) -> AbstractContextManager[UnitOfWork]:
        return self._uow.begin()

    def read(self) -> AbstractContextManager[UnitOfWork]:
        return self._uow.reading()

    def snapshot(self) -> AbstractContextManager[UnitOfWork]:
        return self._uow.reading()

    def snapshot_at_place(self) -> AbstractContextManager[tuple[UnitOfWork, str]]:
        raise AssertionError("what an open unit of work sees has no place in the log of changes yet")

    def rehearse(self) -> AbstractContextManager[UnitOfWork]:
        return self._uow.begin()

    def close(self) -> None:
        """Nothing: the outer store owns the connection."""


@attrs.frozen
class Context:
    """What use cases work with: the store, the actor, the clock, the source of ids, and what retries transactions.

    ``run`` is the run that changes are part of, if there is one.
    """

    store: Store
    actor: Actor
    now: Clock
    new_id: IdSource
    retry: Retry = once
    run: RunId | None = None

    def acting_as(self, actor: Actor) -> Context:
        """The same for another actor. Written by hand because every request needs it, and attrs.evolve is slow."""
        return Context(self.store, actor, self.now, self.new_id, self.retry, self.run)

    def change(self, action: ChangeAction, record: Record) -> Change:
        """The change by this actor that made the record what it is."""
        return Change(record.updated_at, self.actor, action, record, run=self.run)


class _UseCase(Protocol):
    _context: Context


U = TypeVar("U", bound=_UseCase)


def transaction(method: Callable[Concatenate[U, P], T]) -> Callable[Concatenate[U, P], T]:
    """Make a use case's method run again as a whole when its unit of work conflicts with a concurrent one.

    It is for methods that commit at most one unit of work, as their last step, and do nothing else that lasts or takes
    long: they hash no password and call no other such method.
    """

    @wraps(method)
    def run_through_retry(use_case: U, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return use_case._context.retry(partial(method, use_case, *args, **kwargs))

    return run_through_retry
