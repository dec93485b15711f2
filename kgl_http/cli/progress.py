"""Reads the files of a load, and shows on a terminal how far a load or an export has come."""

from __future__ import annotations

import os
import stat
import sys
import time
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, Final

from kgl_core.kernel.errors import InvalidInput
from kgl_core.knowledge_graph import KnowledgeGraph
from kgl_core.storage.record_files import read_texts
from kgl_http.cli.terminal import note, plain

if TYPE_CHECKING:
    from rich.progress import Progress, ProgressColumn

_RECORDS_SHOWN: Final = 1_000


class RecordFiles:
    """The records of several files, one after the other. One record at a time is in memory."""

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

    def __iter__(self) -> Iterator[bytes | InvalidInput]:
        number = 0
        for file in self._files:
            self._starts.append(number)
            try:
                texts = read_texts(self._counting(file))
            except InvalidInput as error:
                texts = iter([error])
            for text in texts:
                number += 1
                if number % _RECORDS_SHOWN == 0:
                    self.on_read(self._bytes_read)
                yield text

    def place_of(self, number: int) -> str:
        """The file of record ``number``, counted from 1 over all files, and its number within that file."""
        index = bisect_right(self._starts, number - 1) - 1
        return f"{self._files[index].name}:{number - self._starts[index]}"

    def _counting(self, file: BinaryIO) -> Callable[[int], bytes]:
        def read(size: int) -> bytes:
            try:
                data = file.read(size)
            except OSError as error:
                raise OSError(error.errno, error.strerror, file.name) from error
            self._bytes_read += len(data)
            return data

        return read


@contextmanager
def reading(records: RecordFiles) -> Iterator[Callable[[str], None]]:
    """Show how far ``records`` have been read, if standard error is a terminal. Yields what prints a message there."""
    if not _is_watched():
        yield note
        return
    from rich.progress import TransferSpeedColumn

    with _bar(records.bytes_total, TransferSpeedColumn()) as bar:
        records.on_read = lambda bytes_read: bar.update(bar.task_ids[0], completed=bytes_read)
        yield lambda text: bar.console.print(plain(text), markup=False, highlight=False, soft_wrap=True)


@contextmanager
def writing(kg: KnowledgeGraph, out: BinaryIO) -> Iterator[Callable[[], None]]:
    """Show how many records have been written to ``out`` and, at the end, in what time, on a terminal.

    Yields what counts a record.
    """
    if not _is_watched():
        yield lambda: None
        return
    begin, written = time.monotonic(), 0
    counts = kg.stats()
    total = sum(count.active + count.deleted for count in (counts.entities, counts.relationships))
    with _bar(total, is_hidden=out.isatty()) as bar:  # there it would come between the records

        def advance() -> None:
            nonlocal written
            written += 1
            if written % _RECORDS_SHOWN == 0:
                bar.update(bar.task_ids[0], completed=written)

        yield advance
    note(f"{written:,} records in {time.monotonic() - begin:.1f} s")


@contextmanager
def progress_bars() -> Iterator[Callable[[str, int, int], object] | None]:
    """Bars on standard error, if that is a terminal, one for each thing that is told of: its name, done, in all."""
    if not _is_watched():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        tasks = {}

        def show(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total)
            bars.update(tasks[what], completed=done, total=total)

        yield show


def _is_watched() -> bool:
    return sys.stderr is not None and sys.stderr.isatty()


def _bar(total: int | None, *more: ProgressColumn, is_hidden: bool = False) -> Progress:
    """A bar on standard error with one task, of ``total`` steps."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (BarColumn(), TextColumn("{task.percentage:>3.0f} %"), *more, TimeElapsedColumn())
    bar = Progress(*columns, console=Console(stderr=True), transient=True, disable=is_hidden)
    bar.add_task("", total=total)
    return bar
