"""Throttling: how many attempts are allowed within what time, so that nobody can guess passwords fast.

A limit counts in fixed windows, in the store that all workers share. An attempt is counted before any work is done for
it, so that a thousand at once can't all pass. One that is refused is not counted, so it makes no wait longer.

Emails and addresses are stored as hashes only, because people type their passwords into the wrong field.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from ipaddress import IPv6Address, IPv6Network, ip_address
from typing import Final, Protocol
from uuid import UUID

import attrs

from kgl_core.kernel.errors import TooManyAttempts

IPV6_PREFIX: Final = 64
"""The smallest network that one customer gets in IPv6 (RFC 6177): all addresses in it count as one."""


@attrs.frozen
class Limit:
    """At most ``attempts_max`` attempts within ``window``, which begins with the first. Each ``name`` counts apart."""

    name: str
    attempts_max: int
    window: timedelta


LOGINS_FROM_ADDRESS: Final = Limit("logins of an account from an address", 5, timedelta(minutes=1))
LOGINS: Final = Limit("logins of an account", 50, timedelta(minutes=15))
"""Anyone who knows an email can make its owner wait, but never for longer than this window."""
FAILURES_FROM_ADDRESS: Final = Limit("failed logins from an address", 100, timedelta(minutes=15))
"""Stops one address from trying a common password on every account. Successful logins do not count, because a whole
office may share an address."""
CLIENT_FAILURES: Final = Limit("failures of a service client from an address", 5, timedelta(minutes=1))
"""Only failures are counted: nobody guesses a random secret, and nobody should be able to lock a module out by
trying."""


@attrs.frozen
class Attempt:
    """An attempt as one limit sees it: ``key`` is the counter that it adds to."""

    limit: Limit
    key: bytes


@attrs.frozen
class Counter:
    """How many attempts were counted in the window that ends at ``expires_at``."""

    count: int
    expires_at: datetime


class CounterRepository(Protocol):
    """Stores counters by keys of 32 bytes. Every method sees what its unit of work sees."""

    def increment(self, key: bytes, now: datetime, expires_at: datetime) -> Counter:
        """Count one more, even if others do so at the same time; returns the counter as it is then.

        A counter that is new, or has expired at ``now``, starts at 1 and ends at ``expires_at``; any other keeps its
        end.
        """

    def decrement(self, keys: Sequence[bytes]) -> None:
        """Take back one attempt from each of these counters, one after the other. An absent counter stays absent."""

    def clear(self, keys: Sequence[bytes]) -> None:
        """Delete these counters, one after the other."""

    def delete_expired(self, now: datetime, limit: int) -> int:
        """Delete up to ``limit`` counters that have expired at ``now``; returns how many."""


def login_attempts(email: str, address: str | None) -> tuple[Attempt, ...]:
    """What a login counts against; ``email`` is normalized like an account's."""
    return (
        Attempt(LOGINS_FROM_ADDRESS, _key(LOGINS_FROM_ADDRESS, email, network(address))),
        Attempt(LOGINS, _key(LOGINS, email)),
        Attempt(FAILURES_FROM_ADDRESS, _key(FAILURES_FROM_ADDRESS, network(address))),
    )


def settle(counters: CounterRepository, attempts: Sequence[Attempt]) -> None:
    """Record that these attempts succeeded: the account's counts start again.

    The address gets only this one attempt back. Otherwise a guesser could clear its failures by logging in to an
    account of its own.
    """
    for attempt in attempts:
        if attempt.limit is FAILURES_FROM_ADDRESS:
            counters.decrement([attempt.key])
        else:
            counters.clear([attempt.key])


def registration_attempts(address: str | None, per_hour_max: int) -> tuple[Attempt, ...]:
    """What a registration counts against."""
    limit = Limit("registrations from an address", per_hour_max, timedelta(hours=1))
    return (Attempt(limit, _key(limit, network(address))),)


def client_failures(client_id: UUID | None, address: str | None) -> tuple[Attempt, ...]:
    """What a failed authentication of this service client counts against; ``client_id`` is None for what is no id."""
    return (Attempt(CLIENT_FAILURES, _key(CLIENT_FAILURES, str(client_id), network(address))),)


def count(counters: CounterRepository, attempts: Sequence[Attempt], now: datetime) -> None:
    """Count an attempt against each of its limits, in the same order as `settle`, so that the two never deadlock.

    Raises TooManyAttempts at the first limit that is reached; the caller then commits nothing.
    """
    for attempt in attempts:
        counter = counters.increment(attempt.key, now, now + attempt.limit.window)
        if counter.count > attempt.limit.attempts_max:
            raise TooManyAttempts(max(1, math.ceil((counter.expires_at - now).total_seconds())))


def network(address: str | None) -> str:
    """What an IP address counts as: an IPv6 address as its /64 network, IPv4 within IPv6 as IPv4.

    Text that is not an address counts as itself, and all attempts without an address count together.
    """
    try:
        found = ip_address(address or "")
    except ValueError:
        return address or ""
    if not isinstance(found, IPv6Address):
        return str(found)
    return str(found.ipv4_mapped or IPv6Network((int(found), IPV6_PREFIX), strict=False))


def _key(limit: Limit, *parts: str) -> bytes:
    return hashlib.sha256(json.dumps([limit.name, *parts]).encode()).digest()
