"""Access tokens: what is signed comes back, and everything else is refused."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pytest
from cryptography.exceptions import InvalidSignature
from hypothesis import given
from hypothesis import strategies as st

from kgl_adapters.security.access_tokens import CLOCK_SKEW, JoseSigner
from kgl_core.access.tokens import AccessClaims
from kgl_core.kernel.errors import InvalidToken
from kgl_core.kernel.permissions import Actor, ActorKind, Role, Scope
from tests.adapters.forgeries import forgeries, wrong_signatures
from tests.adapters.keys import (
    CLAIMS,
    KEYS,
    MISSING,
    NOW,
    PAYLOAD,
    SECRET,
    Mint,
    base64url,
    decoded,
    ring,
    signer_of,
    verified,
)
from tests.adapters.refusals import HEADERS, IAT, KEY, NO_OBJECTS, NOT_ACCESS, PAYLOADS, SIGNATURE, reshaped


@attrs.frozen(kw_only=True)
class Rig(Mint):
    """A signer, and a mint of tokens with its key; ``other`` is that of another key that it knows, if it has one."""

    signer: JoseSigner
    other: Mint

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
        other = Mint(alg=alg, kid="other", key=b"another secret that is long enough")
        return Rig(alg=alg, kid="secret", key=SECRET.encode(), signer=signer_of(alg, None), other=other)
    key, retired = KEYS[alg](7), KEYS[alg](8)
    keys = ring(tmp_path_factory.mktemp(alg), alg, active=key, retired=retired)
    (kid,) = keys.verifying.keys() - {keys.active}
    other = Mint(alg=alg, kid=kid, key=retired)
    return Rig(alg=alg, kid=keys.active, key=key, signer=signer_of(alg, keys), other=other)


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


def cases(table: list[tuple[str, list[Any], str]]) -> list[Any]:
    """A test case for each value of each row."""
    return [
        pytest.param(name, value, reason, id=f"{name}={value!r:.40}")
        for name, values, reason in table
        for value in values
    ]


@pytest.mark.parametrize(("name", "value", "reason"), cases(HEADERS))
def test_headers_that_are_refused(rig: Rig, name: str, value: Any, reason: str) -> None:
    """The header selects nothing but one of our keys, even where the signature is right."""
    assert rig.reason(rig.token({name: value})) == reason


@pytest.mark.parametrize(("name", "value", "reason"), cases(PAYLOADS))
def test_claims_that_are_refused(rig: Rig, name: str, value: Any, reason: str) -> None:
    """Each claim is there, of its type and within its bounds, even where the signature is right."""
    assert reason in (rig.reason(rig.token(payload={name: value})) or "taken")


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


@pytest.mark.parametrize("form", list(reshaped("a.b.c")))
def test_forms_that_are_refused(rig: Rig, form: str) -> None:
    """Three parts in base64url and not a character more; no other serialization, and nothing that is not text."""
    assert rig.reason(rig.token()) is None
    assert rig.reason(reshaped(rig.token())[form]) == NOT_ACCESS


def test_signatures_that_are_refused(rig: Rig) -> None:
    """Another token's, another key's, cut, extended, empty of meaning, or in another encoding."""
    signed, _, signature = rig.token().rpartition(".")
    for name, forged in wrong_signatures(rig, signed).items():
        assert rig.reason(f"{signed}.{base64url(forged)}") == SIGNATURE, name
    # The last character of 32 or 64 bytes in base64url has bits that say nothing; they must be zero.
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    assert rig.reason(f"{signed}.{signature[:-1]}{alphabet[alphabet.index(signature[-1]) + 1]}") == SIGNATURE


def test_forgeries_are_refused(rig: Rig) -> None:
    """All that no verifier may take, beside tokens of both keys, which are taken."""
    assert rig.reason(rig.token()) is None
    assert rig.reason(rig.other.token()) == (KEY if rig.alg == "HS256" else None)
    assert [name for name, token in forgeries(rig, rig.other).items() if rig.reason(token) is None] == []


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
    key, _ = published["keys"]
    coordinates = {"x", "y"} if rig.alg == "ES256" else {"x"}
    assert key.keys() == {"kty", "crv", "kid", "use", "alg"} | coordinates
    assert (key["kid"], key["use"], key["alg"]) == (rig.kid, "sig", rig.alg)
    token = rig.signer.sign(CLAIMS)
    assert verified(token, key) == PAYLOAD
    with pytest.raises(InvalidSignature):
        verified(token.replace(".", ".e30", 1), key)
    json.dumps(published)
