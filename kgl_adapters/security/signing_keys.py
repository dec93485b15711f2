"""The keys that sign access tokens, read from a folder or a JWK Set, or made from a secret."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import attrs
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OctKey, OKPKey

from kgl_core.kernel.errors import InvalidInput, KglError
from kgl_core.kernel.strict_json import parse_json

SECRET_BYTES_MIN: Final = 32  # RFC 7518, section 3.2: as many as the hash has
KID_LENGTH_MAX: Final = 100
STATUSES: Final = ("active", "next", "retired")
_STATUSES_TEXT: Final = ", ".join(STATUSES)
_HS256_ADVICE: Final = "set it to 32 random bytes or more, such as openssl rand -base64 48 prints"

SigningKey = OctKey | ECKey | OKPKey


@attrs.frozen
class _Algorithm:
    """Which keys an algorithm takes, and the command that makes one."""

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
    """Keys of one algorithm: ``signing`` is the private key with the kid ``active``, ``verifying`` all keys by kid."""

    alg: str
    active: str
    signing: SigningKey = attrs.field(repr=False)
    verifying: Mapping[str, SigningKey] = attrs.field(repr=False)


def read_keys(path: str, alg: str) -> KeyRing:
    """The keys for ``alg`` (ES256 or Ed25519) at ``path``, exactly one of them active.

    A folder has one file for each private key, as PEM or JWK, whose name begins with the key's status: active, next or
    retired. Names that begin with a dot are ignored. A file is a JWK Set (RFC 7517, section 5) of private keys, each
    with a ``status``; a single key may leave it out. A key's id is its ``kid``, or its thumbprint (RFC 7638). Raises
    InvalidKeys, which names the file, what is wrong with it and what to do.
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


def secret_key_ring(secret: str) -> KeyRing:
    """The one key of HS256: the bytes of ``secret``, exactly as in the environment. Raises InvalidKeys."""
    try:
        data = secret.encode(errors="surrogateescape")
        if len(data) < SECRET_BYTES_MIN:  # joserfc would warn, and of much shorter ones only
            raise InvalidKeys("JWT_SECRET", f"it has less than {SECRET_BYTES_MIN} bytes", _HS256_ADVICE)
        key = OctKey.import_key(data)
    except ValueError:
        raise InvalidKeys("JWT_SECRET", "it is a public key, or not UTF-8", _HS256_ADVICE) from None
    return KeyRing(alg="HS256", active="secret", signing=key, verifying={"secret": key})


def json_object(data: bytes) -> dict[str, Any] | None:
    """The JSON object in ``data``; None if it is anything else."""
    try:
        found = parse_json(data, "it")
    except InvalidInput:
        return None
    return found if type(found) is dict else None


def printable_text(value: object, length_max: int) -> str | None:
    """``value`` if it is text of 1 to ``length_max`` printable characters, else None."""
    return value if type(value) is str and 1 <= len(value) <= length_max and value.isprintable() else None


def _sources(path: str) -> Iterator[tuple[str, str, bytes | dict[str, Any]]]:
    """For each key its place, its status, and its PEM bytes or JWK object."""
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
        yield where, status, json_object(data) or data


def _sources_in_set(path: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    keys = (json_object(_read(path)) or {}).get("keys")
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
    if "kid" in jwk and printable_text(jwk["kid"], KID_LENGTH_MAX) is None:
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
