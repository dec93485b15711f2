"""What every `AnswerRepository` promises, and what is held back in a `HeldStore`."""

import threading
from datetime import timedelta
from typing import Any

import attrs
import pytest

from kgl_core import SYSTEM, Actor, ActorKind, AlreadyExists, InvalidToken, NotFound, RequestInFlight
from kgl_core.access.users import UserFilter
from kgl_core.kernel.idempotency import KEPT_FOR, AnswerKept, IdempotencyKey, KeptAnswer
from kgl_core.kernel.units_of_work import SWEPT_MAX, Store
from kgl_core.storage.idempotent_store import HeldStore
from tests.contract.samples import NOON, SECOND, Clock, new_id, user

ID, OTHER = bytes(range(32)), bytes(range(128, 160))
MARK = b"f" * 32
ANSWER = b"\x00201"


def answer(id: bytes = ID, **fields: Any) -> KeptAnswer:
    """An answer as it is kept at noon."""
    given: dict[str, Any] = {"fingerprint": MARK, "answer": ANSWER, "created_at": NOON, "expires_at": NOON + KEPT_FOR}
    return KeptAnswer(id=id, **{**given, **fields})


def keep(store: Store, *answers: KeptAnswer) -> None:
    """Put answers into a store."""
    with store.begin() as uow:
        for each in answers:
            uow.answers.add(each)
        uow.commit()


def found(store: Store, id: bytes = ID) -> KeptAnswer | None:
    """What a store has under an id."""
    with store.read() as uow:
        return uow.answers.get(id)


def people(store: Store) -> int:
    """How many accounts there are."""
    with store.read() as uow:
        return uow.users.count(UserFilter())


def add_user(store: Store, error: BaseException | None = None) -> None:
    """What a use case does; raising once it has committed."""
    with store.begin() as uow:
        uow.users.add([user(f"{new_id()}@example.org")])
        uow.commit()
        if error is not None:
            raise error


def refuse(store: Store) -> None:
    """What a use case does that raises before it has committed."""
    with store.begin() as uow:
        uow.users.add([user()])
        raise NotFound("user", "x")


@pytest.fixture
def clock() -> Clock:
    """The time by which answers expire."""
    return Clock()


@pytest.fixture
def held(store: Store, clock: Clock) -> HeldStore:
    """The store with what is held back in it."""
    return HeldStore(store, clock)


def test_an_answer_comes_back_as_it_was_kept(store: Store) -> None:
    """Every field, to the microsecond, whatever bytes there are; absence is no error."""
    one, other = answer(), answer(OTHER, answer=b"", expires_at=NOON)
    keep(store, one, other)
    assert [found(store, id) for id in (ID, OTHER, bytes(32))] == [one, other, None]


def test_an_id_is_taken_once(store: Store) -> None:
    """Even where nobody has claimed it."""
    keep(store, answer())
    with store.begin() as uow, pytest.raises(AlreadyExists) as refused:
        uow.answers.add(attrs.evolve(answer(), answer=b"another"))
    assert (refused.value.kind, refused.value.field) == ("request", "idempotency key")
    assert found(store) == answer()


def test_a_deleted_answer_makes_room(store: Store) -> None:
    """To delete what is not there is no error."""
    keep(store, answer(), answer(OTHER))
    with store.begin() as uow:
        uow.answers.delete(ID)
        uow.answers.delete(bytes(32))
        uow.answers.add(answer(answer=b"new"))
        uow.commit()
    assert [found(store, id) for id in (ID, OTHER)] == [answer(answer=b"new"), answer(OTHER)]


def test_expired_answers_are_forgotten_a_few_at_a_time(store: Store) -> None:
    """Those that have expired at the moment given, as many as the limit says, and no other."""
    fresh = answer(expires_at=NOON + timedelta(microseconds=1))
    keep(store, fresh, *(answer(bytes([n]) * 32, expires_at=NOON - n * SECOND) for n in range(3)))
    for limit, forgotten in ((2, 2), (2, 1), (2, 0)):
        with store.begin() as uow:
            assert uow.answers.delete_expired(NOON, limit) == forgotten
            uow.commit()
    assert found(store) == fresh


