"""Every error that kgl raises on purpose, and what its caller should do.

    KglError
    ├── InvalidInput             a record or parameter breaks rules: ``faults`` names every one
    ├── InvalidCursor            a cursor that this listing did not hand out
    │   └── HistoryLost          it is from a history that this store does not have: a backup was restored, say
    ├── PermissionDenied         the actor may not do this
    ├── InvalidCredentials       the email or the password is wrong, or the account is disabled
    ├── InvalidToken             a token that is forged, expired, used before, or no longer in force
    ├── OAuthError               refused as OAuth 2.0 has it: ``code`` is one of RFC 6749's
    │   ├── InvalidClient        a service client's id or secret is wrong, or it has expired
    │   ├── InvalidScope         more was asked for than the client was granted
    │   └── InvalidGrant         the token was issued to another client
    ├── IdempotencyKeyReused     another request was sent with this idempotency key
    ├── RegistrationClosed       accounts are made by admins here
    ├── TooManyAttempts          a limit on attempts is reached: ``retry_after_s`` says how long to wait
    ├── Overloaded               more work waits than can be done soon; ``retry_after_s`` likewise
    ├── NotFound                 no such record
    │   └── Deleted              it was deleted, and can be restored
    ├── Conflict                 the request is fine, the present state is in its way
    │   ├── AlreadyExists        a key, an email or a relationship that must be unique is taken
    │   ├── EndsDeleted          a relationship's end is deleted
    │   ├── TooManyRelationships an entity has more relationships than its deletion takes along
    │   ├── StaleVersion         the record has changed since the caller read it
    │   ├── RequestInFlight      a request with this idempotency key is being worked on
    │   └── TransactionConflict  a concurrent transaction came first, also when this one was run again
    └── StoreError               the store, not the request, is the trouble
        ├── InvalidUrl           the database URL cannot be used
        ├── StoreUnavailable     the store cannot be reached or opened
        │   ├── CommitUnknown    the connection was lost while committing: this was kept, or not
        │   └── StoreReplaced    SQLite's file was deleted or replaced while it was open
        ├── StoreBusy            no connection or lock within the time allowed
        ├── StoreReadOnly        the store refuses writes
        ├── StoreFull            no space left
        ├── StoreClosed          used after close()
        ├── StoreFault           the driver reported something we do not know
        │   └── UnreadableRow    a stored row is damaged
        ├── MigrationNeeded      the schema is older than this kgl
        └── SchemaTooNew         the schema is newer than this kgl

Errors carry fields and make their own message. ``code`` is stable and part of the API; messages are for people
and end with what to do next.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar
from uuid import UUID

from kgl_core.faults import FAULTS_MAX as FAULTS_MAX
from kgl_core.faults import Fault as Fault
from kgl_core.faults import KglError as KglError
from kgl_core.oauth_errors import InvalidClient as InvalidClient
from kgl_core.oauth_errors import InvalidGrant as InvalidGrant
from kgl_core.oauth_errors import InvalidScope as InvalidScope
from kgl_core.oauth_errors import OAuthError as OAuthError


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
    """The cursor is from a history that this store does not have: it is another store, or was restored or truncated.

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
    """Nobody can make an account for themselves."""

    code = "registration_closed"

    def __init__(self) -> None:
        super().__init__("registration is closed here; ask an admin for an account")


class TooManyAttempts(KglError):
    """A limit on attempts is reached; in ``retry_after_s`` whole seconds (1 or more) there is room again."""

    code = "too_many_attempts"

    def __init__(self, retry_after_s: int) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(f"too many attempts; try again in {retry_after_s} s")


class Overloaded(KglError):
    """More of ``what`` waits than can be done soon; nothing was done. Worth another try after ``retry_after_s``."""

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
    """The record was deleted; it is kept and can be restored, before which it can't be changed."""

    code = "deleted"

    def __init__(self, kind: str, name: object, *, to_change: bool = False) -> None:
        way_out = "a moderator can restore it, over HTTP with POST …/restore"
        hint = way_out if to_change else f"ask with include_deleted to see it, or {way_out}"
        super().__init__(kind, name, f"it was deleted: {hint}")


class Conflict(KglError):
    """The present state of the graph is in the way."""

    code = "conflict"


class AlreadyExists(Conflict):
    """A value that must be unique is taken.

    ``field`` says which. ``value`` and ``holder``, the id of the record that has it, are None when they are not known.
    """

    code = "already_exists"
    _HINTS: ClassVar[dict[str, str]] = {
        "key": "update the entity that holds this key, or choose another",
        "triple": "update the active relationship with this source, type and target instead",
        "email": "choose another email, or use the account that has it",
        "id": "leave the id out to get a new one",
        "hash": "try again; if it happens twice, the machine's source of randomness is broken",
        "idempotency key": "send the request again, to be answered as it was",
    }

    def __init__(self, kind: str, field: str, value: str | None = None, holder: UUID | None = None) -> None:
        self.kind, self.field, self.value, self.holder = kind, field, value, holder
        taken = f"this {field}" if value is None else f"the {field} {value}"
        by = f"another {kind}" if holder is None else f"{kind} {holder}"
        detail = f"{taken} is taken by {by}; {self._HINTS[field]}"
        self.faults = (Fault("" if field == "triple" else f"/{field}", self.code, detail),)
        super().__init__(detail)


