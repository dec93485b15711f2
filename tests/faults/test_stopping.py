"""SIGTERM under load."""

import secrets
import signal
from pathlib import Path

from tests.faults.load import Attempt, check_kept, load, rounds
from tests.serving.service import serving


@rounds(100)
def test_stopping_drops_no_accepted_request(database_url: str, tmp_path: Path, rounds: int) -> None:
    """Whoever got a connection gets an answer, 201 or 503; everybody else is refused, and what was told is kept."""
    secret, token = secrets.token_urlsafe(48), None
    attempts: list[Attempt] = []
    for number in range(rounds):
        with serving(database_url, tmp_path / f"run{number}", JWT_SECRET=secret) as service:
            service._token = token
            with load(service, f"round{number}") as ledger:
                ledger.wait_for(201, 40)
                service.process.send_signal(signal.SIGTERM)
                assert service.process.wait(60) == 0
            token = service.token
        assert ledger.lost() == []
        assert {*ledger.statuses()} <= {201, 503, None}
        attempts += ledger.attempts
    check_kept(database_url, attempts)
