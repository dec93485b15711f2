"""Reading one entity by its id, against the same statement through bare SQLAlchemy Core.

Bare means: the statement is built once; each call takes a connection from a pool of the same kind, in autocommit,
reads one row and gives the connection back. What kgl adds is its checks and its objects.
"""

import random
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any, Final
from uuid import UUID

import attrs
from sqlalchemy import Engine, QueuePool, bindparam, create_engine, select

from kgl_adapters import connect
from kgl_adapters.sql.engine.engines import parse_url
from kgl_adapters.sql.graph import tables
from kgl_core.graph.entities import ENTITY
from tests.benchmarks.records import entity_lines, key_of

ENTITIES: Final = 10_000
ROUNDS: Final = 40
CALLS: Final = 500


@attrs.frozen
class Reading:
    """Microseconds a call, and kgl's time in parts of the bare one: each the median of all rounds."""

    kgl_us: float
    bare_us: float
    ratio: float


def compare_gets(url: str, rounds: int = ROUNDS) -> Reading:
    """Load entities into the empty database, then read them both ways by turns, a round of many calls each."""
    with connect(url, migrate=True) as kg:
        kg.load(entity_lines(0, ENTITIES))
        chance = random.Random(7)
        sample = [kg.entities.get_by_key(key_of(chance.randrange(ENTITIES))).id for _ in range(CALLS)]
        engine = _bare_engine(url)
        bare = _bare_get(engine)
        times = []
        for turn in range(rounds + 2):
            ways: list[Callable[[UUID], object]] = [kg.entities.get, bare]
            took = {way: _time(way, sample) for way in (ways if turn % 2 else reversed(ways))}
            if turn >= 2:  # before that, caches fill
                times.append((took[ways[0]], took[ways[1]]))
        engine.dispose()
    return Reading(
        statistics.median(kgl for kgl, _ in times) * 1e6,
        statistics.median(bare for _, bare in times) * 1e6,
        statistics.median(kgl / bare for kgl, bare in times),
    )


def _bare_engine(url: str) -> Engine:
    return create_engine(parse_url(url), isolation_level="AUTOCOMMIT", poolclass=QueuePool)


def _bare_get(engine: Engine) -> Callable[[UUID], Any]:
    is_sqlite = engine.dialect.name == "sqlite"
    table = tables.ENTITIES[is_sqlite]
    statement = select(*(table.c[name] for name in ENTITY.field_names)).where(table.c.id == bindparam("id"))

    def get(id: UUID) -> Any:
        with engine.connect() as connection:
            return connection.execute(statement, {"id": id.bytes if is_sqlite else id}).one_or_none()

    return get


def _time(way: Callable[[UUID], object], sample: Sequence[UUID]) -> float:
    began = time.perf_counter()
    for id in sample:
        way(id)
    return (time.perf_counter() - began) / len(sample)
