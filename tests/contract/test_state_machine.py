"""Memory is the specification: whatever is done to it and to a SQL store, both must answer alike.

Hypothesis makes up the commands, and where the answers differ, the fewest commands that make them differ. Clock and
ids are the same on both sides, so that whole records can be compared, and of errors their type, code and fields.
"""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

import attrs
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from kgl_adapters.memory.store import MemoryStore
from kgl_adapters.sql.engine.engines import make_engine, parse_url
from kgl_adapters.sql.units_of_work import SqlStore
from kgl_core import Actor, ActorKind, InvalidInput, KglError, KnowledgeGraph, Page, Role, StaleVersion, Transaction
from kgl_core.evidence.assertions import ASSERTION
from kgl_core.evidence.origins.extractors import extractor_id
from kgl_core.evidence.origins.sources import source_id
from kgl_core.graph.entities import ENTITY
from kgl_core.graph.relationships import RELATIONSHIP
from kgl_core.kernel.units_of_work import Store
from tests.conftest import close_clean
from tests.contract.evidence.documents import require_shown
from tests.contract.samples import SECOND, Clock, Ids, graph_on

T = TypeVar("T")
Command = tuple[str, dict[str, Any]]

TYPES = st.sampled_from(["person", "Place", "x.y"])
NAMES = st.sampled_from(["Ada", "ada", "Åda", "Zoë", "b c", "B  C", "\U0001f600"])
KEYS = st.sampled_from([None, "k1", "k2", "K1"])
CONFIDENCES = st.sampled_from([None, 0, 0.5, 1.0])
SOURCES = st.sampled_from([None, "s", "S"])
EDGE_KEYS = st.sampled_from([None, None, "k1", "K1"])
DATES = st.sampled_from(
    [
        *("0001", "1994", "1994-05", "1994-05-17", "9999", "9999-12-31"),
        *("1994-05-17T08:30:00Z", "1994-05-17T10:30:00+02:00", "9999-12-31T23:59:59.999999Z", "0001-01-01T00:00:00Z"),
    ]
)
METADATA = st.sampled_from([{}, {"a": 1}, {"a": 1.0}, {"a": True}, {"b": [1, {"c": None}], "a": ""}])
ALIASES = st.lists(NAMES, max_size=3)
PLACES = st.integers(0, 40)
"""Which of the records seen so far, or of ids that nobody has."""
VERSIONS = st.one_of(st.none(), st.none(), st.integers(1, 4))

ENTITY_FIELDS = {
    "aliases": ALIASES,
    "key": KEYS,
    "confidence": CONFIDENCES,
    "source": SOURCES,
    "metadata": METADATA,
}
EDGE_FIELDS = {
    "confidence": CONFIDENCES,
    "source": SOURCES,
    "metadata": METADATA,
    "valid_from": DATES | st.none(),
    "valid_to": DATES | st.none(),
}
NEW_EDGE_FIELDS = EDGE_FIELDS | {"key": EDGE_KEYS}
ENTITY_VALUES = st.fixed_dictionaries({"type": TYPES, "name": NAMES}, optional=ENTITY_FIELDS)
SOME_ENTITY_VALUES = st.fixed_dictionaries({}, optional={"type": TYPES, "name": NAMES, **ENTITY_FIELDS})
SOME_EDGE_VALUES = st.fixed_dictionaries({}, optional=EDGE_FIELDS)
NEW_EDGE_VALUES = st.fixed_dictionaries({}, optional=NEW_EDGE_FIELDS)

COMMANDS: st.SearchStrategy[Command] = st.one_of(
    st.tuples(st.just("create"), ENTITY_VALUES),
    st.tuples(
        st.just("join"),
        st.fixed_dictionaries(
            {"source": PLACES, "type": TYPES, "target": PLACES, "fields": NEW_EDGE_VALUES},
        ),
    ),
    st.tuples(
        st.just("update entity"),
        st.fixed_dictionaries({"at": PLACES, "version": VERSIONS, "fields": SOME_ENTITY_VALUES}),
    ),
    st.tuples(
        st.just("update relationship"),
        st.fixed_dictionaries({"at": PLACES, "version": VERSIONS, "fields": SOME_EDGE_VALUES}),
    ),
    st.tuples(
        st.sampled_from(["delete entity", "delete relationship", "restore entity", "restore relationship"]),
        st.fixed_dictionaries({"at": PLACES, "version": VERSIONS}),
    ),
    st.tuples(st.sampled_from(["get entity", "get relationship"]), st.fixed_dictionaries({"at": PLACES})),
)


