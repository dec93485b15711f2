"""Access tokens: what is signed comes back, and everything else is refused.

Forgeries are made with `cryptography` and `hmac` alone, so that no JOSE library vouches for itself.
"""

import hmac
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import attrs
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
)
from hypothesis import given
from hypothesis import strategies as st

from kgl_adapters.signing import CLOCK_SKEW, JoseSigner
from kgl_core.errors import InvalidToken
from kgl_core.permissions import Actor, ActorKind, Role, Scope
from kgl_core.tokens import AccessClaims, new_opaque
from tests.adapters.keys import (
    CLAIMS,
    KEYS,
    NOW,
    PAYLOAD,
    SECRET,
    PrivateKey,
    base64url,
    decoded,
    ec_key,
    ed_key,
    jwk,
    public_pem,
    ring,
    signer_of,
    verified,
)

IAT, EXP = int(NOW.timestamp()), int(NOW.timestamp()) + 900
MISSING: Any = ...
Sign = Callable[[bytes], bytes]


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


def encoded(part: Mapping[str, Any] | bytes, usual: Mapping[str, Any]) -> str:
    """A part of a token: these bytes, or the usual members but for these."""
    if isinstance(part, bytes):
        return base64url(part)
    members = {name: value for name, value in {**usual, **part}.items() if value is not MISSING}
    return base64url(json.dumps(members).encode())


@attrs.frozen
class Rig:
    """A signer, and what a test needs to make tokens beside it, with the right key."""

    alg: str
    kid: str
    signer: JoseSigner
    sign: Sign

    def token(
        self,
        header: Mapping[str, Any] | bytes = {},
        payload: Mapping[str, Any] | bytes = {},
        sign: Sign | None = None,
    ) -> str:
        """A token like the signer's but for these members, or with these bytes instead; MISSING leaves one out."""
        usual_header = {"alg": self.alg, "kid": self.kid, "typ": "at+jwt"}
        signed = f"{encoded(header, usual_header)}.{encoded(payload, PAYLOAD)}"
        return f"{signed}.{base64url((sign or self.sign)(signed.encode()))}"

    def reason(self, token: Any, now: datetime = NOW) -> str | None:
        """Why ``token`` is refused, None when it is taken; it is never quoted."""
        try:
            self.signer.verify(token, now)
        except InvalidToken as error:
            reason = error.reason
        else:
            return None
        assert not isinstance(token, str) or len(token) < 20 or token not in reason
        return reason


