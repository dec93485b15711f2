"""Ids, time and randomness: typed ids, and the ports that provide all three.

Ids are UUIDs, version 7 (RFC 9562, section 5.7) when kgl makes them, so that they sort by creation. Callers may bring
any UUID. The core has no clock and no randomness of its own: both are passed in.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import NewType
from uuid import NAMESPACE_URL, UUID, uuid5

from kgl_core.kernel.errors import Fault, InvalidInput

EntityId = NewType("EntityId", UUID)
RelationshipId = NewType("RelationshipId", UUID)
UserId = NewType("UserId", UUID)
ClientId = NewType("ClientId", UUID)
RunId = NewType("RunId", UUID)
SourceId = NewType("SourceId", UUID)
ExtractorId = NewType("ExtractorId", UUID)
AssertionId = NewType("AssertionId", UUID)

Clock = Callable[[], datetime]
"""Port: the present moment, timezone-aware, in UTC, to the microsecond."""

IdSource = Callable[[], UUID]
"""Port: a new UUIDv7 at every call, greater than all that this process made before."""

Random = Callable[[int], bytes]
"""Port: that many unpredictable bytes, fit for secrets."""


def uri_id(uri: str) -> UUID:
    """The id that follows from a URI, of version 5 (RFC 9562, section 5.5)."""
    return uuid5(NAMESPACE_URL, uri)


_CANONICAL = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def parse_id(value: object) -> UUID | None:
    """A UUID, or the UUID that a canonical text of 36 characters means; None for anything else."""
    if type(value) is UUID:
        return value
    if type(value) is str and _CANONICAL.fullmatch(value):
        return UUID(value)
    return None


def require_id(value: object, pointer: str = "/id") -> UUID:
    """Like `parse_id`, but raises InvalidInput for anything that is not an id."""
    found = parse_id(value)
    if found is None:
        raise InvalidInput(
            [Fault(pointer, "invalid_id", "an id is a UUID, such as 01890a5d-ac96-774b-bcce-b302099a8057")]
        )
    return found
