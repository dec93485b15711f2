"""Service clients and their tokens, on every store: who manages them, what they get, and what ends it."""

from contextlib import suppress
from datetime import timedelta
from typing import Any

import attrs
import pytest

from kgl_adapters.clock_and_ids import random
from kgl_core import (
    SYSTEM,
    Actor,
    ActorKind,
    ClientCredentials,
    InvalidClient,
    InvalidGrant,
    InvalidInput,
    InvalidScope,
    KnowledgeGraph,
    NotFound,
    PermissionDenied,
    Role,
    Scope,
    TooManyAttempts,
)
from kgl_core.access.client_tokens import OAuth
from kgl_core.access.logging_in import Auth
from kgl_core.access.passwords import Passwords
from kgl_core.access.registering import RegistrationRules
from kgl_core.access.tokens import TokenLifetimes, hash_opaque
from kgl_core.kernel.units_of_work import Context, Store
from tests.contract.fakes import CheapHasher, FakeSigner
from tests.contract.kernel.test_units_of_work import in_threads
from tests.contract.samples import NOON, SECOND, Clock, Ids, new_id

HERE, THERE = "203.0.113.7", "198.51.100.1"
BOTH = ("graph:read", "graph:write")
ACCESS = timedelta(minutes=15)


@attrs.frozen
class House:
    """What service clients are managed by, and what they ask."""

    kg: KnowledgeGraph
    auth: Auth
    oauth: OAuth
    clock: Clock

    def client(self, **fields: Any) -> ClientCredentials:
        """A new client, with both scopes unless said otherwise."""
        return self.kg.clients.create(**{"name": "ai", "scopes": BOTH, **fields})

    def proves(self, made: ClientCredentials, secret: str | None = None) -> bool:
        """Whether a secret, the client's own unless another is given, is taken."""
        try:
            self.oauth.authenticate(str(made.client.id), secret or made.secret, None)
        except InvalidClient:
            return False
        return True

    def token(self, made: ClientCredentials, scope: str | None = None) -> str:
        """An access token."""
        return self.oauth.issue(self.kg.clients.get(made.client.id), scope).access_token

    def is_active(self, token: str) -> bool:
        """Whether an access token is in force."""
        return self.oauth.introspect(token) is not None


@pytest.fixture
def house(store: Store) -> House:
    """A house with a clock that stands still, in which Ada has an account."""
    clock, signer = Clock(), FakeSigner()
    context = Context(store, SYSTEM, clock, Ids())
    passwords, lifetimes = Passwords(CheapHasher()), TokenLifetimes(ACCESS, timedelta(days=30))
    auth = Auth(context, passwords, signer, random, lifetimes, RegistrationRules(is_open=True))
    auth.register(None, email="ada@example.org", password="a few unrelated words")
    kg = KnowledgeGraph(context, passwords, random)
    return House(kg, auth, OAuth(context, auth, signer, lifetimes), clock)


def faults(refused: pytest.ExceptionInfo[InvalidInput]) -> set[tuple[str, str]]:
    """Where input was refused, and by which rule."""
    return {(fault.pointer, fault.code) for fault in refused.value.faults}


# Managing clients.


def test_a_secret_is_shown_once_and_kept_as_a_hash(house: House) -> None:
    """256 random bits; neither a repr nor what is kept holds it."""
    made = house.client(scopes=["graph:write", "graph:read"], expires_at=NOON + SECOND)
    assert len(made.secret) == 43
    assert made.client == house.kg.clients.get(str(made.client.id))
    assert made.client.secret_hash == hash_opaque(made.secret)
    assert made.secret not in repr(made)
    assert repr(made.client.secret_hash) not in repr(made)
    assert made.client.scopes == (Scope.GRAPH_READ, Scope.GRAPH_WRITE)
    assert (made.client.created_by, made.client.created_at, made.client.auth_version) == (SYSTEM, NOON, 1)
    assert house.client().secret != made.secret


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, {("/name", "required"), ("/scopes", "required")}),
        (
            {"name": " ", "scopes": [], "expires_at": "soon", "secret": "mine", "self": 1},
            {
                ("/name", "blank"),
                ("/scopes", "too_few"),
                ("/expires_at", "not_an_instant"),
                ("/secret", "unknown_field"),
                ("/self", "unknown_field"),
            },
        ),
        ({"name": "ai", "scopes": ["graph:admin"]}, {("/scopes/0", "not_a_choice")}),
        ({"name": "ai", "scopes": "graph:read"}, {("/scopes", "not_a_list")}),
        ({"name": "ai", "scopes": [*BOTH, *BOTH]}, {("/scopes", "too_many")}),
        ({"name": "ai", "scopes": BOTH, "expires_at": NOON}, {("/expires_at", "past")}),
    ],
)
def test_what_is_said_of_a_client_is_checked(
    house: House, fields: dict[str, Any], expected: set[tuple[str, str]]
) -> None:
    """All at once; a client that could do nothing is refused, too."""
    with pytest.raises(InvalidInput) as refused:
        house.kg.clients.create(**fields)
    assert faults(refused) == expected
    assert house.kg.clients.list().items == ()


