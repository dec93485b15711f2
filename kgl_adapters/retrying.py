"""Runs a transaction again if it lost against a concurrent one."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from time import sleep
from typing import Final, TypeVar

from kgl_core.kernel.errors import Conflict, TransactionConflict

TRIES_MAX: Final = 4
_WAIT_FIRST_S: Final = 0.01
_WAIT_MAX_S: Final = 0.1
_JITTER_MAX_S: Final = 0.04  # lest two that met wait as long and meet again

T = TypeVar("T")

_log = logging.getLogger(__name__)


def retry(run: Callable[[], T], *also: type[Conflict]) -> T:
    """A `kgl_core.kernel.units_of_work.Retry`: up to TRIES_MAX tries, with waits of 10 to 100 ms that differ by chance.

    What it logs, at INFO, quotes nothing of what is run: that may hold records, passwords and tokens.
    """
    conflicts: tuple[type[Conflict], ...] = (TransactionConflict, *also)
    for tries in range(1, TRIES_MAX):
        try:
            return run()
        except conflicts:
            _log.info("Transaction conflict: it runs again after %d of %d tries", tries, TRIES_MAX)
        sleep(min(_WAIT_MAX_S, _WAIT_FIRST_S * 2 ** (tries - 1) + random.uniform(0, _JITTER_MAX_S)))  # noqa: S311
    return run()
