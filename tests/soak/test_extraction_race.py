"""Extractors that work on the same documents at once, over HTTP: what each said last is what is in force."""

import random
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import attrs
import pytest
from sqlalchemy import NullPool, create_engine, text

from kgl_adapters import connect
from kgl_adapters.sql.engine.engines import parse_url
from kgl_core import ChangeAction, Entity, KnowledgeGraph, Relationship
from tests.contract.evidence.documents import Fields, document, facts, joins, keyed, person, require_sound
from tests.contract.following import changes_after
from tests.serving.service import API, Answer, Service, serving

SECONDS: Final = 60
CLIENTS: Final = 8
SOURCES: Final = [f"d{number}" for number in range(6)]
WAVE_S: Final = 1.5
"""All clients withdraw most of it for so long, and then say more for so long, so that facts go and come back."""
KEYS: Final = [f"k{number}" for number in range(12)]
TYPES: Final = ("cites", "knows")
EVERYBODY: Final = "everybody"
"""The extractor that all clients run; each has one of its own besides."""
Said = Mapping[str, tuple[float | None, Mapping[str, Any]]]
"""What an extractor says of a source: the confidence and the metadata of each fact, by the name of the fact."""
At = tuple[str, str]
"""A source and an extractor."""


@attrs.frozen
class Written:
    """A document, and the name of the fact that each of its items is about, by the pointer of the item."""

    body: Fields
    names: Mapping[str, str]

    def said(self, refused: set[str]) -> Said:
        """What it says, but for the items at these pointers."""
        items = {f"/{kind}/{number}": item for kind, items in self.body.items() for number, item in enumerate(items)}
        kept = {self.names[at]: item for at, item in items.items() if at not in refused}
        return {name: (item["confidence"], item["metadata"]) for name, item in kept.items()}


def write(chance: random.Random, at: At) -> Written:
    """Some entities that other documents name too, one that no other has, and relationships between them.

    What an extractor of one client writes may also join entities that only others name, if they do.
    """

    def fields() -> Fields:
        return {"confidence": chance.choice([None, 0.2, 0.5, 0.9]), "metadata": {"n": chance.randrange(3)}}

    own = " ".join(at)
    named = chance.sample(KEYS, chance.randrange(1, 6))
    entities = [person("own", own, **fields()), *(keyed(key, **fields()) for key in chance.sample(named, len(named)))]
    labels = {"own": own, **{key: key for key in named}}
    ways = [(one, type, other) for one in labels for type in TYPES for other in labels if one != other]
    relationships = {
        f"{labels[one]} {type} {labels[other]}": joins(one, type, other, **fields())
        for one, type, other in chance.sample(ways, min(len(ways), chance.randrange(8)))
    }
    if at[1] != EVERYBODY and chance.random() < 0.3:
        one, other = chance.sample(KEYS, 2)
        ends = {"source_entity_key": one, "target_entity_key": other}
        relationships[f"{one} {TYPES[0]} {other}"] = {"relationship_type": TYPES[0], **ends, **fields()}
    names = {f"/entities/{number}": item["name"] for number, item in enumerate(entities)}
    names |= {f"/relationships/{number}": name for number, name in enumerate(relationships)}
    return Written(document(*entities, *relationships.values()), names)


class Client:
    """Extracts, withdraws and reinstates, and knows what it said last of each source.

    Nobody else uses its own extractor, so that it also knows how each of its requests has to be answered.
    """

    def __init__(self, service: Service, number: int) -> None:
        self._service, self._chance, self.own = service, random.Random(number), f"x{number}"
        self.last: dict[At, Said] = {}
        self._withdrawn: dict[At, Said] = {}
        self.done: Counter[str] = Counter()

    def run(self, end: float) -> None:
        """Send one request after the other until then."""
        while time.monotonic() < end:
            at = (self._chance.choice(SOURCES), self._chance.choice([self.own, self.own, EVERYBODY]))
            works = [self._extract, self._extract, self._again, self._withdraw, self._withdraw, self._reinstate]
            if time.monotonic() % (2 * WAVE_S) > WAVE_S:
                works = [self._extract, *[self._withdraw] * 8]
            work = self._chance.choice(works)
            if at[1] != EVERYBODY or work != self._reinstate:
                work(at)

    def _extract(self, at: At) -> None:
        self._put(at, write(self._chance, at))

    def _again(self, at: At) -> None:
        """The same document twice in a row; where nobody came between, the second time does nothing."""
        written = write(self._chance, at)
        self._put(at, written)
        said = self.last[at]
        result = self._put(at, written)
        if at[1] != EVERYBODY and not result["refused"] and said == self.last[at] == written.said(set()):
            assert result["created"] == 0

    def _put(self, at: At, written: Written) -> Any:
        answer = self._send("PUT", at, written.body, allowed=(200,))
        refused = {"/".join(item["pointer"].split("/")[:3]) for item in answer.data["items"] if item["is_refused"]}
        assert len(refused) == answer.data["refused"]
        assert answer.data["retires"] is not bool(refused)
        assert not refused or at[1] != EVERYBODY, answer.data
        kept = self.last.get(at, {}) if refused else {}
        self.last[at] = {**kept, **written.said(refused)}
        return answer.data

    def _withdraw(self, at: At) -> None:
        if at[1] == EVERYBODY:
            self._send("DELETE", at, allowed=(200, 404, 409))
        elif said := self.last.get(at):
            assert self._send("DELETE", at, allowed=(200,)).data["withdrawn"] == len(said)
            self._withdrawn[at] = said
        else:
            self._send("DELETE", at, allowed=(409 if at in self._withdrawn else 404,))
        self.last[at] = {}

    def _reinstate(self, at: At) -> None:
        if self.last.get(at):
            self._send("POST", at, path="/reinstate", allowed=(409,))
        elif said := self._withdrawn.get(at):
            assert self._send("POST", at, path="/reinstate", allowed=(200,)).data["reinstated"] == len(said)
            self.last[at] = said
        else:
            self._send("POST", at, path="/reinstate", allowed=(404,))

    def _send(self, method: str, at: At, body: Any = None, *, path: str = "", allowed: tuple[int, ...]) -> Answer:
        """What is answered once the service is not too busy. No client is told to run a transaction again."""
        query = urlencode({"source": at[0], "extractor": at[1]})
        while True:
            answer = self._service(method, f"{API}/extractions{path}?{query}", body)
            self.done[f"{method} {answer.status}"] += 1
            if answer.status != 503:
                assert answer.status in allowed, (method, at, answer.status, answer.body, body)
                return answer
            assert answer.json["code"] != "transaction_conflict", answer.body
            time.sleep(float(answer.headers["retry-after"]))


