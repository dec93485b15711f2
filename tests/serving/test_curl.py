"""What the documents tell people to type, typed into a shell, against the running service."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

from tests.programs import program
from tests.serving.service import API, Service

ROOT = Path(__file__).parents[2]


def shell(service: Service, script: str) -> list[Any]:
    """The JSON values that a script prints which was written for the service on port 8000."""
    program("curl")
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script.replace(":8000", f":{service.port}")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    found, decoder, text = [], json.JSONDecoder(), done.stdout.strip()
    while text:
        value, end = decoder.raw_decode(text)
        found.append(value)
        text = text[end:].strip()
    return found


def test_the_quick_start_of_the_readme(service: Service) -> None:
    """Register, log in, create, list, search: the lines that the README shows, and that `make run` prints from it."""
    text = (ROOT / "README.md").read_text()
    [script] = re.findall(r"^    api=(?:.+\n)+", text, re.MULTILINE)
    registered, created, listed, found = shell(service, script)
    assert registered["data"]["email"] == "ada@example.org"
    assert created["data"]["name"] == "Ada Lovelace"
    assert created["errors"] == []
    assert 1 <= len(listed["data"]) <= 3
    assert {entity["type"] for entity in listed["data"]} == {"person"}
    assert created["data"]["id"] in [each["entity"]["id"] for each in found["data"]]


SEED = """
curl -s -X POST http://localhost:8000/api/v1/auth/register \
  -H "Content-Type: application/json" \
  -d '{"email": "test@example.com", "password": "testpass123"}' -w '{"status": %{http_code}}'
curl -s -X POST http://localhost:8000/api/v1/auth/token \
  -H "Content-Type: application/json" \
  -d '{"email": "test@example.com", "password": "testpass123"}' -w '{"status": %{http_code}}'
curl -s -X POST http://localhost:8000/api/v1/auth/token \
  -H "Content-Type: application/json" \
  -d '{"email": "test@example.com", "password": "wrongpass"}' -w '{"status": %{http_code}}'
curl -s http://localhost:8000/health -w '{"status": %{http_code}}'
"""


def test_the_flow_that_other_modules_were_promised(service: Service) -> None:
    """Register and log in with 200, the token at the top; a wrong password is 401; health needs no prefix."""
    registered, first, issued, second, _, third, health, fourth = shell(service, SEED)
    assert registered["data"]["role"] == "user"
    assert issued["access_token"].count(".") == 2
    assert issued["token_type"].lower() == "bearer"
    assert health == {"status": "healthy"}
    assert [status["status"] for status in (first, second, third, fourth)] == [200, 200, 401, 200]


def test_only_machines_pages_are_outside_the_prefix(service: Service) -> None:
    """And the root, which leads to the document; all else is under /api/v1, where that describes it."""
    paths = service("GET", f"{API}/openapi.json").json["paths"]
    outside = {path for path in paths if not path.startswith(API)}
    metadata = {f"/.well-known/{name}" for name in ("jwks.json", "oauth-authorization-server")}
    assert outside == {"/", "/health", "/health/ready", "/metrics", *metadata}
    assert service("GET", "/entities").status == 404
