"""Keys, tokens and claims for tests, made with `cryptography` alone, so that no JOSE library vouches for itself."""

import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import attrs
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from kgl_adapters.security.access_tokens import JoseSigner, make_signer
from kgl_adapters.security.signing_keys import KeyRing, read_keys
from kgl_core.access.tokens import AccessClaims
from kgl_core.kernel.permissions import Actor, ActorKind, Role

PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
Sign = Callable[[bytes], bytes]
MISSING: Any = ...

NOW = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)
SECRET = "correct horse battery staple, and some more"
CLAIMS = AccessClaims(
    subject=Actor(ActorKind.USER, "01890a5d-ac96-774b-bcce-b302099a8057", Role.MODERATOR),
    auth_version=3,
    id=UUID("01890a5d-ac96-774b-bcce-b302099a8058"),
    issued_at=NOW,
    expires_at=NOW + timedelta(minutes=15),
)
PAYLOAD = {
    "iss": "backend-module",
    "aud": "kgl-api",
    "sub": CLAIMS.subject.id,
    "role": "moderator",
    "auth_version": 3,
    "client_id": "kgl",
    "iat": int(NOW.timestamp()),
    "exp": int(NOW.timestamp()) + 900,
    "jti": str(CLAIMS.id),
}


def base64url(data: bytes) -> str:
    """As RFC 7515, section 2 has it: no padding."""
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def decoded(text: str) -> bytes:
    """What `base64url` encoded."""
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def pem(key: Any, encryption: Any = None) -> bytes:
    """A private key as openssl writes it: PKCS 8."""
    return bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption()))


def public_pem(key: Any) -> bytes:
    """Its public half."""
    return bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))


def ec_key(number: int, curve: ec.EllipticCurve | None = None) -> ec.EllipticCurvePrivateKey:
    """A key that is the same in every run."""
    return ec.derive_private_key(number, curve or ec.SECP256R1())


def ed_key(number: int) -> ed25519.Ed25519PrivateKey:
    """A key that is the same in every run."""
    return ed25519.Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32)


KEYS: dict[str, Callable[[int], PrivateKey]] = {"ES256": ec_key, "Ed25519": ed_key}


def jwk(key: PrivateKey, **members: Any) -> dict[str, Any]:
    """A private key as RFC 7517 writes it, made by hand."""
    if isinstance(key, ed25519.Ed25519PrivateKey):
        shape = {"kty": "OKP", "crv": "Ed25519", "d": key.private_bytes_raw(), "x": key.public_key().public_bytes_raw()}
    else:
        numbers = key.private_numbers()
        coordinates = {"d": numbers.private_value, "x": numbers.public_numbers.x, "y": numbers.public_numbers.y}
        shape = {"kty": "EC", "crv": "P-256"} | {name: n.to_bytes(32, "big") for name, n in coordinates.items()}
    return {name: base64url(value) if isinstance(value, bytes) else value for name, value in shape.items()} | members


def ec_signature(key: ec.EllipticCurvePrivateKey, data: bytes) -> bytes:
    """r and s side by side (RFC 7518, section 3.4)."""
    r, s = decode_dss_signature(key.sign(data, ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def signs_with(key: PrivateKey | bytes) -> Sign:
    """How a key signs, according to what it is."""
    if isinstance(key, bytes):
        return lambda data: hmac.digest(key, data, "sha256")
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign
    return lambda data: ec_signature(key, data)


@attrs.frozen(kw_only=True)
class Mint:
    """Makes tokens beside a signer, with its own key; ``claims`` are those of a right token."""

    alg: str
    kid: str
    key: PrivateKey | bytes = attrs.field(repr=False)
    claims: Mapping[str, Any] = PAYLOAD

    def token(
        self,
        header: Mapping[str, Any] | bytes = {},
        payload: Mapping[str, Any] | bytes = {},
        sign: Sign | None = None,
    ) -> str:
        """A token like the signer's but for these members, or with these bytes instead; MISSING leaves one out."""
        usual_header = {"alg": self.alg, "kid": self.kid, "typ": "at+jwt"}
        signed = f"{_encoded(header, usual_header)}.{_encoded(payload, self.claims)}"
        return f"{signed}.{base64url((sign or signs_with(self.key))(signed.encode()))}"


def _encoded(part: Mapping[str, Any] | bytes, usual: Mapping[str, Any]) -> str:
    if isinstance(part, bytes):
        return base64url(part)
    members = {name: value for name, value in {**usual, **part}.items() if value is not MISSING}
    return base64url(json.dumps(members).encode())


def verified(token: str, key: Mapping[str, str]) -> dict[str, Any]:
    """The claims of a token, by one public JWK and nothing else. Raises InvalidSignature."""
    signed, _, signature = token.rpartition(".")
    x, raw = decoded(key["x"]), decoded(signature)
    if key["kty"] == "OKP":
        ed25519.Ed25519PublicKey.from_public_bytes(x).verify(raw, signed.encode())
    else:
        point = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x04" + x + decoded(key["y"]))
        halves = (int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
        point.verify(encode_dss_signature(*halves), signed.encode(), ec.ECDSA(hashes.SHA256()))
    claims: dict[str, Any] = json.loads(decoded(signed.partition(".")[2]))
    return claims


def signer_of(alg: str, keys: KeyRing | None) -> JoseSigner:
    """With the usual names."""
    return make_signer(alg, secret=SECRET, keys=keys, issuer="backend-module", audience="kgl-api")


def ring(folder: Path, alg: str, **keys: PrivateKey) -> KeyRing:
    """The keys of a folder with these files."""
    for name, key in keys.items():
        (folder / f"{name}.pem").write_bytes(pem(key))
    return read_keys(str(folder), alg)