@pytest.fixture(scope="module", params=["HS256", "ES256", "Ed25519"])
def rig(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Rig:
    """One for each algorithm."""
    alg = request.param
    if alg == "HS256":
        return Rig(alg, "secret", signer_of(alg, None), signs_with(SECRET.encode()))
    key = KEYS[alg](7)
    keys = ring(tmp_path_factory.mktemp(alg), alg, active=key)
    return Rig(alg, keys.active, signer_of(alg, keys), signs_with(key))


def instants(first: int, last: int) -> st.SearchStrategy[datetime]:
    """Whole seconds between these two."""
    return st.integers(first, last).map(lambda second: datetime.fromtimestamp(second, UTC))


def claims_of(subjects: st.SearchStrategy[Actor], client_ids: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    """Any claims about one of these subjects."""
    return st.builds(
        AccessClaims,
        subject=subjects,
        auth_version=st.integers(1, 2**63 - 1),
        id=st.uuids(),
        issued_at=instants(0, IAT),
        expires_at=instants(IAT + 1, 253_402_300_799),
        client_id=client_ids,
    )


USERS = st.builds(Actor, st.just(ActorKind.USER), st.uuids().map(str), st.sampled_from(Role))
SERVICES = st.builds(
    Actor,
    st.just(ActorKind.SERVICE),
    st.uuids().map(str),
    scopes=st.sets(st.sampled_from(Scope), min_size=1).map(frozenset),
)


@given(
    claims_of(USERS, st.text(st.characters(categories=["L", "N", "P"]), min_size=1, max_size=255))
    | claims_of(SERVICES, st.just("")).map(lambda claims: attrs.evolve(claims, client_id=claims.subject.id))
)
def test_what_was_signed_comes_back(rig: Rig, claims: AccessClaims) -> None:
    """Whatever the claims, of a user or a service, with every algorithm."""
    found = rig.signer.verify(rig.signer.sign(claims), NOW)
    assert found == claims
    assert (found.subject.role, found.subject.scopes) == (claims.subject.role, claims.subject.scopes)


SERVICE_PAYLOAD = {"role": MISSING, "scope": "graph:read graph:write", "client_id": CLAIMS.subject.id}


def test_what_a_service_may_do_is_its_scope(rig: Rig) -> None:
    """As RFC 9068 (sections 2.2 and 2.2.3) has it: client_id is the subject, scope is there, a role is not."""
    subject = Actor(ActorKind.SERVICE, CLAIMS.subject.id, scopes=frozenset(Scope))
    signed = rig.signer.sign(attrs.evolve(CLAIMS, subject=subject, client_id=str(subject.id)))
    expected = {name: value for name, value in {**PAYLOAD, **SERVICE_PAYLOAD}.items() if value is not MISSING}
    assert json.loads(decoded(signed.split(".")[1])) == expected
    found = rig.signer.verify(rig.token(payload={**SERVICE_PAYLOAD, "scope": "graph:write"}), NOW)
    assert (found.subject, found.subject.scopes) == (subject, {Scope.GRAPH_WRITE})


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"role": "admin"}, "both a role and a scope"),
        ({"role": None}, "both a role and a scope"),
        ({"client_id": "kgl"}, "its sub is not its client_id"),
        ({"client_id": MISSING}, "its sub is not its client_id"),
        ({"sub": "01890a5d-ac96-774b-bcce-b302099a8059"}, "its sub is not its client_id"),
        *(
            ({"scope": scope}, "its role or scope is missing or malformed")
            for scope in (
                MISSING,
                None,
                "",
                " ",
                "graph:read ",
                "graph:admin",
                "graph:read\tgraph:write",
                1,
                ["graph:read"],
            )
        ),
    ],
)
def test_claims_of_services_that_are_refused(rig: Rig, changes: dict[str, Any], reason: str) -> None:
    """A service's token is nobody else's, and holds scopes that there are and nothing that makes it a person's."""
    assert reason in (rig.reason(rig.token(payload={**SERVICE_PAYLOAD, **changes})) or "taken")


def test_a_token_is_what_rfc_9068_asks(rig: Rig) -> None:
    """Its header and payload, to the member; the user is named by id and never by email."""
    header, payload, _ = rig.signer.sign(CLAIMS).split(".")
    assert json.loads(decoded(header)) == {"alg": rig.alg, "typ": "at+jwt", "kid": rig.kid}
    assert json.loads(decoded(payload)) == PAYLOAD


@pytest.mark.parametrize(
    ("header", "payload"),
    [
        ({}, {}),
        ({"typ": "AT+JWT"}, {}),
        ({"typ": "application/at+jwt"}, {}),
        ({}, {"aud": ["kgl-api"]}),
        ({}, {"aud": ["publishing", "kgl-api"]}),
        ({}, {"nbf": IAT}),
        ({}, {"nbf": IAT + 60, "iat": IAT + 60}),
        ({}, {"groups": ["library"], "email": "ada@example.org"}),
        (b'\n{ "typ":"at+jwt", "alg":"%s", "kid":"%s" }', {}),
    ],
)
def test_other_spellings_of_a_right_token_are_taken(rig: Rig, header: Any, payload: Any) -> None:
    """What RFC 7519 and RFC 9068 leave open is left open."""
    if isinstance(header, bytes):
        header = header % (rig.alg.encode(), rig.kid.encode())
    taken = rig.signer.verify(rig.token(header, payload), NOW)
    assert attrs.evolve(taken, issued_at=CLAIMS.issued_at) == CLAIMS


