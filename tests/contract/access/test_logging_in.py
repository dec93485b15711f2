"""Registering, logging in and staying logged in, on every store."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import attrs
import pytest

from kgl_adapters.clock_and_ids import random
from kgl_adapters.sql.units_of_work import SqlStore
from kgl_core import (
    SYSTEM,
    Actor,
    ActorKind,
    AlreadyExists,
    InvalidCredentials,
    InvalidInput,
    InvalidToken,
    KnowledgeGraph,
    Overloaded,
    PermissionDenied,
    RegistrationClosed,
    Role,
    StoreBusy,
    TooManyAttempts,
    User,
)
from kgl_core.access.logging_in import Auth
from kgl_core.access.passwords import Passwords
from kgl_core.access.registering import RegistrationRules
from kgl_core.access.throttling import FAILURES_FROM_ADDRESS
from kgl_core.access.tokens import REFRESH_GRACE, IssuedTokens, TokenLifetimes, derive_child, hash_opaque
from kgl_core.kernel.units_of_work import Context, Store
from tests.contract.fakes import CheapHasher, FakeSigner
from tests.contract.kernel.test_units_of_work import in_threads
from tests.contract.samples import NOON, SECOND, Clock, Ids, new_id, refresh_token

EMAIL = "ada@example.org"
PASSWORD = "a few unrelated words"
OTHER_PASSWORD = "other unrelated words"
HERE, THERE = "203.0.113.7", "198.51.100.1"
ACCESS, REFRESH = timedelta(minutes=15), timedelta(days=30)


@attrs.frozen
class House:
    """Authentication, accounts and what both stand on."""

    store: Store
    clock: Clock
    hasher: CheapHasher
    signer: FakeSigner
    auth: Auth
    kg: KnowledgeGraph

    def log_in(self, password: str = PASSWORD, address: str | None = HERE, email: str = EMAIL) -> IssuedTokens:
        """Log in."""
        return self.auth.log_in(email=email, password=password, address=address)

    def user(self) -> User:
        """Ada's account as it is now."""
        return self.kg.users.get_by_email(EMAIL)


def house_on(store: Store, *, is_open: bool = True, per_hour_max: int = 3) -> House:
    """A house on a store, with cheap hashes and a clock that stands still."""
    clock, hasher, signer = Clock(), CheapHasher(), FakeSigner()
    context = Context(store, SYSTEM, clock, Ids())
    passwords = Passwords(hasher)
    rules = RegistrationRules(is_open=is_open, per_hour_max=per_hour_max)
    auth = Auth(context, passwords, signer, random, TokenLifetimes(ACCESS, REFRESH), rules)
    return House(store, clock, hasher, signer, auth, KnowledgeGraph(context, passwords, random))


@pytest.fixture
def house(store: Store) -> House:
    """A house in which Ada has an account."""
    house = house_on(store)
    house.auth.register(None, email=EMAIL, password=PASSWORD)
    house.hasher.done.clear()
    return house


def pointers(refused: pytest.ExceptionInfo[InvalidInput]) -> set[tuple[str, str]]:
    """Where input was refused, and by which rule."""
    return {(fault.pointer, fault.code) for fault in refused.value.faults}


def test_people_register_themselves(store: Store) -> None:
    """As users, whose password is kept as a hash alone, and who can log in at once."""
    house = house_on(store)
    made = house.auth.register(HERE, email="Ada@Example.org", password=PASSWORD, first_name="Ada")
    assert (made.email, made.first_name, made.last_name) == (EMAIL, "Ada", None)
    assert (made.role, made.is_active, made.auth_version, made.last_login_at) == (Role.USER, True, 1, None)
    assert house.user() == house.auth.account(made.id) == house.auth.account(str(made.id)) == made
    assert PASSWORD not in made.password_hash
    assert house.auth.authenticate(house.log_in().access_token).subject == made.actor
    assert house.auth.account(new_id()) is None


