"""What every use case is bound to."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, wraps
from typing import Concatenate, ParamSpec, Protocol, TypeVar

import attrs

from kgl_core.ids import Clock, IdSource
from kgl_core.permissions import Actor
from kgl_core.unit_of_work import Retry, Store, once

P = ParamSpec("P")
T = TypeVar("T")


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