def test_a_token_lives_to_the_second(rig: Rig) -> None:
    """It ends when it says, without leeway; another clock may be a minute ahead."""
    token = rig.token()
    last = CLAIMS.expires_at - timedelta(microseconds=1)
    assert rig.reason(token, last) is None
    assert rig.reason(token, CLAIMS.expires_at) == "it has expired"
    assert rig.reason(token, NOW - CLOCK_SKEW) is None
    assert rig.reason(token, NOW - CLOCK_SKEW - timedelta(microseconds=1)) == "it is not valid yet"
    assert rig.reason(rig.token(payload={"nbf": IAT, "iat": IAT + 61})) == "it is not valid yet"


NOT_ACCESS = "it is not an access token"
ALGORITHM = "it is signed with another algorithm"
KEY = "its key is not known here"
SIGNATURE = "its signature is wrong"
HEADER = "its header holds more than alg, kid and typ"
PUBLIC_JWK = {name: value for name, value in jwk(ec_key(7)).items() if name != "d"}


def cases(table: list[tuple[str, list[Any], str]]) -> list[Any]:
    """A test case for each value of each row."""
    return [
        pytest.param(name, value, reason, id=f"{name}={value!r:.40}")
        for name, values, reason in table
        for value in values
    ]


HEADERS: list[tuple[str, list[Any], str]] = [
    ("alg", ["none", "None", "NONE", "nOnE", "", "HS512", "RS256", "EdDSA", "HS256 ", "hs256", MISSING], ALGORITHM),
    ("alg", [None, True, 5, ["HS256"], ["ES256"], {"alg": "HS256"}], ALGORITHM),
    ("typ", ["JWT", "jwt", "none", "", "at+jwt ", "x/at+jwt", "refresh+jwt", "logout+jwt", MISSING], NOT_ACCESS),
    ("typ", [None, 1, ["at+jwt"], {"at+jwt": 1}], NOT_ACCESS),
    ("kid", ["../../dev/null", "/dev/null", "", "' OR 1=1 --", "secret\0", "\ud800", "SECRET", "0", MISSING], KEY),
    ("kid", [None, 0, True, ["secret"], {"kid": "secret"}], KEY),
    ("crit", [["exp"], [], ["b64"], None, 5, "exp"], HEADER),
    ("b64", [True, False], HEADER),
    ("jku", ["https://evil.example/jwks.json", "file:///etc/passwd"], HEADER),
    ("jwk", [PUBLIC_JWK, None], HEADER),
    ("x5u", ["https://evil.example/cert.pem"], HEADER),
    ("x5c", [["MIIB"]], HEADER),
    ("x5t", ["AAAA"], HEADER),
    ("cty", ["JWT"], HEADER),
    ("zip", ["DEF"], HEADER),
    ("enc", ["A256GCM"], HEADER),
    ("note", [[[[[]]]], "x" * 1000], HEADER),
]


@pytest.mark.parametrize(("name", "value", "reason"), cases(HEADERS))
def test_headers_that_are_refused(rig: Rig, name: str, value: Any, reason: str) -> None:
    """The header selects nothing but one of our keys, even where the signature is right."""
    assert rig.reason(rig.token({name: value})) == reason


def missing(claim: str) -> str:
    """The reason for a claim that is not as it must be."""
    return f"its {claim} is missing or malformed"