def test_a_claim_can_be_repeated_and_ends_with_its_unit_of_work(store: Store) -> None:
    """By whoever has it; committed or not."""
    for is_kept in (False, True, False):
        with store.begin() as uow:
            assert [uow.answers.claim(id) for id in (ID, OTHER, ID)] == [True] * 3
            if is_kept:
                uow.commit()


def test_a_claim_keeps_others_out_without_waiting(concurrent_store: Store) -> None:
    """Of this id, and of no other; nor is it in the way of who reads the changes."""
    with concurrent_store.begin() as first, concurrent_store.begin() as second:
        assert first.answers.claim(ID)
        assert not second.answers.claim(ID)
        assert second.answers.claim(OTHER)
        assert second.answers.claim(ID[:7] + b"\xff" + ID[8:])
        assert second.changes.read(None, 1) == []


def test_effect_and_answer_are_kept_together(held: HeldStore, store: Store) -> None:
    """Before the answer is known, nobody else sees either."""
    with held.hold(ID) as hold:
        add_user(held)
        assert people(held) == 1
        hold.finish(MARK, ANSWER)
    assert people(store) == 1
    assert found(store) == held.find(ID) == answer()


def test_others_see_nothing_of_what_is_held(concurrent_store: Store) -> None:
    """As of any other transaction that has not ended."""
    held = HeldStore(concurrent_store, Clock())
    with held.hold(ID) as hold:
        add_user(held)
        assert (people(held), people(concurrent_store)) == (1, 0)
        with held.snapshot() as uow:
            assert uow.users.count(UserFilter()) == 1
        hold.finish(MARK, ANSWER)


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
def test_what_breaks_down_leaves_nothing(held: HeldStore, store: Store, error: type[BaseException]) -> None:
    """After the use case has committed, and before its answer is kept."""
    with pytest.raises(error), held.hold(ID):
        add_user(held, error())
    with held.hold(ID):
        add_user(held)
    assert (people(store), found(store)) == (0, None)


def test_a_refusal_is_not_kept(held: HeldStore, store: Store) -> None:
    """A use case that raises before it commits has done nothing, and its key is free."""
    with pytest.raises(NotFound), held.hold(ID):
        refuse(held)
    with held.hold(ID) as hold:
        add_user(held)
        hold.finish(MARK, ANSWER)
    assert people(store) == 1


def test_what_a_use_case_commits_before_it_refuses_is_kept(held: HeldStore, store: Store) -> None:
    """Without an answer, so that the next request is judged anew."""
    for _ in range(2):
        with pytest.raises(InvalidToken), held.hold(ID):
            add_user(held, InvalidToken("it was used before"))
    assert (people(store), found(store)) == (2, None)


def test_without_an_effect_nothing_is_kept(held: HeldStore, store: Store) -> None:
    """To repeat what did nothing does no harm."""
    with held.hold(ID) as hold:
        assert people(held) == 0
        hold.finish(MARK, ANSWER)
    with held.hold(ID) as hold:
        with held.begin() as uow:
            uow.users.add([user()])
        hold.finish(MARK, ANSWER)
    assert (people(store), found(store)) == (0, None)


def test_several_units_of_work_become_one(held: HeldStore, store: Store) -> None:
    """One that raises takes itself back, and only itself; all are kept with the answer."""
    with held.hold(ID) as hold:
        add_user(held)
        add_user(held)
        with pytest.raises(NotFound):
            refuse(held)
        with held.begin() as uow:
            uow.users.add([user()])
        assert people(held) == 2
        hold.finish(MARK, ANSWER)
    assert people(store) == 2


def test_a_unit_of_work_can_be_tried_again(held: HeldStore, store: Store) -> None:
    """One that was undone as a whole is followed by another."""
    with held.hold(ID) as hold:
        with pytest.raises(NotFound):
            refuse(held)
        add_user(held)
        hold.finish(MARK, ANSWER)
    assert people(store) == 1
    assert found(store) == answer()


