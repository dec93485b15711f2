"""Tokens that must be refused, for all who verify ours: a signer, the service, and other modules.

These are what no verifier may take (RFC 8725); what kgl alone refuses is in `tests/adapters/refusals.py`. They are made
with `cryptography` and `hmac` alone, so that no JOSE library vouches for itself.
"""

import hmac
import json
from collections.abc import Iterator
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from kgl_core.access.tokens import new_opaque
from tests.adapters.keys import (
    MISSING,
    Mint,
    base64url,
    decoded,
    ec_key,
    ec_signature,
    ed_key,
    jwk,
    public_pem,
    signs_with,
)


def forgeries(mint: Mint, other: Mint) -> dict[str, str]:
    """Tokens that no verifier may take, by what is wrong with them. ``other`` has another key that is known there.

    Where a forgery is signed with the right key, somebody got that key to sign what was never an access token of ours.
    """
    return dict((*_algorithms(mint), *_keys(mint, other), *_meant_otherwise(mint), *_malformed(mint), *_resigned(mint)))


def _algorithms(mint: Mint) -> Iterator[tuple[str, str]]:
    """The token chooses how it is verified (RFC 8725, sections 2.1 and 3.1; CVE-2015-9235)."""
    for alg in ("none", "None", "NONE", "nOnE", "", MISSING):
        right = mint.token({"alg": alg})
        yield f"alg {alg!r}", right
        yield f"alg {alg!r}, unsigned", right[: right.rindex(".") + 1]
    for alg in ("HS256", "HS384", "ES256", "ES384", "Ed25519", "Ed448", "RS256", mint.alg.lower()):
        if alg != mint.alg:
            yield f"alg {alg}, with the right key", mint.token({"alg": alg})
    for form, known in _what_everybody_knows(mint).items():
        for alg in ("HS256", mint.alg, "none"):
            yield f"alg {alg}, with {form} as the secret", mint.token({"alg": alg}, sign=signs_with(known))


def _what_everybody_knows(mint: Mint) -> dict[str, bytes]:
    """What is published, in the forms that might be taken for a secret."""
    known = {"nothing": b"", "a zero": b"\0", "the kid": mint.kid.encode()}
    if isinstance(mint.key, bytes):
        return known
    public = {name: value for name, value in jwk(mint.key).items() if name != "d"}
    published = public | {"kid": mint.kid, "use": "sig", "alg": mint.alg}
    der = mint.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return known | {
        "the PEM": public_pem(mint.key),
        "the PEM in a line": public_pem(mint.key).strip(),
        "the DER": der,
        "the JWK": json.dumps(public).encode(),
        "the JWK without spaces": json.dumps(public, separators=(",", ":"), sort_keys=True).encode(),
        "the JWK as published": json.dumps(published).encode(),
        "x": decoded(public["x"]),
    }


def _keys(mint: Mint, other: Mint) -> Iterator[tuple[str, str]]:
    """Another key than the one that is named, or one that the token brings along (RFC 8725, sections 3.2 and 3.10)."""
    strangers = {"ES256": ec_key(66), "Ed25519": ed_key(66)}
    stranger = strangers.get(mint.alg, b"a secret that is none of ours, but long enough")
    sign = signs_with(stranger)
    public = {name: value for name, value in jwk(strangers.get(mint.alg, ec_key(66))).items() if name != "d"}
    yield "a stranger's key", mint.token(sign=sign)
    yield "a stranger's key under its own kid", mint.token({"kid": "stranger"}, sign=sign)
    yield "a stranger's key without kid", mint.token({"kid": MISSING}, sign=sign)
    yield "the active key's kid over the other key", mint.token(sign=signs_with(other.key))
    yield "the other key's kid over the active key", mint.token({"kid": other.kid})
    for kid in (
        MISSING,
        "",
        "stranger",
        "../../dev/null",
        "/dev/null",
        "' OR 1=1 --",
        f"{mint.kid}\0",
        None,
        0,
        [mint.kid],
    ):
        yield f"kid {kid!r}", mint.token({"kid": kid})
    for alg, key in strangers.items():
        named = {"alg": alg, "kid": mint.kid if alg != mint.alg else "stranger"}
        yield f"a key for {alg}", mint.token(named, sign=signs_with(key))
    brought: dict[str, Any] = {
        "jwk": {**public, "kid": "stranger"},
        "jku": "https://evil.example/jwks.json",
        "x5u": "https://evil.example/cert.pem",
        "x5c": ["MIIB"],
    }
    for name, value in brought.items():
        for kid in (mint.kid, "stranger", MISSING):
            yield f"{name}, with kid {kid!r}", mint.token({name: value, "kid": kid}, sign=sign)


def _meant_otherwise(mint: Mint) -> Iterator[tuple[str, str]]:
    """Signed with the right key, but no access token, not for us, or not now (RFC 8725, sections 3.8 to 3.12)."""
    for kind in (
        "JWT",
        "jwt",
        "refresh+jwt",
        "logout+jwt",
        "secevent+jwt",
        "dpop+jwt",
        "",
        None,
        1,
        ["at+jwt"],
        MISSING,
    ):
        yield f"typ {kind!r}", mint.token({"typ": kind})
    now, iss, aud = (mint.claims[name] for name in ("iat", "iss", "aud"))
    claims: dict[str, list[Any]] = {
        "iss": ["https://evil.example", iss[:-1], f"{iss} ", iss.upper(), "", None, [iss], MISSING],
        "aud": [
            "publishing",
            aud.upper(),
            f"{aud} publishing",
            "",
            None,
            [],
            ["publishing"],
            [[aud]],
            {aud: 1},
            MISSING,
        ],
        "exp": [now - 3600, 0, -1, "soon", None, [], MISSING],
        "nbf": [now + 3600, "later", []],
        "iat": [now + 3600, "later"],
        "sub": [None, 7, [], MISSING],
    }
    for name, values in claims.items():
        for value in values:
            yield f"{name} {value!r}", mint.token(payload={name: value})