def end(name: str) -> st.SearchStrategy[dict[str, Any]]:
    """How a record names an end: by key or by place, which becomes an id."""
    by_key = st.sampled_from(["k1", "k2", "K1", "none"]).map(lambda key: {f"{name}_entity_key": key})
    return by_key | PLACES.map(lambda place: {f"{name}_entity_id": place})


RECORDS = st.lists(
    st.one_of(
        st.fixed_dictionaries(
            {"kind": st.just("entity"), "type": TYPES, "name": NAMES},
            optional=ENTITY_FIELDS | {"id": PLACES, "is_active": st.booleans()},
        ),
        st.tuples(
            st.fixed_dictionaries(
                {"kind": st.just("relationship"), "relationship_type": TYPES},
                optional=NEW_EDGE_FIELDS | {"id": PLACES, "is_active": st.booleans(), "deleted_with": PLACES},
            ),
            end("source"),
            end("target"),
        ).map(lambda parts: parts[0] | parts[1] | parts[2]),
    ),
    max_size=6,
)


ACTORS = st.sampled_from([None, None, *(Actor(ActorKind.USER, name, Role.USER) for name in ("ann", "ben"))])
"""Who says something; None is the system, which is a moderator as well."""
EXTRACTORS = st.sampled_from(["x", "x", "y"])
LABELS = st.sampled_from(["T1", "T2", "t1", "T3"])
LOCATIONS = st.lists(
    st.fixed_dictionaries({}, optional={"page": st.integers(0, 1), "quote": st.just("Ada\nB")}), max_size=2
)
FOUND_FIELDS = {"confidence": st.sampled_from([None, 0.2, 0.5, 0.9, 1.5]), "metadata": METADATA, "locations": LOCATIONS}


def found_end(name: str) -> st.SearchStrategy[dict[str, Any]]:
    """How an extraction names an end."""
    return LABELS.map(lambda label: {f"{name}_entity_label": label}) | end(name)


DOCUMENTS = st.fixed_dictionaries(
    {
        "entities": st.lists(
            st.fixed_dictionaries(
                {"type": TYPES, "name": NAMES, "label": LABELS},
                optional={"id": PLACES, "key": KEYS, "aliases": ALIASES, **FOUND_FIELDS},
            ),
            max_size=4,
        ),
        "relationships": st.lists(
            st.tuples(
                st.fixed_dictionaries(
                    {"relationship_type": st.sampled_from(["x.y", "person"])},
                    optional={"key": EDGE_KEYS, "valid_from": DATES, "valid_to": DATES, **FOUND_FIELDS},
                ),
                found_end("source"),
                found_end("target"),
            ).map(lambda parts: parts[0] | parts[1] | parts[2]),
            max_size=3,
        ),
    },
    optional={"complete": st.booleans(), "match_names": st.booleans(), "version": st.sampled_from(["1", "2"])},
)
ADDRESS = {"source": SOURCES.filter(bool), "extractor": EXTRACTORS, "actor": ACTORS}
KINDS_OF_FACT = st.sampled_from(["entity", "relationship"])
PINS = st.lists(
    st.sampled_from(["/name", "/confidence", "/metadata/a", "/metadata", "/is_active", "/valid_from", "/key"]),
    max_size=2,
)
EVIDENCE: st.SearchStrategy[Command] = st.one_of(
    *[st.tuples(st.just("extract"), st.fixed_dictionaries({**ADDRESS, "document": DOCUMENTS}))] * 3,
    st.tuples(st.sampled_from(["withdraw", "reinstate"]), st.fixed_dictionaries(ADDRESS)),
    st.tuples(
        st.just("assert"),
        st.fixed_dictionaries(
            {
                "noun": KINDS_OF_FACT,
                "at": PLACES,
                "actor": ACTORS,
                "fields": st.fixed_dictionaries(
                    {},
                    optional={
                        "source": SOURCES,
                        "extractor": EXTRACTORS | st.none(),
                        "stance": st.sampled_from(["for", "against"]),
                        "confidence": CONFIDENCES,
                        "locations": LOCATIONS,
                    },
                ),
                "value": st.none() | st.sampled_from([1, 1.0, True, "x"]),
            }
        ),
    ),
    st.tuples(st.just("take back"), st.fixed_dictionaries({"at": PLACES, "actor": ACTORS})),
    st.tuples(
        st.just("pin"), st.fixed_dictionaries({"noun": KINDS_OF_FACT, "at": PLACES, "actor": ACTORS, "pinned": PINS})
    ),
    st.tuples(
        st.just("rank"),
        st.fixed_dictionaries({"source": SOURCES.filter(bool), "actor": ACTORS, "rank": st.integers(-1, 1)}),
    ),
    st.tuples(
        st.just("rank extractor"),
        st.fixed_dictionaries({"extractor": EXTRACTORS, "actor": ACTORS, "rank": st.integers(-1, 1)}),
    ),
    st.tuples(
        st.just("correct"),
        st.fixed_dictionaries({"source": SOURCES.filter(bool), "actor": ACTORS, "type": st.sampled_from(["t", "u"])}),
    ),
    st.tuples(st.sampled_from(["said of", "values"]), st.fixed_dictionaries({"noun": KINDS_OF_FACT, "at": PLACES})),
)


