"""Throughput as wrk sees it, where wrk is installed. It costs less CPU than a client in Python."""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

_THREADS: Final = 2
_SCRIPT: Final = """
local requests = {%s}
local number = 0
function init() math.randomseed(os.time()) number = math.random(#requests) end
function request() number = number %% #requests + 1 return requests[number] end
"""
_FOUND: Final = re.compile(r"^Requests/sec: +([0-9.]+)$", re.MULTILINE)


def is_there() -> bool:
    """Whether wrk is installed."""
    return shutil.which("wrk") is not None


def throughput(address: tuple[str, int], requests: Sequence[bytes], *, connections: int, seconds: float) -> float:
    """Requests a second. Raises RuntimeError for an answer that is not 2xx, and for a connection that failed."""
    host, port = address
    with tempfile.TemporaryDirectory(prefix="kgl-wrk-") as folder:
        script = Path(folder, "requests.lua")
        script.write_text(_SCRIPT % ",\n".join(map(_literal, requests)))
        options = [f"-t{_THREADS}", f"-c{connections}", f"-d{round(seconds)}s", "-s", str(script)]
        done = subprocess.run(
            ["wrk", *options, f"http://{host}:{port}"], capture_output=True, text=True, check=True, timeout=seconds + 90
        )
    found = _FOUND.search(done.stdout)
    if found is None or "Non-2xx" in done.stdout or "Socket errors" in done.stdout:
        raise RuntimeError(f"wrk met errors: {done.stdout}{done.stderr}")
    return float(found[1])


def _literal(request: bytes) -> str:
    return '"' + "".join(f"\\{byte:03}" for byte in request) + '"'
