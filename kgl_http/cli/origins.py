"""``kgl source`` and ``kgl extractor``: where facts come from, and how far each of these is trusted."""

from __future__ import annotations

import json
from typing import Any, Final

import click

from kgl_core.evidence.origins.sources import Source
from kgl_http.cli.opening import all_items, connected
from kgl_http.cli.terminal import answering, say
from kgl_http.settings import Settings

_AS_JSON: Final = click.option("--json", "as_json", is_flag=True, help="Write one JSON object a line.")
_RANKS: Final[dict[str, Any]] = {"context_settings": {"ignore_unknown_options": True}}
"""So that a rank below 0 is taken for no option."""


@click.group()
def source() -> None:
    """List, add, show and rank the sources that facts come from."""


@source.command("list")
@click.option("--type", "type_", metavar="TYPE", help="Only those of this type.")
@_AS_JSON
@click.pass_obj
def source_list(settings: Settings, type_: str | None, as_json: bool) -> None:
    """List the sources in the order in which they were first named, each with its rank."""
    wanted: dict[str, Any] = {} if type_ is None else {"type": type_}
    with connected(settings) as kg:
        for each in all_items(lambda **page: kg.sources.list(**page, **wanted)):
            about = "  ".join(part for part in (each.uri, each.type, each.title) if part)
            say(as_json_line(each) if as_json else f"{each.rank:>5}  {about}")


@source.command("add")
@click.argument("uri")
@click.option("--title", metavar="TEXT", help="What it is called.")
@click.option("--type", "type_", metavar="TYPE", help="What kind of source it is.")
@click.option("--published", metavar="DATE", help="When it was published: a year, a month, a day or an instant.")
@click.pass_obj
def source_add(settings: Settings, uri: str, title: str | None, type_: str | None, published: str | None) -> None:
    """Describe the source URI. What assertions name is added by itself; what only an import names is not."""
    with connected(settings) as kg:
        added = kg.sources.create(uri=uri, title=title, type=type_, published=published)
    with answering():
        say(f"source {added.id} is added")


@source.command("show")
@click.argument("uri")
@_AS_JSON
@click.pass_obj
def source_show(settings: Settings, uri: str, as_json: bool) -> None:
    """Show what is known of the source URI itself; kgl contribution tells what it supports."""
    with connected(settings) as kg:
        found = kg.sources.get_by_uri(uri)
    if as_json:
        say(as_json_line(found))
        return
    for name, value in _described(found).items():
        if value is not None:
            say(f"{name:<10}{value}")


def _described(found: Source) -> dict[str, object]:
    return {
        "uri": found.uri,
        "id": found.id,
        "title": found.title,
        "type": found.type,
        "published": found.published,
        "metadata": json.dumps(found.metadata, ensure_ascii=False) if found.metadata else None,
        "rank": found.rank,
        "named by": f"{found.created_by}, {found.created_at:%Y-%m-%d %H:%MZ}",
    }


@source.command("rank", **_RANKS)
@click.argument("uri")
@click.argument("rank", type=int)
@click.pass_obj
def source_rank(settings: Settings, uri: str, rank: int) -> None:
    """Trust the source URI more or less than others: where they differ, the highest RANK wins, -1000 to 1000.

    All facts that it speaks of follow. Without a rank, it is 0. If this is interrupted, do it again.
    """
    with connected(settings) as kg:
        ranked = kg.sources.rank(kg.sources.get_by_uri(uri).id, rank)
    with answering():
        say(f"the rank of {ranked.uri} is {ranked.rank}")


@click.group()
def extractor() -> None:
    """List, add and rank the programs that find facts in sources."""


@extractor.command("list")
@_AS_JSON
@click.pass_obj
def extractor_list(settings: Settings, as_json: bool) -> None:
    """List the extractors in the order in which they were first named, each with its rank."""
    with connected(settings) as kg:
        for each in all_items(kg.extractors.list):
            say(as_json_line(each) if as_json else f"{each.rank:>5}  {each.name}")


@extractor.command("add")
@click.argument("name")
@click.pass_obj
def extractor_add(settings: Settings, name: str) -> None:
    """Name the extractor NAME before it says anything, so that it can be ranked."""
    with connected(settings) as kg:
        added = kg.extractors.create(name=name)
    with answering():
        say(f"extractor {added.id} is added")


@extractor.command("rank", **_RANKS)
@click.argument("name")
@click.argument("rank", type=int)
@click.pass_obj
def extractor_rank(settings: Settings, name: str, rank: int) -> None:
    """Trust the extractor NAME more or less than others: its RANK, -1000 to 1000, is added to that of the source.

    All facts that it found follow. Without a rank, it is 0. If this is interrupted, do it again.
    """
    with connected(settings) as kg:
        ranked = kg.extractors.rank(kg.extractors.get_by_name(name).id, rank)
    with answering():
        say(f"the rank of {ranked.name} is {ranked.rank}")


def as_json_line(each: object) -> str:
    """A record as the API shows it, in one line."""
    from kgl_http.api.envelope import dump_json
    from kgl_http.api.json_views import unstructure

    return dump_json(unstructure(each)).decode()
