"""Schemathesis: what the API's document allows is accepted, what it forbids is refused, and nothing ends in a 5xx."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.http.openapi.fuzzing import Served, described, send, served


@pytest.fixture(scope="module")
def applications(empty_url: Callable[[str], str]) -> Iterator[list[Served]]:
    """The application over SQLite and over PostgreSQL: requests take longer to think of than to answer."""
    with ExitStack() as stack:
        yield [stack.enter_context(served(empty_url(store))) for store in ("sqlite", "postgres")]


@described().parametrize()
@settings(max_examples=5, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_the_application_does_what_its_document_says(case: Any, applications: list[Served]) -> None:
    """Each operation takes valid requests, refuses invalid ones, and answers as its document says."""
    for application in applications:
        send(case, application)
