"""SIGKILL in the middle of writes: of a worker, of PostgreSQL."""

import os
import random
import signal
from pathlib import Path

from tests.faults.database import database
from tests.faults.load import check_kept, load, rounds
from tests.serving.service import WORKERS, serving, until


@rounds(100)
def test_a_killed_worker_loses_no_acknowledged_write(database_url: str, tmp_path: Path, rounds: int) -> None:
    """Every acknowledged write is there, none by half; another worker takes its place."""
    chance = random.Random(rounds)
    with serving(database_url, tmp_path / "run") as service:
        with load(service, "worker") as ledger:
            for _ in range(rounds):
                ledger.wait_for(201, chance.randrange(10, 20), len(ledger.attempts))
                before = until(lambda: len(found := service.workers()) == WORKERS and found)
                killed = chance.choice(sorted(before))
                os.kill(killed, signal.SIGKILL)
                until(lambda before=before: len(found := service.workers()) == WORKERS and found != before)
        assert {*ledger.statuses()} <= {201, 503, None}
        check_kept(database_url, ledger.attempts)
        # gunicorn tells of each kill as an error, and rightly.
        errors = [line for line in service.lines() if line["level"] == "ERROR"]
        assert all("SIGKILL" in line["message"] for line in errors), errors
        assert len(errors) == rounds
        service.expected_errors = rounds


@rounds(100)
def test_a_killed_postgres_loses_no_acknowledged_write(tmp_path: Path, rounds: int) -> None:
    """Every acknowledged write is there after recovery, none by half; and no request is answered with 500."""
    chance = random.Random(rounds)
    with database() as postgres, serving(postgres.url, tmp_path / "run") as service:
        with load(service, "postgres") as ledger:
            for _ in range(rounds):
                ledger.wait_for(201, chance.randrange(10, 20), len(ledger.attempts))
                postgres.kill()
                postgres.start()
        assert ledger.lost() == []
        assert {*ledger.statuses()} <= {201, 503}
        check_kept(postgres.url, ledger.attempts)
