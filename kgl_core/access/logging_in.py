"""Logging in: get tokens for a password, renew them, log out, change the password."""

from __future__ import annotations

from datetime import datetime
from typing import Final, Unpack
from uuid import UUID

import attrs

from kgl_core.access.counting_attempts import AttemptCounter
from kgl_core.access.passwords import NEW_PASSWORD, PASSWORD, Passwords, Secret
from kgl_core.access.registering import Registering, RegistrationFields, RegistrationRules
from kgl_core.access.throttling import Attempt, login_attempts, settle
from kgl_core.access.tokens import (
    OPAQUE_BYTES,
    REFRESH_TEXT_LENGTH_MAX,
    AccessClaims,
    IssuedTokens,
    RefreshToken,
    Standing,
    TokenLifetimes,
    TokenSigner,
    derive_child,
    hash_opaque,
    new_opaque,
)
from kgl_core.access.users import EMAIL, User
from kgl_core.kernel.checked_records import check, ruled
from kgl_core.kernel.errors import Fault, InvalidCredentials, InvalidInput, InvalidToken, PermissionDenied
from kgl_core.kernel.ids import Random, parse_id, require_id
from kgl_core.kernel.permissions import Actor, ActorKind
from kgl_core.kernel.units_of_work import SWEPT_MAX, Context, UnitOfWork, transaction

LOGIN_EMAIL: Final = attrs.evolve(EMAIL, pattern=None, advice="")
"""Normalized like an account's email, but any text will do: what can't be an email belongs to no account, and gets the
same answer as a wrong password."""
_UNUSABLE: Final = "it is unknown, expired or was used before"


@attrs.frozen(kw_only=True)
class Login:
    """An account's email and what should be its password."""

    email: str = ruled(LOGIN_EMAIL)
    password: str = ruled(PASSWORD, is_secret=True)

    def __attrs_post_init__(self) -> None:
        check(self)


@attrs.frozen(kw_only=True)
class PasswordChange:
    """What should be one's password, and what shall be it."""

    current_password: str = ruled(PASSWORD, is_secret=True)
    new_password: str = ruled(NEW_PASSWORD, is_secret=True)

    def __attrs_post_init__(self) -> None:
        check(self)


@attrs.frozen(kw_only=True)
class RefreshRequest:
    """A refresh token, to be exchanged for new tokens or revoked."""

    refresh_token: str = ruled(Secret(REFRESH_TEXT_LENGTH_MAX), is_secret=True)

    def __attrs_post_init__(self) -> None:
        check(self)


