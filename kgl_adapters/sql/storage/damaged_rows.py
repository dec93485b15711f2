"""Reads rows that may be damaged, so that a bad one does not hide the others."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson
from sqlalchemy import CursorResult, Select
from sqlalchemy.exc import DBAPIError

from kgl_adapters.sql.engine.driver_errors import translate
from kgl_adapters.sql.engine.encoding import UNREADABLE
from kgl_adapters.sql.engine.sessions import Session
from kgl_core.kernel.store_errors import StoreFault, StoreUnavailable, UnreadableRow

DAMAGED: Final = (*UNREADABLE, UnreadableRow)
"""What decoding a damaged row raises."""
_AT_ONCE: Final = 1_000
"""How many rows are fetched at a time."""
_STRAY_BYTE: Final = re.compile("[\ud800-\udfff]")


class DamagedRows:
    """Streams rows within one session, and reads their values as far as they can be read."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._open: set[CursorResult[Any]] = set()
        self._streams = 0

    def stream(self, statement: Select[Any]) -> Iterator[Sequence[Any]]:
        """The rows of ``statement``, fetched as they are asked for. Raises a StoreError."""
        with self.translating_errors(), self._any_text():
            found = self._session.execute(statement.execution_options(yield_per=_AT_ONCE))
            self._open.add(found)
            try:
                yield from found
            finally:
                if found in self._open:
                    self._open.discard(found)
                    found.close()

    @contextmanager
    def _any_text(self) -> Iterator[None]:
        """In the block, text in SQLite that is not UTF-8 is read as surrogates, which `require_text` finds.

        Otherwise it would make all rows unreadable that are fetched together with it.
        """
        if not self._session.is_sqlite:
            yield
            return
        driver: Any = self._session.connection.connection.driver_connection
        self._streams += 1
        driver.text_factory = _any_text
        try:
            yield
        finally:
            self._streams -= 1
            if not self._streams:
                driver.text_factory = str

    @contextmanager
    def translating_errors(self) -> Iterator[None]:
        """Translate the driver's errors in the block. What SQLite cannot read is damaged, not away."""
        try:
            yield
        except (DBAPIError, StoreUnavailable) as error:
            ours = translate(error, self._session.where) if isinstance(error, DBAPIError) else error
            if self._session.is_sqlite and isinstance(ours, StoreUnavailable):
                raise StoreFault(str(ours)) from error
            raise ours from error

    def id(self, value: Any) -> UUID | None:
        """The id that a column holds; None if it is damaged."""
        try:
            return self._session.encoding.read_id(value)
        except DAMAGED:
            return None

    def instant(self, value: Any) -> datetime | None:
        """The moment that a column holds; None if it is damaged."""
        try:
            return self._session.encoding.read_instant(value)
        except DAMAGED:
            return None

    def close(self) -> None:
        """Close the streams that were not read to their end."""
        while self._open:
            self._open.pop().close()


def require_text(row: Sequence[Any]) -> None:
    """Raise ValueError if a text in the row is not UTF-8."""
    for value in row:
        if type(value) is str and not value.isascii() and _STRAY_BYTE.search(value):
            raise ValueError("it holds text that is not UTF-8")


def require_unique_names(metadata: str) -> None:
    """Raise ValueError if an object in this JSON has a name twice: decoding keeps only one of them."""
    if len(orjson.dumps(orjson.loads(metadata))) != len(metadata.encode()):  # nearly all is kept as it is written
        json.loads(metadata, object_pairs_hook=_unique)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("its metadata has a name twice")
    return made


def _any_text(stored: bytes) -> str:
    return stored.decode("utf-8", "surrogateescape")
