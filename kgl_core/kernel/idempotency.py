"""Idempotency keys: a request that is sent twice with one key takes effect once and gets the same answer.

The header follows draft-ietf-httpapi-idempotency-key-header-07. The answer is committed together with the effect, so
that there is never one without the other, whatever fails in between.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final, Protocol

import attrs

from kgl_core.kernel.permissions import Actor

KEPT_FOR: Final = timedelta(hours=24)
"""How long an answer is stored; after that, its key counts as unused."""


@attrs.frozen
class IdempotencyKey:
    """A caller's key; ``caller`` is None when it is unknown. What is stored can't be read without the key."""

    text: str = attrs.field(repr=False)
    caller: Actor | None

    @property
    def id(self) -> bytes:
        """The 32 bytes under which the answer is stored. The same text from another caller gives other ones."""
        scope = "nobody" if self.caller is None else str(self.caller)
        return hashlib.sha256(json.dumps([scope, self.text]).encode()).digest()

    def fingerprint(self, request: Iterable[str], body: Iterable[bytes]) -> bytes:
        """32 bytes that differ from those of any other request with this key, and reveal nothing about this one."""
        mac = hmac.new(self.text.encode(), json.dumps(list(request)).encode() + b"\n", hashlib.sha256)
        for chunk in body:
            mac.update(chunk)
        return mac.digest()


@attrs.frozen
class KeptAnswer:
    """The answer to a request, sealed, and the fingerprint of that request."""

    id: bytes
    fingerprint: bytes = attrs.field(repr=False)
    answer: bytes = attrs.field(repr=False)
    created_at: datetime
    expires_at: datetime

    def answers(self, fingerprint: bytes) -> bool:
        """Whether this is the answer to the request with this fingerprint."""
        return hmac.compare_digest(self.fingerprint, fingerprint)


class AnswerRepository(Protocol):
    """Stores answers by ids of 32 bytes. Every method sees what its unit of work sees."""

    def get(self, id: bytes) -> KeptAnswer | None:
        """The answer with this id, even if it has expired; None when there is none."""

    def claim(self, id: bytes) -> bool:
        """Claim this id until the unit of work ends; False when another unit of work has it. It never waits."""

    def add(self, answer: KeptAnswer) -> None:
        """Store a new answer. Raises AlreadyExists when there is one with this id."""

    def delete(self, id: bytes) -> None:
        """Delete the answer with this id, if there is one."""

    def delete_expired(self, now: datetime, limit: int) -> int:
        """Delete up to ``limit`` answers that have expired at ``now``; returns how many."""


class AnswerSeal(Protocol):
    """Port: encrypts answers so that they can be read only with the key of the request; shared by threads."""

    def seal(self, key: IdempotencyKey, answer: bytes) -> bytes:
        """Encrypt the answer, and protect it against changes."""

    def unseal(self, key: IdempotencyKey, sealed: bytes) -> bytes:
        """Decrypt an answer that was sealed with this key. Raises ValueError for anything else."""


class AnswerKept(Exception):
    """The request was answered before: ``kept`` is the answer. This is not an error, so it is no KglError."""

    def __init__(self, kept: KeptAnswer) -> None:
        self.kept = kept
        super().__init__("this request was answered before; send that answer again")
