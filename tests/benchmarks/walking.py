"""Walks in the library and over HTTP, against the bare SQL that finds the same, and an embedded graph database.

All have the same graph, and take turns entity by entity. The bare SQL gives what kgl gives, as the driver has it: ids
and distances, or the entities and the relationships among them. The graph database gives ids alone.
"""

import json
import random
import statistics
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final
from uuid import UUID

import attrs
import ladybug

from kgl_adapters import connect
from kgl_core import KnowledgeGraph
from tests.benchmarks.asking import Asking, timed
from tests.benchmarks.bare_walks import DRAWN_MAX, BareWalks, bare_walks
from tests.benchmarks.contenders import kgl
from tests.benchmarks.power_law import edges, entity_id, fill

WALKS: Final = 60
_TWO_HOPS: Final = (20, 1_000)
_THREE_HOPS: Final = (500, 2_000)
_HUBS: Final = 5
_WIDE: Final = {"max_entities": 10_000, "max_relationships": 50_000, "max_per_entity": 10_000}
_TO_DRAW: Final = "fields=id,type,name,relationship_type,confidence"
_MOST: Final = f"max_entities={DRAWN_MAX}&max_relationships={DRAWN_MAX}"
_THREE_OUT: Final = f"depth=3&direction=out&{_MOST}&{_TO_DRAW}"
_ENTITIES_OUT: Final = f"depth=3&direction=out&max_entities={DRAWN_MAX}&max_relationships=0&fields=id,type,name"
_TWO_BOTH: Final = f"depth=2&{_MOST}&{_TO_DRAW}"


@attrs.frozen
class Walked:
    """Milliseconds of one kind of walk: kgl's, those of the bare SQL and of the graph database, where they were asked.

    ``ratios`` are kgl's time in parts of that of the bare SQL, walk by walk; ``size`` is the median of entities found.
    """

    walk: str
    size: float
    kgl_ms: Sequence[float]
    bare_ms: Sequence[float] = ()
    peer_ms: Sequence[float] = ()

    @property
    def ratio(self) -> float | None:
        """The median of kgl's time in parts of that of the bare SQL."""
        pairs = zip(self.kgl_ms, self.bare_ms, strict=True) if self.bare_ms else ()
        return statistics.median(kgl / bare for kgl, bare in pairs) if self.bare_ms else None

    @property
    def ahead(self) -> float | None:
        """How many times as long the graph database takes, in the median."""
        if not self.peer_ms:
            return None
        return statistics.median(peer / kgl for kgl, peer in zip(self.kgl_ms, self.peer_ms, strict=True))


def compare_walks(url: str, entities: int) -> Iterator[Walked]:
    """Fill the empty database with a graph of so many entities, and walk."""
    with ExitStack() as stack:
        kg = stack.enter_context(connect(url, migrate=True))
        fill(url, entities)
        bare = stack.enter_context(bare_walks(url))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kgl-bench-")))
        peer = _graph_database(folder, entities)
        client = Asking(stack.enter_context(kgl(url, folder)))
        chance = random.Random(7)
        for depth, sizes in ((2, _TWO_HOPS), (3, _THREE_HOPS)):
            starts = _starts(bare, chance, entities, depth, sizes)
            yield _distances(kg, bare, peer, depth, starts)
            yield _hops(kg, bare, depth, starts)
        yield _over_http(client, starts, "1,000 entities", _ENTITIES_OUT, bare.nearest)
        yield _over_http(client, starts, "1,000 entities, to draw", _THREE_OUT, bare.to_draw)
        yield _shortest(kg, peer, [(chance.randrange(entities), chance.randrange(entities)) for _ in range(WALKS)])
        beside = [bare.beside(entity_id(number % _HUBS), chance.randrange(1_000)) for number in range(WALKS)]
        yield _through_hubs(kg, beside)
        yield _through_hubs_to_draw(client, beside)


def _starts(bare: BareWalks, chance: random.Random, entities: int, depth: int, sizes: tuple[int, int]) -> list[int]:
    """Entities from which so many are reached."""
    found: list[int] = []
    while len(found) < WALKS:
        number = chance.randrange(entities)
        if sizes[0] <= bare.distances(entity_id(number), depth) <= sizes[1]:
            found.append(number)
    return found


def _distances(
    kg: KnowledgeGraph, bare: BareWalks, peer: ladybug.Connection, depth: int, starts: Sequence[int]
) -> Walked:
    query = f"MATCH (a:E {{n: $n}})-[:R* SHORTEST 1..{depth}]->(b:E) RETURN b.n"  # each entity once

    def in_library(number: int) -> int:
        return len(kg.graph.distances(entity_id(number), depth=depth, direction="out").by_id)

    def in_sql(number: int) -> int:
        return bare.distances(entity_id(number), depth)

    def in_peer(number: int) -> int:
        return len({number, *(row[0] for row in peer.execute(query, {"n": number}).get_all())})

    return _in_turns(f"{depth} hops out, distances", starts, in_library, in_sql, in_peer)


