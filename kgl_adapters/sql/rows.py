"""Rows to records and back: the one place that knows how either database holds an id, a moment and JSON."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import wraps
from typing import Any, Final, TypeVar
from uuid import UUID

from kgl_adapters.sql.record_json import dump_json, read_array, read_object, read_record, write_record
from kgl_core.changes import Change, ChangeAction
from kgl_core.clients import Client
from kgl_core.entities import Entity
from kgl_core.errors import UnreadableRow
from kgl_core.idempotency import KeptAnswer
from kgl_core.ids import ClientId, UserId
from kgl_core.permissions import Actor, Role, in_order, scope_text
from kgl_core.relationships import Relationship
from kgl_core.tokens import RefreshToken
from kgl_core.users import User

ENTITY_COLUMNS: Final = (
    "id",
    "type",
    "name",
    "aliases",
    "key",
    "confidence",
    "source",
    "source_type",
    "metadata",
    "created_by",
    "created_at",
    "updated_at",
    "version",
    "deleted_at",
    "deleted_by",
)
RELATIONSHIP_COLUMNS: Final = (
    "id",
    "source_entity_id",
    "relationship_type",
    "target_entity_id",
    "confidence",
    "source",
    "source_type",
    "metadata",
    "created_by",
    "created_at",
    "updated_at",
    "version",
    "deleted_at",
    "deleted_by",
    "deleted_with",
)
USER_COLUMNS: Final = (
    "id",
    "email",
    "password_hash",
    "first_name",
    "last_name",
    "role",
    "is_active",
    "auth_version",
    "created_at",
    "updated_at",
    "last_login_at",
)
CLIENT_COLUMNS: Final = (
    "id",
    "name",
    "secret_hash",
    "scopes",
    "created_by",
    "created_at",
    "updated_at",
    "expires_at",
    "auth_version",
)
REFRESH_TOKEN_COLUMNS: Final = (
    "hash",
    "family",
    "user_id",
    "auth_version",
    "created_at",
    "expires_at",
    "used_at",
    "revoked_at",
    "child_seed",
)
ANSWER_COLUMNS: Final = ("id", "fingerprint", "answer", "created_at", "expires_at")
CHANGE_COLUMNS: Final = ("at", "actor", "action", "subject", "subject_id", "record")

UNREADABLE: Final = (ValueError, TypeError, KeyError, AttributeError, ArithmeticError)
"""What decoding a damaged row raises; JSON's and date's errors are among them."""
T = TypeVar("T")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_NO_METADATA: Final = "{}"
_NO_ALIASES: Final = "[]"
_ACTIONS: Final = {action: action.value for action in ChangeAction}  # an enum's value is slow to get


def _same(value: Any) -> Any:
    return value


def _micros(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND


def _moment(micros: int) -> datetime:
    return _EPOCH + timedelta(microseconds=micros)


def _moment_or_none(micros: int | None) -> datetime | None:
    return None if micros is None else _moment(micros)


def _bytes(id: UUID) -> bytes:
    return id.bytes


def _uuid(value: bytes) -> UUID:
    return UUID(bytes=value)


def reason_of(error: Exception) -> str:
    """Why a row could not be decoded, shortly."""
    return error.reason if isinstance(error, UnreadableRow) else f"{type(error).__name__}: {error}"[:200]


def _of(table: str) -> Callable[[Callable[[Rows, Sequence[Any]], T]], Callable[[Rows, Sequence[Any]], T]]:
    """Makes what decodes a row of this table raise UnreadableRow where that can't be done."""

    def telling(read: Callable[[Rows, Sequence[Any]], T]) -> Callable[[Rows, Sequence[Any]], T]:
        @wraps(read)
        def told(rows: Rows, row: Sequence[Any]) -> T:
            try:
                return read(rows, row)
            except UNREADABLE as error:
                raise UnreadableRow(f"{_named(row[0])} of {table}", reason_of(error)) from error

        return told

    return telling


def _named(key: Any) -> str:
    """The row with this key, for people; no hash of a token is shown."""
    if isinstance(key, bytes):
        return f"the row {UUID(bytes=key)}" if len(key) == 16 else "a row"
    return f"the row {key}"