NO_INSTANTS = [MISSING, None, True, "", str(EXP), float(EXP), EXP + 0.5, 1e300, -1, 10**18, 2**70, [EXP], {"exp": EXP}]
NO_IDS = [MISSING, None, 7, "", "ada@example.org", "root", "01890a5dac96774bbcceb302099a8057", [], {"id": 1}]
PAYLOADS: list[tuple[str, list[Any], str]] = [
    (
        "iss",
        [MISSING, None, "", "backend", "backend-module ", "BACKEND-MODULE", 1, ["backend-module"]],
        "another issuer",
    ),
    (
        "aud",
        [MISSING, None, "", "kgl", "KGL-API", "kgl-api kgl", [], ["kgl"], [["kgl-api"]], {"kgl-api": 1}, 0],
        "audience",
    ),
    ("exp", [0, 1, IAT, IAT - 1], "it has expired"),
    ("exp", NO_INSTANTS, missing("exp")),
    ("iat", NO_INSTANTS, missing("iat")),
    ("iat", [IAT + 61, EXP], "it is not valid yet"),
    ("nbf", [value for value in NO_INSTANTS if value is not MISSING], missing("nbf")),
    ("nbf", [IAT + 61, EXP], "it is not valid yet"),
    ("sub", NO_IDS, missing("sub")),
    ("jti", NO_IDS, missing("jti")),
    ("role", [MISSING], missing("role or scope")),
    ("role", [None, "", "root", "Admin", "admin ", 1, True, ["admin"], {"admin": 1}], missing("role")),
    ("auth_version", [MISSING, None, 0, -1, True, "3", 3.0, 2**63, [3]], missing("auth_version")),
    ("client_id", [MISSING, None, "", 7, "a\nb", "nul\0", "\ud800", "x" * 256, ["kgl"]], missing("client_id")),
]


@pytest.mark.parametrize(("name", "value", "reason"), cases(PAYLOADS))
def test_claims_that_are_refused(rig: Rig, name: str, value: Any, reason: str) -> None:
    """Each claim is there, of its type and within its bounds, even where the signature is right."""
    assert reason in (rig.reason(rig.token(payload={name: value})) or "taken")


DEEP = b"[" * 3000
NO_OBJECTS = [
    b"",
    b" ",
    b"[]",
    b"null",
    b'"alg"',
    b"5",
    b"{",
    b"{}x",
    b"\xff",
    b"\x00",
    DEEP,
    b'{"a":' + DEEP,
    b'{"exp":NaN}',
    b'{"exp":-Infinity}',
    b'{"exp":' + b"9" * 5000 + b"}",
    b"{'exp':1}",
    json.dumps(PAYLOAD).encode("utf-16"),
    json.dumps(PAYLOAD)[:-1].encode() + b',"iss":"backend-module"}',
    json.dumps(PAYLOAD)[:-1].encode() + b',"role":"admin"}',
]


@pytest.mark.parametrize("data", NO_OBJECTS, ids=[f"{n}: {data[:24]!r}" for n, data in enumerate(NO_OBJECTS)])
def test_what_is_no_json_object_is_refused(rig: Rig, data: bytes) -> None:
    """As header and as payload: damaged, nested beyond reason, of thousands of digits, or with a member twice."""
    assert rig.reason(rig.token(header=data)) == NOT_ACCESS
    assert rig.reason(rig.token(payload=data)) is not None
    twice = json.dumps({"alg": "none", "kid": rig.kid, "typ": "at+jwt"})[:-1] + f', "alg": "{rig.alg}"}}'
    assert rig.reason(rig.token(header=twice.encode())) == NOT_ACCESS


@pytest.mark.parametrize("claim", ["exp", "iat", "nbf"])
@pytest.mark.parametrize("number", [b"1e999", b"-1e999", b"1e-400", b"18e8", b"00", b"0x7F"])
def test_numbers_that_only_json_can_write_are_refused(rig: Rig, claim: str, number: bytes) -> None:
    """A time past all floats, or written with an exponent, is no whole second."""
    rest = json.dumps({name: value for name, value in PAYLOAD.items() if name != claim})[:-1].encode()
    assert rig.reason(rig.token(payload=b'%s,"%s":%s}' % (rest, claim.encode(), number))) is not None


