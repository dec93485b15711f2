"""Opening a knowledge graph: what each URL gives, and what each trouble says."""

import contextlib
import os
import socket
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy import Connection, Engine, event, text

from kgl_adapters import connect
from kgl_adapters.sql.engine import engines
from kgl_adapters.sql.engine.driver_errors import translate
from kgl_adapters.sql.engine.engines import make_engine, parse_url
from kgl_adapters.sql.units_of_work import SqlStore
from kgl_core import (
    AlreadyExists,
    InvalidUrl,
    KnowledgeGraph,
    MigrationNeeded,
    NotFound,
    StoreBusy,
    StoreClosed,
    StoreFull,
    StoreReadOnly,
    StoreUnavailable,
)
from kgl_core.kernel.store_errors import StoreError
from tests.contract.samples import entity
from tests.postgres import fresh_database


def test_without_a_url_the_environment_says_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """DATABASE_URL, and without that a file in the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", "sqlite:///named.db")
    connect().close()
    monkeypatch.delenv("DATABASE_URL")
    connect().close()
    assert {"named.db", "kgl.db"} <= {file.name for file in tmp_path.iterdir()}


@pytest.mark.parametrize("url", ["memory://", "sqlite://", "sqlite:///:memory:"])
def test_a_graph_in_memory_is_its_own(url: str) -> None:
    """It needs no migration, leaves nothing behind, and is shared by threads."""
    with connect(url) as kg, connect(url) as other:
        made = kg.entities.create(type="t", name="n")
        found: list[object] = []
        thread = threading.Thread(target=lambda: found.append(kg.entities.get(made.id)))
        thread.start()
        thread.join()
        assert found == [made]
        with pytest.raises(NotFound):
            other.entities.get(made.id)


def test_sqlite_in_memory_takes_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its one connection serves many threads, and a call beside one's own open transaction says that it would wait."""
    monkeypatch.setattr(engines, "WAIT_MAX_S", 0.1)
    with connect("sqlite://") as kg:
        threads = [threading.Thread(target=lambda i=i: kg.entities.create(type="t", name=f"n{i}")) for i in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert kg.entities.count() == 8
        with kg.transaction() as tx:
            tx.entities.create(type="t", name="n")
            with pytest.raises(StoreBusy, match="finish other transactions"):
                kg.entities.count()
        assert kg.entities.count() == 9


def test_a_new_sqlite_file_is_made_ready(tmp_path: Path) -> None:
    """By default; told not to migrate, kgl does not even make the file."""
    url = f"sqlite:///{tmp_path}/new.db"
    with pytest.raises(MigrationNeeded, match="kgl migrate"):
        connect(url, migrate=False)
    assert list(tmp_path.iterdir()) == []
    with connect(url) as kg:
        kg.entities.create(type="t", name="n")
    with connect(url, migrate=False) as kg:
        assert kg.entities.count() == 1


def test_a_file_of_somebody_else_is_not_migrated_unasked(tmp_path: Path) -> None:
    """It holds tables, but not ours."""
    file = tmp_path / "theirs.db"
    with sqlite3.connect(file) as theirs:
        theirs.execute("CREATE TABLE thing (id)")
    theirs.close()
    file.chmod(0o600)
    with pytest.raises(MigrationNeeded, match="holds no kgl schema"):
        connect(f"sqlite:///{file}")
    with connect(f"sqlite:///{file}", migrate=True) as kg:
        kg.entities.create(type="t", name="n")
    again = sqlite3.connect(file)
    assert again.execute("SELECT count(*) FROM thing").fetchone() == (0,)
    again.close()


def test_a_new_postgres_database_is_migrated_only_when_asked(postgres_server: str) -> None:
    """A server is shared: its tables change when somebody says so."""
    with fresh_database(postgres_server) as url:
        for attempt in (None, False):
            with pytest.raises(MigrationNeeded, match="kgl migrate"):
                connect(url, migrate=attempt)
        connect(url, migrate=True).close()
        connect(url).close()


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("", None),
        ("nonsense", "cannot be read"),
        ("://", "cannot be read"),
        ("memory://somewhere", "memory://"),
        ("memory:", "memory://"),
        ("mysql://ada:hunter22@host/db", "no store called mysql"),
        ("postgresql+asyncpg://ada:hunter22@host/db", "no store called"),
        ("postgres+asyncpg://ada:hunter22@host/db", "no store called"),
        ("http://example.org", "no store called http"),
        ("sqlite:///graph.db?mode=ro", "uri=true"),
        ("sqlite:///a?one.db", "write %3F"),
        ("sqlite:///a?one=two.db", "write %3F"),
        ("sqlite:///a?", "write %3F"),
        ("sqlite:///a?=b.db", "write %3F"),
        ("sqlite:///a?b.db&uri=true", "write %3F"),
        ("sqlite:///file:a?one.db?uri=true", "write %3F"),
        ("postgresql://ada:hunter22?@host/db?sslmode", "name=value"),
        ("postgres://ada:hunter22@host/db?sslmode=", "name=value"),
        ("postgresql://ada:hunter22@host:port/db", "cannot be read"),
    ],
)
def test_a_wrong_url_is_refused(url: str, says: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message shows what would be right, and never the password."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DATABASE_URL", raising=False)
    if says is None:
        connect(url).close()  # nothing said: the default
        return
    with pytest.raises(InvalidUrl, match=r"sqlite:///file\.db") as refused:
        connect(url)
    assert says in str(refused.value)
    assert "hunter22" not in str(refused.value)


