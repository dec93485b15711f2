"""Extractions over HTTP against their floor: a script that writes the same rows with the bare driver.

Each round has databases of its own. As many clients as there are send documents to the service, one after the other;
the rows that this wrote are read back, untimed; and as many connections of the bare driver write the same rows of each
document, in one transaction, into another database. The floor reads no JSON, checks nothing and looks nothing up. Then
the same documents are sent again, and nothing has to be done.
"""

import json
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from http.client import HTTPConnection
from pathlib import Path
from statistics import median
from typing import Any, Final
from urllib.parse import urlencode

import attrs
import psycopg

from kgl_adapters import connect
from kgl_adapters.sql.evidence.tables import ASSERTIONS, EXTRACTIONS, SOURCES
from kgl_adapters.sql.graph.names import NAMES
from kgl_adapters.sql.graph.tables import CHANGES, ENTITIES, RELATIONSHIPS, RUNS
from tests.benchmarks.contenders import Contender, kgl, plain

DOCUMENTS: Final = 500
CLIENTS: Final = 4
_ROUNDS: Final = 3
_ENTITIES: Final = 20
_RELATIONSHIPS: Final = 35
_EXTRACTIONS: Final = "/api/v1/extractions"
# The rows of a document, by its run, in the order in which they refer to each other.
_ROWS: Final = (
    (RUNS, "id = %(run)s"),
    (SOURCES, "id = (SELECT source_id FROM {extractions} WHERE run = %(run)s)"),
    (ENTITIES, "id IN (SELECT entity_id FROM {assertions} WHERE run = %(run)s)"),
    (NAMES, "entity_id IN (SELECT entity_id FROM {assertions} WHERE run = %(run)s)"),
    (RELATIONSHIPS, "id IN (SELECT relationship_id FROM {assertions} WHERE run = %(run)s)"),
    (ASSERTIONS, "run = %(run)s"),
    (EXTRACTIONS, "run = %(run)s"),
    (CHANGES, "run = %(run)s"),
)
Rows = Sequence[tuple[str, bytes]]
"""What a document wrote: a COPY statement for each table, and its data."""


@attrs.frozen
class Found:
    """Seconds for all documents: of the service the first time and the second, and of the floor, with its rows."""

    kgl_s: float
    again_s: float
    floor_s: float
    rows: int


def compare_extractions(fresh: Callable[[], str]) -> Found:
    """Extract `DOCUMENTS` documents in each of several rounds; the medians of the rounds."""
    rounds = [_round(fresh(), fresh()) for _ in range(_ROUNDS)]
    return Found(*(median(getattr(each, name) for each in rounds) for name in ("kgl_s", "again_s", "floor_s", "rows")))


def _round(url: str, floor_url: str) -> Found:
    with ExitStack() as stack:
        connect(url, migrate=True).close()
        connect(floor_url, migrate=True).close()
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kgl-bench-")))
        service = stack.enter_context(kgl(url, folder))
        pool = stack.enter_context(ThreadPoolExecutor(CLIENTS))
        documents = [*documents_of(DOCUMENTS)]
        first, kgl_s = _timed(pool, lambda part: _send(service, part), documents)
        again, again_s = _timed(pool, lambda part: _send(service, part), documents)
        if any(each["created"] != _ENTITIES + _RELATIONSHIPS for each in first) or any(each["run"] for each in again):
            raise RuntimeError("not all was created at first, or something was done again")
        with psycopg.connect(plain(url)) as source:
            written = [_rows(source, each["run"]) for each in first]
        lengths, floor_s = _timed(pool, lambda part: _write(floor_url, part), written)
        with connect(floor_url) as floor, connect(url) as graph:
            if floor.stats().entities != graph.stats().entities:
                raise RuntimeError("the floor did not write what kgl wrote")
        return Found(kgl_s, again_s, floor_s, sum(lengths))


def documents_of(count: int) -> Iterator[tuple[str, bytes]]:
    """So many documents with the shape of extracted ones: the path that each is put to, and its body."""
    for number in range(count):
        chance = random.Random(number)
        entities = [
            {
                "label": f"E{at}",
                "type": chance.choice(("person", "organization", "location")),
                "name": f"Name {number} of {at}",
                "confidence": round(chance.uniform(0.5, 1), 3),
                "locations": [
                    {"sentence": chance.randrange(20), "start": 3, "end": 5, "quote": f"Name {number}"}
                    for _ in range(chance.randrange(1, 4))
                ],
            }
            for at in range(_ENTITIES)
        ]
        pairs = chance.sample([(one, other) for one in range(_ENTITIES) for other in range(_ENTITIES)], _RELATIONSHIPS)
        relationships = [
            {
                "source_entity_label": f"E{one}",
                "relationship_type": "knows",
                "target_entity_label": f"E{other}",
                "confidence": round(chance.uniform(0.3, 1), 3),
                "locations": [{"sentence": chance.randrange(20)}] * (number % 2),
            }
            for one, other in pairs
        ]
        address = {"source": f"https://example.org/corpus/{number}.html", "extractor": "re-5"}
        body = {"version": "1", "title": f"Page {number}", "entities": entities, "relationships": relationships}
        yield f"{_EXTRACTIONS}?{urlencode(address)}", json.dumps(body).encode()


def _timed(
    pool: ThreadPoolExecutor, work: Callable[[Sequence[Any]], list[Any]], items: Sequence[Any]
) -> tuple[list[Any], float]:
    """What ``work`` makes of the items, which as many parts as there are clients go through, and how long it took."""
    began = time.perf_counter()
    parts = [*pool.map(work, [items[at::CLIENTS] for at in range(CLIENTS)])]
    return [each for part in parts for each in part], time.perf_counter() - began


def _send(service: Contender, documents: Sequence[tuple[str, bytes]]) -> list[Any]:
    connection = HTTPConnection(*service.address, timeout=60)
    headers = {**service.headers, "Content-Type": "application/json"}
    results = []
    for path, body in documents:
        connection.request("PUT", path, body, headers)
        answer = connection.getresponse()
        told = json.load(answer)
        if answer.status != 200:
            raise RuntimeError(f"a document was refused: {told}")
        results.append(told["data"])
    connection.close()
    return results


def _rows(source: psycopg.Connection, run: str) -> Rows:
    """What a run wrote, in the form that the driver writes fastest."""
    names = {"assertions": ASSERTIONS[False].fullname, "extractions": EXTRACTIONS[False].fullname}
    found = []
    for tables, condition in _ROWS:
        table = tables[False]
        columns = ", ".join(f'"{column.name}"' for column in table.columns if column.name != "sequence")
        where = condition.format(**names)
        with source.cursor() as cursor:
            selected = f"SELECT {columns} FROM {table.fullname} WHERE {where}"
            with cursor.copy(f"COPY ({selected % {'run': repr(run)}}) TO STDOUT") as copy:
                data = b"".join(map(bytes, copy))
        found.append((f"COPY {table.fullname} ({columns}) FROM STDIN", data))
    return found


def _write(url: str, documents: Sequence[Rows]) -> list[int]:
    """Write the rows of documents, each in a transaction; how many rows each had."""
    lengths = []
    with psycopg.connect(plain(url)) as target:
        for rows in documents:
            for statement, data in rows:
                with target.cursor() as cursor, cursor.copy(statement) as copy:
                    copy.write(data)
            target.commit()
            lengths.append(sum(data.count(b"\n") for _, data in rows))
    return lengths
