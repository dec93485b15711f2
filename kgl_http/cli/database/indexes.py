"""``kgl index``: indexes of metadata, which make lists with conditions on it quick, and the index of names."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import click
from sqlalchemy import Engine

from kgl_adapters.sql.engine.engines import make_engine
from kgl_core.graph.entities import ENTITY
from kgl_core.graph.nouns import GRAPH_NOUNS
from kgl_http.cli.opening import connected, url_of_existing
from kgl_http.cli.progress import progress_bars
from kgl_http.cli.terminal import answering, note, say
from kgl_http.settings import Settings

_NOUNS: Final = {noun.plural: noun for noun in GRAPH_NOUNS}
_DOTTED: Final = "metadata."


@click.group()
def index() -> None:
    """Add, list and drop indexes of metadata; rebuild the index of names.

    Lists with a condition on metadata, such as metadata.country=FR, look at every record unless there is an index of
    that name.
    """


class _Field(click.ParamType[str]):
    """``metadata.`` and a name, which it becomes."""

    name = "field"

    def convert(self, value: Any, param: click.Parameter | None, context: click.Context | None) -> str:
        if not value.startswith(_DOTTED):
            self.fail("give metadata. and a name in metadata, such as metadata.country", param, context)
        return str(value).removeprefix(_DOTTED)


def _of_one(command: Callable[..., None]) -> Callable[..., None]:
    """The arguments that name an index."""
    nouns = click.Choice([*_NOUNS])
    option = click.option("--of", type=nouns, default=ENTITY.plural, show_default=True, help="Whose metadata.")
    return click.argument("field", type=_Field(), metavar="metadata.NAME")(option(command))


@index.command("add")
@_of_one
@click.pass_obj
def add(settings: Settings, field: str, of: str) -> None:
    """Build an index of the values under a name in metadata.

    On PostgreSQL others may write meanwhile: it waits for the transactions that are under way, and says how far it is.
    On SQLite nobody else can write until it is built. What an interrupted command has left is built anew.
    """
    from kgl_adapters.sql.storage import metadata_indexes

    with _engine(settings) as engine:
        is_new = metadata_indexes.add(engine, _NOUNS[of], field, on_progress=_tell)
    with answering():
        shown = f"{_DOTTED}{field} of {of}"
        say(f"Built the index of {shown}." if is_new else f"There is an index of {shown} already: nothing to do.")


@index.command("rebuild")
@click.pass_obj
def rebuild(settings: Settings) -> None:
    """Make the index of names anew, which searches use, while others read and write.

    It is kept up to date by itself: this is for an index that `kgl check` found fault with. On SQLite nobody else can
    write during the first step, in which all terms are made.
    """
    with connected(settings) as kg, progress_bars() as on_progress:
        number = kg.rebuild_index(on_progress=on_progress)
    with answering():
        say(f"Indexed the names of {number:,} entities.")


@index.command("list")
@click.pass_obj
def list_(settings: Settings) -> None:
    """List the indexes of metadata that there are."""
    from kgl_adapters.sql.storage import metadata_indexes

    with _engine(settings) as engine:
        found = metadata_indexes.added(engine)
    for each in found:
        state = "" if each.is_whole else "  not whole: if nobody is building it, add it again"
        say(f"{each.plural:<14}  {_DOTTED}{each.name}{state}")


@index.command("drop")
@_of_one
@click.pass_obj
def drop(settings: Settings, field: str, of: str) -> None:
    """Drop an index of metadata. Lists with that condition look at every record then."""
    from kgl_adapters.sql.storage import metadata_indexes

    with _engine(settings) as engine:
        was_there = metadata_indexes.drop(engine, _NOUNS[of], field)
    shown = f"{_DOTTED}{field} of {of}"
    if not was_there:
        raise click.ClickException(f"there is no index of {shown}; kgl index list shows those that there are")
    with answering():
        say(f"Dropped the index of {shown}.")


@contextmanager
def _engine(settings: Settings) -> Iterator[Engine]:
    engine = make_engine(url_of_existing(settings))
    try:
        yield engine
    finally:
        engine.dispose()


def _tell(phase: str, percent: int | None) -> None:
    note(phase if percent is None else f"{phase}, {percent} %")