@pytest.mark.parametrize(
    "name", ["a?one.db", "ü ß.db", "グラフ.db", "a#b.db", "100%41.db", "a&b=c.db", "it's.db", "file:x"]
)
@pytest.mark.parametrize("form", ["sqlite:///{}", "sqlite:///file:{}?uri=true"])
def test_the_file_that_is_named_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, form: str
) -> None:
    """Whatever its name, percent-encoded as in any URL, and no other file is made."""
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        connect(form.format(quote(name)), migrate=True).close()
        assert [file.name for file in tmp_path.iterdir()] == [name]


def test_the_other_name_of_postgresql_is_taken(postgres_server: str) -> None:
    """As some hosts give it."""
    with fresh_database(postgres_server) as url:
        connect(url.replace("postgresql://", "postgres://"), migrate=True).close()
        connect(url).close()


@pytest.mark.parametrize("form", ["sqlite:///graph.db", "sqlite:///file:graph.db?uri=true"])
@pytest.mark.parametrize("umask", [0o000, 0o022, 0o777])
def test_files_are_made_for_their_owner_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, umask: int, form: str
) -> None:
    """The database and what SQLite keeps beside it, whatever the umask."""
    monkeypatch.chdir(tmp_path)
    before = os.umask(umask)
    try:
        with connect(form) as kg:
            kg.entities.create(type="t", name="n")
            files = {file.name: file.stat().st_mode & 0o777 for file in tmp_path.iterdir()}
    finally:
        os.umask(before)
    assert files == {"graph.db": 0o600, "graph.db-wal": 0o600, "graph.db-shm": 0o600}


def test_a_file_that_others_can_read_is_told_of(tmp_path: Path) -> None:
    """With the command to run, which this leaves to the owner; a file for its owner alone is not told of."""
    file = tmp_path / "my graph.db"
    connect(f"sqlite:///{file}").close()
    connect(f"sqlite:///{file}").close()
    for mode in (0o644, 0o660, 0o602):
        file.chmod(mode)
        with pytest.warns(UserWarning, match="other users") as told:
            connect(f"sqlite:///{file}").close()
        assert f"run chmod 600 '{file}'" in str(told[0].message)
        assert file.stat().st_mode & 0o777 == mode


@pytest.mark.parametrize("database", ["no/such/folder/graph.db", "."])
def test_a_file_that_cannot_be_opened_is_named(database: str, tmp_path: Path) -> None:
    """No folder is made for it."""
    with pytest.raises(StoreUnavailable, match="cannot be opened") as refused:
        connect(f"sqlite:///{tmp_path}/{database}")
    assert isinstance(refused.value.__cause__, Exception)


def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    """Whatever it is, it stays."""
    file = tmp_path / "letter.db"
    file.write_text("Dear Ada,\n" * 1000)
    with pytest.raises(StoreUnavailable, match="no intact SQLite database"):
        connect(f"sqlite:///{file}", migrate=True)
    assert file.read_text() == "Dear Ada,\n" * 1000


def test_a_server_that_is_not_there_is_named_without_the_password() -> None:
    """The cause is the driver's own error."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(StoreUnavailable, match="check that the server runs") as refused:
        connect(f"postgresql://ada:hunter22@127.0.0.1:{port}/kgl")
    assert "hunter22" not in str(refused.value)
    assert refused.value.__cause__ is not None


def test_a_password_among_the_options_is_not_shown_either() -> None:
    """PostgreSQL takes it there too."""
    with pytest.raises(StoreUnavailable) as refused:
        connect("postgresql://ada@127.0.0.1:1/kgl?password=hunter22&sslpassword=hunter22")
    assert "hunter22" not in str(refused.value)


def test_a_database_that_is_not_there_is_named(postgres_server: str) -> None:
    """The server is, so the message is the server's."""
    with fresh_database(postgres_server) as url:
        gone = url
    with pytest.raises(StoreUnavailable, match="does not exist"):
        connect(gone)


@pytest.fixture
def read_only_url(tmp_path: Path) -> str:
    """The URL of a database that may be read, and holds one entity."""
    file = tmp_path / "graph.db"
    with connect(f"sqlite:///{file}") as kg:
        kg.entities.create(type="t", name="n", key="k")
    return f"sqlite:///file:{file}?mode=ro&uri=true"