def reshaped(token: str) -> dict[str, Any]:
    """Forms that a token must not have, with something of a right one in them."""
    header, payload, signature = token.split(".")
    return {
        "nothing": "",
        "a dot": ".",
        "two dots": "..",
        "words": "a.b.c",
        "one part": header,
        "two parts": f"{header}.{payload}",
        "unsigned": f"{header}.{payload}.",
        "detached": f"{header}..{signature}",
        "headless": f".{payload}.{signature}",
        "four parts": f"{token}.{signature}",
        "five parts": f"{token}.{payload}.{signature}",
        "general JSON": json.dumps({"payload": payload, "signatures": [{"protected": header, "signature": signature}]}),
        "flat JSON": json.dumps({"payload": payload, "protected": header, "signature": signature}),
        "padded": f"{header}=.{payload}.{signature}",
        "padded signature": f"{token}==",
        "space before": f" {token}",
        "space after": f"{token} ",
        "newline": f"{token}\n",
        "newline within": f"{header}.\n{payload}.{signature}",
        "crlf": f"{token}\r\n",
        "scheme": f"Bearer {token}",
        "nul": f"{token}\0",
        "percent": token.replace(".", "%2E"),
        "other alphabet": f"{header}.{payload}.{signature}+/",
        "full width": token.replace(".", "\uff0e"),
        "lone surrogate": f"{token}\ud800",
        "digits of another script": f"{token}\u0661",
        "twice": f"{token},{token}",
        "huge": "a" * 2**20,
        "huge parts": ".".join(["a" * 2**19] * 3),
        "many dots": "." * 2**20,
        "huge payload": f"{header}.{payload}{'A' * 8192}.{signature}",
        "a refresh token": new_opaque(lambda size: bytes(range(size))),
        "bytes": token.encode(),
        "none": None,
        "a number": 5,
        "a list": [token],
    }


@pytest.mark.parametrize("form", list(reshaped("a.b.c")))
def test_forms_that_are_refused(rig: Rig, form: str) -> None:
    """Three parts in base64url and not a character more; no other serialization, and nothing that is not text."""
    assert rig.reason(rig.token()) is None
    assert rig.reason(reshaped(rig.token())[form]) == NOT_ACCESS


def test_signatures_that_are_refused(rig: Rig) -> None:
    """Another token's, another key's, cut, extended, empty of meaning, or in another encoding."""
    signed, _, signature = rig.token().rpartition(".")
    raw = decoded(signature)
    strange = [
        decoded(rig.token(payload={"role": "admin"}).rpartition(".")[2]),
        raw[:-1],
        raw[:1],
        raw + b"\0",
        b"\0" + raw,
        raw[::-1],
        bytes(len(raw)),  # r = s = 0 (CVE-2022-21449)
        b"\xff" * len(raw),
        bytes(31) + b"\1" + bytes(31) + b"\1",
        hmac.digest(b"", signed.encode(), "sha256"),
        hmac.digest(rig.kid.encode(), signed.encode(), "sha256"),
        ec_signature(ec_key(8), signed.encode()),
        ed_key(8).sign(signed.encode()),
        ed448.Ed448PrivateKey.from_private_bytes(b"\7" * 57).sign(signed.encode()),
        ec_key(7).sign(signed.encode(), ec.ECDSA(hashes.SHA256())),  # in DER
        b"\0" * 2000,
    ]
    for forged in strange:
        assert rig.reason(f"{signed}.{base64url(forged)}") == SIGNATURE, forged
    # The last character of 32 or 64 bytes in base64url has bits that say nothing; they must be zero.
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    assert rig.reason(f"{signed}.{signature[:-1]}{alphabet[alphabet.index(signature[-1]) + 1]}") == SIGNATURE


