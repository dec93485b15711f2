"""Access tokens as JSON Web Tokens (RFC 9068), made and checked as RFC 8725 advises, and the keys they are signed with.

This is the only module that knows a JOSE library.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Final, TypeVar

import attrs
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OctKey, OKPKey
from joserfc.util import urlsafe_b64decode

from kgl_core.access.tokens import TOKEN_LENGTH_MAX, AccessClaims
from kgl_core.kernel.errors import InvalidInput, InvalidToken, KglError
from kgl_core.kernel.ids import parse_id
from kgl_core.kernel.permissions import Actor, ActorKind, Role, Scope
from kgl_core.kernel.strict_json import parse_json

CLOCK_SKEW: Final = timedelta(seconds=60)
"""How far in the future another module's clock may have issued a token. Nothing is added to when one expires."""
SECRET_BYTES_MIN: Final = 32  # RFC 7518, section 3.2: as many as the hash has
KID_LENGTH_MAX: Final = 100
CLIENT_ID_LENGTH_MAX: Final = 255
STATUSES: Final = ("active", "next", "retired")
_STATUSES_TEXT: Final = ", ".join(STATUSES)

_COMPACT: Final = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)")  # RFC 7515, section 7.1
_TYPES: Final = ("at+jwt", "application/at+jwt")  # RFC 9068, section 4
_HEADER: Final = {"alg", "kid", "typ"}
_ROLES: Final = {role.value: role for role in Role}
_SCOPES: Final = {scope.value: scope for scope in Scope}
_SECOND_MAX: Final = 253_402_300_799  # the last that a datetime can hold
_PAYLOADS_MAX: Final = 4096
_INTEGER_MAX: Final = 2**63 - 1
_WRONG_KIND: Final = "it is not an access token"
_HS256_ADVICE: Final = "set it to 32 random bytes or more, such as openssl rand -base64 48 prints"

SigningKey = OctKey | ECKey | OKPKey
Check = Callable[[bytes, bytes], bool]
"""Whether a message, given first, has this signature. It may raise what joserfc does, and ValueError."""
T = TypeVar("T")


@attrs.frozen
class _Algorithm:
    """What a key must be for an algorithm, and how one is made."""

    kind: type[ECKey | OKPKey]
    curve: str
    recipe: str


# Ed25519 has that name since RFC 9864; "EdDSA", which leaves the curve open, is deprecated by it.
_ALGORITHMS: Final[Mapping[str, _Algorithm]] = {
    "ES256": _Algorithm(ECKey, "P-256", "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256"),
    "Ed25519": _Algorithm(OKPKey, "Ed25519", "openssl genpkey -algorithm ed25519"),
}


class InvalidKeys(KglError):
    """Keys or a secret that cannot sign tokens. ``where`` names the file or setting; no key is ever quoted."""

    code = "invalid_keys"

    def __init__(self, where: str, reason: str, advice: str) -> None:
        self.where, self.reason = where, reason
        super().__init__(f"{where}: {reason}; {advice}")


@attrs.frozen(kw_only=True)
class KeyRing:
    """Keys of one algorithm: ``signing`` is the active one, ``verifying`` all whose tokens are taken, by their kid."""

    alg: str
    active: str
    signing: SigningKey = attrs.field(repr=False)
    verifying: Mapping[str, SigningKey] = attrs.field(repr=False)


class JoseSigner:
    """A `kgl_core.access.tokens.TokenSigner` with the keys of one algorithm, whatever algorithm a token asks for."""

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
        """What ``token`` says. Raises InvalidToken, and nothing else, when it is not ours or not valid at ``now``."""
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

    def _find_check(self, encoded_header: str) -> Check:
        """What checks the signature under this header, with a key that is known here and never taken from the token."""
        try:
            header = _object(urlsafe_b64decode(encoded_header.encode())) or {}
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
        """The claims of a token whose signature is right, and from when on it is valid."""
        try:
            payload = _object(urlsafe_b64decode(encoded_payload.encode())) or {}
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
            client_id=_required("client_id", _printable(payload.get("client_id"), CLIENT_ID_LENGTH_MAX)),
        )
        return claims, max(issued_at, valid_from)


