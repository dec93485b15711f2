"""The log of a process: whoever writes a line, it is one JSON object with the same keys first."""

import json
import subprocess

import pytest

from tests.serving.service import BIN, LOG_KEYS

WRITERS = """
import logging, sys, threading, warnings
import structlog
from kgl_http.server import log

log.configure(level=sys.argv[1], module_id="module-7")
structlog.get_logger("ours").debug("quiet")
structlog.get_logger("ours").info("ours", number=1, data=b"\\xff", thing=object)
structlog.get_logger("ours").warning("on two\\nlines")
logging.getLogger("alembic.runtime.migration").info("of %s", "alembic")
logging.getLogger("sqlalchemy.pool").error("of sqlalchemy", extra={"more": 1})
warnings.warn("of Python")
try:
    1 / 0
except ZeroDivisionError:
    logging.getLogger("gunicorn.error").exception("theirs")
    structlog.get_logger("ours").error("failed", exc_info=True)
thread = threading.Thread(target=lambda: {}["in a thread"])
thread.start()
thread.join()
{}["in the end"]
"""


def written(level: str) -> list[dict[str, object]]:
    """The lines of a process in which everybody writes something."""
    done = subprocess.run([BIN / "python", "-c", WRITERS, level], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == ""
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_every_line_has_the_same_shape() -> None:
    """Ours, those of libraries, warnings, and exceptions that nobody caught: one line each, on standard output."""
    lines = written("INFO")
    for line in lines:
        assert [*line][: len(LOG_KEYS)] == LOG_KEYS
        assert (line["module_id"], line["user_id"], line["request_id"]) == ("module-7", None, None)
    assert [(line["logger"], line["level"]) for line in lines] == [
        ("ours", "INFO"),
        ("ours", "WARNING"),
        ("alembic.runtime.migration", "INFO"),
        ("sqlalchemy.pool", "ERROR"),
        ("py.warnings", "WARNING"),
        ("gunicorn.error", "ERROR"),
        ("ours", "ERROR"),
        ("kgl_http.server.log", "CRITICAL"),
        ("kgl_http.server.log", "CRITICAL"),
    ]
    assert lines[1]["message"] == "on two\nlines"
    assert lines[2]["message"] == "of alembic"
    for line, error in zip(lines[-4:], ["ZeroDivisionError"] * 2 + ["KeyError"] * 2, strict=True):
        assert error in str(line["exception"])
        assert str(line["exception"]).startswith("Traceback")


@pytest.mark.parametrize(
    ("level", "least"), [("WARNING", {"WARNING", "ERROR", "CRITICAL"}), ("ERROR", {"ERROR", "CRITICAL"})]
)
def test_the_level_holds_for_everybody(level: str, least: set[str]) -> None:
    """What is below it is not written."""
    assert {line["level"] for line in written(level)} == least