@pytest.mark.parametrize("alg", list(KEYS))
def test_a_public_key_is_no_secret(alg: str, tmp_path: Path) -> None:
    """A token under HS256, signed with anything that we publish (CVE-2015-9235)."""
    key = KEYS[alg](7)
    keys = ring(tmp_path, alg, active=key)
    rig = Rig(alg, keys.active, signer_of(alg, keys), signs_with(key))
    (published,) = rig.signer.jwks()["keys"]
    public = key.public_key()
    der = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    for known in (json.dumps(published).encode(), public_pem(key), der, decoded(published["x"]), rig.kid.encode()):
        for claimed, reason in (("HS256", ALGORITHM), (alg, SIGNATURE)):
            assert rig.reason(rig.token({"alg": claimed}, sign=signs_with(known))) == reason


def test_a_key_signs_under_its_own_name_only(tmp_path: Path) -> None:
    """A token of the next key that names the active one is refused, and the other way round."""
    keys = ring(tmp_path, "ES256", active=ec_key(7), next=ec_key(8))
    (other,) = keys.verifying.keys() - {keys.active}
    rig = Rig("ES256", keys.active, signer_of("ES256", keys), signs_with(ec_key(7)))
    assert rig.reason(rig.token()) is None
    assert rig.reason(rig.token({"kid": other}, sign=signs_with(ec_key(8)))) is None
    assert rig.reason(rig.token({"kid": other})) == SIGNATURE
    assert rig.reason(rig.token(sign=signs_with(ec_key(8)))) == SIGNATURE
    assert rig.reason(rig.token({"kid": other, "alg": "Ed25519"}, sign=ed_key(8).sign)) == ALGORITHM


@given(st.text(st.characters(), max_size=200) | st.from_regex(r"[\w-]{2,90}\.[\w-]{2,90}\.[\w-]{2,90}", fullmatch=True))
def test_any_text_is_refused(rig: Rig, text: str) -> None:
    """With InvalidToken and no other error."""
    assert rig.reason(text) in {NOT_ACCESS, SIGNATURE}


@given(st.data())
def test_any_flipped_bit_is_noticed(rig: Rig, data: st.DataObject) -> None:
    """Wherever it is."""
    token = bytearray(rig.signer.sign(CLAIMS).encode())
    position = data.draw(st.integers(0, len(token) * 8 - 1))
    token[position // 8] ^= 1 << position % 8
    assert rig.reason(token.decode("latin-1")) is not None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(
    st.dictionaries(st.sampled_from(["alg", "kid", "typ", "crit", "b64", "jwk", "x"]), JSON, max_size=3),
    st.dictionaries(st.sampled_from([*PAYLOAD, "nbf", "x"]), JSON, max_size=3),
)
def test_any_json_is_taken_or_refused(rig: Rig, header: dict[str, Any], payload: dict[str, Any]) -> None:
    """With the right signature: what is taken is of the right types, and no other error comes out."""
    token = rig.token(header, payload)
    if rig.reason(token) is None:
        claims = rig.signer.verify(token, NOW)
        assert rig.signer.verify(rig.signer.sign(claims), NOW) == claims


def test_the_published_keys_verify_tokens_offline(rig: Rig) -> None:
    """With nothing but the JWK Set; it holds no private member, and is empty where the key is secret."""
    published = rig.signer.jwks()
    if rig.alg == "HS256":
        assert published == {"keys": []}
        return
    (key,) = published["keys"]
    coordinates = {"x", "y"} if rig.alg == "ES256" else {"x"}
    assert key.keys() == {"kty", "crv", "kid", "use", "alg"} | coordinates
    assert (key["kid"], key["use"], key["alg"]) == (rig.kid, "sig", rig.alg)
    token = rig.signer.sign(CLAIMS)
    assert verified(token, key) == PAYLOAD
    with pytest.raises(InvalidSignature):
        verified(token.replace(".", ".e30", 1), key)
    json.dumps(published)
