"""The machine's clock, new ids, and random bytes."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from uuid import UUID

from uuid_utils.compat import uuid7


def now() -> datetime:
    """The time now, in UTC. A `kgl_core.kernel.ids.Clock`."""
    return datetime.now(UTC)


def new_id() -> UUID:
    """A new UUIDv7, greater than those before it in this process. A `kgl_core.kernel.ids.IdSource`."""
    return uuid7()


def random(count: int) -> bytes:
    """``count`` bytes that nobody can predict. A `kgl_core.kernel.ids.Random`."""
    return secrets.token_bytes(count)
