"""The tables of accounts, service clients and their tokens."""

from __future__ import annotations

from typing import Final

from sqlalchemy import CheckConstraint, Column, ForeignKey

from kgl_adapters.sql.engine.driver_errors import note_unique
from kgl_adapters.sql.kernel.tables import AUTH, define, define_noun, index
from kgl_adapters.sql.types import BYTES, COUNT, ID, INSTANT, TEXT
from kgl_core.access.oauth_clients import CLIENT
from kgl_core.access.users import USER

USERS: Final = define_noun(
    USER,
    "users",
    AUTH,
    lambda: [
        CheckConstraint("role IN ('user', 'moderator', 'admin')", name="role"),
        index("uq_users_email", "email", unique=True),
    ],
)
CLIENTS: Final = define_noun(
    CLIENT,
    "oauth_clients",
    AUTH,
    lambda: [
        index("ix_oauth_clients_created_at", "created_at", "id"),
    ],
)
REFRESH_TOKENS: Final = define(
    "refresh_tokens",
    AUTH,
    lambda is_sqlite: [
        Column("hash", BYTES, primary_key=True),
        Column("family", ID, nullable=False),
        Column("user_id", ID, ForeignKey(USERS[is_sqlite].c.id), nullable=False),
        Column("auth_version", COUNT, nullable=False),
        Column("created_at", INSTANT, nullable=False),
        Column("expires_at", INSTANT, nullable=False),
        Column("used_at", INSTANT),
        Column("revoked_at", INSTANT),
        Column("child_seed", BYTES),
        index("ix_refresh_tokens_family", "family"),
        index("ix_refresh_tokens_user_id", "user_id"),
        index("ix_refresh_tokens_expires_at", "expires_at"),
    ],
)
note_unique("pk_refresh_tokens", "refresh_tokens.hash", "refresh token", "hash")
REVOCATIONS: Final = define(
    "revocations",
    AUTH,
    lambda is_sqlite: [
        Column("id", ID, primary_key=True),
        Column("subject", TEXT, nullable=False),
        Column("expires_at", INSTANT, nullable=False),
        index("ix_revocations_subject", "subject"),
        index("ix_revocations_expires_at", "expires_at"),
    ],
)
COUNTERS: Final = define(
    "throttle_counters",
    AUTH,
    lambda is_sqlite: [
        Column("key", BYTES, primary_key=True),
        Column("count", COUNT, nullable=False),
        Column("expires_at", INSTANT, nullable=False),
        index("ix_throttle_counters_expires_at", "expires_at"),
    ],
)
