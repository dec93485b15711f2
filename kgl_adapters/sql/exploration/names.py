"""Searches in the index of names."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

import attrs
from sqlalchemy import text

from kgl_adapters.sql.engine.queries import Query
from kgl_adapters.sql.engine.sessions import Session
from kgl_adapters.sql.exploration.name_statements import LENGTHS, NameStatements, Shape
from kgl_adapters.sql.exploration.record_parts import PARTS_MAX, reading_parts
from kgl_adapters.sql.graph.entities import ENTITY_TABLES
from kgl_adapters.sql.graph.names import NAMES, TERMS, quoted_term
from kgl_adapters.sql.graph.tables import ENTITIES
from kgl_adapters.sql.kernel.json_columns import write_json
from kgl_adapters.sql.kernel.lookups import array
from kgl_core.exploration.search.names import FacetField, Hits
from kgl_core.exploration.search.questions import Question
from kgl_core.exploration.search.ranking import Hit, by_itself, whole_distance
from kgl_core.exploration.walked_records import Part
from kgl_core.graph.entities import ENTITY, Entity, EntityFilter
from kgl_core.graph.naming.names import type_term
from kgl_core.graph.naming.words import is_unspaced, terms_of

_STATEMENTS: Final = {is_sqlite: NameStatements(is_sqlite=is_sqlite) for is_sqlite in (False, True)}
_FEW: Final = 100
"""If so many names are enough, they are soon found among those with a common word."""
_BEYOND: Final = "\U0010ffff"
"""Sorts after whatever a name goes on with."""
_NAMES: Final = NAMES[False].fullname
_ENTITIES_WITH_WORDS: Final = {
    False: (
        " FROM unnest(CAST(:words AS text[]), CAST(:types AS text[])) WITH ORDINALITY AS q (words, type, place)"  # noqa: S608
        f" CROSS JOIN LATERAL (SELECT entity_id FROM {_NAMES} n WHERE n.words = q.words"
        " AND q.type IN ('', n.type) LIMIT :each) n"
        f" JOIN {ENTITIES[False].fullname} e ON e.id = n.entity_id AND e.deleted_at IS NULL"
    ),
    True: (
        " FROM (SELECT key AS place, json_extract(value, '$[0]') AS words, json_extract(value, '$[1]') AS type"
        " FROM json_each(:asked)) q CROSS JOIN entity_names n ON n.id IN"
        " (SELECT id FROM entity_names m WHERE m.words = q.words AND q.type IN ('', m.type) LIMIT :each)"
        " CROSS JOIN entities e ON e.id = n.entity_id AND e.deleted_at IS NULL"
    ),
}
_EXISTING: Final = f"SELECT ? FROM {TERMS} WHERE {TERMS} MATCH ? LIMIT 1"  # noqa: S608  # names of our own
# One question for all terms. Materialized, it is planned without the LIMIT; see `name_statements`.
_WORDS_HAVING: Final = Query(
    text(
        f"WITH having_any AS MATERIALIZED (SELECT words FROM {_NAMES} WHERE terms @@ CAST(:any AS tsquery))"  # noqa: S608
        " SELECT DISTINCT words FROM (SELECT words FROM having_any LIMIT 1000) AS taken"
    ),
    is_sqlite=False,
)


_READ_NAMES: Final = {
    is_sqlite: reading_parts(ENTITY, ("id", "name", "aliases", "key"), is_sqlite=is_sqlite)[1]
    for is_sqlite in (False, True)
}
"""Reads an entity's id and its names, in this order."""


@lru_cache(PARTS_MAX)
def _with_words(
    fields: tuple[str, ...] | None, is_sqlite: bool
) -> tuple[Query, Callable[[Sequence[Any]], Entity | Part]]:
    """The statement that finds entities by whole names, and what reads them or their parts."""
    of = ENTITY_TABLES[is_sqlite]
    columns, read = (of.columns, of.read) if fields is None else reading_parts(ENTITY, fields, is_sqlite=is_sqlite)
    names = ", ".join(f"e.{column.name}" for column in columns)
    place = "q.place" if is_sqlite else "q.place - 1"
    return Query(text(f"SELECT {place}, {names}{_ENTITIES_WITH_WORDS[is_sqlite]}"), is_sqlite=is_sqlite), read


