"""``kgl stats`` and ``kgl runs``: what is in the graph, and the work that made it."""

from __future__ import annotations

import json

import click

from kgl_core.graph.journal.runs import Run
from kgl_core.kernel.nouns.pages import LIMIT_MAX
from kgl_core.storage.stats import COUNTED, Count
from kgl_http.cli.opening import connected
from kgl_http.cli.terminal import say
from kgl_http.settings import Settings


@click.command()
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
    counts: dict[str, Count] = {noun.plural: getattr(found, noun.plural) for noun in COUNTED}
    width = max(len(name) for plural, count in counts.items() for name in (plural, *count.by_type)) + 4
    for name, count in counts.items():
        deleted = f"  and {count.deleted:,} deleted" if count.deleted else ""
        say(f"{name:<{width}}{count.active:>12,}{deleted}")
        for type, number in sorted(count.by_type.items(), key=lambda item: (-item[1], item[0])):
            say(f"  {type:<{width - 2}}{number:>12,}")
    say(f"{'changes':<{width}}{found.changes:>12,}")
    say(f"{'users':<{width}}{found.users:>12,}")


@click.command()
@click.option(
    "--limit", type=click.IntRange(1, LIMIT_MAX), default=20, show_default=True, help="How many, the latest first."
)
@click.pass_obj
def runs(settings: Settings, limit: int) -> None:
    """List the latest runs: loads, and work that callers have opened as one.

    Each line has the run's id, when it began, its state, what made it, how many changes of each action it made, who
    began it and its title. The changes of an open run are counted when it ends.
    """
    with connected(settings) as kg:
        found = kg.runs.list(limit=limit).items
    counts = [_counted(run) for run in found]
    actors = [str(run.created_by) for run in found]
    wide, wider = max(map(len, counts), default=0), max(map(len, actors), default=0)
    kind = max((len(run.kind) for run in found), default=0)
    for run, count, actor in zip(found, counts, actors, strict=True):
        began = f"{run.created_at:%Y-%m-%d %H:%MZ}"
        made = f"{run.state:<9}  {run.kind:<{kind}}  {count:<{wide}}  {actor:<{wider}}"
        line = f"{run.id}  {began}  {made}  {run.title or ''}"
        say(line.rstrip())


def _counted(run: Run) -> str:
    if run.ended_at is None:
        return "not counted yet"
    return ", ".join(f"{count:,} {action}" for action, count in run.counts.items()) or "no changes"