def make_signer(alg: str, *, secret: str | None, keys: KeyRing | None, issuer: str, audience: str) -> JoseSigner:
    """The signer for ``alg``: HS256, with ``secret``, or ES256 or Ed25519, with ``keys`` from `read_keys`.

    Raises InvalidKeys when what that algorithm needs is missing, is for another one, or is a secret of less than
    SECRET_BYTES_MIN bytes.
    """
    if alg == "HS256":
        keys = _secret_ring(secret or "")
    if keys is None or keys.alg != alg:
        raise InvalidKeys(
            "JWT_KEYS", f"it holds no keys for {alg}", "read the keys for the algorithm that JWT_ALG names"
        )
    return JoseSigner(keys, issuer, audience)


def read_keys(path: str, alg: str) -> KeyRing:
    """The keys for ``alg`` (ES256 or Ed25519) at ``path``, exactly one of them active.

    A folder holds a private key a file, as PEM or JWK, whose name begins with its status: active, next or retired;
    names that begin with a dot are passed over. A file is a JWK Set (RFC 7517, section 5) of private keys with a
    ``status`` each, which a single one may leave out. A key is known by its own ``kid``, else by its thumbprint
    (RFC 7638). Raises InvalidKeys, which names the file, what is wrong with it and what to do.
    """
    if alg not in _ALGORITHMS:
        raise InvalidKeys(
            "JWT_ALG", f"{alg} takes no keys", f"set it to {' or '.join(_ALGORITHMS)}, or leave JWT_KEYS out"
        )
    places: dict[str, str] = {}
    signing: dict[str, SigningKey] = {}
    by_status: dict[str, dict[str, SigningKey]] = {status: {} for status in STATUSES}
    for where, status, data in _sources(path):
        kid, private, public = _import(where, data, alg)
        if kid in places:
            raise InvalidKeys(where, f"it has the same kid as {places[kid]}", "keep one of them")
        places[kid] = where
        by_status[status][kid] = public
        if status == "active":
            signing[kid] = private
    if len(signing) != 1:
        raise InvalidKeys(
            path, f"it holds {len(signing)} active keys", "make exactly one active, the others next or retired"
        )
    [(active, key)] = signing.items()
    verifying = {kid: public for keys in by_status.values() for kid, public in keys.items()}
    return KeyRing(alg=alg, active=active, signing=key, verifying=verifying)


def _check_of(key: SigningKey, alg: str) -> Check:
    """What checks signatures by this key. Raises InvalidKeyTypeError where the key is for another algorithm."""
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


def _object(data: bytes) -> dict[str, Any] | None:
    """The JSON object in ``data``; None when that is something else."""
    try:
        found = parse_json(data, "it")
    except InvalidInput:
        return None
    return found if type(found) is dict else None


def _required(claim: str, value: T | None) -> T:
    if value is None:
        raise InvalidToken(f"its {claim} is missing or malformed")
    return value


def _instant(value: object) -> datetime | None:
    """A NumericDate (RFC 7519, section 2), in whole seconds as kgl writes them."""
    return datetime.fromtimestamp(value, UTC) if type(value) is int and 0 <= value <= _SECOND_MAX else None


def _subject(payload: Mapping[str, Any]) -> Actor:
    """Whom a token is about. Who has a role is a person; a service has scopes, and asked for the token itself."""
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


def _printable(value: object, length_max: int) -> str | None:
    return value if type(value) is str and 1 <= len(value) <= length_max and value.isprintable() else None


def _secret_ring(secret: str) -> KeyRing:
    """What HS256 signs and verifies with: the bytes of ``secret``, as they stood in the environment."""
    try:
        data = secret.encode(errors="surrogateescape")
        if len(data) < SECRET_BYTES_MIN:  # joserfc would warn, and of much shorter ones only
            raise InvalidKeys("JWT_SECRET", f"it has less than {SECRET_BYTES_MIN} bytes", _HS256_ADVICE)
        key = OctKey.import_key(data)
    except ValueError:
        raise InvalidKeys("JWT_SECRET", "it is a public key, or not UTF-8", _HS256_ADVICE) from None
    return KeyRing(alg="HS256", active="secret", signing=key, verifying={"secret": key})


