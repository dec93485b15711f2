"""Every error that kgl raises on purpose, and what its caller should do.

    KglError
    ├── InvalidInput             a record or parameter breaks rules: ``faults`` names every one
    ├── InvalidCursor            a cursor that this listing did not hand out
    │   └── HistoryLost          it is from another store, or from before a backup was restored
    ├── PermissionDenied         the actor may not do this
    ├── InvalidCredentials       the email or the password is wrong, or the account is disabled
    ├── InvalidToken             a token that is forged, expired, used before, or no longer in force
    ├── OAuthError               a service client is refused: see `kgl_core.access.oauth_errors`
    ├── IdempotencyKeyReused     another request was sent with this idempotency key
    ├── RegistrationClosed       only admins can create accounts
    ├── TooManyAttempts          too many attempts: ``retry_after_s`` says how long to wait
    ├── Overloaded               kgl is too busy: ``retry_after_s`` says how long to wait
    ├── NotFound                 no such record
    │   └── Deleted              it was deleted, and can be restored
    │       └── Retired          nothing supports it any more: new evidence brings it back
    ├── Conflict                 the request is valid, but the present state of the graph rules it out
    │   ├── AlreadyExists        a key, an email or a relationship that must be unique is taken
    │   ├── EndsDeleted          a relationship's end is deleted
    │   ├── TooManyRelationships an entity has too many relationships to be deleted
    │   ├── StaleVersion         the record has changed since the caller read it
    │   ├── RequestInFlight      a request with this idempotency key is being worked on
    │   └── TransactionConflict  a concurrent transaction came first, even after retries
    └── StoreError               the store is in trouble, not the request: see `kgl_core.kernel.store_errors`

Errors carry fields and make their own message. ``code`` is stable and part of the API; messages are for people
and end with what to do next.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final
from uuid import UUID

import attrs


@attrs.frozen
class Fault:
    """One broken rule: where (a JSON Pointer, RFC 6901), which (a stable code), and what to do."""

    pointer: str
    code: str
    detail: str

    def __str__(self) -> str:
        return f"{self.pointer or 'record'}: {self.detail}"


FAULTS_MAX: Final = 100
"""How many faults one error names."""


class KglError(Exception):
    """The root of the tree: catch this to catch everything that kgl raises on purpose."""

    code: ClassVar[str] = "error"


class InvalidInput(KglError):
    """The input breaks rules; ``faults`` holds every broken one, in the order of the fields.

    After FAULTS_MAX of them a last one, ``more_faults``, says that there are more.
    """

    code = "invalid_input"

    def __init__(self, faults: Sequence[Fault]) -> None:
        if len(faults) > FAULTS_MAX:
            faults = [*faults[:FAULTS_MAX], Fault("", "more_faults", "there are more faults; mend these first")]
        self.faults = tuple(faults)
        super().__init__("; ".join(map(str, self.faults)))


class InvalidCursor(KglError):
    """The cursor is damaged, or was handed out for another filter or sort."""

    code = "invalid_cursor"

    def __init__(
        self, message: str = "this cursor does not belong to this listing; start again without a cursor"
    ) -> None:
        super().__init__(message)


class HistoryLost(InvalidCursor):
    """The cursor is from a history that this store does not have: another store's, or one lost by restoring a backup.

    ``way_out`` says how to start again.
    """

    code = "history_lost"

    def __init__(self, way_out: str) -> None:
        self.way_out = way_out
        super().__init__(f"this store's history is not the one that this cursor was read from; {way_out}")


class PermissionDenied(KglError):
    """``actor`` may not do ``action``."""

    code = "permission_denied"

    def __init__(self, actor: object, action: str, reason: str) -> None:
        self.actor, self.action = actor, action
        super().__init__(f"{actor} may not {action}: {reason}")


class InvalidCredentials(KglError):
    """The email or the password is wrong, or the account is disabled; on purpose, it does not say which."""

    code = "invalid_credentials"

    def __init__(self) -> None:
        super().__init__("email or password is wrong, or the account is disabled; check both, or ask an admin")


class InvalidToken(KglError):
    """A token cannot be used. ``reason`` is short and never quotes it."""

    code = "invalid_token"

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"this token cannot be used: {reason}; get a new one")


class IdempotencyKeyReused(KglError):
    """An idempotency key was used before, for another request."""

    code = "idempotency_key_reused"

    def __init__(self) -> None:
        super().__init__("this Idempotency-Key was used for another request; send this one with a new key")


class RegistrationClosed(KglError):
    """People can't create accounts for themselves here."""

    code = "registration_closed"

    def __init__(self) -> None:
        super().__init__("registration is closed here; ask an admin for an account")


