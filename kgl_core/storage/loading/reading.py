"""Reads what a load is given: numbered records, in batches of bounded count and size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Final

import attrs

from kgl_core.kernel.errors import InvalidInput, KglError
from kgl_core.storage.record_lines import Line, read_line

BATCH_BYTES_MAX: Final = 4 * 1024 * 1024
DETAIL_LENGTH_MAX: Final = 500
Numbered = tuple[int, Line]
"""A line, and its number from 1."""


@attrs.frozen
class Refusal:
    """A record that was not loaded: its number (the line, from 1), a stable code, and what to do.

    ``detail`` has at most DETAIL_LENGTH_MAX characters.
    """

    number: int
    code: str
    detail: str

    def __str__(self) -> str:
        return f"line {self.number}: {self.detail} ({self.code})"


Items = Sequence[Numbered | Refusal]
"""What was read, in order: lines, and refusals of what is none."""


def refusal_of(number: int, error: KglError) -> Refusal:
    """The refusal of a record that raised this error."""
    code = error.faults[0].code if isinstance(error, InvalidInput) else error.code
    detail = str(error)
    if len(detail) > DETAIL_LENGTH_MAX:
        detail = detail[: DETAIL_LENGTH_MAX - 1] + "…"
    return Refusal(number, code, detail)


def read_batches(records: Iterable[object], records_max: int) -> Iterator[Items]:
    """The numbered records, in runs of bounded count and size; malformed ones as refusals, without blank lines.

    A batch has up to ``records_max`` records, and ends with the one that takes it to BATCH_BYTES_MAX.
    """
    batch: list[Numbered | Refusal] = []
    size = 0
    for number, item in enumerate(records, 1):
        try:
            record = read_line(item)
        except InvalidInput as error:
            batch.append(refusal_of(number, error))
        else:
            if record is None:
                continue
            batch.append((number, record))
        size += _weight(item)
        if len(batch) >= records_max or size >= BATCH_BYTES_MAX:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _weight(item: object) -> int:
    """About how many bytes an item takes: the length of a line, or of a mapping's longest parts."""
    if isinstance(item, bytes | str):
        return len(item)
    values = islice(item.values(), 64) if isinstance(item, dict) else ()
    return sum(len(value) * 64 for value in values if isinstance(value, str | list | tuple | dict))
