"""Repairing: mends what can be derived, in transactions of bounded size that each look again first.

A record is what everybody reads, so it stays as it is, and the journal is made to agree. Only a record that is missing,
or too damaged to be what kgl stored, is taken from the journal.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final
from uuid import UUID

import attrs

from kgl_core.evidence.ledger import settle_facts
from kgl_core.evidence.recording import Work
from kgl_core.graph.journal.changes import Change, ChangeAction
from kgl_core.graph.nouns import GRAPH_NOUNS, GraphNoun
from kgl_core.graph.relationships import RELATIONSHIP
from kgl_core.kernel.errors import AlreadyExists, Conflict, NotFound, TransactionConflict
from kgl_core.kernel.nouns.records import Record
from kgl_core.kernel.store_errors import StoreFault
from kgl_core.kernel.units_of_work import Context, UnitOfWork
from kgl_core.storage.checking.journal import has_wrong_deleted_with, same_record
from kgl_core.storage.checking.kinds import KINDS, STALE
from kgl_core.storage.checking.possible_records import broken

BATCH: Final = 2_000
_Keys = Sequence[tuple[str, UUID]]
_Mender = Callable[[Context, UnitOfWork, Sequence[Any]], int]


def mend(context: Context, keys: Mapping[str, Sequence[Any]]) -> Counter[str]:
    """Mend what has these keys, by the code of its kind; returns how many of each were mended."""
    done: Counter[str] = Counter()
    for code in _ORDER:
        found = keys.get(code, ())
        size = 1 if code in _ONE_BY_ONE else BATCH
        for start in range(0, len(found), size):
            mended = context.retry(partial(_mend_batch, context, code, found[start : start + size]))
            if mended:
                done[code] += mended
    return done


def _mend_batch(context: Context, code: str, keys: Sequence[Any]) -> int:
    try:
        with context.store.begin() as uow:
            mender = _MENDERS.get(code)
            mended = uow.inspection.mend(code, keys) if mender is None else mender(context, uow, keys)
            uow.commit()
        return mended
    except TransactionConflict:
        raise
    except (Conflict, NotFound, StoreFault):
        return 0  # something else is in the way: the next look finds and reports it again


def _put_back(context: Context, uow: UnitOfWork, keys: _Keys) -> int:
    """Adds lost records again, entities first."""
    done = 0
    for noun, ids in _by_noun(keys):
        latest = _last_records(uow, noun, ids)
        for record in latest.values():
            if broken(record):
                continue
            try:
                with uow.begin() as inner:
                    inner.of(noun).add([record])
                    inner.commit()
                done += 1
            except (AlreadyExists, NotFound):
                pass
    return done


def _put_right(context: Context, uow: UnitOfWork, keys: _Keys) -> int:
    """Restores damaged records from their last change, where that is whole. That needs no change of its own."""
    done = 0
    for noun, ids in _by_noun(keys):
        uow.inspection.lock(noun, ids)
        for id, record in _last_records(uow, noun, ids).items():
            if record.id != id or broken(record):
                continue
            try:
                with uow.begin() as inner:
                    inner.inspection.overwrite(record)
                    inner.commit()
                done += 1
            except (AlreadyExists, NotFound):
                pass
    return done


def _tell(context: Context, uow: UnitOfWork, keys: _Keys) -> int:
    """Adds the missing last change of records."""
    changes = []
    for noun, ids in _by_noun(keys):
        records = _locked(uow, noun, ids)
        latest = _last_records(uow, noun, ids)
        for record in records:
            last = latest.get(record.id)
            if last is None or last.version < record.version:
                changes.append(Change(context.now(), context.actor, _action(last, record), record))
    uow.changes.append(changes)
    return len(changes)


def _delete_with_end(context: Context, uow: UnitOfWork, ids: Sequence[UUID]) -> int:
    """Deletes active relationships with a deleted end."""
    seen = uow.relationships.find(ids)
    ends = uow.entities.ends({end for relationship in seen for end in relationship.ends})
    gone = {end.id for end in ends if not end.is_active}
    now, deleted = context.now(), []
    latest = _last_records(uow, RELATIONSHIP, ids)
    for relationship in uow.relationships.find(ids, lock="update"):
        end = next((end for end in (relationship.source_entity_id, relationship.target_entity_id) if end in gone), None)
        if relationship.is_active and end is not None and not broken(relationship):
            record = _next(relationship, now, deleted_at=now, deleted_by=context.actor, deleted_with=end)
            deleted.append((record, _action(latest.get(record.id, relationship), record)))
    return _keep(context, uow, deleted)


def _forget_deleted_with(context: Context, uow: UnitOfWork, ids: Sequence[UUID]) -> int:
    """Clears ``deleted_with`` where it is wrong."""
    now = context.now()
    changed = [
        (_next(relationship, now, deleted_with=None), ChangeAction.UPDATED)
        for relationship in uow.relationships.find(ids, lock="update")
        if has_wrong_deleted_with(relationship) and not broken(relationship)
    ]
    return _keep(context, uow, changed)


def _complete_deletion(context: Context, uow: UnitOfWork, keys: _Keys) -> int:
    """Settles who deleted records that are half deleted."""
    now, done = context.now(), 0
    for noun, ids in _by_noun(keys):
        half = [r for r in _locked(uow, noun, ids) if (r.deleted_at is None) != (r.deleted_by is None)]
        latest = _last_records(uow, noun, [record.id for record in half])
        changed = []
        for record in half:
            whole = _next(record, now, deleted_by=None if record.deleted_at is None else context.actor)
            changed.append((whole, _action(latest.get(record.id), whole)))
        done += _keep(context, uow, changed)
    return done


def _retell(context: Context, uow: UnitOfWork, keys: _Keys) -> int:
    """Gives records that differ from their last change a version above both, which is as the record is."""
    now, done = context.now(), 0
    for noun, ids in _by_noun(keys):
        records = _locked(uow, noun, ids)
        latest = _last_records(uow, noun, ids)
        changed = []
        for record in records:
            last = latest.get(record.id)
            if last is not None and last.version >= record.version and not same_record(last, record):
                changed.append((attrs.evolve(record, version=last.version + 1, updated_at=now), _action(last, record)))
        done += _keep(context, uow, changed)
    return done


def _derive(context: Context, uow: UnitOfWork, keys: _Keys) -> int:
    """Derives anew what is kept beside records. That needs no change of theirs."""
    return sum(uow.inspection.refresh(noun, ids) for noun, ids in _by_noun(keys))


def _index_names(context: Context, uow: UnitOfWork, ids: Sequence[UUID]) -> int:
    """Indexes the names of entities anew."""
    entities = [entity for entity in uow.entities.find(ids, lock="share") if not broken(entity)]
    uow.entities.index_names(entities)
    return len(entities)


def _settle(context: Context, uow: UnitOfWork, keys: _Keys) -> int:
    """Lets facts show what their assertions make."""
    done = 0
    for noun, ids in _by_noun(keys):
        facts: Sequence[Any] = _locked(uow, noun, ids)
        settle_facts(Work(context, uow), facts)
        done += len(facts)
    return done


_MENDERS: Final[Mapping[str, _Mender]] = {
    **dict.fromkeys(STALE.values(), _derive),
    # First add the change of the present version, then new versions.
    "lost_record": _put_back,
    "unreadable_record": _put_right,
    "broken_record": _put_right,
    "missing_last_change": _tell,
    "active_with_deleted_end": _delete_with_end,
    "wrong_deleted_with": _forget_deleted_with,
    "half_deleted": _complete_deletion,
    "record_differs": _retell,
    "stale_evidence": _settle,
    "stale_names": _index_names,
}
_ORDER: Final = (*(code for code, kind in KINDS.items() if kind.is_mendable and code not in _MENDERS), *_MENDERS)
_ONE_BY_ONE: Final = frozenset(
    {"missing_index", "damaged_index", "missing_constraint"}
)  # one that fails must not stop another


def _by_noun(keys: Iterable[tuple[str, UUID]]) -> list[tuple[GraphNoun, list[UUID]]]:
    found: dict[str, list[UUID]] = {noun.name: [] for noun in GRAPH_NOUNS}
    for name, id in keys:
        found[name].append(id)
    return [(noun, found[noun.name]) for noun in GRAPH_NOUNS if found[noun.name]]


def _locked(uow: UnitOfWork, noun: GraphNoun, ids: Sequence[UUID]) -> Sequence[Record]:
    found: Sequence[Record] = uow.of(noun).find(ids, lock="update")
    return [record for record in found if not broken(record)]  # what is damaged must not spread


def _last_records(uow: UnitOfWork, noun: GraphNoun, ids: Sequence[UUID]) -> dict[UUID, Record]:
    """The records as their last changes have them."""
    found = uow.inspection.latest(noun, ids)
    return {id: logged.change.record for id, logged in found.items() if logged.change is not None}


def _next(record: Any, now: datetime, **fields: Any) -> Any:
    return attrs.evolve(record, version=record.version + 1, updated_at=now, **fields)


def _action(before: Record | None, after: Record) -> ChangeAction:
    if before is None:
        return ChangeAction.CREATED
    if before.is_active == after.is_active:
        return ChangeAction.UPDATED
    return ChangeAction.RESTORED if after.is_active else ChangeAction.DELETED


def _keep(context: Context, uow: UnitOfWork, changed: Sequence[tuple[Any, ChangeAction]]) -> int:
    """Store these new versions with their changes; returns how many."""
    for noun in GRAPH_NOUNS:
        uow.of(noun).replace([record for record, _ in changed if type(record) is noun.record])
    uow.changes.append([context.change(action, record) for record, action in changed])
    return len(changed)
