"""A TCP proxy between a service and its database, which delays, resets or swallows what it forwards."""

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

_RESET: Final = struct.pack("ii", 1, 0)  # SO_LINGER of nothing: closing sends a reset


class Proxy:
    """Forwards connections to a port of this machine, from a port of its own.

    ``delay_s``: how long each piece of data waits, in either direction. Cleared, ``forwards`` makes it take data, and
    connections, without ever passing them on: what a broken switch or a dropped firewall state does.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.delay_s = 0.0
        self.forwards = threading.Event()
        self.forwards.set()
        self._lock = threading.Lock()
        self._open: list[socket.socket] = []
        self._ended = threading.Event()
        self._start(self._accept)

    def reset(self) -> None:
        """Reset all connections that there are."""
        with self._lock:
            connections, self._open = self._open, []
        for connection in connections:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RD)  # wakes the thread that reads
            connection.close()

    def close(self) -> None:
        """End it, with all connections."""
        self._ended.set()
        self.forwards.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.reset()

    def _start(self, run: object, *arguments: object) -> None:
        threading.Thread(target=run, args=arguments, daemon=True).start()  # type: ignore[arg-type]

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                client.close()
                continue
            with self._lock:
                self._open += [client, server]
            self._start(self._forward, client, server)
            self._start(self._forward, server, client)

    def _forward(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                self._ended.wait(self.delay_s)
                self.forwards.wait()
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # the other direction, or reset(), has ended it


@contextmanager
def proxy(target: int) -> Iterator[Proxy]:
    """A proxy to that port for as long as the block runs."""
    made = Proxy(target)
    try:
        yield made
    finally:
        made.close()
