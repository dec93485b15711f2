"""Bodies that may be long, such as those of imports: they are received as a whole before anything is done."""

from __future__ import annotations

import tempfile
from typing import Final, Self

from kgl_core.kernel.permissions import Actor
from kgl_http.api.problems import AtomicImportTooLarge
from kgl_http.server.long_requests import LongRequestSlots

SHORT_BYTES_MAX: Final = 64 * 1024
"""Up to which size an import is as short as any request, and needs no slot."""
SPOOLED_IN_MEMORY: Final = 1024 * 1024


class LongBody:
    """The body of a request that may be long, in a temporary file. A long one takes a slot of its caller.

    Raises Overloaded if there is no slot, and AtomicImportTooLarge past ``bytes_max``.
    """

    def __init__(self, slots: LongRequestSlots, caller: Actor, bytes_max: int | None) -> None:
        self._slots, self._caller, self._bytes_max = slots, caller, bytes_max
        self._size, self._has_slot = 0, False
        self.file = tempfile.SpooledTemporaryFile(SPOOLED_IN_MEMORY)  # noqa: SIM115  # closed by __exit__

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()
        if self._has_slot:
            self._slots.give_back(self._caller)

    def expect(self, size: int) -> None:
        """Make sure that a body of this size is accepted."""
        if self._bytes_max is not None and size > self._bytes_max:
            raise AtomicImportTooLarge(self._bytes_max)
        if size > SHORT_BYTES_MAX and not self._has_slot:
            self._slots.take(self._caller)
            self._has_slot = True

    def write(self, data: bytes) -> None:
        """Write the next piece."""
        self._size += len(data)
        self.expect(self._size)
        self.file.write(data)