def test_a_read_only_file_can_be_read(read_only_url: str) -> None:
    """Every write says why it fails, and nothing is half done."""
    with connect(read_only_url) as kg:
        assert kg.entities.get_by_key("k").name == "n"
        with pytest.raises(StoreReadOnly, match="read-only"):
            kg.entities.create(type="t", name="n")
        with pytest.raises(StoreReadOnly):
            kg.load([{"kind": "entity", "key": "x", "type": "t", "name": "x"}])
        assert kg.stats().changes == 1


def test_a_read_only_transaction_of_postgres_says_so(postgres_url: str) -> None:
    """As a standby server does."""
    with connect(f"{postgres_url}&options=-cdefault_transaction_read_only%3Don") as kg, pytest.raises(StoreReadOnly):
        kg.entities.create(type="t", name="n")


@pytest.fixture
def small_disk() -> Iterator[None]:
    """Every SQLite database opened meanwhile has no room to grow beyond 400 pages."""

    def limit(connection: Any, _: object) -> None:
        connection.execute("PRAGMA max_page_count=400")

    event.listen(Engine, "connect", limit)
    yield
    event.remove(Engine, "connect", limit)


def go_on_after_the_end(kg: KnowledgeGraph) -> None:
    """Write within a transaction that SQLite has undone, because the disk was full."""
    with kg.transaction() as tx:
        with contextlib.suppress(StoreFull):
            tx.entities.create(type="t", name="x", metadata={"text": "x" * 9_000, "more": "x" * 900})
        tx.entities.update(kg.entities.list(limit=1).items[0].id, name="after the end")


@pytest.mark.usefixtures("small_disk")
def test_a_full_disk_loses_nothing(tmp_path: Path) -> None:
    """What was committed stays, what was not is gone, and the message says what to do."""
    url = f"sqlite:///{tmp_path}/graph.db"
    kept = 0
    with connect(url) as kg:
        full: StoreFull | None = None
        while full is None:
            try:
                kg.entities.create(type="t", name=f"n{kept}", metadata={"text": "x" * 9_000})
                kept += 1
            except StoreFull as error:
                full = error
        assert "free some" in str(full)
        records = [{"kind": "entity", "key": f"k{n}", "type": "t", "name": "x" * 500} for n in range(10_000)]
        with pytest.raises(StoreFull):
            kg.load(records)
        with pytest.raises(StoreError, match="undid the whole transaction"):
            go_on_after_the_end(kg)
        assert kept > 10
        assert kg.entities.list(limit=1).items[0].name == "n0"
        assert (kg.entities.count(), kg.stats().changes) == (kept, kept)
    raw = sqlite3.connect(tmp_path / "graph.db")
    assert raw.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    raw.close()


def test_what_cannot_be_removed_undoes_everything(tmp_path: Path) -> None:
    """Where SQLite can't remove the rows before a refused one, nothing of the transaction is kept."""

    def keep_entities(connection: Any, _: object) -> None:
        connection.set_authorizer(
            lambda action, table, *_: sqlite3.SQLITE_DENY if (action, table) == denied else sqlite3.SQLITE_OK
        )

    denied = (sqlite3.SQLITE_DELETE, "entities")
    event.listen(Engine, "connect", keep_entities)
    try:
        with connect(f"sqlite:///{tmp_path}/graph.db") as kg:
            kg.entities.create(type="t", name="n", key="taken")
            with kg._context.store.begin() as uow:
                with pytest.raises(AlreadyExists):
                    uow.entities.add([entity("one"), entity("two", key="taken")])
                with pytest.raises(StoreError, match="undid the whole transaction"):
                    uow.commit()
            assert [each.key for each in kg.entities.list().items] == ["taken"]
            assert kg.entities.create(type="t", name="another").version == 1
    finally:
        event.remove(Engine, "connect", keep_entities)


def test_a_disk_that_fails_is_told_from_one_that_is_full() -> None:
    """A write fails where there is no room, by a quota too; whatever else fails is the disk's fault, and says so."""
    for code, kind in (
        (sqlite3.SQLITE_FULL, StoreFull),
        (sqlite3.SQLITE_IOERR_WRITE, StoreFull),
        (sqlite3.SQLITE_IOERR_SHMSIZE, StoreFull),
        (sqlite3.SQLITE_IOERR_READ, StoreUnavailable),
        (sqlite3.SQLITE_IOERR_FSYNC, StoreUnavailable),
    ):
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = code
        assert type(translate(error, "sqlite:///graph.db")) is kind
    assert "look at its disk" in str(translate(error, "sqlite:///graph.db"))


