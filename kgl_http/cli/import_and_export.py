"""``kgl import`` and ``kgl export``: loads files of records, and dumps the whole graph."""

from __future__ import annotations

import json
import sys
import time
from contextlib import nullcontext
from typing import BinaryIO
from uuid import UUID

import click

from kgl_core.storage.loading.existing_records import Existing
from kgl_http.cli.opening import connected
from kgl_http.cli.terminal import Interrupted, answering, note, opened, plain, say
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
    changes nothing. Entities come before the relationships that name them. What was deleted is not brought back;
    what was retired is.

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
        raise Interrupted(f"interrupted: {kept}", error) from error
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


@click.command()
@click.option("--output", metavar="FILE", help="Write FILE instead, for its owner alone, once all of it is there.")
@click.option("--cursor-file", metavar="FILE", help="Then write its place in the feed of changes to FILE.")
@click.option(
    "--valid-at",
    metavar="DATE",
    help="Leave out relationships that do not hold then: at no time in that year, month or day, or at that instant.",
)
@click.pass_obj
def export(settings: Settings, output: str | None, cursor_file: str | None, valid_at: str | None) -> None:
    """Write everything, the deleted too, as NDJSON to standard output.

    It is what was there at one moment, whoever writes meanwhile. `kgl import` makes an equal graph of it.

    With --cursor-file, a copy can be kept up to date: give what is in FILE as `after` to the feed of changes, and it
    has everything that the export has not.

    Evidence is not part of it: a fact has what it shows of its sources and assertions, not these themselves.

    --valid-at leaves out relationships that hold at another time only; all entities come, and what is deleted.

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
        kg.dump(on_unreadable=tell, valid_at=valid_at) as dump,
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
