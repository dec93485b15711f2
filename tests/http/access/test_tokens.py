"""Bearer tokens over HTTP, for every algorithm: what is taken, how it is sent, and what is forged.

What must be refused, `tests/adapters/forgeries.py` lists; here all of it comes in as a client would send it.
"""

import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs
import pytest
from falcon import testing

from kgl_adapters.clock_and_ids import new_id
from tests.adapters.forgeries import forgeries
from tests.adapters.keys import KEYS, MISSING, SECRET, Mint, PrivateKey, Sign, decoded, pem, verified
from tests.adapters.refusals import HEADERS, PAYLOADS, reshaped
from tests.http.conftest import NOBODY, PASSWORD, Api, MakeApi, making_apis, problem

ME = "/api/v1/auth/me"
JWKS = "/.well-known/jwks.json"


@pytest.fixture
def make_api() -> Iterator[MakeApi]:
    """Over memory: tokens are not kept in a store."""
    with making_apis("memory://") as make:
        yield make


@attrs.frozen
class Rig:
    """A service, and what a test needs to make tokens beside it, with its own key."""

    api: Api
    alg: str
    kid: str
    key: PrivateKey | bytes = attrs.field(repr=False)

    def mint(self) -> Mint:
        """Of tokens of a user."""
        user = self.api.account("user")
        now = int(time.time())
        claims = {
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
        return Mint(alg=self.alg, kid=self.kid, key=self.key, claims=claims)

    def token(self, header: Any = {}, payload: Any = {}, sign: Sign | None = None) -> str:  # noqa: B006
        """One like the service's own but for these members, or with these bytes instead; MISSING leaves one out."""
        return self.mint().token(header, payload, sign)

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


def rig_of(make_api: MakeApi, alg: str, folder: Path) -> Rig:
    """A service that signs with this algorithm, and knows a retired key if it knows any."""
    if alg == "HS256":
        return Rig(make_api(jwt_secret=SECRET), alg, "secret", SECRET.encode())
    api = service(make_api, alg, folder, active=KEYS[alg](7), retired=KEYS[alg](8))
    return Rig(api, alg, kids(api)[0], KEYS[alg](7))


def kids(api: Api) -> list[str]:
    """The kids of the keys that a service publishes, the active one first."""
    return [key["kid"] for key in api("GET", JWKS, by=NOBODY).json["keys"]]


def service(make_api: MakeApi, alg: str, folder: Path, **keys: PrivateKey) -> Api:
    """A service that has these keys."""
    folder.mkdir(exist_ok=True)
    for name, key in keys.items():
        (folder / f"{name}.pem").write_bytes(pem(key))
    return make_api(jwt_alg=alg, jwt_keys=str(folder))


@pytest.fixture(params=["HS256", "ES256", "Ed25519"])
def rig(request: pytest.FixtureRequest, make_api: MakeApi, tmp_path: Path) -> Rig:
    """One for each algorithm."""
    return rig_of(make_api, request.param, tmp_path / "keys")


def test_tokens_of_our_own_are_taken(rig: Rig) -> None:
    """The service's, and those that say the same; both name the account."""
    for token in (rig.api.token("user"), rig.token()):
        answer = rig.ask(token)
        assert answer.status_code == 200, answer.text
        assert answer.json["data"]["email"] == "user@example.org"


@pytest.mark.parametrize("name", sorted({name for name, _, _ in HEADERS}))
def test_forged_headers_are_refused(rig: Rig, name: str) -> None:
    """Of every kind that the signer knows, with the right signature."""
    for value in (value for known, values, _ in HEADERS if known == name for value in values):
        if (name, value) not in (("alg", rig.alg), ("kid", rig.kid)):
            rig.refuse(rig.token({name: value}))


@pytest.mark.parametrize("name", sorted({name for name, _, _ in PAYLOADS} - {"exp", "iat", "nbf"}))
def test_forged_claims_are_refused(rig: Rig, name: str) -> None:
    """Of every kind that the signer knows, with the right signature."""
    for value in (value for known, values, _ in PAYLOADS if known == name for value in values):
        rig.refuse(rig.token(payload={name: value}))


def test_times_are_kept_to(rig: Rig) -> None:
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
        rig.refuse(rig.token(payload=payload))
    assert rig.ask(rig.token(payload={"iat": now + 30, "nbf": now + 30})).status_code == 200  # a clock that is ahead


def test_claims_about_an_account_are_compared_with_it(rig: Rig) -> None:
    """A token from before or after its present state, or of nobody, is refused; its role is not what counts."""
    version = rig.api.kg.users.set_role(rig.api.account("user").id, "moderator").auth_version
    rig.api.kg.users.set_role(rig.api.account("user").id, "user")
    rig.refuse(rig.token(payload={"auth_version": version}))
    version += 1
    for payload in ({"auth_version": version + 1}, {"auth_version": 2**63 - 1}, {"sub": str(new_id())}):
        rig.refuse(rig.token(payload=payload))
    promoted = rig.token(payload={"role": "admin"})
    assert rig.ask(promoted).json["data"]["role"] == "user"
    problem(rig.ask(promoted, "/api/v1/admin/ping"), 403, "permission_denied")


def test_forgeries_are_refused(rig: Rig) -> None:
    """All that no verifier may take, beside a token of the retired key, which is taken."""
    other = Mint(alg=rig.alg, kid="other", key=b"another secret that is long enough")
    if rig.alg in KEYS:
        other = attrs.evolve(rig.mint(), kid=kids(rig.api)[1], key=KEYS[rig.alg](8))
        assert rig.ask(other.token()).status_code == 200
    for name, token in forgeries(rig.mint(), other).items():
        answer = rig.ask(token)
        assert (answer.status_code, answer.json["code"]) == (401, "invalid_token"), name


def test_forms_that_are_refused(rig: Rig) -> None:
    """Whatever is not three parts in base64url, though a right token stands in it."""
    for form, token in reshaped(rig.token()).items():
        if isinstance(token, str) and token == token.strip() and token.isprintable() and token.isascii():
            if len(token) < 100_000 and token:
                rig.refuse(token)
            assert rig.ask(token).status_code == 401, form


def test_a_refresh_token_is_no_access_token_nor_the_other_way_round(rig: Rig) -> None:
    """Each is refused where the other is asked for."""
    user = rig.api.account("user")
    said = {"email": user.email, "password": PASSWORD}
    issued = rig.api("POST", "/api/v1/auth/token", by=NOBODY, json=said).json
    rig.refuse(issued["refresh_token"])
    traded = rig.api("POST", "/api/v1/auth/refresh", by=NOBODY, json={"refresh_token": issued["access_token"]})
    problem(traded, 401, "invalid_token")


def test_how_a_token_is_sent(rig: Rig) -> None:
    """In Authorization, after Bearer in any case of letters and a space (RFC 6750, section 2.1), and no other way."""
    token = rig.token()
    for form in ("Bearer {}", "bearer {}", "BEARER {}", "Bearer   {}", " Bearer {} "):
        answer = rig.api("GET", ME, by=NOBODY, headers={"Authorization": form.format(token)})
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
        answer = rig.api("GET", ME, by=NOBODY, headers={"Authorization": form.format(token)})
        assert answer.status_code == 401, form
        assert answer.headers["www-authenticate"].startswith("Bearer")
    for form in ("Bearer {0},Bearer {0}", "Bearer {0}, Basic YTpi", "Basic YTpi, Bearer {0}"):  # the header twice
        assert rig.api("GET", ME, by=NOBODY, headers={"Authorization": form.format(token)}).status_code == 401, form
    elsewhere: list[Mapping[str, Any]] = [
        {"query_string": f"access_token={token}"},
        {"headers": {"Cookie": f"access_token={token}"}},
        {"headers": {"X-Authorization": f"Bearer {token}"}},
        {"headers": {"Proxy-Authorization": f"Bearer {token}"}},
    ]
    for request in elsewhere:
        problem(rig.api("GET", ME, by=NOBODY, **request), 401, "not_authenticated")


def test_the_published_keys_verify_tokens_elsewhere(rig: Rig) -> None:
    """With nothing but the JWK Set (RFC 7517): public members only; none where the key is secret."""
    answer = rig.api("GET", JWKS, by=NOBODY)
    assert answer.headers["content-type"] == "application/json"
    assert "public" in answer.headers["cache-control"]
    if rig.alg == "HS256":
        assert answer.json == {"keys": []}
        return
    key, _ = answer.json["keys"]
    assert not key.keys() & {"d", "k", "p", "q"}
    assert (key["use"], key["alg"], key["kid"]) == ("sig", rig.alg, rig.kid)
    claims = verified(rig.api.token("moderator"), key)
    account = rig.api.account("moderator")
    assert (claims["sub"], claims["role"], claims["aud"]) == (str(account.id), "moderator", "kgl-api")
    assert account.email not in json.dumps(claims)


@pytest.mark.parametrize("alg", list(KEYS))
def test_keys_take_turns(make_api: MakeApi, tmp_path: Path, alg: str) -> None:
    """Tokens of the next and the retired key are taken, all are published, and one that was taken away is not."""
    old, new, other = (KEYS[alg](number) for number in (7, 8, 9))
    api = service(make_api, alg, tmp_path / "now", active=new, retired=old, next=other)
    assert len(kids(api)) == 3
    keys = {
        kids(service(make_api, alg, tmp_path / str(n), active=key))[0]: key for n, key in enumerate((old, new, other))
    }
    assert kids(api)[0] == [*keys][1]
    for kid, key in keys.items():
        rig = Rig(api, alg, kid, key)
        assert rig.ask(rig.token()).status_code == 200
        for another in keys.keys() - {kid}:
            rig.refuse(rig.token({"kid": another}))
    gone = Rig(service(make_api, alg, tmp_path / "later", active=new), alg, next(iter(keys)), old)
    gone.refuse(gone.token())


def test_settings_name_issuer_and_audience(make_api: MakeApi) -> None:
    """And a token of a service with the same secret but other names is refused."""
    rig = rig_of(lambda **settings: make_api(**settings, jwt_issuer="lab", jwt_audience="labs"), "HS256", Path())
    rig.refuse(rig.token())
    assert rig.ask(rig.token(payload={"iss": "lab", "aud": "labs"})).status_code == 200
    claims = json.loads(decoded(rig.api.token("user").split(".")[1]))
    assert (claims["iss"], claims["aud"]) == ("lab", "labs")