def test_registering_checks_everything_at_once(house: House) -> None:
    """Before any work: a role or anything else that is not asked for is refused, and no password quoted."""
    attempts: list[tuple[dict[str, Any], set[tuple[str, str]]]] = [
        ({}, {("/email", "required"), ("/password", "required")}),
        (
            {"email": "a@b\r\nBcc:x@y", "password": "short!", "role": "admin", "is_superuser": True, "self": 1},
            {
                ("/email", "control_character"),
                ("/password", "too_short"),
                ("/role", "unknown_field"),
                ("/is_superuser", "unknown_field"),
                ("/self", "unknown_field"),
            },
        ),
        ({"email": EMAIL, "password": EMAIL.upper()}, {("/password", "too_common")}),
        ({"email": "new@example.org", "password": "x" * 129}, {("/password", "too_long")}),
        ({"email": ["x"], "password": ["y"]}, {("/email", "not_text"), ("/password", "not_text")}),
    ]
    for fields, expected in attempts:
        with pytest.raises(InvalidInput) as refused:
            house.auth.register(HERE, **fields)
        assert pointers(refused) == expected
        assert "short!" not in str(refused.value)
    with pytest.raises(InvalidInput) as refused:
        house.auth.register(HERE, **{f"x{n}": 1 for n in range(500)})  # type: ignore[arg-type]
    assert refused.value.faults[-1].code == "more_faults"
    assert house.hasher.done == []
    assert house.kg.stats().users == 1
    for number in range(3):  # none of these counted as a registration
        house.auth.register(HERE, email=f"{number}@example.org", password=PASSWORD)


def test_a_taken_email_cannot_register(house: House) -> None:
    """In whatever case, also when its account is disabled."""
    house.kg.users.disable(house.user().id)
    with pytest.raises(AlreadyExists) as refused:
        house.auth.register(HERE, email="ADA@example.org", password=PASSWORD)
    assert refused.value.field == "email"


def test_registration_can_be_closed(store: Store) -> None:
    """Then nobody gets in, and nothing is looked at."""
    house = house_on(store, is_open=False)
    for fields in ({"email": EMAIL, "password": PASSWORD}, {"email": "x"}):
        with pytest.raises(RegistrationClosed):
            house.auth.register(HERE, **fields)
    assert house.kg.stats().users == 0


def test_registrations_are_limited_by_address(store: Store) -> None:
    """Before a password is hashed; taken emails count too, other addresses do not."""
    house = house_on(store, per_hour_max=2)
    house.auth.register(HERE, email=EMAIL, password=PASSWORD)
    with pytest.raises(AlreadyExists):
        house.auth.register(HERE, email=EMAIL, password=PASSWORD)
    house.hasher.done.clear()
    with pytest.raises(TooManyAttempts) as refused:
        house.auth.register(HERE, email="grace@example.org", password=PASSWORD)
    assert refused.value.retry_after_s == 3600
    assert house.hasher.done == []
    house.auth.register(THERE, email="grace@example.org", password=PASSWORD)
    house.clock.move(timedelta(hours=1))
    house.auth.register(HERE, email="joan@example.org", password=PASSWORD)


def test_a_login_gives_tokens(house: House) -> None:
    """An access token that says who it is, and a refresh token that is kept as a hash."""
    before = house.user()
    tokens = house.log_in(email="Ada@Example.ORG")
    claims = house.auth.authenticate(tokens.access_token)
    assert (claims.subject, claims.subject.role, claims.auth_version) == (before.actor, Role.USER, 1)
    assert (claims.issued_at, claims.client_id) == (NOON.replace(microsecond=0), "kgl")
    assert (claims.expires_at - claims.issued_at, tokens.expires_in) == (ACCESS, 900)
    assert house.user() == attrs.evolve(before, last_login_at=house.clock.moment)
    with house.store.read() as uow:
        kept = uow.refresh_tokens.get(hash_opaque(tokens.refresh_token))
    assert kept is not None
    assert (kept.user_id, kept.auth_version, kept.is_ended) == (before.id, 1, False)
    assert (kept.created_at, kept.expires_at) == (NOON, NOON + REFRESH)
    again = house.log_in()
    assert len({tokens.access_token, tokens.refresh_token, again.access_token, again.refresh_token}) == 4
    assert len({claims.id for claims in house.signer.claims}) == 2


