"""What every `CounterRepository` promises."""

import threading
from datetime import timedelta

from kgl_core.access.throttling import Counter
from kgl_core.kernel.units_of_work import Store
from tests.contract.kernel.test_units_of_work import in_threads
from tests.contract.samples import NOON, SECOND

KEY, OTHER = bytes(32), bytes(range(128, 160))
MINUTE = timedelta(minutes=1)


def increment(store: Store, key: bytes = KEY, now: timedelta = timedelta(0)) -> Counter:
    """Count one more, for a minute from ``now`` after noon."""
    with store.begin() as uow:
        counter = uow.counters.increment(key, NOON + now, NOON + now + MINUTE)
        uow.commit()
    return counter


def test_counting_starts_at_one_and_keeps_its_end(store: Store) -> None:
    """Each key for itself."""
    assert increment(store) == Counter(1, NOON + MINUTE)
    assert increment(store, now=SECOND) == Counter(2, NOON + MINUTE)
    assert increment(store, OTHER, now=SECOND) == Counter(1, NOON + SECOND + MINUTE)
    assert increment(store, now=MINUTE - timedelta(microseconds=1)) == Counter(3, NOON + MINUTE)


def test_an_expired_counter_starts_again(store: Store) -> None:
    """From the very moment at which it ends, whether or not it was forgotten."""
    increment(store)
    increment(store)
    assert increment(store, now=MINUTE) == Counter(1, NOON + 2 * MINUTE)
    assert increment(store, now=MINUTE) == Counter(2, NOON + 2 * MINUTE)


def test_cleared_counters_start_again(store: Store) -> None:
    """Those that are named, and no other; absent ones are no error."""
    increment(store)
    increment(store, OTHER)
    with store.begin() as uow:
        uow.counters.clear([b"nobody's", KEY])
        uow.counters.clear([])
        uow.commit()
    assert increment(store).count == 1
    assert increment(store, OTHER).count == 2


def test_an_attempt_can_be_taken_back(store: Store) -> None:
    """One each time, never below none; the window keeps its end, and an absent counter stays absent."""
    increment(store)
    increment(store)
    for keys in ([b"nobody's", KEY], [KEY], [KEY], []):
        with store.begin() as uow:
            uow.counters.decrement(keys)
            uow.commit()
    assert increment(store, now=SECOND) == Counter(1, NOON + MINUTE)
    assert increment(store, b"nobody's").count == 1


def test_expired_counters_are_forgotten_a_few_at_a_time(store: Store) -> None:
    """Those that have expired at the moment given, as many as the limit says, and no other."""
    for number in range(3):
        increment(store, bytes([number]))
    increment(store, KEY, now=timedelta(microseconds=1))
    for limit, forgotten in ((2, 2), (2, 1), (2, 0)):
        with store.begin() as uow:
            assert uow.counters.delete_expired(NOON + MINUTE, limit) == forgotten
            uow.commit()
    assert increment(store).count == 2


def test_what_is_not_committed_was_not_counted(store: Store) -> None:
    """Nor cleared, nor forgotten."""
    increment(store)
    with store.begin() as uow:
        assert uow.counters.increment(KEY, NOON, NOON).count == 2
        uow.counters.clear([KEY])
        assert uow.counters.increment(KEY, NOON, NOON + MINUTE).count == 1
        uow.counters.delete_expired(NOON + MINUTE, 5)
    with store.begin() as uow, uow.begin() as inner:
        inner.counters.clear([KEY])
    assert increment(store).count == 2


def test_nothing_is_lost_among_many_at_once(store: Store) -> None:
    """Eight threads count three times each, from the first on: every number comes up once."""
    seen: list[int] = []
    mutex = threading.Lock()

    def count(_: int) -> None:
        for _ in range(3):
            counter = increment(store)
            with mutex:
                seen.append(counter.count)

    in_threads(8, count)
    assert sorted(seen) == list(range(1, 25))


def test_forgetting_waits_for_nobody(concurrent_store: Store) -> None:
    """It passes over what somebody else is counting."""
    increment(concurrent_store, KEY)
    increment(concurrent_store, OTHER)
    with concurrent_store.begin() as busy:
        busy.counters.increment(KEY, NOON + MINUTE, NOON + 2 * MINUTE)
        with concurrent_store.begin() as uow:
            assert uow.counters.delete_expired(NOON + MINUTE, 5) == 1
            uow.commit()
        busy.commit()
    assert increment(concurrent_store, KEY, MINUTE).count == 2
