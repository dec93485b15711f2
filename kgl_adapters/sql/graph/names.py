"""The index of names: a row for each name of an active entity, written with the entity.

PostgreSQL has a row's terms in a column with a GIN index. SQLite has them in a full-text table, which keeps no text of
its own, so that what a row was indexed with must be told when it goes; it is made again from the row.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any, Final
from uuid import UUID

from sqlalchemy import DDL, Column, Index, PrimaryKeyConstraint, UniqueConstraint, delete, event, select

from kgl_adapters.sql.engine.driver_errors import note_unique
from kgl_adapters.sql.engine.sessions import Session
from kgl_adapters.sql.graph.tables import ENTITIES
from kgl_adapters.sql.kernel.lookups import array
from kgl_adapters.sql.kernel.tables import GRAPH, define, index
from kgl_adapters.sql.types import COUNT, ID, INTEGER, TEXT, Plain
from kgl_core.graph.entities import ENTITY, Entity
from kgl_core.graph.naming.names import NameRow, is_renamed, name_rows

_PARTS: Final = ("entity_id", "position", "field", "type", "words")

NAMES: Final = define(
    "entity_names",
    GRAPH,
    lambda is_sqlite: [
        *([Column("id", INTEGER, primary_key=True)] if is_sqlite else []),
        Column("entity_id", ID, nullable=False),
        Column("position", COUNT, nullable=False),
        Column("field", TEXT, nullable=False),
        Column("type", TEXT, nullable=False),
        Column("words", TEXT, nullable=False),
        *([] if is_sqlite else [Column("terms", Plain("TSVECTOR"), nullable=False)]),
        (UniqueConstraint if is_sqlite else PrimaryKeyConstraint)("entity_id", "position"),
        # By the beginning of a name.
        index("ix_entity_names_words", "words"),
    ],
)
# PostgreSQL may add an entity's names before it finds that the entity's id is taken.
note_unique("pk_entity_names", "entity_names.entity_id", ENTITY.name, "id")
# By terms. Without a list of what is pending, which every search would have to look through.
Index(
    "ix_entity_names_terms",
    NAMES[False].c.terms,
    postgresql_using="gin",
    postgresql_with={"fastupdate": "off"},
)

TERMS: Final = "entity_name_terms"
"""SQLite's full-text table of terms: its rowid is the id of the name."""
# White space alone separates terms: letters beyond ASCII belong to words for this tokenizer, and so do all signs.
_SIGNS: Final = "".join(c for c in map(chr, range(33, 127)) if not c.isalnum()).replace("'", "''").replace('"', '""')
CREATE_TERMS: Final = (
    f"CREATE VIRTUAL TABLE {TERMS} USING fts5(terms, content='', columnsize=0, detail=none, prefix='1 2',"
    f" tokenize=\"ascii tokenchars '{_SIGNS}'\")"
)
event.listen(NAMES[True], "after_create", DDL(CREATE_TERMS.replace("%", "%%")))  # type: ignore[no-untyped-call]

_TABLE: Final = NAMES[False].fullname
_UNNESTED: Final = (
    "unnest(CAST(%s AS uuid[]), CAST(%s AS int[]), CAST(%s AS text[]), CAST(%s AS text[]), CAST(%s AS text[]),"
    " CAST(%s AS text[])) AS r (entity_id, position, field, type, words, terms)"
)
_COLUMNS: Final = ", ".join((*_PARTS, "terms"))
INSERT_NAMES: Final = (
    f"INSERT INTO {_TABLE} ({_COLUMNS}) SELECT entity_id, position, field, type, words, CAST(terms AS tsvector)"  # noqa: S608
    f" FROM {_UNNESTED}"
)
"""PostgreSQL's statement that adds rows, from the arrays that `name_arrays` gives."""
_ON_PLACE_TAKEN: Final = (
    " ON CONFLICT (entity_id, position) DO UPDATE SET field = excluded.field, type = excluded.type,"
    " words = excluded.words, terms = excluded.terms"
)
_PUT: Final = f"{INSERT_NAMES}{_ON_PLACE_TAKEN}"
_CUT: Final = (
    f"DELETE FROM {_TABLE} n USING unnest(CAST(%s AS uuid[]), CAST(%s AS int[])) AS r (entity_id, number)"  # noqa: S608
    " WHERE n.entity_id = r.entity_id AND n.position >= r.number"
)
_ADD_ROWS: Final = f"INSERT INTO entity_names (id, {', '.join(_PARTS)}) VALUES (?, ?, ?, ?, ?, ?)"  # noqa: S608
_ADD_TERMS: Final = f"INSERT INTO {TERMS} (rowid, terms) VALUES (?, ?)"  # noqa: S608  # names of our own
_REMOVE_TERMS: Final = f"INSERT INTO {TERMS} ({TERMS}, rowid, terms) VALUES ('delete', ?, ?)"  # noqa: S608
_OF_ENTITY: Final = "SELECT id, position, field, type, words FROM entity_names WHERE entity_id = ? ORDER BY position"
_OF_ENTITIES: Final = (
    f"SELECT entity_id, tsvector_to_array(terms), position, field, type, words FROM {_TABLE}"  # noqa: S608
    " WHERE entity_id = ANY(CAST(%s AS uuid[])) ORDER BY entity_id, position"
)
_SOME: Final = "SELECT id, position, field, type, words FROM entity_names WHERE id > ? ORDER BY id LIMIT 5000"
_NOTHING: Final[Mapping[UUID, Entity]] = {}
_NEXT_ID: Final = "SELECT coalesce(max(id), 0) + 1 FROM entity_names"


