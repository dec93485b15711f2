"""What ends an account's tokens does so on every worker, also when another process did it."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest

from kgl_http.api.authentication import STANDING_AGE_MAX_S
from tests.serving.service import API, PASSWORD, Answer, Service, answer, kgl, until

OTHER_PASSWORD = "battery horse correct"
AT_ONCE = 8
TAKES_EFFECT_WITHIN_S = 2


@attrs.frozen
class Ending:
    """A command that ends what was issued, what logs in afterwards, and with which role; none if nothing does."""

    command: tuple[str, ...]
    given: str = ""
    password: str = PASSWORD
    role: str | None = "user"


ENDINGS = {
    "role": Ending(("set-role", "{email}", "moderator"), role="moderator"),
    "password": Ending(
        ("set-password", "{email}", "--password-file", "-"), given=OTHER_PASSWORD, password=OTHER_PASSWORD
    ),
    "disabled": Ending(("disable", "{email}"), role=None),
}


def worker_of(service: Service, client_port: int) -> int | None:
    """The worker that holds the other end of a connection; None once it has closed it."""
    ends = f":{service.port:04X} ", f":{client_port:04X} "
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if f"{fields[1]} ".endswith(ends[0]) and f"{fields[2]} ".endswith(ends[1]):
            for worker in service.workers():
                for opened in Path(f"/proc/{worker}/fd").iterdir():
                    try:
                        target = str(opened.readlink())
                    except FileNotFoundError:  # closed meanwhile
                        continue
                    if re.fullmatch(rf"socket:\[{fields[9]}\]", target):
                        return worker
    return None


def ask(service: Service, token: str) -> list[tuple[int | None, Answer]]:
    """Who the token belongs to, asked over several connections at once: which worker answers what."""
    connections = [service.connect() for _ in range(AT_ONCE)]
    try:
        for connection in connections:
            connection.request("GET", f"{API}/auth/me", headers={"Authorization": f"Bearer {token}"})
        found = []
        for connection in connections:
            response = connection.getresponse()
            found.append((worker_of(service, connection.sock.getsockname()[1]), answer(response)))
        return found
    finally:
        for connection in connections:
            connection.close()


def until_every_worker(service: Service, token: str, obeys: Callable[[Answer], bool]) -> None:
    """Ask until each worker has answered as it should."""
    obeying: set[int | None] = set()

    def all_obey() -> bool:
        obeying.update(worker for worker, found in ask(service, token) if obeys(found))
        return service.workers() <= obeying

    until(all_obey)


def log_in(service: Service, email: str, password: str) -> Any:
    """The answer to a login."""
    return service("POST", f"{API}/auth/token", {"email": email, "password": password})


@pytest.mark.parametrize("name", ENDINGS)
def test_an_ending_reaches_every_worker(service: Service, name: str) -> None:
    """Each, having just let the token in, refuses it soon after; what is issued next is taken as it now is."""
    assert STANDING_AGE_MAX_S <= TAKES_EFFECT_WITHIN_S
    ending, email = ENDINGS[name], f"{name}@example.org"
    kgl(service, "user", "create", email, "--password-file", "-", given=PASSWORD)
    issued = log_in(service, email, PASSWORD).json
    until_every_worker(service, issued["access_token"], lambda found: found.status == 200)
    kgl(service, "user", *(part.format(email=email) for part in ending.command), given=ending.given)
    until_every_worker(service, issued["access_token"], lambda found: found.status == 401)
    assert {found.status for _, found in ask(service, issued["access_token"])} == {401}
    assert service("POST", f"{API}/auth/refresh", {"refresh_token": issued["refresh_token"]}).status == 401
    again = log_in(service, email, ending.password)
    if ending.role is None:
        assert again.status == 401
        return
    until_every_worker(
        service,
        again.json["access_token"],
        lambda found: found.status == 200 and found.data["role"] == ending.role,
    )
