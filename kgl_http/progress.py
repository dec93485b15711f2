"""Reading files of lines for a load, and showing on a terminal how far it is."""

from __future__ import annotations

import os
import stat
import sys
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import BinaryIO, Final

from kgl_core.records import LINE_BYTES_MAX

_CHUNK_BYTES: Final = 1024 * 1024
_LINES_SHOWN: Final = 1_000


class Lines:
    """The lines of several files, one after the other, read without ever holding more than a line of bounded length."""

    def __init__(self, files: Sequence[BinaryIO]) -> None:
        self._files = files
        self._starts: list[int] = []
        self._bytes_read = 0
        self.on_read: Callable[[int], object] = lambda bytes_read: None

    @property
    def bytes_total(self) -> int | None:
        """The size of all files; None when one is a stream."""
        states = [os.fstat(file.fileno()) for file in self._files]
        return sum(state.st_size for state in states) if all(stat.S_ISREG(state.st_mode) for state in states) else None

    def __iter__(self) -> Iterator[bytes]:
        number = 0
        for file in self._files:
            self._starts.append(number)
            while line := file.readline(LINE_BYTES_MAX + 1):
                number += 1
                self._bytes_read += len(line)
                if len(line) > LINE_BYTES_MAX:
                    self._skip_line(file, line)
                if number % _LINES_SHOWN == 0:
                    self.on_read(self._bytes_read)
                yield line

    def place(self, number: int) -> str:
        """The file of line ``number``, counted over all files from 1, and the line within it."""
        index = bisect_right(self._starts, number - 1) - 1
        return f"{self._files[index].name}:{number - self._starts[index]}"

    def _skip_line(self, file: BinaryIO, begun: bytes) -> None:
        while begun and not begun.endswith(b"\n"):
            begun = file.readline(_CHUNK_BYTES)
            self._bytes_read += len(begun)


@contextmanager
def progress(lines: Lines) -> Iterator[Callable[[str], None]]:
    """Show how far ``lines`` have been read, if standard error is a terminal; yields what prints a message to it."""
    if not sys.stderr.isatty():
        yield lambda message: print(message, file=sys.stderr)  # noqa: T201  # the command's own output
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TransferSpeedColumn

    console = Console(stderr=True)
    columns = (BarColumn(), TextColumn("{task.percentage:>3.0f} %"), TransferSpeedColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=lines.bytes_total)
        lines.on_read = lambda bytes_read: bar.update(task, completed=bytes_read)
        yield lambda message: console.print(message, markup=False, highlight=False, soft_wrap=True)