def name_arrays(rows: Sequence[tuple[UUID, NameRow]]) -> tuple[str, ...]:
    """The rows of these entities for PostgreSQL: an array for each column, the last of terms."""
    return (
        array([id for id, _ in rows]),
        _numbers([row.position for _, row in rows]),
        array([row.field for _, row in rows]),
        array([row.type for _, row in rows]),
        array([row.words for _, row in rows]),
        array([_tsvector(row) for _, row in rows]),
    )


class NamesBeside:
    """The rows of an entity's names, which PostgreSQL adds in the statement that adds the entity."""

    def adding(self, entity: Entity, /) -> tuple[str, tuple[Any, ...]] | None:
        rows = name_rows(entity)
        if not rows:  # it is not active
            return None
        return _insert_rows(len(rows)), tuple(value for row in rows for value in _values((entity.id, row)))


@cache
def _insert_rows(count: int) -> str:
    """A statement that adds so many rows. It takes less time than one that unpacks arrays."""
    row = "(CAST(%s AS uuid), CAST(%s AS int), %s, %s, %s, CAST(%s AS tsvector))"
    return f"INSERT INTO {_TABLE} ({_COLUMNS}) VALUES {', '.join([row] * count)}"  # noqa: S608  # names of our own


def with_names(update: str) -> str:
    """PostgreSQL's statement that updates an entity and its names, and tells how many entities it has updated."""
    return (
        f"WITH replaced AS ({update} RETURNING id),"  # noqa: S608  # names of our own
        f" cut AS (DELETE FROM {_TABLE} n USING replaced WHERE n.entity_id = replaced.id AND n.position >= %s),"
        f" put AS ({INSERT_NAMES} JOIN replaced ON replaced.id = r.entity_id{_ON_PLACE_TAKEN})"
        " SELECT count(*) FROM replaced"
    )


