"""``kgl extract``, ``withdraw``, ``reinstate``, ``assertions``, ``values``, ``contribution``: who says what."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing, nullcontext
from typing import Any, BinaryIO, Final

import click

from kgl_core.evidence.assertions import SourcedAssertion
from kgl_core.evidence.extraction.extractions import WithdrawalResult
from kgl_core.evidence.origins.contributions import FactCounts
from kgl_core.graph.entities import ENTITY
from kgl_core.graph.relationships import RELATIONSHIP
from kgl_core.kernel.errors import Fault, InvalidInput, NotFound
from kgl_core.kernel.strict_json import MALFORMED
from kgl_core.knowledge_graph import KnowledgeGraph
from kgl_core.storage.record_lines import parse_line
from kgl_http.cli.opening import all_items, connected
from kgl_http.cli.origins import as_json_line
from kgl_http.cli.terminal import Interrupted, answering, note, say
from kgl_http.settings import Settings

_FAULTY_SHOWN_MAX: Final = 20
_COUNTED = ("created", "updated", "restored", "retired", "unchanged", "refused")


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.File("rb", lazy=False))
@click.option("--source", metavar="URI", help="The source of a document that does not name it; for one document.")
@click.option("--extractor", metavar="NAME", help="The extractor of documents that do not name it.")
@click.option("--title", metavar="TEXT", help="What kgl runs calls this work.")
@click.pass_obj
def extract(
    settings: Settings, files: tuple[BinaryIO, ...], source: str | None, extractor: str | None, title: str | None
) -> None:
    """Say all that an extractor found in documents, in place of what it said of them before; - is standard input.

    A file is NDJSON with one document a line, or JSON; either may be packed by gzip. A document has the entities and
    relationships that were found in it, and names its source and its extractor unless the options do.

    Facts that only this extractor found there, and does not find any more, are retired. Sent twice, nothing changes.
    Items that are at fault are reported on standard error, and the exit status is 1; the rest goes on, but such a
    document retires nothing. Work that is interrupted keeps what it has done; run it again to go on.

    The changes are part of one run, which kgl runs lists, under its title if it has one.
    """
    from kgl_http.cli.progress import RecordFiles, reading

    given = {name: value for name, value in (("source", source), ("extractor", extractor)) if value is not None}
    counts: Counter[str] = Counter()
    documents = faulty = 0
    codes: set[str] = set()
    records = RecordFiles(files)
    try:
        with (
            connected(settings, may_be_new=True) as kg,
            reading(records) as report,
            closing(kg.extract_many(_documents(records, given), title=title)) as results,
        ):
            for each in results:
                documents += 1
                at = records.place_of(each.number)
                codes.update(fault.code for fault in each.faults)
                for fault in each.faults if faulty < _FAULTY_SHOWN_MAX else ():
                    report(f"{at}: {fault.pointer or 'the document'}: {fault.detail} ({fault.code})")
                faulty += bool(each.faults)
                if each.result is not None:
                    counts.update({name: getattr(each.result, name) for name in _COUNTED})
                    for item in each.result.items:
                        report(f"{at}: {item.pointer}: {item.detail} ({item.code})")
    except KeyboardInterrupt as error:
        raise Interrupted("interrupted: what was extracted before stays; run it again to go on", error) from error
    with answering():
        say(f"{'documents':<10}{documents:>12,}")
        for name in _COUNTED:
            say(f"{name:<10}{counts[name]:>12,}")
        if not documents:
            say("Nothing to extract: no documents.")
    if MALFORMED in codes and faulty > _FAULTY_SHOWN_MAX:
        note("A file is JSON, or NDJSON with one document a line, in UTF-8. Check that these are such files.")
    if faulty:
        shown = f", of which the first {_FAULTY_SHOWN_MAX} are shown" if faulty > _FAULTY_SHOWN_MAX else ""
        note(f"{_counted(faulty, 'document was', 'documents were')} refused as a whole and changed nothing{shown}.")
    if faulty or counts["refused"]:
        sys.exit(1)


_FOR_ONE: Final = Fault(
    "/source", "source_of_many", "--source is for one document, and another before it has it; name it in each document"
)


def _documents(records: Iterable[bytes | InvalidInput], given: dict[str, str]) -> Iterator[object]:
    """The documents in files, with what the options say of them. One of them may have the source of the options."""
    is_taken = False
    for item in records:
        if isinstance(item, InvalidInput) or not item or item.isspace():
            yield item
            continue
        try:
            found = parse_line(item)
        except InvalidInput as error:
            yield error
            continue
        if isinstance(found, dict) and "source" in given and "source" not in found:
            if is_taken:
                yield InvalidInput([_FOR_ONE])  # or each would take the place of the one before it
                continue
            is_taken = True
        yield {**given, **found} if isinstance(found, dict) else found


@click.command()
@click.option("--source", metavar="URI", required=True, help="The source.")
@click.option("--extractor", metavar="NAME", help="The extractor; without it, all that anybody says of the source.")
@click.option("--dry-run", is_flag=True, help="Without an extractor: tell what would become of it, and keep nothing.")
@click.pass_obj
def withdraw(settings: Settings, source: str, extractor: str | None, dry_run: bool) -> None:
    """Withdraw all that an extractor says of a source, or all that anybody says because of it.

    What only it supported is retired, and comes back with new evidence or with kgl reinstate. The answer tells what
    went, and what stays because other sources support it.
    """
    if dry_run and extractor is not None:
        raise click.UsageError("--dry-run is for a whole source; leave out --extractor")
    with connected(settings) as kg:
        if extractor is not None:
            _tell(kg.withdraw(source, extractor))
        else:
            _tell(kg.sources.withdraw(source, dry_run=dry_run), is_kept=not dry_run)


@click.command()
@click.option("--source", metavar="URI", required=True, help="The source.")
@click.option("--extractor", metavar="NAME", required=True, help="The extractor.")
@click.pass_obj
def reinstate(settings: Settings, source: str, extractor: str) -> None:
    """Take back the withdrawal of what an extractor says of a source."""
    with connected(settings) as kg:
        _tell(kg.reinstate(source, extractor))


def _counted(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"


def _tell(result: WithdrawalResult, *, is_kept: bool = True) -> None:
    with answering() if is_kept else nullcontext():
        for name, number in (("withdrawn", result.withdrawn), ("reinstated", result.reinstated)):
            if number:
                say(f"{_counted(number, 'assertion', 'assertions')} {name}.")
        retired = _counted(len(result.retired), "fact", "facts")
        say(f"{retired} retired, {len(result.restored):,} restored, {len(result.kept):,} kept.")
        for kept in result.kept:
            sources = ", ".join(uri or "by hand" for uri in kept.sources) or "relationships need it"
            say(f"kept  {kept.kind} {kept.id}  {sources}")
        for moved in result.moved:
            say(f"moved {moved.kind} {moved.id}  {moved.to} has its place now")
        for id in result.untouched:
            say(f"left  {id}  somebody deleted it, or an end of it")
        if not is_kept:
            say("Nothing was kept: this was a dry run. Leave out --dry-run to withdraw.")


@click.command()
@click.option("--source", metavar="URI", required=True, help="The source.")
@click.option("--json", "as_json", is_flag=True, help="Write it as one JSON object.")
@click.pass_obj
def contribution(settings: Settings, source: str, as_json: bool) -> None:
    """Tell how much of the graph a source supports, and which other sources say the same."""
    with connected(settings) as kg:
        told = kg.sources.contribution(kg.sources.get_by_uri(source).id)
    if as_json:
        say(as_json_line(told))
        return
    _tell_counts("all", told)
    for each in told.extractors:
        _tell_counts(each.extractor or "by hand", each)
    say(f"{told.only_here:,} facts that nothing else supports.")
    for other in told.shared_with:
        say(f"shared  {other.shared:>7,}  {other.uri}")
    if told.truncated:
        say("More sources share less.")
    if not told.is_complete:
        note("It says too much to count all of it; every number may be larger.")


def _tell_counts(name: str, counts: FactCounts) -> None:
    numbers = (
        (counts.entities_for, "entities"),
        (counts.relationships_for, "relationships"),
        (counts.entities_against, "entities against"),
        (counts.relationships_against, "relationships against"),
    )
    say(f"{name}: {', '.join(f'{number:,} {what}' for number, what in numbers if number) or 'nothing'}")


@click.command()
@click.argument("id", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Write one JSON object a line.")
@click.pass_obj
def assertions(settings: Settings, id: str, as_json: bool) -> None:
    """Tell who says that an entity or a relationship is so, or is not: the assertions about it that are in force."""
    with connected(settings) as kg:
        noun = _noun_of(kg, id)
        for each in all_items(lambda **page: kg.assertions.of(noun, id, **page)):
            say(as_json_line(each) if as_json else _line(each))


@click.command()
@click.argument("id", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Write one JSON object a line.")
@click.pass_obj
def values(settings: Settings, id: str, as_json: bool) -> None:
    """Tell what is pinned in an entity or a relationship, and what sources say of each field, those first that win.

    A line begins with * where the fact shows the value.
    """
    with connected(settings) as kg:
        told = kg.assertions.values(_noun_of(kg, id), id)
    for each in told:
        if as_json:
            say(as_json_line(each))
            continue
        value = json.dumps(each.value, ensure_ascii=False)
        from_where = "pinned" if each.is_pinned else f"{each.source or '-'}  {each.extractor or 'by hand'}"
        rank = f"  rank {each.rank}" if each.rank else ""
        say(f"{'*' if each.is_shown else ' '} {each.pointer} = {value}  {from_where}{rank}")


def _noun_of(kg: KnowledgeGraph, id: str) -> Any:
    """The noun of the fact with this id. Raises NotFound."""
    records: Any
    for noun, records in ((ENTITY, kg.entities), (RELATIONSHIP, kg.relationships)):
        try:
            records.get(id, include_deleted=True)
        except NotFound:
            continue
        return noun
    raise NotFound("entity or relationship", id, "kgl export writes them with their ids")


def _line(each: SourcedAssertion) -> str:
    sure = "unknown" if each.confidence is None else f"{each.confidence:.3g}"
    who = " ".join(part for part in (each.extractor, each.extractor_version) if part) or "by hand"
    places = f"  {_counted(len(each.locations), 'place', 'places')}" if each.locations else ""
    value = "" if each.about is None else f"  {each.about} = {json.dumps(each.value, ensure_ascii=False)}"
    return f"{each.stance:<7}  {sure:>7}  {each.source or '-'}  {who}  {each.asserted_by}{places}{value}"
