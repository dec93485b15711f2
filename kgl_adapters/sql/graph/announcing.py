"""How a writer on PostgreSQL announces itself to the readers of changes, before it takes a number of the log.

`kgl_adapters.sql.graph.changes` says why. The announcement is a shared advisory lock that ends with the transaction, or
with the savepoint that it was taken in. It must be held before the first number is taken, and one a transaction is
enough: each lock takes room in the server's memory. A parameter that lives as long as the lock remembers it.

Both statements here ask the announcement for its row before anything takes a number: ``COPY`` comes after a statement
of its own, and an ``INSERT`` selects from a materialized CTE. PostgreSQL computes a number while it projects a row that
the CTE has given already, and the CTE computes a row, lock and all, before it gives it. So one round trip does both.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from kgl_adapters.sql.graph.tables import CHANGES

ANNOUNCEMENT: Final = (
    "SELECT CASE WHEN current_setting('kgl.changes_announced', true) = 'yes' THEN 'before'"
    " ELSE CAST(pg_advisory_xact_lock_shared(-1 - CASE WHEN is_called THEN last_value ELSE 0 END) AS text)"
    " || set_config('kgl.changes_announced', 'yes', true) END AS at"
    " FROM backend_entities.changes_sequence_seq"
)
ANNOUNCED: Final = f"announced AS MATERIALIZED ({ANNOUNCEMENT})"
"""The announcement as a CTE."""


def insert_announced(columns: Sequence[str]) -> str:
    """An INSERT of one change, with a mark for each of these columns, in a statement that has the CTE ANNOUNCED."""
    names, marks = ", ".join(f'"{column}"' for column in columns), ", ".join("%s" for _ in columns)
    return (
        f"INSERT INTO {CHANGES[False].fullname} ({names}) SELECT {marks} FROM announced"  # noqa: S608  # our names
        " WHERE announced.at IS NOT NULL"
    )
