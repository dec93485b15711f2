"""Reads gzip (RFC 1952) piece by piece, so that the reader decides how much of it is unpacked."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Final

from kgl_core.kernel.errors import Fault, InvalidInput

MAGIC: Final = b"\x1f\x8b"
MEMBERS_MAX: Final = 100_000
"""How many members a stream may have: each of them costs little, but they may be empty."""
_WINDOW: Final = 31  # a gzip header, and the largest window
_CHUNK_BYTES: Final = 64 * 1024

Read = Callable[[int], bytes]
"""Reads up to that many bytes; none only at the end."""


class Unpacked:
    """The contents of a gzip stream, which has one member or several."""

    def __init__(self, read: Read) -> None:
        self._packed = read
        self._decoder = zlib.decompressobj(_WINDOW)
        self._pending = b""
        self._members = 1

    def read(self, size: int) -> bytes:
        """Up to ``size`` bytes; none only at the end. Raises InvalidInput when the stream is broken or ends early."""
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
        """Begin the next member, past any zeros that fill a block. Returns False when there is none."""
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
