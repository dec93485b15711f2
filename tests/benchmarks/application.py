"""What a request costs in the application alone: no server, no network but to PostgreSQL, one thread.

``python -m tests.benchmarks.application URL`` measures kgl and the floor by turns over the database with this URL,
which holds entities already, and prints one line of JSON for each kind of work.
"""

import io
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from unittest import mock

import attrs

from kgl_adapters import connect
from tests.benchmarks.records import entity_lines, key_of

ENTITIES: Final = 10_000
ROUNDS: Final = 41
_CALLS: Final = {"GET by id": 400, "list of 50": 80, "create": 200}
_CHECKOUT: Final = Path(__file__).parents[2]
_SETTINGS: Final = {"JWT_SECRET": "for measurements only, of no use to anybody", "REGISTRATION": "closed"}
_LOGIN: Final = {"email": "bench@example.org", "password": "for measurements only"}

App = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


@attrs.frozen
class Cost:
    """Medians of one kind of work: microseconds of CPU and calls of Python functions, of kgl and of the floor."""

    work: str
    kgl_us: float
    floor_us: float
    kgl_calls: int
    floor_calls: int


def compare_applications(url: str) -> list[Cost]:
    """Load entities into the empty database at ``url``, and measure in a process of its own."""
    with connect(url, migrate=True) as kg:
        kg.load(entity_lines(0, ENTITIES))
    with tempfile.TemporaryDirectory(prefix="kgl-bench-") as folder:
        done = subprocess.run(
            [sys.executable, "-m", "tests.benchmarks.application", url],
            env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": folder, "FLOOR_DATABASE_URL": _plain(url)},
            stdout=subprocess.PIPE,
            cwd=_CHECKOUT,
            check=True,
        )
    return [Cost(**json.loads(line)) for line in done.stdout.splitlines()]


def _plain(url: str) -> str:
    from tests.benchmarks.contenders import plain

    return plain(url)


def _measure(url: str) -> list[Cost]:
    from tests.benchmarks.floor import app as floor

    with tempfile.TemporaryFile("w+") as log, connect(url) as kg:
        chance = random.Random(7)
        ids = [str(kg.entities.get_by_key(key_of(chance.randrange(ENTITIES))).id) for _ in range(_CALLS["GET by id"])]
        if kg.users.list().items == ():
            kg.users.create(**_LOGIN)
        kgl = _application(url, log)
        token = json.loads(_ask(kgl, _request("POST", "/api/v1/auth/token", _LOGIN)))["access_token"]
        headers = {"HTTP_AUTHORIZATION": f"Bearer {token}"}
        return [
            _compare(work, kgl, floor, requests[: _CALLS[work]], headers) for work, requests in _requests(ids).items()
        ]


def _application(url: str, log: Any) -> App:
    """kgl's application as a worker has it, with its log in a file."""
    from kgl_http.container import Container
    from kgl_http.server import log as logs
    from kgl_http.settings import read_settings

    settings = read_settings({**_SETTINGS, "DATABASE_URL": url})
    with mock.patch.object(sys, "stdout", log):
        logs.configure(level="INFO", module_id="backend")
    container = Container(settings=settings)
    container.init_resources()
    logs.write_behind(container.metrics().dropped_lines)
    app: App = container.app()
    return app


def _requests(ids: Sequence[str]) -> Mapping[str, Sequence[dict[str, Any]]]:
    drafts = [json.loads(line) for line in entity_lines(0, _CALLS["create"])]
    for draft in drafts:
        del draft["kind"], draft["key"]
    return {
        "GET by id": [_request("GET", f"/api/v1/entities/{id}") for id in ids],
        "list of 50": [_request("GET", "/api/v1/entities")] * _CALLS["list of 50"],
        "create": [_request("POST", "/api/v1/entities", draft) for draft in drafts],
    }


def _request(method: str, path: str, body: Any = None) -> dict[str, Any]:
    """A request as gunicorn hands it to an application; its body as bytes under ``body``."""
    sent = b"" if body is None else json.dumps(body, ensure_ascii=False).encode()
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "RAW_URI": path,
        "SCRIPT_NAME": "",
        "QUERY_STRING": "",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": "127.0.0.1:8000",
        "wsgi.url_scheme": "http",
        "wsgi.errors": sys.stderr,
        "wsgi.input_terminated": True,
        "body": sent,
    }
    if sent:
        environ |= {"CONTENT_TYPE": "application/json", "CONTENT_LENGTH": str(len(sent))}
    return environ


def _ask(app: App, environ: dict[str, Any]) -> bytes:
    said: list[str] = []
    answer = app({**environ, "wsgi.input": io.BytesIO(environ["body"])}, lambda status, _: said.append(status))
    body = b"".join(answer)
    if said[0][0] != "2":
        raise RuntimeError(f"unexpected answer: {said[0]} {body!r}")
    return body


def _compare(work: str, kgl: App, floor: App, requests: Sequence[dict[str, Any]], headers: dict[str, str]) -> Cost:
    ours = [{**request, **headers} for request in requests]
    took: list[tuple[float, float]] = []
    for turn in range(ROUNDS + 2):
        if turn % 2:
            pair = _time(kgl, ours), _time(floor, requests)
        else:
            pair = tuple(reversed((_time(floor, requests), _time(kgl, ours))))  # type: ignore[assignment]
        if turn >= 2:  # before that, caches fill
            took.append(pair)
    calls = _calls(kgl, ours[0]), _calls(floor, requests[0])
    kgl_us, floor_us = (round(statistics.median(each), 1) for each in zip(*took, strict=True))
    return Cost(work, kgl_us, floor_us, *calls)


def _time(app: App, requests: Sequence[dict[str, Any]]) -> float:
    began = time.process_time()
    for request in requests:
        _ask(app, request)
    return (time.process_time() - began) / len(requests) * 1e6


def _calls(app: App, request: dict[str, Any]) -> int:
    """How many Python functions a request calls: the same number whatever else the machine does."""
    count = 0

    def note(_: Any, what: str, __: Any) -> None:
        nonlocal count
        count += what == "call"

    sys.setprofile(note)
    try:
        _ask(app, request)
    finally:
        sys.setprofile(None)
    return count


if __name__ == "__main__":
    for cost in _measure(sys.argv[1]):
        print(json.dumps(attrs.asdict(cost)), flush=True)