def _malformed(mint: Mint) -> Iterator[tuple[str, str]]:
    """No JWS in compact form of one JSON object in another (RFC 7515, RFC 7519), though the signature may be right."""
    token = mint.token()
    header, payload, signature = token.split(".")
    yield "crit", mint.token({"crit": ["exp"], "exp": mint.claims["exp"]})  # RFC 7515, section 4.1.11
    yield "crit, unknown", mint.token({"crit": ["kgl"], "kgl": 1})
    yield "crit, empty", mint.token({"crit": []})
    for crit in (["b64"], MISSING):  # RFC 7797: what is signed is the text itself
        unencoded = base64url(json.dumps({"alg": mint.alg, "kid": mint.kid, "typ": "at+jwt", "b64": False}).encode())
        text = json.dumps(dict(mint.claims)).replace(".", "")
        sign = base64url(signs_with(mint.key)(f"{unencoded}.{text}".encode()))
        yield f"b64 false, crit {crit!r}, over text", f"{unencoded}.{text}.{sign}"
        yield f"b64 false, crit {crit!r}, detached", f"{unencoded}..{sign}"
        yield f"b64 false, crit {crit!r}, encoded", mint.token({"b64": False, "crit": crit})
    encrypted = base64url(json.dumps({"alg": "dir", "enc": "A256GCM", "kid": mint.kid, "typ": "at+jwt"}).encode())
    yield "a JWE", f"{encrypted}..{base64url(bytes(12))}.{payload}.{base64url(bytes(16))}"
    yield "a JWE around it", f"{encrypted}..{base64url(bytes(12))}.{base64url(token.encode())}.{base64url(bytes(16))}"
    yield "a token within", mint.token({"cty": "JWT"}, token.encode())
    yield "unsigned", f"{header}.{payload}."
    yield "two parts", f"{header}.{payload}"
    yield "detached", f"{header}..{signature}"
    yield "headless", f".{payload}.{signature}"
    yield "four parts", f"{token}.{signature}"
    yield "truncated", token[:-2]
    yield "truncated in the payload", f"{header}.{payload[:-4]}.{signature}"
    yield "the other alphabet", f"{header}.{payload}.{signature}+/"
    yield "flat JSON", json.dumps({"payload": payload, "protected": header, "signature": signature})
    yield "a refresh token", new_opaque(lambda size: bytes(range(size)))
    twice = json.dumps({"alg": "none", "kid": mint.kid, "typ": "at+jwt"})[:-1]
    yield "alg twice, unsigned", mint.token(f'{twice}, "alg": "{mint.alg}"}}'.encode(), sign=lambda data: b"")
    text = json.dumps(dict(mint.claims))[:-1]  # RFC 7519, section 4: refused, or the last one counts
    yield "iss twice", mint.token(payload=f'{text}, "iss": "https://evil.example"}}'.encode())
    yield "aud twice", mint.token(payload=f'{text}, "aud": "publishing"}}'.encode())
    yield "exp twice", mint.token(payload=f'{text}, "exp": 1}}'.encode())
    for data in (b"", b"[]", b"null", b'"x"', b"5", b"{", b"{}x", b"\xff", b"\0", b"[" * 3000, b"{'a':1}"):
        yield f"the header {data[:9]!r}", mint.token(header=data)
        yield f"the payload {data[:9]!r}", mint.token(payload=data)


def _resigned(mint: Mint) -> Iterator[tuple[str, str]]:
    """A right token with another payload, and a right payload with what is not its signature."""
    signed, _, signature = mint.token().rpartition(".")
    other = mint.token(payload={"exp": mint.claims["exp"] + 1}).rpartition(".")[0]
    yield "the payload swapped", f"{other}.{signature}"
    for name, forged in wrong_signatures(mint, signed).items():
        yield f"signature: {name}", f"{signed}.{base64url(forged)}"


def wrong_signatures(mint: Mint, signed: str) -> dict[str, bytes]:
    """What is not the signature of ``signed``, which is header and payload of a token with the right key."""
    data = signed.encode()
    raw = signs_with(mint.key)(data)
    return {
        "another token's": decoded(mint.token(payload={"exp": mint.claims["exp"] + 1}).rpartition(".")[2]),
        "short": raw[:-1],
        "a byte": raw[:1],
        "longer": raw + b"\0",
        "longer in front": b"\0" + raw,
        "backwards": raw[::-1],
        "zeros": bytes(len(raw)),  # r = s = 0 (CVE-2022-21449)
        "ones": b"\xff" * len(raw),
        "r = s = 1": bytes(31) + b"\1" + bytes(31) + b"\1",
        "many zeros": bytes(2000),
        "an HMAC by nothing": hmac.digest(b"", data, "sha256"),
        "an HMAC by the kid": hmac.digest(mint.kid.encode(), data, "sha256"),
        "another ES256 key's": ec_signature(ec_key(66), data),
        "another Ed25519 key's": ed_key(66).sign(data),
        "an Ed448 key's": ed448.Ed448PrivateKey.from_private_bytes(b"\7" * 57).sign(data),
        "in DER": (mint.key if isinstance(mint.key, ec.EllipticCurvePrivateKey) else ec_key(7)).sign(
            data, ec.ECDSA(hashes.SHA256())
        ),
    }
