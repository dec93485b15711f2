"""``python -m tests.benchmarks``: measure, and print what was found as Markdown tables.

Databases are made for the occasion and removed afterwards. PostgreSQL is started for the occasion too, with the
settings that it has by default, unless ``--url`` or KGL_BENCH_DATABASE_URL names a server.
"""

import argparse
import os
import platform
import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import attrs
from sqlalchemy import NullPool, create_engine, text

from kgl_adapters.sql.engine.engines import parse_url
from kgl_core.storage.loading.load import BATCH_RECORDS_MAX
from tests.benchmarks.application import compare_applications
from tests.benchmarks.extracting import CLIENTS, DOCUMENTS, compare_extractions
from tests.benchmarks.loading import Race, race
from tests.benchmarks.memory import peak_of_load
from tests.benchmarks.percentiles import percentile
from tests.benchmarks.power_law import RELATIONSHIPS_EACH
from tests.benchmarks.reading import compare_gets
from tests.benchmarks.searching import compare_searches, index_size
from tests.benchmarks.servers import durable_server
from tests.benchmarks.service import CONNECTIONS, ROUNDS, SLICE_S, WORKS, Measurement, Start, pair, sizes
from tests.postgres import fresh_database

MEASUREMENTS: Final = ("load", "extract", "get", "walk", "search", "memory", "application", "service", "tail", "sizes")
STORES: Final = ("sqlite", "postgres")
SERVICE_ENTITIES: Final = 100_000
_WALKED: Final = {"SQLite": 0.4, "PostgreSQL": 1.0}
"""The share of a scale's entities that walks have."""
_SERVICE_COLUMNS: Final = (
    "work",
    "connections",
    "service",
    "requests/s",
    "of the floor",
    "p50, ms",
    "p99, ms",
    "p99.9, ms",
    "p99.9, of the floor's",
    "slowest, ms",
    "its CPU a request, µs",
    "PostgreSQL's, µs",
)
_SETTINGS: Final = ("fsync", "synchronous_commit", "full_page_writes", "shared_buffers", "max_wal_size")

Fresh = Callable[[], str]
"""Gives the URL of a new, empty database."""


@attrs.frozen
class Scale:
    """How much to load: entities, with twice as many relationships; and entities of the loads to measure memory of.

    Each service is under load ``rounds`` times, for ``seconds`` each, with these ``works`` and ``connections``.
    """

    entities: int
    memory: tuple[int, int]
    rounds: int = ROUNDS
    seconds: float = SLICE_S
    works: Sequence[str] = WORKS
    connections: Sequence[int] = CONNECTIONS


