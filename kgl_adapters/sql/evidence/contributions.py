"""How much of the graph a source supports, and who else does: the statements that count it.

Each looks at a bounded number of assertions, which the indexes find.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Integer,
    Select,
    Subquery,
    Table,
    bindparam,
    func,
    literal_column,
    select,
    text,
    union_all,
)

from kgl_adapters.sql.graph.tables import SOURCE_INDEXED, STATED_ALONE
from kgl_core.evidence.assertions import Stance

_MOST: BindParameter[int] = bindparam("most", type_=Integer)


def contributed(assertions: Table, entities: Table, relationships: Table) -> Select[Any]:
    """What a source says first of facts as a whole, and of each fact if it is active and how many support it."""
    mine = _first(assertions)
    joined = mine.outerjoin(entities, entities.c.id == mine.c.entity_id)
    joined = joined.outerjoin(relationships, relationships.c.id == mine.c.relationship_id)
    return select(
        func.coalesce(mine.c.entity_id, mine.c.relationship_id),
        mine.c.entity_id.is_not(None),
        mine.c.extractor,
        mine.c.stance,
        func.coalesce(entities.c.deleted_at, relationships.c.deleted_at).is_(None),
        func.coalesce(entities.c.sources_for, relationships.c.sources_for),
    ).select_from(joined)


def stated_alone(facts: Table) -> Select[Any]:
    """How many active facts name a source of which nobody but their creator has said anything, up to so many."""
    uri: BindParameter[str] = bindparam("uri", type_=facts.c.source.type)
    found = select(facts.c.id).where(facts.c.source == uri, text(STATED_ALONE))
    if facts.schema is not None:
        found = found.where(_indexed(facts.c.source) == _indexed(uri))
    return select(func.count()).select_from(found.limit(_MOST).subquery())


def _indexed(source: Any) -> ColumnElement[str]:
    return func.substr(source, literal_column("1"), literal_column(str(SOURCE_INDEXED)))


def sharing(assertions: Table, entities: Table, relationships: Table) -> Select[Any]:
    """The other sources that support the same active facts: how many, and how many assertions in all were counted."""
    both = union_all(
        _pairs(assertions, entities, "entity_id"), _pairs(assertions, relationships, "relationship_id")
    ).subquery()
    pairs = select(both).limit(bindparam("most_others", type_=Integer)).subquery()
    number = func.count(pairs.c.fact_id.distinct())
    return (
        select(pairs.c.source_id, number, func.sum(func.count()).over())
        .group_by(pairs.c.source_id)
        .order_by(number.desc(), pairs.c.source_id)
        .limit(bindparam("limit", type_=Integer))
    )


def _first(assertions: Table, *besides: ColumnElement[bool]) -> Subquery:
    """The first assertions in force of a source about facts as a whole."""
    return (
        select(assertions)
        .where(assertions.c.source_id == bindparam("source_id"), *_whole(assertions), *besides)
        .order_by(assertions.c.asserted_at, assertions.c.id)
        .limit(_MOST)
        .subquery()
    )


def _whole(assertions: Any) -> tuple[ColumnElement[bool], ...]:
    return (assertions.c.withdrawn_at.is_(None), assertions.c.about.is_(None))


def _pairs(assertions: Table, facts: Table, name: str) -> Select[Any]:
    """The assertions of other sources that support facts of this kind which this source supports."""
    mine = _first(assertions, assertions.c[name].is_not(None), assertions.c.stance == Stance.FOR.value)
    other: Any = assertions.alias()
    joined = mine.join(facts, facts.c.id == mine.c[name]).join(other, other.c[name] == facts.c.id)
    return (
        select(facts.c.id.label("fact_id"), other.c.source_id)
        .select_from(joined)
        .where(
            facts.c.deleted_at.is_(None),
            facts.c.sources_for > 1,
            *_whole(other),
            other.c.stance == Stance.FOR.value,
            other.c.source_id != bindparam("source_id"),
        )
    )
