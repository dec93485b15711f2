"""Exports join the feed, however long and by however many the graph is written meanwhile."""

import time
from collections.abc import Callable
from typing import Final

import pytest

from kgl_adapters import connect
from tests.conftest import STORES
from tests.contract.following import export_while_written

SECONDS: Final = 20
WRITERS: Final = 6
FOLLOWED: Final = 25


@pytest.mark.soak
@pytest.mark.parametrize("store_name", STORES)
def test_exports_join_the_feed(empty_url: Callable[[str], str], store_name: str) -> None:
    """Many exports, each with the changes taken over that follow its place, are what the graph is in the end."""
    with connect(empty_url(store_name)) as kg:
        end = time.monotonic() + SECONDS
        followers = export_while_written(kg, lambda _: time.monotonic() > end, writers=WRITERS)
        final = {record["id"]: record for record in kg.dump()}
        for follower in followers[:: len(followers) // FOLLOWED + 1]:
            follower.catch_up(kg)
            assert follower.copy == final