class Undo(Exception):
    """Leaves a transaction that is to be undone."""


class Comparison(RuleBasedStateMachine):
    """Two graphs, one in memory and one in SQL, that get the same commands."""

    def __init__(self, open_sql: Callable[[], Store]) -> None:
        super().__init__()
        self.stores: tuple[Store, Store] = (MemoryStore(), open_sql())
        self.clocks = (Clock(), Clock())
        self.graphs = tuple(
            graph_on(store, clock, Ids(seed=1)) for store, clock in zip(self.stores, self.clocks, strict=True)
        )
        self.entities: list[UUID] = []
        self.relationships: list[UUID] = []
        self.assertions: list[UUID] = []
        self.strangers = Ids(seed=2)
        self.cursors: tuple[str | None, str | None] = (None, None)
        self.log: list[Any] = []

    def both(self, act: Callable[[KnowledgeGraph], Any]) -> Any:
        """Do the same on both sides, and hold the answers against each other."""
        one, other = (answer(act, graph) for graph in self.graphs)
        assert one == other
        return one

    def entity(self, place: int) -> UUID:
        return self.entities[place] if place < len(self.entities) else _stranger(place)

    def relationship(self, place: int) -> UUID:
        return self.relationships[place] if place < len(self.relationships) else _stranger(place)

    def perform(self, on: KnowledgeGraph | Transaction, command: Command) -> Any:
        name, values = command
        if name == "create":
            return on.entities.create(**values)
        if name == "join":
            source, target = self.entity(values["source"]), self.entity(values["target"])
            return on.relationships.create(source, values["type"], target, **values["fields"])
        verb, noun = name.split()
        if noun == "entity":
            records, id = on.entities, self.entity(values["at"])
        else:
            records, id = on.relationships, self.relationship(values["at"])  # type: ignore[assignment]
        if verb == "get":
            return records.get(id, include_deleted=True)
        return getattr(records, verb)(id, expected_version=values["version"], **values.get("fields", {}))

    def tell(self, on: KnowledgeGraph, command: Command) -> Any:
        """Say something of facts, take it back, or ask who says what."""
        name, values = command
        graph = on if values.get("actor") is None else on.acting_as(values["actor"])
        if name == "extract":
            given = values["document"]
            entities = [self._with_ids(item | {"kind": "entity"}) for item in given["entities"]]
            relationships = [self._with_ids(item | {"kind": "relationship"}) for item in given["relationships"]]
            for item in (*entities, *relationships):
                del item["kind"]
            whole = {**given, "entities": entities, "relationships": relationships}
            return graph.extract(values["source"], values["extractor"], whole)
        if name in ("withdraw", "reinstate"):
            return getattr(graph, name)(values["source"], values["extractor"])
        if name == "take back":
            known = [*self.assertions, *self.entities, *self.relationships]
            return graph.assertions.withdraw(
                known[values["at"]] if values["at"] < len(known) else _stranger(values["at"])
            )
        if name == "rank":
            return graph.sources.rank(source_id(values["source"]), values["rank"])
        if name == "rank extractor":
            return graph.extractors.rank(extractor_id(values["extractor"]), values["rank"])
        if name == "correct":
            return graph.sources.update(source_id(values["source"]), type=values["type"])
        noun: Any = ENTITY if values["noun"] == "entity" else RELATIONSHIP
        id = (self.entity if noun is ENTITY else self.relationship)(values["at"])
        if name == "assert":
            about = {} if values["value"] is None else {"about": "/metadata/a", "value": values["value"]}
            return graph.assertions.add(noun, id, **values["fields"], **about)
        if name == "pin":
            return graph.assertions.pin(noun, id, values["pinned"])
        if name == "values":
            return graph.assertions.values(noun, id)
        return list(pages(graph.assertions.of, noun=noun, id=id, limit=2))

    def do(self, on: KnowledgeGraph, command: Command) -> Any:
        """Do what a command says, whichever it is."""
        is_told = command[0] in (
            "extract",
            "withdraw",
            "reinstate",
            "assert",
            "take back",
            "pin",
            "rank",
            "rank extractor",
            "correct",
            "said of",
            "values",
        )
        return (self.tell if is_told else self.perform)(on, command)

    def take_notice(self) -> None:
        """Learn the ids that there are now, for later commands to name."""
        for said in self.graphs[0].assertions.list(limit=200, is_withdrawn=None).items:
            if said.id not in self.assertions:
                self.assertions.append(said.id)
        for record in self.graphs[0].dump():
            known = self.entities if record["kind"] == "entity" else self.relationships
            if UUID(record["id"]) not in known:
                known.append(UUID(record["id"]))

    @initialize(commands=st.lists(ENTITY_VALUES, min_size=1, max_size=4))
    def begin(self, commands: list[dict[str, Any]]) -> None:
        for values in commands:
            self.command(("create", values))

    @rule(by=st.integers(-1, 2))
    def time_passes(self, by: int) -> None:
        for clock in self.clocks:
            clock.move(by * SECOND)

    @rule(command=COMMANDS)
    def command(self, command: Command) -> None:
        self.both(lambda graph: self.perform(graph, command))
        self.take_notice()

    @rule(commands=st.lists(COMMANDS, max_size=5), is_kept=st.booleans())
    def transaction(self, commands: list[Command], is_kept: bool) -> None:
        def act(graph: KnowledgeGraph) -> list[Any]:
            answers: list[Any] = []
            try:
                with graph.transaction() as tx:
                    answers += [answer(lambda on, c=command: self.perform(on, c), tx) for command in commands]
                    answers.append(answer(lambda on: on.entities.list(is_active=None), tx))
                    if not is_kept:
                        raise Undo
            except Undo:
                pass
            return answers

        self.both(act)
        self.take_notice()

    @rule(command=EVIDENCE)
    def evidence(self, command: Command) -> None:
        self.both(lambda graph: self.tell(graph, command))
        self.take_notice()

    @rule(commands=st.lists(COMMANDS | EVIDENCE, max_size=4), records=RECORDS, is_kept=st.booleans())
    def run(self, commands: list[Command], records: list[dict[str, Any]], is_kept: bool) -> None:
        named = [self._with_ids(record) for record in records]

        def act(graph: KnowledgeGraph) -> list[Any]:
            answers: list[Any] = []
            try:
                with graph.run("work") as run:
                    answers += [answer(lambda on, c=command: self.do(on, c), run) for command in commands]
                    answers.append(run.load(named).run)
                    if not is_kept:
                        raise Undo
            except Undo:
                pass
            assert run.run_id is not None
            changes = graph.runs.changes(run.run_id, limit=200).items
            counted = graph.runs.get(run.run_id)
            assert sum(counted.counts.values()) == len(changes)
            return [*answers, counted, [attrs.evolve(change, cursor=None) for change in changes]]

        self.both(act)
        self.take_notice()

    @rule(
        records=RECORDS,
        is_atomic=st.booleans(),
        is_dry=st.booleans(),
        existing=st.sampled_from(["merge", "merge", "replace", "keep", "refuse"]),
    )
    def load(self, records: list[dict[str, Any]], is_atomic: bool, is_dry: bool, existing: str) -> None:
        named = [self._with_ids(record) for record in records]

        def act(graph: KnowledgeGraph) -> Any:
            summary = graph.load(named, atomic=is_atomic, dry_run=is_dry, existing=existing)
            return attrs.evolve(summary, refusals=[(refusal.number, refusal.code) for refusal in summary.refusals])

        self.both(act)
        self.take_notice()

    def _with_ids(self, record: dict[str, Any]) -> dict[str, Any]:
        own = self.entity if record["kind"] == "entity" else self.relationship
        return {
            name: str((own if name == "id" else self.entity)(value))
            if type(value) is int and name != "confidence"
            else value
            for name, value in record.items()
        }

    @rule(
        sort=st.sampled_from(ENTITY.sort_rule.values),
        limit=st.integers(1, 4),
        filter=st.fixed_dictionaries(
            {},
            optional={
                "type": TYPES | st.lists(TYPES, max_size=2),
                "is_active": st.sampled_from([None, True, False]),
                "min_confidence": st.sampled_from([0, 0.5]),
                "source": st.just("s"),
            },
        ),
    )
    def list_entities(self, sort: Any, limit: int, filter: dict[str, Any]) -> None:
        self.both(lambda graph: list(pages(graph.entities.list, sort=sort, limit=limit, **filter)))
        self.both(lambda graph: graph.entities.count(**filter))

    @precondition(lambda self: self.entities)
    @rule(
        sort=st.sampled_from(RELATIONSHIP.sort_rule.values),
        limit=st.integers(1, 4),
        filter=st.fixed_dictionaries(
            {},
            optional={
                "relationship_type": TYPES | st.lists(TYPES, max_size=2),
                "is_active": st.sampled_from([None, True, False]),
                "max_confidence": st.sampled_from([0, 0.5]),
                "entity_id": PLACES,
                "source_entity_id": PLACES,
                "target_entity_id": PLACES,
                "valid_at": DATES,
            },
        ),
    )
    def list_relationships(self, sort: Any, limit: int, filter: dict[str, Any]) -> None:
        named = {name: self.entity(value) if name.endswith("_id") else value for name, value in filter.items()}
        self.both(lambda graph: list(pages(graph.relationships.list, sort=sort, limit=limit, **named)))
        self.both(lambda graph: graph.relationships.count(**named))

    @rule(
        sort=st.sampled_from(ASSERTION.sort_rule.values),
        limit=st.integers(1, 4),
        filter=st.fixed_dictionaries(
            {},
            optional={
                "is_withdrawn": st.sampled_from([None, True, False]),
                "extractor": EXTRACTORS,
                "stance": st.sampled_from(["for", "against"]),
                "source_id": SOURCES.filter(bool).map(source_id),
            },
        ),
    )
    def list_assertions(self, sort: Any, limit: int, filter: dict[str, Any]) -> None:
        self.both(lambda graph: list(pages(graph.assertions.list, sort=sort, limit=limit, **filter)))
        self.both(lambda graph: list(pages(graph.sources.list, limit=limit)))
        self.both(lambda graph: list(pages(graph.extractors.list, limit=limit)))
        self.both(lambda graph: [graph.sources.contribution(each.id) for each in graph.sources.list().items])

    @rule(places=st.lists(PLACES, max_size=4), keys=st.lists(KEYS.filter(bool), max_size=3))
    def get_many(self, places: list[int], keys: list[str]) -> None:
        self.both(lambda graph: graph.entities.get_many(ids=[self.entity(at) for at in places], keys=keys))
        self.both(lambda graph: graph.relationships.get_many(ids=[self.relationship(at) for at in places]))
        for key in keys:
            self.both(lambda graph, key=key: graph.entities.get_by_key(key))

    @rule(q=NAMES, type=st.sampled_from([(), "person"]), limit=st.integers(1, 4))
    def search(self, q: str, type: Any, limit: int) -> None:
        self.both(lambda graph: graph.search(q, type=type, limit=limit, facets=["type", "source"]))
        self.both(lambda graph: graph.search.suggest(q[:2]))
        self.both(lambda graph: graph.search.link([q, {"name": q.upper(), "type": "person"}]))

    @rule(limit=st.integers(1, 7))
    def changes(self, limit: int) -> None:
        one, other = (
            graph.changes(after=cursor, limit=limit) for graph, cursor in zip(self.graphs, self.cursors, strict=True)
        )
        news = [plain(attrs.evolve(change, cursor=None)) for change in one.items]
        assert news == [plain(attrs.evolve(change, cursor=None)) for change in other.items]
        self.cursors = (one.next_cursor, other.next_cursor)
        self.log += news

    @rule(valid_at=DATES)
    def dump(self, valid_at: str) -> None:
        self.both(lambda graph: list(graph.dump(valid_at=valid_at)))

    @invariant()
    def stats_agree(self) -> None:
        self.both(lambda graph: graph.stats())

    def teardown(self) -> None:
        try:
            while self.graphs[0].changes(after=self.cursors[0], limit=1).items:
                self.changes(200)
            whole = [
                plain(attrs.evolve(change, cursor=None)) for page in pages_of_log(self.graphs[1]) for change in page
            ]
            assert self.log == whole
            self.both(lambda graph: list(graph.dump()))
            self.both(lambda graph: list(pages(graph.runs.list, limit=3)))
            self.both(lambda graph: list(pages(graph.assertions.list, limit=100, is_withdrawn=None)))
            self.both(lambda graph: list(pages(graph.entities.list, limit=100, is_active=None)))
            self.both(lambda graph: list(pages(graph.relationships.list, limit=100, is_active=None)))
            require_shown(self.graphs[0])
            for graph in self.graphs:
                report = graph.check()
                assert report.faults == report.notes == ()
        finally:
            for store in self.stores:
                close_clean(store)