class EndsDeleted(Conflict):
    """A relationship can only be active between active entities; ``ids`` are the ends that are deleted."""

    code = "ends_deleted"

    def __init__(self, ids: Sequence[UUID]) -> None:
        self.ids = tuple(ids)
        super().__init__(f"deleted at an end: entity {', '.join(map(str, self.ids))}; restore it first")


class TooManyRelationships(Conflict):
    """Entity ``id`` has more than ``most`` active relationships, which its deletion would have to take along.

    All others wait while they are deleted, so that their number has to have a limit.
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
    """A request with the same idempotency key is being worked on; in ``retry_after_s`` it may have been answered."""

    code = "request_in_flight"

    def __init__(self, retry_after_s: int = 1) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(f"a request with this Idempotency-Key is being worked on; send it again in {retry_after_s} s")


class TransactionConflict(Conflict):
    """A concurrent transaction changed the same records first; nothing of this one was kept."""

    code = "transaction_conflict"

    def __init__(self) -> None:
        super().__init__("a concurrent transaction came first and this one was undone; run it again")


class StoreError(KglError):
    """The store is the trouble; the request may be fine."""

    code = "store_error"


class InvalidUrl(StoreError):
    """The database URL is malformed or names a store that kgl does not know."""

    code = "invalid_url"

    def __init__(self, reason: str) -> None:
        super().__init__(f"{reason}; use sqlite:///file.db or postgresql://user@host/database")


class StoreUnavailable(StoreError):
    """The store cannot be opened or reached."""

    code = "store_unavailable"


class StoreReplaced(StoreUnavailable):
    """SQLite's ``file`` was deleted or replaced while it was open; what is written to it would be lost."""

    code = "store_replaced"

    def __init__(self, file: str) -> None:
        super().__init__(
            f"{file} was deleted or replaced while it was open, so nothing is written any more; stop every "
            "process that has it open, put the file or a backup in its place, and start again"
        )


class CommitUnknown(StoreUnavailable):
    """The connection was lost while committing, so nobody can tell whether all of the transaction was kept, or none."""

    code = "commit_unknown"

    def __init__(self) -> None:
        super().__init__(
            "the connection was lost while committing, so this may or may not have been kept; look before you repeat "
            "it, or repeat it with the same Idempotency-Key"
        )


class StoreBusy(StoreError):
    """No connection or lock became free in time."""

    code = "store_busy"

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} was not free in time; finish other transactions, then try again")


class StoreReadOnly(StoreError):
    """The store refuses writes."""

    code = "store_read_only"

    def __init__(self) -> None:
        super().__init__("the database is read-only; make its file and folder writable, or use another URL")


class StoreFull(StoreError):
    """There is no space left: a disk or a quota is full, or a file may not grow. What was committed before is safe."""

    code = "store_full"

    def __init__(self) -> None:
        super().__init__(
            "no space left for the database; free some on its disk or in its quota, or raise the limit on the size of "
            "files, then repeat what failed"
        )


class StoreClosed(StoreError):
    """The knowledge graph was used after ``close()``."""

    code = "store_closed"

    def __init__(self) -> None:
        super().__init__("this knowledge graph is closed; connect() again")


class StoreFault(StoreError):
    """The driver reported an error that kgl does not know; it is the ``__cause__``."""

    code = "store_fault"

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"the database reported: {reason}; nothing of this transaction was kept")


class UnreadableRow(StoreFault):
    """A stored row is damaged: it makes no record. ``what`` names it, and ``reason`` says what is wrong with it."""

    code = "unreadable_row"

    def __init__(self, what: str, reason: str) -> None:
        self.what, self.reason = what, reason
        StoreError.__init__(self, f"{what} cannot be read ({reason}); run `kgl check` to find what is damaged")


class MigrationNeeded(StoreError):
    """The schema is missing or older than this kgl. ``command`` brings it to head."""

    code = "migration_needed"

    def __init__(self, url: str, found: str | None) -> None:
        self.found = found
        self.command = f"DATABASE_URL='{url}' kgl migrate"
        state = f"is at revision {found}" if found else "holds no kgl schema"
        super().__init__(f"the database {state}; bring it up to date with: {self.command}")


class SchemaTooNew(StoreError):
    """The schema is at a revision that this kgl does not know."""

    code = "schema_too_new"

    def __init__(self, found: str) -> None:
        self.found = found
        super().__init__(f"the database is at revision {found}, which a newer kgl made; upgrade kgl")
