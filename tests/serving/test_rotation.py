"""Signing keys are rotated as the how-to says, by restarts that overlap, while people log in and use their tokens."""

import json
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from http.client import HTTPException
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from tests.adapters.keys import KEYS, decoded, pem
from tests.serving.service import API, EMAIL, PASSWORD, Answer, Service, kgl, serving, until
from tests.serving.test_other_module import AUDIENCE, ISSUER, told


class Fleet:
    """Processes over one database and one folder of keys, each of which takes over from the one before it."""

    def __init__(self, alg: str, database_url: str, folder: Path, stack: ExitStack) -> None:
        self.alg, self.keys = alg, folder / "keys"
        self.keys.mkdir()
        self._url, self._folder, self._stack = database_url, folder, stack
        self._started, self._rounds = 0, 0
        self.running: tuple[Service, ...] = ()
        self.tokens: list[str] = []

    def start(self) -> None:
        """Start a process with the keys as they are now."""
        self._started += 1
        names = {"JWT_ALG": self.alg, "JWT_KEYS": str(self.keys), "JWT_ISSUER": ISSUER, "JWT_AUDIENCE": AUDIENCE}
        folder = self._folder / f"run{self._started}"
        made = self._stack.enter_context(serving(self._url, folder, workers=1, threads=4, **names))
        made._token = "none"
        assert made("GET", "/health/ready").status == 200
        self.running += (made,)

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Log in at each process, and show each token to each, all the time while the block runs."""
        is_over = Event()

        def keep_asking() -> None:
            while not is_over.is_set():
                self._ask_everywhere()
                self._rounds += 1

        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(keep_asking)
            self._asked: Future[None] = asked
            try:
                yield
            finally:
                is_over.set()
            asked.result()

    def replace(self) -> None:
        """Start a process, see that both it and the one before take every token of each, and stop that one."""
        self.start()
        before = self._rounds
        until(lambda: self._rounds > before + 2 or self._asked.done())  # the second has begun, and ended, with both
        tokens = tuple(self.tokens)
        for service in self.running:
            assert all(isinstance(said, dict) for said in told(service, self.alg, *tokens))
        leaving, *staying = self.running
        self.running = tuple(staying)
        assert leaving.stop() == 0

    def published(self) -> list[str]:
        """The ids of the keys that the newest process publishes, the active one first."""
        return [key["kid"] for key in self.running[-1]("GET", "/.well-known/jwks.json").json["keys"]]

    def _ask_everywhere(self) -> None:
        for service in self.running:
            found = self._ask(service, "POST", "/auth/token", {"email": EMAIL, "password": PASSWORD})
            if found is not None:
                self.tokens.append(found.json["access_token"])
        for token in self.tokens:
            for service in self.running:
                self._ask(service, "GET", "/auth/me", Authorization=f"Bearer {token}")

    def _ask(self, service: Service, method: str, path: str, body: Any = None, **headers: str) -> Answer | None:
        """The answer, a good one; only a process that was to stop may give none."""
        try:
            answer = service(method, API + path, body, **headers)
        except (OSError, HTTPException):
            assert service not in self.running
            return None
        assert answer.status == 200, answer.body
        return answer


def kid(token: str) -> str:
    """The id of the key that signed a token."""
    return str(json.loads(decoded(token.split(".")[0]))["kid"])


@pytest.mark.parametrize("alg", KEYS)
def test_no_token_is_refused_while_keys_are_rotated(alg: str, sqlite_url: str, tmp_path: Path) -> None:
    """Announce, switch, clear away: kgl and another module take what any process has issued, until that key is gone."""
    with ExitStack() as stack:
        fleet = Fleet(alg, sqlite_url, tmp_path, stack)
        (fleet.keys / "active-2026.pem").write_bytes(pem(KEYS[alg](7)))
        fleet.start()
        kgl(fleet.running[0], "user", "create", EMAIL, "--password-file", "-", given=PASSWORD)
        [old] = fleet.published()
        with fleet.asking():
            (fleet.keys / "next-2027.pem").write_bytes(pem(KEYS[alg](8)))
            fleet.replace()
            announced = fleet.published()
            (fleet.keys / "active-2026.pem").rename(fleet.keys / "retired-2026.pem")
            (fleet.keys / "next-2027.pem").rename(fleet.keys / "active-2027.pem")
            fleet.replace()
        [new] = {*announced} - {old}
        assert (announced, fleet.published()) == ([old, new], [new, old])
        assert {kid(token) for token in fleet.tokens} == {old, new}
        last = fleet.tokens[0]
        fleet.tokens = [token for token in fleet.tokens if kid(token) == new]  # by then, the others have expired
        with fleet.asking():
            (fleet.keys / "retired-2026.pem").unlink()
            fleet.replace()
        assert fleet.published() == [new]
        [service] = fleet.running
        assert service("GET", f"{API}/auth/me", Authorization=f"Bearer {last}").status == 401
        assert told(service, alg, last) == ["InvalidTokenError"]