def test_every_failed_login_is_alike(house: House) -> None:
    """Unknown account, wrong password, disabled account: the same work and the same answer."""
    grace = house.auth.register(None, email="grace@example.org", password=PASSWORD)
    house.kg.users.disable(grace.id)
    house.hasher.done.clear()
    answers = set()
    for email, password in (
        ("nobody@example.org", PASSWORD),
        ("no address at all", PASSWORD),
        (EMAIL, OTHER_PASSWORD),
        (EMAIL, "x"),
        ("grace@example.org", PASSWORD),
        ("grace@example.org", OTHER_PASSWORD),
    ):
        with pytest.raises(InvalidCredentials) as refused:
            house.log_in(password, email=email)
        answers.add(str(refused.value))
        assert house.hasher.done == ["verify"]
        house.hasher.done.clear()
    assert len(answers) == 1
    assert (house.user().last_login_at, house.signer.claims) == (None, [])


@pytest.mark.parametrize("field", ["email", "password"])
@pytest.mark.parametrize("value", [None, 1, ["a"], "", "x" * 300, "nul\x00", "lone\ud800"])
def test_malformed_logins_are_refused_before_any_work(house: House, field: str, value: Any) -> None:
    """They are neither hashed nor counted."""
    for _ in range(6):
        with pytest.raises(InvalidInput) as refused:
            house.auth.log_in(**({"email": EMAIL, "password": PASSWORD, "address": HERE} | {field: value}))
        assert {fault.pointer for fault in refused.value.faults} == {f"/{field}"}
    assert house.hasher.done == []
    house.log_in()


def test_guessing_is_slowed_down(house: House) -> None:
    """Five attempts a minute; then not even the right password is looked at, and asking makes no wait longer."""
    for _ in range(5):
        with pytest.raises(InvalidCredentials):
            house.log_in(OTHER_PASSWORD)
    house.hasher.done.clear()
    for left in (60, 59, 58):
        with pytest.raises(TooManyAttempts) as refused:
            house.log_in(email=EMAIL.upper())
        assert refused.value.retry_after_s == left
        house.clock.move()
    assert house.hasher.done == []
    house.log_in(address=THERE)
    house.clock.move(timedelta(seconds=57))
    house.log_in()


def test_a_success_clears_the_count(house: House) -> None:
    """Whoever mistypes and then gets in has all attempts again."""
    for _ in range(3):
        for _ in range(4):
            with pytest.raises(InvalidCredentials):
                house.log_in(OTHER_PASSWORD)
        house.log_in()


def test_waiting_leaves_live_sessions_alone(house: House) -> None:
    """Nobody can log the owner out by guessing."""
    tokens = house.log_in()
    for _ in range(5):
        with pytest.raises(InvalidCredentials):
            house.log_in(OTHER_PASSWORD)
    with pytest.raises(TooManyAttempts):
        house.log_in()
    house.auth.refresh(tokens.refresh_token)
    house.auth.authenticate(tokens.access_token)


def test_attempts_at_once_cannot_all_pass(house: House) -> None:
    """Sixteen guesses at the same moment: five are looked at."""
    refused: list[type[Exception]] = []

    def guess(_: int) -> None:
        try:
            house.log_in(OTHER_PASSWORD)
        except (InvalidCredentials, TooManyAttempts) as error:
            refused.append(type(error))

    in_threads(16, guess)
    assert (refused.count(InvalidCredentials), refused.count(TooManyAttempts)) == (5, 11)
    assert house.hasher.done == ["verify"] * 5


