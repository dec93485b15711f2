"""Readiness: whether the service can serve, and which part is in the way if it can't."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from datetime import timedelta
from typing import Final
from uuid import UUID

import attrs
import structlog

from kgl_adapters.clock_and_ids import now
from kgl_core.access.tokens import AccessClaims, TokenSigner
from kgl_core.kernel.errors import KglError
from kgl_core.kernel.permissions import Actor, ActorKind, Role
from kgl_core.kernel.store_errors import MigrationNeeded, SchemaTooNew
from kgl_http.api.problems import PROBLEMS

DATABASE_MAX_S: Final = 1.0
NOBODY: Final = UUID(int=0)
_SUBJECT: Final = Actor(ActorKind.USER, str(NOBODY), Role.USER)
_MINUTE: Final = timedelta(minutes=1)

_log = structlog.get_logger("kgl_http.server.readiness")


@attrs.frozen
class Check:
    """One part: whether it is in order, and what to do if it is not. Without one that is not needed, all is served."""

    name: str
    is_ok: bool
    detail: str | None = None
    is_needed: bool = True

    @property
    def is_in_the_way(self) -> bool:
        """Whether the service can't serve because of it."""
        return self.is_needed and not self.is_ok

    @property
    def status(self) -> str:
        """The part's state in a word."""
        return "ok" if self.is_ok else "failed" if self.is_needed else "degraded"


class Readiness:
    """Looks at the database, its schema and the signing key.

    ``require_head`` asks the database, and raises KglError when it is not at head or can't be reached.
    ``replica_problem`` says why the replica answers no reads, and is None where there is no replica.
    """

    def __init__(
        self,
        require_head: Callable[[], None],
        signer: TokenSigner,
        replica_problem: Callable[[], str | None] | None = None,
    ) -> None:
        self._require_head, self._signer, self._replica_problem = require_head, signer, replica_problem
        # One thread: a database that hangs holds up one check, and not one more with every request.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="readiness")
        self._running: Future[None] | None = None

    def check(self) -> Sequence[Check]:
        """Every part, within DATABASE_MAX_S and a little."""
        return [*self._check_database(), *self._check_replica(), self._check_key()]

    def close(self) -> None:
        """End the thread; a check that hangs is not waited for."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _check_replica(self) -> Sequence[Check]:
        if self._replica_problem is None:
            return []
        problem = self._replica_problem()
        detail = None if problem is None else f"The primary answers all reads: {problem}."
        return [Check("replica", problem is None, detail, is_needed=False)]

    def _check_key(self) -> Check:
        at = now().replace(microsecond=0)
        claims = AccessClaims(subject=_SUBJECT, auth_version=1, id=NOBODY, issued_at=at, expires_at=at + _MINUTE)
        try:
            is_ok = self._signer.verify(self._signer.sign(claims), at) == claims
        except Exception as error:
            return _failed("signing_key", error)
        return Check("signing_key", is_ok, None if is_ok else "a token that it signs does not come back as it was")

    def _check_database(self) -> Sequence[Check]:
        running = self._running
        if running is None or running.done():
            running = self._running = self._thread.submit(self._require_head)
        try:
            running.result(DATABASE_MAX_S)
        except FutureTimeout:
            detail = f"the database did not answer within {DATABASE_MAX_S:g} s"
            return [Check("database", False, detail), Check("schema", False, "unknown: the database did not answer")]
        except (MigrationNeeded, SchemaTooNew) as error:
            return [Check("database", True), _failed("schema", error)]
        except Exception as error:  # whatever it is, the service can't serve
            return [_failed("database", error), Check("schema", False, "unknown: see the database")]
        return [Check("database", True), Check("schema", True)]


def _failed(part: str, error: Exception) -> Check:
    # Anybody may ask: the log has the whole message, which names hosts and users.
    code = error.code if isinstance(error, KglError) else ""
    _log.warning("Not ready", part=part, detail=str(error), exc_info=None if code else error)
    problem = PROBLEMS.get(code, PROBLEMS["internal_error"])
    return Check(part, False, f"{problem.title}. {problem.explanation}")
