"""Records to try the stores with, and a clock and an id source that tests control."""

import hashlib
import random
from collections.abc import Sequence
from copy import copy
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import attrs

from kgl_adapters.clock_and_ids import random as secret_bytes
from kgl_adapters.retrying import retry
from kgl_adapters.security.argon2_passwords import Argon2Hasher
from kgl_core import (
    SYSTEM,
    Actor,
    Change,
    ChangeAction,
    Client,
    Entity,
    KnowledgeGraph,
    Relationship,
    Role,
    Scope,
    User,
)
from kgl_core.access.oauth_clients import CLIENT
from kgl_core.access.passwords import Passwords
from kgl_core.access.tokens import RefreshToken
from kgl_core.access.users import USER
from kgl_core.evidence.assertions import ASSERTION
from kgl_core.evidence.extraction.kept_extractions import EXTRACTION
from kgl_core.evidence.origins.extractors import EXTRACTOR
from kgl_core.evidence.origins.sources import SOURCE
from kgl_core.graph.entities import ENTITY
from kgl_core.graph.journal.runs import RUN
from kgl_core.graph.nouns import GRAPH_NOUNS
from kgl_core.graph.relationships import RELATIONSHIP
from kgl_core.kernel.ids import ClientId, UserId
from kgl_core.kernel.nouns.noun import Noun
from kgl_core.kernel.units_of_work import Context, Store

NOUNS: Sequence[Noun[Any, Any, Any, Any]] = (*GRAPH_NOUNS, USER, CLIENT, RUN, SOURCE, EXTRACTOR, ASSERTION, EXTRACTION)
NOON = datetime(2026, 1, 31, 12, 0, 0, 123456, tzinfo=UTC)
SECOND = timedelta(seconds=1)


class Ids:
    """An id source whose ids come in no order, and are the same in every run."""

    def __init__(self, seed: int = 0) -> None:
        self._random = random.Random(seed)

    def __call__(self) -> UUID:
        bits = self._random.getrandbits(128) & ~(0xF << 76 | 0b11 << 62) | 0x7 << 76 | 0b10 << 62
        return UUID(int=bits)


class Clock:
    """A clock that stands still unless it is moved; with a ``step``, every look at it moves it on."""

    def __init__(self, start: datetime = NOON, step: timedelta = timedelta(0)) -> None:
        self.moment, self._step = start, step

    def __call__(self) -> datetime:
        shown = self.moment
        self.moment += self._step
        return shown

    def move(self, by: timedelta = SECOND) -> None:
        self.moment += by


new_id = Ids(seed=4711)


def graph_on(store: Store, clock: Clock | None = None, ids: Ids | None = None, actor: Actor = SYSTEM) -> KnowledgeGraph:
    """A knowledge graph on ``store`` with a clock and ids of the test's own."""
    context = Context(store, actor, clock or Clock(step=SECOND), ids or Ids(), retry)
    return KnowledgeGraph(context, Passwords(Argon2Hasher()), secret_bytes)


def sample(noun: Noun[Any, Any, Any, Any], /, **fields: Any) -> Any:
    """A record of a noun of the graph; what it is not given is empty."""
    said = {name: copy(noun.empty_values.get(name)) for name in noun.said}
    noted = {"id": new_id(), "created_by": SYSTEM, "created_at": NOON, "updated_at": NOON}
    return noun.record(**{**said, **noted, **fields})


def entity(name: str = "Ada", /, **fields: Any) -> Entity:
    """An entity as a use case would hand it to a repository."""
    made: Entity = sample(ENTITY, **{"type": "person", "name": name, **fields})
    return made


def relationship(source: Entity, target: Entity, /, **fields: Any) -> Relationship:
    """A relationship as a use case would hand it to a repository."""
    triple = {"source_entity_id": source.id, "relationship_type": "knows", "target_entity_id": target.id}
    made: Relationship = sample(RELATIONSHIP, **{**triple, **fields})
    return made


def user(email: str = "ada@example.org", **fields: Any) -> User:
    """A user as a use case would hand it to a repository."""
    values: dict[str, Any] = {
        "id": UserId(new_id()),
        "email": email,
        "password_hash": "$argon2id$not-a-real-one",
        "first_name": None,
        "last_name": None,
        "role": Role.USER,
        "created_at": NOON,
        "updated_at": NOON,
    }
    return User(**(values | fields))


def refresh_token(owner: User, **fields: Any) -> RefreshToken:
    """A refresh token as a use case would hand it to a repository."""
    values: dict[str, Any] = {
        "hash": hashlib.sha256(new_id().bytes).digest(),
        "family": new_id(),
        "user_id": owner.id,
        "auth_version": owner.auth_version,
        "created_at": NOON,
        "expires_at": NOON + timedelta(days=30),
    }
    return RefreshToken(**(values | fields))


def client(name: str = "publishing", **fields: Any) -> Client:
    """A service client as a use case would hand it to a repository."""
    values: dict[str, Any] = {
        "id": ClientId(new_id()),
        "name": name,
        "secret_hash": hashlib.sha256(new_id().bytes).digest(),
        "scopes": (Scope.GRAPH_READ,),
        "created_by": SYSTEM,
        "created_at": NOON,
        "updated_at": NOON,
    }
    return Client(**(values | fields))


def deleted(record: Any, /, **fields: Any) -> Any:
    """The next version of a record, deleted."""
    return attrs.evolve(record, version=record.version + 1, deleted_at=NOON, deleted_by=SYSTEM, **fields)


def changed(record: Any, /, **fields: Any) -> Any:
    """The next version of a record, with other values."""
    return attrs.evolve(record, version=record.version + 1, **fields)


def created(record: Entity | Relationship) -> Change:
    """The change that tells of a new record."""
    return Change(record.created_at, record.created_by, ChangeAction.CREATED, record)


def create(store: Store, new: Entity) -> None:
    """Keep a new entity and its change in a unit of work that only adds, as use cases do."""
    with store.begin(adds_only=True) as uow:
        uow.of(ENTITY).add([new])
        uow.changes.append([created(new)])
        uow.commit()


def keep(store: Store, *records: Any) -> None:
    """Put records into a store: noun by noun, so that what others refer to comes first, and each record alone."""
    with store.begin() as uow:
        for noun in NOUNS:
            for record in records:
                if type(record) is noun.record:
                    uow.of(noun).add([record])
        uow.commit()


def ids_of(records: Sequence[Any]) -> list[UUID]:
    """The ids of records, in their order."""
    return [record.id for record in records]
