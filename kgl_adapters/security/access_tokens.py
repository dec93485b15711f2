"""Access tokens as JSON Web Tokens (RFC 9068), signed and verified as RFC 8725 advises."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache, partial
from typing import Any, Final, TypeVar

from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey
from joserfc.util import urlsafe_b64decode

from kgl_adapters.security.signing_keys import (
    InvalidKeys,
    KeyRing,
    SigningKey,
    json_object,
    printable_text,
    secret_key_ring,
)
from kgl_core.access.tokens import TOKEN_LENGTH_MAX, AccessClaims
from kgl_core.kernel.errors import InvalidToken
from kgl_core.kernel.ids import parse_id
from kgl_core.kernel.permissions import Actor, ActorKind, Role, Scope

CLOCK_SKEW: Final = timedelta(seconds=60)
"""How far in the future another module's clock may have issued a token. Nothing is added to when one expires."""
CLIENT_ID_LENGTH_MAX: Final = 255

_COMPACT: Final = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)")  # RFC 7515, section 7.1
_TYPES: Final = ("at+jwt", "application/at+jwt")  # RFC 9068, section 4
_HEADER: Final = {"alg", "kid", "typ"}
_ROLES: Final = {role.value: role for role in Role}
_SCOPES: Final = {scope.value: scope for scope in Scope}
_SECOND_MAX: Final = 253_402_300_799  # the last that a datetime can hold
_PAYLOADS_MAX: Final = 4096
_INTEGER_MAX: Final = 2**63 - 1
_WRONG_KIND: Final = "it is not an access token"

SignatureCheck = Callable[[bytes, bytes], bool]
"""Whether a message, given first, has this signature. It may raise what joserfc does, and ValueError."""
T = TypeVar("T")


class JoseSigner:
    """A `kgl_core.access.tokens.TokenSigner` with keys of one algorithm. No token can choose another."""

    def __init__(self, keys: KeyRing, issuer: str, audience: str) -> None:
        self._keys, self._issuer, self._audience = keys, issuer, audience
        self._checks = {kid: _check_of(key, keys.alg) for kid, key in keys.verifying.items()}
        # All that one key signs begins with the same header; what is refused is not kept.
        self._check_for = lru_cache(maxsize=16)(self._find_check)
        # The same token comes with many requests: its signature is checked each time, what it says is read once.
        self._claims_in = lru_cache(maxsize=_PAYLOADS_MAX)(self._read_claims)

    def sign(self, claims: AccessClaims) -> str:
        """The access token that says ``claims``, signed with the active key."""
        header = {"alg": self._keys.alg, "typ": _TYPES[0], "kid": self._keys.active}
        payload = {
            "iss": self._issuer,
            "aud": self._audience,
            "sub": claims.subject.id,
            **claims.granted,
            "auth_version": claims.auth_version,
            "client_id": claims.client_id,
            "iat": int(claims.issued_at.timestamp()),
            "exp": int(claims.expires_at.timestamp()),
            "jti": str(claims.id),
        }
        return jwt.encode(header, payload, self._keys.signing, [self._keys.alg])

    def verify(self, token: str, now: datetime) -> AccessClaims:
        """The claims of ``token``. Raises InvalidToken, and nothing else, if it is not ours or not valid at ``now``."""
        parts = _COMPACT.fullmatch(token) if type(token) is str and len(token) <= TOKEN_LENGTH_MAX else None
        if parts is None:
            raise InvalidToken(_WRONG_KIND)
        header, payload, signature = parts.groups()
        check = self._check_for(header)
        # joserfc's own reading of a token would take the header apart once more, at every request.
        signed = token.rpartition(".")[0].encode()
        try:
            is_right = check(signed, urlsafe_b64decode(signature.encode()))
        except (JoseError, ValueError):
            is_right = False
        if not is_right:
            raise InvalidToken("its signature is wrong")
        claims, valid_from = self._claims_in(payload)
        if claims.expires_at <= now:
            raise InvalidToken("it has expired")
        if valid_from > now + CLOCK_SKEW:
            raise InvalidToken("it is not valid yet")
        return claims

    def jwks(self) -> dict[str, Any]:
        """The public keys as a JWK Set (RFC 7517, section 5), the active one first; none under HS256."""
        keys = self._keys.verifying.values()
        return {"keys": [key.as_dict(private=False) for key in keys if not isinstance(key, OctKey)]}

    def _find_check(self, encoded_header: str) -> SignatureCheck:
        """The check of signatures under this header, by one of our keys. Raises InvalidToken."""
        try:
            header = json_object(urlsafe_b64decode(encoded_header.encode())) or {}
        except ValueError:
            raise InvalidToken(_WRONG_KIND) from None
        kind, kid = header.get("typ"), header.get("kid")
        if type(kind) is not str or kind.lower() not in _TYPES:
            raise InvalidToken(_WRONG_KIND)
        if header.get("alg") != self._keys.alg:
            raise InvalidToken("it is signed with another algorithm")
        # What is not there cannot be misread: crit, b64, jku, jwk, x5u and their like.
        if not header.keys() <= _HEADER:
            raise InvalidToken("its header holds more than alg, kid and typ")
        check = self._checks.get(kid) if type(kid) is str else None
        if check is None:
            raise InvalidToken("its key is not known here")
        return check

    def _read_claims(self, encoded_payload: str) -> tuple[AccessClaims, datetime]:
        """The claims of a token whose signature is right, and since when it is valid. Raises InvalidToken."""
        try:
            payload = json_object(urlsafe_b64decode(encoded_payload.encode())) or {}
        except ValueError:
            raise InvalidToken("its signature is wrong") from None
        if payload.get("iss") != self._issuer:
            raise InvalidToken("another issuer made it")
        audience = payload.get("aud")
        if audience != self._audience and not (type(audience) is list and self._audience in audience):
            raise InvalidToken("it is for another audience")
        expires_at = _required("exp", _instant(payload.get("exp")))
        issued_at = _required("iat", _instant(payload.get("iat")))
        valid_from = _required("nbf", _instant(payload["nbf"])) if "nbf" in payload else issued_at
        claims = AccessClaims(
            subject=_subject(payload),
            auth_version=_required("auth_version", _version(payload.get("auth_version"))),
            id=_required("jti", parse_id(payload.get("jti"))),
            issued_at=issued_at,
            expires_at=expires_at,
            client_id=_required("client_id", printable_text(payload.get("client_id"), CLIENT_ID_LENGTH_MAX)),
        )
        return claims, max(issued_at, valid_from)


