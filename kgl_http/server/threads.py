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
        """Never: what is put is served."""
        return False

    def result(self) -> Any:
        """What was returned. Raises what was raised."""
        if self.error is not None:
            raise self.error
        return self.value


class RequestThreads:
    """So many threads that take connections in turn, serve each, and hand over how that ended.

    They do what a ThreadPoolExecutor does, without the locks of futures that nobody waits for: those took a twentieth
    of a request. ``serve`` and ``hand_over`` are called by the threads; ``hand_over`` must not raise.
    """

    def __init__(self, count: int, serve: Callable[[Any], Any], hand_over: Callable[[Any, Served], object]) -> None:
        self._count, self._serve, self._hand_over = count, serve, hand_over
        self._waiting: SimpleQueue[Any] = SimpleQueue()
        for number in range(count):
            threading.Thread(target=self._work, name=f"requests-{number}", daemon=True).start()

    def put(self, conn: Any) -> None:
        """Have the next thread that is free serve a connection."""
        self._waiting.put(conn)

    def shutdown(self, wait: bool = False) -> None:
        """End the threads, each after what it is doing, and do not wait for that."""
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
