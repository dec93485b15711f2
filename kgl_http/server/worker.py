"""gunicorn's worker of threads, with what clients need beyond it."""

from __future__ import annotations

import errno
import signal
import socket
import struct
import time
from collections.abc import Callable
from functools import partial
from selectors import EVENT_READ
from typing import Any, Final

from gunicorn.http.errors import InvalidHeader, UnsupportedTransferCoding
from gunicorn.workers.gthread import STOP_KEEPALIVE_LINGER, TConn, ThreadWorker

from kgl_http.server.shares import Share
from kgl_http.server.threads import CallQueue, RequestThreads, Served

CLIENT_IDLE_S = 30
"""How long a client may pause within a request, or in taking an answer, before its connection is closed."""
_ALIVE_EVERY_S: Final = 0.25
_ACCEPT_AGAIN_S: Final = 1.0
"""How long a worker that cannot accept leaves the connections that wait to others."""
_HANDSHAKE_S: Final = 0.25
"""How long a stopping worker accepts: a client that has been answered by the kernel needs a round trip to connect."""
_PAUSE_S: Final = 1e-9  # as short as the system can sleep
_TURN_S: Final = 0.001
"""How long a worker leaves a connection that waits to those who have fewer."""
_NONE_WAITS: Final = frozenset({errno.EAGAIN, errno.EWOULDBLOCK})
_OUT_OF_RESOURCES: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class Remembered:
    """The attributes of gunicorn's configuration, which no longer change in a worker, each looked up once.

    gunicorn looks up some twenty of them for each request, which take a fifth of its time.
    """

    def __init__(self, configuration: Any) -> None:
        self._configuration = configuration

    def __getattr__(self, name: str) -> Any:
        value = self.__dict__[name] = getattr(self._configuration, name)
        return value


class Connection(TConn):  # type: ignore[misc]
    """A connection that can be closed again by whoever does not know that it is closed."""

    def close(self, graceful: bool = False) -> None:
        if self.sock.fileno() >= 0:
            super().close(graceful)


class Worker(ThreadWorker):  # type: ignore[misc]
    """gunicorn's worker, which no client can keep by pausing, and which drops nobody when it stops."""

    cfg: Any
    when_stopping: Callable[[], object] = staticmethod(lambda: None)
    """Called once, as soon as the worker stops, while requests go on."""
    share: Share | None = None
    """How many connections it has, beside what the other workers have."""
    _accept_from = _alive_at = 0.0
    _is_due = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.cfg = Remembered(self.cfg)
        self.method_queue = CallQueue()

    @property
    def nr_conns(self) -> int:
        """How many connections it has, which gunicorn counts."""
        return self._connections

    @nr_conns.setter
    def nr_conns(self, count: int) -> None:
        self._connections = count
        if self.share is not None:
            self.share.note(count)

    def get_thread_pool(self) -> RequestThreads:
        return RequestThreads(self.cfg.threads, self.handle, self._hand_over)

    def enqueue_req(self, conn: Any) -> None:
        self.tpool.put(conn)

    def init_signals(self) -> None:
        super().init_signals()
        # A terminal sends it to all processes; the first of them stops the workers, without dropping a request.
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def notify(self) -> None:
        # gunicorn does this, and the next, with each event: two system calls for every request.
        self._is_due = (now_s := time.monotonic()) >= self._alive_at
        if self._is_due:
            self._alive_at = now_s + _ALIVE_EVERY_S
            super().notify()

    def is_parent_alive(self) -> bool:
        if self._is_due and not super().is_parent_alive():
            self.alive = False  # it stops as after SIGTERM
        return self.alive

    def set_accept_enabled(self, enabled: bool) -> None:
        if self.alive:
            super().set_accept_enabled(enabled and time.monotonic() >= self._accept_from)
        elif not enabled:
            self._stop_accepting()

    def accept(self, listener: Any) -> None:
        if self.share is not None and self.share.is_larger():
            time.sleep(_TURN_S)
        if self._accept(listener):
            # Give the other workers a chance: the one that is awake would accept a whole burst of connections.
            time.sleep(_PAUSE_S)

    def handle(self, conn: Any) -> Any:
        if not conn.initialized:
            # Without this, as many clients as there are threads could stop within their requests and block all others.
            patience = struct.pack("ll", CLIENT_IDLE_S, 0)
            conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, patience)
            conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, patience)
        is_kept = super().handle(conn)
        if not is_kept:
            # Waits up to two seconds for the client to close as well: not in the main thread, which serves everybody.
            conn.close(graceful=True)
        return is_kept

    def handle_error(self, req: Any, client: Any, addr: Any, exc: Exception) -> None:
        # gunicorn would answer 501. RFC 9112, section 6.1, allows it, but a 5xx alerts those who watch for our faults.
        error = InvalidHeader("TRANSFER-ENCODING") if isinstance(exc, UnsupportedTransferCoding) else exc
        super().handle_error(req, client, addr, error)

    def _hand_over(self, conn: Any, served: Served) -> None:
        """Give a served connection back to the main thread."""
        self.method_queue.defer(self.finish_request, conn, served)

    def _accept(self, listener: Any) -> bool:
        """Accept a connection if one waits; whether more may wait.

        A thread gets it when the first bytes arrive. gunicorn hands it to one at once, which then waits for five
        seconds: a few clients that connect and send nothing would keep all threads.
        """
        try:
            client, address = listener.accept()
        except OSError as error:
            if error.errno in _OUT_OF_RESOURCES:
                self.log.warning("Cannot accept a connection, trying again: %s", error.strerror)
                self._accept_from = time.monotonic() + _ACCEPT_AGAIN_S
                super().set_accept_enabled(False)
            return error.errno not in _NONE_WAITS | _OUT_OF_RESOURCES
        self.nr_conns += 1
        conn = Connection(self.cfg, client, address, listener.getsockname())
        conn.set_timeout()
        self.pending_conns.append(conn)
        self.poller.register(client, EVENT_READ, partial(self.on_pending_socket_readable, conn))
        return True

    def _stop_accepting(self) -> None:
        """Accept all who have connected, then close the listening sockets.

        Closing a socket in the last process that has it resets the connections that nobody has accepted. When the whole
        service stops, `kgl_http.server.listener.refuse` has made sure that no new ones come between the two.
        """
        self.when_stopping()
        if self.share is not None:
            self.share.stop()
            self.share = None
        until = time.monotonic() + _HANDSHAKE_S
        while (left := until - time.monotonic()) > 0:
            self.wait_for_and_dispatch_events(left)
        super().set_accept_enabled(False)
        for listener in self.sockets:
            while self._accept(listener):
                pass
            listener.close()
        # gunicorn limits those that have sent a request already. Others may be about to send their first.
        latest = time.monotonic() + STOP_KEEPALIVE_LINGER
        for conn in self.pending_conns:
            conn.timeout = min(conn.timeout, latest)
