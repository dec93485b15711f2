"""Tokens of a running service before a module that has only the published keys and another library, PyJWT."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.adapters.forgeries import forgeries
from tests.adapters.keys import KEYS, Mint, decoded, pem
from tests.serving.service import API, Service, serving

PAGE = Path(__file__).parents[2] / "docs/how-to/signing-keys.md"
MODULE = Path(__file__).parent / "other_module.py"
ISSUER, AUDIENCE = "https://kgl.example", "lab"


def told(service: Service, alg: str, *tokens: str) -> list[Any]:
    """What the other module makes of each token: its claims, or the name of an error."""
    example = re.search(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert example
    url = f"http://127.0.0.1:{service.port}/.well-known/jwks.json"
    done = subprocess.run(
        [sys.executable, "-I", "-W", "error", str(MODULE), example[1], url, alg, ISSUER, AUDIENCE],
        input="".join(f"{token}\n" for token in tokens),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def claims_of(token: str) -> dict[str, Any]:
    """What a token says, believed without proof."""
    found: dict[str, Any] = json.loads(decoded(token.split(".")[1]))
    return found


def token_of_a_client(service: Service) -> str:
    """An access token of a service client."""
    made = service("POST", f"{API}/oauth-clients", {"name": "publishing", "scopes": ["graph:read"]}).data
    form = f"grant_type=client_credentials&client_id={made['client']['id']}&client_secret={made['secret']}"
    answer = service(
        "POST", f"{API}/oauth/token", form.encode(), Content_Type="application/x-www-form-urlencoded", Authorization=""
    )
    return str(answer.json["access_token"])


@pytest.mark.parametrize("alg", KEYS)
def test_another_module_verifies_tokens_offline(alg: str, sqlite_url: str, tmp_path: Path) -> None:
    """It takes people's and services' tokens, of the active and of the retired key, and refuses every forgery."""
    keys = tmp_path / "keys"
    keys.mkdir()
    (keys / "active.pem").write_bytes(pem(KEYS[alg](7)))
    (keys / "retired.pem").write_bytes(pem(KEYS[alg](8)))
    with serving(
        sqlite_url,
        tmp_path / "run",
        workers=1,
        threads=2,
        JWT_ALG=alg,
        JWT_KEYS=str(keys),
        JWT_ISSUER=ISSUER,
        JWT_AUDIENCE=AUDIENCE,
    ) as service:
        ours = [service.token, token_of_a_client(service)]
        kids = [key["kid"] for key in service("GET", "/.well-known/jwks.json").json["keys"]]
        mint, other = (
            Mint(alg=alg, kid=kid, key=KEYS[alg](number), claims=claims_of(service.token))
            for kid, number in zip(kids, (7, 8), strict=True)
        )
        ours += [mint.token(), other.token()]
        forged = forgeries(mint, other)
        answers = told(service, alg, *ours, *forged.values())
    assert answers[: len(ours)] == [claims_of(token) for token in ours]
    assert [claims["sub"] == claims["client_id"] for claims in answers[: len(ours)]] == [False, True, False, False]
    refused = dict(zip(forged, answers[len(ours) :], strict=True))
    assert {name: answer for name, answer in refused.items() if not isinstance(answer, str)} == {}