class Auth:
    """The use cases of people who prove who they are; shared by threads.

    Every method raises InvalidInput for malformed arguments, before any other work, and StoreError when the store is in
    trouble. Those that check a password also raise TooManyAttempts, and Overloaded when the hasher does. No connection
    is held while a password is hashed. ``address`` is the caller's IP address as text, None if unknown.
    """

    def __init__(
        self,
        context: Context,
        passwords: Passwords,
        signer: TokenSigner,
        random: Random,
        lifetimes: TokenLifetimes,
        registration: RegistrationRules,
    ) -> None:
        self._context, self._passwords, self._signer, self._random = context, passwords, signer, random
        self._lifetimes, self._attempts = lifetimes, AttemptCounter(context)
        self._registering = Registering(context, passwords, registration)
        # Made now: if the first login with an unknown email had to make it, it would take longer and so give that away.
        self._nobodys_hash = passwords.hasher.hash(random(32).hex())

    def register(self, address: str | None, /, **fields: Unpack[RegistrationFields]) -> User:
        """A new account; see `Registering.register`."""
        return self._registering.register(address, **fields)

    def log_in(self, *, email: str, password: str, address: str | None) -> IssuedTokens:
        """Tokens for an email and its password. Raises InvalidCredentials, after the same work whatever is wrong."""
        login = Login(email=email, password=password)
        attempts = login_attempts(login.email, address)
        with self._attempts.counted(attempts):
            with self._context.store.read() as uow:
                found = uow.users.get_by(login.email)
            return self._start_family(self._prove(found, login.password), attempts)

    @transaction
    def refresh(self, refresh_token: str) -> IssuedTokens:
        """Exchange a refresh token for new tokens of the same family. It is used up by this.

        Within REFRESH_GRACE, it gives the same new refresh token once more, unless that was used already. Raises
        InvalidToken when it is not in force; if it was used or revoked before, its whole family is revoked.
        """
        text = RefreshRequest(refresh_token=refresh_token).refresh_token
        hash = hash_opaque(text)
        with self._context.store.read() as uow:
            known = uow.refresh_tokens.get(hash)
        if known is None:
            raise InvalidToken(_UNUSABLE)
        with self._context.store.begin() as uow:
            user = uow.users.get(known.user_id, lock="update")
            token = uow.refresh_tokens.get(hash)  # again, because from now on nobody else can change it
            now = self._context.now()
            if user is None or token is None:
                raise InvalidToken(_UNUSABLE)
            if token.is_ended:
                child_text = token.child_of(text, now)
                child = None if child_text is None else uow.refresh_tokens.get(hash_opaque(child_text))
                is_retry = child is not None and user.is_active and child.is_in_force(now, user.auth_version)
                if child_text is not None and is_retry:
                    return self._tokens(user, child_text, now)
                uow.refresh_tokens.revoke_family(token.family, now)
                uow.commit()
                raise InvalidToken(_UNUSABLE)
            if not user.is_active or not token.is_in_force(now, user.auth_version):
                raise InvalidToken(_UNUSABLE)
            seed = self._random(OPAQUE_BYTES)
            uow.refresh_tokens.mark_used(hash, now, seed)
            tokens = self._issue(uow, user, token.family, derive_child(text, seed))
            uow.commit()
        return tokens

    @transaction
    def log_out(self, refresh_token: str) -> None:
        """Revoke the token's whole family. An unknown token is no error (RFC 7009, section 2.2)."""
        hash = hash_opaque(RefreshRequest(refresh_token=refresh_token).refresh_token)
        with self._context.store.read() as uow:
            known = uow.refresh_tokens.get(hash)
        if known is None:
            return
        with self._context.store.begin() as uow:
            uow.users.get(known.user_id, lock="update")  # so that the family can't grow meanwhile
            uow.refresh_tokens.revoke_family(known.family, self._context.now())
            uow.commit()

    def change_password(self, actor: Actor, *, current_password: str, new_password: str, address: str | None) -> User:
        """Change the actor's password, which ends every token that was issued before.

        It counts as a login. Raises InvalidInput when the current password is wrong, and PermissionDenied when the
        actor is not a user.
        """
        change = PasswordChange(current_password=current_password, new_password=new_password)
        user = self._account_of(actor)
        self._passwords.check(change.new_password, user.email, "/new_password")
        attempts = login_attempts(user.email, address)
        with self._attempts.counted(attempts):
            try:
                proved = self._prove(user, change.current_password)
            except InvalidCredentials:
                # The caller is logged in; only a field of the request is wrong.
                fault = Fault("/current_password", "wrong_password", "give the password that you log in with now")
                raise InvalidInput([fault]) from None
            return self._replace_password(proved, self._passwords.hasher.hash(change.new_password), attempts)

    def authenticate(self, access_token: str) -> AccessClaims:
        """The claims of an access token, checked without the store. Raises InvalidToken."""
        return self._signer.verify(access_token, self._context.now())

    def account(self, id: UUID | str) -> User | None:
        """The account with this id, even if it is disabled; None when there is none."""
        wanted = require_id(id)
        with self._context.store.read() as uow:
            return uow.users.get(wanted)

    def standing(self, subject: Actor) -> Standing | None:
        """What is true now of the user or service of a token; None when it no longer exists."""
        id = parse_id(subject.id)
        if id is None:
            return None
        with self._context.store.read() as uow:
            found = uow.users.get(id) if subject.kind is ActorKind.USER else uow.clients.get(id)
        if found is None:
            return None
        is_active = found.is_active if isinstance(found, User) else found.is_in_force(self._context.now())
        with self._context.store.read() as uow:
            revoked = uow.revocations.of(subject)
        return Standing(found.actor, found.auth_version, is_active, revoked)

    def _account_of(self, actor: Actor) -> User:
        id = parse_id(actor.id) if actor.kind is ActorKind.USER else None
        user = None if id is None else self.account(id)
        if user is None:
            raise PermissionDenied(actor, "change a password", "only an account has one; log in with it")
        return user

    @transaction
    def _start_family(self, proved: User, attempts: tuple[Attempt, ...]) -> IssuedTokens:
        with self._context.store.begin() as uow:
            user = attrs.evolve(_unchanged(uow, proved), last_login_at=self._context.now())
            uow.users.replace([user])
            settle(uow.counters, attempts)
            tokens = self._issue(uow, user, self._context.new_id(), new_opaque(self._random))
            uow.commit()
        return tokens

    @transaction
    def _replace_password(self, proved: User, password_hash: str, attempts: tuple[Attempt, ...]) -> User:
        with self._context.store.begin() as uow:
            current = _unchanged(uow, proved)
            changed = attrs.evolve(
                current,
                password_hash=password_hash,
                auth_version=current.auth_version + 1,
                updated_at=self._context.now(),
            )
            uow.users.replace([changed])
            settle(uow.counters, attempts)
            uow.commit()
        return changed

    def _prove(self, user: User | None, password: str) -> User:
        """The user, if it is enabled and this is its password. Raises InvalidCredentials, after the same work."""
        is_right = self._passwords.hasher.verify(self._nobodys_hash if user is None else user.password_hash, password)
        if user is None or not is_right or not user.is_active:
            raise InvalidCredentials
        return user

    def _issue(self, uow: UnitOfWork, user: User, family: UUID, text: str) -> IssuedTokens:
        """New tokens for a locked user; ``text`` is the refresh token. Deletes some expired tokens."""
        now = self._context.now()
        uow.refresh_tokens.add(
            RefreshToken(
                hash=hash_opaque(text),
                family=family,
                user_id=user.id,
                auth_version=user.auth_version,
                created_at=now,
                expires_at=now + self._lifetimes.refresh,
            )
        )
        uow.refresh_tokens.delete_expired(now, SWEPT_MAX)
        return self._tokens(user, text, now)

    def _tokens(self, user: User, refresh_text: str, now: datetime) -> IssuedTokens:
        """A new access token, together with a refresh token that is stored."""
        return IssuedTokens(
            access_token=self._signer.sign(self._claims(user, now)),
            refresh_token=refresh_text,
            expires_in=int(self._lifetimes.access.total_seconds()),
        )

    def _claims(self, user: User, now: datetime) -> AccessClaims:
        issued_at = now.replace(microsecond=0)
        return AccessClaims(
            subject=user.actor,
            auth_version=user.auth_version,
            id=self._context.new_id(),
            issued_at=issued_at,
            expires_at=issued_at + self._lifetimes.access,
        )


def _unchanged(uow: UnitOfWork, proved: User) -> User:
    """The user, locked. Raises InvalidCredentials if it was disabled or got another password meanwhile."""
    user = uow.users.get(proved.id, lock="update")
    if user is None or not user.is_active or user.password_hash != proved.password_hash:
        raise InvalidCredentials
    return user