def test_right_logins_at_once_all_pass(house: House) -> None:
    """As many as the limit has room for, each with tokens of its own."""
    tokens: list[IssuedTokens] = []
    in_threads(5, lambda _: tokens.append(house.log_in()))
    for one in tokens:
        house.auth.refresh(one.refresh_token)


@pytest.mark.parametrize("error", [Overloaded("password hashing"), StoreBusy("a lock")])
def test_an_attempt_without_an_answer_does_not_count(house: House, error: Exception) -> None:
    """An overloaded hasher or a store in trouble costs nobody an attempt, at a login and at a change of password."""

    def refuse() -> None:
        raise error

    actor = house.user().actor
    house.hasher.before_verifying = refuse
    for _ in range(6):
        with pytest.raises(type(error)):
            house.log_in()
        with pytest.raises(type(error)):
            house.auth.change_password(actor, current_password=PASSWORD, new_password=OTHER_PASSWORD, address=HERE)
    house.hasher.before_verifying = lambda: None
    for _ in range(5):
        with pytest.raises(InvalidCredentials):
            house.log_in(OTHER_PASSWORD)
    with pytest.raises(TooManyAttempts):
        house.log_in()


def test_one_address_cannot_try_every_account(house: House) -> None:
    """Failures are counted for the address too, whatever the account; a success gives back no more than itself."""
    for number in range(FAILURES_FROM_ADDRESS.attempts_max):
        house.log_in()
        with pytest.raises(InvalidCredentials):
            house.auth.log_in(email=f"user-{number}@example.org", password=OTHER_PASSWORD, address=HERE)
    with pytest.raises(TooManyAttempts) as refused:
        house.log_in()
    assert 1 <= refused.value.retry_after_s <= FAILURES_FROM_ADDRESS.window.total_seconds()
    house.log_in(address=THERE)
    house.clock.move(FAILURES_FROM_ADDRESS.window)
    house.log_in()


def test_no_connection_is_held_while_a_password_is_hashed(house: House) -> None:
    """Hashing is slow, and connections are few: others can write meanwhile."""

    def write() -> None:
        if isinstance(house.store, SqlStore):
            assert house.store.connections.in_use() == 0
        with house.store.begin() as uow:
            uow.commit()

    house.hasher.before_verifying = write
    house.log_in()
    actor = house.user().actor
    house.auth.change_password(actor, current_password=PASSWORD, new_password=OTHER_PASSWORD, address=HERE)
    assert house.hasher.done.count("verify") == 2


@pytest.mark.parametrize(
    "change",
    [
        lambda house: house.kg.users.disable(house.user().id),
        lambda house: house.kg.users.set_password(house.user().id, OTHER_PASSWORD),
    ],
    ids=["disable", "set_password"],
)
def test_a_login_that_was_overtaken_gives_nothing(house: House, change: Callable[[House], object]) -> None:
    """Where the account changes between the look at the password and the tokens."""
    actor = house.user().actor
    house.hasher.before_verifying = lambda: change(house)
    with pytest.raises(InvalidCredentials):
        house.log_in()
    assert house.signer.claims == []
    house.kg.users.enable(house.user().id)
    house.kg.users.set_password(house.user().id, PASSWORD)
    with pytest.raises(InvalidCredentials):
        house.auth.change_password(actor, current_password=PASSWORD, new_password=OTHER_PASSWORD, address=HERE)


def test_a_refresh_gives_new_tokens(house: House) -> None:
    """Of the same family, each with a life as long as the first had."""
    tokens = house.log_in()
    for turn in range(1, 4):
        house.clock.move(timedelta(days=20))
        tokens = house.auth.refresh(tokens.refresh_token)
        claims = house.auth.authenticate(tokens.access_token)
        assert claims.issued_at == NOON.replace(microsecond=0) + timedelta(days=20 * turn)
        with house.store.read() as uow:
            kept = uow.refresh_tokens.get(hash_opaque(tokens.refresh_token))
        assert kept is not None
        assert kept.expires_at == house.clock.moment + REFRESH
    assert house.user().last_login_at == NOON


