"""Convert a Re-DocRED file to the NDJSON that `kgl import` reads.

    python docs/how-to/convert_redocred.py dev_revised.json > redocred.ndjson

Each document gives its entities, then its relationships. The sentences are not used.
How every field is mapped is described in load-a-dataset.md, next to this script.
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from io import TextIOWrapper
from pathlib import Path
from typing import TypedDict

Record = dict[str, object]


class Mention(TypedDict):
    """One place of the text where an entity is named."""

    name: str
    type: str


class Label(TypedDict):
    """One relation: entity h has, by Wikidata property r, the value t."""

    h: int
    t: int
    r: str
    evidence: list[int]


class Document(TypedDict):
    """The fields of one annotated Wikipedia article that are converted."""

    title: str
    vertexSet: list[list[Mention]]
    labels: list[Label]


class ConversionError(Exception):
    """The input is not what this script knows how to convert."""


ENTITY_TYPES = {
    "PER": "person",
    "LOC": "location",
    "ORG": "organization",
    "TIME": "time",
    "NUM": "number",
    "MISC": "miscellaneous",
}

VALUE_TYPES = {"TIME", "NUM"}
"""Types whose entities are values: of little use when no relationship names them."""

RELATIONSHIP_TYPES = {
    "P6": "head_of_government",
    "P17": "country",
    "P19": "place_of_birth",
    "P20": "place_of_death",
    "P22": "father",
    "P25": "mother",
    "P26": "spouse",
    "P27": "country_of_citizenship",
    "P30": "continent",
    "P31": "instance_of",
    "P35": "head_of_state",
    "P36": "capital",
    "P37": "official_language",
    "P39": "position_held",
    "P40": "child",
    "P50": "author",
    "P54": "member_of_sports_team",
    "P57": "director",
    "P58": "screenwriter",
    "P69": "educated_at",
    "P86": "composer",
    "P102": "member_of_political_party",
    "P108": "employer",
    "P112": "founded_by",
    "P118": "league",
    "P123": "publisher",
    "P127": "owned_by",
    "P131": "located_in_the_administrative_territorial_entity",
    "P136": "genre",
    "P137": "operator",
    "P140": "religion",
    "P150": "contains_administrative_territorial_entity",
    "P155": "follows",
    "P156": "followed_by",
    "P159": "headquarters_location",
    "P161": "cast_member",
    "P162": "producer",
    "P166": "award_received",
    "P170": "creator",
    "P171": "parent_taxon",
    "P172": "ethnic_group",
    "P175": "performer",
    "P176": "manufacturer",
    "P178": "developer",
    "P179": "series",
    "P190": "sister_city",
    "P194": "legislative_body",
    "P205": "basin_country",
    "P206": "located_in_or_next_to_body_of_water",
    "P241": "military_branch",
    "P264": "record_label",
    "P272": "production_company",
    "P276": "location",
    "P279": "subclass_of",
    "P355": "subsidiary",
    "P361": "part_of",
    "P364": "original_language_of_work",
    "P400": "platform",
    "P403": "mouth_of_the_watercourse",
    "P449": "original_network",
    "P463": "member_of",
    "P488": "chairperson",
    "P495": "country_of_origin",
    "P527": "has_part",
    "P551": "residence",
    "P569": "date_of_birth",
    "P570": "date_of_death",
    "P571": "inception",
    "P576": "dissolved_abolished_or_demolished",
    "P577": "publication_date",
    "P580": "start_time",
    "P582": "end_time",
    "P585": "point_in_time",
    "P607": "conflict",
    "P674": "characters",
    "P676": "lyrics_by",
    "P706": "located_on_terrain_feature",
    "P710": "participant",
    "P737": "influenced_by",
    "P740": "location_of_formation",
    "P749": "parent_organization",
    "P800": "notable_work",
    "P807": "separated_from",
    "P840": "narrative_location",
    "P937": "work_location",
    "P1001": "applies_to_jurisdiction",
    "P1056": "product_or_material_produced",
    "P1198": "unemployment_rate",
    "P1336": "territory_claimed_by",
    "P1344": "participant_of",
    "P1365": "replaces",
    "P1366": "replaced_by",
    "P1376": "capital_of",
    "P1412": "languages_spoken_written_or_signed",
    "P1441": "present_in_work",
    "P3373": "sibling",
}
"""The 96 properties of DocRED, by the English labels that its annotation used."""


def entity_key(document: Document, index: int) -> str:
    """The key of the entity at an index of the document's vertexSet."""
    if not 0 <= index < len(document["vertexSet"]):
        raise ConversionError(f"a label names entity {index}, which is not in vertexSet")
    return f"redocred:{document['title']}#{index}"


def mention_type(mentions: list[Mention]) -> str:
    """The type most mentions have; the first to appear wins a tie."""
    return Counter(mention["type"] for mention in mentions).most_common(1)[0][0]


