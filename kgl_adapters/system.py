"""The clock and the ids of the machine."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from uuid_utils.compat import uuid7


def now() -> datetime:
    """The present moment in UTC. A `kgl_core.ids.Clock`."""
    return datetime.now(UTC)


def new_id() -> UUID:
    """A new UUIDv7, greater than those before it in this process. A `kgl_core.ids.IdSource`."""
    return uuid7()