def _sources(path: str) -> Iterator[tuple[str, str, bytes | dict[str, Any]]]:
    """Where each key stands, its status, and itself: PEM as bytes, JWK as an object."""
    try:
        names = sorted(os.listdir(path))
    except NotADirectoryError:
        yield from _sources_in_set(path)
        return
    except OSError as error:
        raise _unreadable(path, error) from error
    for name in names:
        where = str(Path(path, name))
        if name.startswith("."):  # such as the links beside a mounted Kubernetes secret
            continue
        status = next((status for status in STATUSES if name.startswith(status)), None)
        if status is None:
            raise InvalidKeys(where, f"its name begins with none of {_STATUSES_TEXT}", "rename it, or move it away")
        data = _read(where)
        yield where, status, _object(data) or data


def _sources_in_set(path: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    keys = (_object(_read(path)) or {}).get("keys")
    if type(keys) is not list or not keys:
        raise InvalidKeys(path, "it is no JWK Set", 'give {"keys": [...]}, or name a folder of PEM or JWK files')
    for number, key in enumerate(keys, 1):
        where = f"{path}, key {number}"
        if type(key) is not dict:
            raise InvalidKeys(where, "it is not an object", "give a private key as JWK")
        status = key.get("status", STATUSES[0] if len(keys) == 1 else None)
        if status not in STATUSES:
            raise InvalidKeys(where, "its status is missing or unknown", f"set status to one of {_STATUSES_TEXT}")
        yield where, status, key


def _read(where: str) -> bytes:
    try:
        return Path(where).read_bytes()
    except OSError as error:
        raise _unreadable(where, error) from error


def _unreadable(where: str, error: OSError) -> InvalidKeys:
    return InvalidKeys(where, f"it cannot be read ({error.strerror})", "check JWT_KEYS, and who may read it")


def _import(where: str, data: bytes | dict[str, Any], alg: str) -> tuple[str, SigningKey, SigningKey]:
    """A key's kid, its private half, and its public half as a JWK Set shows it."""
    wanted = _ALGORITHMS[alg]
    jwk = data if isinstance(data, dict) else {}
    if not jwk and b"ENCRYPTED" in data:
        raise InvalidKeys(
            where, "it is encrypted", "store it without a passphrase: openssl pkey -in old.pem -out new.pem"
        )
    if "kid" in jwk and _printable(jwk["kid"], KID_LENGTH_MAX) is None:
        raise InvalidKeys(where, "its kid cannot be used", f"give up to {KID_LENGTH_MAX} printable characters, or none")
    try:
        key = wanted.kind.import_key(data)
        fits = key.curve_name == wanted.curve and jwk.get("kty", key.key_type) == key.key_type
    except Exception:  # of a dozen kinds, some with the key in them: joserfc's, cryptography's, Python's own
        fits = False
    if not fits:
        raise InvalidKeys(where, f"it is no {wanted.curve} key as PEM or JWK", f"make one for {alg}: {wanted.recipe}")
    if not key.is_private:
        raise InvalidKeys(where, "it is a public key", "put the private key there; kgl publishes the public one itself")
    try:
        key.check_use("sig")
        key.check_alg(alg)
        key.check_key_op("sign")
    except JoseError:
        advice = f"leave use, key_ops and alg out, or set use to sig and alg to {alg}"
        raise InvalidKeys(where, "its use, key_ops or alg are for something else", advice) from None
    # Through PEM, only the key itself remains of a JWK, and its public half is computed rather than believed.
    private = wanted.kind.import_key(key.as_pem(private=True))
    if any(jwk.get(name, value) != value for name, value in private.as_dict().items() if name in ("x", "y")):
        raise InvalidKeys(where, "its x or y is not that of its d", "export both from the same key again")
    kid = jwk.get("kid") or private.thumbprint()
    return kid, private, wanted.kind.import_key(key.as_pem(), {"kid": kid, "use": "sig", "alg": alg})
