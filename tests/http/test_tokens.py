"""Bearer tokens over HTTP, for every algorithm: what is taken, how it is sent, and what is forged.

Tokens are made with `cryptography` and `hmac` alone, so that no JOSE library vouches for itself. What a signer refuses,
`tests/adapters/test_signing.py` lists; here all of it comes in as a client would send it.
"""

import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from falcon import testing

from kgl_adapters.system import new_id
from tests.adapters.keys import KEYS, SECRET, PrivateKey, base64url, decoded, ec_key, ed_key, pem, public_pem, verified
from tests.adapters.test_signing import HEADERS, MISSING, PAYLOADS, Sign, encoded, reshaped, signs_with
from tests.http.conftest import NOBODY, PASSWORD, Api, MakeApi, making_apis, problem

ME = "/api/v1/auth/me"
JWKS = "/.well-known/jwks.json"


@pytest.fixture
def make_api() -> Iterator[MakeApi]:
    """Over memory: tokens are not kept in a store."""
    with making_apis("memory://") as make:
        yield make


@attrs.frozen
class Mint:
    """Makes tokens beside the service, with its own key."""

    api: Api
    alg: str
    kid: str
    sign: Sign

    def token(self, header: Any = {}, payload: Any = {}, sign: Sign | None = None, by: str = "user") -> str:  # noqa: B006
        """One like the service's own but for these members, or with these bytes instead; MISSING leaves one out."""
        user = self.api.account(by)
        now = int(time.time())
        usual = {
            "iss": "backend-module",
            "aud": "kgl-api",
            "sub": str(user.id),
            "role": user.role,
            "auth_version": user.auth_version,
            "client_id": "kgl",
            "iat": now,
            "exp": now + 900,
            "jti": str(new_id()),
        }
        usual_header = {"alg": self.alg, "kid": self.kid, "typ": "at+jwt"}
        signed = f"{encoded(header, usual_header)}.{encoded(payload, usual)}"
        return f"{signed}.{base64url((sign or self.sign)(signed.encode()))}"

    def ask(self, token: str, path: str = ME) -> testing.Result:
        """The answer to a request with this token."""
        return self.api("GET", path, by=NOBODY, headers={"Authorization": f"Bearer {token}"})

    def refuse(self, token: str) -> None:
        """Check that the token is refused as RFC 6750, section 3.1 has it, and never quoted."""
        answer = self.ask(token)
        found = problem(answer, 401, "invalid_token")
        assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'
        assert answer.headers["cache-control"] == "no-store"
        assert len(token) < 20 or token not in found["detail"]


def mint_of(make_api: MakeApi, alg: str, folder: Path) -> Mint:
    """A service that signs with this algorithm, and its mint."""
    if alg == "HS256":
        return Mint(make_api(jwt_secret=SECRET), alg, "secret", signs_with(SECRET.encode()))
    key = KEYS[alg](7)
    api = service(make_api, alg, folder, active=key)
    return Mint(api, alg, api("GET", JWKS, by=NOBODY).json["keys"][0]["kid"], signs_with(key))


def service(make_api: MakeApi, alg: str, folder: Path, **keys: PrivateKey) -> Api:
    """A service that has these keys."""
    folder.mkdir(exist_ok=True)
    for name, key in keys.items():
        (folder / f"{name}.pem").write_bytes(pem(key))
    return make_api(jwt_alg=alg, jwt_keys=str(folder))


@pytest.fixture(params=["HS256", "ES256", "Ed25519"])
def mint(request: pytest.FixtureRequest, make_api: MakeApi, tmp_path: Path) -> Mint:
    """One for each algorithm."""
    return mint_of(make_api, request.param, tmp_path / "keys")


def test_tokens_of_our_own_are_taken(mint: Mint) -> None:
    """The service's, and those that say the same; both name the account."""
    for token in (mint.api.token("user"), mint.token()):
        answer = mint.ask(token)
        assert answer.status_code == 200, answer.text
        assert answer.json["data"]["email"] == "user@example.org"


@pytest.mark.parametrize("name", sorted({name for name, _, _ in HEADERS}))
def test_forged_headers_are_refused(mint: Mint, name: str) -> None:
    """Of every kind that the signer knows, with the right signature."""
    for value in (value for known, values, _ in HEADERS if known == name for value in values):
        if (name, value) not in (("alg", mint.alg), ("kid", mint.kid)):
            mint.refuse(mint.token({name: value}))


@pytest.mark.parametrize("name", sorted({name for name, _, _ in PAYLOADS} - {"exp", "iat", "nbf"}))
def test_forged_claims_are_refused(mint: Mint, name: str) -> None:
    """Of every kind that the signer knows, with the right signature."""
    for value in (value for known, values, _ in PAYLOADS if known == name for value in values):
        mint.refuse(mint.token(payload={name: value}))


