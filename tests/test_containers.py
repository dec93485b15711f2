"""The files of the image and of Compose agree with the code, and keep what they promise. tests/image runs them."""

import json
import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import attrs
import pytest
import yaml

from kgl_core.distribution import DISTRIBUTION
from kgl_http.cli.main import main
from kgl_http.server.serving import GRACEFUL_S
from kgl_http.settings import Settings

ROOT = Path(__file__).parent.parent
SECRETS = ("JWT_SECRET", "POSTGRES_PASSWORD")
VARIABLES = {field.metadata["environ_config"].name for field in attrs.fields(Settings)}


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions, each with its arguments on one line."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    return [(line.split()[0], line.split(maxsplit=1)[1]) for line in text.splitlines() if line.strip()]


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    """The Compose file, with its anchors resolved."""
    found: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return found


def test_the_image_is_made_of_files_that_are_there() -> None:
    """What the Dockerfile copies exists, and is what .dockerignore lets through: nothing less, nothing more."""
    copied = {
        source
        for name, arguments in instructions()
        if name == "COPY" and not arguments.startswith("--from")
        for source in shlex.split(arguments)[:-1]
    }
    assert all((ROOT / source).exists() for source in copied)
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    assert lines[0] == "*"
    assert {line.removeprefix("!") for line in lines if line.startswith("!")} == copied


def test_the_image_holds_what_the_wheel_is_built_of() -> None:
    """Each package that pyproject.toml puts into the wheel is copied."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    copied = " ".join(arguments for name, arguments in instructions() if name == "COPY").split()
    for needed in project["tool"]["hatch"]["build"]["targets"]["wheel"]["only-include"]:
        assert needed in copied
    assert project["project"]["readme"] in copied
    assert {*project["project"]["license-files"]} <= {*copied}


def test_the_image_runs_the_service_as_nobody_in_particular() -> None:
    """A user by number, who is not root, and the command that serves on all addresses."""
    found = dict(instructions())
    assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", found["USER"])
    assert json.loads(found["ENTRYPOINT"]) == ["kgl"]
    command = json.loads(found["CMD"])
    with main.commands[command[0]].make_context(command[0], command[1:]) as context:
        assert context.params["host"] == "0.0.0.0"
        assert found["EXPOSE"] == str(context.params["port"])
        assert f":{context.params['port']}/health/ready" in found["HEALTHCHECK"]


def test_the_image_says_what_it_is() -> None:
    """Its labels name the distribution, its version and its licence, and it is stopped by the signal that drains."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    found = dict(instructions())
    labels = dict(re.findall(r'org\.opencontainers\.image\.(\w+)="(.*?)"', found["LABEL"]))
    assert (labels["title"], labels["version"], labels["licenses"]) == (
        DISTRIBUTION,
        project["version"],
        project["license"],
    )
    assert found["STOPSIGNAL"] == "SIGTERM"


def test_nothing_is_installed_without_a_hash() -> None:
    """Each installation is from a lock with hashes, or of the wheel that was just built, with the network shut off."""
    commands = [
        command
        for name, arguments in instructions()
        if name == "RUN"
        for command in arguments.split("&&")
        if re.search(r"pip\b.* install", command)
    ]
    assert len(commands) == 3
    for command in commands:
        assert ("--require-hashes" in command) != ("--no-index --no-deps" in command)


def pins(lock: str) -> dict[str, str]:
    """What a lock pins: each package's version, marker and hashes by its name."""
    text = re.sub(r"^ *#.*\n", "", (ROOT / lock).read_text(), flags=re.MULTILINE)
    return dict(re.findall(r"^([a-z0-9-]+)==((?:.*\\\n)+.*)\n", text, re.MULTILINE))


def test_the_tools_have_the_versions_that_are_tested() -> None:
    """What lists the image's packages shares some with kgl, in the same versions."""
    tested, pinned = (
        {name: pin.split()[0] for name, pin in pins(lock).items()}
        for lock in ("requirements.lock", "requirements-image.lock")
    )
    assert "cyclonedx-python-lib" in pinned
    assert {name: tested[name] for name in pinned if name in tested}.items() <= pinned.items()


