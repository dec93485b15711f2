"""Password hashes with Argon2id (RFC 9106), at the cost that OWASP's Password Storage Cheat Sheet advises."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import argon2
from argon2.exceptions import InvalidHashError, VerificationError

from kgl_core.access.passwords import PasswordHasher
from kgl_core.kernel.errors import Overloaded


class Argon2Hasher:
    """A `kgl_core.access.passwords.PasswordHasher`: 19 MiB of memory, 2 passes, 1 lane."""

    def __init__(self) -> None:
        self._hasher = argon2.PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1, type=argon2.Type.ID)

    def hash(self, password: str) -> str:
        return self._hasher.hash(password)

    def verify(self, hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(hash, password)
        except (VerificationError, InvalidHashError):
            return False


class BoundedHasher:
    """A `kgl_core.access.passwords.PasswordHasher` that limits how many threads use another one at once.

    ``running_max`` threads hash at once (best as many as there are cores), ``waiting_max`` wait for their turn, and any
    more get Overloaded. So a flood of logins takes neither all memory nor all threads.
    """

    def __init__(self, hasher: PasswordHasher, running_max: int, waiting_max: int) -> None:
        self._hasher = hasher
        self._running = threading.Semaphore(running_max)
        self._admitted = threading.Semaphore(running_max + waiting_max)

    def hash(self, password: str) -> str:
        with self._turn():
            return self._hasher.hash(password)

    def verify(self, hash: str, password: str) -> bool:
        with self._turn():
            return self._hasher.verify(hash, password)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if not self._admitted.acquire(blocking=False):
            raise Overloaded("password hashing")
        try:
            with self._running:
                yield
        finally:
            self._admitted.release()
