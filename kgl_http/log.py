"""Logs: one JSON object a line on standard output, with the same keys on every line, whoever wrote it.

Our own lines come through structlog; gunicorn's, SQLAlchemy's and Alembic's through the standard library's root
logger. Both end in the same form.
"""

from __future__ import annotations

import logging
import re
import sys
import threading
import traceback
from contextvars import ContextVar
from functools import partial
from typing import Any, BinaryIO, Final, TextIO

import orjson
import structlog
from structlog.typing import EventDict, ExcInfo, WrappedLogger

from kgl_adapters.system import now
from kgl_core.permissions import ActorKind
from kgl_http.request import Request

_DETAIL: Final = re.compile(r"^(DETAIL: ).*$", re.MULTILINE)

current_request: Final[ContextVar[Request | None]] = ContextVar("current_request", default=None)
"""The request that this thread is serving, whose id and caller stand on every line that is logged meanwhile."""


def configure(*, level: str, module_id: str, is_readable: bool = False) -> None:
    """Log what is of ``level`` or above; ``is_readable`` is for a developer's terminal, where nothing parses it."""
    shape = _Shape(module_id)
    if is_readable:
        render: Any = structlog.dev.ConsoleRenderer(
            event_key="message", sort_keys=False, exception_formatter=structlog.dev.plain_traceback
        )
        make: Any = partial(_TextLogger, sys.stdout)
        in_text = [render]
    else:
        render = _dump
        make = partial(_LineLogger, sys.stdout.buffer)
        in_text = [render, lambda _, __, line: line.decode()]
    structlog.configure(
        processors=[shape, render],
        logger_factory=make,
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, shape],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *in_text],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    logging.captureWarnings(True)
    sys.excepthook = _on_uncaught
    threading.excepthook = lambda failed: _on_uncaught(failed.exc_type, failed.exc_value)


def _traceback(exc_info: ExcInfo) -> str:
    """A traceback without local variables, and without PostgreSQL's details, which quote rows: they hold secrets."""
    return _DETAIL.sub(r"\1 (not logged)", "".join(traceback.format_exception(*exc_info)).rstrip())


def _on_uncaught(kind: type[BaseException], error: BaseException | None, _: object = None) -> None:
    if error is not None and not isinstance(error, KeyboardInterrupt | SystemExit):
        structlog.get_logger("kgl_http.log").critical("Uncaught exception", exc_info=error)


class _LineLogger:
    """Writes lines that are rendered, and knows who does.

    Each with one call to the system, which keeps the lines of threads and processes apart without a lock: one that is
    held while a line is written would have all threads wait for one another.
    """

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._write = getattr(file, "raw", file).write
        self.name = name

    def msg(self, line: bytes) -> None:
        rest = line + b"\n"
        while rest:
            rest = rest[self._write(rest) :]

    debug = info = warning = error = critical = msg


class _TextLogger(structlog.PrintLogger):
    """The same, for people."""

    def __init__(self, file: TextIO, name: str) -> None:
        super().__init__(file)
        self.name = name


class _Shape:
    """Makes a line of an event: puts the keys first that every line has, null when unknown, and its own after them.

    One processor and not one for each key, because every request passes through here.
    """

    def __init__(self, module_id: str) -> None:
        self._module_id = module_id
        self._describe: tuple[Any, ...] = (
            structlog.processors.StackInfoRenderer(),
            structlog.processors.ExceptionRenderer(_traceback),
        )

    def __call__(self, logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        if "exc_info" in event or "stack_info" in event:
            for describe in self._describe:
                event = describe(logger, method, event)
        request = current_request.get()
        caller = None if request is None else request.caller
        is_service = caller is not None and caller.kind is ActorKind.SERVICE
        return {
            "timestamp": now(),
            "level": method.upper(),
            "module_id": self._module_id,
            "user_id": None if caller is None or is_service else caller.id,
            "client_id": caller.id if caller is not None and is_service else None,
            "request_id": None if request is None else request.request_id,
            "message": event.pop("event"),
            "logger": event.pop("logger", None) or logger.name,
            **event,
        }


def _dump(_: WrappedLogger, __: str, line: EventDict) -> bytes:
    return orjson.dumps(line, default=str, option=orjson.OPT_NON_STR_KEYS | orjson.OPT_UTC_Z)