def in_force(kg: KnowledgeGraph) -> Mapping[At, Said]:
    """What each extractor says of each source."""
    names: dict[Any, str] = {}
    for fact in facts(kg):
        if isinstance(fact, Entity):
            names[fact.id] = fact.name
        else:
            source, target = (names[end] for end in fact.ends)
            names[fact.id] = f"{source} {fact.relationship_type} {target}"
    found: dict[At, dict[str, Any]] = defaultdict(dict)
    for each in said(kg):
        assert each.source is not None
        assert each.extractor is not None
        of = found[each.source, each.extractor]
        assert names[each.fact_id] not in of, "one extractor says one thing once"
        of[names[each.fact_id]] = (each.confidence, each.values.get("metadata", {}))
    return found


def said(kg: KnowledgeGraph) -> Iterator[Any]:
    """All assertions in force."""
    cursor: str | None = None
    while True:
        page = kg.assertions.list(limit=200, cursor=cursor)
        yield from page.items
        cursor = page.next_cursor
        if cursor is None:
            return


def require_exercised(kg: KnowledgeGraph) -> None:
    """Facts came, went and came back often, or the race has shown nothing."""
    seen = Counter((change.action, type(change.record)) for change in changes_after(kg, None))
    for kind in (Entity, Relationship):
        for action in (ChangeAction.CREATED, ChangeAction.RETIRED, ChangeAction.RESTORED):
            assert seen[action, kind] > 10, seen


def deadlocks(url: str) -> int:
    """How many transactions PostgreSQL has ended in this database because they waited for each other."""
    if url.startswith("sqlite"):
        return 0
    engine = create_engine(parse_url(url), poolclass=NullPool)
    with engine.connect() as connection:
        counted = text("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        return int(connection.execute(counted).scalar_one())


@pytest.mark.soak
@pytest.mark.parametrize("store_name", ["sqlite", "postgres"])
def test_the_last_word_of_each_client_is_in_force(
    empty_url: Callable[[str], str], tmp_path: Path, store_name: str
) -> None:
    """No error and no deadlock reaches a client, nothing is there twice, and nothing that was said is lost."""
    url = empty_url(store_name)
    deadlocks_before = deadlocks(url)
    with serving(url, tmp_path / "run") as service, ThreadPoolExecutor(CLIENTS) as threads:
        assert service.token
        clients = [Client(service, number) for number in range(CLIENTS)]
        end = time.monotonic() + SECONDS
        for _ in threads.map(lambda client: client.run(end), clients):
            pass
    done: Counter[str] = sum((client.done for client in clients), Counter())
    assert {"PUT 200", "DELETE 200", "POST 200"} <= done.keys(), done
    # The service would run their transactions again, but all take their locks in one order.
    assert deadlocks(url) == deadlocks_before
    with connect(url, migrate=False) as kg:
        found = in_force(kg)
        for source in SOURCES:
            for client in clients:
                at = (source, client.own)
                assert found.get(at, {}) == client.last.get(at, {}), at
            words = [client.last[source, EVERYBODY] for client in clients if (source, EVERYBODY) in client.last]
            assert found.get((source, EVERYBODY), {}) in words
        keys = [fact.key for fact in facts(kg) if isinstance(fact, Entity) and fact.is_active and fact.key]
        assert len({*keys}) == len(keys)
        require_exercised(kg)
        require_sound(kg)