def _hops(kg: KnowledgeGraph, bare: BareWalks, depth: int, starts: Sequence[int]) -> Walked:
    def in_library(number: int) -> int:
        found = kg.graph.neighborhood(entity_id(number), depth=depth, direction="out", **_WIDE)
        return len(found.entities)

    def in_sql(number: int) -> int:
        return bare.records(entity_id(number), depth)

    return _in_turns(f"{depth} hops out, with all records", starts, in_library, in_sql)


def _in_turns(what: str, starts: Sequence[int], *ways: Callable[[int], int]) -> Walked:
    """Walk from each entity in all ways, which must find as many; the third is the graph database."""
    times: list[list[float]] = [[] for _ in ways]
    sizes = []
    for number in starts:
        found = [timed(walk, number) for walk in ways]
        if len({size for _, size in found}) > 1:
            raise RuntimeError(f"from entity {number}: {[size for _, size in found]} entities")
        for own, (took, _) in zip(times, found, strict=True):
            own.append(took)
        sizes.append(found[0][1])
    return Walked(what, statistics.median(sizes), *times)


def _shortest(kg: KnowledgeGraph, peer: ladybug.Connection, pairs: Sequence[tuple[int, int]]) -> Walked:
    query = "MATCH (a:E {n: $a})-[r:R* SHORTEST 1..6]->(b:E {n: $b}) RETURN length(r)"

    def in_library(start: int, end: int) -> int | None:
        found = kg.graph.paths(entity_id(start), entity_id(end), direction="out", max_depth=6, limit=1)
        return found.paths[0].length if found.paths else None

    def in_peer(start: int, end: int) -> int | None:
        rows = peer.execute(query, {"a": start, "b": end}).get_all()
        return rows[0][0] if rows else None

    kgl_ms, peer_ms = [], []
    for start, end in pairs:
        (mine, length), (peer_time, peer_length) = (timed(walk, start, end) for walk in (in_library, in_peer))
        if start != end and length != peer_length:
            raise RuntimeError(f"from entity {start} to {end}: {length} and {peer_length} relationships")
        kgl_ms.append(mine)
        peer_ms.append(peer_time)
    return Walked("shortest path, up to 6", 2, kgl_ms, (), peer_ms)


def _through_hubs(kg: KnowledgeGraph, beside: Sequence[UUID]) -> Walked:
    """Two hops both ways, of which a thousand entities are wanted."""
    walks = [timed(lambda id: kg.graph.neighborhood(id, depth=2, max_entities=1_000), id) for id in beside]
    sizes = [len(found.entities) for _, found in walks]
    what = "2 hops both ways through a hub, 1,000 entities at most"
    return Walked(what, statistics.median(sizes), [took for took, _ in walks])


def _over_http(
    client: Asking, starts: Sequence[int], what: str, asked: str, in_sql: Callable[[UUID, int], int]
) -> Walked:
    """Over HTTP, kgl follows a hundred relationships of each entity at most, and may find a few entities fewer."""
    kgl_ms, bare_ms, sizes = [], [], []
    for id in map(entity_id, starts):
        took, body = timed(client.call, "GET", f"/api/v1/entities/{id}/neighborhood?{asked}")
        kgl_ms.append(took)
        sizes.append(_drawn(body))
        bare_ms.append(timed(in_sql, id, 3)[0])
    return Walked(f"3 hops out over HTTP, {what}", statistics.median(sizes), kgl_ms, bare_ms)


def _through_hubs_to_draw(client: Asking, beside: Sequence[UUID]) -> Walked:
    walks = [timed(client.call, "GET", f"/api/v1/entities/{id}/neighborhood?{_TWO_BOTH}") for id in beside]
    sizes = [_drawn(body) for _, body in walks]
    what = "2 hops both ways through a hub over HTTP, to draw"
    return Walked(what, statistics.median(sizes), [took for took, _ in walks])


def _drawn(body: bytes) -> int:
    return len(json.loads(body)["data"]["entities"])


def _graph_database(folder: Path, entities: int) -> ladybug.Connection:
    """The same graph in LadybugDB: numbers, and relationships between them."""
    (folder / "entities.csv").write_text("".join(f"{number}\n" for number in range(entities)))
    with (folder / "relationships.csv").open("w") as file:
        file.writelines(f"{edge.source},{edge.target}\n" for edge in edges(entities))
    connection = ladybug.Connection(ladybug.Database(str(folder / "graph")))
    connection.execute("CREATE NODE TABLE E(n INT64 PRIMARY KEY)")
    connection.execute("CREATE REL TABLE R(FROM E TO E)")
    connection.execute(f"COPY E FROM '{folder}/entities.csv'")
    connection.execute(f"COPY R FROM '{folder}/relationships.csv'")
    return connection
