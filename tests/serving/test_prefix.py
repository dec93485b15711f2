"""A service below a path of another site: a proxy takes the path away, and everything leads back through it."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

import pytest

from tests.serving.service import API, Answer, Service, answer, serving

PREFIX: Final = "/labs/kgl"


@contextmanager
def stripping_proxy(service: Service) -> Iterator[int]:
    """The port of a proxy that offers the service below PREFIX, and nothing else."""

    class Handler(BaseHTTPRequestHandler):
        def forward(self) -> None:
            if not self.path.startswith(f"{PREFIX}/"):
                self.send_error(404, "this is another site")
                return
            body = self.rfile.read(int(self.headers["Content-Length"] or 0))
            connection = service.connect()
            connection.request(self.command, self.path.removeprefix(PREFIX), body, dict(self.headers.items()))
            found = connection.getresponse()
            content = found.read()
            connection.close()
            self.send_response(found.status)
            for name, value in found.getheaders():
                if name.lower() not in ("connection", "transfer-encoding", "content-length", "server", "date"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = forward  # noqa: N815  # as http.server calls them

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever).start()
        yield server.server_port
        server.shutdown()


@contextmanager
def offered(url: str, folder: Path, **environment: str) -> Iterator[tuple[Service, str]]:
    """A service, and its address behind the proxy."""
    with serving(url, folder, **environment) as service, stripping_proxy(service) as port:
        yield service, f"http://127.0.0.1:{port}{PREFIX}/"


def ask(service: Service, method: str, url: str, body: str | None = None) -> Answer:
    """An answer through the proxy."""
    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=20)
    headers = {"Authorization": f"Bearer {service.token}", "Content-Type": "application/json"}
    connection.request(method, parts.path, body, headers)
    found = answer(connection.getresponse())
    connection.close()
    return found


@pytest.mark.parametrize("root_path", ["", PREFIX])
def test_pages_lead_right_with_and_without_the_setting(sqlite_url: str, tmp_path: Path, root_path: str) -> None:
    """From the root to the page of the API, its scripts, its document, and its server."""
    with offered(sqlite_url, tmp_path / "run", ROOT_PATH=root_path) as (service, root):
        moved = ask(service, "GET", root)
        assert moved.status == 302
        docs = urljoin(root, moved.headers["location"])
        page = ask(service, "GET", docs)
        assert page.status == 200
        places = re.findall(r'(?:src|href|data-document)="([^":]+)"', page.body.decode())
        assert len(places) == 4
        for place in places:
            assert ask(service, "GET", urljoin(docs, place)).status == 200
        [document] = [urljoin(docs, place) for place in places if place.endswith("openapi.json")]
        [server] = ask(service, "GET", document).json["servers"]
        assert urljoin(document, server["url"]) == root


def test_answers_lead_right_with_the_setting(sqlite_url: str, tmp_path: Path) -> None:
    """A new record's Location, a problem's type and instance, and the link on the problem's page."""
    with offered(sqlite_url, tmp_path / "run", ROOT_PATH=PREFIX) as (service, root):
        made = ask(service, "POST", f"{root}{API[1:]}/entities", '{"type": "t", "name": "n"}')
        assert made.status == 201
        assert ask(service, "GET", urljoin(root, made.headers["location"])).data == made.data
        problem = ask(service, "GET", f"{root}nowhere")
        assert (problem.status, problem.json["instance"]) == (404, f"{PREFIX}/nowhere")
        explained = urljoin(root, problem.json["type"])
        page = ask(service, "GET", explained)
        assert (page.status, b"There is nothing at this path" in page.body) == (200, True)
        [back] = re.findall(r'<a href="([^"]+)"', page.body.decode())
        assert ask(service, "GET", urljoin(explained, back)).status == 200
