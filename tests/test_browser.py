"""The two pages that show the API's document work in a real browser, which reaches nothing but the service."""

import html
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any, Final
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import pytest

from tests.http.conftest import making_apis
from tests.http.document import DOCUMENT, OPERATIONS
from tests.programs import program

OPTIONS: Final = (
    "--headless",
    "--no-sandbox",  # root and containers cannot have one; the pages are our own
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-extensions",
    "--disable-sync",
    "--no-first-run",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--enable-logging=stderr",
    "--virtual-time-budget=20000",
    "--dump-dom",
)
# Redoc 3.0 shows its maker's logo from its maker's site, and nothing in place of it when it cannot.
LOGO: Final = "Loading the image 'https://cdn.redoc.ly/redoc/logo-mini"


class Server(ThreadingMixIn, WSGIServer):
    """Serves several requests at once, as a browser sends them."""

    daemon_threads = True


class Handler(WSGIRequestHandler):
    """Keeps its log to itself."""

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Where the real application is served."""
    with (
        making_apis("memory://") as make_api,
        make_server("127.0.0.1", 0, make_api().client.app, Server, Handler) as server,
    ):
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def browse(place: str, profile: Path) -> tuple[str, list[str]]:
    """What a page has become once its scripts have run, and what the browser's console says of it."""
    command = [program("chromium"), *OPTIONS, f"--user-data-dir={profile}", place]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return html.unescape(done.stdout), [line for line in done.stderr.splitlines() if ":CONSOLE:" in line]


def summaries(tag: str | None = None) -> set[str]:
    """What operations are for: all of them, or those of a tag."""
    return {found["summary"] for _, _, found in OPERATIONS.values() if tag is None or tag in found["tags"]}


def test_swagger_ui_shows_every_operation(address: str, tmp_path: Path) -> None:
    """The page loads the document and lists what can be done; nothing of it is blocked or fails."""
    page, console = browse(f"{address}/api/v1/docs", tmp_path)
    assert {summary for summary in summaries() if summary not in page} == set()
    assert console == []


@pytest.mark.parametrize("tag", ["entities", "auth"])
def test_redoc_shows_the_operations_of_a_tag(address: str, tmp_path: Path, tag: str) -> None:
    """The page loads the document and shows it by tags; nothing of it fails or asks for anything elsewhere."""
    page, console = browse(f"{address}/api/v1/redoc#{tag}", tmp_path)
    assert {found["name"] for found in DOCUMENT["tags"] if found["name"] not in page} == set()
    assert {summary for summary in summaries(tag) if summary not in page} == set()
    refused = [line for line in console if "Content Security Policy" in line or "Error" in line or "Failed" in line]
    assert [line for line in refused if LOGO not in line] == []