def test_what_was_answered_is_not_done_again(held: HeldStore, store: Store) -> None:
    """It is found before anything is done, also by who looked too early for `find`."""
    keep(store, answer())
    with pytest.raises(AnswerKept) as again, held.hold(ID):
        add_user(held)
    assert again.value.kept == answer()
    assert people(store) == 0


def test_who_comes_while_another_works_is_sent_away(concurrent_store: Store) -> None:
    """Without waiting, and with nothing done."""
    held = HeldStore(concurrent_store, Clock())
    done = threading.Event()

    def come() -> None:
        with pytest.raises(RequestInFlight), held.hold(ID):
            add_user(held)
        done.set()

    with held.hold(ID) as hold:
        add_user(held)
        other = threading.Thread(target=come)
        other.start()
        other.join(timeout=30)
        assert done.is_set()
        hold.finish(MARK, ANSWER)
    assert people(concurrent_store) == 1


def test_an_answer_is_kept_for_a_day(held: HeldStore, store: Store, clock: Clock) -> None:
    """To the microsecond; then its key is as if never used."""
    keep(store, answer())
    clock.moment = NOON + timedelta(hours=24) - timedelta(microseconds=1)
    assert held.find(ID) == answer()
    clock.moment = later = NOON + timedelta(hours=24)
    assert held.find(ID) is None
    with held.hold(ID) as hold:
        add_user(held)
        hold.finish(MARK, b"new")
    assert people(store) == 1
    assert held.find(ID) == answer(answer=b"new", created_at=later, expires_at=later + KEPT_FOR)


def test_each_request_forgets_some_that_have_expired(held: HeldStore, store: Store, clock: Clock) -> None:
    """More than it adds, so that they do not pile up."""
    ids = [n.to_bytes(32) for n in range(SWEPT_MAX + 1)]
    keep(store, *(answer(id, expires_at=NOON) for id in ids))
    with held.hold(ID) as hold:
        add_user(held)
        hold.finish(MARK, ANSWER)
    assert [found(store, id) is None for id in ids].count(False) == 1
    assert found(store) == answer()


def test_without_a_hold_it_is_as_the_store(held: HeldStore, store: Store) -> None:
    """For requests without a key, and in other threads."""
    add_user(held)
    assert people(store) == people(held) == 1
    with held.snapshot() as uow:
        assert uow.users.count(UserFilter()) == 1


def test_ids_and_fingerprints_depend_on_the_key() -> None:
    """They are 32 bytes, and the same each time."""
    texts = ("a", "b", "a b", '"a"')
    keys = [IdempotencyKey(text, SYSTEM) for text in texts]
    marks = [key.id for key in keys] + [key.fingerprint(["POST"], [b"body"]) for key in keys]
    assert len(set(marks)) == 2 * len(texts)
    assert {len(mark) for mark in marks} == {32}
    again = IdempotencyKey("a", SYSTEM)
    assert again.id in marks
    assert again.fingerprint(["POST"], [b"body"]) in marks


def test_ids_depend_on_the_caller() -> None:
    """A user, a service of the same id, and nobody are three."""
    callers = [None, SYSTEM, Actor(ActorKind.USER, "1"), Actor(ActorKind.SERVICE, "1"), Actor(ActorKind.USER, "2")]
    assert len({IdempotencyKey("a", caller).id for caller in callers}) == len(callers)


def test_fingerprints_tell_requests_apart() -> None:
    """Wherever their parts begin and end; not how a body was cut into chunks."""
    key = IdempotencyKey("a", SYSTEM)
    requests = [(["a", "b"], b""), (["ab", ""], b""), (["a"], b"b"), (["a"], b'"b"'), (["a", "b\n"], b""), (["a"], b"")]
    assert len({key.fingerprint(told, [body]) for told, body in requests}) == len(requests)
    assert key.fingerprint(["a"], [b"bo", b"", b"dy"]) == key.fingerprint(["a"], [b"body"])
