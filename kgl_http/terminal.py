"""What commands print. Nothing that comes from data controls the terminal, and no failure to print is a traceback."""

from __future__ import annotations

import io
import os
import re
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, BinaryIO, Final, NoReturn

import click

from kgl_core.errors import KglError
from kgl_http.settings import InvalidSettings

# Control characters (C0 and C1, with the line separators of Unicode), changes of the writing direction, and what is no
# character at all.
_UNSAFE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def plain(text: str) -> str:
    r"""``text`` with its control characters escaped as in JSON: ``\u001b``. JSON on one line stays the same JSON."""
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def say(text: str) -> None:
    """Print a line of the answer."""
    click.echo(plain(text))


def note(text: str) -> None:
    """Print a line about what is done. What is done goes on when nobody can read that."""
    with suppress(OSError):
        click.echo(plain(text), err=True)


@contextmanager
def opened(name: str | None) -> Iterator[BinaryIO]:
    """Standard output, or a file for its owner alone that appears, or replaces another, when the block ends well."""
    if name is None:
        if sys.stdout is None:
            raise click.ClickException("standard output is closed; name a file with --output")
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


class Commands(click.Group):
    """Ends with one line and status 1 after an error of ours, or when its output can't be written."""

    def main(self, *args: Any, **extra: Any) -> Any:
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):  # None where it was closed before
                stream.reconfigure(errors="backslashreplace")
        warnings.showwarning = lambda message, *_, **__: note(f"Warning: {message}")
        sys.stdin = sys.stdin or io.TextIOWrapper(io.BytesIO())  # for it is None as well
        try:
            return super().main(*args, **extra)
        except OSError as error:
            _end(error)

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
    except (KglError, InvalidSettings) as error:
        raise click.ClickException(plain(str(error))) from error
    except click.UsageError as error:
        # It may quote the name of a file that somebody else chose.
        given = error.format_message().split("\n")
        told = [*map(plain, given)]
        if told == given:
            raise
        raise click.UsageError("\n".join(told), error.ctx) from error


def _end(error: OSError) -> NoReturn:
    """End with status 1 and a line that says why."""
    where = error.filename or "cannot write the output"
    note(f"Error: {where}: {error.strerror}")
    # Python writes once more what is left, fails again, and tells of that.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (1, 2):
        os.dup2(nowhere, descriptor)
    sys.exit(1)
