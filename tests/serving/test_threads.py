"""The threads that serve a worker's requests."""

import threading
from queue import Queue
from typing import Any

import pytest

from kgl_http.server.threads import RequestThreads, Served


def serve_all(given: list[Any], serve: Any, threads: int = 3) -> dict[Any, Served]:
    """What became of each of these, served by so many threads."""
    ended: Queue[tuple[Any, Served]] = Queue()
    pool = RequestThreads(threads, serve, lambda conn, served: ended.put((conn, served)))
    for conn in given:
        pool.put(conn)
    found = dict(ended.get(timeout=30) for _ in given)
    pool.shutdown()
    return found


def test_everything_that_is_put_is_served_once() -> None:
    """And what came of it is handed over."""
    found = serve_all([*range(1, 200)], lambda number: number * 2)
    assert {number: served.result() for number, served in found.items()} == {n: 2 * n for n in range(1, 200)}
    assert not any(served.cancelled() for served in found.values())


@pytest.mark.parametrize("error", [ValueError("x"), SystemExit(1), KeyboardInterrupt()])
def test_an_error_ends_no_thread(error: BaseException) -> None:
    """Whoever looks at the result meets it; the thread serves the next."""

    def serve(number: int) -> int:
        if number % 2:
            raise error
        return number

    found = serve_all([1, 2, 3, 4, 5, 6], serve, threads=1)
    for number, served in found.items():
        if number % 2:
            with pytest.raises(type(error)):
                served.result()
        else:
            assert served.result() == number


def test_as_many_are_served_at_once_as_there_are_threads() -> None:
    """Each waits for the others here, which one thread alone would do for ever."""
    together = threading.Barrier(4, timeout=30)
    found = serve_all([1, 2, 3, 4], lambda _: together.wait() >= 0, threads=4)
    assert all(served.result() for served in found.values())


def test_shutting_down_ends_the_threads_after_their_work() -> None:
    """What was put before is served first."""
    ended: Queue[Any] = Queue()
    pool = RequestThreads(2, lambda conn: conn, lambda conn, _: ended.put(conn))
    threads = [thread for thread in threading.enumerate() if thread.name.startswith("requests-")]
    for number in range(1, 6):
        pool.put(number)
    pool.shutdown()
    for thread in threads:
        thread.join(30)
    assert sorted(ended.get_nowait() for _ in range(5)) == [1, 2, 3, 4, 5]
    assert not any(thread.is_alive() for thread in threads)
