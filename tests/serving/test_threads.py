"""The threads that serve a worker's requests."""

import select
import threading
from collections.abc import Iterator
from queue import Queue
from typing import Any

import pytest

from kgl_http.server.threads import CallQueue, RequestThreads, Served


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


@pytest.fixture
def calls() -> Iterator[CallQueue]:
    """A queue of calls that is open."""
    queue = CallQueue()
    queue.init()
    yield queue
    queue.close()


def is_woken(calls: CallQueue, wait_s: float = 0) -> bool:
    """Whether whoever selects on the queue would wake."""
    return bool(select.select([calls.fileno()], [], [], wait_s)[0])


def test_one_wake_is_enough_for_all_calls_that_wait(calls: CallQueue) -> None:
    """They are made in their order; then nothing wakes until there is another."""
    made: list[int] = []
    for number in range(100_000):
        calls.defer(made.append, number)
    assert is_woken(calls)
    calls.run_callbacks(calls.fileno())
    assert made == [*range(100_000)]
    assert not is_woken(calls)
    calls.defer(made.append, -1)
    assert is_woken(calls)


def test_a_call_that_is_added_by_a_call_is_made_next_time(calls: CallQueue) -> None:
    """So that nobody else waits for ever."""
    made: list[str] = []
    calls.defer(lambda: calls.defer(made.append, "second"))
    calls.run_callbacks(calls.fileno())
    assert made == []
    assert is_woken(calls)
    calls.run_callbacks(calls.fileno())
    assert made == ["second"]


def test_no_call_is_forgotten_while_several_threads_add_them(calls: CallQueue) -> None:
    """The main thread selects all the while, and misses no wake."""
    made: list[int] = []
    threads = [
        threading.Thread(target=lambda at=at: [calls.defer(made.append, at + n) for n in range(5_000)])
        for at in range(0, 20_000, 5_000)
    ]
    for thread in threads:
        thread.start()
    while len(made) < 20_000:
        assert is_woken(calls, 30), f"nothing wakes, and {20_000 - len(made)} calls are not made"
        calls.run_callbacks(calls.fileno())
    assert sorted(made) == [*range(20_000)]
    for thread in threads:
        thread.join()


def test_a_call_after_the_end_wakes_nobody() -> None:
    """And raises nothing: a signal may come that late."""
    queue = CallQueue()
    queue.init()
    queue.close()
    queue.defer(print)
