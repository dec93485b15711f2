"""The network between service and PostgreSQL delays, resets or swallows what is sent."""

from pathlib import Path
from typing import Final

from tests.faults.database import database
from tests.faults.load import CLIENTS, check_kept, load, rounds
from tests.faults.proxy import proxy
from tests.serving.service import serving, until

HANGS_S: Final = 10.0


@rounds(10)
def test_no_fault_of_the_network_makes_a_request_hang(tmp_path: Path, rounds: int) -> None:
    """Slow, it is still served; reset or swallowed, it is a 503 within 10 s; and it is served again afterwards."""
    with (
        database() as postgres,
        proxy(postgres.port) as between,
        # A thread for each client in either worker: none waits for another that waits for the network.
        serving(
            postgres.url.replace(str(postgres.port), str(between.port)), tmp_path / "run", threads=CLIENTS
        ) as service,
    ):
        with load(service, "network") as ledger:
            for _ in range(rounds):
                ledger.wait_for(201, 20, len(ledger.attempts))
                between.delay_s = 0.02
                ledger.wait_for(201, 20, len(ledger.attempts))
                between.delay_s = 0
                between.reset()
                ledger.wait_for(201, 20, len(ledger.attempts))
                between.forwards.clear()
                ledger.wait_for(503, 8, len(ledger.attempts))
                between.reset()
                between.forwards.set()
            until(lambda: service("GET", "/health/ready").status == 200)
        assert ledger.lost() == []
        assert {*ledger.statuses()} == {201, 503}
        assert max(attempt.took_s for attempt in ledger.attempts) < HANGS_S
        check_kept(postgres.url, ledger.attempts)
