"""The ``kgl`` command: everything that an operator does with a knowledge graph.

Answers go to standard output; errors, refused lines and progress to standard error. Exit status: 0 done; 1 an error,
or lines that were refused; 2 a command line that cannot be understood.
"""

from __future__ import annotations

import json
import os
import sys
import time
from contextlib import nullcontext
from typing import BinaryIO
from uuid import UUID

import click

from kgl_adapters.connect import parse_replica_url
from kgl_core.distribution import DISTRIBUTION
from kgl_core.storage.loading.outcomes import Existing
from kgl_http.cli.check import check
from kgl_http.cli.connected import connected, durable_url
from kgl_http.cli.oauth_clients import client
from kgl_http.cli.terminal import Commands, Interrupted, answering, note, opened, plain, say
from kgl_http.cli.users import user
from kgl_http.settings import InvalidSettings, Settings, makes_secret, read_settings, signing_problems


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name=DISTRIBUTION, message="kgl %(version)s")
@click.option(
    "--database-url",
    metavar="URL",
    help="Where the graph is kept; DATABASE_URL says so too, and keeps passwords out of the list of processes.",
)
@click.pass_context
def main(context: click.Context, database_url: str | None) -> None:
    """Keep a knowledge graph: entities and relationships, on SQLite or PostgreSQL.

    The graph is in the database that DATABASE_URL names: sqlite:///file.db or postgresql://user@host/database. Without
    it, in kgl.db in the current folder.

    \b
    To begin:
      kgl migrate                make or upgrade the tables
      kgl serve                  serve the API
      kgl import graph.ndjson    load entities and relationships
      kgl stats                  count what is there
      kgl export > copy.ndjson   save everything
      kgl check                  verify the database as a whole

    Exit status: 0 done; 1 an error, or refused lines; 2 a command line that cannot be understood.
    """
    environment = {**os.environ, "DATABASE_URL": database_url} if database_url else os.environ
    try:
        context.obj = read_settings(environment)
    except InvalidSettings as error:
        if context.invoked_subcommand != "serve" or makes_secret(environment):
            raise
        raise InvalidSettings([*error.problems, *signing_problems(environment)]) from None


main.add_command(check)
main.add_command(client)
main.add_command(user)


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on; 0.0.0.0 for all.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="The port; 0 picks one.")
@click.option("--workers", type=click.IntRange(1, 256), help="Processes; by default as many as there are cores.")
@click.option("--threads", type=click.IntRange(2, 256), default=4, show_default=True, help="Threads a process.")
@click.pass_obj
def serve(settings: Settings, host: str, port: int, workers: int | None, threads: int) -> None:
    """Serve the API under gunicorn until stopped.

    The database must be at head: run `kgl migrate` first. JWT_SECRET must be set, or KGL_ENV=development, which makes
    one in .kgl/jwt_secret.
    """
    try:
        from kgl_http.server import serving
    except ModuleNotFoundError as error:
        raise click.ClickException(f"{error.name} is not installed: pip install '{DISTRIBUTION}[service]'") from error
    environment = {**os.environ, "DATABASE_URL": str(settings.database_url)}
    if makes_secret(environment):
        environment["JWT_SECRET"] = serving.development_secret()
    settings = read_settings(environment, for_service=True)
    durable_url(settings)  # in memory, each worker would have a graph of its own
    if settings.database_replica_url:
        parse_replica_url(settings.database_url, settings.database_replica_url)
    serving.serve(settings, host=host, port=port, workers=workers or os.cpu_count() or 1, threads=threads)


@main.command()
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
            migrating.upgrade(engine)
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


