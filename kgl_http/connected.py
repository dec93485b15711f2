"""The knowledge graph that a command works on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import click

from kgl_adapters.connect import connect
from kgl_core.knowledge_graph import KnowledgeGraph
from kgl_http.settings import Settings


@contextmanager
def connected(settings: Settings) -> Iterator[KnowledgeGraph]:
    """The settings' knowledge graph, for as long as the block runs."""
    if settings.database_url.startswith("memory:"):
        refuse_memory()
    with connect(settings.database_url, password_length_min=settings.password_length_min) as kg:
        yield kg


def refuse_memory() -> NoReturn:
    """Raise ClickException, with what to do instead."""
    raise click.ClickException("a graph in memory ends with the command; set DATABASE_URL to a file or a server")
