"""Checks the index of names as far as the database can: rows of no entity, and SQLite's full-text table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from sqlalchemy import func, select, table, text

from kgl_adapters.sql.engine.sessions import Session
from kgl_adapters.sql.graph.names import NAMES, TERMS, match_all, quoted_term
from kgl_adapters.sql.graph.tables import ENTITIES
from kgl_adapters.sql.storage.damaged_rows import DamagedRows
from kgl_core.graph.naming.names import NameRow, type_term
from kgl_core.kernel.store_errors import MigrationNeeded, StoreUnavailable
from kgl_core.storage.checking.findings import Finding

_FOUND: Final = f"SELECT 1 FROM {TERMS} WHERE {TERMS} MATCH ? AND rowid = ?"  # noqa: S608  # names of our own

_HAS_TYPE: Final = f"{TERMS} MATCH '{quoted_term(type_term(''), is_sqlite=True)} *'"


def findings(session: Session, rows: DamagedRows) -> Iterator[Finding]:
    """Rows of the index that belong to no entity, and a full-text table that does not have what the rows have."""
    names, entities = NAMES[session.is_sqlite], ENTITIES[session.is_sqlite]
    joined = names.outerjoin(entities, entities.c.id == names.c.entity_id)
    strays = select(names.c.entity_id).distinct().select_from(joined).where(entities.c.id.is_(None))
    for (id,) in rows.stream(strays):
        yield Finding("stray_name", f"entity {rows.id(id)}", id)
    if session.is_sqlite:
        try:
            is_whole = _has_all_terms(session, rows)
        except (MigrationNeeded, StoreUnavailable):  # it is not there, or so damaged that SQLite cannot even look
            is_whole = False
        if not is_whole:
            yield Finding("damaged_index", TERMS, TERMS)


def _has_all_terms(session: Session, rows: DamagedRows) -> bool:
    """Whether the full-text table has the terms of each row, and as many entries as there are rows."""
    names = NAMES[True]
    # It can't count its entries itself; each has the term of a type.
    indexed = select(func.count()).select_from(table(TERMS)).where(text(_HAS_TYPE))
    counts = [next(rows.stream(each))[0] for each in (select(func.count()).select_from(names), indexed)]
    if counts[0] != counts[1]:
        return False
    columns = [names.c[name] for name in ("id", "position", "field", "type", "words")]
    held = ((id, match_all(NameRow(*row).terms)) for id, *row in rows.stream(select(*columns).order_by(names.c.id)))
    return all(session.lookup(_FOUND, [(match, id)]) for id, match in held)
