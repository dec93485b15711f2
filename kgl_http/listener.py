"""The socket that the service listens on: made before anything else, and left without dropping anybody."""

from __future__ import annotations

import ctypes
import os
import socket
import struct
import sys
from typing import Final

from kgl_core.errors import KglError

_BACKLOG: Final = 2048
_SO_ATTACH_FILTER: Final = 26  # socket(7); Python has no name for it
_LET_NOBODY_BEGIN: Final = b"".join(
    struct.pack("=HBBI", *instruction)
    for instruction in (
        (0x30, 0, 0, 13),  # load the flags of the segment
        (0x45, 0, 1, 0x10),  # where ACK is not among them, skip one
        (0x06, 0, 0, 0xFFFFFFFF),  # let all of it through
        (0x06, 0, 0, 0),  # let nothing through
    )
)
"""A filter that drops the first segment of a connection (SYN without ACK; RFC 9293, section 3.5), and no other: who has
been answered counts as connected, and the rest of the handshake must not be lost."""


class CannotListen(KglError):
    """The address cannot be listened on."""

    code = "cannot_listen"

    def __init__(self, host: str, port: int, reason: str) -> None:
        super().__init__(f"cannot listen on {host}, port {port}: {reason}; choose others with --host and --port")


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens, made before gunicorn starts: it would try five times and log each. Raises CannotListen."""
    try:
        [(family, _, _, _, address), *_] = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return socket.create_server(
            address,
            family=family,
            backlog=_BACKLOG,
            dualstack_ipv6=host == "::" and socket.has_dualstack_ipv6(),
        )
    except OSError as error:
        # create_server's own text repeats the address; a name that is not found has a number below 0.
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error.strerror)
        raise CannotListen(host, port, reason) from error


def turn_away(listener: socket.socket) -> None:
    """Let nobody connect any more, in whatever process ``listener`` is open; who is connected already stays so.

    Closing a socket resets the connections that nobody has accepted yet, and one more can always arrive between the
    last that was accepted and the closing. On Linux, a filter makes an end first: who comes later is refused when the
    socket is closed. Elsewhere this does nothing.
    """
    if sys.platform == "linux":
        program = ctypes.create_string_buffer(_LET_NOBODY_BEGIN, len(_LET_NOBODY_BEGIN))
        count = len(_LET_NOBODY_BEGIN) // 8
        listener.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HP", count, ctypes.addressof(program)))
