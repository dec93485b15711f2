"""Runs the ``kgl`` command in a process that has imported it already, which starts in a fiftieth of the time.

A server of its own imports all and runs nothing; each command is a fork of it.
"""

import gc
import io
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from kgl_http.cli.entry import main


def run(arguments: list[str], environment: Mapping[str, str], given: bytes) -> subprocess.CompletedProcess[bytes]:
    """Run the command with these arguments, variables and input, and return how it ended and what it wrote."""
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder, name) for name in ("in", "out", "err")]
        files[0].write_bytes(given)
        asked = {
            "arguments": arguments,
            "environment": dict(environment),
            "files": [*map(str, files)],
            "cwd": os.getcwd(),
        }
        server = _server()
        assert server.stdin is not None
        assert server.stdout is not None
        server.stdin.write(json.dumps(asked) + "\n")
        server.stdin.flush()
        status = int(server.stdout.readline())
        return subprocess.CompletedProcess(arguments, status, files[1].read_bytes(), files[2].read_bytes())


@cache
def _server() -> subprocess.Popen[str]:
    """The server, which ends when its input does, with the tests."""
    return subprocess.Popen(
        [sys.executable, "-c", f"import {__name__} as it; it.serve()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def serve() -> None:
    """Read commands, one a line, and write how each ended."""
    # Nothing may be run here that a command must do for itself, such as to connect or to draw random numbers.
    for name in ("alembic.command", "kgl_http.cli.main", "kgl_http.cli.progress", "psycopg"):
        import_module(name)
    gc.collect()
    gc.freeze()  # else each command would go through all of this when it ends
    for line in sys.stdin:
        if os.fork() == 0:
            _become(**json.loads(line))
            main()
        sys.stdout.write(f"{os.waitstatus_to_exitcode(os.wait()[1])}\n")
        sys.stdout.flush()


def _become(arguments: list[str], environment: Mapping[str, str], files: list[str], cwd: str) -> None:
    """Make this process as one that was started so."""
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["kgl", *arguments]
    for number, file in enumerate(files):
        opened = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    sys.stdin, sys.stdout = _stream(0, "rb", "<stdin>"), _stream(1, "wb", "<stdout>")
    sys.stderr = _stream(2, "wb", "<stderr>", errors="backslashreplace", line_buffering=True)


def _stream(number: int, mode: str, name: str, **how: Any) -> io.TextIOWrapper:
    raw: Any = io.FileIO(number, mode, closefd=False)
    raw.name = name
    return io.TextIOWrapper((io.BufferedReader if mode == "rb" else io.BufferedWriter)(raw), "utf-8", **how)
