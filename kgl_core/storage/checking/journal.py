"""Compares records with their changes: both come ordered by the records' ids, and are merged like sorted lists."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any, Final
from uuid import UUID

import attrs

from kgl_core.graph.journal.changes import Change, ChangeAction
from kgl_core.graph.nouns import noun_of
from kgl_core.graph.relationships import Relationship
from kgl_core.kernel.checked_records import same_values
from kgl_core.kernel.nouns.records import Record
from kgl_core.storage.checking.findings import EXAMPLES_MAX, Finding
from kgl_core.storage.checking.inspection import Logged, Row
from kgl_core.storage.checking.possible_records import broken, unlike

_STATES: Final = {ChangeAction.DELETED: False, ChangeAction.RETIRED: False, ChangeAction.RESTORED: True}
"""Whether the record is active after an action that decides on it."""


@attrs.define
class History:
    """What the journal holds of one record: the change of its highest version, and what is wrong with its changes."""

    id: UUID
    last: Change | None = None
    is_last_readable: bool = True
    unreadable: list[Logged] = attrs.Factory(list)
    has_gap: bool = False
    is_in_order: bool = True
    misfits: list[int] = attrs.Factory(list)


def compare(
    subject: str, rows: Iterator[Row[Any]], log: Iterator[Logged]
) -> Iterator[tuple[Row[Any] | None, list[Finding]]]:
    """Each row with what is wrong with it and its changes; None for the row where there are only changes."""
    histories = _histories(log)
    history = next(histories, None)
    for row in rows:
        if row.id is None:
            yield row, [Finding("unreadable_record", f"{subject} without a readable id: {row.fault}")]
            continue
        while history is not None and history.id.int < row.id.int:
            yield None, _of_lost(subject, history)
            history = next(histories, None)
        if history is not None and history.id == row.id:
            yield row, _of_kept(subject, row, history)
            history = next(histories, None)
        else:
            yield row, _of_kept(subject, row, History(row.id))
    while history is not None:
        yield None, _of_lost(subject, history)
        history = next(histories, None)


def same_record(one: Record, other: Record) -> bool:
    """Whether two records are equal in every field. Unlike ==, it tells 1 from 1.0 and True in metadata."""
    return one == other and same_values(one, other, noun_of(one).json_fields)


def has_wrong_deleted_with(relationship: Relationship) -> bool:
    """Whether it names an entity that it was deleted with, but is active or does not have that entity as an end."""
    entity = relationship.deleted_with
    return entity is not None and (relationship.is_active or entity not in relationship.ends)


def _histories(log: Iterator[Logged]) -> Iterator[History]:
    for id, changes in groupby(log, key=lambda logged: logged.id):
        if id is None:
            continue
        history = History(id)
        versions: set[int] = set()
        before = unreadable = 0
        previous: Change | None = None
        for logged in changes:
            change = logged.change
            history.is_last_readable = change is not None and change.record.id == id
            if change is None or not history.is_last_readable:
                unreadable += 1
                if len(history.unreadable) < EXAMPLES_MAX:
                    history.unreadable.append(logged)
                continue
            version = change.record.version
            history.is_in_order &= version > before
            before = version
            if not _fits(previous, change) and len(history.misfits) < EXAMPLES_MAX:
                history.misfits.append(logged.place)
            previous = change
            versions.add(version)
            if history.last is None or version >= history.last.record.version:
                history.last = change
        # A change that can't be read may be that of the missing version.
        history.has_gap = max(versions, default=0) > len(versions) + unreadable
        yield history


def _fits(before: Change | None, change: Change) -> bool:
    """Whether the action of a change can have made its record from what the change before it left.

    Any version but the first may be an update: a load can change the activity together with other fields.
    """
    action, record = change.action, change.record
    if action in _STATES and record.is_active is not _STATES[action]:
        return False
    if before is None:
        return action is ChangeAction.CREATED or record.version > 1
    if before.record.version + 1 != record.version:
        return True  # there is a gap or no order, which is reported already
    if action is ChangeAction.CREATED:
        return False
    return action is ChangeAction.UPDATED or before.record.is_active is not record.is_active


def _of_history(subject: str, history: History) -> list[Finding]:
    at = f"{subject} {history.id}"
    found = [
        Finding("unreadable_change", f"change {logged.place} of {at}{logged.fault and ': ' + logged.fault}")
        for logged in history.unreadable
    ]
    found += [Finding("wrong_action", f"change {place} of {at}") for place in history.misfits]
    if not history.is_in_order:
        found.append(Finding("changes_out_of_order", at))
    return found


def _of_lost(subject: str, history: History) -> list[Finding]:
    found = _of_history(subject, history)
    at, key = f"{subject} {history.id}", (subject, history.id)
    if history.has_gap:
        found.append(Finding("missing_changes", at))
    found.append(Finding("lost_record", at, key if history.is_last_readable else None))
    return found


def _of_kept(subject: str, row: Row[Any], history: History) -> list[Finding]:
    found = _of_history(subject, history)
    at, key = f"{subject} {history.id}", (subject, history.id)
    record, last = row.record, history.last
    told = 0 if last is None else last.record.version
    is_cut = record is not None and not broken(record) and history.is_last_readable and record.version > told + 1
    if history.has_gap or is_cut:
        found.append(Finding("missing_changes", at))
    is_whole = history.is_last_readable and history.is_in_order and last is not None and not broken(last.record)
    if record is None:
        return [*found, Finding("unreadable_record", f"{at}: {row.fault}", key if is_whole else None)]
    fault = broken(record) or (is_whole and last is not None and unlike(record, last.record))
    if fault:
        return [*found, Finding("broken_record", f"{at}: {fault}", key if is_whole else None)]
    if not history.is_last_readable:
        return found
    if last is None or told < record.version:
        found.append(Finding("missing_last_change", at, key))
    elif not same_record(last.record, record):
        found.append(Finding("record_differs", at, key))
    return found