class TooManyAttempts(KglError):
    """There were too many attempts; ``retry_after_s`` (1 or more) says in how many seconds to try again."""

    code = "too_many_attempts"

    def __init__(self, retry_after_s: int) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(f"too many attempts; try again in {retry_after_s} s")


class Overloaded(KglError):
    """Too much ``what`` is waiting; nothing was done. Try again after ``retry_after_s`` seconds."""

    code = "overloaded"

    def __init__(self, what: str, retry_after_s: int = 1) -> None:
        self.what, self.retry_after_s = what, retry_after_s
        super().__init__(f"{what} is busy; try again in {retry_after_s} s")


class NotFound(KglError):
    """There is no such record."""

    code = "not_found"

    def __init__(self, kind: str, name: object, hint: str = "check the spelling, or list what there is") -> None:
        self.kind, self.name = kind, name
        super().__init__(f"there is no {kind} {name}; {hint}")


class Deleted(NotFound):
    """The record was deleted. It still exists, and must be restored before it can be changed."""

    code = "deleted"
    _what: ClassVar[str] = "it was deleted"

    def __init__(self, kind: str, name: object, *, to_change: bool = False) -> None:
        way_out = "a moderator can restore it, over HTTP with POST …/restore"
        hint = way_out if to_change else f"ask with include_deleted to see it, or {way_out}"
        super().__init__(kind, name, f"{self._what}: {hint}")


class Retired(Deleted):
    """Nothing supports the record any more. It still exists, and comes back with new evidence."""

    code = "retired"
    _what = "nothing supports it any more, so it was retired"


class Conflict(KglError):
    """The request is valid, but the present state of the graph rules it out."""

    code = "conflict"


class AlreadyExists(Conflict):
    """A value that must be unique is taken.

    ``field`` says which. ``value`` and ``holder``, the id of the record that has it, are None when unknown.
    """

    code = "already_exists"
    _HINTS: ClassVar[dict[str, str]] = {
        "triple": "update the active relationship with this source, type and target, or give this one a key of its own",
        "email": "choose another email, or use the account that has it",
        "id": "leave the id out to get a new one",
        "hash": "try again; if it happens twice, the machine's source of randomness is broken",
        "idempotency key": "send the request again, to be answered as it was",
    }

    def __init__(self, kind: str, field: str, value: str | None = None, holder: UUID | None = None) -> None:
        self.kind, self.field, self.value, self.holder = kind, field, value, holder
        taken = f"this {field}" if value is None else f"the {field} {value}"
        by = f"another {kind}" if holder is None else f"{kind} {holder}"
        hint = self._HINTS.get(field, f"update the {kind} that holds this {field}, or choose another")
        detail = f"{taken} is taken by {by}; {hint}"
        self.faults = (Fault("" if field == "triple" else f"/{field}", self.code, detail),)
        super().__init__(detail)


class EndsDeleted(Conflict):
    """A relationship can only be active between active entities; ``ids`` are the ends that are deleted."""

    code = "ends_deleted"

    def __init__(self, ids: Sequence[UUID]) -> None:
        self.ids = tuple(ids)
        super().__init__(f"deleted at an end: entity {', '.join(map(str, self.ids))}; restore it first")


class TooManyRelationships(Conflict):
    """Entity ``id`` has more than ``most`` active relationships, which would have to be deleted with it.

    There is a limit because other writers wait while they are deleted.
    """

    code = "too_many_relationships"

    def __init__(self, id: UUID, most: int) -> None:
        self.id, self.most = id, most
        super().__init__(
            f"entity {id} has more than {most} relationships, and a deletion takes at most {most} along; list them by "
            "entity_id and delete enough of them first, or ask a moderator to, where they are not yours"
        )


class StaleVersion(Conflict):
    """The caller expected ``expected``, the record is at ``current``."""

    code = "stale_version"

    def __init__(self, kind: str, id: UUID, expected: int, current: int) -> None:
        self.kind, self.id, self.expected, self.current = kind, id, expected, current
        super().__init__(f"{kind} {id} is at version {current}, not {expected}; read it again and repeat the change")


class RequestInFlight(Conflict):
    """Another request with the same idempotency key is still running; try again after ``retry_after_s`` seconds."""

    code = "request_in_flight"

    def __init__(self, retry_after_s: int = 1) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(f"a request with this Idempotency-Key is being worked on; send it again in {retry_after_s} s")


class TransactionConflict(Conflict):
    """A concurrent transaction changed the same records first; this one changed nothing."""

    code = "transaction_conflict"

    def __init__(self) -> None:
        super().__init__("a concurrent transaction came first and this one was undone; run it again")
