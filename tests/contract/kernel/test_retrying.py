"""Whole transactions run again when a concurrent one came first: a few times, and never after an unknown commit."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from kgl_adapters.clock_and_ids import random
from kgl_adapters.retrying import TRIES_MAX, retry
from kgl_adapters.sql.units_of_work import SqlStore
from kgl_core import (
    SYSTEM,
    AlreadyExists,
    CommitUnknown,
    EntityFilter,
    InvalidClient,
    InvalidCredentials,
    KglError,
    KnowledgeGraph,
    NotFound,
    StoreUnavailable,
    TooManyAttempts,
    TransactionConflict,
)
from kgl_core.access.client_tokens import OAuth
from kgl_core.access.logging_in import Auth
from kgl_core.access.passwords import Passwords
from kgl_core.access.registering import RegistrationRules
from kgl_core.access.tokens import TokenLifetimes
from kgl_core.access.users import UserFilter
from kgl_core.kernel.units_of_work import Context, Store, UnitOfWork, once
from tests.contract.fakes import CheapHasher, FakeSigner
from tests.contract.kernel.test_units_of_work import in_threads, names
from tests.contract.samples import NOON, Clock, Ids, create, created, entity, keep, relationship
from tests.serving.service import until

PASSWORD = "a few unrelated words"
_END = text("SELECT pg_terminate_backend(:pid, 10000)")
_END_OTHER = text("SELECT pg_terminate_backend(:pid, 10000) WHERE :pid <> pg_backend_pid()")  # a pooler may share it
_WAITING = text("SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")
_FORBID = """
CREATE FUNCTION forbid() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE insufficient_privilege USING MESSAGE = 'permission denied'; END $$;
CREATE TRIGGER forbid BEFORE INSERT ON backend_entities.changes EXECUTE FUNCTION forbid()
"""
LINE = {"kind": "entity", "type": "person", "name": "loaded", "key": "k"}


class ConflictingStore:
    """A store that undoes units of work instead of committing them, where it was told to."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.read, self.snapshot, self.close = store.read, store.snapshot, store.close
        self.snapshot_at_place, self.rehearse = store.snapshot_at_place, store.rehearse
        self.conflicts, self.passing, self.begun = 0, 0, 0
        self.error: Callable[[], KglError] = TransactionConflict

    @contextmanager
    def begin(self, *, adds_only: bool = False) -> Iterator[UnitOfWork]:
        self.begun += 1
        with self._store.begin() as uow:
            yield _Conflicting(uow, self)

    def lose(self, conflicts: int, error: Callable[[], KglError] = TransactionConflict, *, after: int = 0) -> None:
        """Count from here; let ``after`` commits pass, then undo as many as there are ``conflicts``, with ``error``."""
        self.conflicts, self.passing, self.begun, self.error = conflicts, after, 0, error


class _Conflicting:
    def __init__(self, uow: UnitOfWork, store: ConflictingStore) -> None:
        self._uow, self._store = uow, store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._uow, name)

    def commit(self) -> None:
        if self._store.passing:
            self._store.passing -= 1
        elif self._store.conflicts:
            self._store.conflicts -= 1
            raise self._store.error()
        self._uow.commit()


class House:
    """Every writing use case, on a store that conflicts when it is told to."""

    def __init__(self, store: Store) -> None:
        self.store, self.hasher, self.signer = ConflictingStore(store), CheapHasher(), FakeSigner()
        context = Context(self.store, SYSTEM, Clock(step=timedelta(milliseconds=1)), Ids(), retry)
        passwords, lifetimes = Passwords(self.hasher), TokenLifetimes(timedelta(minutes=15), timedelta(days=30))
        self.kg = KnowledgeGraph(context, passwords, random)
        self.auth = Auth(context, passwords, self.signer, random, lifetimes, RegistrationRules(is_open=True))
        self.oauth = OAuth(context, self.auth, self.signer, lifetimes)

    def log_in(self) -> Any:
        """Log in."""
        return self.auth.log_in(email="ada@example.org", password=PASSWORD, address=None)