def _stranger(place: int) -> UUID:
    return UUID(int=place + 1)


def answer(act: Callable[[T], Any], on: T) -> Any:
    """What a call answers, or how it fails, in a form that can be compared."""
    try:
        return plain(act(on))
    except KglError as error:
        details: dict[str, Any] = {}
        if isinstance(error, StaleVersion):
            details = {"id": error.id, "expected": error.expected, "current": error.current}
        elif isinstance(error, InvalidInput):
            details = {"faults": error.faults}
        elif hasattr(error, "field"):
            details = {"field": error.field}
        elif hasattr(error, "ids"):
            details = {"ids": error.ids}
        return [type(error).__name__, error.code, plain(details)]


def plain(value: Any) -> Any:
    """The value as JSON's own types, which tells 1 from 1.0 and from True, and keeps the order of names."""
    if isinstance(value, Actor):
        return str(value)
    if attrs.has(type(value)):
        names = [field.name for field in attrs.fields(type(value))]
        return [type(value).__name__, *([name, plain(getattr(value, name))] for name in names)]
    if isinstance(value, dict):
        return [[name, plain(item)] for name, item in value.items()]
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    return json.dumps(value)


def pages(list_: Callable[..., Page[Any]], **arguments: Any) -> Any:
    """All pages of a listing, each as its items."""
    cursor: str | None = None
    while True:
        page = list_(cursor=cursor, **arguments)
        yield page.items
        cursor = page.next_cursor
        if cursor is None:
            return


def pages_of_log(graph: KnowledgeGraph) -> Any:
    """All changes, page by page."""
    cursor: str | None = None
    while (page := graph.changes(after=cursor, limit=5)).items:
        yield page.items
        cursor = page.next_cursor


def compare(empty_url: Callable[[str], str], sql: str, wanted: settings) -> None:
    """Run the machine, each time on stores that are empty."""

    def open_sql() -> Store:
        return SqlStore(make_engine(parse_url(empty_url(sql))))

    run_state_machine_as_test(lambda: Comparison(open_sql), settings=wanted)


@pytest.mark.parametrize("sql", ["sqlite", "postgres"])
def test_sql_answers_as_memory_does(empty_url: Callable[[str], str], sql: str) -> None:
    """Every answer, every error, and in the end the whole dump and log."""
    compare(empty_url, sql, settings(max_examples=30, stateful_step_count=30))


@pytest.mark.soak
@pytest.mark.parametrize("sql", ["sqlite", "postgres"])
def test_sql_answers_as_memory_does_for_long(empty_url: Callable[[str], str], sql: str) -> None:
    """The same with many more commands, other ones in every run."""
    compare(empty_url, sql, settings.get_profile("soak"))