def assert_ended(house: House, *tokens: IssuedTokens) -> None:
    """None of these refresh tokens buys anything, and the answer is the same for each."""
    for one in tokens:
        with pytest.raises(InvalidToken) as refused:
            house.auth.refresh(one.refresh_token)
        assert refused.value.reason == "it is unknown, expired or was used before"


def test_a_second_use_ends_the_family(house: House) -> None:
    """Somebody has a copy, so the youngest of the family ends as well; other logins do not."""
    first, elsewhere = house.log_in(), house.log_in()
    second = house.auth.refresh(first.refresh_token)
    third = house.auth.refresh(second.refresh_token)
    assert_ended(house, first)
    assert_ended(house, third, second, first)
    house.auth.refresh(elsewhere.refresh_token)


def test_what_ends_a_refresh_token(house: House) -> None:
    """Its time, and whatever ends its user's sessions: another role or password, being disabled."""
    endings: list[Callable[[], object]] = [
        lambda: house.clock.move(REFRESH),
        lambda: house.kg.users.set_role(house.user().id, "moderator"),
        lambda: house.kg.users.set_password(house.user().id, PASSWORD),
        lambda: (house.kg.users.disable(house.user().id), house.kg.users.enable(house.user().id)),
    ]
    for end in endings:
        tokens = house.log_in()
        end()
        assert_ended(house, tokens)
    tokens = house.log_in()
    assert house.auth.authenticate(tokens.access_token).subject.role == Role.MODERATOR
    house.clock.move(REFRESH - timedelta(microseconds=1))
    house.auth.refresh(tokens.refresh_token)
    tokens = house.log_in()
    house.kg.users.disable(house.user().id)
    assert_ended(house, tokens)


def test_what_is_no_refresh_token_is_refused(house: House) -> None:
    """As unknown where it is text, an access token too; as malformed where it is not."""
    access_token = house.log_in().access_token
    for text in (access_token, "x", "x" * 43, "é", "../../dev/null", "e" * 2048):
        with pytest.raises(InvalidToken):
            house.auth.refresh(text)
        house.auth.log_out(text)
    for bad in (None, 1, b"x", "", "nul\x00", "lone\ud800", "x" * 2049):
        for call in (house.auth.refresh, house.auth.log_out):
            with pytest.raises(InvalidInput) as refused:
                call(bad)  # type: ignore[arg-type]
            assert [fault.pointer for fault in refused.value.faults] == ["/refresh_token"]


def test_one_token_has_one_child(house: House) -> None:
    """Of 32 uses at once each gets the same child; once that was used, another use of the parent ends the family."""
    tokens = house.log_in()
    born: list[IssuedTokens] = []
    in_threads(32, lambda _: born.append(house.auth.refresh(tokens.refresh_token)))
    assert len({one.refresh_token for one in born}) == 1
    assert len({one.access_token for one in born}) == 32
    youngest = house.auth.refresh(born[0].refresh_token)
    assert_ended(house, tokens, youngest, born[0])


def test_an_immediate_retry_gets_the_same_child(house: House) -> None:
    """With an access token of its own, for ten seconds; the child lives no longer for it."""
    tokens = house.log_in()
    first = house.auth.refresh(tokens.refresh_token)
    house.clock.move(REFRESH_GRACE - timedelta(microseconds=1))
    retried = house.auth.refresh(tokens.refresh_token)
    assert REFRESH_GRACE.total_seconds() == 10
    assert retried.refresh_token == first.refresh_token != tokens.refresh_token
    assert retried.access_token != first.access_token
    assert house.auth.authenticate(retried.access_token).issued_at > NOON
    with house.store.read() as uow:
        kept = uow.refresh_tokens.get(hash_opaque(first.refresh_token))
    assert kept is not None
    assert (kept.created_at, kept.expires_at, kept.is_ended) == (NOON, NOON + REFRESH, False)
    house.clock.move(timedelta(microseconds=1))
    assert_ended(house, tokens, first)


