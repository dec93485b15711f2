"""Converts changes to rows and back, with the whole record that a change holds as JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import attrs
import orjson

from kgl_adapters.sql.engine.encoding import (
    UNREADABLE,
    Encoding,
    micros_of,
    moment_text,
    unreadable,
    uuid_bytes,
    uuid_digits,
)
from kgl_adapters.sql.kernel.json_columns import read_object, texts
from kgl_core.graph.facts import Fact
from kgl_core.graph.journal.changes import Change, ChangeAction
from kgl_core.graph.nouns import GRAPH_NOUNS, noun_of
from kgl_core.kernel.ids import RunId
from kgl_core.kernel.nouns.noun import Field
from kgl_core.kernel.nouns.records import Record
from kgl_core.kernel.permissions import Actor

CHANGE_COLUMNS: Final = ("at", "actor", "action", "subject", "subject_id", "record", "run")
_ACTIONS: Final = {action: action.value for action in ChangeAction}  # an enum's value is slow to get
_OF_EVIDENCE: Final = frozenset(field.name for field in attrs.fields(Fact)) - {f.name for f in attrs.fields(Record)}


def _object(value: Any) -> dict[str, Any]:
    if type(value) is not dict:
        raise ValueError("it is no JSON object")
    return value


_FROM_JSON: Final[Mapping[Any, Callable[[Any], Any]]] = {
    UUID: UUID,
    datetime: datetime.fromisoformat,
    Actor: Actor.parse,
    tuple[str, ...]: texts,
    Mapping[str, Any]: _object,
}
"""By the type of a field; others are in JSON as they are in Python."""
_READ: Final[Mapping[str, tuple[type[Record], Sequence[tuple[Field, Callable[[Any], Any]]]]]] = {
    noun.name: (
        noun.record,
        [(field, _FROM_JSON[field.type]) for field in noun.fields if field.type in _FROM_JSON],
    )
    for noun in GRAPH_NOUNS
}


def write_record(record: Record) -> str:
    """The record as JSON that `read_record` takes. What a fact shows of assertions is left out where it has none."""
    fields = vars(record).copy()
    if fields.get("has_assertions") is False:
        for name in _OF_EVIDENCE:
            del fields[name]
    for name in ("created_by", "deleted_by"):  # for orjson to ask what to write would take ten times as long
        if fields[name] is not None:
            fields[name] = str(fields[name])
    return orjson.dumps(fields, option=orjson.OPT_UTC_Z).decode()


def read_record(subject: str, text: str) -> Record:
    """The record that `write_record` wrote; a field that did not exist then has its default.

    Raises ValueError, TypeError or KeyError for anything else.
    """
    cls, converted = _READ[subject]
    values = read_object(text)
    for field, read in converted:
        if (value := values.get(field.name)) is not None:
            values[field.name] = read(value)
        elif not field.is_optional and (field.name in values or not field.has_default):
            raise ValueError(f"it has no {field.name}")
    return cls(**values)


class ChangeRows:
    """The rows of changes in one kind of database."""

    def __init__(self, encoding: Encoding) -> None:
        self._encoding = encoding
        self._id: Callable[[UUID], Any] = uuid_bytes if encoding.is_sqlite else uuid_digits
        self._instant: Callable[[datetime], Any] = micros_of if encoding.is_sqlite else moment_text

    def write(self, change: Change) -> tuple[Any, ...]:
        """The values of CHANGE_COLUMNS."""
        record = change.record
        return (
            self._instant(change.at),
            str(change.actor),
            _ACTIONS[change.action],
            noun_of(record).name,
            self._id(record.id),
            write_record(record),
            None if change.run is None else self._id(change.run),
        )

    def read(self, row: Sequence[Any]) -> Change:
        """The change in a row of ``sequence`` and CHANGE_COLUMNS without subject_id. Raises UnreadableRow."""
        try:
            _, at, actor, action, subject, record, run = row
            moment = self._encoding.read_instant(at)
            part_of = None if run is None else RunId(self._encoding.read_id(run))
            return Change(moment, Actor.parse(actor), ChangeAction(action), read_record(subject, record), None, part_of)
        except UNREADABLE as error:
            raise unreadable("changes", row, error) from error