def test_a_new_secret_ends_the_old_one(house: House) -> None:
    """It expires when the old one would have, unless something else is said, or that has passed."""
    made = house.client(expires_at=NOON + SECOND)
    house.clock.move(SECOND / 2)
    new = house.kg.clients.rotate(made.client.id)
    assert (new.client.expires_at, new.client.auth_version) == (NOON + SECOND, 2)
    assert (new.client.created_at, new.client.updated_at) == (NOON, NOON + SECOND / 2)
    assert (house.proves(made), house.proves(new)) == (False, True)
    house.clock.move(SECOND)
    assert not house.proves(new)
    with pytest.raises(InvalidInput) as refused:
        house.kg.clients.rotate(made.client.id)
    assert faults(refused) == {("/expires_at", "past")}
    forever = house.kg.clients.rotate(made.client.id, expires_at=None)
    assert (forever.client.expires_at, house.proves(forever)) == (None, True)
    with pytest.raises(InvalidInput) as refused:
        house.kg.clients.rotate(made.client.id, expires_at=5, id=7, secret="mine")  # type: ignore[arg-type]
    assert faults(refused) == {
        ("/expires_at", "not_an_instant"), ("/id", "unknown_field"), ("/secret", "unknown_field"),
    }  # fmt: skip


def test_clients_are_listed_in_the_order_of_their_creation(house: House) -> None:
    """Page by page."""
    made = []
    for name in ("b", "a", "c"):
        made.append(house.client(name=name).client)
        house.clock.move(SECOND)
    first = house.kg.clients.list(limit=2)
    rest = house.kg.clients.list(limit=2, cursor=first.next_cursor)
    assert [*first.items, *rest.items] == made
    assert rest.next_cursor is None


def test_who_is_not_there_is_not_found(house: House) -> None:
    """Whatever shall be done with it."""
    for act in (house.kg.clients.get, house.kg.clients.rotate, house.kg.clients.delete):
        with pytest.raises(NotFound):
            act(new_id())
        with pytest.raises(InvalidInput):
            act("ai")


@pytest.mark.parametrize("role", [None, *Role])
def test_only_admins_manage_clients(house: House, role: Role | None) -> None:
    """Not even to look at them; nor does a service manage itself."""
    made = house.client()
    acting = house.kg.acting_as(Actor(ActorKind.USER, str(new_id()), role))
    services = house.kg.acting_as(made.client.actor)
    for graph in [services] if role is Role.ADMIN else [services, acting]:
        for act in (
            lambda: graph.clients.create(name="eve", scopes=BOTH),  # noqa: B023
            lambda: graph.clients.get(made.client.id),  # noqa: B023
            lambda: graph.clients.list(),  # noqa: B023
            lambda: graph.clients.rotate(made.client.id),  # noqa: B023
            lambda: graph.clients.delete(made.client.id),  # noqa: B023
        ):
            with pytest.raises(PermissionDenied):
                act()
    assert house.kg.clients.list().items == (made.client,)
    if role is Role.ADMIN:
        assert acting.clients.create(name="new", scopes=BOTH).client.created_by == acting._context.actor


def test_in_a_transaction_clients_are_kept_with_the_rest(house: House) -> None:
    """Or not at all."""
    with house.kg.transaction() as tx:
        made = tx.clients.create(name="ai", scopes=BOTH)
    assert house.kg.clients.get(made.client.id) == made.client
    with suppress(ZeroDivisionError), house.kg.transaction() as tx:
        tx.clients.delete(made.client.id)
        raise ZeroDivisionError
    assert house.kg.clients.get(made.client.id) == made.client


# Proving who one is.