@pytest.mark.parametrize(
    "end",
    [
        lambda house, child: house.auth.refresh(child.refresh_token),
        lambda house, child: house.auth.log_out(child.refresh_token),
        lambda house, _: house.kg.users.disable(house.user().id),
        lambda house, _: house.kg.users.set_role(house.user().id, "moderator"),
        lambda house, _: house.kg.users.set_password(house.user().id, PASSWORD),
    ],
    ids=["use", "log_out", "disable", "role", "set_password"],
)
def test_no_retry_brings_back_a_child_that_has_ended(
    house: House, end: Callable[[House, IssuedTokens], object]
) -> None:
    """However soon it comes: the family ends."""
    tokens = house.log_in()
    child = house.auth.refresh(tokens.refresh_token)
    end(house, child)
    assert_ended(house, tokens, child)
    with house.store.read() as uow:
        kept = uow.refresh_tokens.get(hash_opaque(child.refresh_token))
    assert kept is not None
    assert kept.revoked_at is not None


def test_what_is_kept_does_not_make_a_child(house: House) -> None:
    """Without the parent's text, a row and its seed lead to no token that anybody accepts."""
    tokens = house.log_in()
    child = house.auth.refresh(tokens.refresh_token)
    with house.store.read() as uow:
        kept = uow.refresh_tokens.get(hash_opaque(tokens.refresh_token))
    assert kept is not None
    assert kept.child_seed is not None
    assert derive_child(tokens.refresh_token, kept.child_seed) == child.refresh_token
    assert kept.child_seed.hex() not in repr(kept)
    for guess in (kept.hash.hex(), kept.child_seed.hex()):
        with pytest.raises(InvalidToken):
            house.auth.refresh(derive_child(guess, kept.child_seed))


@pytest.mark.parametrize("ending", ["disable", "set_password", "log_out", "change_password"])
def test_no_child_outlives_an_ending(house: House, ending: str) -> None:
    """Whatever comes first, the refresh or what ends it: afterwards no token is in force."""
    passwords = [PASSWORD, OTHER_PASSWORD]
    for _ in range(5):
        house.kg.users.enable(house.user().id)
        tokens = house.log_in(passwords[0])
        born = [tokens]

        def work(number: int, tokens: IssuedTokens = tokens, born: list[IssuedTokens] = born) -> None:
            if number == 0:
                try:
                    born.append(house.auth.refresh(tokens.refresh_token))
                except InvalidToken:
                    return
            elif ending == "disable":
                house.kg.users.disable(house.user().id)
            elif ending == "set_password":
                house.kg.users.set_password(house.user().id, PASSWORD)
            elif ending == "log_out":
                house.auth.log_out(tokens.refresh_token)
            else:
                old, new = passwords
                actor = house.user().actor
                house.auth.change_password(actor, current_password=old, new_password=new, address=HERE)
                passwords.reverse()

        in_threads(2, work)
        assert_ended(house, *reversed(born))


def test_logging_out_ends_the_family(house: House) -> None:
    """With any of its tokens, as often as one likes; other logins stay."""
    first, elsewhere = house.log_in(), house.log_in()
    second = house.auth.refresh(first.refresh_token)
    house.auth.log_out(first.refresh_token)
    house.auth.log_out(second.refresh_token)
    assert_ended(house, second, first)
    house.auth.refresh(elsewhere.refresh_token)


