"""Reading gzip (RFC 1952) piece by piece, so that whoever reads decides how much may come out of it."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Final

from kgl_core.kernel.errors import Fault, InvalidInput

MAGIC: Final = b"\x1f\x8b"
MEMBERS_MAX: Final = 100_000
"""Of how many members a stream may consist: none of them costs much, but they may be empty."""
_WINDOW: Final = 31  # a gzip header, and the largest window
_CHUNK_BYTES: Final = 64 * 1024

Read = Callable[[int], bytes]
"""Reads up to so many bytes, and none at the end only."""


class Unpacked:
    """What a gzip stream holds, of one member or of several."""

    def __init__(self, read: Read) -> None:
        self._packed = read
        self._decoder = zlib.decompressobj(_WINDOW)
        self._pending = b""
        self._members = 1

    def read(self, size: int) -> bytes:
        """Up to ``size`` bytes, none at the end only. Raises InvalidInput where the stream is broken or ends early."""
        while True:
            if self._decoder.eof and not self._begin_member():
                return b""
            try:
                data = self._decoder.decompress(self._pending, size)
                self._pending = self._decoder.unconsumed_tail
                if not (data or self._pending or self._decoder.eof):
                    self._pending = self._packed(_CHUNK_BYTES)
                    if not self._pending:
                        raise _broken("it ends early")
            except zlib.error:
                raise _broken("it is damaged") from None
            if data:
                return data

    def _begin_member(self) -> bool:
        """Go on with what follows the end of a member; whether there is anything, beside zeros that fill a block."""
        rest = self._decoder.unused_data.lstrip(b"\0")
        while not rest:
            packed = self._packed(_CHUNK_BYTES)
            if not packed:
                return False
            rest = packed.lstrip(b"\0")
        self._members += 1
        if self._members > MEMBERS_MAX:
            raise _broken(f"it has more than {MEMBERS_MAX} members")
        self._decoder, self._pending = zlib.decompressobj(_WINDOW), rest
        return True


def _broken(reason: str) -> InvalidInput:
    return InvalidInput([Fault("", "malformed_gzip", f"this gzip stream cannot be read, {reason}; make it again")])
