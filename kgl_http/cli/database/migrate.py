"""``kgl migrate``: makes, upgrades and takes back the tables."""

from __future__ import annotations

import sys

import click

from kgl_http.cli.opening import durable_url
from kgl_http.cli.progress import progress_bars
from kgl_http.cli.terminal import answering, say
from kgl_http.settings import Settings


@click.command()
@click.option("--down", metavar="N", type=click.IntRange(min=1), help="Take back the last N migrations and their data.")
@click.option("--history", is_flag=True, help="List the migrations, and which of them the database has.")
@click.pass_obj
def migrate(settings: Settings, down: int | None, history: bool) -> None:
    """Bring the database's tables up to date.

    Does nothing to a database that is up to date. On PostgreSQL, writers may go on meanwhile.
    """
    from kgl_adapters.sql.engine.engines import make_engine, shown
    from kgl_adapters.sql.engine.sqlite_files import warn_of_modes
    from kgl_adapters.sql.storage import migrating

    if down is not None and history:
        raise click.UsageError("--down and --history exclude each other")
    engine = make_engine(durable_url(settings))
    try:
        if history:
            for revision in migrating.history(engine):
                say(f"{'✓' if revision.is_applied else '·'} {revision.id}  {revision.summary}")
            return
        before = migrating.current_revision(engine)
        if down is not None:
            if sys.stdin.isatty():
                click.confirm(f"This deletes what {down} migration(s) made, with the data. Go on?", abort=True)
            migrating.downgrade(engine, down)
        else:
            with progress_bars() as on_progress:
                migrating.upgrade(engine, on_progress)
        after = migrating.current_revision(engine)
    finally:
        engine.dispose()
    warn_of_modes(engine.url)
    where = shown(engine.url)
    with answering():
        if before == after:
            say(f"{where} is at {after or 'no revision'}: nothing to do")
        else:
            say(f"{where}: {before or 'empty'} → {after or 'empty'}")