def test_a_changed_password_ends_what_was_issued(house: House) -> None:
    """On all devices; the new one works, the old one does not."""
    tokens, before = house.log_in(), house.user()
    house.clock.move()
    changed = house.auth.change_password(
        before.actor, current_password=PASSWORD, new_password=OTHER_PASSWORD, address=HERE
    )
    assert changed == house.user()
    assert (changed.auth_version, changed.updated_at) == (2, NOON + SECOND)
    assert attrs.evolve(changed, auth_version=1, updated_at=NOON, password_hash=before.password_hash) == before
    assert_ended(house, tokens)
    with pytest.raises(InvalidCredentials):
        house.log_in()
    assert house.auth.authenticate(house.log_in(OTHER_PASSWORD).access_token).auth_version == 2


def test_changing_a_password_asks_for_the_present_one(house: House) -> None:
    """Whoever finds an open session cannot guess it either: it counts as a login does."""
    actor = house.user().actor
    for _ in range(5):
        with pytest.raises(InvalidInput) as refused:
            house.auth.change_password(actor, current_password="guess", new_password=OTHER_PASSWORD, address=HERE)
        assert [(fault.pointer, fault.code) for fault in refused.value.faults] == [
            ("/current_password", "wrong_password")
        ]
    with pytest.raises(TooManyAttempts):
        house.auth.change_password(actor, current_password=PASSWORD, new_password=OTHER_PASSWORD, address=HERE)
    with pytest.raises(TooManyAttempts):
        house.log_in()
    house.clock.move(timedelta(minutes=1))
    house.auth.change_password(actor, current_password=PASSWORD, new_password=OTHER_PASSWORD, address=HERE)
    house.kg.users.disable(house.user().id)
    with pytest.raises(InvalidInput):
        house.auth.change_password(actor, current_password=OTHER_PASSWORD, new_password=PASSWORD, address=THERE)


def test_a_new_password_keeps_the_rules(house: House) -> None:
    """The fault stands at its field; nothing was hashed or counted for it."""
    actor = house.user().actor
    for new, code in (("short", "too_short"), ("password1", "too_common"), (EMAIL, "too_common"), (None, "not_text")):
        with pytest.raises(InvalidInput) as refused:
            house.auth.change_password(actor, current_password=PASSWORD, new_password=new, address=HERE)  # type: ignore[arg-type]
        assert pointers(refused) == {("/new_password", code)}
    assert house.hasher.done == []


@pytest.mark.parametrize(
    "actor",
    [SYSTEM, Actor(ActorKind.SERVICE, "ai"), Actor(ActorKind.USER, str(new_id())), Actor(ActorKind.USER, "ada")],
)
def test_only_an_account_has_a_password(house: House, actor: Actor) -> None:
    """Services and the system have none."""
    with pytest.raises(PermissionDenied):
        house.auth.change_password(actor, current_password=PASSWORD, new_password=OTHER_PASSWORD, address=HERE)


def test_expired_rows_are_swept_along(house: House) -> None:
    """Tokens and counters that are over go, a hundred at a time, whenever others come."""
    house.log_in()
    old = [refresh_token(house.user(), expires_at=NOON) for _ in range(150)]
    with house.store.begin() as uow:
        for number, token in enumerate(old):
            uow.refresh_tokens.add(token)
            uow.counters.increment(bytes([number]), NOON - SECOND, NOON)
        uow.commit()
    tokens = house.log_in()
    house.auth.refresh(tokens.refresh_token)
    with pytest.raises(InvalidCredentials):
        house.log_in(OTHER_PASSWORD)
    with house.store.begin() as uow:
        assert [uow.refresh_tokens.get(token.hash) for token in old] == [None] * 150
        assert uow.counters.delete_expired(NOON, 1000) == 0
        assert uow.refresh_tokens.delete_expired(NOON, 1000) == 0


def test_an_access_token_is_checked_without_the_store(house: House) -> None:
    """What it says holds until it expires, whatever has become of the account."""
    token = house.log_in().access_token
    house.store.close()
    assert house.auth.authenticate(token).auth_version == 1
    house.clock.move(ACCESS)
    for text in (token, "forged"):
        with pytest.raises(InvalidToken):
            house.auth.authenticate(text)
