"""``kgl import``: loads files of records."""

from __future__ import annotations

import sys
import time
from contextlib import nullcontext
from typing import BinaryIO

import click

from kgl_core.storage.loading.existing_records import Existing
from kgl_http.cli.opening import connected
from kgl_http.cli.terminal import Interrupted, answering, note, say
from kgl_http.settings import Settings


@click.command("import")
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
@click.option("--title", metavar="TEXT", help="What kgl runs calls this load.")
@click.pass_obj
def import_(
    settings: Settings, files: tuple[BinaryIO, ...], existing: str, atomic: bool, dry_run: bool, title: str | None
) -> None:
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

    The changes are part of one run, which kgl runs lists, under its title if it has one.

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
                title=title,
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
        if title is not None and summary.run is not None:
            say(f"The run is {summary.run}.")
        if dry_run:
            say("Nothing was kept: this was a dry run. Leave out --dry-run to load.")
        elif not summary.is_kept:
            note("Nothing was kept: lines were refused, and --atomic keeps everything or nothing.")
        elif not (summary.created or summary.updated or summary.refused):
            is_there = summary.unchanged or summary.kept
            say("Nothing changed: all of it was there." if is_there else "Nothing to load: no records.")
    if summary.refused:
        sys.exit(1)