def test_times_are_kept_to(mint: Mint) -> None:
    """Expired to the second, issued or valid in the future, or no time at all."""
    now = int(time.time())
    for payload in (
        {"exp": now},
        {"exp": now - 1},
        {"exp": 0},
        {"exp": MISSING},
        {"exp": now + 900.5},
        {"exp": str(now + 900)},
        {"exp": 10**30},
        {"exp": -1},
        {"exp": True},
        {"iat": now + 3600},
        {"iat": MISSING},
        {"nbf": now + 3600},
        {"nbf": "x"},
    ):
        mint.refuse(mint.token(payload=payload))
    assert mint.ask(mint.token(payload={"iat": now + 30, "nbf": now + 30})).status_code == 200  # a clock that is ahead


def test_claims_about_an_account_are_compared_with_it(mint: Mint) -> None:
    """A token from before or after its present state, or of nobody, is refused; its role is not what counts."""
    version = mint.api.kg.users.set_role(mint.api.account("user").id, "moderator").auth_version
    mint.api.kg.users.set_role(mint.api.account("user").id, "user")
    mint.refuse(mint.token(payload={"auth_version": version}))
    version += 1
    for payload in ({"auth_version": version + 1}, {"auth_version": 2**63 - 1}, {"sub": str(new_id())}):
        mint.refuse(mint.token(payload=payload))
    promoted = mint.token(payload={"role": "admin"})
    assert mint.ask(promoted).json["data"]["role"] == "user"
    problem(mint.ask(promoted, "/api/v1/admin/ping"), 403, "permission_denied")


@pytest.mark.parametrize("part", ["header", "payload"])
def test_parts_that_are_no_json_objects_are_refused(mint: Mint, part: str) -> None:
    """Damaged, nested beyond reason, of thousands of digits, with a member twice, or of another kind."""
    for data in (
        b"",
        b"[]",
        b"null",
        b"{",
        b"\xff",
        b"\x00",
        b"[" * 3000,
        b'{"exp":NaN}',
        b'{"a":1,"a":1}',
        b"5" * 5000,
    ):
        mint.refuse(mint.token(**{part: data}))
    twice = json.dumps({"alg": "none", "kid": mint.kid, "typ": "at+jwt"})[:-1] + f', "alg": "{mint.alg}"}}'
    mint.refuse(mint.token(header=twice.encode()))


def test_signatures_that_are_wrong(mint: Mint) -> None:
    """Another token's, another key's, cut, longer, empty, or all zeros."""
    signed, _, signature = mint.token().rpartition(".")
    raw = decoded(signature)
    others = [signs_with(ec_key(8)), signs_with(ed_key(8)), signs_with(b"\0" * 32), signs_with(mint.kid.encode())]
    strange = [
        raw[:-1],
        raw + b"\0",
        raw[::-1],
        bytes(len(raw)),
        b"\xff" * len(raw),
        *(sign(signed.encode()) for sign in others),
    ]
    strange.append(decoded(mint.token(by="admin").rpartition(".")[2]))
    for forged in strange:
        mint.refuse(f"{signed}.{base64url(forged)}")
    other = mint.token(payload={"role": "admin"}).split(".")
    mint.refuse(".".join([other[0], other[1], signature]))


@pytest.mark.parametrize("claimed", ["none", "HS256", "HS384", "ES256", "Ed25519", "EdDSA"])
def test_no_token_chooses_its_algorithm(mint: Mint, claimed: str) -> None:
    """Nothing that everybody knows makes a signature: no key, the published one in any form, or its name."""
    known: list[bytes] = [b"", mint.kid.encode()]
    for key in mint.api("GET", JWKS, by=NOBODY).json["keys"]:
        own = KEYS[mint.alg](7)
        der = own.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        known += [json.dumps(key).encode(), public_pem(own), der, decoded(key["x"])]
    for key in known:
        mint.refuse(mint.token({"alg": claimed}, sign=signs_with(key)))
    mint.refuse(mint.token({"alg": claimed}, sign=lambda data: b"\0"))
    header, payload, _ = mint.token({"alg": claimed}).split(".")
    mint.refuse(f"{header}.{payload}.")


def test_forms_that_are_refused(mint: Mint) -> None:
    """Whatever is not three parts in base64url, though a right token stands in it."""
    for form, token in reshaped(mint.token()).items():
        if isinstance(token, str) and token == token.strip() and token.isprintable() and token.isascii():
            if len(token) < 100_000 and token:
                mint.refuse(token)
            assert mint.ask(token).status_code == 401, form


