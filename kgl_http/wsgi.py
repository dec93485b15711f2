"""The application for other WSGI servers than ``kgl serve``."""

from __future__ import annotations

import atexit
import os

from kgl_http.app import App
from kgl_http.container import Capacity, Container
from kgl_http.server import log
from kgl_http.settings import read_settings


def make_application(*, workers: int = 1, threads: int = 4) -> App:
    """The WSGI application for the settings in the environment, on a server with so many processes and threads.

    Call it in the process that serves, after any fork: ``gunicorn 'kgl_http.wsgi:make_application(workers=2)'``. Logs
    go to standard output. To sum metrics over processes, set PROMETHEUS_MULTIPROC_DIR to an empty folder before.
    Raises InvalidSettings, and InvalidKeys when the keys that sign tokens can't be used.
    """
    settings = read_settings(os.environ, for_service=True)
    log.configure(level=settings.log_level, module_id=settings.module_id)
    container = Container(settings=settings, capacity=Capacity(workers, threads))
    container.init_resources()
    log.write_behind(container.metrics().dropped_lines)
    container.metrics().publish_behind()
    atexit.register(container.shutdown_resources)
    app: App = container.app()
    return app
