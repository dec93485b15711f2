"""What every `ClientRepository` promises."""

from datetime import timedelta

import attrs
import pytest

from kgl_core import Actor, ActorKind, AlreadyExists, Client, NotFound, Scope
from kgl_core.access.oauth_clients import ClientFilter
from kgl_core.kernel.nouns.pages import Position
from kgl_core.kernel.units_of_work import Store
from tests.contract.samples import NOON, SECOND, client, ids_of, new_id


def keep_clients(store: Store, *clients: Client) -> None:
    """Put clients into a store."""
    with store.begin() as uow:
        for one in clients:
            uow.clients.add([one])
        uow.commit()


def found(store: Store, *clients: Client) -> list[Client | None]:
    """What a store has now in the place of these clients."""
    with store.read() as uow:
        return [uow.clients.get(one.id) for one in clients]


def test_a_client_comes_back_as_it_was_kept(store: Store) -> None:
    """Every field, with its type, to the microsecond; absence is no error."""
    full = client(
        "AI 🜨 O'Brien \\N",
        secret_hash=bytes(range(128, 160)),
        scopes=(Scope.GRAPH_READ, Scope.GRAPH_WRITE),
        created_by=Actor(ActorKind.USER, str(new_id())),
        updated_at=NOON + timedelta(microseconds=1),
        expires_at=NOON + SECOND,
        auth_version=7,
    )
    plain = client(secret_hash=bytes(32))
    keep_clients(store, full, plain)
    assert found(store, full, plain, client()) == [full, plain, None]
    kept = found(store, full)[0]
    assert kept is not None
    assert [type(scope) for scope in kept.scopes] == [Scope, Scope]
    assert type(kept.secret_hash) is bytes
    assert kept.expires_at is not None
    assert kept.expires_at.utcoffset() == timedelta(0)


def test_an_id_is_taken_once(store: Store) -> None:
    """By whomever; a name is not an id."""
    one = client()
    keep_clients(store, one, client(one.name))
    with store.begin() as uow, pytest.raises(AlreadyExists) as refused:
        uow.clients.add([client("another", id=one.id)])
    assert (refused.value.kind, refused.value.field) == ("client", "id")
    assert found(store, one) == [one]


def test_replace_keeps_the_new_state(store: Store) -> None:
    """All but id and creation may change; others are untouched, and what is not there is not found."""
    one, other = client(), client()
    keep_clients(store, one, other)
    new = attrs.evolve(
        one,
        name="ai",
        secret_hash=bytes(32),
        scopes=(Scope.GRAPH_WRITE,),
        updated_at=NOON + SECOND,
        expires_at=NOON,
        auth_version=2,
    )
    with store.begin() as uow:
        assert uow.clients.get(one.id, lock="update") == one
        uow.clients.replace([new])
        assert uow.clients.get(one.id) == new
        with pytest.raises(NotFound):
            uow.clients.replace([client()])
        uow.commit()
    assert found(store, one, other) == [new, other]


def test_a_deleted_client_is_gone(store: Store) -> None:
    """It alone, from listings too; a second time there is nothing to delete, and its id is free."""
    one, other = client(), client()
    keep_clients(store, one, other)
    with store.begin() as uow:
        uow.clients.delete(one.id)
        assert uow.clients.get(one.id, lock="update") is None
        with pytest.raises(NotFound) as refused:
            uow.clients.delete(one.id)
        assert (refused.value.kind, refused.value.name) == ("client", one.id)
        with pytest.raises(NotFound):
            uow.clients.replace([one])
        uow.commit()
    assert found(store, one, other) == [None, other]
    with store.read() as uow:
        assert ids_of(uow.clients.list(ClientFilter(), "created_at", None, 5)) == [other.id]
    keep_clients(store, one)
    assert found(store, one) == [one]


def test_what_is_not_committed_leaves_no_trace(store: Store) -> None:
    """Neither adding, nor changing, nor deleting."""
    one, other, new = client(), client(), client()
    keep_clients(store, one, other)
    with store.begin() as uow:
        uow.clients.add([new])
        uow.clients.replace([attrs.evolve(one, auth_version=2)])
        uow.clients.delete(other.id)
        with store.snapshot() as beside:
            assert beside.clients.get(other.id) == other
    assert found(store, one, other, new) == [one, other, None]


def test_pages_go_by_creation(store: Store) -> None:
    """Those of one moment by their ids, whatever the size of a page."""
    rows = [client(created_at=NOON + SECOND * (number % 3)) for number in range(7)]
    keep_clients(store, *rows)
    expected = sorted(rows, key=lambda row: (row.created_at, row.id))
    for limit in (1, 2, 100):
        listed: list[Client] = []
        after: Position | None = None
        page = None
        while page is None or len(page) == limit:
            with store.read() as uow:
                page = list(uow.clients.list(ClientFilter(), "created_at", after, limit))
            listed += page
            assert len(listed) < 100, "the pages do not end"
            after = (listed[-1].created_at, listed[-1].id)
        assert listed == expected
