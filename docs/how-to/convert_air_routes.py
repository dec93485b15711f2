"""Convert the two CSV files of the air-routes graph to the NDJSON that `kgl import` reads.

    python docs/how-to/convert_air_routes.py NODES.csv EDGES.csv > air-routes.ndjson

Every node becomes an entity and every edge a relationship, in the order of the files.
How every column is mapped is described in load-a-dataset.md, next to this script.
"""

import argparse
import csv
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from io import TextIOWrapper
from itertools import chain
from pathlib import Path

Record = dict[str, object]
Row = dict[str, str]


class ConversionError(Exception):
    """The input is not what this script knows how to convert."""


NODE_COLUMNS = {"~id", "~label", "type:string", "code:string", "icao:string", "desc:string"}
EDGE_COLUMNS = {"~from", "~to", "~label"}
"""The columns that must be there. Other typed columns become metadata."""

CONVERTERS: dict[str, Callable[[str], object]] = {"string": str, "int": int, "double": float}
"""A typed column says its type after a colon: `elev:int` holds whole numbers."""

NOT_METADATA = {"type:string", "desc:string"}
"""`desc` is the entity's name and `type` repeats `~label`."""

METADATA_NAMES = {
    "dist": "distance_miles",
    "elev": "elevation_ft",
    "longest": "longest_runway_ft",
}
"""Columns that get a name with a unit. The others keep theirs."""

ORIGIN: Record = {"source": "air-routes", "source_type": "dataset"}


def read_rows(path: Path, columns: set[str]) -> Iterator[Row]:
    """The rows of a CSV file, with the white space of every value collapsed."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, strict=True)
        missing = columns - set(reader.fieldnames or ())
        if missing:
            raise ConversionError(f"{path} has no column {', '.join(sorted(missing))}")
        try:
            for row in reader:
                if None in row or None in row.values():
                    raise ConversionError(f"{path}, line {reader.line_num}: not as many values as columns")
                yield {column: " ".join(value.split()) for column, value in row.items()}
        except (csv.Error, UnicodeDecodeError) as error:
            raise ConversionError(f"{path} is not CSV in UTF-8: {error}") from error


def metadata(row: Row) -> Record:
    """The values of a row's typed columns. Empty ones are left out."""
    values: Record = {}
    for column, text in row.items():
        name, _, value_type = column.partition(":")
        if not text or not value_type or column in NOT_METADATA:
            continue
        try:
            values[METADATA_NAMES.get(name, name)] = CONVERTERS[value_type](text)
        except (KeyError, ValueError) as error:
            raise ConversionError(f"{column} cannot be {text!r} in the row with ~id {row.get('~id')}") from error
    return values


def entity_key(node_id: str) -> str:
    """The key of the entity that a node becomes."""
    return f"air-routes:{node_id}"


def entity_records(nodes: Path) -> Iterator[Record]:
    """One entity for each node; its codes become aliases."""
    for row in read_rows(nodes, NODE_COLUMNS):
        if row["icao:string"] == "none":  # how the file marks an airport without an ICAO code
            row["icao:string"] = ""
        name = row["desc:string"]
        codes = dict.fromkeys((row["code:string"], row["icao:string"]))
        record: Record = {
            "kind": "entity",
            "key": entity_key(row["~id"]),
            "type": row["~label"],
            "name": name,
        }
        aliases = [code for code in codes if code not in ("", name)]
        if aliases:
            record["aliases"] = aliases
        yield record | ORIGIN | {"metadata": metadata(row)}


def relationship_records(edges: Path) -> Iterator[Record]:
    """One relationship for each edge."""
    for row in read_rows(edges, EDGE_COLUMNS):
        record: Record = {
            "kind": "relationship",
            "source_entity_key": entity_key(row["~from"]),
            "relationship_type": row["~label"],
            "target_entity_key": entity_key(row["~to"]),
        }
        values = metadata(row)
        yield record | ORIGIN | ({"metadata": values} if values else {})


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
        description="Convert the air-routes graph to NDJSON for `kgl import`, written to stdout.",
    )
    parser.add_argument("nodes", type=Path, metavar="NODES.csv", help="e.g. air-routes-latest-nodes.csv")
    parser.add_argument("edges", type=Path, metavar="EDGES.csv", help="e.g. air-routes-latest-edges.csv")
    arguments = parser.parse_args()
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", newline="\n")
    try:
        write(chain(entity_records(arguments.nodes), relationship_records(arguments.edges)))
    except (ConversionError, OSError) as error:
        sys.exit(f"{parser.prog}: {error}")


if __name__ == "__main__":
    main()