class Rows:
    """How one database holds a record's values: ``id`` and ``instant`` write them, `entity` and its like read rows."""

    def __init__(self, *, is_sqlite: bool) -> None:
        self.is_sqlite = is_sqlite
        self.id: Callable[[UUID], Any] = _bytes if is_sqlite else _same
        self.read_id: Callable[[Any], UUID] = _uuid if is_sqlite else _same
        self.instant: Callable[[datetime], Any] = _micros if is_sqlite else _same
        self.read_instant: Callable[[Any], datetime] = _moment if is_sqlite else _same

    @_of("entities")
    def entity(self, row: Sequence[Any]) -> Entity:
        """The entity in a row of ENTITY_COLUMNS."""
        (id, type, name, aliases, key, confidence, source, source_type, metadata, created_by, created_at, updated_at,
         version, deleted_at, deleted_by) = row  # fmt: skip
        if self.is_sqlite:
            id = _uuid(id)
            created_at, updated_at, deleted_at = _moment(created_at), _moment(updated_at), _moment_or_none(deleted_at)
        return Entity(
            id=id,
            type=type,
            name=name,
            aliases=() if aliases == _NO_ALIASES else tuple(read_array(aliases)),
            key=key,
            confidence=confidence,
            source=source,
            source_type=source_type,
            metadata={} if metadata == _NO_METADATA else read_object(metadata),
            created_by=Actor.parse(created_by),
            created_at=created_at,
            updated_at=updated_at,
            version=version,
            deleted_at=deleted_at,
            deleted_by=None if deleted_by is None else Actor.parse(deleted_by),
        )

    def entity_values(self, entity: Entity) -> tuple[Any, ...]:
        """The values of ENTITY_COLUMNS and sort_name, in the order of the table's columns."""
        return (
            self.id(entity.id),
            entity.type,
            entity.name,
            dump_json(entity.aliases) if entity.aliases else _NO_ALIASES,
            entity.key,
            entity.confidence,
            entity.source,
            entity.source_type,
            dump_json(entity.metadata) if entity.metadata else _NO_METADATA,
            str(entity.created_by),
            self.instant(entity.created_at),
            self.instant(entity.updated_at),
            entity.version,
            None if entity.deleted_at is None else self.instant(entity.deleted_at),
            None if entity.deleted_by is None else str(entity.deleted_by),
            entity.sort_name,  # derived, so the table has it last
        )

    @_of("entity_relationships")
    def relationship(self, row: Sequence[Any]) -> Relationship:
        """The relationship in a row of RELATIONSHIP_COLUMNS."""
        (id, source_entity_id, relationship_type, target_entity_id, confidence, source, source_type, metadata,
         created_by, created_at, updated_at, version, deleted_at, deleted_by, deleted_with) = row  # fmt: skip
        if self.is_sqlite:
            id, source_entity_id, target_entity_id = _uuid(id), _uuid(source_entity_id), _uuid(target_entity_id)
            deleted_with = None if deleted_with is None else _uuid(deleted_with)
            created_at, updated_at, deleted_at = _moment(created_at), _moment(updated_at), _moment_or_none(deleted_at)
        return Relationship(
            id=id,
            source_entity_id=source_entity_id,
            relationship_type=relationship_type,
            target_entity_id=target_entity_id,
            confidence=confidence,
            source=source,
            source_type=source_type,
            metadata={} if metadata == _NO_METADATA else read_object(metadata),
            created_by=Actor.parse(created_by),
            created_at=created_at,
            updated_at=updated_at,
            version=version,
            deleted_at=deleted_at,
            deleted_by=None if deleted_by is None else Actor.parse(deleted_by),
            deleted_with=deleted_with,
        )

    def relationship_values(self, relationship: Relationship) -> tuple[Any, ...]:
        """The values of RELATIONSHIP_COLUMNS."""
        return (
            self.id(relationship.id),
            self.id(relationship.source_entity_id),
            relationship.relationship_type,
            self.id(relationship.target_entity_id),
            relationship.confidence,
            relationship.source,
            relationship.source_type,
            dump_json(relationship.metadata) if relationship.metadata else _NO_METADATA,
            str(relationship.created_by),
            self.instant(relationship.created_at),
            self.instant(relationship.updated_at),
            relationship.version,
            None if relationship.deleted_at is None else self.instant(relationship.deleted_at),
            None if relationship.deleted_by is None else str(relationship.deleted_by),
            None if relationship.deleted_with is None else self.id(relationship.deleted_with),
        )

    @_of("users")
    def user(self, row: Sequence[Any]) -> User:
        """The user in a row of USER_COLUMNS."""
        (id, email, password_hash, first_name, last_name, role, is_active, auth_version, created_at, updated_at,
         last_login_at) = row  # fmt: skip
        return User(
            id=UserId(self.read_id(id)),
            email=email,
            password_hash=password_hash,
            first_name=first_name,
            last_name=last_name,
            role=Role(role),
            is_active=bool(is_active),
            auth_version=auth_version,
            created_at=self.read_instant(created_at),
            updated_at=self.read_instant(updated_at),
            last_login_at=None if last_login_at is None else self.read_instant(last_login_at),
        )

    def user_values(self, user: User) -> tuple[Any, ...]:
        """The values of USER_COLUMNS."""
        return (
            self.id(user.id),
            user.email,
            user.password_hash,
            user.first_name,
            user.last_name,
            user.role.value,
            user.is_active,
            user.auth_version,
            self.instant(user.created_at),
            self.instant(user.updated_at),
            None if user.last_login_at is None else self.instant(user.last_login_at),
        )

    @_of("oauth_clients")
    def client(self, row: Sequence[Any]) -> Client:
        """The service client in a row of CLIENT_COLUMNS."""
        id, name, secret_hash, scopes, created_by, created_at, updated_at, expires_at, auth_version = row
        return Client(
            id=ClientId(self.read_id(id)),
            name=name,
            secret_hash=secret_hash,
            scopes=in_order(scopes.split(" ")),
            created_by=Actor.parse(created_by),
            created_at=self.read_instant(created_at),
            updated_at=self.read_instant(updated_at),
            expires_at=None if expires_at is None else self.read_instant(expires_at),
            auth_version=auth_version,
        )

    def client_values(self, client: Client) -> tuple[Any, ...]:
        """The values of CLIENT_COLUMNS."""
        return (
            self.id(client.id),
            client.name,
            client.secret_hash,
            scope_text(client.scopes),
            str(client.created_by),
            self.instant(client.created_at),
            self.instant(client.updated_at),
            None if client.expires_at is None else self.instant(client.expires_at),
            client.auth_version,
        )

    @_of("refresh_tokens")
    def refresh_token(self, row: Sequence[Any]) -> RefreshToken:
        """The refresh token in a row of REFRESH_TOKEN_COLUMNS."""
        hash, family, user_id, auth_version, created_at, expires_at, used_at, revoked_at, seed = row
        return RefreshToken(
            hash=hash,
            family=self.read_id(family),
            user_id=UserId(self.read_id(user_id)),
            auth_version=auth_version,
            created_at=self.read_instant(created_at),
            expires_at=self.read_instant(expires_at),
            used_at=None if used_at is None else self.read_instant(used_at),
            revoked_at=None if revoked_at is None else self.read_instant(revoked_at),
            child_seed=seed,
        )

    def refresh_token_values(self, token: RefreshToken) -> tuple[Any, ...]:
        """The values of REFRESH_TOKEN_COLUMNS."""
        return (
            token.hash,
            self.id(token.family),
            self.id(token.user_id),
            token.auth_version,
            self.instant(token.created_at),
            self.instant(token.expires_at),
            None if token.used_at is None else self.instant(token.used_at),
            None if token.revoked_at is None else self.instant(token.revoked_at),
            token.child_seed,
        )

    @_of("kept_answers")
    def answer(self, row: Sequence[Any]) -> KeptAnswer:
        """The kept answer in a row of ANSWER_COLUMNS."""
        id, fingerprint, answer, created_at, expires_at = row
        return KeptAnswer(id, fingerprint, answer, self.read_instant(created_at), self.read_instant(expires_at))

    def answer_values(self, kept: KeptAnswer) -> tuple[Any, ...]:
        """The values of ANSWER_COLUMNS."""
        moments = self.instant(kept.created_at), self.instant(kept.expires_at)
        return (kept.id, kept.fingerprint, kept.answer, *moments)

    def change_values(self, change: Change) -> tuple[Any, ...]:
        """The values of CHANGE_COLUMNS."""
        is_entity = isinstance(change.record, Entity)
        return (
            self.instant(change.at),
            str(change.actor),
            _ACTIONS[change.action],
            "entity" if is_entity else "relationship",
            self.id(change.record.id),
            write_record(change.record),
        )

    @_of("changes")
    def change(self, row: Sequence[Any]) -> Change:
        """The change in a row of ``sequence`` and CHANGE_COLUMNS without subject_id."""
        _, at, actor, action, subject, record = row
        return Change(self.read_instant(at), Actor.parse(actor), ChangeAction(action), read_record(subject, record))
