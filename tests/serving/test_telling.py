"""A log, or metrics, that can't be written: every answer and every effect is as if they could."""

import fcntl
import json
import os
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.serving.service import API, BIN, KGL, Service, serving, until

REQUESTS = 10
_SMALL_PIPE = 4096
_NO_FILE_GROWS = f"""
import os, resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
os.execv({KGL!r}, [{KGL!r}, *sys.argv[1:]])
"""


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


@contextmanager
def serving_to(out: int, url: str, folder: Path, **more: Any) -> Iterator[Service]:
    """A service whose log goes to this descriptor, which is closed in this process, once it answers."""
    with serving(url, folder, out=out, port=free_port(), **more) as service:
        os.close(out)
        until(lambda: answers(service))
        yield service


def answers(service: Service) -> bool:
    """Whether it answers."""
    connection = service.connect()
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except OSError:
        assert service.process.poll() is None, service.err
        return False
    finally:
        connection.close()


def use(service: Service) -> None:
    """Health checks, readings, writings, refusals and an unexpected error, each answered; what was written is kept."""
    made = []
    for number in range(REQUESTS):
        assert service("GET", "/health").status == 200
        created = service("POST", f"{API}/entities", {"type": "person", "name": f"Ada {number}"})
        assert created.status == 201
        made.append(created.data["id"])
        assert service("GET", f"{API}/entities/{made[-1]}").status == 200
        assert service("POST", f"{API}/entities", {"type": "person"}).status == 422
    assert service("GET", "/health/ready").status == 200
    assert service("GET", f"{API}/entities?count=exact").json["meta"]["total"] == REQUESTS
    for worker in service.workers():  # gunicorn starts another, and says so
        os.kill(worker, signal.SIGTERM)
        until(lambda gone=worker: gone not in service.workers())
        until(lambda: answers(service))
        assert service("GET", f"{API}/entities/{made[0]}").status == 200


def dropped(service: Service) -> float:
    """How many lines of the log its metrics say were dropped."""
    text = service("GET", "/metrics").body.decode()
    [line] = [line for line in text.splitlines() if line.startswith("kgl_log_lines_dropped_total ")]
    return float(line.split()[1])


@pytest.mark.parametrize("when", ["before it starts", "while it serves"])
def test_a_log_whose_pipe_is_closed_changes_nothing(sqlite_url: str, tmp_path: Path, when: str) -> None:
    """Lines that are dropped are counted, and the service stops with 0."""
    reader, writer = os.pipe()
    if when == "before it starts":
        os.close(reader)
    with serving_to(writer, sqlite_url, tmp_path / "run") as service:
        if when == "while it serves":
            os.close(reader)
        use(service)
        until(lambda: dropped(service) > 0)


def test_a_log_on_a_full_disk_changes_nothing(sqlite_url: str, tmp_path: Path) -> None:
    """As above."""
    with serving_to(os.open("/dev/full", os.O_WRONLY), sqlite_url, tmp_path / "run") as service:
        use(service)
        until(lambda: dropped(service) > REQUESTS)


def test_a_log_that_nobody_reads_holds_up_nobody(sqlite_url: str, tmp_path: Path) -> None:
    """The pipe is full all the time; the service answers and stops."""
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, _SMALL_PIPE)
    with serving_to(writer, sqlite_url, tmp_path / "run") as service:
        use(service)
    os.close(reader)


def test_files_that_cannot_grow_change_nothing(own_postgres_url: str, tmp_path: Path) -> None:
    """Neither the log nor the metrics can be written: each worker then shows its own metrics."""
    out = os.open(tmp_path / "log", os.O_WRONLY | os.O_CREAT)
    command = (sys.executable, "-c", _NO_FILE_GROWS)
    with serving_to(out, own_postgres_url, tmp_path / "run", command=command) as service:
        use(service)
        until(lambda: dropped(service) > 0)
    assert (tmp_path / "log").read_bytes() == b""


def test_files_that_stop_growing_change_nothing(own_postgres_url: str, tmp_path: Path) -> None:
    """All the room that metrics take was reserved before."""
    with serving(own_postgres_url, tmp_path / "run") as service:
        assert service("GET", "/health").status == 200
        for process in service.processes():
            resource.prlimit(process, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
        for _ in range(REQUESTS):
            assert service("POST", f"{API}/entities", {"type": "person", "name": "Ada"}).status == 201
        until(lambda: dropped(service) > 0)
        assert b'kgl_http_requests_total{method="POST",route="/api/v1/entities",status="201"}' in (
            service("GET", "/metrics").body
        )
        for process in service.processes():
            resource.prlimit(process, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


WRITERS = """
import logging, os, sys
import structlog
from kgl_http.server import log

log.configure(level="INFO", module_id="lab")
children = []
for number in range(4):
    child = os.fork()
    if not child:
        if number % 2:
            log.write_behind(lambda count: None)
        for turn in range(30):
            structlog.get_logger("long").info("long", text=str(number) * 20_000, turn=turn)
            logging.getLogger("short").info("short %d", number)
        log._log.lines.flush(60)
        os._exit(0)
    children.append(child)
sys.exit(any(os.waitpid(child, 0)[1] for child in children))
"""


def test_long_lines_of_several_processes_stay_whole() -> None:
    """On one pipe, also when it is full most of the time, and whoever writes behind or at once."""
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, _SMALL_PIPE)
    with subprocess.Popen([BIN / "python", "-c", WRITERS], stdout=writer) as process, open(reader, "rb") as pipe:
        os.close(writer)
        lines = [json.loads(line) for line in pipe]
    assert process.returncode == 0
    told = [(line["text"], line["turn"]) for line in lines if line["message"] == "long"]
    assert sorted(told) == [(str(number) * 20_000, turn) for number in range(4) for turn in range(30)]
    assert len(lines) == 4 * 30 * 2


BROKEN = """
import logging, os, sys, warnings
import structlog
from kgl_http.server import log

log.configure(level="DEBUG", module_id="lab", is_readable=sys.argv[1] == "text")
for turn in range(3):
    structlog.get_logger("ours").info("ours")
    logging.getLogger("theirs").warning("theirs %s", "\\ud800")
    warnings.warn(f"of Python {turn}")
    try:
        1 / 0
    except ZeroDivisionError:
        structlog.get_logger("ours").exception("failed")
        logging.getLogger("gunicorn.error").exception("theirs")
    log.tell("ours", "told", path="\\ud800", number=2**70)
sys.stderr.write("done")
"""


@pytest.mark.parametrize("form", ["json", "text"])
@pytest.mark.parametrize("out", ["closed pipe", "full disk", "nothing", "closed terminal"])
def test_whoever_logs_goes_on(form: str, out: str) -> None:
    """Our lines and others', tracebacks, warnings, and what is hard to write: nothing is raised, and nothing said."""
    with ExitStack() as stack:
        command = [str(BIN / "python"), "-c", BROKEN, form]
        if out == "closed pipe":
            reader, descriptor = os.pipe()
            os.close(reader)
        elif out == "full disk":
            descriptor = os.open("/dev/full", os.O_WRONLY)
        elif out == "closed terminal":
            terminal, descriptor = os.openpty()
            os.close(terminal)
        else:
            command = ["/bin/sh", "-c", 'exec "$@" >&-', "sh", *command]
            descriptor = os.open(os.devnull, os.O_WRONLY)
        stack.callback(os.close, descriptor)
        done = subprocess.run(command, stdout=descriptor, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr) == (0, "done")
