"""PostgreSQL is restarted under load."""

import time
from pathlib import Path
from typing import Final

from tests.faults.database import database
from tests.faults.load import check_kept, load, rounds
from tests.serving.service import serving, until

READY_AGAIN_S: Final = 5.0


@rounds(20)
def test_a_restart_of_postgres_is_told_and_survived(tmp_path: Path, rounds: int) -> None:
    """503 with Retry-After while it is away, never 500, and served again within 5 s of its return."""
    with database() as postgres, serving(postgres.url, tmp_path / "run") as service:
        with load(service, "restart") as ledger:
            for _ in range(rounds):
                begin = len(ledger.attempts)
                ledger.wait_for(201, 20, begin)
                postgres.stop()
                begin = len(ledger.attempts)
                ledger.wait_for(503, 20, begin)
                postgres.start()
                back, begin = time.monotonic(), len(ledger.attempts)
                until(lambda: service("GET", "/health/ready").status == 200)
                ledger.wait_for(201, 1, begin)
                assert time.monotonic() - back < READY_AGAIN_S
        assert ledger.lost() == []
        assert {*ledger.statuses()} == {201, 503}
        for attempt in ledger.attempts:
            assert attempt.answer is not None
            assert attempt.status == 201 or int(attempt.answer.headers["retry-after"]) > 0
        check_kept(postgres.url, ledger.attempts)
