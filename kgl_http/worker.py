"""gunicorn's worker of threads, with habits of ours."""

from __future__ import annotations

import errno
import select
import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from math import inf
from typing import Any, Final

from gunicorn.http.body import LengthReader
from gunicorn.http.errors import InvalidHeader, UnsupportedTransferCoding
from gunicorn.workers.gthread import TConn, ThreadWorker

CLIENT_IDLE_S = 30
"""How long a client may pause within a request, or in taking an answer, before its connection is closed."""
_PAUSE_S: Final = 0.0001
_PAUSE_MAX_S: Final = 0.0005
"""How long a worker leaves a new connection to others, for each that it has and at most."""
_ONCE_READABLE: Final = getattr(select, "EPOLLIN", 0) | getattr(select, "EPOLLONESHOT", 0)


class Worker(ThreadWorker):  # type: ignore[misc]
    """gunicorn's worker, which no client can keep by pausing, and which answers 400 where the request is at fault."""

    def handle(self, conn: Any) -> Any:
        if not conn.initialized:
            # Else as many clients as there are threads could stop within their requests, and nobody else were served.
            patience = struct.pack("ll", CLIENT_IDLE_S, 0)
            conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, patience)
            conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, patience)
        return super().handle(conn)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: Exception) -> None:
        # Else 501, which is right (RFC 9112, section 6.1) and alerts whoever watches for faults of ours.
        error = InvalidHeader("TRANSFER-ENCODING") if isinstance(exc, UnsupportedTransferCoding) else exc
        super().handle_error(req, client, addr, error)


class PollingWorker(Worker):
    """A worker whose threads wait for requests themselves; for Linux.

    gunicorn's main thread waits for all requests, hands each to a thread and gets it back, and they all fight for
    Python's lock: that takes a quarter of the throughput. Here the kernel wakes one thread for each request, and the
    main thread looks after the time. A connection is either in ``_idle``, and watched until something comes, or
    belongs to the thread that has taken it from there.
    """

    def init_process(self) -> None:
        self._epoll = select.epoll()
        self._listeners: dict[int, socket.socket] = {wrapped.fileno(): wrapped.sock for wrapped in self.sockets}
        self._address_of = {listener: listener.getsockname() for listener in self._listeners.values()}
        self._idle: dict[int, TConn] = {}
        self._idle_until = inf
        self._counting = threading.Lock()
        for number, listener in self._listeners.items():
            listener.setblocking(False)
            self._epoll.register(number, select.EPOLLONESHOT)
        super().init_process()

    def run(self) -> None:
        for number in range(self.cfg.threads):
            threading.Thread(target=self._serve, name=f"serving-{number}", daemon=True).start()
        super().run()

    def set_accept_enabled(self, enabled: bool) -> None:
        self._accepting = enabled
        if enabled:
            for number in self._listeners:
                self._epoll.modify(number, _ONCE_READABLE)
        elif not self.alive:
            # Closing resets those whose connection the kernel has made already, and who may have sent a request. Who
            # connects to what stays open waits for a reset, and tries no other machine.
            while self._listeners:
                _, listener = self._listeners.popitem()
                while self._accept(listener):
                    pass
                with self._counting:  # what a thread accepts meanwhile is counted, and waited for
                    listener.close()

    def murder_keepalived(self, force: bool = False) -> None:
        now = time.monotonic()
        for conn in [*self._idle.values()]:
            if force or min(conn.timeout, self._idle_until) <= now:
                # As if the client had ended it: the thread that sees it closes it, or answers what has come just now.
                with suppress(OSError):
                    conn.sock.shutdown(socket.SHUT_RD)

    def _cap_keepalive(self, deadline: float) -> None:
        self._idle_until = deadline

    def _keepalive_after(self, conn: Any, keepalive: bool) -> Any:
        # gunicorn sets two timeouts on the socket to find that nothing is left of most bodies.
        body = conn.parser.mesg.body.reader
        if keepalive and isinstance(body, LengthReader) and body.length == 0:
            return True
        return super()._keepalive_after(conn, keepalive)

    def _serve(self) -> None:
        while True:
            [(number, _)] = self._epoll.poll(maxevents=1)
            try:
                if (conn := self._idle.pop(number, None)) is not None:
                    self._advance(conn)
                elif (listener := self._listeners.get(number)) is not None:
                    self._accept_next(number, listener)
            except BaseException:  # of what gunicorn lets through; the thread must not end of it
                self.log.exception("Error in a thread of a worker")

    def _accept_next(self, number: int, listener: socket.socket) -> None:
        if self.cfg.workers > 1:
            # All workers are told of a new connection, and one that is awake anyway would get nearly all of them.
            time.sleep(min(self.nr_conns * _PAUSE_S, _PAUSE_MAX_S))
        is_full = self.nr_conns >= self.worker_connections
        try:
            if not is_full:
                self._accept(listener)
                self._epoll.modify(number, _ONCE_READABLE)
        except OSError as error:
            if not self.alive:
                return  # the main thread has closed it
            is_full = True
            self.log.warning("Cannot accept a connection, trying again: %s", error.strerror)
        if is_full:
            self._accepting = False  # the main thread changes that again, within a second

    def _accept(self, listener: socket.socket) -> bool:
        """Accept a connection, if there is one; whether there may be more."""
        with self._counting:
            try:
                client, address = listener.accept()
            except OSError as error:
                if error.errno in (errno.EAGAIN, errno.ECONNABORTED):
                    return error.errno == errno.ECONNABORTED
                raise
            self.nr_conns += 1
        conn = TConn(self.cfg, client, address, self._address_of[listener])
        conn.data_ready = True  # when a thread gets it
        self._wait_for(conn, self._epoll.register)
        return True

    def _advance(self, conn: TConn) -> None:
        """Answer the request that a connection has begun to send."""
        is_kept = False
        try:
            is_kept = self.handle(conn)
        finally:
            if is_kept:
                self._wait_for(conn, self._epoll.modify)
            else:
                conn.close(graceful=True)
                with self._counting:
                    self.nr_conns -= 1
                if not self.alive:
                    self.method_queue.defer(_nothing)  # the main thread waits for the last one

    def _wait_for(self, conn: TConn, watch: Callable[[int, int], None]) -> None:
        """Have a thread woken when something comes; at once where a part of the next request is here already."""
        conn.set_timeout()
        is_here = conn.parser is not None and conn.parser.unreader.buf.getvalue()
        number = conn.sock.fileno()
        self._idle[number] = conn
        watch(number, _ONCE_READABLE | select.EPOLLOUT if is_here else _ONCE_READABLE)


def _nothing() -> None:
    """What is there to wake the main thread."""


WORKER: Final = PollingWorker if hasattr(select, "epoll") else Worker
