"""A PostgreSQL for measurements: the tests' server, but durable, and with more memory for its buffers."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from unittest import mock

from tests import postgres

_CARELESS: Final = "-c fsync=off -c synchronous_commit=off -c full_page_writes=off"
_BUFFERED: Final = "-c shared_buffers=1GB"
"""A quarter of the memory of a small server, as the manual of PostgreSQL advises; by default it is 128 MB."""


@contextmanager
def durable_server() -> Iterator[str]:
    """Yield the URL of a PostgreSQL server that was started for the occasion and survives a power cut."""
    script = postgres._KEEP_SERVER.replace(_CARELESS, _BUFFERED)
    if script == postgres._KEEP_SERVER:
        raise RuntimeError("the tests' server no longer has the settings that this takes away")
    others = {name: value for name, value in os.environ.items() if name != "KGL_TEST_DATABASE_URL"}
    with (
        mock.patch.object(postgres, "_KEEP_SERVER", script),
        mock.patch.dict(os.environ, others, clear=True),
        postgres.server() as url,
    ):
        yield url
