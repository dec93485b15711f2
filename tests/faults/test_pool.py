"""A pool of connections that more clients want than it has."""

import time
from pathlib import Path
from typing import Final

import psycopg

from tests.faults.database import database
from tests.faults.load import check_kept, load, rounds
from tests.serving.service import WORKERS, serving

CLIENTS: Final = 10 * WORKERS
REFUSED_S, BACK_S = 5.0, 5.0  # the limit on waiting is 1 s; the rest is for a busy machine


@rounds(10)
def test_an_exhausted_pool_is_told_soon_and_recovers(tmp_path: Path, rounds: int) -> None:
    """Ten clients for each connection, all of which wait for a lock: 503 soon, and 201 soon after its end."""
    with (
        database() as postgres,
        serving(postgres.url, tmp_path / "run", threads=CLIENTS, DATABASE_POOL_SIZE="1") as service,
        psycopg.connect(postgres.url) as other,
    ):
        with load(service, "pool", CLIENTS) as ledger:
            for _ in range(rounds):
                ledger.wait_for(201, 20, len(ledger.attempts))
                other.execute("LOCK TABLE backend_entities.entities")
                ledger.wait_for(503, CLIENTS, len(ledger.attempts))
                other.rollback()
                back, begin = time.monotonic(), len(ledger.attempts)
                ledger.wait_for(201, WORKERS + 1, begin)  # others than those that had the connections
                assert time.monotonic() - back < BACK_S
        assert ledger.lost() == []
        assert {*ledger.statuses()} == {201, 503}
        for attempt in ledger.attempts:
            assert attempt.answer is not None
            if attempt.status == 503:
                assert attempt.answer.headers["retry-after"] == "1"
                assert attempt.took_s < REFUSED_S
        check_kept(postgres.url, ledger.attempts)
