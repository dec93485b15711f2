"""Units of work: how use cases reach the repositories, and what is kept.

Nothing is kept unless committed. A unit of work belongs to one thread; a store serves many.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial, wraps
from typing import TYPE_CHECKING, Concatenate, Final, ParamSpec, Protocol, TypeVar

import attrs

from kgl_core.access.oauth_clients import ClientRepository
from kgl_core.access.throttling import CounterRepository
from kgl_core.access.tokens import RefreshTokenRepository, RevocationRepository
from kgl_core.access.users import UserRepository
from kgl_core.graph.changes import Change, ChangeLog
from kgl_core.graph.entities import Entity, EntityRepository
from kgl_core.graph.relationships import RelationshipRepository
from kgl_core.kernel.errors import Conflict
from kgl_core.kernel.ids import Clock, IdSource
from kgl_core.kernel.permissions import Actor

if TYPE_CHECKING:  # they are about units of work themselves
    from kgl_core.kernel.idempotency import AnswerRepository
    from kgl_core.storage.checking.inspection import Inspection

SWEPT_MAX: Final = 100
"""How many expired rows one call forgets: more than it adds, and few enough not to be noticed."""

P = ParamSpec("P")
T = TypeVar("T")


class UnitOfWork(Protocol):
    """The repositories over one view of the store, and the decision to keep what was done through them."""

    @property
    def entities(self) -> EntityRepository: ...
    @property
    def relationships(self) -> RelationshipRepository: ...
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
    def inspection(self) -> Inspection: ...

    def commit(self) -> None:
        """Keep all that was done; at most once, as the last call. Raises a StoreError when that fails."""

    def begin(self) -> AbstractContextManager[UnitOfWork]:
        """A unit of work within this one: left without a commit, it takes back what was done in it, and only that."""


class Store(Protocol):
    """Opens units of work; shared by threads. Every method raises StoreClosed after `close`."""

    def begin(self) -> AbstractContextManager[UnitOfWork]:
        """A unit of work that reads and writes. Left without a commit, it leaves no trace."""

    def create(self, entity: Entity, change: Change) -> None:
        """Keep a new entity and the change that it is, in a unit of work of their own. Raises as these do.

        The most frequent of all writes, for which a database may have a shorter way.
        """

    def read(self) -> AbstractContextManager[UnitOfWork]:
        """A unit of work for one reading call: what is committed at that call."""

    def snapshot(self) -> AbstractContextManager[UnitOfWork]:
        """A unit of work for several reading calls: all see what was committed at the first, and hold up no writer."""

    def snapshot_at_place(self) -> AbstractContextManager[tuple[UnitOfWork, str]]:
        """A snapshot, and the cursor of the place in the log of changes at which it was taken.

        The snapshot has every change up to the place. Where units of work write beside each other it may also have
        some that are read on after the place, as they were committed out of order; no change is in neither.
        """

    def rehearse(self) -> AbstractContextManager[UnitOfWork]:
        """A unit of work over a snapshot, for trying out what would be written: nothing of it is kept.

        What is committed in units of work within it, these show to each other. It holds up no writer. Of repositories
        it has those of entities and relationships, with what a load asks of them.
        """

    def close(self) -> None:
        """Return every connection. Closing twice is closing once."""


def create_in(store: Store, entity: Entity, change: Change) -> None:
    """What `Store.create` does, for stores that have no shorter way."""
    with store.begin() as uow:
        uow.entities.add([entity])
        uow.changes.append([change])
        uow.commit()


class Retry(Protocol):
    """Runs whole transactions, and again those that were undone because a concurrent one came first."""

    def __call__(self, run: Callable[[], T], *also: type[Conflict]) -> T:
        """What ``run`` returns, which begins and commits one unit of work each time that it is called.

        It is called again, a few times and after a short wait, when it raises TransactionConflict or one of ``also``;
        what it raises at last is raised, and any other error, CommitUnknown above all, at once.
        """


def once(run: Callable[[], T], *also: type[Conflict]) -> T:
    """The `Retry` that runs nothing again: for what is part of a transaction that its own caller can repeat."""
    return run()


class JoinedStore:
    """A store within an open unit of work, so that several use cases are kept, or not, together."""

    def __init__(self, uow: UnitOfWork) -> None:
        self._uow = uow

    def begin(self) -> AbstractContextManager[UnitOfWork]:
        return self._uow.begin()

    def create(self, entity: Entity, change: Change) -> None:
        create_in(self, entity, change)

    def read(self) -> AbstractContextManager[UnitOfWork]:
        return nullcontext(self._uow)

    def snapshot(self) -> AbstractContextManager[UnitOfWork]:
        return nullcontext(self._uow)

    def snapshot_at_place(self) -> AbstractContextManager[tuple[UnitOfWork, str]]:
        raise AssertionError("what an open unit of work sees has no place in the log of changes yet")

    def rehearse(self) -> AbstractContextManager[UnitOfWork]:
        return self._uow.begin()

    def close(self) -> None:
        """Nothing: the outer store owns the connection."""


@attrs.frozen
class Context:
    """The store that is worked on, who acts, where time and ids come from, and what runs transactions again."""

    store: Store
    actor: Actor
    now: Clock
    new_id: IdSource
    retry: Retry = once

    def acting_as(self, actor: Actor) -> Context:
        """The same on behalf of another. By hand, because it comes with every request: attrs.evolve takes long."""
        return Context(self.store, actor, self.now, self.new_id, self.retry)


class _UseCase(Protocol):
    _context: Context


U = TypeVar("U", bound=_UseCase)


def transaction(method: Callable[Concatenate[U, P], T]) -> Callable[Concatenate[U, P], T]:
    """A method of a use case that runs as a whole again when its unit of work conflicts with a concurrent one.

    It is for methods that commit at most one unit of work, as their last step, and do nothing else that lasts or takes
    long: none hashes a password, and none calls another of its kind.
    """

    @wraps(method)
    def run_through_retry(use_case: U, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return use_case._context.retry(partial(method, use_case, *args, **kwargs))

    return run_through_retry
