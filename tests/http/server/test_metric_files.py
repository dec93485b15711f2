"""The files of metrics, each case in a process of its own: what they are kept in is decided when it starts."""

import os
import subprocess
import sys
from pathlib import Path

MANY = """
import sys
from kgl_http.server.metrics import Metrics
metrics = Metrics()
for number in range(1000):
    metrics.answered("GET", f"/made/up/{number}", 200, 0.01)
    metrics.answered("GET", "/health", 200, 0.01)
metrics.began()
text = metrics.render().decode()
assert 'kgl_http_requests_total{method="GET",route="/made/up/0",status="200"} 1.0' in text, text
assert 'kgl_http_requests_in_flight 1.0' in text
print(text.count("kgl_http_requests_total{"), sum('route="/health"' in line for line in text.splitlines()) > 0)
"""


def run(folder: Path, script: str = MANY) -> tuple[int, str]:
    """How many routes are told of, and what a process says on standard error."""
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(folder)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    routes, has_health = done.stdout.split()
    assert has_health == "True"
    return int(routes), done.stderr


def test_files_take_the_room_that_was_reserved_and_no_more(tmp_path: Path) -> None:
    """What there is no room for is not counted: a file that grows where there is no space would end the process."""
    routes, said = run(tmp_path)
    assert 100 < routes < 1000
    assert said == ""
    sizes = {file.name.rpartition("_")[0]: file.stat() for file in tmp_path.iterdir()}
    assert {name: found.st_size for name, found in sizes.items()} == {
        "counter": 512 * 1024,
        "histogram": 1024 * 1024,
        "gauge_livemax": 64 * 1024,
        "gauge_livesum": 64 * 1024,
    }
    for found in sizes.values():
        assert found.st_blocks * 512 >= found.st_size


def test_without_files_a_process_counts_for_itself(tmp_path: Path) -> None:
    """In a folder that is none, or does not exist; it says so once, and nothing fails."""
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "nowhere"):
        routes, said = run(folder)
        assert routes == 1001
        assert said.count("Each worker shows its own metrics only") == 1
