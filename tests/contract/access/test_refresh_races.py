"""A refresh and what ends its family, at the same time: both orders are forced, and no token outlives the two."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime

import attrs
import pytest

from kgl_adapters.clock_and_ids import random
from kgl_core import SYSTEM, InvalidToken, KnowledgeGraph
from kgl_core.access.client_tokens import OAuth
from kgl_core.access.logging_in import Auth
from kgl_core.access.passwords import Passwords
from kgl_core.access.registering import RegistrationRules
from kgl_core.access.tokens import OWN_CLIENT_ID, IssuedTokens, TokenLifetimes
from kgl_core.kernel.units_of_work import Context, Store, UnitOfWork
from tests.contract.access.test_logging_in import (
    ACCESS,
    EMAIL,
    HERE,
    OTHER_PASSWORD,
    PASSWORD,
    REFRESH,
    House,
    assert_ended,
    house_on,
)
from tests.contract.samples import NOON, new_id
from tests.contract.storage.test_loading import wait_until_it_waits


class Staged:
    """A store and a clock for one caller, which have somebody else act at a point of that caller's transaction."""

    def __init__(self, store: Store) -> None:
        self._store, self._is_open = store, False
        self.read, self.snapshot, self.close = store.read, store.snapshot, store.close
        self.before: Callable[[], object] | None = None
        """What happens once, before the transaction begins: after all that is read outside of it."""
        self.within: Callable[[], object] | None = None
        """What happens once, within it: when the time is asked for, between what is read and what is written."""

    @contextmanager
    def begin(self, *, adds_only: bool = False) -> Iterator[UnitOfWork]:
        act, self.before = self.before, None
        if act is not None:
            act()
        with self._store.begin() as uow:
            self._is_open = True
            try:
                yield uow
            finally:
                self._is_open = False

    def now(self) -> datetime:
        if self._is_open and self.within is not None:
            act, self.within = self.within, None
            act()
        return NOON


@attrs.frozen
class Caller:
    """Somebody with one refresh token, who uses it or ends it."""

    home: House
    auth: Auth
    oauth: OAuth
    kg: KnowledgeGraph
    tokens: IssuedTokens

    def refresh(self) -> IssuedTokens | None:
        """New tokens, if the token is in force."""
        try:
            return self.auth.refresh(self.tokens.refresh_token)
        except InvalidToken:
            return None

    def end(self, way: str) -> None:
        """End the token in one of `ENDINGS`."""
        user = self.home.user()
        if way == "log_out":
            self.auth.log_out(self.tokens.refresh_token)
        elif way == "revoke":
            self.oauth.revoke(OWN_CLIENT_ID, self.tokens.refresh_token)
        elif way == "disable":
            self.kg.users.disable(user.id)
        elif way == "set_role":
            self.kg.users.set_role(user.id, "moderator")
        elif way == "set_password":
            self.kg.users.set_password(user.id, OTHER_PASSWORD)
        else:
            self.auth.change_password(user.actor, current_password=PASSWORD, new_password=OTHER_PASSWORD, address=HERE)


ENDINGS = ("log_out", "revoke", "disable", "set_role", "set_password", "change_password")
REVOKING = ("log_out", "revoke")
"""What ends the family alone; an access token lives on for its minutes."""


@attrs.frozen
class Race:
    """Two callers with the same refresh token, the first of whom is on a stage."""

    stage: Staged
    staged: Caller
    other: Caller

    def check(self, way: str, *born: IssuedTokens | None) -> None:
        """Check that no token is in force after the token was ended in this way."""
        found = [tokens for tokens in born if tokens is not None]
        assert_ended(self.other.home, *reversed(found), self.other.tokens)
        for tokens in () if way in REVOKING else (self.other.tokens, *found):
            claims = self.other.auth.authenticate(tokens.access_token)
            standing = self.other.auth.standing(claims.subject)
            assert standing is not None
            assert standing.bearer(claims) is None


@pytest.fixture(params=["first use", "retry"])
def race(request: pytest.FixtureRequest, store: Store) -> Race:
    """Ada has logged in, and perhaps used her refresh token a moment ago, so that the next use is a retry."""
    home = house_on(store)
    home.auth.register(None, email=EMAIL, password=PASSWORD)
    tokens = home.log_in()
    if request.param == "retry":
        home.auth.refresh(tokens.refresh_token)
    stage = Staged(store)
    return Race(stage, caller(home, stage, stage.now, tokens), caller(home, store, home.clock, tokens))


def caller(home: House, store: Store, now: Callable[[], datetime], tokens: IssuedTokens) -> Caller:
    """A caller whose transactions are begun on this store; its attempts are counted beside them."""
    passwords, lifetimes = Passwords(home.hasher), TokenLifetimes(ACCESS, REFRESH)
    context = Context(home.store, SYSTEM, now, new_id)
    rules = RegistrationRules(is_open=True)
    staged = attrs.evolve(context, store=store)
    auth = Auth(staged, passwords, home.signer, random, lifetimes, rules)
    oauth = OAuth(staged, auth, home.signer, lifetimes)
    return Caller(home, auth, oauth, KnowledgeGraph(staged, passwords, random), tokens)


@pytest.mark.parametrize("way", ENDINGS)
def test_an_ending_overtakes_a_refresh(race: Race, way: str) -> None:
    """Between the look at the token and the transaction that uses it: the refresh is refused."""
    race.stage.before = lambda: race.other.end(way)
    assert race.staged.refresh() is None
    assert race.stage.before is None
    race.check(way)


@pytest.mark.parametrize("way", ENDINGS)
def test_a_refresh_overtakes_an_ending(race: Race, way: str) -> None:
    """Between the look at the token, or the password, and the transaction that ends it: the child ends as well."""
    born: list[IssuedTokens | None] = []
    race.stage.before = lambda: born.append(race.other.refresh())
    race.staged.end(way)
    assert len(born) == 1
    assert born[0] is not None
    race.check(way, *born)


@pytest.mark.parametrize("way", ENDINGS)
def test_an_ending_waits_for_a_refresh(concurrent_store: Store, store_url: str, race: Race, way: str) -> None:
    """That has read its token and not yet used it: then the child ends as well."""
    with ThreadPoolExecutor(1) as thread:
        ending: list[Future[None]] = []

        def end() -> None:
            ending.append(thread.submit(race.other.end, way))
            wait_until_it_waits(store_url, ending[0])
            assert not ending[0].done()

        race.stage.within = end
        born = race.staged.refresh()
        ending[0].result()
    assert born is not None
    race.check(way, born)


@pytest.mark.parametrize("way", ENDINGS)
def test_a_refresh_waits_for_an_ending(concurrent_store: Store, store_url: str, race: Race, way: str) -> None:
    """That has found whom to end and not yet done so: then it is refused."""
    with ThreadPoolExecutor(1) as thread:
        refresh: list[Future[IssuedTokens | None]] = []

        def use() -> None:
            refresh.append(thread.submit(race.other.refresh))
            wait_until_it_waits(store_url, refresh[0])
            assert not refresh[0].done()

        race.stage.within = use
        race.staged.end(way)
        born = refresh[0].result()
    assert born is None
    race.check(way)
