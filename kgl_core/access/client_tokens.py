"""What service clients do with tokens: get access tokens, revoke them, and ask what they say."""

from __future__ import annotations

import attrs

from kgl_core.access.counting_attempts import AttemptCounter
from kgl_core.access.logging_in import Auth
from kgl_core.access.oauth_clients import Client
from kgl_core.access.oauth_errors import InvalidClient, InvalidGrant
from kgl_core.access.throttling import client_failures
from kgl_core.access.tokens import OWN_CLIENT_ID, AccessClaims, IssuedAccess, TokenLifetimes, TokenSigner, hash_opaque
from kgl_core.kernel.errors import InvalidToken
from kgl_core.kernel.ids import parse_id
from kgl_core.kernel.permissions import scope_text
from kgl_core.kernel.units_of_work import SWEPT_MAX, Context, transaction


class OAuth:
    """The use cases of service clients (RFC 6749, RFC 7009, RFC 7662); shared by threads.

    Every method raises StoreError when the store is in trouble.
    """

    def __init__(self, context: Context, auth: Auth, signer: TokenSigner, lifetimes: TokenLifetimes) -> None:
        self._context, self._auth, self._signer, self._lifetimes = context, auth, signer, lifetimes
        self._attempts = AttemptCounter(context)

    def authenticate(self, client_id: str, secret: str, address: str | None) -> Client:
        """The client with this id, if ``secret`` is right. ``address`` is the caller's IP address, None if unknown.

        Raises InvalidClient, or TooManyAttempts after too many failures; the right secret is never refused.
        """
        id = parse_id(client_id)
        client = None
        if id is not None:
            with self._context.store.read() as uow:
                client = uow.clients.get(id)
        if client is not None and client.has_secret(secret) and client.is_in_force(self._context.now()):
            return client
        self._attempts.count(client_failures(id, address))
        raise InvalidClient

    def issue(self, client: Client, scope: str | None) -> IssuedAccess:
        """An access token for the scopes in ``scope``, or for all that the client has. Raises InvalidScope.

        It expires no later than the client.
        """
        scopes = client.granted(scope)
        issued_at = self._context.now().replace(microsecond=0)
        expires_at = issued_at + self._lifetimes.access
        if client.expires_at is not None:
            expires_at = min(expires_at, client.expires_at.replace(microsecond=0))
        claims = AccessClaims(
            subject=attrs.evolve(client.actor, scopes=scopes),
            auth_version=client.auth_version,
            id=self._context.new_id(),
            issued_at=issued_at,
            expires_at=expires_at,
            client_id=str(client.id),
        )
        return IssuedAccess(
            access_token=self._signer.sign(claims),
            expires_in=int((expires_at - issued_at).total_seconds()),
            scope=scope_text(scopes),
        )

    def revoke(self, client_id: str, token: str) -> None:
        """Revoke a token that was issued to this client (RFC 7009); a refresh token is revoked with its family.

        A token that is unknown or has ended is no error (section 2.2). Raises InvalidGrant for another client's token.
        """
        try:
            claims = self._signer.verify(token, self._context.now())
        except InvalidToken:
            self._revoke_refresh_token(client_id, token)
            return
        if claims.client_id != client_id:
            raise InvalidGrant
        self._revoke_access_token(claims)

    def introspect(self, token: str) -> AccessClaims | None:
        """The claims of an access token that is in force now (RFC 7662); None for anything else."""
        try:
            claims = self._signer.verify(token, self._context.now())
        except InvalidToken:
            return None
        standing = self._auth.standing(claims.subject)
        bearer = None if standing is None else standing.bearer(claims)
        return None if bearer is None else attrs.evolve(claims, subject=bearer)

    @transaction
    def _revoke_access_token(self, claims: AccessClaims) -> None:
        with self._context.store.begin() as uow:
            uow.revocations.add(claims.id, claims.subject, claims.expires_at)
            uow.revocations.delete_expired(self._context.now(), SWEPT_MAX)
            uow.commit()

    def _revoke_refresh_token(self, client_id: str, token: str) -> None:
        with self._context.store.read() as uow:
            known = uow.refresh_tokens.get(hash_opaque(token))
        if known is None:
            return
        if client_id != OWN_CLIENT_ID:  # the only one that refresh tokens are issued to
            raise InvalidGrant
        self._auth.log_out(token)