def test_a_locked_file_says_who_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process holds the write lock: readers go on, a writer gives up after its time."""
    monkeypatch.setattr(engines, "WAIT_MAX_S", 0.05)
    url = f"sqlite:///{tmp_path}/graph.db"
    with connect(url) as kg:
        kg.entities.create(type="t", name="n")
        other = sqlite3.connect(tmp_path / "graph.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        assert kg.entities.count() == 1
        with pytest.raises(StoreBusy, match="write lock"):
            kg.entities.create(type="t", name="n")
        other.execute("COMMIT")
        other.close()
        kg.entities.create(type="t", name="n")


def test_a_pool_without_a_free_connection_says_so(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every connection is in a transaction; the next call gives up after its time."""
    monkeypatch.setattr(engines, "WAIT_MAX_S", 0.05)
    with connect(postgres_url) as kg:
        pool = kg._context.store.engine.pool  # type: ignore[attr-defined]
        held = [pool.connect() for _ in range(pool.size() + pool._max_overflow)]
        with pytest.raises(StoreBusy, match="a database connection"):
            kg.entities.count()
        for connection in held:
            connection.close()
        kg.entities.count()


_END_OTHERS = text(
    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
)


def cut_short(kg: KnowledgeGraph, killer: Connection) -> None:
    """A transaction whose connection the server ends in its middle."""
    with kg.transaction() as tx:
        tx.entities.create(type="person", name="Ada")
        killer.execute(_END_OTHERS)
        tx.entities.create(type="person", name="Charles")


def test_a_lost_connection_is_an_error_of_ours(postgres_server: str) -> None:
    """A read does not notice it; a transaction that it cuts short fails clearly, and the next one works."""
    with fresh_database(postgres_server) as url, connect(url, migrate=True) as kg:
        engine = kg._context.store.engine  # type: ignore[attr-defined]
        with engine.connect() as killer:
            kg.entities.count()
            killer.execute(_END_OTHERS)
            assert kg.entities.count() == 0
            with pytest.raises(StoreUnavailable, match="check that the server runs"):
                cut_short(kg, killer)
        assert kg.entities.count() == 0


def test_a_connection_lost_while_it_is_given_back_hides_no_error(postgres_server: str) -> None:
    """Undoing what is open needs a server; where that is gone, the caller is told its own error, not the driver's."""
    with fresh_database(postgres_server) as url:
        connect(url, migrate=True).close()
        store = SqlStore(make_engine(parse_url(url)))

        def in_a_transaction(killer: Connection) -> None:
            with store.begin() as uow:
                assert uow.entities.count_by_type() == {}
                killer.execute(_END_OTHERS)
                raise StoreFull

        def in_a_savepoint(killer: Connection) -> None:
            with store.begin() as uow, uow.begin():
                killer.execute(_END_OTHERS)
                raise StoreFull

        for fail in (in_a_transaction, in_a_savepoint):
            with store.engine.connect() as killer, pytest.raises(StoreFull):
                fail(killer)
            assert store.connections.in_use() == 0
        store.close()


def test_a_connection_lost_at_a_savepoint_is_an_error_of_ours(postgres_server: str) -> None:
    """Whether it is noticed when the savepoint is made or when it is released."""
    with fresh_database(postgres_server) as url:
        connect(url, migrate=True).close()
        store = SqlStore(make_engine(parse_url(url)))

        def before_it_is_made(killer: Connection) -> None:
            with store.begin() as uow:
                killer.execute(_END_OTHERS)
                with uow.begin():
                    pass

        def before_it_is_released(killer: Connection) -> None:
            with store.begin() as uow, uow._session.savepoint():
                killer.execute(_END_OTHERS)

        for fail in (before_it_is_made, before_it_is_released):
            with store.engine.connect() as killer, pytest.raises(StoreUnavailable):
                fail(killer)
        store.close()


def every_call(kg: KnowledgeGraph) -> list[Any]:
    """One call of each kind."""
    return [
        kg.stats,
        kg.changes,
        kg.entities.list,
        lambda: list(kg.dump()),
        lambda: kg.entities.create(type="t", name="n"),
        lambda: kg.load([{"kind": "entity", "key": "k", "type": "t", "name": "n"}]),
    ]


@pytest.mark.parametrize("url", ["memory://", "sqlite://"])
def test_a_closed_graph_says_that_it_is(url: str) -> None:
    """Whatever is asked of it; closing it again is allowed."""
    kg = connect(url)
    kg.close()
    kg.close()
    for call in every_call(kg):
        with pytest.raises(StoreClosed):
            call()


def test_every_store_error_says_what_to_do() -> None:
    """The hint stands after a semicolon, in each message that needs no driver's words."""
    for error in (StoreBusy("x"), StoreReadOnly(), StoreFull(), StoreClosed(), InvalidUrl("x")):
        assert isinstance(error, StoreError)
        assert ";" in str(error)
