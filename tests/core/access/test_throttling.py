"""How attempts are counted: what counts together, when it is too many, and for how long."""

from datetime import timedelta
from hashlib import sha256
from ipaddress import IPv4Address, IPv6Address
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kgl_adapters.memory.access.throttling import MemoryCounters
from kgl_core import TooManyAttempts
from kgl_core.access.throttling import (
    CLIENT_FAILURES,
    LOGINS,
    LOGINS_FROM_ADDRESS,
    Attempt,
    Limit,
    client_failures,
    count,
    login_attempts,
    network,
    registration_attempts,
)
from tests.contract.samples import SECOND, Clock

EMAILS = st.sampled_from(["ada@example.org", "grace@example.org", "", '", "', "\x00", "\ud800"]) | st.text(max_size=8)
ADDRESSES = st.none() | st.sampled_from(["203.0.113.7", "203.0.113.8", "2001:db8::1", "unknown"])


def wait(counters: MemoryCounters, attempts: tuple[Attempt, ...], clock: Clock) -> int | None:
    """Count an attempt; None when it may go on, else the seconds to wait."""
    try:
        count(counters, attempts, clock())
    except TooManyAttempts as refused:
        return refused.retry_after_s
    return None


def test_the_limits_are_the_promised_ones() -> None:
    """Five a minute from one address, and no wait beyond fifteen minutes."""
    assert (LOGINS_FROM_ADDRESS.attempts_max, LOGINS_FROM_ADDRESS.window) == (5, timedelta(minutes=1))
    assert (LOGINS.attempts_max, LOGINS.window) == (50, timedelta(minutes=15))
    assert (CLIENT_FAILURES.attempts_max, CLIENT_FAILURES.window) == (5, timedelta(minutes=1))


def test_a_window_has_room_for_so_many() -> None:
    """The next must wait until the window ends, and then begins another."""
    counters, clock = MemoryCounters({}), Clock()
    attempts = (Attempt(Limit("tries", 3, timedelta(seconds=10)), b"k"),)
    assert [wait(counters, attempts, clock) for _ in range(4)] == [None, None, None, 10]
    clock.move(timedelta(seconds=9.2))
    assert wait(counters, attempts, clock) == 1
    clock.move(timedelta(seconds=0.8))
    assert [wait(counters, attempts, clock) for _ in range(4)] == [None, None, None, 10]


@given(st.lists(st.integers(0, 15_000), max_size=60))
def test_no_wait_passes_the_window(pauses: list[int]) -> None:
    """However attempts are spread; whoever waits as told finds room, and not a second before."""
    counters, clock = MemoryCounters({}), Clock()
    attempts = (Attempt(Limit("tries", 3, timedelta(seconds=10)), b"k"),)
    for pause in pauses:
        clock.move(timedelta(milliseconds=pause))
        seconds = wait(counters, attempts, clock)
        if seconds is not None:
            assert 1 <= seconds <= 10
            clock.move(SECOND * (seconds - 1))
            if seconds > 1:
                assert wait(counters, attempts, clock) == 1
            clock.move()
            assert wait(counters, attempts, clock) is None


def test_the_narrow_limit_shields_the_wide_one() -> None:
    """What is refused for its address does not count against the account, whose owner is elsewhere."""
    counters, clock = MemoryCounters({}), Clock()
    for _ in range(1000):
        wait(counters, login_attempts("ada@example.org", "203.0.113.7"), clock)
    assert wait(counters, login_attempts("ada@example.org", "198.51.100.1"), clock) is None


def test_an_account_is_guarded_against_many_addresses() -> None:
    """Fifty of them together; other accounts are not affected."""
    counters, clock = MemoryCounters({}), Clock()
    waits = [wait(counters, login_attempts("ada@example.org", f"203.0.113.{n}"), clock) for n in range(51)]
    assert waits == [None] * 50 + [15 * 60]
    assert wait(counters, login_attempts("grace@example.org", "203.0.113.7"), clock) is None


def test_registrations_count_by_address() -> None:
    """As many an hour as is set."""
    counters, clock = MemoryCounters({}), Clock()
    assert [wait(counters, registration_attempts("203.0.113.7", 2), clock) for _ in range(3)] == [None, None, 3600]
    assert wait(counters, registration_attempts("203.0.113.8", 2), clock) is None


@given(st.tuples(EMAILS, ADDRESSES), st.tuples(EMAILS, ADDRESSES))
def test_keys_tell_apart_what_is_not_the_same(one: tuple[str, str | None], other: tuple[str, str | None]) -> None:
    """And only that; they are hashes, which show nothing of what was typed."""
    (pair, account, address), (other_pair, other_account, other_address) = (
        login_attempts(*one),
        login_attempts(*other),
    )
    assert (pair.key == other_pair.key) == (one == other)
    assert (account.key == other_account.key) == (one[0] == other[0])
    assert (address.key == other_address.key) == (one[1] == other[1])
    client, other_client = (
        UUID(bytes=sha256(email.encode(errors="surrogatepass")).digest()[:16]) for email in (one[0], other[0])
    )
    [failure], [other_failure] = client_failures(client, one[1]), client_failures(other_client, other[1])
    assert (failure.key == other_failure.key) == (one == other)
    [registration] = registration_attempts(one[1], 5)
    assert len({each.key for each in (pair, account, address, failure, registration)}) == 5
    assert {len(pair.key), len(account.key)} == {32}


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:0DB8:1:2::", "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("fe80::1%eth0", "fe80::/64"),
        ("not an address", "not an address"),
        ("203.0.113.7:1234", "203.0.113.7:1234"),
        ("", ""),
        (None, ""),
    ],
)
def test_what_an_address_counts_as(address: str | None, expected: str) -> None:
    """An IPv6 address as its network of 64 bits, the least that one customer has."""
    assert network(address) == expected


@given(st.ip_addresses(v=4), st.integers(0, 2**64 - 1), st.ip_addresses(v=6))
def test_addresses_of_one_network_count_together(four: IPv4Address, host: int, six: IPv6Address) -> None:
    """And an IPv4 address counts alike however it is written."""
    assert network(str(four)) == network(f"::ffff:{four}") == str(four)
    if six.ipv4_mapped is None:
        neighbour = IPv6Address(int(six) >> 64 << 64 | host)
        if neighbour.ipv4_mapped is None:
            assert network(str(neighbour)) == network(str(six))
