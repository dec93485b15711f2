"""``kgl check``: look at the whole database, say what is wrong with it, and mend what can be derived."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import nullcontext

import click

from kgl_core.storage.checking.findings import CheckReport, Problem
from kgl_core.storage.checking.kinds import KINDS
from kgl_http.cli.opening import connected
from kgl_http.cli.progress import progress_bars
from kgl_http.cli.terminal import answering, say
from kgl_http.settings import Settings


@click.command()
@click.option("--repair", is_flag=True, help="Mend what can be derived. Back up first.")
@click.option("--json", "as_json", is_flag=True, help="Write one JSON object.")
@click.pass_obj
def check(settings: Settings, repair: bool, as_json: bool) -> None:
    """Look at the whole database and say what is wrong with it.

    Compares every record with its changes, follows every reference, and asks the database about its file, indexes and
    constraints. Others may write meanwhile. Without --repair, nothing at all is written.

    With --repair, what can be derived is mended; what a repair changes of a record is in the feed of changes. Then
    everything is looked at once more, and what could not be mended is told with the way out.

    Exit status: 0 no faults; 1 faults. Notes are no faults: what today's rules would refuse was right once.
    """
    with connected(settings) as kg, progress_bars() as on_progress:
        report = kg.check(repair=repair, on_progress=on_progress)
    with answering() if repair else nullcontext():
        if as_json:
            say(json.dumps(_as_json(report), ensure_ascii=False))
        else:
            for line in _told(report, repair=repair):
                say(line)
    if not report.is_clean:
        sys.exit(1)


def _told(report: CheckReport, *, repair: bool) -> Iterator[str]:
    yield "Looked at " + ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in report.looked_at.items())
    yield ""
    for code, count in report.mended.items():
        yield f"Mended {code} ({count:,}): {KINDS[code].what}"
        yield ""
    for problem in report.faults:
        yield from _problem_told("Fault", problem)
    for problem in report.notes:
        yield from _problem_told("Note", problem)
    if not repair and any(problem.kind.is_mendable for problem in report.faults):
        yield "Back up, then run `kgl check --repair`."
    yield "No faults." if report.is_clean else f"{sum(problem.count for problem in report.faults):,} faults."


def _problem_told(word: str, problem: Problem) -> Iterator[str]:
    kind = problem.kind
    yield f"{word} {kind.code} ({problem.count:,}): {kind.what}"
    for example in problem.examples:
        yield f"    {example}"
    if problem.count > len(problem.examples):
        yield f"    and {problem.count - len(problem.examples):,} more"
    yield f"  It means: {kind.meaning}."
    yield f"  Next: {kind.advice}."
    yield ""


def _as_json(report: CheckReport) -> dict[str, object]:
    def problem(each: Problem) -> dict[str, object]:
        kind = each.kind
        return {
            "code": kind.code,
            "count": each.count,
            "examples": list(each.examples),
            "what": kind.what,
            "meaning": kind.meaning,
            "advice": kind.advice,
            "is_mendable": kind.is_mendable,
        }

    return {
        "is_clean": report.is_clean,
        "looked_at": dict(report.looked_at),
        "mended": dict(report.mended),
        "faults": [problem(each) for each in report.faults],
        "notes": [problem(each) for each in report.notes],
    }
