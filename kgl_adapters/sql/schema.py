"""The tables as the newest migration leaves them. A test compares the two."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import CheckConstraint, Column, ForeignKey, Identity, Index, MetaData, Table, text

from kgl_adapters.sql.types import BYTES, CONFIDENCE, COUNT, FLAG, ID, INSTANT, JSON, SEQUENCE, TEXT

AUTH: Final = "backend_auth"
ENTITIES: Final = "backend_entities"
REVISIONS: Final = ("0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008")
"""Every migration there is, in order; the last is head."""

_NAMES: Final = {
    "pk": "pk_%(table_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
}


def _index(name: str, *columns: str, where: str | None = None, unique: bool = False) -> Index:
    condition = None if where is None else text(where)
    return Index(name, *columns, unique=unique, postgresql_where=condition, sqlite_where=condition)


def _record_columns() -> Sequence[Column[Any]]:
    """The columns that entities and relationships have in common, made anew for each table."""
    return [
        Column("confidence", CONFIDENCE),
        Column("source", TEXT),
        Column("source_type", TEXT),
        Column("metadata", JSON, nullable=False),
        Column("created_by", TEXT, nullable=False),
        Column("created_at", INSTANT, nullable=False),
        Column("updated_at", INSTANT, nullable=False),
        Column("version", COUNT, nullable=False),
        Column("deleted_at", INSTANT),
        Column("deleted_by", TEXT),
    ]


def _tables(auth: str | None, graph: str | None) -> MetaData:
    """All tables, in these schemas."""
    metadata = MetaData(naming_convention=_NAMES)
    user_id = "users.id" if auth is None else f"{auth}.users.id"
    entity_id = "entities.id" if graph is None else f"{graph}.entities.id"
    Table(
        "users",
        metadata,
        Column("id", ID, primary_key=True),
        Column("email", TEXT, nullable=False),
        Column("password_hash", TEXT, nullable=False),
        Column("first_name", TEXT),
        Column("last_name", TEXT),
        Column("role", TEXT, nullable=False),
        Column("is_active", FLAG, nullable=False),
        Column("auth_version", COUNT, nullable=False),
        Column("created_at", INSTANT, nullable=False),
        Column("updated_at", INSTANT, nullable=False),
        Column("last_login_at", INSTANT),
        CheckConstraint("role IN ('user', 'moderator', 'admin')", name="role"),
        _index("uq_users_email", "email", unique=True),
        schema=auth,
        sqlite_strict=True,
    )
    Table(
        "refresh_tokens",
        metadata,
        Column("hash", BYTES, primary_key=True),
        Column("family", ID, nullable=False),
        Column("user_id", ID, ForeignKey(user_id), nullable=False),
        Column("auth_version", COUNT, nullable=False),
        Column("created_at", INSTANT, nullable=False),
        Column("expires_at", INSTANT, nullable=False),
        Column("used_at", INSTANT),
        Column("revoked_at", INSTANT),
        Column("child_seed", BYTES),
        _index("ix_refresh_tokens_family", "family"),
        _index("ix_refresh_tokens_user_id", "user_id"),
        _index("ix_refresh_tokens_expires_at", "expires_at"),
        schema=auth,
        sqlite_strict=True,
    )
    Table(
        "oauth_clients",
        metadata,
        Column("id", ID, primary_key=True),
        Column("name", TEXT, nullable=False),
        Column("secret_hash", BYTES, nullable=False),
        Column("scopes", TEXT, nullable=False),
        Column("created_by", TEXT, nullable=False),
        Column("created_at", INSTANT, nullable=False),
        Column("updated_at", INSTANT, nullable=False),
        Column("expires_at", INSTANT),
        Column("auth_version", COUNT, nullable=False),
        _index("ix_oauth_clients_created_at", "created_at", "id"),
        schema=auth,
        sqlite_strict=True,
    )
    Table(
        "revocations",
        metadata,
        Column("id", ID, primary_key=True),
        Column("subject", TEXT, nullable=False),
        Column("expires_at", INSTANT, nullable=False),
        _index("ix_revocations_subject", "subject"),
        _index("ix_revocations_expires_at", "expires_at"),
        schema=auth,
        sqlite_strict=True,
    )
    Table(
        "throttle_counters",
        metadata,
        Column("key", BYTES, primary_key=True),
        Column("count", COUNT, nullable=False),
        Column("expires_at", INSTANT, nullable=False),
        _index("ix_throttle_counters_expires_at", "expires_at"),
        schema=auth,
        sqlite_strict=True,
    )
    Table(
        "kept_answers",
        metadata,
        Column("id", BYTES, primary_key=True),
        Column("fingerprint", BYTES, nullable=False),
        Column("answer", BYTES, nullable=False),
        Column("created_at", INSTANT, nullable=False),
        Column("expires_at", INSTANT, nullable=False),
        _index("ix_kept_answers_expires_at", "expires_at"),
        schema=auth,
        sqlite_strict=True,
    )
    Table(
        "entities",
        metadata,
        Column("id", ID, primary_key=True),
        Column("type", TEXT, nullable=False),
        Column("name", TEXT, nullable=False),
        Column("aliases", JSON, nullable=False),
        Column("key", TEXT),
        *_record_columns(),
        Column("sort_name", TEXT, nullable=False),
        CheckConstraint("confidence BETWEEN 0 AND 1", name="confidence"),
        _index("uq_entities_key", "key", where="deleted_at IS NULL AND key IS NOT NULL", unique=True),
        _index("ix_entities_deleted_key", "key", where="deleted_at IS NOT NULL AND key IS NOT NULL"),
        _index("ix_entities_created_at", "created_at", "id"),
        _index("ix_entities_updated_at", "updated_at", "id"),
        _index("ix_entities_sort_name", "sort_name", "id"),
        _index("ix_entities_type", "type", "created_at", "id"),
        _index("ix_entities_deleted_at", "deleted_at", where="deleted_at IS NOT NULL"),
        schema=graph,
        sqlite_strict=True,
    )
    Table(
        "entity_relationships",
        metadata,
        Column("id", ID, primary_key=True),
        Column("source_entity_id", ID, ForeignKey(entity_id), nullable=False),
        Column("relationship_type", TEXT, nullable=False),
        Column("target_entity_id", ID, ForeignKey(entity_id), nullable=False),
        *_record_columns(),
        Column("deleted_with", ID),
        CheckConstraint("confidence BETWEEN 0 AND 1", name="confidence"),
        CheckConstraint("source_entity_id <> target_entity_id", name="self"),
        _index(
            "uq_entity_relationships_triple",
            "source_entity_id",
            "relationship_type",
            "target_entity_id",
            where="deleted_at IS NULL",
            unique=True,
        ),
        _index(
            "ix_entity_relationships_target",
            "target_entity_id",
            "relationship_type",
            "source_entity_id",
            where="deleted_at IS NULL",
        ),
        _index(
            "ix_entity_relationships_deleted_source",
            "source_entity_id",
            "relationship_type",
            "target_entity_id",
            where="deleted_at IS NOT NULL",
        ),
        _index("ix_entity_relationships_deleted_at", "deleted_at", where="deleted_at IS NOT NULL"),
        _index("ix_entity_relationships_deleted_target", "target_entity_id", where="deleted_at IS NOT NULL"),
        _index("ix_entity_relationships_of_source", "source_entity_id", "created_at", "id"),
        _index("ix_entity_relationships_of_target", "target_entity_id", "created_at", "id"),
        _index("ix_entity_relationships_created_at", "created_at", "id"),
        _index("ix_entity_relationships_updated_at", "updated_at", "id"),
        _index("ix_entity_relationships_type", "relationship_type", "created_at", "id"),
        schema=graph,
        sqlite_strict=True,
    )
    Table(
        "changes",
        metadata,
        Column("sequence", SEQUENCE, Identity(), primary_key=True),
        Column("at", INSTANT, nullable=False),
        Column("actor", TEXT, nullable=False),
        Column("action", TEXT, nullable=False),
        Column("subject", TEXT, nullable=False),
        Column("subject_id", ID, nullable=False),
        Column("record", JSON, nullable=False),
        schema=graph,
        sqlite_strict=True,
    )
    return metadata


metadata: Final = _tables(AUTH, ENTITIES)
sqlite_metadata: Final = _tables(None, None)
"""The same for SQLite, which knows no schemas. SQLAlchemy's ``schema_translate_map`` would spare the second set, but
rewrites each statement whenever it runs."""

users: Final = metadata.tables[f"{AUTH}.users"]
refresh_tokens: Final = metadata.tables[f"{AUTH}.refresh_tokens"]
clients: Final = metadata.tables[f"{AUTH}.oauth_clients"]
revocations: Final = metadata.tables[f"{AUTH}.revocations"]
counters: Final = metadata.tables[f"{AUTH}.throttle_counters"]
answers: Final = metadata.tables[f"{AUTH}.kept_answers"]
entities: Final = metadata.tables[f"{ENTITIES}.entities"]
relationships: Final = metadata.tables[f"{ENTITIES}.entity_relationships"]
changes: Final = metadata.tables[f"{ENTITIES}.changes"]


def table_for(table: Table, *, is_sqlite: bool) -> Table:
    """``table`` as this kind of database has it."""
    return sqlite_metadata.tables[table.name] if is_sqlite else table