@main.command("import")
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.File("rb", lazy=False))
@click.option(
    "--existing",
    type=click.Choice([way.value for way in Existing]),
    default=Existing.MERGE.value,
    show_default=True,
    help="What becomes of records that are there already.",
)
@click.option("--atomic", is_flag=True, help="Keep everything, or nothing if any line is refused.")
@click.option("--dry-run", is_flag=True, help="Check and count everything, keep nothing.")
@click.pass_obj
def import_(settings: Settings, files: tuple[BinaryIO, ...], existing: str, atomic: bool, dry_run: bool) -> None:
    """Load entities and relationships from NDJSON files, one a line; - is standard input.

    A file may also be a JSON array of records, and either may be packed by gzip.

    An entity is found again by its id or key, a relationship by its id or its ends and type: the same file twice
    changes nothing. Entities come before the relationships that name them. What was deleted is not brought back.

    \b
    What is found is treated as --existing says:
      merge      set the fields that the line has; null empties one, metadata is merged by name
      replace    make it what the line says, and empty what the line leaves out
      keep       leave it as it is
      refuse     refuse the line

    Lines that cannot be loaded are reported on standard error, the rest goes on, and the exit status is 1. A load that
    is interrupted keeps what it has done; run it again to go on.

    With --atomic, all is one transaction: until it ends, nobody else can write to SQLite. With --dry-run, the answer
    and the exit status are those of the import, the graph stays as it is, and nobody waits.
    """
    from kgl_http.cli.progress import RecordFiles, reading

    records, begin = RecordFiles(files), time.monotonic()
    try:
        with connected(settings, may_be_new=True) as kg, reading(records) as report:
            summary = kg.load(
                records,
                existing=existing,
                atomic=atomic,
                dry_run=dry_run,
                on_refusal=lambda refused: report(
                    f"{records.place_of(refused.number)}: {refused.detail} ({refused.code})"
                ),
            )
    except KeyboardInterrupt as error:
        is_undone = atomic or dry_run
        kept = "nothing was kept" if is_undone else "what was loaded before stays; run it again to go on"
        raise Interrupted(f"interrupted: {kept}") from error
    with answering() if summary.is_kept else nullcontext():
        for name in ("created", "updated", "unchanged", "kept", "refused"):
            say(f"{name:<10}{getattr(summary, name):>12,}")
        say(f"Took {time.monotonic() - begin:.1f} s.")
        if dry_run:
            say("Nothing was kept: this was a dry run. Leave out --dry-run to load.")
        elif not summary.is_kept:
            note("Nothing was kept: lines were refused, and --atomic keeps everything or nothing.")
        elif not (summary.created or summary.updated or summary.refused):
            is_there = summary.unchanged or summary.kept
            say("Nothing changed: all of it was there." if is_there else "Nothing to load: no records.")
    if summary.refused:
        sys.exit(1)


@main.command()
@click.option("--output", metavar="FILE", help="Write FILE instead, for its owner alone, once all of it is there.")
@click.option("--cursor-file", metavar="FILE", help="Then write its place in the feed of changes to FILE.")
@click.pass_obj
def export(settings: Settings, output: str | None, cursor_file: str | None) -> None:
    """Write everything, the deleted too, as NDJSON to standard output.

    It is what was there at one moment, whoever writes meanwhile. `kgl import` makes an equal graph of it.

    With --cursor-file, a copy can be kept up to date: give what is in FILE as `after` to the feed of changes, and it
    has everything that the export has not.

    Damaged records, which `kgl check` finds too, are left out and named on standard error; the exit status is 1 then.
    """
    from kgl_http.cli.progress import writing

    left_out = 0

    def tell(kind: str, id: UUID | None, reason: str) -> None:
        nonlocal left_out
        left_out += 1
        note(f"left out: {kind} {id or 'without a readable id'} is damaged ({reason})")

    with (
        connected(settings) as kg,
        kg.dump(on_unreadable=tell) as dump,
        opened(output) as out,
        writing(kg, out) as advance,
    ):
        for record in dump:
            out.write(plain(json.dumps(record, ensure_ascii=False, separators=(",", ":"))).encode() + b"\n")
            advance()
        out.flush()
    if cursor_file is not None:
        with opened(cursor_file) as out:
            out.write(f"{dump.cursor}\n".encode())
    if left_out:
        note(f"Error: {left_out:,} damaged records were left out; see `kgl check`")
        sys.exit(1)


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Write one JSON object.")
@click.pass_obj
def stats(settings: Settings, as_json: bool) -> None:
    """Count entities and relationships by type, changes and users."""
    import attrs

    with connected(settings) as kg:
        found = kg.stats()
    if as_json:
        say(json.dumps(attrs.asdict(found), ensure_ascii=False))
        return
    width = max(map(len, ("relationships", *found.entities.by_type, *found.relationships.by_type))) + 4
    for name, count in (("entities", found.entities), ("relationships", found.relationships)):
        deleted = f"  and {count.deleted:,} deleted" if count.deleted else ""
        say(f"{name:<{width}}{count.active:>12,}{deleted}")
        for type, number in sorted(count.by_type.items(), key=lambda item: (-item[1], item[0])):
            say(f"  {type:<{width - 2}}{number:>12,}")
    say(f"{'changes':<{width}}{found.changes:>12,}")
    say(f"{'users':<{width}}{found.users:>12,}")
