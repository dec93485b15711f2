"""Prints what commands say. Data cannot control the terminal, and a failure to print is no traceback."""

from __future__ import annotations

import errno
import io
import os
import re
import signal
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, Final

import click

from kgl_core.kernel.errors import KglError
from kgl_http.settings import InvalidSettings

# Control characters (C0 and C1, with the line separators of Unicode), changes of the writing direction, and what is no
# character at all.
_UNSAFE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def plain(text: str) -> str:
    r"""``text`` with its control characters escaped as in JSON: ``\u001b``. JSON on one line keeps its meaning."""
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def say(text: str) -> None:
    """Print a line of the answer."""
    click.echo(plain(text))


def note(text: str) -> None:
    """Print a line about the work on standard error. The work goes on even if that fails."""
    click.echo(plain(text), err=True)


@contextmanager
def answering(done: str = "the command did its work") -> Iterator[None]:
    """A block that only prints, after the command has changed something.

    Raises ClickException if the output can't be written. It says what was ``done``, so that people know whether to run
    the command again.
    """
    try:
        yield
    except OSError as error:
        raise click.ClickException(f"the output could not be written ({_reason(error)}), but {done}") from error


def require_output(advice: str) -> None:
    """Raise ClickException, with ``advice``, if standard output is closed."""
    try:
        os.write(sys.stdout.fileno(), b"")
    except OSError as error:
        if error.errno == errno.EBADF:
            raise click.ClickException(f"standard output is closed; {advice}") from error


@contextmanager
def opened(name: str | None) -> Iterator[BinaryIO]:
    """Standard output, or a file that only its owner can read, and that is put in place when the block succeeds."""
    if name is None:
        require_output("name a file with --output")
        yield sys.stdout.buffer
        return
    if os.path.exists(name) and not os.path.isfile(name):  # a pipe, or a device
        with open(name, "wb") as file:
            yield file
        return
    name = os.path.realpath(name)
    made, unfinished = tempfile.mkstemp(dir=os.path.dirname(name) or ".", prefix=f".{os.path.basename(name)}.")
    try:
        os.fchmod(made, 0o600)  # whatever the umask
        with os.fdopen(made, "wb") as file:
            yield file
        os.replace(unfinished, name)
    except BaseException:
        os.unlink(unfinished)
        raise


class Stopped(KeyboardInterrupt):
    """The command was told to stop by a signal: SIGTERM, or SIGHUP as its terminal closed."""

    def __init__(self, number: int) -> None:
        self.number = number


class Interrupted(click.ClickException):
    """Ctrl-C was pressed, or the command was told to stop; the message says what happened to the work."""

    def __init__(self, message: str, by: KeyboardInterrupt) -> None:
        super().__init__(message)
        # As a shell tells of signals.
        self.exit_code = 128 + (by.number if isinstance(by, Stopped) else signal.SIGINT)  # type: ignore[misc]


@contextmanager
def _stoppable() -> Iterator[None]:
    """A block that a signal ends as Ctrl-C does, so that what it has begun is ended too. Ignored ones stay ignored."""
    numbers = [each for each in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(each) is signal.SIG_DFL]
    for number in numbers:
        signal.signal(number, _stop)
    try:
        yield
    finally:
        for number in numbers:
            if signal.getsignal(number) is _stop:
                signal.signal(number, signal.SIG_DFL)


def _stop(number: int, frame: object) -> None:
    raise Stopped(number)


class Commands(click.Group):
    """A group of commands that ends with one line and status 1 after one of our errors, or if it can't print."""

    def main(self, *args: Any, **extra: Any) -> Any:
        _prepare_streams()
        warnings.showwarning = lambda message, *_, **__: note(f"Warning: {message}")
        try:
            with _stoppable():
                return super().main(*args, **extra)
        except OSError as error:
            note(f"Error: {error.filename or 'cannot write the output'}: {_reason(error)}")
            sys.exit(1)
        finally:
            _forget_unwritten()

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        with _plain_errors():
            return super().make_context(*args, **extra)

    def invoke(self, context: click.Context) -> Any:
        with _plain_errors():
            return super().invoke(context)


@contextmanager
def _plain_errors() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt as error:
        raise Interrupted("interrupted", error) from error
    except (KglError, InvalidSettings) as error:
        raise click.ClickException(plain(str(error))) from error
    except click.UsageError as error:
        # It may quote the name of a file that somebody else chose.
        given = error.format_message().split("\n")
        told = [*map(plain, given)]
        if told == given:
            raise
        raise click.UsageError("\n".join(told), error.ctx) from error


class _Unfailing(io.FileIO):
    """A file that drops what can't be written, and raises no error."""

    def write(self, data: Any) -> int:
        try:
            return super().write(data) or len(data)
        except OSError:
            return len(data)


def _prepare_streams() -> None:
    """Replace closed streams, for which Python has None, and never fail to write to standard error."""
    sys.stdin = sys.stdin or _nowhere(os.O_RDONLY, "r")
    sys.stdout = sys.stdout or _nowhere(os.O_RDONLY, "w")  # so that writing fails, as it should
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    err = sys.stderr or _nowhere(os.O_WRONLY, "w")
    binary = io.BufferedWriter(_Unfailing(err.fileno(), "w", closefd=False))
    sys.stderr = io.TextIOWrapper(binary, err.encoding, "backslashreplace", line_buffering=True)


def _nowhere(flags: int, mode: str) -> Any:
    return os.fdopen(os.open(os.devnull, flags), mode)


def _forget_unwritten() -> None:
    """Drop what could not be written: Python would try again as it exits, and end with status 120."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _reason(error: OSError) -> str:
    return "it is closed" if error.errno == errno.EBADF else str(error.strerror or error)
