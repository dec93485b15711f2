"""Problems (RFC 9457): the errors that only HTTP has, and each problem's status, title and advice by its code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import attrs

from kgl_core.kernel.errors import Fault, InvalidInput, KglError
from kgl_core.kernel.strict_json import MALFORMED

PROBLEMS_PATH: Final = "/api/v1/problems"
_RETRY_AFTER_S: Final = 1


class BadRequest(KglError):
    """The request's path, query or framing is at fault; ``faults`` names every one."""

    code = "bad_request"

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(InvalidInput(faults).faults)
        super().__init__("; ".join(map(str, self.faults)))


class BodyTooLarge(KglError):
    """The body has more than ``bytes_max`` bytes."""

    code = "body_too_large"

    def __init__(self, bytes_max: int, advice: str = "send less, or in several requests") -> None:
        self.bytes_max = bytes_max
        super().__init__(f"a body has at most {bytes_max} bytes here; {advice}")


class UnsupportedMediaType(KglError):
    """This operation does not take the body's type, charset or coding."""

    code = "unsupported_media_type"

    def __init__(self, advice: str) -> None:
        super().__init__(f"the body is of a kind that is not taken here; {advice}")


class UnsupportedCoding(UnsupportedMediaType):
    """The body has an unknown Content-Encoding; the answer names the known one (RFC 9110, section 15.5.16)."""

    def __init__(self) -> None:
        super().__init__("send the body as it is, or with Content-Encoding: gzip")


class AtomicImportTooLarge(KglError):
    """An atomic import would keep others from writing for too long, on a store with one writer at a time."""

    code = "atomic_import_too_large"

    def __init__(self, bytes_max: int) -> None:
        super().__init__(
            f"here one writes at a time, and an atomic import of more than {bytes_max} bytes would hold everybody up; "
            "import without atomic, or in several parts"
        )


class NotAuthenticated(KglError):
    """No token came with a request that needs one."""

    code = "not_authenticated"

    def __init__(self) -> None:
        super().__init__("this needs a token: send Authorization: Bearer with one from POST /api/v1/auth/token")


class IfMatchRequired(KglError):
    """The settings ask for If-Match on every change (RFC 6585, section 3)."""

    code = "if_match_required"

    def __init__(self) -> None:
        super().__init__("changes need If-Match here: read the record, and send its ETag with the change")


class PreconditionFailed(KglError):
    """If-Match or If-None-Match failed. ``tag`` is the record's present ETag, or None if the caller may not see it.

    ``code`` says which: ``stale_version`` or ``precondition_failed``.
    """

    def __init__(self, code: str, message: str, tag: str | None) -> None:
        self.code, self.tag = code, tag  # type: ignore[misc]
        super().__init__(message)


class ImportRefused(KglError):
    """An atomic import was not kept, because lines were refused."""

    code = "import_refused"

    def __init__(self, refused: int, faults: Sequence[Fault]) -> None:
        self.faults = tuple(InvalidInput(faults).faults)
        super().__init__(f"{refused} lines were refused and nothing was kept; mend them, or import without atomic")


@attrs.frozen
class Problem:
    """A kind of problem: its status, a title, and what a client should do."""

    status: int
    title: str
    explanation: str
    retry_after_s: int | None = None


_BUSY: Final = "It is not your request: send it again after the seconds that Retry-After names."

