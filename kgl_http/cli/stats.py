"""``kgl stats``: counts what is in the graph."""

from __future__ import annotations

import json

import click

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
    width = max(map(len, ("relationships", *found.entities.by_type, *found.relationships.by_type))) + 4
    for name, count in (("entities", found.entities), ("relationships", found.relationships)):
        deleted = f"  and {count.deleted:,} deleted" if count.deleted else ""
        say(f"{name:<{width}}{count.active:>12,}{deleted}")
        for type, number in sorted(count.by_type.items(), key=lambda item: (-item[1], item[0])):
            say(f"  {type:<{width - 2}}{number:>12,}")
    say(f"{'changes':<{width}}{found.changes:>12,}")
    say(f"{'users':<{width}}{found.users:>12,}")
