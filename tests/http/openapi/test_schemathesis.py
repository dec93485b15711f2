"""Schemathesis: what the API's document allows is accepted, what it forbids is refused, and nothing ends in a 5xx."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.http.openapi.fuzzing import Served, described, send, served


@pytest.fixture(scope="module")
def application(empty_url: Callable[[str], str]) -> Iterator[Served]:
    """The application over PostgreSQL, which takes the fewest values; with ``-m soak``, over SQLite as well."""
    with served(empty_url("postgres")) as application:
        yield application


@described().parametrize()
@settings(max_examples=5, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_the_application_does_what_its_document_says(case: Any, application: Served) -> None:
    """Each operation takes valid requests, refuses invalid ones, and answers as its document says."""
    send(case, application)