def test_only_the_right_secret_is_taken(house: House) -> None:
    """For its own client, in its exact spelling; whatever is wrong, the answer is the same."""
    made, other = house.client(), house.client()
    assert house.oauth.authenticate(str(made.client.id).upper(), made.secret, HERE) == made.client
    told = set()
    for client_id, secret in (
        (str(made.client.id), other.secret),
        (str(made.client.id), made.secret[:-1]),
        (str(made.client.id), ""),
        (str(made.client.id), made.client.secret_hash.hex()),
        (str(new_id()), made.secret),
        ("ai", made.secret),
        ("kgl", ""),
        ("", ""),
        ("\x00é\U0001f600", "\x00é"),
    ):
        with pytest.raises(InvalidClient) as refused:
            house.oauth.authenticate(client_id, secret, None)
        told.add(str(refused.value))
    assert len(told) == 1


def test_failures_are_throttled_and_the_right_secret_is_not(house: House) -> None:
    """Five in a minute for one client and address; then there is a wait, for those alone who fail again."""
    made, other = house.client(), house.client()
    for client_id in (str(made.client.id), str(new_id())):
        for _ in range(5):
            with pytest.raises(InvalidClient):
                house.oauth.authenticate(client_id, "wrong", HERE)
        with pytest.raises(TooManyAttempts) as refused:
            house.oauth.authenticate(client_id, "wrong", HERE)
        assert refused.value.retry_after_s == 60
        with pytest.raises(InvalidClient):
            house.oauth.authenticate(client_id, "wrong", THERE)
    assert house.oauth.authenticate(str(made.client.id), made.secret, HERE) == made.client
    assert house.oauth.authenticate(str(other.client.id), other.secret, HERE) == other.client
    house.clock.move(timedelta(minutes=1))
    with pytest.raises(InvalidClient):
        house.oauth.authenticate(str(made.client.id), "wrong", HERE)


# Tokens.


def test_a_token_says_what_its_client_may_do(house: House) -> None:
    """All of it, or the part that was asked for."""
    made = house.client()
    issued = house.oauth.issue(made.client, None)
    assert (issued.scope, issued.expires_in) == ("graph:read graph:write", 900)
    claims = house.auth.authenticate(issued.access_token)
    assert (claims.subject, claims.subject.scopes) == (made.client.actor, frozenset(Scope))
    assert claims.client_id == claims.subject.id == str(made.client.id)
    assert (claims.issued_at, claims.expires_at) == (NOON.replace(microsecond=0), NOON.replace(microsecond=0) + ACCESS)
    for scope, granted in (
        ("", "graph:read graph:write"),
        ("graph:write", "graph:write"),
        ("graph:write graph:read", "graph:read graph:write"),
        ("graph:read graph:read", "graph:read"),
    ):
        assert house.oauth.issue(made.client, scope).scope == granted


@pytest.mark.parametrize(
    "scope", ["graph:write", "graph:read graph:write", "admin", "graph:read admin", "GRAPH:READ", " graph:read", "\t"]
)
def test_more_than_was_granted_is_refused(house: House, scope: str) -> None:
    """And so is what is no scope at all; nothing is left out silently."""
    with pytest.raises(InvalidScope) as refused:
        house.oauth.issue(house.client(scopes=["graph:read"]).client, scope)
    assert refused.value.granted == "graph:read"


def test_a_token_outlives_neither_its_time_nor_its_client(house: House) -> None:
    """Whichever ends first."""
    made = house.client(expires_at=NOON + timedelta(minutes=5))
    issued = house.oauth.issue(made.client, None)
    assert issued.expires_in == 300
    house.clock.move(timedelta(seconds=299))
    assert house.is_active(issued.access_token)
    house.clock.move(SECOND)
    assert not house.is_active(issued.access_token)
    lasting = house.token(house.client())
    house.clock.move(ACCESS)
    assert not house.is_active(lasting)


def test_what_ends_the_tokens_of_a_client(house: House) -> None:
    """A new secret, deletion, an expiry brought forward; and nothing that happens to another client."""
    made, other = house.client(), house.client()
    kept, token = house.token(other), house.token(made)
    assert house.is_active(token)
    made = house.kg.clients.rotate(made.client.id)
    assert not house.is_active(token)
    token = house.token(made)
    made = house.kg.clients.rotate(made.client.id, expires_at=NOON + SECOND)
    token = house.token(made)
    house.clock.move(SECOND)
    assert not house.is_active(token)
    house.kg.clients.rotate(made.client.id, expires_at=None)
    token = house.token(made)
    house.kg.clients.delete(made.client.id)
    assert not house.is_active(token)
    assert house.is_active(kept)


