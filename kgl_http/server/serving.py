"""``kgl serve``: gunicorn, set up for kgl. Each worker makes its own container after it is forked."""

from __future__ import annotations

import gc
import logging
import os
import secrets
import shutil
import signal
import socket
import sys
import tempfile
import threading
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import structlog
from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger

from kgl_adapters.sql.engine.engines import parse_url, shown
from kgl_adapters.sql.engine.sqlite_files import advice_on_modes
from kgl_core.distribution import DISTRIBUTION
from kgl_http.cli.terminal import note, opened
from kgl_http.server import log
from kgl_http.server.listener import listen, refuse
from kgl_http.server.shares import Shares
from kgl_http.server.worker import Worker
from kgl_http.settings import InvalidSettings, Settings, secret_fault

GRACEFUL_S: Final = 30
"""How long requests may go on after SIGTERM."""
KEEP_ALIVE_S: Final = 75  # longer than nginx keeps its own connections, so that it never writes to a closed one
_REQUEST_LINE_BYTES_MAX: Final = 8190  # a GET by 200 ids needs most of it
# A heartbeat on a disk would stall with the disk; metrics are written through mmap, and on a full disk that is SIGBUS.
_SHARED_MEMORY: Final = "/dev/shm"  # noqa: S108
_COLLECTED_FROM: Final = 50_000
"""So many objects must be new, and still there, before a worker's garbage collector looks for cycles among them."""
DEVELOPMENT_SECRET: Final = Path(".kgl/jwt_secret")

_log = structlog.get_logger("kgl_http.server.serving")


class Service(BaseApplication):  # type: ignore[misc]
    """The service under gunicorn, on a socket that listens. ``run`` ends with SystemExit, in the workers too."""

    def __init__(self, settings: Settings, listener: socket.socket, *, workers: int, threads: int) -> None:
        self._settings, self._workers, self._threads = settings, workers, threads
        self._options = {
            "bind": f"fd://{listener.detach()}",
            "workers": workers,
            "threads": threads,
            "worker_class": Worker,
            "control_socket_disable": True,
            "graceful_timeout": GRACEFUL_S,
            "keepalive": KEEP_ALIVE_S,
            "limit_request_line": _REQUEST_LINE_BYTES_MAX,
            "forwarded_allow_ips": "",  # else whoever is on this machine could send SCRIPT_NAME as a header
            "worker_tmp_dir": _in_memory(),
            "logger_class": GunicornLogger,
            "proc_name": "kgl",
            "when_ready": self._when_ready,
            "pre_fork": self._pre_fork,
            "post_worker_init": self._post_worker_init,
            "worker_exit": self._worker_exit,
            "child_exit": _child_exit,
        }
        self._container: Any = None
        self._shares = Shares(workers)
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._options.items():
            if value is not None:
                self.cfg.set(name, value)

    def load(self) -> Any:
        from kgl_http.container import Capacity, Container

        self._container = Container(settings=self._settings, capacity=Capacity(self._workers, self._threads))
        self._container.init_resources()
        log.write_behind(self._container.metrics().dropped_lines)
        self._container.metrics().publish_behind()
        return self._container.app()

    def _when_ready(self, server: Any) -> None:
        _stop_in_order(server)
        where = shown(parse_url(self._settings.database_url))
        _log.info(
            "Listening", address=", ".join(map(str, server.LISTENERS)), database=where, version=version(DISTRIBUTION)
        )
        if advice := advice_on_modes(parse_url(self._settings.database_url)):
            _log.warning(advice)

    def _pre_fork(self, server: Any, worker: Worker) -> None:
        worker.share = self._shares.take()

    def _post_worker_init(self, worker: Any) -> None:
        # What is there before the first request is never garbage: to look through it all again stops every thread.
        gc.collect()
        gc.freeze()
        # One answer can be thousands of objects, and hardly any of them is ever part of a cycle.
        gc.set_threshold(_COLLECTED_FROM)
        worker.when_stopping = self._container.slots().end_waits
        if worker.age == 1:
            # Beside the requests: a database that can't be reached must not hold up the liveness probe.
            threading.Thread(target=self._tell_readiness, daemon=True).start()

    def _tell_readiness(self) -> None:
        if not any(check.is_in_the_way for check in self._container.readiness().check()):
            _log.info("Ready: the database is at head")

    def _worker_exit(self, server: Any, worker: Any) -> None:
        if self._container is not None:
            self._container.shutdown_resources()


