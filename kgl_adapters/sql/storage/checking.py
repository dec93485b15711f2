"""Checks a SQL store as a whole: its rows one after the other, its structure, and how rows fit together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, TypeVar
from uuid import UUID

from sqlalchemy import Select, delete, func, select, update

from kgl_adapters.sql.access.tables import COUNTERS, REFRESH_TOKENS
from kgl_adapters.sql.engine.encoding import reason_of
from kgl_adapters.sql.engine.sessions import Session
from kgl_adapters.sql.graph.change_rows import ChangeRows
from kgl_adapters.sql.graph.names import TERMS, NameIndex
from kgl_adapters.sql.graph.tables import CHANGES
from kgl_adapters.sql.kernel.idempotency import ANSWERS
from kgl_adapters.sql.kernel.noun_table import NounTable
from kgl_adapters.sql.kernel.tables import TABLES
from kgl_adapters.sql.repositories import NOUN_TABLES
from kgl_adapters.sql.storage import checking_consistency, checking_names, checking_structure
from kgl_adapters.sql.storage.damaged_rows import DAMAGED, DamagedRows, require_text, require_unique_names
from kgl_core.access.oauth_clients import CLIENT, Client
from kgl_core.access.users import USER, User
from kgl_core.graph.entities import Entity
from kgl_core.graph.journal.runs import RUN, Run, RunState
from kgl_core.graph.naming.names import NameRow
from kgl_core.graph.nouns import GRAPH_NOUNS, NOUNS_BY_NAME, GraphNoun, noun_of
from kgl_core.kernel.nouns.noun import AnyNoun, Noun
from kgl_core.kernel.nouns.records import Kept, Record
from kgl_core.kernel.permissions import scope_text
from kgl_core.storage.checking.findings import Finding
from kgl_core.storage.checking.inspection import Logged, Row
from kgl_core.storage.checking.unlogged_nouns import UNLOGGED_NOUNS

R = TypeVar("R", bound=Kept)
_SIZES: Final = {
    **{noun.plural: TABLES[noun] for noun in GRAPH_NOUNS},
    "changes": CHANGES,
    **{noun.plural: TABLES[noun] for noun in UNLOGGED_NOUNS},
    "refresh_tokens": REFRESH_TOKENS,
    "answers": ANSWERS,
    "counters": COUNTERS,
}


class SqlInspection:
    """A `kgl_core.storage.checking.inspection.Inspection`."""

    def __init__(self, session: Session) -> None:
        self._session, self._encoding, self._is_sqlite = session, session.encoding, session.is_sqlite
        self._changes = CHANGES[session.is_sqlite]
        self._change_rows = ChangeRows(session.encoding)
        self._damaged = DamagedRows(session)

    def size(self) -> Mapping[str, int]:
        counts = {name: select(func.count()).select_from(tables[self._is_sqlite]) for name, tables in _SIZES.items()}
        return {name: sum(count for (count,) in self._damaged.stream(found)) for name, found in counts.items()}

    def findings(self, now: datetime) -> Iterator[Finding]:
        is_whole = True
        with self._damaged.translating_errors():
            for finding in checking_structure.findings(self._session):
                is_whole &= finding.code != "missing_table"
                yield finding
        if not is_whole:
            return
        yield from checking_consistency.findings(self._session, self._damaged, now)
        yield from checking_names.findings(self._session, self._damaged)

    def rows(self, noun: Noun[R, Any, Any, Any]) -> Iterator[Row[R]]:
        of = NOUN_TABLES[noun][self._is_sqlite]
        json_at = [noun.field_names.index(name) for name in noun.json_fields]
        kept = len(of.columns)
        read: Callable[[Sequence[Any]], R] = _READERS.get(noun, _read)(of)
        statement = select(*(of.table.c[name] for name in of.inserted)).order_by(of.table.c.id)
        for row in self._damaged.stream(statement):
            try:
                require_text(row)
                for place in json_at:
                    require_unique_names(row[place])
                record = read(row[:kept])
                found = Row(self._encoding.read_id(row[0]), record, stale=_stale(of, record, row[kept:]))
            except DAMAGED as error:
                found = Row(self._damaged.id(row[0]), None, reason_of(error))
            yield found

    def log(self, noun: GraphNoun) -> Iterator[Logged]:
        of = self._changes.c
        return self._logged(self._logs().where(of.subject == noun.name).order_by(of.subject_id, of.sequence))

    def strange(self) -> Iterator[Logged]:
        return self._logged(self._logs().where(self._changes.c.subject.not_in(NOUNS_BY_NAME)))

    def latest(self, noun: GraphNoun, ids: Sequence[UUID]) -> Mapping[UUID, Logged]:
        of = self._changes.c
        is_one = (of.subject == noun.name) & of.subject_id.in_([self._encoding.id(id) for id in ids])
        last = select(func.max(of.sequence)).where(is_one).group_by(of.subject_id)
        found = self._logged(self._logs().where(of.sequence.in_(last)))
        return {logged.id: logged for logged in found if logged.id is not None}

    def lock(self, noun: GraphNoun, ids: Sequence[UUID]) -> None:
        table = TABLES[noun][self._is_sqlite]
        held = table.c.id.in_([self._encoding.id(id) for id in ids])
        self._session.execute(select(table.c.id).where(held).order_by(table.c.id).with_for_update()).all()

    def refresh(self, noun: GraphNoun, ids: Sequence[UUID]) -> int:
        of = NOUN_TABLES[noun][self._is_sqlite]
        table, kept = of.table, len(of.columns)
        statement = select(*(table.c[name] for name in of.inserted)).order_by(table.c.id).with_for_update()
        rows = self._session.execute(statement.where(table.c.id.in_([self._encoding.id(id) for id in ids]))).all()
        done = 0
        for row in rows:
            record = of.read(row[:kept])
            if _stale(of, record, row[kept:]):
                derived = dict(zip(noun.derived, of.derive(record), strict=True))
                self._session.execute(update(table).where(table.c.id == row[0]).values(derived))
                done += 1
        return done

    def overwrite(self, record: Record) -> None:
        of = NOUN_TABLES[noun_of(record)][self._is_sqlite]
        held = dict(zip(of.inserted, of.write(record), strict=True))
        self._session.execute(update(of.table).where(of.table.c.id == held["id"]).values(held))

    def mend(self, code: str, keys: Sequence[Any]) -> int:
        tables = {
            "orphaned_token": (REFRESH_TOKENS, "hash"),
            "unusable_answer": (ANSWERS, "id"),
            "unusable_counter": (COUNTERS, "key"),
        }
        if code == "stray_name" or keys == [TERMS]:
            NameIndex(self._session).tidy()
            return len(keys)
        if code not in tables:
            return checking_structure.mend(self._session, code, keys)
        found, name = tables[code]
        table = found[self._is_sqlite]
        return int(self._session.execute(delete(table).where(table.c[name].in_(keys))).rowcount)

    def names(self, entities: Sequence[Entity]) -> Mapping[UUID, Sequence[NameRow]]:
        return NameIndex(self._session).rows([entity.id for entity in entities])

    def close(self) -> None:
        self._damaged.close()

    def _logs(self) -> Select[Any]:
        names = ("subject_id", "sequence", "at", "actor", "action", "subject", "record", "run")
        return select(*(self._changes.c[name] for name in names))

    def _logged(self, statement: Select[Any]) -> Iterator[Logged]:
        for subject_id, *row in self._damaged.stream(statement):
            try:
                logged = Logged(self._encoding.read_id(subject_id), row[0], self._change_rows.read(row))
            except DAMAGED as error:
                logged = Logged(self._damaged.id(subject_id), row[0], None, reason_of(error))
            yield logged


def _stale(of: NounTable[Any, Any, Any], record: Any, derived: Sequence[Any]) -> tuple[str, ...]:
    """The names of what is kept beside a record otherwise than the record makes it; a broken record makes nothing."""
    try:
        made = of.derive(record)
    except DAMAGED:
        return ()
    return tuple(name for name, mine, kept in zip(of.noun.derived, made, derived, strict=True) if mine != kept)


def _read(of: NounTable[Any, Any, Any]) -> Callable[[Sequence[Any]], Any]:
    return of.read


def _read_user(of: NounTable[Any, Any, Any]) -> Callable[[Sequence[Any]], User]:
    active_at = of.noun.field_names.index("is_active")

    def read(row: Sequence[Any]) -> User:
        user: User = of.read(row)
        if row[active_at] not in (0, 1):
            raise ValueError("is_active is neither true nor false")
        if not user.password_hash.startswith("$"):  # as every hash in the PHC string format does
            raise ValueError("password_hash is no hash of a password")
        return user

    return read


def _read_client(of: NounTable[Any, Any, Any]) -> Callable[[Sequence[Any]], Client]:
    scopes_at = of.noun.field_names.index("scopes")

    def read(row: Sequence[Any]) -> Client:
        client: Client = of.read(row)
        if scope_text(client.scopes) != row[scopes_at] or not client.scopes:
            raise ValueError("it has scopes that there are not")
        if len(client.secret_hash) != 32:
            raise ValueError("secret_hash is no hash of a secret")
        return client

    return read


def _read_run(of: NounTable[Any, Any, Any]) -> Callable[[Sequence[Any]], Run]:
    def read(row: Sequence[Any]) -> Run:
        run: Run = of.read(row)
        if (run.state is RunState.OPEN) != (run.ended_at is None):
            raise ValueError("ended_at does not fit its state")
        return run

    return read


_READERS: Final[Mapping[AnyNoun, Callable[[NounTable[Any, Any, Any]], Callable[[Sequence[Any]], Any]]]] = {
    RUN: _read_run,
    USER: _read_user,
    CLIENT: _read_client,
}
"""What makes the reader of a noun's rows, where a row can be decoded that kgl can't have stored."""