def test_who_bears_a_token_may_do_what_both_allow(house: House) -> None:
    """The token, and the client as it is now."""
    made = house.client()
    standing = house.auth.standing(made.client.actor)
    assert standing is not None
    claims = house.auth.authenticate(house.token(made, "graph:write"))
    bearer = standing.bearer(claims)
    assert bearer is not None
    assert (bearer, bearer.scopes) == (made.client.actor, {Scope.GRAPH_WRITE})
    less = attrs.evolve(standing, actor=attrs.evolve(standing.actor, scopes=frozenset([Scope.GRAPH_READ])))
    bearer = less.bearer(claims)
    assert bearer is not None
    assert bearer.scopes == frozenset()
    assert house.auth.standing(Actor(ActorKind.SERVICE, str(new_id()))) is None
    assert house.auth.standing(Actor(ActorKind.USER, made.client.actor.id)) is None
    assert house.auth.standing(SYSTEM) is None


# Revocation and introspection.


def test_an_access_token_is_revoked_alone(house: House) -> None:
    """At once, and again is no error; another token of the same client stays in force."""
    made = house.client()
    one, other = house.token(made), house.token(made)
    for _ in range(2):
        house.oauth.revoke(str(made.client.id), one)
    assert (house.is_active(one), house.is_active(other)) == (False, True)


def test_what_is_no_token_is_no_error_to_revoke(house: House) -> None:
    """Unknown, expired, or of a kind that kgl does not make (RFC 7009, section 2.2)."""
    made = house.client()
    token = house.token(made)
    house.clock.move(ACCESS)
    for nothing in (token, "", "x" * 10_000, "\x00", "é"):
        house.oauth.revoke(str(made.client.id), nothing)
        house.oauth.revoke("kgl", nothing)


def test_nobody_revokes_what_was_issued_to_others(house: House) -> None:
    """A service not a user's tokens, nor another service's; kgl itself not a service's."""
    made, other = house.client(), house.client()
    issued = house.auth.log_in(email="ada@example.org", password="a few unrelated words", address=None)
    token = house.token(made)
    for client_id, theirs in (
        (str(other.client.id), token),
        ("kgl", token),
        (str(other.client.id), issued.access_token),
        (str(other.client.id), issued.refresh_token),
    ):
        with pytest.raises(InvalidGrant):
            house.oauth.revoke(client_id, theirs)
    assert house.is_active(token)
    assert house.is_active(issued.access_token)
    house.auth.refresh(issued.refresh_token)


def test_people_revoke_their_tokens_through_kgl(house: House) -> None:
    """The access token alone, the refresh token with its family."""
    issued = house.auth.log_in(email="ada@example.org", password="a few unrelated words", address=None)
    house.oauth.revoke("kgl", issued.access_token)
    assert not house.is_active(issued.access_token)
    child = house.auth.refresh(issued.refresh_token)
    house.oauth.revoke("kgl", child.refresh_token)
    assert house.is_active(child.access_token)
    with house.kg._context.store.read() as uow:
        kept = uow.refresh_tokens.get(hash_opaque(child.refresh_token))
    assert kept is not None
    assert kept.revoked_at is not None


def test_introspection_tells_what_a_token_says_now(house: House) -> None:
    """Of services and of people; a refresh token, and whatever has ended, is nothing."""
    token = house.token(house.client(), "graph:read")
    found = house.oauth.introspect(token)
    assert found is not None
    assert found == house.auth.authenticate(token)
    assert found.subject.scopes == {Scope.GRAPH_READ}
    issued = house.auth.log_in(email="ada@example.org", password="a few unrelated words", address=None)
    told = house.oauth.introspect(issued.access_token)
    assert told is not None
    assert told.subject.role is Role.USER
    ada = house.kg.users.get_by_email("ada@example.org")
    house.kg.users.disable(ada.id)
    for nothing in (issued.access_token, issued.refresh_token, "", "\x00"):
        assert house.oauth.introspect(nothing) is None


def test_revocations_of_expired_tokens_are_swept(house: House, store: Store) -> None:
    """Along with the next revocation."""
    made = house.client()
    house.oauth.revoke(str(made.client.id), house.token(made))
    house.clock.move(ACCESS)
    token = house.token(made)
    house.oauth.revoke(str(made.client.id), token)
    with store.read() as uow:
        assert uow.revocations.of(made.client.actor) == {house.auth.authenticate(token).id}


def test_a_rotation_and_another_both_count(house: House) -> None:
    """Of secrets made at the same time, the last is in force and no other."""
    made = house.client()
    new: list[ClientCredentials] = []
    in_threads(4, lambda _: new.append(house.kg.clients.rotate(made.client.id)))
    assert sorted(one.client.auth_version for one in new) == [2, 3, 4, 5]
    assert [one.client.auth_version for one in new if house.proves(one)] == [5]
