"""Searches, suggestions and links over many names, in the library and over HTTP.

The questions are mixed as people ask them: rare words and the commonest, one letter and many, scripts without spaces.
"""

import json
import random
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

import attrs
from sqlalchemy import create_engine, text

from kgl_adapters import connect
from kgl_adapters.sql.engine.engines import parse_url
from kgl_core import KnowledgeGraph
from tests.benchmarks.asking import Asking, timed
from tests.benchmarks.contenders import Contender, kgl
from tests.benchmarks.name_graph import lines, vocabulary

ASKED: Final = 40
"""How many questions there are of each kind."""
LINKED: Final = 1_000
_LINKS: Final = 100
_LINKED_FIELDS: Final = ("type", "name")
_SEED: Final = 5
_SEED_BEFORE: Final = 6
_LETTERS: Final = "abcdefghiklmnoprstuvw"
_INDEX: Final = "SELECT pg_total_relation_size('backend_entities.entity_names')"

Ask = Callable[[str], int]
"""Asks a question, and says how many entities it found."""


@attrs.frozen
class Asked:
    """Milliseconds of questions of one kind, each asked once."""

    what: str
    way: str
    times: Sequence[float]


def compare_searches(url: str, entities: int) -> Iterator[Asked]:
    """Ask a graph of so many entities, which the database has already or is given."""
    with ExitStack() as stack:
        kg = stack.enter_context(connect(url, migrate=True))
        if not kg.entities.list(limit=1).items:
            kg.load(lines(entities))
            _analyze(url)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kgl-bench-")))
        names = _names(kg)
        yield from _asked("library", _in_library(kg), names)
        yield from _asked("HTTP", _over_http(stack.enter_context(kgl(url, folder))), names)


def index_size(url: str) -> int:
    """How many bytes the index of names takes, with the rows that it is of."""
    engine = create_engine(parse_url(url))
    with engine.connect() as connection:
        if engine.dialect.name != "sqlite":
            return int(connection.execute(text(_INDEX)).scalar_one())
        like = "name LIKE 'entity_name%' OR name LIKE '%entity_names%'"
        return int(connection.execute(text(f"SELECT sum(pgsize) FROM dbstat WHERE {like}")).scalar_one())


def questions(seed: int = _SEED) -> dict[str, list[str]]:
    """Questions for searches, by kind."""
    chance = random.Random(seed)
    words = vocabulary()
    common, middling, rare = words[:12], words[200:4_000], words[20_000:40_000]
    return {
        "a rare word": chance.sample(rare, ASKED),
        "a middling word": chance.sample(middling, ASKED),
        "one of the commonest words": [chance.choice(common) for _ in range(ASKED)],
        "one letter": [chance.choice(_LETTERS) for _ in range(ASKED)],
        "three letters": [word[:3] for word in chance.sample(middling, ASKED)],
        "two of the commonest words": [" ".join(chance.sample(common, 2)) for _ in range(ASKED)],
        "one of the commonest words, one letter": [
            f"{chance.choice(common)} {chance.choice(_LETTERS)}" for _ in range(ASKED)
        ],
        "two Chinese characters": [chr(0x4E00 + 3 * n) + chr(0x4E00 + 5 * n) for n in range(ASKED)],
        "nothing like it": [f"zq{word}qz" for word in chance.sample(rare, ASKED)],
    }


def beginnings(seed: int = _SEED) -> dict[str, list[str]]:
    """What has been typed when suggestions are asked for, by kind."""
    chance = random.Random(seed)
    words = vocabulary()
    return {
        "one letter": [*_LETTERS],
        "two letters": [word[:2] for word in chance.sample(words[200:4_000], ASKED)],
        "three letters": [word[:3] for word in chance.sample(words[20_000:40_000], ASKED)],
        "a word, two letters": [f"{chance.choice(words[200:4_000])} {chance.choice(words)[:2]}" for _ in range(ASKED)],
    }


def _asked(way: str, ways: tuple[Ask, Ask, Callable[[Sequence[str]], int]], names: Sequence[str]) -> Iterator[Asked]:
    search, suggest, link = ways
    # Others come before: a worker that has just begun makes its statements first, while the next one begins.
    for ask, asked_by_kind in ((search, questions), (suggest, beginnings)):
        for q in chain.from_iterable(asked_by_kind(_SEED_BEFORE).values()):
            ask(q)
    for ask, asked_by_kind, what in ((suggest, beginnings, "suggest"), (search, questions, "search")):
        kinds = asked_by_kind()
        # In turns, so that no kind finds the database warmer than another.
        times: dict[str, list[float]] = {kind: [] for kind in kinds}
        for number in range(ASKED):
            for kind, asked in kinds.items():
                q = asked[number % len(asked)]
                times[kind].append(timed(ask, q)[0])
        yield from (Asked(f"{what}: {kind}", way, own) for kind, own in times.items())
        yield Asked(f"{what}: all", way, [each for own in times.values() for each in own])
    yield Asked(f"link {LINKED:,} names that are there", way, [timed(link, names)[0] for _ in range(_LINKS)])
    unknown = [f"{name} qz" for name in names]
    yield Asked(f"link {LINKED:,} names that are not", way, [timed(link, unknown)[0] for _ in range(_LINKS)])


def _in_library(kg: KnowledgeGraph) -> tuple[Ask, Ask, Callable[[Sequence[str]], int]]:
    return (
        lambda q: len(kg.search(q).items),
        lambda q: len(kg.search.suggest(q)),
        lambda names: len(kg.search.showing(*_LINKED_FIELDS).link(names)),
    )


def _over_http(service: Contender) -> tuple[Ask, Ask, Callable[[Sequence[str]], int]]:
    client = Asking(service)

    def get(path: str, q: str) -> int:
        return len(client.call("GET", f"/api/v1/search{path}?{urlencode({'q': q})}"))

    def link(names: Sequence[str]) -> int:
        body = {"names": [{"name": name} for name in names], "fields": _LINKED_FIELDS}
        return len(client.call("POST", "/api/v1/search/link", json.dumps(body).encode()))

    return (
        lambda q: get("", q),
        lambda q: get("/suggest", q),
        link,
    )


def _names(kg: KnowledgeGraph) -> list[str]:
    names: list[str] = []
    cursor = None
    while len(names) < LINKED:
        page = kg.entities.list(limit=200, cursor=cursor)
        names += [entity.name for entity in page.items]
        cursor = page.next_cursor
    return names[:LINKED]


def _analyze(url: str) -> None:
    engine = create_engine(parse_url(url), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("ANALYZE" if engine.dialect.name == "sqlite" else "VACUUM ANALYZE"))
    engine.dispose()
