"""What every `RefreshTokenRepository` promises."""

from datetime import timedelta

import attrs
import pytest

from kgl_core import AlreadyExists, User
from kgl_core.access.tokens import RefreshToken
from kgl_core.kernel.units_of_work import Store
from tests.contract.samples import NOON, SECOND, keep, new_id, refresh_token, user


@pytest.fixture
def ada(store: Store) -> User:
    """A user that tokens can belong to."""
    ada = user()
    keep(store, ada)
    return ada


def keep_tokens(store: Store, *tokens: RefreshToken) -> None:
    """Put tokens into a store."""
    with store.begin() as uow:
        for token in tokens:
            uow.refresh_tokens.add(token)
        uow.commit()


def found(store: Store, *tokens: RefreshToken) -> list[RefreshToken | None]:
    """What a store has now in the place of these tokens."""
    with store.read() as uow:
        return [uow.refresh_tokens.get(token.hash) for token in tokens]


def test_a_token_comes_back_as_it_was_kept(store: Store, ada: User) -> None:
    """Every field, to the microsecond, whatever bytes the hash has; absence is no error."""
    plain = refresh_token(ada, hash=bytes(32))
    ended = refresh_token(
        ada,
        hash=bytes(range(128, 160)),
        auth_version=7,
        used_at=NOON + timedelta(microseconds=1),
        revoked_at=NOON + SECOND,
        child_seed=bytes(range(224, 256)),
    )
    keep_tokens(store, plain, ended)
    assert found(store, plain, ended, refresh_token(ada)) == [plain, ended, None]
    kept = found(store, ended)[0]
    assert kept is not None
    assert type(kept.hash) is bytes
    assert kept.expires_at.utcoffset() == timedelta(0)


def test_a_hash_is_taken_once(store: Store, ada: User) -> None:
    """By whomever."""
    token = refresh_token(ada)
    keep_tokens(store, token)
    with store.begin() as uow, pytest.raises(AlreadyExists) as refused:
        uow.refresh_tokens.add(attrs.evolve(token, family=new_id()))
    assert (refused.value.kind, refused.value.field) == ("refresh token", "hash")
    assert found(store, token) == [token]


def test_a_token_is_marked_as_used(store: Store, ada: User) -> None:
    """It alone; one that nobody has is no error."""
    one, other = refresh_token(ada), refresh_token(ada)
    keep_tokens(store, one, other)
    with store.begin() as uow:
        uow.refresh_tokens.mark_used(one.hash, NOON + SECOND, b"seed")
        uow.refresh_tokens.mark_used(bytes(32), NOON, b"seed")
        used = attrs.evolve(one, used_at=NOON + SECOND, child_seed=b"seed")
        assert uow.refresh_tokens.get(one.hash) == used
        uow.commit()
    assert found(store, one, other) == [used, other]


def test_a_family_is_revoked_as_a_whole(store: Store, ada: User) -> None:
    """Also what was used; what was revoked before keeps its time; other families stay."""
    family = new_id()
    used, fresh = refresh_token(ada, family=family, used_at=NOON), refresh_token(ada, family=family)
    revoked, stranger = refresh_token(ada, family=family, revoked_at=NOON), refresh_token(ada)
    keep_tokens(store, used, fresh, revoked, stranger)
    with store.begin() as uow:
        uow.refresh_tokens.revoke_family(family, NOON + SECOND)
        uow.commit()
    later = NOON + SECOND
    expected = [attrs.evolve(used, revoked_at=later), attrs.evolve(fresh, revoked_at=later), revoked, stranger]
    assert found(store, used, fresh, revoked, stranger) == expected


def test_expired_tokens_are_forgotten_a_few_at_a_time(store: Store, ada: User) -> None:
    """Those that have expired at the moment given, as many as the limit says, and no other."""
    expired = [refresh_token(ada, expires_at=NOON + SECOND * n) for n in (-1, -1, 0)]
    fresh = refresh_token(ada, expires_at=NOON + timedelta(microseconds=1))
    keep_tokens(store, fresh, *expired)
    for limit, forgotten in ((2, 2), (2, 1), (2, 0)):
        with store.begin() as uow:
            assert uow.refresh_tokens.delete_expired(NOON, limit) == forgotten
            uow.commit()
    assert found(store, fresh, *expired) == [fresh, None, None, None]
    keep_tokens(store, *expired)
    assert found(store, *expired) == expired


def test_what_is_not_committed_leaves_no_trace(store: Store, ada: User) -> None:
    """Neither new tokens, nor marks, nor forgetting; nor does an inner unit of work that was left."""
    one, old = refresh_token(ada), refresh_token(ada, expires_at=NOON)
    keep_tokens(store, one, old)
    other = refresh_token(ada)
    with store.begin() as uow:
        uow.refresh_tokens.add(other)
        uow.refresh_tokens.mark_used(one.hash, NOON, b"seed")
        uow.refresh_tokens.revoke_family(one.family, NOON)
        assert uow.refresh_tokens.delete_expired(NOON, 5) == 1
        assert uow.refresh_tokens.get(old.hash) is None
        with store.snapshot() as beside:
            assert beside.refresh_tokens.get(one.hash) == one
    assert found(store, one, old, other) == [one, old, None]
    with store.begin() as uow:
        with uow.begin() as inner:
            inner.refresh_tokens.delete_expired(NOON, 5)
        with uow.begin() as inner:
            inner.refresh_tokens.add(other)
            inner.commit()
        uow.commit()
    assert found(store, one, old, other) == [one, old, other]


def test_forgetting_waits_for_nobody(concurrent_store: Store, ada: User) -> None:
    """It passes over what somebody else is changing."""
    one, other = refresh_token(ada, expires_at=NOON), refresh_token(ada, expires_at=NOON)
    keep_tokens(concurrent_store, one, other)
    with concurrent_store.begin() as busy:
        busy.refresh_tokens.mark_used(one.hash, NOON, b"seed")
        with concurrent_store.begin() as uow:
            assert uow.refresh_tokens.delete_expired(NOON, 5) == 1
            uow.commit()
    assert found(concurrent_store, one, other) == [one, None]
