"""``kgl export``: dumps the whole graph."""

from __future__ import annotations

import json
import sys
from uuid import UUID

import click

from kgl_http.cli.opening import connected
from kgl_http.cli.terminal import note, opened, plain
from kgl_http.settings import Settings


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