def entity_record(document: Document, index: int) -> Record:
    """One entity: the first mention names it, the other names become aliases."""
    mentions = document["vertexSet"][index]
    # A few names hold line breaks or runs of spaces: each becomes one space.
    name, *aliases = dict.fromkeys(" ".join(mention["name"].split()) for mention in mentions)
    entity_type = mention_type(mentions)
    if entity_type not in ENTITY_TYPES:
        raise ConversionError(f"unknown entity type {entity_type!r}")
    record: Record = {
        "kind": "entity",
        "key": entity_key(document, index),
        "type": ENTITY_TYPES[entity_type],
        "name": name,
    }
    if aliases:
        record["aliases"] = aliases
    return record | origin(document)


def relationship_record(document: Document, label: Label) -> Record:
    """One relationship, which keeps the Wikidata property and the evidence sentences."""
    wikidata_property = label["r"]
    if wikidata_property not in RELATIONSHIP_TYPES:
        raise ConversionError(f"unknown property {wikidata_property!r}")
    metadata: Record = {"property": wikidata_property}
    if label["evidence"]:
        metadata["evidence"] = sorted(set(label["evidence"]))
    record: Record = {
        "kind": "relationship",
        "source_entity_key": entity_key(document, label["h"]),
        "relationship_type": RELATIONSHIP_TYPES[wikidata_property],
        "target_entity_key": entity_key(document, label["t"]),
    }
    return record | origin(document) | {"metadata": metadata}


def origin(document: Document) -> Record:
    """Where a record comes from: the article it was annotated in."""
    return {"source": document["title"], "source_type": "wikipedia"}


def document_records(document: Document, *, skip_loose_values: bool) -> Iterator[Record]:
    """The entities of a document, then its relationships."""
    linked = {index for label in document["labels"] for index in (label["h"], label["t"])}
    for index, mentions in enumerate(document["vertexSet"]):
        loose_value = index not in linked and mention_type(mentions) in VALUE_TYPES
        if not (skip_loose_values and loose_value):
            yield entity_record(document, index)
    for label in document["labels"]:
        yield relationship_record(document, label)


def is_titled(document: object) -> bool:
    """Whether a value can be a document at all."""
    return isinstance(document, dict) and isinstance(document.get("title"), str)


def read_documents(path: Path) -> list[Document]:
    """The documents of a Re-DocRED file."""
    try:
        with path.open(encoding="utf-8") as file:
            content: object = json.load(file)
    except ValueError as error:
        raise ConversionError(f"{path} is not JSON in UTF-8: {error}") from error
    if not isinstance(content, list) or not all(map(is_titled, content)):
        raise ConversionError(f"{path} must hold a list of documents with a title")
    return content


def convert(documents: Iterable[Document], *, skip_loose_values: bool) -> Iterator[Record]:
    """The records of all documents; an error says which document it was found in."""
    for document in documents:
        try:
            yield from document_records(document, skip_loose_values=skip_loose_values)
        except ConversionError as error:
            raise ConversionError(f"{document['title']}: {error}") from error
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            raise ConversionError(f"{document['title']}: unexpected content: {error!r}") from error


def select(documents: list[Document], titles: list[str]) -> list[Document]:
    """The documents with these titles, in the order of the file."""
    missing = set(titles) - {document["title"] for document in documents}
    if missing:
        raise ConversionError(f"no document has the title {', '.join(sorted(missing))}")
    return [document for document in documents if document["title"] in titles]


def write(records: Iterable[Record]) -> None:
    """Write one JSON object a line to stdout and, at the end, the counts to stderr."""
    counts: dict[str, Counter[object]] = {"entity": Counter(), "relationship": Counter()}
    for record in records:
        print(json.dumps(record, ensure_ascii=False))
        counts[str(record["kind"])][record.get("type") or record["relationship_type"]] += 1
    for title, counter in zip(("entities", "relationships"), counts.values(), strict=True):
        print(f"{title}: {counter.total():,}", file=sys.stderr)
        for name, count in counter.most_common():
            print(f"  {name}: {count:,}", file=sys.stderr)


def main() -> None:
    """Read the command line and convert."""
    parser = argparse.ArgumentParser(
        description="Convert a Re-DocRED file to NDJSON for `kgl import`, written to stdout.",
    )
    parser.add_argument("input", type=Path, metavar="INPUT.json", help="e.g. dev_revised.json")
    parser.add_argument(
        "--title",
        action="append",
        metavar="TITLE",
        help="convert only the document with this title (may be repeated)",
    )
    parser.add_argument(
        "--skip-loose-values",
        action="store_true",
        help="leave out times and numbers that no relationship names",
    )
    arguments = parser.parse_args()
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", newline="\n")
    try:
        documents = read_documents(arguments.input)
        if arguments.title:
            documents = select(documents, arguments.title)
        write(convert(documents, skip_loose_values=arguments.skip_loose_values))
    except (ConversionError, OSError) as error:
        sys.exit(f"{parser.prog}: {error}")


if __name__ == "__main__":
    main()
