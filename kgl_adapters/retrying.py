"""Transactions that run again when a concurrent one came first, by stamina."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

import stamina

from kgl_core.errors import Conflict, TransactionConflict

TRIES_MAX: Final = 4
_WAIT_FIRST_S: Final = 0.01
_WAIT_MAX_S: Final = 0.1
_JITTER_MAX_S: Final = 0.04  # lest two that met wait as long and meet again

T = TypeVar("T")


def retry(run: Callable[[], T], *also: type[Conflict]) -> T:
    """A `kgl_core.unit_of_work.Retry`: up to TRIES_MAX tries, with waits of 10 to 100 ms that differ by chance.

    It runs a block and hands stamina no arguments, so that whatever hook is told of a retry sees no record, password
    or token. The first try, which nearly always is the only one, goes without stamina: it would add a tenth to a write.
    """
    conflicts: tuple[type[Conflict], ...] = (TransactionConflict, *also)
    try:
        return run()
    except conflicts as error:
        first = error
    for attempt in stamina.retry_context(
        on=conflicts,
        attempts=TRIES_MAX,
        timeout=None,
        wait_initial=_WAIT_FIRST_S,
        wait_max=_WAIT_MAX_S,
        wait_jitter=_JITTER_MAX_S,
    ):
        with attempt:
            if attempt.num == 1:
                raise first
            return run()
    raise AssertionError("unreachable: the last attempt returns or raises")