class GunicornLogger(Logger):  # type: ignore[misc]
    """Hands gunicorn's lines to the root logger; the application writes the line of each request itself."""

    def setup(self, cfg: Any) -> None:
        self.error_log.propagate = True
        self.error_log.setLevel(logging.NOTSET)

    def exception(self, msg: str, *args: Any, **kwargs: Any) -> None:
        if isinstance(sys.exception(), BlockingIOError):
            self.info("Closed the connection of a client that paused for too long")
        else:
            super().exception(msg, *args, **kwargs)

    def access(self, resp: Any, req: Any, environ: Any, request_time: Any) -> None:
        """Nothing: see `kgl_http.api.middleware.Observation`."""


def serve(settings: Settings, *, host: str, port: int, workers: int, threads: int) -> None:
    """Serve until stopped by SIGTERM or SIGINT, which ends in SystemExit; port 0 takes one that is free.

    Raises CannotListen, and InvalidKeys when the keys that sign tokens can't be used.
    """
    is_readable = settings.is_development and sys.stdout.isatty()
    log.configure(level=settings.log_level, module_id=settings.module_id, is_readable=is_readable)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # until gunicorn's; the first process of a container has none
    listener = listen(host, port)
    master, metrics = os.getpid(), None
    try:
        with suppress(OSError):  # without it, each worker shows its own metrics
            metrics = tempfile.mkdtemp(prefix="kgl-metrics-", dir=_in_memory())
            # prometheus_client looks for it once, when it is imported: by the container.
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = metrics
        from kgl_http.container import Container

        Container(settings=settings).signer()  # before any worker is forked, each of which would fail on its own
        Service(settings, listener, workers=workers, threads=threads).run()
    finally:
        if metrics is not None and os.getpid() == master:  # a worker that ends comes through here as well
            shutil.rmtree(metrics, ignore_errors=True)


def _stop_in_order(server: Any) -> None:
    """Have the first SIGTERM or SIGINT refuse new connections and finish all requests; a second SIGINT ends them."""
    is_stopping = False

    def stop(number: int, frame: Any) -> None:
        nonlocal is_stopping
        if os.getpid() != server.pid:
            sys.exit(0)  # a worker that has just been forked and has no handlers of its own
        if not is_stopping:
            is_stopping, number = True, signal.SIGTERM
            for listener in server.LISTENERS:
                refuse(listener.sock)
        server.signal(number, frame)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)


def development_secret() -> str:
    """A secret for a developer's machine, made once and kept in a file that only its owner can read.

    Raises InvalidSettings when the file can't be made or read, or holds a secret that can be guessed.
    """
    file, folder = DEVELOPMENT_SECRET, DEVELOPMENT_SECRET.parent
    try:
        if not folder.is_dir():
            folder.mkdir()
            folder.chmod(0o700)  # whatever the umask
        if not file.exists():
            with opened(str(file)) as made:
                made.write(secrets.token_urlsafe(48).encode())
        secret = file.read_bytes().decode(errors="surrogateescape")
        loose = [str(path) for path in (folder, file) if path.stat().st_mode & 0o077]
    except OSError as error:
        raise InvalidSettings([f"{file}: {error.strerror}; set JWT_SECRET, or start where you may write"]) from error
    if fault := secret_fault(secret):
        raise InvalidSettings([f"{file}: {fault}; delete it, and another is made"])
    if loose:
        note(f"Warning: other users of this machine may get at {file}: run chmod go= {' '.join(loose)}")
    return secret


def _in_memory() -> str | None:
    """A folder on no disk, where this machine has one."""
    return _SHARED_MEMORY if os.access(_SHARED_MEMORY, os.W_OK) else None


def _child_exit(server: Any, worker: Any) -> None:
    from prometheus_client.multiprocess import mark_process_dead

    if worker.share is not None:
        worker.share.give_back()
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        with suppress(OSError):
            mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]
