"""What every `RevocationRepository` promises."""

from datetime import timedelta
from uuid import UUID

from kgl_core import Actor, ActorKind
from kgl_core.kernel.units_of_work import Store
from tests.contract.samples import NOON, SECOND, new_id

ADA, AI = (Actor(kind, str(new_id())) for kind in (ActorKind.USER, ActorKind.SERVICE))


def revoked(store: Store, subject: Actor) -> frozenset[UUID]:
    """The ids of the tokens of ``subject`` that are revoked."""
    with store.read() as uow:
        return uow.revocations.of(subject)


def test_a_revocation_is_of_one_subject(store: Store) -> None:
    """Whatever it may do; a user and a service of the same id are two."""
    ids = [new_id() for _ in range(3)]
    with store.begin() as uow:
        uow.revocations.add(ids[0], ADA, NOON)
        uow.revocations.add(ids[1], AI, NOON)
        uow.revocations.add(ids[2], AI, NOON)
        assert uow.revocations.of(AI) == {ids[1], ids[2]}
        uow.commit()
    assert revoked(store, ADA) == {ids[0]}
    assert revoked(store, AI) == {ids[1], ids[2]}
    assert revoked(store, Actor(ActorKind.USER, AI.id)) == frozenset()


def test_to_revoke_twice_is_to_revoke_once(store: Store) -> None:
    """Within a unit of work, and in the next."""
    id = new_id()
    for _ in range(2):
        with store.begin() as uow:
            uow.revocations.add(id, AI, NOON)
            uow.revocations.add(id, AI, NOON)
            uow.commit()
    assert revoked(store, AI) == {id}


def test_revocations_of_expired_tokens_are_forgotten_a_few_at_a_time(store: Store) -> None:
    """Those that have expired at the moment given, as many as the limit says, and no other."""
    fresh = new_id()
    with store.begin() as uow:
        uow.revocations.add(fresh, AI, NOON + timedelta(microseconds=1))
        for n in (-1, -1, 0):
            uow.revocations.add(new_id(), AI, NOON + SECOND * n)
        uow.commit()
    for limit, forgotten in ((2, 2), (2, 1), (2, 0)):
        with store.begin() as uow:
            assert uow.revocations.delete_expired(NOON, limit) == forgotten
            uow.commit()
    assert revoked(store, AI) == {fresh}


def test_what_is_not_committed_leaves_no_trace(store: Store) -> None:
    """Neither revoking nor forgetting."""
    old, new = new_id(), new_id()
    with store.begin() as uow:
        uow.revocations.add(old, AI, NOON)
        uow.commit()
    with store.begin() as uow:
        uow.revocations.add(new, AI, NOON)
        assert uow.revocations.delete_expired(NOON, 5) == 2
        assert uow.revocations.of(AI) == frozenset()
    assert revoked(store, AI) == {old}
