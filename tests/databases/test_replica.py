"""A standby that answers reads: never older than agreed, and never older than the caller's own last write."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy import text

from kgl_adapters import connect
from kgl_adapters.sql.engine.queries import Query
from kgl_adapters.sql.storage.replica_lag import Replica
from kgl_adapters.sql.units_of_work import SqlStore
from kgl_core import InvalidUrl, KnowledgeGraph
from tests.databases.standby import Standby, standby
from tests.faults.database import Database, database
from tests.serving.service import API, Service, kgl, serving, until

LAG_MAX_S: Final = 60.0
"""Longer than a test takes: what is answered from the standby is old, and known to be."""
PASSWORD: Final = "correct horse battery"


@pytest.fixture(scope="module")
def primary() -> Iterator[Database]:
    with database() as made:
        yield made


@pytest.fixture(scope="module")
def pair(primary: Database) -> Iterator[Standby]:
    with standby(primary) as made:
        yield made


@pytest.fixture
def held(primary: Database, pair: Standby) -> Iterator[Standby]:
    """The standby, running; a test may hold it up."""
    pair.catch_up(primary)
    yield pair
    pair.resume()


@contextmanager
def replicated(primary: Database, pair: Standby, lag_max: float = LAG_MAX_S) -> Iterator[KnowledgeGraph]:
    """A graph whose reads the standby answers, as soon as it is known to be fresh."""
    with connect(primary.url, migrate=False, replica_url=pair.url, replica_lag_max=lag_max) as kg:
        until(replica_of(kg).may_answer)
        yield kg


def replica_of(kg: KnowledgeGraph) -> Replica:
    store = kg._context.store
    assert isinstance(store, SqlStore)
    assert store.replica is not None
    return store.replica


def test_the_standby_answers_reads_of_the_graph(primary: Database, held: Standby) -> None:
    """Gets, lists, batches, searches, counts and dumps; not the feed, nor accounts, which must be fresh."""
    with replicated(primary, held) as kg, connect(primary.url) as other:
        held.pause()
        before = kg.entities.count(type="hidden")
        made = other.entities.create(type="hidden", name="まだ見えない", key="held")
        link = other.relationships.create(made.id, "knows", other.entities.create(type="hidden", name="Other").id)
        user = other.users.create(email="seen@example.org", password=PASSWORD)
        assert kg.entities.count(type="hidden") == before
        assert made.id not in {entity.id for entity in kg.entities.list(type="hidden").items}
        assert kg.entities.get_many(ids=[made.id]) == []
        assert kg.search("見え").items == kg.search.suggest("見え") == kg.search.link([made.name])[0].matches == ()
        assert kg.relationships.count(relationship_type="knows", entity_id=made.id) == 0
        dumped = [*kg.dump()]
        assert not {str(made.id), str(link.id)} & {record["id"] for record in dumped}
        assert kg.users.get(user.id) == user
        assert made in [change.record for change in all_changes(kg)]
        held.resume()
        until(lambda: kg.entities.count(type="hidden") == before + 2)


def test_the_standby_is_set_up_for_searches(primary: Database, held: Standby) -> None:
    """Without these settings, it may look through all names for the nearest words."""
    asked = Query(text("SELECT current_setting('enable_seqscan'), pg_is_in_recovery()"), is_sqlite=False)
    with replicated(primary, held) as kg, kg._context.store.snapshot() as uow:
        names: Any = uow.names
        names.existing(["oak"])
        assert names._session.fetch(asked, {}) == [("off", True)]


def all_changes(kg: KnowledgeGraph) -> list[Any]:
    """The feed from its beginning."""
    found: list[Any] = []
    while page := kg.changes(after=found[-1].cursor if found else None, limit=200).items:
        found += page
    return found


def test_a_writer_sees_its_own_writes(primary: Database, held: Standby) -> None:
    """However far the standby is behind; and whatever kind of write it was."""
    with replicated(primary, held) as kg:
        held.pause()
        for number in range(5):
            made = kg.entities.create(type="own", name=f"{number}")
            assert kg.entities.get(made.id) == made
            changed = kg.entities.update(made.id, name="changed")
            assert kg.entities.list(type="own", sort="-created_at").items[0] == changed
            kg.load([{"kind": "entity", "type": "own", "name": "loaded", "key": f"own{number}"}])
            assert kg.entities.get_by_key(f"own{number}").name == "loaded"
            with kg.transaction() as tx:
                tx.entities.delete(made.id)
            assert kg.entities.count(type="own") == number + 1


def test_it_answers_again_once_it_has_the_write(primary: Database, held: Standby) -> None:
    """The primary answers no longer than it has to."""
    with replicated(primary, held) as kg:
        kg.entities.create(type="own", name="once")
        assert not replica_of(kg).may_answer()
        until(replica_of(kg).may_answer)
        held.pause()
        with connect(primary.url) as other:
            late = other.entities.create(type="own", name="late")
        assert kg.entities.get_many(ids=[late.id]) == []


def test_reads_are_never_older_than_agreed(primary: Database, held: Standby) -> None:
    """A standby that falls behind is left out, and taken back when it has caught up."""
    with replicated(primary, held, lag_max=1.0) as kg, connect(primary.url) as other:
        held.pause()
        made = other.entities.create(type="agreed", name="Ada")
        until(lambda: kg.entities.get_many(ids=[made.id]) == [made])
        until(lambda: "more than 1 s behind" in (replica_of(kg).problem or ""))
        held.resume()
        until(lambda: replica_of(kg).problem is None)
        until(replica_of(kg).may_answer)


def test_a_dump_of_the_standby_joins_the_feed_of_the_primary(primary: Database, held: Standby) -> None:
    """Whoever reads on after its cursor misses nothing, although the standby was behind."""
    with replicated(primary, held) as kg, connect(primary.url) as other:
        other.entities.create(type="joined", name="before")
        held.catch_up(primary)
        held.pause()
        missed = {other.entities.create(type="joined", name=f"{number}").id for number in range(3)}
        with kg.dump() as dump:
            cursor = dump.cursor
            dumped = {record["id"] for record in dump}
        assert not {str(id) for id in missed} & dumped
        followed = {change.record.id for change in kg.changes(after=cursor, limit=200).items}
        assert missed <= followed


def test_a_standby_that_stops_is_not_missed(primary: Database) -> None:
    """Reads go to the primary at once, the one that met it too; a dump that has begun is told."""
    with standby(primary) as made, replicated(primary, made) as kg:
        for number in range(3):
            kg.entities.create(type="stop", name=f"{number}")
        until(replica_of(kg).may_answer)
        made.stop()
        assert kg.entities.count(type="stop") == 3
        assert len(kg.entities.list(type="stop").items) == 3
        assert len([record for record in kg.dump() if record.get("type") == "stop"]) == 3
        assert replica_of(kg).problem is not None
        made.start()
        until(lambda: replica_of(kg).problem is None)


def test_a_promoted_standby_is_left_out(primary: Database) -> None:
    """What it says from then on is another history."""
    with standby(primary) as made, replicated(primary, made) as kg, connect(primary.url) as other:
        made.promote()
        until(lambda: "primary itself" in (replica_of(kg).problem or ""))
        seen = other.entities.create(type="promoted", name="Ada")
        assert kg.entities.get(seen.id) == seen


def test_another_database_is_left_out(primary: Database, held: Standby) -> None:
    """A URL that leads astray answers nothing."""
    for url in (primary.url, held.url.replace("/postgres", "/template1"), held.url.replace(str(held.port), "1")):
        with connect(primary.url, replica_url=url) as kg:
            made = kg.entities.create(type="astray", name="Ada")
            until(lambda kg=kg: "not been looked at" not in (replica_of(kg).problem or ""))
            assert replica_of(kg).problem is not None
            assert kg.entities.get(made.id) == made


@pytest.mark.parametrize("urls", [("memory://", "postgresql://a/b"), ("sqlite://", "postgresql://a/b")])
def test_a_replica_is_postgresqls(urls: tuple[str, str]) -> None:
    """Also the other way round."""
    for url, replica_url in (urls, urls[::-1]):
        with pytest.raises(InvalidUrl, match="a replica is a standby of PostgreSQL"):
            connect(url, replica_url=replica_url)


def caller(service: Service, email: str) -> Callable[[str, str, Any], Any]:
    """Sends requests as another account."""
    kgl(service, "user", "create", email, "--password-file", "-", given=PASSWORD)
    token = service("POST", f"{API}/auth/token", {"email": email, "password": PASSWORD}).json["access_token"]
    return lambda method, path, body=None: service(method, path, body, Authorization=f"Bearer {token}")


def test_each_caller_of_the_service_sees_their_own_writes(primary: Database, held: Standby, tmp_path: Path) -> None:
    """On every worker; others see them a moment later. It is told how far the standby is behind."""
    with serving(
        primary.url, tmp_path / "run", DATABASE_REPLICA_URL=held.url, DATABASE_REPLICA_LAG_MAX=f"{LAG_MAX_S:g}"
    ) as service:
        ada, other = (caller(service, f"{name}@example.org") for name in ("ada", "other"))
        ready = until(lambda: (found := service("GET", "/health/ready")).json["checks"]["replica"]["detail"] or found)
        assert ready.json["checks"]["replica"] == {"status": "ok", "detail": None}

        def name_of(call: Any) -> Any:
            return call("GET", f"{API}/entities?type=shown&sort=-created_at&limit=1").data[0]["name"]

        first = ada("POST", f"{API}/entities", {"type": "shown", "name": "first"})
        assert first.status == 201
        held.catch_up(primary)
        until(lambda: "\nkgl_replica_lag_seconds 0." in service("GET", "/metrics").body.decode())
        until(lambda: all(name_of(other) == "first" for _ in range(20)))
        held.pause()
        for number in range(10):
            assert ada("POST", f"{API}/entities", {"type": "shown", "name": f"{number}"}).status == 201
            assert {name_of(ada) for _ in range(10)} == {f"{number}"}
            assert {name_of(other) for _ in range(3)} == {"first"}
        exported = other("GET", f"{API}/export")
        assert b'"name":"9"' not in exported.body
        followed = other("GET", f"{API}/changes?after={exported.headers['changes-cursor']}&limit=200").data
        assert [change["record"]["name"] for change in followed][-1] == "9"
    assert service.lines("The replica answers reads")


def test_a_service_without_its_standby_is_ready(primary: Database, tmp_path: Path) -> None:
    """Degraded, and everything is served by the primary."""
    with (
        standby(primary) as made,
        serving(primary.url, tmp_path / "run", email="2@example.org", DATABASE_REPLICA_URL=made.url) as service,
    ):
        until(lambda: service("GET", "/health/ready").json["checks"]["replica"]["status"] == "ok")
        made.stop()
        assert {service("GET", f"{API}/entities").status for _ in range(20)} == {200}
        until(lambda: service("GET", "/health/ready").json["checks"]["replica"]["status"] == "degraded")
        ready = service("GET", "/health/ready")
        assert (ready.status, ready.json["status"]) == (200, "ready")
        assert str(made.port) not in ready.body.decode()
        until(lambda: "kgl_replica_lag_seconds +Inf" in service("GET", "/metrics").body.decode())
