"""Converts rows to users, OAuth clients and refresh tokens, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from kgl_adapters.sql.encoding import Encoding, reads
from kgl_core.access.oauth_clients import Client
from kgl_core.access.tokens import RefreshToken
from kgl_core.access.users import User
from kgl_core.kernel.ids import ClientId, UserId
from kgl_core.kernel.permissions import Actor, Role, in_order, scope_text

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


class AccessRows(Encoding):
    """The rows of accounts, clients and their tokens in one kind of database."""

    @reads("users")
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

    @reads("oauth_clients")
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

    @reads("refresh_tokens")
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


ACCESS_ROWS: Final[Mapping[bool, AccessRows]] = {
    is_sqlite: AccessRows(is_sqlite=is_sqlite) for is_sqlite in (False, True)
}
"""By whether the database is SQLite."""
