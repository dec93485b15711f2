"""The socket that the service listens on: made before anything else, and left without dropping anybody."""

from __future__ import annotations

import os
import socket
import sys
from contextlib import suppress
from typing import Final

from kgl_core.kernel.errors import KglError

_BACKLOG: Final = 2048
_SO_BINDTOIFINDEX: Final = 62  # socket(7) and linux/socket.h; Python 3.11 has no name for it
_NO_INTERFACE: Final = 2**31 - 1


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


def refuse(listener: socket.socket) -> None:
    """Refuse new connections on a socket that several processes listen on. Those that have been made can be accepted.

    Closing the socket resets connections that nobody has accepted, and one more could arrive between the last that was
    accepted and the closing. Linux (5.7 and newer, for any user) lets a socket listen on one network interface alone.
    One that does not exist sends nobody, and the kernel refuses connections as if the socket were closed. Handshakes
    that have begun are finished. It cannot be undone. Elsewhere this does nothing.
    """
    if sys.platform == "linux":
        with suppress(OSError):  # an older kernel, or one that lacks the option
            listener.setsockopt(socket.SOL_SOCKET, _SO_BINDTOIFINDEX, _NO_INTERFACE)
