"""Writes lines to standard output so that telling decides nothing: whatever becomes of a line, its writer goes on."""

from __future__ import annotations

import atexit
import fcntl
import os
import select
import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Final, TextIO

LINES_MAX: Final = 10_000
"""How many lines may wait for the thread that writes them."""
WAIT_MAX_S: Final = 1.0
"""How long a process that writes its lines itself waits for a reader who has stopped reading."""
_GATHER_S: Final = 0.05  # one call for many lines, and fewer times that a thread more wants Python's lock
_BLOCK_LINES_MAX: Final = 100
_TRY_AGAIN_S: Final = 0.01


class LogLines:
    """Writes lines to a file, each in one piece; shared by threads, and by processes that are forked later.

    A line that can't be written is dropped, and ``when_dropped`` is called with the number of lines that were: nobody
    reads the pipe any more, the disk is full, or too many lines wait for a reader who is slow. Nothing is raised.

    At first each line is written before `write` returns, which waits for WAIT_MAX_S at most. `write_behind` hands them
    to a thread, so that no request waits for a line.
    """

    def __init__(self, file: TextIO | None) -> None:
        """``file`` is what sys.stdout is: None where there is none."""
        self.when_dropped: Callable[[int], object] = _ignore
        self._out = _Out(file)
        self._turn = threading.RLock()  # of threads; a signal handler may write in the middle of a line
        self._queue: SimpleQueue[Callable[[], bytes] | threading.Event] | None = None
        self._is_torn = self._is_stalled = False

    def write(self, line: bytes) -> None:
        """Write a line, which has its end."""
        self.write_later(lambda: line)

    def write_later(self, line: Callable[[], bytes]) -> None:
        """Write a line that the thread makes, where there is one; it must not raise."""
        queue = self._queue
        if queue is None:
            with self._turn:
                self._write(line(), time.monotonic() + (0 if self._is_stalled else WAIT_MAX_S))
        elif queue.qsize() < LINES_MAX:
            queue.put(line)
        else:
            self.when_dropped(1)

    def write_behind(self) -> None:
        """Let a thread write from now on. Call it in the process that serves, after any fork."""
        if self._queue is None:
            queue = self._queue = SimpleQueue()
            threading.Thread(target=self._work, args=[queue], name="log", daemon=True).start()
            atexit.register(self.flush)

    def flush(self, wait_max_s: float = WAIT_MAX_S) -> None:
        """Wait until the lines that were given before are written, or for so many seconds."""
        if self._queue is not None:
            written = threading.Event()
            self._queue.put(written)
            written.wait(wait_max_s)

    def _work(self, queue: SimpleQueue[Callable[[], bytes] | threading.Event]) -> None:
        while True:
            block: list[bytes] = []
            given = queue.get()
            time.sleep(_GATHER_S)
            while not isinstance(given, threading.Event):
                block.append(given())
                if len(block) == _BLOCK_LINES_MAX or queue.empty():
                    break
                given = queue.get()
            self._write(b"".join(block))
            if isinstance(given, threading.Event):
                given.set()

    def _write(self, block: bytes, deadline: float | None = None) -> None:
        """Write whole lines; without a deadline, however long their reader takes."""
        if not block:
            return
        rest = whole = b"\n" + block if self._is_torn else block
        try:
            with self._out.alone(deadline):
                while rest:
                    rest = rest[self._out.write(rest, deadline) :]
            self._is_torn = self._is_stalled = False
        except (OSError, ValueError) as error:  # ValueError: the file is closed
            self._is_stalled = isinstance(error, TimeoutError)
            self._is_torn |= len(rest) < len(whole)
            self.when_dropped(min(rest.count(b"\n"), block.count(b"\n")))


class _Out:
    """A file to write to, by its descriptor where it has one."""

    def __init__(self, file: TextIO | None) -> None:
        self._file = file
        try:
            self._descriptor = -1 if file is None else file.fileno()
            self._is_regular = self._descriptor >= 0 and stat.S_ISREG(os.fstat(self._descriptor).st_mode)
        except (AttributeError, OSError, ValueError):
            self._descriptor = -1

    def write(self, data: bytes, deadline: float | None) -> int:
        """Write the first bytes of ``data``, and say how many. Raises OSError; TimeoutError at the deadline."""
        if self._descriptor < 0:
            if self._file is not None:
                self._file.write(data.decode(errors="replace"))
                self._file.flush()
            return len(data)
        if self._is_regular:  # always ready, and never to be waited for
            return os.write(self._descriptor, data)
        poll = select.poll()
        poll.register(self._descriptor, select.POLLOUT)
        if not poll.poll(None if deadline is None else max(0, deadline - time.monotonic()) * 1000):
            raise TimeoutError
        return os.write(self._descriptor, data[: select.PIPE_BUF])

    @contextmanager
    def alone(self, deadline: float | None) -> Iterator[None]:
        """Keep other processes from writing: what is longer than PIPE_BUF is not written in one piece otherwise.

        Raises TimeoutError at the deadline.
        """
        is_locked = self._lock(deadline)
        try:
            yield
        finally:
            if is_locked:
                fcntl.lockf(self._descriptor, fcntl.LOCK_UN)

    def _lock(self, deadline: float | None) -> bool:
        while self._descriptor >= 0:
            try:
                fcntl.lockf(self._descriptor, fcntl.LOCK_EX if deadline is None else fcntl.LOCK_EX | fcntl.LOCK_NB)
            except (BlockingIOError, PermissionError):
                if deadline is not None and time.monotonic() > deadline:
                    raise TimeoutError from None
                time.sleep(_TRY_AGAIN_S)
            except OSError:
                return False  # it can't be locked
            else:
                return True
        return False


def _ignore(count: int) -> None:
    """What becomes of the number of dropped lines where nobody counts them."""
