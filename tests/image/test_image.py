"""The image, run as docker-compose.yml runs it: migrated, served, loaded, stopped under load."""

import shlex
from collections.abc import Iterator
from typing import Final

import pytest

from tests.faults.load import Attempt, check_kept, load
from tests.image.containers import (
    BACKEND,
    PORT,
    ROOT,
    Secrets,
    composed,
    image,
    inspected,
    options,
    podman,
    serving,
    start,
)
from tests.image.database import database
from tests.serving.service import API, until

pytestmark = pytest.mark.image

STOPS: Final = 10
SIZE_MAX: Final = 150 << 20
"""What kgl may add to its base."""


@pytest.fixture
def env() -> Secrets:
    """New secrets."""
    return Secrets()


@pytest.fixture
def url(env: Secrets, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A database that the image itself has migrated; its password is where libpq looks for it."""
    monkeypatch.setenv("PGPASSWORD", env.postgres_password)
    with database(env) as made:
        migrated = start("migrate", env, is_detached=False)
        assert migrated.returncode == 0, migrated.stderr
        yield made


def test_migrating_twice_is_migrating_once(env: Secrets, url: str) -> None:
    """The migration may run again, as it does at each `docker compose up`."""
    again = start("migrate", env, is_detached=False)
    assert (again.returncode, again.stderr) == (0, "")


def test_people_work_with_it(env: Secrets, url: str) -> None:
    """The first admin is made in the container and logs in; the demo is imported, listed and exported."""
    with serving(env) as backend:
        demo = (ROOT / "docs" / "demo" / "demo.ndjson").read_bytes()
        loaded = backend("POST", f"{API}/import", demo, Content_Type="application/x-ndjson")
        assert loaded.status == 200, loaded.body
        assert loaded.json["summary"]["refused"] == 0
        exported = backend("GET", f"{API}/export").body
        assert len(exported.splitlines()) == len(demo.splitlines())
        assert backend("GET", f"{API}/entities?limit=1").data != []
        assert backend("GET", f"{API}/docs").status == 200
        assert '"entities"' in backend.kgl("stats", "--json")
        assert backend.health() == 0
        assert backend.stop() == 0
        assert backend.written() == ""
        lines, errors = backend.logs()
        assert errors == ""
        assert {line["level"] for line in lines} == {"INFO"}
        assert {f"{API}/import", f"{API}/auth/token"} <= {line.get("path") for line in lines}
        told = podman("logs", backend.name).stdout
        assert not [secret for secret in (*env.environment().values(), backend.token) if secret in told]


def test_stopping_under_load_drops_nothing(env: Secrets, url: str) -> None:
    """Ten times: each accepted request is answered, the status is 0, and what was acknowledged is in the database."""
    attempts: list[Attempt] = []
    token = None
    for number in range(STOPS):
        with serving(env, token) as backend:
            with load(backend, f"stop{number}") as ledger:  # type: ignore[arg-type]
                ledger.wait_for(201, 40)
                assert backend.stop() == 0
            token = backend.token
            assert backend.logs()[1] == ""
            assert backend.written() == ""
        assert ledger.lost() == []
        assert {*ledger.statuses()} <= {201, 503, None}
        attempts += ledger.attempts
    check_kept(url, attempts)


def test_the_health_check_waits_for_the_migration(env: Secrets) -> None:
    """It runs on a database that nobody has migrated, and is not healthy; after the migration it is, by itself."""
    with database(env), serving(env, is_healthy=False) as backend:
        until(lambda: "Listening" in podman("logs", backend.name).stdout)
        assert backend.health() == 1
        assert start("migrate", env, is_detached=False).returncode == 0
        until(lambda: backend.health() == 0)


def test_it_has_no_rights_and_nothing_that_it_does_not_need(env: Secrets) -> None:
    """A user by number, no capabilities, no place to write to but tmpfs; no compiler, no pip; small."""
    found = inspected()
    assert found["User"] == "10001:10001"
    assert found["Config"]["StopSignal"] == "SIGTERM"
    [base] = {line.split()[1] for line in (ROOT / "Dockerfile").read_text().splitlines() if line.startswith("FROM")}
    own = found["Size"] - int(podman("image", "inspect", "--format={{.Size}}", base).stdout)
    assert own < SIZE_MAX
    script = """
        id -u; grep -E '^(CapEff|CapBnd|NoNewPrivs):' /proc/self/status
        for place in / /data /opt/kgl /var/tmp /run /home; do touch $place/x 2>/dev/null && echo wrote to $place; done
        touch /tmp/x && echo tmp
        for tool in gcc cc g++ make ld pip pip3 curl wget; do command -v $tool && echo has $tool; done
        find / -xdev -perm /6000 -type f -path '/opt/*'
        true
    """
    shell = podman(
        *("run", "--rm", "--pull=never", "--network=none", "--no-healthcheck"),
        *options({**composed(env)["migrate"]}),
        *("--entrypoint=sh", image(), "-c", script),
    )
    assert shlex.split(shell.stdout) == [
        *("10001", "CapEff:", "0000000000000000", "CapBnd:", "0000000000000000", "NoNewPrivs:", "1", "tmp"),
    ], shell.stdout


def test_the_ports_are_those_of_the_image(env: Secrets) -> None:
    """Compose publishes the port that the image exposes."""
    assert [*inspected()["Config"]["ExposedPorts"]] == [f"{PORT}/tcp"]
    assert composed(env)[BACKEND]["ports"] == [f"127.0.0.1:{PORT}:{PORT}/tcp"]