@pytest.fixture(autouse=True)
def waited(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Nothing waits; what would have been waited for, in seconds."""
    waits: list[float] = []
    monkeypatch.setattr("kgl_adapters.retrying.sleep", waits.append)
    return waits


@pytest.fixture
def house(store: Store) -> House:
    """A house with two entities, a relationship, an account, and a client."""
    house = House(store)
    house.auth.register(None, email="ada@example.org", password=PASSWORD)
    house.hasher.done.clear()
    return house


def prepare(house: House) -> dict[str, Callable[[], object]]:
    """A call of each use case that writes, each of which succeeds."""
    kg, auth, oauth = house.kg, house.auth, house.oauth
    one, two, three = (kg.entities.create(type="person", name=name).id for name in ("one", "two", "three"))
    gone, linked = kg.entities.create(type="person", name="gone").id, kg.relationships.create(one, "knows", two).id
    kg.entities.delete(gone)
    unlinked = kg.relationships.create(two, "knows", one).id
    kg.relationships.delete(unlinked)
    made = kg.clients.create(name="ai", scopes=["graph:read"])
    other = kg.clients.create(name="publishing", scopes=["graph:read"])
    user = kg.users.get_by_email("ada@example.org")
    run = kg.runs.open().id
    tokens = [house.log_in() for _ in range(3)]
    granted = oauth.issue(made.client, None).access_token

    def fail() -> None:
        with suppress(InvalidClient):
            oauth.authenticate(str(made.client.id), "wrong", None)

    return {
        "entities.create": lambda: kg.entities.create(type="person", name="new"),
        "entities.update": lambda: kg.entities.update(three, name="updated"),
        "entities.patch": lambda: kg.entities.patch(three, {"name": "patched"}),
        "entities.delete": lambda: kg.entities.delete(three),
        "entities.restore": lambda: kg.entities.restore(gone),
        "relationships.create": lambda: kg.relationships.create(one, "met", two),
        "relationships.update": lambda: kg.relationships.update(linked, confidence=0.5),
        "relationships.delete": lambda: kg.relationships.delete(linked),
        "relationships.restore": lambda: kg.relationships.restore(unlinked),
        "load": lambda: kg.load([LINE]),
        "runs.open": kg.runs.open,
        "runs.end": lambda: kg.runs.end(run),
        "clients.create": lambda: kg.clients.create(name="frontend", scopes=["graph:read"]),
        "clients.rotate": lambda: kg.clients.rotate(made.client.id),
        "clients.delete": lambda: kg.clients.delete(other.client.id),
        "users.create": lambda: kg.users.create(email="eve@example.org", password=PASSWORD, role="user"),
        "users.set_role": lambda: kg.users.set_role(user.id, "moderator"),
        "users.set_password": lambda: kg.users.set_password(user.id, "other " + PASSWORD),
        "auth.register": lambda: auth.register(None, email="bob@example.org", password=PASSWORD),
        "auth.log_in": house.log_in,
        "auth.refresh": lambda: auth.refresh(tokens[0].refresh_token),
        "auth.log_out": lambda: auth.log_out(tokens[1].refresh_token),
        "auth.change_password": lambda: auth.change_password(
            user.actor, current_password=PASSWORD, new_password="other " + PASSWORD, address=None
        ),
        "oauth.authenticate": fail,
        "oauth.revoke an access token": lambda: oauth.revoke(str(made.client.id), granted),
        "oauth.revoke a refresh token": lambda: oauth.revoke("kgl", tokens[2].refresh_token),
    }


CALLS = (
    "entities.create", "entities.update", "entities.patch", "entities.delete", "entities.restore",
    "relationships.create", "relationships.update", "relationships.delete", "relationships.restore", "load",
    "runs.open", "runs.end",
    "clients.create", "clients.rotate", "clients.delete",
    "users.create", "users.set_role", "users.set_password",
    "auth.register", "auth.log_in", "auth.refresh", "auth.log_out", "auth.change_password",
    "oauth.authenticate", "oauth.revoke an access token", "oauth.revoke a refresh token",
)  # fmt: skip
COUNTED = ("auth.register", "auth.log_in", "auth.change_password", "load")
"""What first counts an attempt, or opens a run, in a unit of work of its own."""
HASHED = {
    "users.create": ["hash"],
    "users.set_password": ["hash"],
    "auth.register": ["hash"],
    "auth.log_in": ["verify"],
    "auth.change_password": ["verify", "hash"],
}


@pytest.mark.parametrize("name", CALLS)
def test_every_writing_use_case_runs_again(house: House, name: str) -> None:
    """After three conflicts the fourth try is kept; a password is hashed once, and each change told once."""
    calls = prepare(house)
    assert set(calls) == set(CALLS)
    with house.store.read() as uow:
        before = uow.changes.count()
    house.hasher.done.clear()
    house.store.lose(TRIES_MAX - 1, after=COUNTED.count(name))
    calls[name]()
    ends = int(name == "load")  # its run
    assert (house.store.begun, house.store.conflicts) == (COUNTED.count(name) + TRIES_MAX + ends, 0)
    assert house.hasher.done == HASHED.get(name, [])
    with house.store.read() as uow:
        added = uow.changes.count() - before
    assert added == {"entities": 1, "relationships": 1, "load": 1}.get(name.partition(".")[0], 0)


@pytest.mark.parametrize(("error", "tries"), [(TransactionConflict, TRIES_MAX), (CommitUnknown, 1)])
def test_what_goes_wrong_to_the_end_is_told(house: House, error: Callable[[], KglError], tries: int) -> None:
    """After four conflicts in a row; after one unknown commit, since a second run could keep it twice."""
    calls = prepare(house)
    with house.store.read() as uow:
        before = uow.changes.count()
    for name, call in calls.items():
        house.store.lose(tries, error, after=COUNTED.count(name))
        with pytest.raises(error):  # type: ignore[call-overload]
            call()
        # Whoever gets no answer gets the attempt back, in one more unit of work; and a run has failed.
        assert (house.store.begun, house.store.conflicts) == (2 * COUNTED.count(name) + tries, 0), name
    with house.store.read() as uow:
        assert uow.changes.count() == before


def test_the_counting_of_an_attempt_runs_again_by_itself(house: House) -> None:
    """The attempt counts once, and what follows is not run for it."""
    house.store.lose(TRIES_MAX - 1)
    house.log_in()
    assert house.store.begun == TRIES_MAX + 1
    assert house.hasher.done == ["verify"]
    for _ in range(5):
        house.store.lose(TRIES_MAX - 1)
        with pytest.raises(InvalidCredentials):
            house.auth.log_in(email="ada@example.org", password="wrong " + PASSWORD, address=None)
    with pytest.raises(TooManyAttempts):
        house.log_in()


def test_a_transaction_of_the_caller_is_not_run_again(house: House) -> None:
    """Neither its calls nor the whole: the block is the caller's to repeat, and so is an atomic load's file."""
    house.store.lose(1)
    with pytest.raises(TransactionConflict), house.kg.transaction() as tx:
        tx.entities.create(type="person", name="new")
    assert house.store.begun == 1
    house.store.lose(1)
    with pytest.raises(TransactionConflict):
        house.kg.load([LINE], atomic=True)
    assert house.store.begun == 1
    assert names(house.store) == []


def test_a_load_also_runs_again_when_a_record_has_appeared() -> None:
    """What the port is told beside conflicts is run again; nothing else is."""
    for error, also, runs in (
        (AlreadyExists("entity", "key"), (AlreadyExists,), TRIES_MAX),
        (AlreadyExists("entity", "key"), (), 1),
        (TransactionConflict(), (), TRIES_MAX),
        (NotFound("entity", "x"), (AlreadyExists,), 1),
        (StoreUnavailable("gone"), (), 1),
        (CommitUnknown(), (), 1),
    ):
        tries: list[KglError] = []

        def run(tries: list[KglError] = tries, error: KglError = error) -> None:
            tries.append(error)
            raise error

        with pytest.raises(type(error)):
            retry(run, *also)
        assert len(tries) == runs
        with pytest.raises(type(error)):
            once(run, *also)
        assert len(tries) == runs + 1


def test_waits_are_short_and_differ(monkeypatch: pytest.MonkeyPatch, waited: list[float]) -> None:
    """Tens of milliseconds, with chance in them, so that two that met do not meet again."""
    monkeypatch.setattr("random.uniform", lambda least, most: most)
    with pytest.raises(TransactionConflict):
        retry(_conflict)
    assert waited == pytest.approx([0.05, 0.06, 0.08])


def test_no_line_of_the_log_quotes_what_a_use_case_was_called_with(
    house: House, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """An application that logs everything sees that it ran again, and one that logs nothing sees nothing."""
    caplog.set_level("DEBUG")
    house.store.lose(TRIES_MAX - 1)
    house.kg.users.create(email="eve@example.org", password=PASSWORD)
    told = [record for record in caplog.records if record.name == "kgl_adapters.retrying"]
    assert len(told) == TRIES_MAX - 1
    assert all(PASSWORD not in f"{record.getMessage()} {record.__dict__}" for record in told)
    assert capsys.readouterr() == ("", "")


def _conflict() -> None:
    raise TransactionConflict


def test_two_that_wait_for_each_other_both_succeed(concurrent_store: Store) -> None:
    """A real deadlock: the one that PostgreSQL undoes runs again, and nothing is written twice."""
    one, two = entity("one"), entity("two")
    keep(concurrent_store, one, two)
    both_hold_one = threading.Barrier(2, timeout=30)
    tries = [0, 0]

    def work(number: int) -> None:
        first, second = (one, two) if number == 0 else (two, one)

        def run() -> None:
            tries[number] += 1
            with concurrent_store.begin() as uow:
                uow.entities.find([first.id], lock="update")
                if tries[number] == 1:
                    both_hold_one.wait()
                uow.entities.find([second.id], lock="update")
                uow.entities.add([entity(f"by {number}")])
                uow.commit()

        retry(run)

    in_threads(2, work)
    assert max(tries) > 1  # on a busy machine, both: the second try of one may meet the first of the other again
    assert names(concurrent_store) == ["by 0", "by 1", "one", "two"]


def test_a_use_case_that_is_undone_runs_again(concurrent_store: Store) -> None:
    """A deletion waits for a relationship whose holder waits for the deleted entity: both succeed, once."""
    one, two = entity("one"), entity("two")
    link = relationship(one, two)
    keep(concurrent_store, one, two, link)
    both_hold_one = threading.Barrier(2, timeout=30)
    met: set[int] = set()

    def meet(number: int) -> None:
        if number not in met:
            met.add(number)
            both_hold_one.wait()

    def now() -> datetime:  # is asked for once the entity is locked
        meet(0)
        return NOON

    kg = KnowledgeGraph(Context(concurrent_store, SYSTEM, now, Ids(), retry), Passwords(CheapHasher()), random)

    def touch() -> None:
        with concurrent_store.begin() as uow:
            uow.relationships.find([link.id], lock="update")
            meet(1)
            uow.entities.find([one.id], lock="update")
            uow.entities.add([entity("three")])
            uow.commit()

    in_threads(2, lambda number: kg.entities.delete(one.id) if number == 0 else retry(touch))
    assert names(concurrent_store) == ["one", "three", "two"]
    assert kg.entities.get(one.id, include_deleted=True).version == 2
    assert kg.relationships.get(link.id, include_deleted=True).version == 2
    with concurrent_store.read() as uow:
        assert uow.changes.count() == 2


def test_a_connection_lost_while_committing_leaves_it_unknown(concurrent_store: Store) -> None:
    """The server may have kept it: the use case says so, and does not run again."""
    assert isinstance(concurrent_store, SqlStore)
    store = _Severing(concurrent_store)
    kg = KnowledgeGraph(Context(store, SYSTEM, Clock(), Ids(), retry), Passwords(CheapHasher()), random)
    with pytest.raises(CommitUnknown, match="Idempotency-Key"):
        kg.entities.create(type="person", name="Ada")
    assert store.begun == 1
    with concurrent_store.read() as uow:
        assert uow.entities.count(EntityFilter()) == 0


def test_a_connection_lost_while_creating_leaves_it_unknown(concurrent_store: Store) -> None:
    """A new entity is one statement that commits by itself: it is lost while it waits for another with the same key."""
    assert isinstance(concurrent_store, SqlStore)
    ada = entity(key="Q7259")
    with (
        ThreadPoolExecutor(1) as thread,
        concurrent_store.engine.connect() as other,
        concurrent_store.begin() as uow,
    ):
        uow.entities.add([entity("Augusta", key="Q7259")])
        creating = thread.submit(create, concurrent_store, ada)
        [waiting] = until(lambda: [*other.execute(_WAITING).scalars()])
        assert other.execute(_END, {"pid": waiting}).scalar()
        with pytest.raises(CommitUnknown):
            creating.result()
    assert names(concurrent_store) == []
    create(concurrent_store, ada)
    assert names(concurrent_store) == ["Ada"]


def test_connections_that_were_lost_before_are_replaced(concurrent_store: Store) -> None:
    """As after a restart of the server: nobody notices, whatever comes first."""
    assert isinstance(concurrent_store, SqlStore)
    ada, notes = entity(), entity("Notes")

    def add() -> None:
        with concurrent_store.begin() as uow:
            uow.entities.add([notes])
            uow.changes.append([created(notes)])
            uow.commit()

    def count() -> int:
        with concurrent_store.snapshot() as uow:
            return uow.entities.count(EntityFilter()) + uow.users.count(UserFilter())

    def find_user() -> None:
        with concurrent_store.read() as uow:
            assert uow.users.count(UserFilter()) == 0

    with concurrent_store.engine.connect() as other:
        for call in (lambda: create(concurrent_store, ada), add, count, find_user):
            with concurrent_store.begin() as one, concurrent_store.begin() as two:
                pids = {_backend(one), _backend(two)}
            for pid in pids:  # all that the pool has to give
                other.execute(_END_OTHER, {"pid": pid})
            call()
    assert names(concurrent_store) == ["Ada", "Notes"]


def test_a_creation_that_is_forbidden_is_no_unknown_commit(concurrent_store: Store) -> None:
    """The server has answered: nothing was kept."""
    assert isinstance(concurrent_store, SqlStore)
    with forbidden(concurrent_store):
        with pytest.raises(StoreUnavailable, match="permission denied") as told:
            create(concurrent_store, entity())
        assert not isinstance(told.value, CommitUnknown)
    assert names(concurrent_store) == []


@contextmanager
def forbidden(store: SqlStore) -> Iterator[None]:
    """For as long as the block runs, the server refuses every change as it does for want of a privilege."""
    with store.engine.begin() as connection:
        connection.exec_driver_sql(_FORBID)
    try:
        yield
    finally:
        with store.engine.begin() as connection:
            connection.exec_driver_sql("DROP FUNCTION forbid() CASCADE")


def test_a_connection_lost_before_the_commit_is_no_unknown_commit(concurrent_store: Store) -> None:
    """Also where a unit of work within another one ends: the whole is undone for certain."""
    assert isinstance(concurrent_store, SqlStore)

    def lose(*, inner: bool) -> None:
        with concurrent_store.begin() as uow:
            if inner:
                with uow.begin() as part:
                    part.entities.add([entity()])
                    _sever(concurrent_store, uow)
                    part.commit()
            else:
                _sever(concurrent_store, uow)
                uow.entities.add([entity()])

    for inner in (False, True):
        with pytest.raises(StoreUnavailable) as lost:
            lose(inner=inner)
        assert not isinstance(lost.value, CommitUnknown)
    assert names(concurrent_store) == []


class _Severing:
    """A store whose server ends each connection just before the commit."""

    def __init__(self, store: SqlStore) -> None:
        self._store = store
        self.read, self.snapshot, self.close = store.read, store.snapshot, store.close
        self.begun = 0

    @contextmanager
    def begin(self, *, adds_only: bool = False) -> Iterator[UnitOfWork]:
        self.begun += 1
        with self._store.begin() as uow:
            commit = uow.commit

            def sever_and_commit() -> None:
                _sever(self._store, uow)
                commit()

            uow.commit = sever_and_commit  # type: ignore[method-assign]
            yield uow


def _sever(store: SqlStore, uow: Any) -> None:
    """Have the server end a unit of work's connection, and wait until it is gone."""
    with store.engine.connect() as other:
        assert other.execute(_END, {"pid": _backend(uow)}).scalar()


def _backend(uow: Any) -> int:
    """The id of the server's process for a unit of work's connection."""
    return int(uow._session.execute(text("SELECT pg_backend_pid()")).scalar_one())
