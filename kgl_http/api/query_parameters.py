"""What the queries of the API may hold: the filters of the core, and how a listing is cut."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

import attrs

from kgl_core.access.users import UserFilter
from kgl_core.graph.entities import KEY, EntityFilter
from kgl_core.graph.entities import SORT as ENTITY_SORT
from kgl_core.graph.provenance import FILTER_VALUES_MAX
from kgl_core.graph.relationships import SORT as RELATIONSHIP_SORT
from kgl_core.graph.relationships import RelationshipFilter
from kgl_core.kernel.checked_records import check, ruled, rules_of
from kgl_core.kernel.errors import Fault, InvalidInput
from kgl_core.kernel.field_rules import TYPE_NAME, Choice, Each, Flag, Id, Integer, Number, Optional, Text
from kgl_core.kernel.pages import CURSOR_LENGTH_MAX, LIMIT_DEFAULT, LIMIT_MAX
from kgl_core.storage.loading.outcomes import Existing

LIMIT: Final = Integer(1, LIMIT_MAX)
CURSOR: Final = Optional(Text(CURSOR_LENGTH_MAX))
COUNT: Final = Optional(Choice(("exact",)))
WAIT_S_MAX: Final = 30


@attrs.frozen(kw_only=True)
class NoQuery:
    """No parameters."""


@attrs.frozen(kw_only=True)
class RecordQuery:
    """How one record is asked for."""

    include_deleted: bool = ruled(Flag(), default=False)

    def __attrs_post_init__(self) -> None:
        check(self)


@attrs.frozen(kw_only=True)
class EntityQuery(EntityFilter):
    """A listing of entities; or several at once, by ``id`` or ``key``, and then by nothing else but ``is_active``."""

    sort: str = ruled(ENTITY_SORT, default="created_at")
    limit: int = ruled(LIMIT, default=LIMIT_DEFAULT)
    cursor: str | None = ruled(CURSOR, default=None)
    count: str | None = ruled(COUNT, default=None)
    id: tuple[UUID, ...] = ruled(Each(Id(), FILTER_VALUES_MAX), default=())
    key: tuple[str, ...] = ruled(Each(KEY, FILTER_VALUES_MAX), default=())

    def __attrs_post_init__(self) -> None:
        check(self)
        _require_alone(self, "id", "key")


@attrs.frozen(kw_only=True)
class RelationshipQuery(RelationshipFilter):
    """A listing of relationships; or several at once, by ``id``, and then by nothing else but ``is_active``."""

    sort: str = ruled(RELATIONSHIP_SORT, default="created_at")
    limit: int = ruled(LIMIT, default=LIMIT_DEFAULT)
    cursor: str | None = ruled(CURSOR, default=None)
    count: str | None = ruled(COUNT, default=None)
    id: tuple[UUID, ...] = ruled(Each(Id(), FILTER_VALUES_MAX), default=())

    def __attrs_post_init__(self) -> None:
        check(self)
        _require_alone(self, "id")


@attrs.frozen(kw_only=True)
class EntityRelationshipQuery:
    """The relationships of one entity: those that leave it (``out``), arrive (``in``), or both."""

    direction: str = ruled(Choice(("both", "out", "in")), default="both")
    relationship_type: tuple[str, ...] = ruled(Each(TYPE_NAME, FILTER_VALUES_MAX), default=())
    min_confidence: float | None = ruled(Optional(Number(0, 1)), default=None)
    sort: str = ruled(RELATIONSHIP_SORT, default="created_at")
    limit: int = ruled(LIMIT, default=LIMIT_DEFAULT)
    cursor: str | None = ruled(CURSOR, default=None)

    def __attrs_post_init__(self) -> None:
        check(self)


@attrs.frozen(kw_only=True)
class UserQuery(UserFilter):
    """A listing of accounts, ordered by email."""

    limit: int = ruled(LIMIT, default=LIMIT_DEFAULT)
    cursor: str | None = ruled(CURSOR, default=None)

    def __attrs_post_init__(self) -> None:
        check(self)


@attrs.frozen(kw_only=True)
class ClientQuery:
    """A listing of service clients, in the order of their creation."""

    limit: int = ruled(LIMIT, default=LIMIT_DEFAULT)
    cursor: str | None = ruled(CURSOR, default=None)

    def __attrs_post_init__(self) -> None:
        check(self)


@attrs.frozen(kw_only=True)
class ChangeQuery:
    """The changes past ``after``. While there are none, the answer is held back for ``wait`` seconds at most."""

    after: str | None = ruled(CURSOR, default=None)
    limit: int = ruled(LIMIT, default=LIMIT_DEFAULT)
    wait: int = ruled(Integer(0, WAIT_S_MAX), default=0)

    def __attrs_post_init__(self) -> None:
        check(self)


@attrs.frozen(kw_only=True)
class ImportQuery:
    """How lines are imported, and what is told of them."""

    existing: str = ruled(Choice(tuple(Existing)), default=Existing.MERGE.value)
    atomic: bool = ruled(Flag(), default=False)
    dry_run: bool = ruled(Flag(), default=False)
    results: str = ruled(Choice(("refused", "all")), default="refused")

    def __attrs_post_init__(self) -> None:
        check(self)


def filter_of(query: object, cls: type) -> dict[str, Any]:
    """The part of a query that is a filter of ``cls``, as keyword arguments."""
    return {name: getattr(query, name) for name in rules_of(cls)}


def _require_alone(query: object, *names: str) -> None:
    """Raise InvalidInput where parameters that name records stand beside those of a listing."""
    if not any(getattr(query, name) for name in names):
        return
    cls = type(query)
    others = [
        field.name
        for field in attrs.fields(cls)  # type: ignore[arg-type]
        if field.name not in (*names, "is_active") and getattr(query, field.name) != field.default
    ]
    if others:
        advice = f"give {' or '.join(names)} alone, or list without"
        raise InvalidInput([Fault(f"/{name}", "not_together", advice) for name in others])
