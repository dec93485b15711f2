"""A table of the nouns: how to make a record of each, how to change it, and what it is listed by.

Who adds a row gets every test in `tests/contract/kernel/test_repositories.py` for the noun.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count, cycle, permutations
from typing import Any, Final

import attrs

from kgl_core import SYSTEM, Actor, ActorKind, Role, Scope
from kgl_core.access.oauth_clients import CLIENT
from kgl_core.access.users import USER
from kgl_core.evidence.assertions import ASSERTION, Location, Stance
from kgl_core.evidence.extraction.kept_extractions import EXTRACTION
from kgl_core.evidence.origins.extractors import EXTRACTOR, extractor_id
from kgl_core.evidence.origins.sources import SOURCE, source_id
from kgl_core.graph.entities import ENTITY
from kgl_core.graph.journal.runs import RUN, RunKind, RunState
from kgl_core.graph.relationships import RELATIONSHIP
from kgl_core.kernel.ids import AssertionId, RunId
from kgl_core.kernel.nouns.noun import Noun
from kgl_core.kernel.nouns.records import RecordFilter
from tests.contract.samples import NOON, SECOND, client, entity, new_id, relationship, user

Admits = Callable[[Any], bool]
"""Whether a record passes a filter."""


@attrs.frozen(kw_only=True)
class Example:
    """A noun to try a repository with.

    ``make`` makes a record with these fields; its unique value is its own, unless it is given. Two records with the
    fields ``taken`` have the same unique value. ``full`` has an unusual value in every field, apart from those that
    can't stand beside the others: these are in ``fuller``. ``changes`` has another value for every field that a later
    version can change. ``vary`` gives the fields of a record to list, by its number: many are alike. ``filters`` are
    some filters by their fields, and whether a record passes; one with the fields ``everyone`` admits all but the
    deleted. ``created`` is the field that says when a record was created. ``needed`` are the records that these refer
    to.
    """

    noun: Noun[Any, Any, Any, Any]
    make: Callable[..., Any]
    full: Any
    changes: Mapping[str, Any]
    fuller: Mapping[str, Any] = attrs.Factory(dict)
    taken: Mapping[str, Any] = attrs.Factory(dict)
    vary: Callable[[int], Mapping[str, Any]] = lambda number: {}
    filters: Sequence[tuple[Mapping[str, Any], Admits]] = ()
    everyone: Mapping[str, Any] = attrs.Factory(dict)
    created: str = "created_at"
    needed: Sequence[Any] = ()

    def __str__(self) -> str:
        return self.noun.name

    @property
    def is_unique(self) -> bool:
        """Whether its records have a unique value."""
        return self.noun.unique is not None

    @property
    def is_rekeyed(self) -> bool:
        """Whether a later version can have another unique value."""
        return self.noun.unique is not None and not {*self.noun.unique.fields} <= self.noun.kept

    @property
    def is_record(self) -> bool:
        """Whether it is listed by what kgl notes of every record."""
        return issubclass(self.noun.filter, RecordFilter)

    @property
    def fulls(self) -> Sequence[Any]:
        """The records that have an unusual value in every field."""
        return [self.full, self.make(**self.fuller)] if self.fuller else [self.full]

    @property
    def all(self) -> Any:
        """The filter that admits all but the deleted."""
        return self.noun.filter(**self.everyone)

    def later(self, record: Any, /, **fields: Any) -> Any:
        """The next version of a record, or its next state where it has no versions."""
        version = {"version": record.version + 1} if self.noun.is_versioned else {}
        return attrs.evolve(record, **version, **fields)


_number = count()
PEOPLE: Final = tuple(entity(f"person {number}") for number in range(50))
_PAIRS: Final = cycle(permutations(PEOPLE, 2))


def _entity(**fields: Any) -> Any:
    return entity(**{"key": f"key {next(_number)}", **fields})


def _relationship(**fields: Any) -> Any:
    return relationship(*next(_PAIRS), **fields)


def _run(**fields: Any) -> Any:
    values = {"title": None, "kind": RunKind.LOAD, "state": RunState.OPEN, "created_by": SYSTEM, "created_at": NOON}
    return RUN.record(**{"id": RunId(new_id()), **values, **fields})


def _user(**fields: Any) -> Any:
    return user(**{"email": f"{next(_number)}@example.org", **fields})


def _source(**fields: Any) -> Any:
    uri = fields.get("uri") or f"https://example.org/{next(_number)}"
    values = {"title": None, "type": None, "published": None, "metadata": {}, "created_by": SYSTEM, "created_at": NOON}
    return SOURCE.record(**{"id": source_id(uri), **values, "uri": uri, **fields})


def _extractor(**fields: Any) -> Any:
    name = fields.get("name") or f"ner {next(_number)}"
    return EXTRACTOR.record(
        **{"id": extractor_id(name), "created_by": SYSTEM, "created_at": NOON, **fields, "name": name}
    )


_SOURCE: Final = _source()
_KNOWS: Final = _relationship()


_OTHER: Final = _source()


def _extraction(**fields: Any) -> Any:
    values = {"source_id": _SOURCE.id, "extractor": "x", "created_by": SYSTEM, "created_at": NOON, "extracted_at": NOON}
    return EXTRACTION.record(**{"id": new_id(), **values, **fields})


def _assertion(**fields: Any) -> Any:
    values = {"entity_id": PEOPLE[0].id, "asserted_by": SYSTEM, "asserted_at": NOON}
    return ASSERTION.record(**{"id": AssertionId(new_id()), **values, **fields})


_SETTLED: Final = {
    "pinned": ("/metadata/源",),
    "sources_for": 0,
    "sources_against": 3,
    "is_retired": True,
    "has_assertions": True,
}
"""What evidence changes in a fact."""

EXAMPLES: Final[Sequence[Example]] = (
    Example(
        noun=ENTITY,
        make=_entity,
        full=_entity(
            type="Person:v2",
            name="Ada Lovelace",
            aliases=("Countess", "Ada King"),
            key="Q7259",
            confidence=0.1 + 0.2,
            source="https://example.org/a?b=c#d",
            source_type="wiki",
            metadata={"born": 1815, "tags": ["a", {"b": None}], "alive": False},
            created_by=Actor(ActorKind.USER, "ada", Role.USER),
            updated_at=NOON + timedelta(microseconds=1),
            version=7,
            deleted_at=datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
            deleted_by=Actor(ActorKind.SERVICE, "extractor:eu"),
            pinned=("/name", "/metadata/a~1b"),
            sources_for=2,
            sources_against=1,
            is_retired=True,
            has_assertions=True,
        ),
        changes={
            "type": "machine",
            "name": "Engine",
            "aliases": ("x",),
            "key": "another key",
            "confidence": 1.0,
            "source": "s",
            "source_type": "t",
            "metadata": {"a": 1},
            "updated_at": NOON + SECOND,
            **_SETTLED,
        },
        taken={"key": "taken"},
        vary=lambda number: {
            "name": f"name {number % 4}",
            "type": "ab"[number % 2],
            "confidence": None if number % 3 else 0.5,
        },
        filters=(
            ({"type": "a"}, lambda row: row.type == "a"),
            ({"type": ["a", "b"]}, lambda row: True),
            ({"min_confidence": 0.5}, lambda row: row.confidence is not None),
        ),
    ),
    Example(
        noun=RELATIONSHIP,
        make=_relationship,
        full=_relationship(
            relationship_type="works_with.2:x-y",
            confidence=1e-9,
            source="page 3, “quoted”",
            source_type="pdf",
            metadata={"quote": "line one\nline two", "n": [1, 2.5]},
            created_by=Actor(ActorKind.SERVICE, "ai"),
            updated_at=NOON + timedelta(microseconds=1),
            version=3,
            deleted_at=NOON + SECOND,
            deleted_by=SYSTEM,
            deleted_with=PEOPLE[1].id,
            key="post 1/“quoted”",
            valid_from="0001-01-01T00:00:00.000001+00:00",
            valid_to="9999-12-31",
            pinned=("/name", "/metadata/a~1b"),
            sources_for=2,
            sources_against=1,
            is_retired=True,
            has_assertions=True,
        ),
        changes={
            "confidence": 0.5,
            "source": "s",
            "source_type": "t",
            "metadata": {"x": [1]},
            "updated_at": NOON + SECOND,
            "deleted_at": NOON,
            "deleted_by": SYSTEM,
            "deleted_with": PEOPLE[0].id,
            "valid_from": "1994-05",
            "valid_to": "1994",
            **_SETTLED,
        },
        taken={
            "source_entity_id": PEOPLE[0].id,
            "relationship_type": "taken",
            "target_entity_id": PEOPLE[1].id,
        },
        vary=lambda number: {
            "source_entity_id": PEOPLE[number % 3].id,
            "target_entity_id": PEOPLE[3 + number].id,
            "relationship_type": ("knows", "likes")[number % 2],
        },
        filters=(
            ({"entity_id": PEOPLE[0].id}, lambda row: PEOPLE[0].id in row.triple),
            ({"entity_id": PEOPLE[4].id}, lambda row: PEOPLE[4].id in row.triple),
            ({"relationship_type": "likes"}, lambda row: row.relationship_type == "likes"),
        ),
        needed=PEOPLE,
    ),
    Example(
        noun=USER,
        make=_user,
        full=_user(
            email="ada@example.org",
            password_hash="$argon2id$another",
            first_name="Ada 🜨",
            last_name="O'Lovelace \\N",
            role=Role.ADMIN,
            is_active=False,
            auth_version=9,
            updated_at=NOON + timedelta(microseconds=1),
            last_login_at=NOON + SECOND,
        ),
        changes={
            "email": "countess@example.org",
            "password_hash": "$other",
            "first_name": "Ada",
            "last_name": "King",
            "role": Role.MODERATOR,
            "is_active": False,
            "auth_version": 2,
            "updated_at": NOON + SECOND,
            "last_login_at": NOON,
        },
        taken={"email": "taken@example.org"},
        vary=lambda number: {"role": Role.USER if number % 3 else Role.ADMIN, "is_active": number % 2 == 0},
        filters=(
            ({"email": "1@"}, lambda row: "1@" in row.email),
            ({"role": "admin"}, lambda row: row.role == "admin"),
            ({"role": "moderator"}, lambda row: False),
            ({"is_active": True}, lambda row: row.is_active),
            ({"role": "user", "is_active": False}, lambda row: row.role == "user" and not row.is_active),
        ),
    ),
    Example(
        noun=CLIENT,
        make=client,
        full=client(
            "AI 🜨 O'Brien \\N",
            secret_hash=bytes(range(128, 160)),
            scopes=(Scope.GRAPH_READ, Scope.GRAPH_WRITE),
            created_by=Actor(ActorKind.USER, str(new_id())),
            updated_at=NOON + timedelta(microseconds=1),
            expires_at=NOON + SECOND,
            auth_version=7,
        ),
        changes={
            "name": "ai",
            "secret_hash": bytes(32),
            "scopes": (Scope.GRAPH_WRITE,),
            "updated_at": NOON + SECOND,
            "expires_at": NOON,
            "auth_version": 2,
        },
    ),
    Example(
        noun=RUN,
        make=_run,
        full=_run(
            title="夜間 “import”",
            kind=RunKind.OPENED,
            state=RunState.FAILED,
            created_by=Actor(ActorKind.SERVICE, "ai"),
            ended_at=NOON + timedelta(microseconds=1),
            counts={"created": 3, "deleted": 1},
        ),
        changes={
            "title": "by day",
            "state": RunState.COMPLETED,
            "ended_at": NOON + SECOND,
            "counts": {"updated": 2},
        },
        vary=lambda number: {"state": RunState.OPEN if number % 3 else RunState.FAILED},
        filters=(
            ({"state": "failed"}, lambda row: row.state == "failed"),
            ({"kind": "opened"}, lambda row: False),
            ({"created_after": NOON}, lambda row: row.created_at > NOON),
            ({"created_before": NOON + SECOND}, lambda row: row.created_at < NOON + SECOND),
        ),
    ),
    Example(
        noun=SOURCE,
        make=_source,
        full=_source(
            uri="https://example.org/源?a=1#§",
            title="Note G, “Memoirs”",
            type="paper",
            published="1843-08",
            metadata={"pages": [691, 731]},
            rank=7,
            created_by=Actor(ActorKind.SERVICE, "ai"),
        ),
        changes={"title": "t", "type": "u", "published": "1843", "metadata": {}, "rank": -1},
        vary=lambda number: {"type": None if number % 3 else "paper"},
        filters=(
            ({"type": "paper"}, lambda row: row.type == "paper"),
            ({"created_after": NOON}, lambda row: row.created_at > NOON),
            ({"created_before": NOON + SECOND}, lambda row: row.created_at < NOON + SECOND),
        ),
    ),
    Example(
        noun=EXTRACTOR,
        make=_extractor,
        full=_extractor(name="spert:v2 “x” 源", rank=-7, created_by=Actor(ActorKind.SERVICE, "ai")),
        changes={"rank": 1},
        filters=(
            ({"created_after": NOON}, lambda row: row.created_at > NOON),
            ({"created_before": NOON + SECOND}, lambda row: row.created_at < NOON + SECOND),
        ),
    ),
    Example(
        noun=ASSERTION,
        make=_assertion,
        full=_assertion(
            source_id=_SOURCE.id,
            extractor="spert:v2 “x”",
            extractor_version="2.1",
            label="T1 源",
            stance=Stance.AGAINST,
            confidence=0.1 + 0.2,
            locations=(Location(page=1, sentence=0, start=4, end=16, quote="Ada\nLovelace"), Location()),
            values={"name": "Ada", "metadata": {"born": 1815}},
            about="/metadata/born",
            run=RunId(new_id()),
            asserted_by=Actor(ActorKind.SERVICE, "ai"),
            withdrawn_at=NOON + timedelta(microseconds=1),
            withdrawn_by=Actor(ActorKind.USER, "ada", Role.MODERATOR),
            withdrawn_run=RunId(new_id()),
        ),
        fuller={"entity_id": None, "relationship_id": _KNOWS.id},
        changes={"withdrawn_at": NOON + SECOND, "withdrawn_by": SYSTEM, "withdrawn_run": RunId(new_id())},
        vary=lambda number: {
            "entity_id": PEOPLE[number % 3].id,
            "extractor": None if number % 2 else "spert",
            "withdrawn_at": NOON if number % 3 else None,
        },
        filters=(
            ({"is_withdrawn": None, "entity_id": PEOPLE[1].id}, lambda row: row.entity_id == PEOPLE[1].id),
            ({"is_withdrawn": None, "extractor": "spert"}, lambda row: row.extractor == "spert"),
            ({"is_withdrawn": None, "stance": "against"}, lambda row: False),
            ({}, lambda row: row.withdrawn_at is None),
            ({"is_withdrawn": True}, lambda row: row.withdrawn_at is not None),
        ),
        everyone={"is_withdrawn": None},
        created="asserted_at",
        needed=(*PEOPLE, _KNOWS, _SOURCE),
    ),
    Example(
        noun=EXTRACTION,
        make=_extraction,
        full=_extraction(
            extractor="spert:v2 “x”",
            created_by=Actor(ActorKind.SERVICE, "ai"),
            run=RunId(new_id()),
            digest=bytes(range(128, 144)),
        ),
        changes={"extracted_at": NOON + SECOND, "run": RunId(new_id()), "digest": bytes(16)},
        vary=lambda number: {"source_id": (_SOURCE, _OTHER)[number % 2].id},
        filters=(({"source_id": _SOURCE.id}, lambda row: row.source_id == _SOURCE.id),),
        needed=(_SOURCE, _OTHER),
    ),
)
