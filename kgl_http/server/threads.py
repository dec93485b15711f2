"""The threads of a worker, which serve its requests, and how they hand them back to its main thread."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from queue import SimpleQueue
from typing import Any, Final

import attrs

_BYTES_READ: Final = 4096


class CallQueue:
    """Calls that other threads leave to the main thread, which selects on `fileno` and then makes them.

    gunicorn's own queue wakes the main thread with a byte for each call, this one with a byte for all that wait: under
    load, a system call less for most requests.
    """

    def __init__(self) -> None:
        self._calls: deque[Callable[[], object]] = deque()
        self._is_woken = False

    def init(self) -> None:
        """Open the pipe, in the process that will use it."""
        self._read_end, self._write_end = os.pipe()
        os.set_blocking(self._read_end, False)
        os.set_blocking(self._write_end, False)

    def close(self) -> None:
        """Close the pipe."""
        os.close(self._read_end)
        os.close(self._write_end)

    def fileno(self) -> int:
        """What becomes readable when calls wait."""
        return self._read_end

    def defer(self, call: Callable[..., object], *args: Any) -> None:
        """Have the main thread make this call."""
        self._calls.append(partial(call, *args))
        if not self._is_woken:
            self._is_woken = True
            with suppress(OSError):  # full, so it wakes; or closed, and nobody serves any more
                os.write(self._write_end, b".")

    def run_callbacks(self, _: Any) -> None:
        """Make the calls that wait."""
        with suppress(BlockingIOError):
            os.read(self._read_end, _BYTES_READ)
        # In this order: whoever adds a call now and sees that the main thread is woken adds it before they are counted.
        self._is_woken = False
        for _ in range(len(self._calls)):
            self._calls.popleft()()


@attrs.frozen
class Served:
    """How serving a connection ended: with what ``serve`` returned, or with the error that it raised.

    gunicorn reads it as it would read a `concurrent.futures.Future`.
    """

    value: Any = None
    error: BaseException | None = None

    def cancelled(self) -> bool:
        """Whether it was taken back before a thread served it, which never happens."""
        return False

    def result(self) -> Any:
        """What was returned. Raises what was raised."""
        if self.error is not None:
            raise self.error
        return self.value


class RequestThreads:
    """``count`` threads that take connections from a queue, call ``serve``, and then ``hand_over`` with the result.

    A ThreadPoolExecutor does the same with futures that nobody here waits for; their locks took a twentieth of a
    request. ``hand_over`` must not raise.
    """

    def __init__(self, count: int, serve: Callable[[Any], Any], hand_over: Callable[[Any, Served], object]) -> None:
        self._count, self._serve, self._hand_over = count, serve, hand_over
        self._waiting: SimpleQueue[Any] = SimpleQueue()
        for number in range(count):
            threading.Thread(target=self._work, name=f"requests-{number}", daemon=True).start()

    def put(self, conn: Any) -> None:
        """Queue a connection for the next free thread."""
        self._waiting.put(conn)

    def shutdown(self, wait: bool = False) -> None:
        """Tell the threads to end once the queue is empty. Never waits for that, whatever ``wait`` says."""
        for _ in range(self._count):
            self._waiting.put(None)

    def _work(self) -> None:
        while (conn := self._waiting.get()) is not None:
            try:
                served = Served(self._serve(conn))
            except BaseException as error:
                served = Served(error=error)
            self._hand_over(conn, served)
            del conn, served  # while this waits for the next
