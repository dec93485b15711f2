"""Logs: one JSON object a line on standard output, with the same keys on every line, whoever wrote it.

Our own lines come through structlog, or through `tell`; gunicorn's, SQLAlchemy's and Alembic's through the standard
library's root logger. All end in the same form.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import threading
import traceback
from collections.abc import Callable
from contextvars import ContextVar
from functools import partial
from typing import Any, Final

import orjson
import structlog
from structlog.typing import EventDict, ExcInfo, WrappedLogger

from kgl_adapters.clock_and_ids import now
from kgl_core.kernel.permissions import ActorKind
from kgl_http.api.request import Request
from kgl_http.server.log_lines import LogLines

_DETAIL: Final = re.compile(r"^(DETAIL: ).*$", re.MULTILINE)
_WORDS: Final = {number: logging.getLevelName(number) for number in range(10, 60, 10)}
_OPTIONS: Final = orjson.OPT_NON_STR_KEYS | orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE

current_request: Final[ContextVar[Request | None]] = ContextVar("current_request", default=None)
"""The request that this thread is serving, whose id and caller stand on every line that is logged meanwhile."""


class Log:
    """Where the lines of this process go, and what they look like."""

    def __init__(self, lines: LogLines, level: int, module_id: str, *, is_readable: bool) -> None:
        self.lines, self._level, self._module_id = lines, level, module_id
        self._in_text: Any = None
        if is_readable:
            self._in_text = structlog.dev.ConsoleRenderer(
                event_key="message", sort_keys=False, exception_formatter=structlog.dev.plain_traceback
            )

    def write(self, level: int, name: str, message: object, more: dict[str, Any]) -> None:
        """Write a line of the logger ``name`` unless ``level`` is too low; ``more`` are its own keys."""
        if level >= self._level:
            self.lines.write(self._rendered(self._line(level, name, message, more)))

    def tell(self, name: str, message: str, more: dict[str, Any]) -> None:
        """The same at INFO, rendered by the thread that writes: nothing in ``more`` may change any more."""
        if self._level <= logging.INFO:
            line = self._line(logging.INFO, name, message, more)
            self.lines.write_later(partial(self._rendered, line))

    def _line(self, level: int, name: str, message: object, more: dict[str, Any]) -> dict[str, Any]:
        request = current_request.get()
        caller = None if request is None else request.caller
        is_service = caller is not None and caller.kind is ActorKind.SERVICE
        return {
            "timestamp": now(),
            "level": _WORDS.get(level) or logging.getLevelName(level),
            "module_id": self._module_id,
            "user_id": None if caller is None or is_service else caller.id,
            "client_id": caller.id if caller is not None and is_service else None,
            "request_id": None if request is None else request.request_id,
            "message": message,
            "logger": name,
            **more,
        }

    def _rendered(self, line: dict[str, Any]) -> bytes:
        return _dump(line) if self._in_text is None else self._text(line)

    def _text(self, line: dict[str, Any]) -> bytes:
        text: str = self._in_text(None, line["level"].lower(), line)
        return f"{text}\n".encode(errors="backslashreplace")


_log: Log | None = None


def configure(*, level: str, module_id: str, is_readable: bool = False) -> None:
    """Log what is of ``level`` or above; ``is_readable`` is for a developer's terminal, where nothing parses it."""
    global _log
    number = logging.getLevelNamesMapping()[level]
    log = _log = Log(LogLines(sys.stdout), number, module_id, is_readable=is_readable)
    structlog.configure(
        processors=[_described],
        logger_factory=lambda name: _Logger(log, name),
        wrapper_class=structlog.make_filtering_bound_logger(number),
        cache_logger_on_first_use=True,
    )
    root = logging.getLogger()
    root.handlers[:] = [_Handler(log)]
    root.setLevel(level)
    logging.captureWarnings(True)
    sys.excepthook = _on_uncaught
    threading.excepthook = lambda failed: _on_uncaught(failed.exc_type, failed.exc_value)


def write_behind(when_dropped: Callable[[int], object]) -> None:
    """Let a thread write the lines from now on, and tell of those that were dropped; see `LogLines`.

    Call it after `configure`, in a process that serves, after any fork.
    """
    if _log is not None:
        _log.lines.when_dropped = when_dropped
        _log.lines.write_behind()


def tell(name: str, message: str, **more: Any) -> None:
    """Write a line at INFO; nothing before `configure`. For the line of each request, which structlog would hold up."""
    if _log is not None:
        _log.tell(name, message, more)


class _Logger:
    """Where structlog's lines end."""

    def __init__(self, log: Log, name: str) -> None:
        self._log, self._name = log, name

    def debug(self, message: object, **more: Any) -> None:
        self._log.write(logging.DEBUG, self._name, message, more)

    def info(self, message: object, **more: Any) -> None:
        self._log.write(logging.INFO, self._name, message, more)

    def warning(self, message: object, **more: Any) -> None:
        self._log.write(logging.WARNING, self._name, message, more)

    def error(self, message: object, **more: Any) -> None:
        self._log.write(logging.ERROR, self._name, message, more)

    def critical(self, message: object, **more: Any) -> None:
        self._log.write(logging.CRITICAL, self._name, message, more)


class _Handler(logging.Handler):
    """Where the standard library's lines end."""

    def __init__(self, log: Log) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        try:
            more = {"exception": _traceback(record.exc_info)} if record.exc_info and record.exc_info[0] else {}
            self._log.write(record.levelno, record.name, record.getMessage(), more)
        except Exception:
            self.handleError(record)


def _described(_: WrappedLogger, __: str, event: EventDict) -> tuple[tuple[object], EventDict]:
    """An event of structlog as the message and the keys of its line."""
    if "exc_info" in event:
        event = _render_exception(None, "", event)
    return (event.pop("event"),), event


def _traceback(exc_info: ExcInfo) -> str:
    """A traceback without local variables, and without PostgreSQL's details, which quote rows: they hold secrets."""
    return _DETAIL.sub(r"\1 (not logged)", "".join(traceback.format_exception(*exc_info)).rstrip())


_render_exception: Final = structlog.processors.ExceptionRenderer(_traceback)


def _on_uncaught(kind: type[BaseException], error: BaseException | None, _: object = None) -> None:
    if error is not None and not isinstance(error, KeyboardInterrupt | SystemExit):
        structlog.get_logger("kgl_http.server.log").critical("Uncaught exception", exc_info=error)


def _dump(line: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(line, default=str, option=_OPTIONS)
    except (TypeError, ValueError):  # such as text with half of a surrogate pair, which a file's name may hold
        return f"{json.dumps(line, default=str)}\n".encode()
