"""Clients that send slowly, or nothing: what kgl bears by itself, and what nginx keeps away from it."""

import shutil
import ssl
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from http.client import HTTPSConnection
from pathlib import Path
from typing import Final

import pytest

from kgl_http.server.serving import GRACEFUL_S
from tests.faults.nginx import nginx
from tests.serving.service import API, Service, serving

SLOW: Final = 200
HEALTHY: Final = 4
REQUESTS: Final = 1500
"""How many each healthy client sends in a window, which lasts for as long as each slow one needs for a byte or two."""
WINDOWS: Final = 5
CHECKOUT: Final = Path(__file__).parents[2]


@contextmanager
def slow_clients(port: int) -> Iterator[None]:
    """SLOW of them through TLS, for as long as the block runs; each must have sent some bytes by then."""
    command = [sys.executable, "-m", "tests.faults.slow_clients", str(port), str(SLOW), "tls"]
    with subprocess.Popen(
        command, cwd=CHECKOUT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "connected\n"
        yield
        told, errors = process.communicate()
    assert (process.returncode, errors) == (0, "")
    assert int(told) >= SLOW


def p99_ms(service: Service, port: int, path: str) -> float:
    """What 99 in 100 requests of some clients at once take at most, each of which must be answered with 200."""
    tls = ssl.create_default_context()
    tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    headers = {"Authorization": f"Bearer {service.token}"}

    def send_all(_: int) -> list[float]:
        connection = HTTPSConnection("127.0.0.1", port, timeout=20, context=tls, source_address=("127.0.0.2", 0))
        took = []
        for _ in range(REQUESTS):
            begin = time.perf_counter()
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            answer.read()
            took.append(time.perf_counter() - begin)
            assert answer.status == 200
        connection.close()
        return took

    with ThreadPoolExecutor(HEALTHY) as clients:
        took = [each for client in clients.map(send_all, range(HEALTHY)) for each in client]
    return statistics.quantiles(took, n=100)[98] * 1000


@pytest.mark.soak
def test_behind_nginx_slow_clients_slow_nobody_else(
    database_url: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Beside 200 that send a byte a second, all others are served, 99 in 100 within twice the time of before."""
    before, beside = list[float](), list[float]()
    record_property("p99_ms", (before, beside))
    with serving(database_url, tmp_path / "run") as service, nginx(service.port, tmp_path / "nginx") as port:
        made = service("POST", f"{API}/entities", {"type": "fault", "name": "slow"})
        path = f"{API}/entities/{made.data['id']}"
        p99_ms(service, port, path)  # until everything is warm
        for _ in range(WINDOWS):
            before.append(p99_ms(service, port, path))
            with slow_clients(port):
                beside.append(p99_ms(service, port, path))
    assert statistics.median(beside) <= 2 * statistics.median(before)


def test_clients_that_send_nothing_hold_no_thread(sqlite_template: Path, tmp_path: Path) -> None:
    """Many more than threads, some before their first request, some after it: others are served, and it can stop."""
    file = tmp_path / "graph.db"
    shutil.copy(sqlite_template, file)
    with ExitStack() as open_until_then, serving(f"sqlite:///{file}", tmp_path / "run") as service:
        for _ in range(SLOW // 2):
            open_until_then.enter_context(service.socket())
            kept = service.connect()
            open_until_then.callback(kept.close)
            kept.request("GET", "/health")
            assert kept.getresponse().read()
        for _ in range(10):
            assert service("GET", f"{API}/entities").status == 200
        begin = time.monotonic()
        assert service.stop() == 0
        assert time.monotonic() - begin < GRACEFUL_S / 2