SCALES: Final = {
    "small": Scale(100_000, (33_000, 100_000)),
    "full": Scale(1_000_000, (100_000, 500_000)),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what the arguments say."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description="Measure the stores.")
    parser.add_argument("--scale", choices=SCALES, default="small", help="how much to load (default: small)")
    parser.add_argument("--only", choices=MEASUREMENTS, action="append", help="measure this; may be given again")
    parser.add_argument("--store", choices=STORES, action="append", help="measure this store; may be given again")
    parser.add_argument(
        "--url",
        default=os.environ.get("KGL_BENCH_DATABASE_URL"),
        help="any database on the PostgreSQL server to use, as a user who may create others",
    )
    parser.add_argument(
        "--rounds", type=int, default=ROUNDS, help=f"how often to load each service (default: {ROUNDS})"
    )
    parser.add_argument(
        "--seconds", type=float, default=SLICE_S, help=f"how long each time, in seconds (default: {SLICE_S:g})"
    )
    parser.add_argument("--work", choices=WORKS, action="append", help="with this work; may be given again")
    parser.add_argument("--connections", type=int, action="append", help="from so many; may be given again")
    chosen = parser.parse_args(arguments)
    scale = attrs.evolve(
        SCALES[chosen.scale],
        rounds=chosen.rounds,
        seconds=chosen.seconds,
        works=chosen.work or WORKS,
        connections=chosen.connections or CONNECTIONS,
    )
    with ExitStack() as stack:
        print(
            f"Python {platform.python_version()} on {os.cpu_count()} cores ({platform.machine()}), scale {chosen.scale}"
        )
        stores: dict[str, Fresh] = {}
        for store in chosen.store or STORES:
            if store == "sqlite":
                stores["SQLite"] = _sqlite(stack)
                print(f"SQLite {sqlite3.sqlite_version}")
            else:
                server = chosen.url or stack.enter_context(durable_server())
                stores["PostgreSQL"] = _postgres(stack, server)
                print(_described(server))
        measurements = {
            "load": _loads,
            "extract": _extractions,
            "get": _gets,
            "walk": _walks,
            "search": _searches,
            "memory": _memory,
            "application": _application,
            "service": _service,
            "tail": _tail,
            "sizes": _sizes,
        }
        for name in chosen.only or [name for name in MEASUREMENTS if name != "tail"]:
            measurements[name](stores, scale)


def _loads(stores: dict[str, Fresh], scale: Scale) -> None:
    _print_head(
        f"Bulk load, in transactions of up to {BATCH_RECORDS_MAX:,} records, and dumps",
        ("store", "records", "kgl, records/s", "floor, records/s", "kgl / floor"),
    )
    for store, fresh in stores.items():
        *races, dumps = race(fresh(), fresh(), scale.entities)
        both = Race("both", *(sum(getattr(race, name) for race in races) for name in ("records", "kgl_s", "floor_s")))
        for found in (*races, both, dumps):
            _print_row(
                store,
                f"{found.records:,} ({found.what})",
                f"{found.records / found.kgl_s:,.0f}",
                f"{found.records / found.floor_s:,.0f}",
                f"{found.ratio:.2f}",
            )


def _extractions(stores: dict[str, Fresh], scale: Scale) -> None:
    if "PostgreSQL" not in stores:
        return
    columns = ("documents", "kgl, s", "floor, s", "kgl / floor, times", "sent again, s", "floor / again, times")
    _print_head(f"{DOCUMENTS} documents over HTTP from {CLIENTS} clients, on PostgreSQL", columns)
    found = compare_extractions(stores["PostgreSQL"])
    _print_row(
        f"{DOCUMENTS} ({found.rows:,.0f} rows)",
        f"{found.kgl_s:.2f}",
        f"{found.floor_s:.2f}",
        f"{found.kgl_s / found.floor_s:.2f}",
        f"{found.again_s:.2f}",
        f"{found.floor_s / found.again_s:.2f}",
    )


def _gets(stores: dict[str, Fresh], scale: Scale) -> None:
    _print_head("One entity by its id", ("store", "kgl, µs", "bare, µs", "kgl / bare"))
    for store, fresh in stores.items():
        found = compare_gets(fresh())
        _print_row(store, f"{found.kgl_us:.0f}", f"{found.bare_us:.0f}", f"{found.ratio:.2f}")


def _walks(stores: dict[str, Fresh], scale: Scale) -> None:
    from tests.benchmarks.walking import compare_walks  # only this needs the graph database

    columns = (
        "walk",
        "entities",
        "kgl, ms",
        "p95",
        "bare SQL, ms",
        "kgl / bare SQL",
        "LadybugDB, ms",
        "LadybugDB / kgl",
    )
    for store, fresh in stores.items():
        number = int(scale.entities * _WALKED[store])
        _print_head(
            f"Walks over {number:,} entities and {RELATIONSHIPS_EACH * number:,} relationships, on {store}", columns
        )
        for found in compare_walks(fresh(), number):
            _print_row(
                found.walk,
                f"{found.size:,.0f}",
                f"{percentile(found.kgl_ms, 0.5):.1f}",
                f"{percentile(found.kgl_ms, 0.95):.1f}",
                f"{percentile(found.bare_ms, 0.5):.1f}" if found.bare_ms else "",
                "" if found.ratio is None else f"{found.ratio:.2f}",
                f"{percentile(found.peer_ms, 0.5):.1f}" if found.peer_ms else "",
                "" if found.ahead is None else f"{found.ahead:.1f}",
            )


def _searches(stores: dict[str, Fresh], scale: Scale) -> None:
    number = scale.entities
    _print_head(
        f"Searches among {number:,} entities", ("store", "question", "way", "p50, ms", "p95, ms", "slowest, ms")
    )
    for store, fresh in stores.items():
        url = fresh()
        for found in compare_searches(url, number):
            figures = (f"{percentile(found.times, share):.1f}" for share in (0.5, 0.95, 1))
            _print_row(store, found.what, found.way, *figures)
        _print_row(store, f"size of the index of names: {index_size(url) / 1024**2:,.0f} MiB", "", "", "", "")


def _memory(stores: dict[str, Fresh], scale: Scale) -> None:
    _print_head("Peak memory of a process that loads a file", ("store", "records", "MiB"))
    for store, fresh in stores.items():
        for entities in scale.memory:
            _print_row(store, f"{3 * entities:,}", f"{peak_of_load(fresh(), entities) / 1024**2:.0f}")


def _application(stores: dict[str, Fresh], scale: Scale) -> None:
    if "PostgreSQL" not in stores:
        return
    columns = ("work", "kgl, µs", "floor, µs", "kgl / floor", "kgl, calls of Python functions", "floor, calls")
    _print_head("CPU of a request in the application alone, on PostgreSQL", columns)
    for found in compare_applications(stores["PostgreSQL"]()):
        _print_row(
            found.work,
            f"{found.kgl_us:.0f}",
            f"{found.floor_us:.0f}",
            f"{found.kgl_us / found.floor_us:.2f}",
            str(found.kgl_calls),
            str(found.floor_calls),
        )


def _tail(stores: dict[str, Fresh], scale: Scale) -> None:
    _serve(stores, scale, "The service and the floor alone", pair())


def _service(stores: dict[str, Fresh], scale: Scale) -> None:
    _serve(stores, scale, "The service over HTTP, on PostgreSQL")


def _sizes(stores: dict[str, Fresh], scale: Scale) -> None:
    _serve(stores, scale, "The service with other numbers of workers and threads", sizes())


def _serve(stores: dict[str, Fresh], scale: Scale, title: str, starts: Sequence[Start] | None = None) -> None:
    if "PostgreSQL" not in stores:
        return
    with ExitStack() as stack:
        measurement = Measurement(stack, stores["PostgreSQL"](), SERVICE_ENTITIES, starts)
        _print_head(title, _SERVICE_COLUMNS)
        for found in measurement.results(scale.rounds, scale.seconds, scale.works, scale.connections):
            _print_row(
                found.workload,
                str(found.connections),
                found.contender,
                f"{found.per_second:,.0f}",
                f"{found.of_floor:.2f}",
                f"{found.p50_ms:.1f}",
                f"{found.p99_ms:.1f}",
                f"{found.p999_ms:.1f}",
                f"{found.p999_of_floor:.2f}",
                f"{found.slowest_ms:.0f}",
                f"{found.service_us:.0f}",
                "" if found.postgres_us is None else f"{found.postgres_us:.0f}",
            )
        _print_head("Memory of one worker", ("service", "MiB"))
        for held in measurement.memory():
            _print_row(held.contender, f"{held.mib:.0f}")


def _print_head(title: str, columns: Sequence[str]) -> None:
    print(f"\n### {title}\n")
    _print_row(*columns)
    _print_row("---", *["---:" for _ in columns[1:]])


def _print_row(*cells: str) -> None:
    print(f"| {' | '.join(cells)} |", flush=True)


def _sqlite(stack: ExitStack) -> Fresh:
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kgl-bench-")))
    numbers: Iterator[int] = iter(range(1_000_000))
    return lambda: f"sqlite:///{folder}/{next(numbers)}.db"


def _postgres(stack: ExitStack, server: str) -> Fresh:
    return lambda: stack.enter_context(fresh_database(server))


def _described(server: str) -> str:
    engine = create_engine(parse_url(server), poolclass=NullPool)
    with engine.connect() as connection:
        version = connection.execute(text("SHOW server_version")).scalar_one()
        settings = [f"{name} {connection.execute(text(f'SHOW {name}')).scalar_one()}" for name in _SETTINGS]
    return f"PostgreSQL {version}: {', '.join(settings)}"


if __name__ == "__main__":
    main()
