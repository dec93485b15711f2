"""Schemathesis at length: every operation with many requests, and walks from answers to the next requests."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings

from tests.http.openapi.fuzzing import Served, check_status, described, mend, send, served, walkable

pytestmark = pytest.mark.soak

FUZZING = settings(
    max_examples=40,
    deadline=None,
    database=None,
    derandomize=True,  # a failure on one machine is a failure on all
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
WALKS = settings(FUZZING, max_examples=120, stateful_step_count=30)


@pytest.fixture(scope="module")
def applications(empty_url: Callable[[str], str]) -> Iterator[list[Served]]:
    """The application over SQLite and over PostgreSQL."""
    with ExitStack() as stack:
        yield [stack.enter_context(served(empty_url(store))) for store in ("sqlite", "postgres")]


@described(whole=True).parametrize()
@FUZZING
def test_the_application_does_what_its_document_says(case: Any, applications: list[Served]) -> None:
    """Each operation takes valid requests, refuses invalid ones, and answers as its document says."""
    for application in applications:
        send(case, application)


@pytest.mark.parametrize("store", ["sqlite", "postgres"])
def test_a_walk_through_the_application_finds_no_contradiction(empty_url: Callable[[str], str], store: str) -> None:
    """What one answer names can be asked for in the next request, and each answer is as documented."""

    class Walk(walkable().as_state_machine()):  # type: ignore[misc]
        """Calls as an admin; each walk begins with an empty store, so that it can be walked again."""

        def setup(self) -> None:
            """Open the application."""
            self.closing = ExitStack()
            self.application = self.closing.enter_context(served(empty_url(store)))

        def teardown(self) -> None:
            """Close it."""
            self.closing.close()

        def before_call(self, case: Any) -> None:
            """Make the request one that the document means."""
            mend(case, self.application)

        def get_call_kwargs(self, case: Any) -> dict[str, Any]:
            """Say who calls."""
            return {"headers": self.application.headers_for(case)}

        def validate_response(self, response: Any, case: Any, *args: Any, **call: Any) -> None:
            """Look at the status more closely than schemathesis does, and at the rest as it does."""
            check_status(case, response)
            case.validate_response(response, headers=self.application.headers_for(case), transport_kwargs=call)

    Walk.run(settings=WALKS)
