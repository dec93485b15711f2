"""The services of docker-compose.yml, run by podman just as the file says.

The database is not one of them: where no registry is at hand there is no image of PostgreSQL, so that Debian's is used.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Final

import attrs
import yaml

from tests.serving.service import API, EMAIL, PASSWORD, Answer, answer, until

ROOT: Final = Path(__file__).parents[2]
BACKEND: Final = "backend"
PORT: Final = 8000
# These are about the machine around a container: the tests do in their place what an engine would.
_AROUND: Final = {"build", "image", "depends_on", "ports", "restart", "healthcheck"}


def podman(*arguments: str, given: str | None = None, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run podman to its end, with what it prints."""
    return subprocess.run(["podman", *arguments], input=given, capture_output=True, text=True, check=check)


@attrs.frozen
class Secrets:
    """What somebody puts into .env."""

    postgres_password: str = attrs.field(factory=lambda: secrets.token_urlsafe(32) + "/+@:%")
    jwt_secret: str = attrs.field(factory=lambda: secrets.token_urlsafe(48))

    def environment(self) -> dict[str, str]:
        """The variables."""
        return {"POSTGRES_PASSWORD": self.postgres_password, "JWT_SECRET": self.jwt_secret}


@cache
def composed(env: Secrets) -> dict[str, Any]:
    """The services, as Compose itself reads them with these secrets and no other setting."""
    done = subprocess.run(
        ["docker-compose", "--file", ROOT / "docker-compose.yml", "--project-directory", ROOT, "config"],
        env={"PATH": os.environ["PATH"], **env.environment()},
        capture_output=True,
        text=True,
        check=True,
    )
    services: dict[str, Any] = yaml.safe_load(done.stdout)["services"]
    return services


def options(service: dict[str, Any]) -> list[str]:
    """podman's options for a service. Fails on a key that nothing here takes care of."""
    left = dict(service)
    for name in (*_AROUND, "command", "environment", "stop_grace_period"):
        left.pop(name, None)
    made = []
    if name := left.pop("container_name", None):
        made += ["--name", name]
    if left.pop("read_only", False):
        # Docker leaves /run and /var/tmp read-only as well.
        made += ["--read-only", "--read-only-tmpfs=false"]
    made += [f"--tmpfs={mount}" for mount in left.pop("tmpfs", [])]
    made += [f"--cap-drop={name}" for name in left.pop("cap_drop", [])]
    made += [f"--security-opt={option}" for option in left.pop("security_opt", [])]
    limits = left.pop("deploy", {}).get("resources", {}).get("limits", {})
    made += [f"--{name}={limits[name]}" for name in ("cpus", "memory") if name in limits]
    assert not left, f"what would podman do with {left}?"
    return made


def environment(service: dict[str, Any]) -> dict[str, str]:
    """What the service's processes find in their environment. Compose writes a dollar sign twice."""
    return {name: str(value).replace("$$", "$") for name, value in service["environment"].items() if value is not None}


def grace_s(service: dict[str, Any]) -> int:
    """How long Compose waits after STOPSIGNAL before it kills."""
    minutes, seconds = re.fullmatch(r"(?:(\d+)m)?(?:(\d+)s)?", service["stop_grace_period"]).groups("0")  # type: ignore[union-attr]
    return int(minutes) * 60 + int(seconds)


def image() -> str:
    """The image under test."""
    named = os.environ.get("KGL_TEST_IMAGE")
    assert named, "KGL_TEST_IMAGE names no image to test; .ci/containers builds one, and runs these tests on it"
    return named


def inspected() -> dict[str, Any]:
    """What podman says of the image."""
    found: dict[str, Any] = json.loads(podman("image", "inspect", image()).stdout)[0]
    return found


def start(name: str, env: Secrets, *, is_detached: bool) -> subprocess.CompletedProcess[str]:
    """Start a service as Compose would. Its database is at the address that the Compose file calls it by: db."""
    service = composed(env)[name]
    variables = environment(service)
    return subprocess.run(
        [
            *("podman", "run", "--pull=never", "--network=host", "--add-host=db:127.0.0.1", "--no-healthcheck"),
            *(("--detach",) if is_detached else ("--rm",)),
            *options(service),
            *(f"--env={variable}" for variable in variables),  # by name: their values are not for the list of processes
            image(),
            *service["command"],
        ],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


@attrs.define
class Backend:
    """The running service. It has what `tests.faults.load` takes of one."""

    env: Secrets
    name: str
    port: int = PORT
    _token: str | None = None

    def kgl(self, *arguments: str, given: str = "") -> str:
        """Run a command in the container, as an operator does."""
        return podman("exec", "--interactive", self.name, "kgl", *arguments, given=given).stdout

    def health(self) -> int:
        """The status of the image's own health check, run in the container: 0 is healthy."""
        kind, *command = inspected()["Healthcheck"]["Test"]
        assert kind == "CMD"
        return podman("exec", self.name, *command, check=False).returncode

    def __call__(self, method: str, path: str, body: bytes | dict[str, Any] | None = None, **headers: str) -> Answer:
        """Send a request as the admin; a dict is sent as JSON, and names of headers have underscores."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if isinstance(body, dict):
            body, given = json.dumps(body).encode(), {"Content-Type": "application/json", **given}
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body, {"Authorization": f"Bearer {self.token}", **given})
            return answer(connection.getresponse())
        finally:
            connection.close()

    @property
    def token(self) -> str:
        """An access token of the first admin, who is made in the container when first needed."""
        if self._token is None:
            self.kgl("user", "create", EMAIL, "--role", "admin", "--password-file", "-", given=PASSWORD)
            self._token = "none"
            login = self("POST", f"{API}/auth/token", {"email": EMAIL, "password": PASSWORD})
            assert login.status == 200, login.body
            self._token = str(login.json["access_token"])
        return self._token

    def stop(self) -> int:
        """Stop it as Compose does: its STOPSIGNAL, and SIGKILL once the time is over. Its exit status."""
        podman("stop", "--time", str(grace_s(composed(self.env)[BACKEND])), self.name)
        return int(podman("inspect", "--format={{.State.ExitCode}}", self.name).stdout)

    def written(self) -> str:
        """What was written to the container's own file system, outside of tmpfs. podman itself writes to /etc."""
        return podman("diff", self.name).stdout.removeprefix("C /etc\n")

    def logs(self) -> tuple[list[dict[str, Any]], str]:
        """The lines on its standard output, and all that it wrote to standard error."""
        told = podman("logs", self.name)
        return [json.loads(line) for line in told.stdout.splitlines()], told.stderr


@contextmanager
def serving(env: Secrets, token: str | None = None, *, is_healthy: bool = True) -> Iterator[Backend]:
    """The backend, from when it is healthy to the end of the block. A token from an earlier run saves a login."""
    started = start(BACKEND, env, is_detached=True)
    assert started.returncode == 0, started.stderr
    backend = Backend(env, composed(env)[BACKEND]["container_name"], token=token)
    try:
        if is_healthy:
            until(lambda: backend.health() == 0)
        yield backend
    finally:
        podman("rm", "--force", "--time=0", backend.name)
