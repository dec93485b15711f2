"""What a store raises when it is in trouble, not the request.

StoreError
├── InvalidUrl           the database URL cannot be used
├── StoreUnavailable     the store cannot be reached or opened
│   ├── CommitUnknown    the connection was lost while committing: this was kept, or not
│   └── StoreReplaced    SQLite's file was deleted or replaced while it was open
├── StoreBusy            no connection or lock within the time allowed
│   └── StatementTimeout a statement took longer than it may
├── StoreReadOnly        the store refuses writes
├── StoreFull            no space left
├── StoreClosed          used after close()
├── StoreFault           the driver reported an error that kgl does not know
│   └── UnreadableRow    a stored row is damaged
├── MigrationNeeded      the schema is older than this kgl
└── SchemaTooNew         the schema is newer than this kgl
"""

from __future__ import annotations

from kgl_core.kernel.errors import KglError


class StoreError(KglError):
    """The store is in trouble; the request may be fine."""

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
    """SQLite's ``file`` was deleted or replaced while it was open; anything written to it would be lost."""

    code = "store_replaced"

    def __init__(self, file: str) -> None:
        super().__init__(
            f"{file} was deleted or replaced while it was open, so nothing is written any more; stop every "
            "process that has it open, put the file or a backup in its place, and start again"
        )


class CommitUnknown(StoreUnavailable):
    """The connection was lost while committing, so nobody can tell whether the transaction was committed."""

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


class StatementTimeout(StoreBusy):
    """The store stopped working on what took longer than it may, such as a walk that reaches too far.

    ``instead`` is what can be done besides asking for less.
    """

    code = "statement_timeout"

    def __init__(self, instead: str = "try a write again, or raise DATABASE_STATEMENT_TIMEOUT") -> None:
        StoreError.__init__(
            self,
            "the database did not finish this in the time that a statement may take; ask for less (a lower depth or "
            f"limit, lower caps, more filters), {instead}",
        )


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
    """A stored row is damaged and can't be read as a record. ``what`` names it; ``reason`` says what is wrong."""

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