def test_a_refresh_token_is_no_access_token_nor_the_other_way_round(mint: Mint) -> None:
    """Each is refused where the other is asked for."""
    user = mint.api.account("user")
    said = {"email": user.email, "password": PASSWORD}
    issued = mint.api("POST", "/api/v1/auth/token", by=NOBODY, json=said).json
    mint.refuse(issued["refresh_token"])
    traded = mint.api("POST", "/api/v1/auth/refresh", by=NOBODY, json={"refresh_token": issued["access_token"]})
    problem(traded, 401, "invalid_token")


def test_how_a_token_is_sent(mint: Mint) -> None:
    """In Authorization, after Bearer in any case of letters and a space (RFC 6750, section 2.1), and no other way."""
    token = mint.token()
    for form in ("Bearer {}", "bearer {}", "BEARER {}", "Bearer   {}", " Bearer {} "):
        answer = mint.api("GET", ME, by=NOBODY, headers={"Authorization": form.format(token)})
        assert answer.status_code == 200, form
    for form in (
        "{}",
        "Token {}",
        "Bearer{}",
        "Basic {}",
        "Bearer={}",
        "Bearer:{}",
        "JWT {}",
        'Bearer "{}"',
        "Bearer {0} {0}",
    ):
        answer = mint.api("GET", ME, by=NOBODY, headers={"Authorization": form.format(token)})
        assert answer.status_code == 401, form
        assert answer.headers["www-authenticate"].startswith("Bearer")
    for form in ("Bearer {0},Bearer {0}", "Bearer {0}, Basic YTpi", "Basic YTpi, Bearer {0}"):  # the header twice
        assert mint.api("GET", ME, by=NOBODY, headers={"Authorization": form.format(token)}).status_code == 401, form
    elsewhere: list[Mapping[str, Any]] = [
        {"query_string": f"access_token={token}"},
        {"headers": {"Cookie": f"access_token={token}"}},
        {"headers": {"X-Authorization": f"Bearer {token}"}},
        {"headers": {"Proxy-Authorization": f"Bearer {token}"}},
    ]
    for request in elsewhere:
        problem(mint.api("GET", ME, by=NOBODY, **request), 401, "not_authenticated")


def test_the_published_keys_verify_tokens_elsewhere(mint: Mint) -> None:
    """With nothing but the JWK Set (RFC 7517): public members only; none where the key is secret."""
    answer = mint.api("GET", JWKS, by=NOBODY)
    assert answer.headers["content-type"] == "application/json"
    assert "public" in answer.headers["cache-control"]
    if mint.alg == "HS256":
        assert answer.json == {"keys": []}
        return
    [key] = answer.json["keys"]
    assert not key.keys() & {"d", "k", "p", "q"}
    assert (key["use"], key["alg"], key["kid"]) == ("sig", mint.alg, mint.kid)
    claims = verified(mint.api.token("moderator"), key)
    account = mint.api.account("moderator")
    assert (claims["sub"], claims["role"], claims["aud"]) == (str(account.id), "moderator", "kgl-api")
    assert account.email not in json.dumps(claims)


@pytest.mark.parametrize("alg", list(KEYS))
def test_keys_take_turns(make_api: MakeApi, tmp_path: Path, alg: str) -> None:
    """Tokens of the next and the retired key are taken, all are published, and one that was taken away is not."""
    old, new, other = (KEYS[alg](number) for number in (7, 8, 9))
    api = service(make_api, alg, tmp_path / "now", active=new, retired=old, next=other)
    published = api("GET", JWKS, by=NOBODY).json["keys"]
    assert len(published) == 3
    kids = [
        service(make_api, alg, tmp_path / str(n), active=key)("GET", JWKS).json["keys"][0]["kid"]
        for n, key in enumerate((old, new, other))
    ]
    assert published[0]["kid"] == kids[1]
    for kid, key in zip(kids, (old, new, other), strict=True):
        mint = Mint(api, alg, kid, signs_with(key))
        assert mint.ask(mint.token()).status_code == 200
        for another in {*kids} - {kid}:
            mint.refuse(mint.token({"kid": another}))
    gone = Mint(service(make_api, alg, tmp_path / "later", active=new), alg, kids[0], signs_with(old))
    gone.refuse(gone.token())


def test_settings_name_issuer_and_audience(make_api: MakeApi) -> None:
    """And a token of a service with the same secret but other names is refused."""
    mint = mint_of(lambda **settings: make_api(**settings, jwt_issuer="lab", jwt_audience="labs"), "HS256", Path())
    mint.refuse(mint.token())
    assert mint.ask(mint.token(payload={"iss": "lab", "aud": "labs"})).status_code == 200
    claims = json.loads(decoded(mint.api.token("user").split(".")[1]))
    assert (claims["iss"], claims["aud"]) == ("lab", "labs")