@pytest.mark.parametrize("lock", ["requirements-service.lock", "requirements-build.lock"])
def test_the_image_has_the_versions_that_are_tested(lock: str) -> None:
    """The small locks pin what the large one does, file by file."""
    tested = pins("requirements.lock")
    pinned = pins(lock)
    assert pinned
    assert {name: tested.get(name) for name in pinned} == pinned


def test_the_service_lock_has_all_that_is_needed_and_no_tool() -> None:
    """The library's packages and those of the two extras are in it, those of the developers are not."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extras = project["project"]["optional-dependencies"]
    pinned = pins("requirements-service.lock").keys()
    assert names(project["project"]["dependencies"] + extras["service"] + extras["postgres"]) <= pinned
    assert not names(project["dependency-groups"]["dev"]) & pinned
    assert "hatchling" in pins("requirements-build.lock")


def names(requirements: list[str]) -> set[str]:
    """The packages that requirements name."""
    return {re.split(r"[^A-Za-z0-9-]", requirement)[0] for requirement in requirements}


def test_compose_migrates_before_it_serves(compose: dict[str, Any]) -> None:
    """The database is healthy, then one container migrates, then the backend starts."""
    services = compose["services"]
    assert services["backend"]["depends_on"] == {"migrate": {"condition": "service_completed_successfully"}}
    assert services["migrate"]["depends_on"] == {"db": {"condition": "service_healthy"}}
    assert services["migrate"]["command"] == ["migrate"]
    assert services["db"]["healthcheck"]["test"][1] == "pg_isready"
    assert int(services["db"]["image"].partition("postgres:")[2]) >= 15


def test_compose_names_and_confines_the_backend(compose: dict[str, Any]) -> None:
    """The name that other modules know, no rights, a read-only root, and time to finish when it is stopped."""
    backend = compose["services"]["backend"]
    assert backend["container_name"] == "backend-module"
    assert backend["restart"] == "unless-stopped"
    assert int(backend["stop_grace_period"].removesuffix("s")) > GRACEFUL_S
    assert backend["ports"] == ["127.0.0.1:8000:8000"]
    for service in (backend, compose["services"]["migrate"]):
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert [mount.partition(":")[0] for mount in service["tmpfs"]] == ["/tmp"]
    with main.commands["serve"].make_context("serve", backend["command"][1:]) as context:
        assert context.params["workers"] == int(backend["deploy"]["resources"]["limits"]["cpus"])


def test_compose_takes_every_setting_and_has_no_default_secret(compose: dict[str, Any]) -> None:
    """Each variable is handed on to the backend, the two secrets must be given, and no URL holds one."""
    services = compose["services"]
    assert services["backend"]["environment"].keys() == VARIABLES | {"PGPASSWORD"}
    assert services["migrate"]["environment"].keys() == {"DATABASE_URL", "PGPASSWORD"}
    text = (ROOT / "docker-compose.yml").read_text()
    for secret in SECRETS:
        uses = re.findall(rf"\$\{{?{secret}[^}}]*\}}?", text)
        assert uses[0].startswith(f"${{{secret}:?")
        assert not [use for use in uses if "-" in use.partition(secret)[2][:2]]
    assert "@" in services["backend"]["environment"]["DATABASE_URL"]
    assert not re.search(r"://[^@/]*:[^@/]*@", text)


def test_the_example_of_the_environment_names_every_setting() -> None:
    """Each variable stands in .env.example once, and the secrets are empty."""
    text = (ROOT / ".env.example").read_text()
    given = dict(re.findall(r"^([A-Z_]+)=(.*)$", text, re.MULTILINE))
    offered = re.findall(r"^#([A-Z_]+)=", text, re.MULTILINE)
    assert given == dict.fromkeys(SECRETS, "")
    assert sorted([*given, *offered, "DATABASE_URL"]) == sorted([*VARIABLES, "POSTGRES_PASSWORD"])
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    assert {"/.env", "/.kgl/"} <= {*ignored}
