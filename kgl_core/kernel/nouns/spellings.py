"""How the names are spelled that a listing by name finds: stores look for them by a coarser form, and ask here."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from kgl_core.kernel.errors import Fault, InvalidInput
from kgl_core.kernel.text import same_names

SPELLINGS_MAX: Final = 1_000
"""How many names may have the sort forms of those that a listing asks for."""


def spellings_of(wanted: Collection[str], found: Collection[str], filter: str) -> frozenset[str]:
    """Those of the names ``found``, which have the same sort form, that are the same name as one of the ``wanted``.

    Raises InvalidInput, at the ``filter``, for more than SPELLINGS_MAX names found.
    """
    if len(found) > SPELLINGS_MAX:
        advice = f"more than {SPELLINGS_MAX:,} names are sorted like these; ask for fewer, or for others, at a time"
        raise InvalidInput([Fault(f"/{filter}", "too_many_found", advice)])
    return same_names(found, wanted)
