"""Lines that are written, or dropped, and never waited for by a request."""

import fcntl
import os
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import pytest

from kgl_http.server import log_lines as lines
from kgl_http.server.log_lines import LogLines

SMALL_PIPE = 4096


@pytest.fixture
def pipe() -> Iterator[tuple[int, TextIO]]:
    """A pipe with little room: the end to read from, and the other."""
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, SMALL_PIPE)
    with open(writer, "w") as file:
        yield reader, file
    os.close(reader)


def counting(lines: LogLines) -> list[int]:
    """How many lines were dropped each time that some were."""
    counts: list[int] = []
    lines.when_dropped = counts.append
    return counts


def test_a_thread_writes_what_it_is_given_in_order(pipe: tuple[int, TextIO]) -> None:
    """All of it, though the pipe holds less; flush waits for it."""
    reader, file = pipe
    written = LogLines(file)
    dropped = counting(written)
    written.write_behind()
    given = [f"{number} {'x' * (number % 2000)}\n".encode() for number in range(200)]
    for line in given:
        written.write(line)
    whole = b"".join(given)
    read = b""
    while len(read) < len(whole):
        read += os.read(reader, len(whole))
    written.flush()
    assert read == whole
    assert dropped == []


def test_what_waits_too_long_is_dropped_and_counted(pipe: tuple[int, TextIO], monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind a reader who has stopped reading; when that goes on, so do the lines, each of them whole."""
    monkeypatch.setattr(lines, "LINES_MAX", 10)
    reader, file = pipe
    written = LogLines(file)
    dropped = counting(written)
    written.write_behind()
    line = b"x" * 1000 + b"\n"
    for _ in range(100):
        written.write(line)
    assert sum(dropped) >= 100 - 10 - 2 * SMALL_PIPE // len(line)
    kept = 100 - sum(dropped)
    read = b""
    while len(read) < kept * len(line):
        read += os.read(reader, SMALL_PIPE)
    assert read == line * kept
    written.flush()
    written.write(b"again\n")
    assert os.read(reader, SMALL_PIPE) == b"again\n"


def test_who_writes_without_a_thread_waits_once(pipe: tuple[int, TextIO], monkeypatch: pytest.MonkeyPatch) -> None:
    """For a reader who has stopped; and no more until that goes on."""
    monkeypatch.setattr(lines, "WAIT_MAX_S", 0.01)
    reader, file = pipe
    written = LogLines(file)
    dropped = counting(written)
    line = b"x" * (SMALL_PIPE - 1) + b"\n"
    for _ in range(3):
        written.write(line)
    assert dropped == [1, 1]
    assert os.read(reader, 2 * SMALL_PIPE) == line
    written.write(b"again\n")
    assert os.read(reader, SMALL_PIPE) == b"again\n"


def test_a_line_that_broke_off_does_not_spoil_the_next(tmp_path: Path) -> None:
    """On a disk that was full for a while."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with (tmp_path / "log").open("w") as file:
        written = LogLines(file)
        dropped = counting(written)
        written.write(b"first\n")
        resource.setrlimit(resource.RLIMIT_FSIZE, (10, limits[1]))
        try:
            written.write(b"second\n")
            written.write(b"third\n")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        written.write(b"fourth\n")
    assert dropped == [1, 1]
    assert (tmp_path / "log").read_text() == "first\nseco\nfourth\n"


def test_a_file_that_is_closed_or_is_none_is_no_error() -> None:
    """There is nobody to tell."""
    with open(os.devnull, "w") as closed:
        pass
    for file in (None, closed):
        written = LogLines(file)
        written.write(b"line\n")
        written.write_behind()
        written.write(b"line\n")
        written.flush()
