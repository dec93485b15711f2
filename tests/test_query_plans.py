"""Every listing, walk and look-up has an index that serves it: the databases' own plans say so."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch
from uuid import UUID

import pytest
from psycopg import Cursor
from sqlalchemy import Engine, event

from kgl_adapters import connect
from kgl_adapters.sql.exploration import walks
from kgl_adapters.sql.graph.names import TERMS
from kgl_adapters.sql.schema import SCHEMA
from kgl_adapters.sql.storage import metadata_indexes
from kgl_core import KnowledgeGraph
from kgl_core.evidence.origins.extractors import extractor_id
from kgl_core.evidence.origins.sources import source_id
from kgl_core.graph.entities import ENTITY
from kgl_core.graph.nouns import GRAPH_NOUNS
from kgl_core.graph.relationships import RELATIONSHIP
from kgl_core.kernel.idempotency import KeptAnswer
from tests.contract.samples import NOON, refresh_token

ENTITIES = 300
TABLES = "|".join({table.name for table in SCHEMA[True].sorted_tables} - {"changes"})
WHOLE_TABLE = re.compile(rf"^SCAN (?:(?:{TABLES})\b(?!.*USING)|{TERMS} (?!VIRTUAL TABLE INDEX 0:M))", re.MULTILINE)
"""How SQLite says that it reads a table from end to end, or the full-text table without a question."""
READING = ("SELECT", "WITH", "UPDATE", "DELETE")
"""How the statements begin that must find rows."""
Call = Callable[[KnowledgeGraph], object]


def records(count: int) -> list[dict[str, Any]]:
    """Entities in a ring, of three types."""
    entities = [
        {"kind": "entity", "key": f"k{n}", "type": f"t{n % 3}", "name": f"n{n}", "metadata": {"in": f"c{n % 30}"}}
        for n in range(count)
    ]
    return entities + [
        {
            "kind": "relationship",
            "source_entity_key": f"k{n}",
            "relationship_type": f"r{n % 3}",
            "target_entity_key": f"k{(n + 1) % count}",
            "metadata": {"in": f"c{n % 30}"},
        }
        for n in range(count)
    ]


def an_id(kg: KnowledgeGraph) -> UUID:
    """The id of an entity that has relationships."""
    return kg.entities.get_by_key("k1").id


def another_id(kg: KnowledgeGraph) -> UUID:
    """The id of an entity two steps from it."""
    return kg.entities.get_by_key("k3").id


def pages(read: Callable[..., Any], **arguments: Any) -> None:
    """Read the first page, and the second by its cursor."""
    first = read(limit=3, **arguments)
    if first.next_cursor:
        read(limit=3, cursor=first.next_cursor, **arguments)


def by(sort: str) -> tuple[Call, Call]:
    """Listings of entities and of relationships in an order."""
    return (
        lambda kg: pages(kg.entities.list, sort=sort),
        lambda kg: pages(kg.relationships.list, sort=sort),
    )


def change_log(kg: KnowledgeGraph) -> None:
    """Two pages of the change log."""
    kg.changes(after=kg.changes(limit=3).next_cursor, limit=3)


def changes_of_a_run(kg: KnowledgeGraph) -> None:
    """Two pages of the changes of a run."""
    id = kg.runs.open().id
    for _ in range(4):
        kg.in_run(id).entities.create(type="t1", name="n1")
    kg.runs.changes(id, after=kg.runs.changes(id, limit=3).next_cursor, limit=3)


def facts_of_a_run(kg: KnowledgeGraph) -> None:
    """The facts that a run found support for."""
    [run] = [run for run in kg.runs.list(limit=200).items if run.title == "d"]
    pages(kg.entities.list, run=run.id)
    assert kg.relationships.list(run=run.id).items


def deleting(kg: KnowledgeGraph) -> None:
    """Deleting and restoring an entity, with what it takes along."""
    id = an_id(kg)
    kg.entities.delete(id)
    kg.entities.restore(id)


def session(kg: KnowledgeGraph) -> None:
    """All that is asked and done about refresh tokens, counters and kept answers."""
    ada = kg.users.get_by_email("ada@example.org")
    with kg._context.store.begin() as uow:
        token = refresh_token(ada)
        uow.refresh_tokens.add(token)
        uow.refresh_tokens.get(token.hash)
        uow.refresh_tokens.mark_used(token.hash, NOON, bytes(32))
        uow.refresh_tokens.revoke_family(token.family, NOON)
        uow.refresh_tokens.delete_expired(NOON, 5)
        uow.counters.increment(b"key", NOON, NOON)
        uow.counters.decrement([b"key"])
        uow.counters.clear([b"key"])
        uow.counters.delete_expired(NOON, 5)
        uow.answers.get(bytes(32))
        uow.answers.add(KeptAnswer(bytes(32), b"", b"", NOON, NOON))
        uow.answers.delete(bytes(32))
        uow.answers.delete_expired(NOON, 5)
        uow.commit()


def services(kg: KnowledgeGraph) -> None:
    """All that is asked and done about service clients and revocations, but for listing clients."""
    one = kg.clients.create(name="ai", scopes=["graph:read"]).client
    kg.clients.get(one.id)
    kg.clients.rotate(one.id)
    with kg._context.store.begin() as uow:
        uow.revocations.add(one.id, one.actor, NOON)
        uow.revocations.of(one.actor)
        uow.revocations.delete_expired(NOON, 5)
        uow.commit()
    kg.clients.delete(one.id)


def pattern(node: dict[str, Any]) -> dict[str, Any]:
    """A pattern of this node and of what is around it, in both directions, in a ring, optional and missing."""
    ends = {"source": "a", "target": "b"}
    return {
        "nodes": {"a": node, "b": {"metadata": {"x": {"exists": False}}}, "c": {}},
        "relationships": {
            "r": {**ends, "type": "r1"},
            "s": {"source": "b", "target": "c", "direction": "both"},
            "t": {"source": "c", "target": "a"},
        },
        "optional": [{"nodes": {"d": {"type": "t1"}}, "relationships": {"u": {"source": "c", "target": "d"}}}],
        "not_exists": [{"nodes": {"e": {}}, "relationships": {"v": {"source": "e", "type": "r2", "target": "b"}}}],
        "count": True,
    }


NODES: dict[str, dict[str, Any]] = {
    "a key": {"key": "k1"},
    "an id": {"id": UUID(int=1)},
    "a name": {"name": "n1"},
    "a type": {"type": ["t1", "t2"]},
}
"""What the index of a node can find."""


def subgraph_with_hubs(kg: KnowledgeGraph) -> None:
    """What joins entities that all have too many relationships to look at."""
    with patch.object(walks, "LOOKED_THROUGH", 2):
        kg.graph.subgraph([an_id(kg), another_id(kg)])


IN_ORDER: dict[str, Call] = {
    "the strongest that leave an entity": lambda kg: pages(kg.graph.relationships, id=an_id(kg), direction="out"),
    "the strongest that enter an entity": lambda kg: pages(kg.graph.relationships, id=an_id(kg), direction="in"),
    **{f"entities by {sort}": by(sort)[0] for sort in ENTITY.sort_rule.values},
    **{f"relationships by {sort}": by(sort)[1] for sort in RELATIONSHIP.sort_rule.values},
    "entities, deleted too": lambda kg: pages(kg.entities.list, is_active=None),
    "entities of a type": lambda kg: pages(kg.entities.list, type="t1"),
    "entities of a type, newest first": lambda kg: pages(kg.entities.list, type="t1", sort="-created_at"),
    "relationships of a type": lambda kg: pages(kg.relationships.list, relationship_type="r1"),
    "entities by metadata": lambda kg: pages(kg.entities.list, metadata={"in": "c1"}),
    "relationships by metadata, newest first": lambda kg: pages(
        kg.relationships.list, metadata={"in": "c1"}, sort="-created_at"
    ),
    "service clients": lambda kg: pages(kg.clients.list),
    "extractors": lambda kg: pages(kg.extractors.list),
    "users": lambda kg: pages(kg.users.list),
    "runs": lambda kg: pages(kg.runs.list),
    "changes of a run": changes_of_a_run,
    "changes": change_log,
    "dump": lambda kg: list(kg.dump()),
}
"""What an index must give in order: nothing is sorted."""

BY_INDEX: dict[str, Call] = {
    "the strongest relationships of an entity": lambda kg: pages(kg.graph.relationships, id=an_id(kg)),
    "a neighborhood": lambda kg: kg.graph.neighborhood(an_id(kg), depth=3, max_per_entity=1),
    "a neighborhood by types": lambda kg: kg.graph.neighborhood(
        an_id(kg), entity_type=["t1", "t2"], relationship_type="r1", not_relationship_type="r2", valid_at="1999"
    ),
    "distances": lambda kg: kg.graph.distances(an_id(kg), direction="out"),
    "distances both ways, by types": lambda kg: kg.graph.distances(an_id(kg), entity_type="t1", valid_at="1999"),
    "shortest paths": lambda kg: kg.graph.paths(an_id(kg), another_id(kg)),
    "lightest paths": lambda kg: kg.graph.paths(an_id(kg), another_id(kg), kind="lightest", weight="w"),
    "a subgraph": lambda kg: kg.graph.subgraph([an_id(kg), another_id(kg)]),
    "a subgraph with hubs": subgraph_with_hubs,
    "common neighbors": lambda kg: kg.graph.common_neighbors([an_id(kg), another_id(kg)]),
    "a summary": lambda kg: kg.graph.summary(an_id(kg)),
    "one by id": lambda kg: kg.entities.get(an_id(kg)),
    "several by id": lambda kg: kg.entities.get_many(ids=[an_id(kg), UUID(int=1)]),
    "several by key": lambda kg: kg.entities.get_many(keys=["k1", "k2", "none"]),
    "several by name": lambda kg: kg.entities.get_many(names=["n1", "N2", "none"]),
    "relationships from an entity": lambda kg: pages(kg.relationships.list, source_entity_id=an_id(kg)),
    "relationships to an entity": lambda kg: pages(kg.relationships.list, target_entity_id=an_id(kg)),
    "deleted relationships from an entity": lambda kg: pages(
        kg.relationships.list, source_entity_id=an_id(kg), is_active=False
    ),
    "relationships from an entity, deleted too": lambda kg: pages(
        kg.relationships.list, source_entity_id=an_id(kg), is_active=None
    ),
    "relationships at either end, deleted too": lambda kg: pages(
        kg.relationships.list, entity_id=an_id(kg), is_active=None
    ),
    "relationships at either end": lambda kg: kg.relationships.list(entity_id=an_id(kg)),
    "a search": lambda kg: pages(kg.search, q="n1", facets=["type", "source"]),
    "a search with filters": lambda kg: pages(kg.search, q='n "1"', type=["t1", "t2"], source="d", min_confidence=0.1),
    "a search in a script without spaces": lambda kg: kg.search("大灯工厂"),
    "suggestions": lambda kg: kg.search.suggest("n1"),
    "suggestions of a type": lambda kg: kg.search.suggest("1", type="t1"),
    "links": lambda kg: kg.search.link(["n1", {"name": "n2", "type": "t2"}]),
    "nearest words": lambda kg: kg.search("nmae"),
    "load": lambda kg: kg.load(records(5)),
    **{f"a pattern from {name}": (lambda kg, node=node: kg.graph.match(pattern(node))) for name, node in NODES.items()},
    "a pattern from the type of a relationship": lambda kg: kg.graph.match(pattern({})),
    "delete and restore": deleting,
    "a user by email": lambda kg: kg.users.get_by_email("ada@example.org"),
    "a session": session,
    "services": services,
    "facts of a run": facts_of_a_run,
    "what a source contributes": lambda kg: kg.sources.contribution(source_id("d")),
    "the rank of an extractor": lambda kg: kg.extractors.rank(extractor_id("x"), 1),
    "the end of a run": lambda kg: kg.runs.end(kg.runs.open().id),
}
"""What an index must find; the little that is found may be sorted."""


SORT_NAME, OF_ENTITIES = "ix_entities_sort_name", "ix_metadata_entities"
SERVED: dict[str, tuple[str, Call]] = {
    "names": (SORT_NAME, lambda kg: kg.entities.list(name=["N1", "n2"], limit=3)),
    "a name, newest first": (SORT_NAME, lambda kg: kg.entities.list(name="n1", sort="-created_at")),
    "how many have a name": (SORT_NAME, lambda kg: kg.entities.count(name="n1")),
    "beginnings of names": (SORT_NAME, lambda kg: pages(kg.entities.list, name_prefix="n29", sort="name")),
    "how many begin so": (SORT_NAME, lambda kg: kg.entities.count(name_prefix="n29")),
    "metadata": (OF_ENTITIES, lambda kg: kg.entities.list(metadata={"in": "c1"}, limit=3)),
    "metadata, of a type": (OF_ENTITIES, lambda kg: kg.entities.list(metadata={"in": "c1"}, type="t1", limit=3)),
    "any metadata of several": (OF_ENTITIES, lambda kg: kg.entities.count(metadata={"in": ["c1", "c2"], "other": 1})),
    "a name in metadata": (OF_ENTITIES, lambda kg: kg.entities.count(has_metadata="in")),
    "metadata of relationships": (
        "ix_metadata_entity_relationships",
        lambda kg: kg.relationships.list(metadata={"in": "c1"}, limit=3),
    ),
}
"""What a certain index must find, though it may not be the one that gives the order."""


def index_metadata(kg: KnowledgeGraph) -> None:
    """Add the indexes that an operator would."""
    for noun in GRAPH_NOUNS:
        metadata_indexes.add(kg._context.store.engine, noun, "in")  # type: ignore[attr-defined]


def fill(kg: KnowledgeGraph) -> None:
    """Make the graph that is asked."""
    assert kg.load(records(ENTITIES)).refused == 0
    found = {"entities": [{"key": f"k{n}", "type": "t1", "name": f"n{n}"} for n in range(3)]}
    joined = {"source_entity_key": "k0", "relationship_type": "r0", "target_entity_key": "k1"}
    for source in ("d", "e"):
        kg.extract(source, "x", {**found, "relationships": [joined]})
    kg.relationships.delete(kg.relationships.list().items[-1].id)
    for name in ("ada", "grace"):
        kg.users.create(email=f"{name}@example.org", password="a few unrelated words")
    for _ in range(5):
        kg.clients.create(name="publishing", scopes=["graph:read"])
        kg.runs.open()


@pytest.fixture(scope="module")
def sqlite_plans(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Call], list[str]]]:
    """Gives the plans of all that a call reads on SQLite."""
    file: Path = tmp_path_factory.mktemp("plans") / "graph.db"
    statements: list[str] = []

    def trace(connection: Any, _: object) -> None:
        connection.set_trace_callback(statements.append)

    event.listen(Engine, "connect", trace)
    with connect(f"sqlite:///{file}") as kg:
        fill(kg)
        index_metadata(kg)
        event.remove(Engine, "connect", trace)
        engine = kg._context.store.engine  # type: ignore[attr-defined]
        event.listen(engine, "connect", trace)  # it may open others

        def plans(call: Call) -> list[str]:
            statements.clear()
            call(kg)
            reads = {statement for statement in statements if statement.lstrip().startswith(READING)}
            assert reads
            with engine.connect() as connection:
                return [
                    "\n".join(row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {read}"))
                    for read in reads
                ]

        yield plans


@pytest.fixture(scope="module")
def postgres_plans(postgres_url: str, empty_url: Callable[[str], str]) -> Iterator[Callable[[Call], list[str]]]:
    """Gives the plans of all that a call reads on PostgreSQL, were whole tables and sorting dear."""
    reads: list[tuple[str, Any]] = []

    class Noting(Cursor[Any]):
        """A cursor that notes what it reads."""

        def execute(self, query: Any, params: Any = None, **more: Any) -> Any:
            if query.startswith(READING):
                reads.append((query, params))
            return super().execute(query, params, **more)

    def watch(connection: Any, _: object) -> None:
        connection.cursor_factory = Noting

    event.listen(Engine, "connect", watch)
    with connect(empty_url("postgres"), migrate=False) as kg:
        fill(kg)
        index_metadata(kg)
        event.remove(Engine, "connect", watch)
        engine = kg._context.store.engine  # type: ignore[attr-defined]
        event.listen(engine, "connect", watch)  # it may open others

        def plans(call: Call, *, sorts: str = "off") -> list[str]:
            reads.clear()
            call(kg)
            assert reads
            with engine.connect() as connection, connection.connection.cursor() as cursor:
                cursor.execute(f"BEGIN; SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = {sorts}")
                found = []
                for statement, parameters in list(reads):
                    cursor.execute(f"EXPLAIN {statement}", parameters)
                    found.append("\n".join(row[0] for row in cursor.fetchall()))
                return found

        yield plans
        for noun in GRAPH_NOUNS:
            metadata_indexes.drop(engine, noun, "in")


@pytest.mark.parametrize("name", [*IN_ORDER, *BY_INDEX])
def test_sqlite_has_an_index_for_it(name: str, sqlite_plans: Callable[[Call], list[str]]) -> None:
    """No table is read from end to end, and no listing is sorted."""
    for plan in sqlite_plans({**IN_ORDER, **BY_INDEX}[name]):
        assert not WHOLE_TABLE.search(plan), plan
        if name in IN_ORDER:
            assert "TEMP B-TREE" not in plan, plan


@pytest.mark.parametrize("name", [*IN_ORDER, *BY_INDEX])
def test_postgres_has_an_index_for_it(name: str, postgres_plans: Callable[[Call], list[str]]) -> None:
    """No table is read from end to end, and no listing is sorted, not even where that would be cheap."""
    for plan in postgres_plans({**IN_ORDER, **BY_INDEX}[name]):
        tables = re.findall(r"Seq Scan on (\w+)", plan)
        assert set(tables) <= {"changes_sequence_seq"}, plan
        if name in IN_ORDER:
            assert "Sort" not in plan, plan


@pytest.mark.parametrize("name", SERVED)
def test_a_certain_index_serves_it_on_sqlite(name: str, sqlite_plans: Callable[[Call], list[str]]) -> None:
    """All that is read of a table is found by it, or by an id."""
    index, call = SERVED[name]
    plans = sqlite_plans(call)
    assert any(index in plan for plan in plans)
    for line in "\n".join(plans).splitlines():
        assert not re.match(r"(SCAN|SEARCH) entit", line) or index in line or "(id=?)" in line, line


@pytest.mark.parametrize("name", SERVED)
def test_a_certain_index_serves_it_on_postgres(name: str, postgres_plans: Callable[..., list[str]]) -> None:
    """All that is read of a table is found by it, or by an id."""
    index, call = SERVED[name]
    plans = postgres_plans(call, sorts="on")
    assert any(index in plan for plan in plans), plans
    for plan in plans:
        assert set(re.findall(r" using (\w+)| Scan on (ix_\w+)", plan)), plan
        assert all(index in found or found.startswith("pk_") for found in re.findall(r"\b(?:ix|pk)_\w+", plan)), plan


def extracting_again(kg: KnowledgeGraph) -> None:
    """Extract a document three times: new, the same, and with something else in it."""
    found = {"entities": [{"label": label, "type": "t1", "name": f"named {label}"} for label in "AB"]}
    for document in (found, found, {"entities": found["entities"][:1], "version": "2"}):
        kg.extract("f", "x", document)
    kg.withdraw("f", "x")


@pytest.mark.parametrize("kind", ["sqlite_plans", "postgres_plans"])
def test_no_document_reads_all_that_its_extractor_found(kind: str, request: pytest.FixtureRequest) -> None:
    """A source has few assertions, an extractor may have millions; no database has statistics here."""
    plans = request.getfixturevalue(kind)(extracting_again)
    assert any("ix_assertions_" in plan for plan in plans)
    assert not [plan for plan in plans if "ix_assertions_extractor" in plan]


@contextmanager
def asked_before(url: str, beginning: str, question: str, answers: list[str]) -> Iterator[KnowledgeGraph]:
    """A graph on PostgreSQL, which is asked something before each statement that begins so; {} stands for that."""

    class Asking(Cursor[Any]):
        """A cursor that asks."""

        def execute(self, query: Any, params: Any = None, **more: Any) -> Any:
            if query.startswith(beginning):
                given = params if "{}" in question else None
                answers.extend(row[0] for row in super().execute(question.format(query), given).fetchall())
            return super().execute(query, params, **more)

    def watch(connection: Any, _: object) -> None:
        connection.cursor_factory = Asking

    event.listen(Engine, "connect", watch)
    try:
        with connect(url, migrate=False) as kg:
            kg.load(records(ENTITIES))
            yield kg
    finally:
        event.remove(Engine, "connect", watch)


def test_many_words_are_looked_up_by_index_whatever_it_costs(empty_url: Callable[[str], str]) -> None:
    """PostgreSQL thinks that to look for a thousand words in every row is as cheap as to look for one."""
    plan: list[str] = []
    with asked_before(empty_url("postgres"), "WITH having_any", "EXPLAIN {}", plan) as kg:
        kg.entities.create(type="animal", name="zebra")
        assert kg.search("zebre").nearest_words == ("zebra",)
    assert any("ix_entity_names_terms" in line for line in plan)
    assert not [line for line in plan if "Seq Scan" in line]


def test_patterns_are_planned_for_their_values(empty_url: Callable[[str], str]) -> None:
    """A common value and a rare one may want other plans, although the statement is the same."""
    modes: list[str] = []
    with asked_before(empty_url("postgres"), "", "SHOW plan_cache_mode", modes) as kg:
        modes.clear()
        kg.graph.match({"nodes": {"a": {"type": "t1"}}, "return": ["a"], "count": True})
    assert modes.count("force_custom_plan") >= 2


def test_searches_are_planned_without_their_values(empty_url: Callable[[str], str]) -> None:
    """For words that it takes to be rare, PostgreSQL would sort all names that begin so, however many there are."""
    modes: list[str] = []
    with asked_before(empty_url("postgres"), "WITH by_beginning", "SHOW plan_cache_mode", modes) as kg:
        kg.search("n1", facets=["type"])
    assert modes == ["force_generic_plan"] * 2