class SqlNames:
    """A `kgl_core.exploration.search.names.Names`."""

    def __init__(self, session: Session) -> None:
        self._session, self._encoding = session, session.encoding
        self._statements = _STATEMENTS[session.is_sqlite]

    def find(
        self, question: Question, filter: EntityFilter, *, candidates: int, limit: int, beginning: bool = False
    ) -> Hits:
        shape, parameters = self._read(question, filter, candidates, limit, beginning=beginning)
        rows = self._fetch(self._statements.hits(shape), parameters)
        is_cut, first, *_, total = rows[0]
        if first is None:
            return Hits((), 0, bool(is_cut))
        read_id, read_names = self._encoding.read_id, _READ_NAMES[self._encoding.is_sqlite]
        hits = []
        for _, id, rank, sources, confidence, name, aliases, key, _ in rows:
            fit, length = divmod(rank, LENGTHS)
            distance = 0
            if name is not None:
                part = read_names((id, name, aliases, key))
                distance = whole_distance(question, fit, part["name"], part["aliases"], part["key"])
            hits.append(Hit(read_id(id), fit, sources, confidence, length, distance))
        return Hits(sorted(hits, key=by_itself), total, bool(is_cut))

    def facets(
        self, question: Question, filter: EntityFilter, fields: Collection[FacetField], *, candidates: int, limit: int
    ) -> Mapping[FacetField, Sequence[tuple[str | None, int]]]:
        shape, parameters = self._read(question, filter, candidates, limit, beginning=False)
        facets = {field: self._fetch(self._statements.facet(shape, field), parameters) for field in fields}
        return {field: [(value, count) for value, count in rows] for field, rows in facets.items()}

    def with_words(
        self, asked: Sequence[tuple[str, str | None]], *, each: int, fields: Sequence[str] | None
    ) -> Iterator[tuple[int, Entity | Part]]:
        query, read = _with_words(None if fields is None else tuple(fields), self._session.is_sqlite)
        if self._session.is_sqlite:
            parameters: dict[str, Any] = {"asked": write_json([(words, type or "") for words, type in asked])}
        else:
            words, types = [words for words, _ in asked], [type or "" for _, type in asked]
            parameters = {"words": array(words), "types": array(types)}
        for place, *values in self._session.fetch(query, {**parameters, "each": each}):
            yield place, read(values)

    def existing(self, terms: Collection[str]) -> Collection[str]:
        if not terms:
            return ()
        is_sqlite = self._session.is_sqlite
        quoted = [quoted_term(term, is_sqlite=is_sqlite) for term in terms]
        if is_sqlite:
            return {term for (term,) in self._session.lookup(_EXISTING, zip(terms, quoted, strict=True))}
        # PostgreSQL takes a thousand terms to be as cheap to look for in a row as one. Without this, it might look
        # through the table, which takes seconds.
        self._session.set_locally("enable_seqscan", "off")
        rows = self._session.fetch(_WORDS_HAVING, {"any": " | ".join(quoted)})
        return {term for (words,) in rows for term in terms_of(words)}.intersection(terms)

    def _fetch(self, query: Query, parameters: Mapping[str, Any]) -> Sequence[tuple[Any, ...]]:
        # For words that it takes to be rarer than they are, PostgreSQL would sort all names that begin so. Without
        # values, it plans to read them in their order, which is right for all words.
        self._session.set_locally("plan_cache_mode", "force_generic_plan")
        return self._session.fetch(query, parameters)

    def _read(
        self, question: Question, filter: EntityFilter, candidates: int, limit: int, *, beginning: bool
    ) -> tuple[Shape, dict[str, Any]]:
        """What the SQL depends on, and its parameters."""
        if not self._encoding.is_sqlite:
            question = _looked_through(question, 2 if candidates <= _FEW else 1)
        filters, parameters = ENTITY_TABLES[self._encoding.is_sqlite].listing.read(filter, self._session)
        parameters |= {f"of_type_{n}": type for n, type in enumerate(filter.type)}
        parameters |= {f"part_{n}": part for n, part in enumerate(question.parts)}
        parameters |= {"whole": question.whole, "beyond": question.whole + _BEYOND}
        parameters["terms"] = self._terms(question, filter.type)
        # All that have a common word are soon found; all words that begin as it does are collected first.
        is_whole = bool(question.terms and question.beginnings) and not (question.parts or beginning)
        if is_whole:
            whole = attrs.evolve(question, terms=question.terms + question.beginnings, beginnings=())
            parameters["words"] = self._terms(whole, filter.type)
            without = " NOT " if self._encoding.is_sqlite else " & !"
            parameters["terms"] = f"({parameters['terms']}){without}({parameters['words']})"
        return Shape(filters, len(filter.type), len(question.parts), is_whole, beginning, candidates, limit), parameters

    def _terms(self, question: Question, types: Sequence[str]) -> str:
        """The terms of a question in the language of the index; every term stands in quotation marks there."""
        is_sqlite = self._encoding.is_sqlite
        quoted = [quoted_term(term, is_sqlite=is_sqlite) for term in question.terms]
        star = "*" if is_sqlite else ":*"
        quoted += [quoted_term(beginning, is_sqlite=is_sqlite) + star for beginning in question.beginnings]
        both, either = (" AND ", " OR ") if is_sqlite else (" & ", " | ")
        if types:
            of_type = either.join(quoted_term(type_term(type), is_sqlite=is_sqlite) for type in types)
            quoted.append(f"({of_type})")
        return both.join(quoted)


def _looked_through(question: Question, length: int) -> Question:
    """The same question, whose beginnings up to this length are looked for in the names that have its terms.

    GIN would collect all names that have a word with such a beginning, which are very many.
    """
    short = [each for each in question.beginnings if len(each) <= length] if question.terms else []
    parts = [each if is_unspaced(each) else f" {each}" for each in short]
    beginnings = tuple(each for each in question.beginnings if each not in short)
    return attrs.evolve(question, beginnings=beginnings, parts=(*question.parts, *parts))
