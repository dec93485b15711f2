"""The threads of a worker, which serve its requests."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

import attrs


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