def make_signer(alg: str, *, secret: str | None, keys: KeyRing | None, issuer: str, audience: str) -> JoseSigner:
    """The signer for ``alg``: HS256, with ``secret``, or ES256 or Ed25519, with ``keys`` from `read_keys`.

    Raises InvalidKeys if the keys or the secret are missing or for another algorithm, or if the secret has less than
    SECRET_BYTES_MIN bytes.
    """
    if alg == "HS256":
        keys = secret_key_ring(secret or "")
    if keys is None or keys.alg != alg:
        raise InvalidKeys(
            "JWT_KEYS", f"it holds no keys for {alg}", "read the keys for the algorithm that JWT_ALG names"
        )
    return JoseSigner(keys, issuer, audience)


def _check_of(key: SigningKey, alg: str) -> SignatureCheck:
    """The check of signatures by this key. Raises InvalidKeyTypeError if the key is for another algorithm."""
    algorithm = jws.JWSRegistry(algorithms=[alg]).get_alg(alg)
    algorithm.check_key(key)
    if not isinstance(key, OctKey):
        return partial(_verified, algorithm, key)
    # OpenSSL takes longer to set an HMAC up than to compute one: this is set up once, and copied.
    keyed = hmac.new(key.get_op_key("verify"), digestmod=hashlib.sha256)

    def is_right(message: bytes, signature: bytes) -> bool:
        computed = keyed.copy()
        computed.update(message)
        return hmac.compare_digest(computed.digest(), signature)

    return is_right


def _verified(algorithm: Any, key: SigningKey, message: bytes, signature: bytes) -> bool:
    return bool(algorithm.verify(message, signature, key))


def _required(claim: str, value: T | None) -> T:
    if value is None:
        raise InvalidToken(f"its {claim} is missing or malformed")
    return value


def _instant(value: object) -> datetime | None:
    """A NumericDate (RFC 7519, section 2), in whole seconds as kgl writes them."""
    return datetime.fromtimestamp(value, UTC) if type(value) is int and 0 <= value <= _SECOND_MAX else None


def _subject(payload: Mapping[str, Any]) -> Actor:
    """Whom a token is about: a person has a role; a service has scopes, and is its own client."""
    id = str(_required("sub", parse_id(payload.get("sub"))))
    if "role" in payload:
        if "scope" in payload:
            raise InvalidToken("it has both a role and a scope")
        return Actor(ActorKind.USER, id, _required("role", _role(payload["role"])))
    scopes = _required("role or scope", _scopes(payload.get("scope")))
    if payload.get("client_id") != id:
        raise InvalidToken("its sub is not its client_id")
    return Actor(ActorKind.SERVICE, id, scopes=scopes)


def _role(value: object) -> Role | None:
    return _ROLES.get(value) if type(value) is str else None


def _scopes(value: object) -> frozenset[Scope] | None:
    names = value.split(" ") if type(value) is str else [""]
    return frozenset(_SCOPES[name] for name in names) if _SCOPES.keys() >= set(names) else None


def _version(value: object) -> int | None:
    return value if type(value) is int and 1 <= value <= _INTEGER_MAX else None
