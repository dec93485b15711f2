"""The knowledge graph that a command works on, and whole listings of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import click
from sqlalchemy import URL

from kgl_adapters.connect import connect
from kgl_adapters.sql.engine.engines import parse_url
from kgl_adapters.sql.engine.sqlite_files import database_file
from kgl_core.kernel.nouns.pages import LIMIT_MAX, Page
from kgl_core.knowledge_graph import KnowledgeGraph
from kgl_http.cli.terminal import plain
from kgl_http.settings import Settings

T = TypeVar("T")


@contextmanager
def connected(settings: Settings, *, may_be_new: bool = False) -> Iterator[KnowledgeGraph]:
    """The knowledge graph of the settings, open for as long as the block runs.

    Raises ClickException for a graph in memory, and for an SQLite file that does not exist unless it ``may_be_new``: a
    new and empty graph would hide a mistyped name.
    """
    if may_be_new:
        durable_url(settings)
    else:
        url_of_existing(settings)
    with connect(settings.database_url, password_length_min=settings.password_length_min) as kg:
        yield kg


def all_items(listing: Callable[..., Page[T]]) -> Iterator[T]:
    """The items of a listing, from all its pages."""
    cursor: str | None = None
    while True:
        page = listing(cursor=cursor, limit=LIMIT_MAX)
        yield from page.items
        cursor = page.next_cursor
        if cursor is None:
            return


def url_of_existing(settings: Settings) -> URL:
    """The `durable_url`. Raises ClickException for an SQLite file that does not exist."""
    url = durable_url(settings)
    file = database_file(url)
    if file is not None and file.parent.is_dir() and not file.exists():
        raise click.ClickException(plain(f"there is no file {file}; check DATABASE_URL, or make it: kgl migrate"))
    return url


def durable_url(settings: Settings) -> URL:
    """The URL of the settings' database. Raises InvalidUrl, and ClickException for one that would be in memory."""
    text = settings.database_url
    url = None if text.lower().startswith("memory:") else parse_url(text)
    if url is None or (url.drivername == "sqlite" and database_file(url) is None):
        raise click.ClickException("a graph in memory ends with the command; set DATABASE_URL to a file or a server")
    return url