PROBLEMS: Final[Mapping[str, Problem]] = {
    "bad_request": Problem(
        400, "The request is malformed", "`errors` names each parameter or part of the path that is at fault."
    ),
    MALFORMED: Problem(
        400,
        "The body is not JSON",
        "Send one JSON value (RFC 8259) in UTF-8, without duplicate names, NaN or Infinity.",
    ),
    "invalid_cursor": Problem(
        400, "The cursor does not belong here", "Start again without a cursor; a cursor goes with its filter and sort."
    ),
    "not_authenticated": Problem(
        401,
        "A token is needed",
        "Get one from `POST /api/v1/auth/token`, or as a service from `POST /api/v1/oauth/token`, and send "
        "`Authorization: Bearer <token>`.",
    ),
    "invalid_token": Problem(
        401,
        "The token cannot be used",
        "Refresh it with `POST /api/v1/auth/refresh`, or log in again; a service asks for a new one.",
    ),
    "invalid_credentials": Problem(
        401, "Email or password is wrong", "Check both. A disabled account is answered in the same way; ask an admin."
    ),
    "permission_denied": Problem(
        403, "You may not do this", "Your role or scopes do not include it. Ask the owner, a moderator or an admin."
    ),
    "registration_closed": Problem(403, "Registration is closed", "Ask an admin for an account."),
    "no_route": Problem(404, "There is nothing at this path", "The API's document is at `/api/v1/openapi.json`."),
    "not_found": Problem(404, "There is no such record", "Check the id, or list what there is."),
    "deleted": Problem(
        404,
        "The record was deleted",
        "GET shows it with `include_deleted=true`. A moderator can restore it with `POST …/restore`.",
    ),
    "retired": Problem(
        404,
        "Nothing supports the record any more",
        "GET shows it with `include_deleted=true`. New evidence brings it back, and so can a moderator with "
        "`POST …/restore`.",
    ),
    "method_not_allowed": Problem(405, "The path does not take this method", "`Allow` lists those that it takes."),
    "already_exists": Problem(
        409, "A unique value is taken", "Change the record that has it, or choose another value."
    ),
    "request_in_flight": Problem(
        409,
        "This request is being worked on",
        "Send it again, with the same Idempotency-Key, after the seconds that Retry-After names.",
    ),
    "run_ended": Problem(409, "The run has ended", "Open another run, or send the request without the header Run."),
    "too_many_facts": Problem(
        409, "The source supports too many facts", "Withdraw its extractions one by one, and then the source."
    ),
    "not_withdrawn": Problem(
        409, "The extraction is in force", "To say again what it said before, send the whole document with PUT."
    ),
    "already_withdrawn": Problem(
        409, "The extraction is withdrawn already", "`POST /api/v1/extractions/reinstate` takes that back."
    ),
    "ends_deleted": Problem(409, "An end is deleted", "Restore the entities at the ends of the relationship first."),
    "too_many_relationships": Problem(
        409,
        "The entity has too many relationships",
        "A deletion takes at most as many relationships along as `detail` says. List them with "
        "`GET /api/v1/relationships?entity_id=…` and delete enough of them with `DELETE /api/v1/relationships/{id}`; a "
        "moderator can delete those of others.",
    ),
    "history_lost": Problem(
        410,
        "The cursor is from another history",
        "The store is another one than the cursor came from, or a backup was restored since. Start again: a listing "
        "without a cursor; the feed of changes with a fresh `GET /api/v1/export`, and from there with its "
        "`Changes-Cursor` as `after`.",
    ),
    "stale_version": Problem(412, "The record has changed", "Read it again, and repeat the change with its new ETag."),
    "precondition_failed": Problem(
        412,
        "The record is there already",
        "`If-None-Match` asks for the change only if it is not. Leave it out, or send the record's ETag as `If-Match`.",
    ),
    "body_too_large": Problem(413, "The body is too large", "Send less, as `detail` says."),
    "atomic_import_too_large": Problem(
        413,
        "The import is too large to be atomic",
        "SQLite has one writer at a time. Import without `atomic`, or in several parts; PostgreSQL has no such limit.",
    ),
    "unsupported_media_type": Problem(
        415,
        "The body is of another type",
        "Send the media type that `detail` names, in UTF-8, as it is or with `Content-Encoding: gzip`.",
    ),
    "invalid_input": Problem(422, "The body breaks rules", "`errors` names every broken rule, by JSON Pointer."),
    "import_refused": Problem(422, "The import was not kept", "`errors` names the first lines that were refused."),
    "idempotency_key_reused": Problem(
        422, "The key belongs to another request", "Send what differs in anything with an Idempotency-Key of its own."
    ),
    "if_match_required": Problem(428, "If-Match is needed", "Read the record, and send its ETag as If-Match."),
    "too_many_attempts": Problem(429, "Too many attempts", "Wait for the seconds that Retry-After names."),
    "overloaded": Problem(503, "Too busy for this now", _BUSY, _RETRY_AFTER_S),
    "transaction_conflict": Problem(503, "Another transaction came first", _BUSY, _RETRY_AFTER_S),
    "store_busy": Problem(503, "The database is busy", _BUSY, _RETRY_AFTER_S),
    "statement_timeout": Problem(
        503,
        "The database took too long",
        "Ask for less: a lower `depth` or `limit`, lower caps, or more filters; a write can be tried again. An "
        "operator can raise `DATABASE_STATEMENT_TIMEOUT`.",
        5,
    ),
    "store_unavailable": Problem(503, "The database cannot be reached", _BUSY, 5),
    "store_replaced": Problem(
        503,
        "The database file is gone",
        "It was deleted or replaced. An operator has to stop the service, put the file or a backup in its place, and "
        "start the service again.",
        60,
    ),
    "commit_unknown": Problem(
        503,
        "It is not known whether this was kept",
        "The connection to the database was lost while committing. Look before you send it again, or send it again "
        "with the same Idempotency-Key.",
        5,
    ),
    "store_closed": Problem(503, "The service is stopping", _BUSY, 5),
    "store_read_only": Problem(503, "The database is read-only", "An operator has to make it writable.", 60),
    "migration_needed": Problem(503, "The database is not migrated", "An operator has to run `kgl migrate`.", 60),
    "schema_too_new": Problem(503, "The database is newer than the service", "An operator has to upgrade kgl.", 60),
    "store_full": Problem(507, "There is no space left", "Nothing was changed; an operator has to free space.", 60),
    "unreadable_row": Problem(
        500, "A stored row is damaged", "An operator has to run `kgl check`, which names it and says how to mend it."
    ),
    "http_error": Problem(400, "The request cannot be served", "`detail` says why."),
    "internal_error": Problem(
        500, "Something went wrong in kgl", "It was logged: tell an operator the `request_id`, and try again later."
    ),
}