class NameIndex:
    """Keeps the index of names. It is written in the transaction that writes the entities."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, entities: Sequence[Entity]) -> None:
        """Add the names of new entities."""
        if self._session.is_sqlite:
            self._add(_rows(entities))
        elif len(entities) == 1:
            if adding := NamesBeside().adding(entities[0]):
                self._session.write(*adding)
        else:
            self._session.insert(NAMES[False], (*_PARTS, "terms"), _rows(entities), _values, may_refuse=False)

    def replace(self, entities: Sequence[Entity], before: Mapping[UUID, Entity] = _NOTHING) -> None:
        """Let the index have the names that entities have now.

        ``before`` are those of which it has the names that they had then: most changes leave these as they are.
        """
        renamed = [new for new in entities if new.id not in before or is_renamed(before[new.id], new)]
        if not renamed:
            return
        if self._session.is_sqlite:
            self._replace_in_sqlite(renamed)
            return
        held: dict[UUID, Sequence[NameRow]] = {new.id: name_rows(before[new.id]) for new in renamed if new.id in before}
        unknown = [new.id for new in renamed if new.id not in before]
        if unknown:
            held.update(self.rows(unknown))
        wanted = {new.id: name_rows(new) for new in renamed}
        put = [(id, row) for id, rows in wanted.items() for row in rows if row not in held[id]]
        cut = [
            (new.id, len(wanted[new.id]))
            for new in renamed
            if new.id not in before or len(held[new.id]) > len(wanted[new.id])
        ]
        if cut:
            self._session.write(_CUT, (array([id for id, _ in cut]), _numbers([number for _, number in cut])))
        if put:
            self._session.write(_PUT, name_arrays(put))

    def beside(self, entity: Entity, before: Entity) -> tuple[Any, ...] | None:
        """What the statement `with_names` takes, after the entity's own values; None if the names stay as they are."""
        if not is_renamed(before, entity):
            return None
        held, wanted = name_rows(before), name_rows(entity)
        return (len(wanted), *name_arrays([(entity.id, row) for row in wanted if row not in held]))

    def _replace_in_sqlite(self, entities: Sequence[Entity]) -> None:
        added, removed = [], []
        for entity in entities:
            kept = self._kept(entity.id.bytes)
            wanted = name_rows(entity)
            removed += [(id, row) for row, id in kept.items() if row not in wanted]
            added += [(entity.id, row) for row in wanted if row not in kept]
        self._remove(removed)
        self._add(added)

    def rows(self, ids: Sequence[UUID]) -> Mapping[UUID, Sequence[NameRow]]:
        """What the index holds of these entities, by position: on PostgreSQL, only what has its own terms."""
        if self._session.is_sqlite:
            return {id: [*self._kept(id.bytes)] for id in ids}
        found: dict[UUID, list[NameRow]] = {id: [] for id in ids}
        for id, terms, *held in self._session.lookup(_OF_ENTITIES, [(array(ids),)]):
            row = NameRow(*held)
            if set(terms) == set(row.terms):
                found[id].append(row)
        return found

    def _kept(self, id: bytes) -> Mapping[NameRow, int]:
        """The rows of an entity in SQLite, and their ids."""
        return {NameRow(*row): row_id for row_id, *row in self._session.lookup(_OF_ENTITY, [(id,)])}

    def _add(self, rows: Sequence[tuple[UUID, NameRow]]) -> None:
        """Add rows to SQLite. The ids ascend, since a full-text table is slower otherwise."""
        if not rows:
            return
        [(first,)] = self._session.lookup(_NEXT_ID)
        self._session.write(_ADD_ROWS, [(first + n, id.bytes, *row) for n, (id, row) in enumerate(rows)])
        self._session.write(_ADD_TERMS, [(first + n, " ".join(row.terms)) for n, (_, row) in enumerate(rows)])

    def tidy(self) -> None:
        """Remove rows of no entity, and make SQLite's full-text table anew from the rows."""
        names, entities = NAMES[self._session.is_sqlite], ENTITIES[self._session.is_sqlite]
        is_there = select(entities.c.id).where(entities.c.id == names.c.entity_id).exists()
        self._session.execute(delete(names).where(~is_there))
        if not self._session.is_sqlite:
            return
        self._session.write(f"DROP TABLE IF EXISTS {TERMS}")
        self._session.write(CREATE_TERMS)
        after = 0
        while rows := self._session.lookup(_SOME, [(after,)]):
            self._session.write(_ADD_TERMS, [(id, " ".join(NameRow(*row).terms)) for id, *row in rows])
            after = rows[-1][0]

    def _remove(self, rows: Sequence[tuple[int, NameRow]]) -> None:
        if not rows:
            return
        self._session.write(_REMOVE_TERMS, [(id, " ".join(row.terms)) for id, row in rows])
        self._session.write("DELETE FROM entity_names WHERE id = ?", [(id,) for id, _ in rows])


def quoted_term(term: str, *, is_sqlite: bool) -> str:
    """A term in the notation of the index, in which no sign in it means anything."""
    if is_sqlite:
        return '"' + term.replace('"', '""') + '"'
    return "'" + term.replace("\\", "\\\\").replace("'", "''") + "'"


def match_all(terms: Sequence[str]) -> str:
    """SQLite's question for entries that have all of these terms."""
    return " AND ".join([quoted_term(term, is_sqlite=True) for term in terms])


def _rows(entities: Iterable[Entity]) -> list[tuple[UUID, NameRow]]:
    return [(entity.id, row) for entity in entities for row in name_rows(entity)]


def _values(row: tuple[UUID, NameRow]) -> tuple[Any, ...]:
    """The values of PostgreSQL's columns."""
    id, name = row
    return (id.hex, *name, _tsvector(name))


def _numbers(values: Iterable[int]) -> str:
    return "{" + ",".join(map(str, values)) + "}"


def _tsvector(row: NameRow) -> str:
    # As `quoted_term` would have each, but all at once: no term has a space.
    return "'" + " ".join(row.terms).replace("\\", "\\\\").replace("'", "''").replace(" ", "' '") + "'"
