"""Checks and mends what a database has besides rows: its file, indexes, constraints, sequence and revision."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from sqlalchemy import Constraint, ForeignKeyConstraint, Index, PrimaryKeyConstraint, Table, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.schema import AddConstraint, CreateIndex

from kgl_adapters.sql.engine.sessions import Session
from kgl_adapters.sql.kernel.tables import AUTH, GRAPH
from kgl_adapters.sql.schema import SCHEMA
from kgl_adapters.sql.storage.revisions import REVISIONS
from kgl_core.kernel.store_errors import StoreUnavailable
from kgl_core.storage.checking.findings import Finding

_DAMAGES_MAX: Final = 1_000
_IN_INDEX: Final = re.compile(r"(?:missing from|entries in|entry in) index (\w+)$")
_IN_ROWS: Final = re.compile(r"(?:CHECK constraint failed in|NULL value in|\w+ value in) (\w+)")
_SCHEMAS: Final = f"('{AUTH}', '{GRAPH}')"
_INDEXES: Final = text(  # one that is being built is not damaged
    "SELECT c.relname, i.indisvalid AND i.indisready"  # noqa: S608
    " OR EXISTS (SELECT FROM pg_stat_progress_create_index p WHERE p.index_relid = i.indexrelid)"
    " FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
    f" JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname IN {_SCHEMAS}"
)
_CONSTRAINTS: Final = text(
    "SELECT c.conname, c.convalidated FROM pg_constraint c"  # noqa: S608  # names of our own
    f" JOIN pg_namespace n ON n.oid = c.connamespace WHERE n.nspname IN {_SCHEMAS}"
)
SEQUENCE_MAX: Final = 2**53
"""No change has a higher number: at a million a second, that would take three centuries."""
_LAST_NUMBER: Final = text(f"SELECT max(sequence) FROM backend_entities.changes WHERE sequence <= {SEQUENCE_MAX}")  # noqa: S608
_COLUMNS: Final = {
    True: text("SELECT m.name, p.name FROM sqlite_master m, pragma_table_info(m.name) p WHERE m.type = 'table'"),
    False: text(
        "SELECT c.relname, a.attname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"  # noqa: S608
        " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
        f" WHERE c.relkind = 'r' AND n.nspname IN {_SCHEMAS}"
    ),
}
_FOREIGN: Final = {
    True: text("SELECT type, name FROM sqlite_master WHERE type IN ('trigger', 'view') ORDER BY 1, 2"),
    False: text(
        "SELECT 'trigger', t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid"  # noqa: S608
        f" JOIN pg_namespace n ON n.oid = c.relnamespace WHERE NOT t.tgisinternal AND n.nspname IN {_SCHEMAS}"
        " UNION ALL SELECT 'view', c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        f" WHERE c.relkind IN ('v', 'm') AND n.nspname IN {_SCHEMAS} ORDER BY 1, 2"
    ),
}
_LAST_TAKEN: Final = text(
    "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM backend_entities.changes_sequence_seq"
)


def findings(session: Session) -> Iterator[Finding]:
    """What is wrong. If a table or a column is missing, no more than the indexes is looked at besides."""
    yield from _of_revision(session)
    yield from (
        Finding("foreign_object", f"{kind} {name}") for kind, name in session.execute(_FOREIGN[session.is_sqlite])
    )
    missing = list(_missing(session))
    if missing:
        yield from (Finding("missing_table", each) for each in missing)
        yield from (Finding("missing_table", f"index {name}") for name in _missing_indexes(session))
        return
    yield from _of_sqlite(session) if session.is_sqlite else _of_postgres(session)


def mend(session: Session, code: str, keys: Sequence[str]) -> int:
    """Build indexes, add constraints, or advance the sequence; returns how many. Writers wait meanwhile."""
    for name in keys:
        if code == "missing_index":
            session.execute(CreateIndex(_indexes(session)[name]))
        elif code == "damaged_index" and session.is_sqlite:
            session.write(f'REINDEX "{name}"')
        elif code == "damaged_index":
            found = session.execute(text("SELECT schemaname FROM pg_indexes WHERE indexname = :name"), {"name": name})
            session.write(f'REINDEX INDEX "{found.scalars().first()}"."{name}"')
        elif code == "missing_constraint":
            constraint = _constraints(session)[name]
            session.write(f'ALTER TABLE {constraint.table.fullname} DROP CONSTRAINT IF EXISTS "{name}"')
            session.execute(AddConstraint(constraint))
        elif code == "sequence_behind":
            session.execute(text("LOCK TABLE backend_entities.changes IN EXCLUSIVE MODE"))
            last = session.execute(_LAST_NUMBER).scalar_one()
            session.execute(text("SELECT setval('backend_entities.changes_sequence_seq', :last)"), {"last": last})
        else:
            return 0
    return len(keys)


def _tables(session: Session) -> Sequence[Table]:
    return SCHEMA[session.is_sqlite].sorted_tables


def _indexes(session: Session) -> dict[str, Index]:
    return {str(index.name): index for table in _tables(session) for index in table.indexes}


def _constraints(session: Session) -> dict[str, Constraint]:
    return {
        _name(constraint): constraint
        for table in _tables(session)
        for constraint in table.constraints
        if _name(constraint)
    }


def _name(constraint: Constraint) -> str:
    """A constraint's name in the database."""
    if isinstance(constraint, PrimaryKeyConstraint):
        return f"pk_{constraint.table.name}"
    if isinstance(constraint, ForeignKeyConstraint):
        return f"fk_{constraint.table.name}_{constraint.column_keys[0]}"
    return str(constraint.name)


def _of_revision(session: Session) -> Iterator[Finding]:
    table = "alembic_version" if session.is_sqlite else f"{GRAPH}.alembic_version"
    found = [row[0] for row in session.execute(text(f"SELECT version_num FROM {table}"))]  # noqa: S608  # our name
    if found != [REVISIONS[-1]]:
        yield Finding("wrong_revision", ", ".join(found) or "none")


def _missing(session: Session) -> Iterator[str]:
    there: dict[str, set[str]] = {}
    for table, column in session.execute(_COLUMNS[session.is_sqlite]):
        there.setdefault(table, set()).add(column)
    for known in _tables(session):
        if known.name not in there:
            yield f"table {known.name}"
        else:
            yield from (f"column {known.name}.{c.name}" for c in known.c if c.name not in there[known.name])


def _missing_indexes(session: Session) -> list[str]:
    query = text("SELECT name FROM sqlite_master WHERE type = 'index'") if session.is_sqlite else _INDEXES
    return sorted(_indexes(session).keys() - {row[0] for row in session.execute(query)})


def _of_sqlite(session: Session) -> Iterator[Finding]:
    damaged: set[str] = set()
    broken: set[str] = set()
    try:
        for (words,) in session.lookup(f"PRAGMA integrity_check({_DAMAGES_MAX})"):
            if found := _IN_INDEX.search(words):
                damaged.add(found[1])
            elif _IN_ROWS.match(words):
                broken.add(words)
            elif words != "ok":
                yield Finding("damaged_file", words)
    except (DBAPIError, StoreUnavailable) as error:  # so damaged that SQLite cannot even look
        yield Finding("damaged_file", str(error.orig) if isinstance(error, DBAPIError) else str(error))
    yield from (Finding("broken_constraint", words) for words in sorted(broken))
    for name in sorted(damaged):
        yield Finding("damaged_index", name, name)
    followed = {table.name for table in _tables(session) if table.foreign_keys}  # row by row, by their ids
    for table, rowid, parent, _ in session.lookup("PRAGMA foreign_key_check"):
        if table not in followed:
            yield Finding("broken_reference", f"row {rowid} of {table}, to {parent}")
    for name in _missing_indexes(session):
        yield Finding("missing_index", name, name)


def _of_postgres(session: Session) -> Iterator[Finding]:
    there = {row[0]: row[1] for row in session.execute(_INDEXES)}
    for name in sorted(_indexes(session).keys() - there.keys()):
        yield Finding("missing_index", name, name)
    for name in sorted(name for name, is_valid in there.items() if not is_valid):
        yield Finding("damaged_index", name, name)
    valid = {row[0] for row in session.execute(_CONSTRAINTS) if row[1]}
    for name in sorted(_constraints(session).keys() - valid):
        yield Finding("missing_constraint", name, name)
    last = session.execute(_LAST_NUMBER).scalar_one()
    taken = session.execute(_LAST_TAKEN).scalar_one()
    if last is not None and taken < last:
        yield Finding("sequence_behind", f"changes_sequence_seq at {taken}, changes at {last}", "changes_sequence_seq")
