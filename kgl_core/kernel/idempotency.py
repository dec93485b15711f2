"""Idempotency keys: a request that is sent twice under one key has one effect, and is answered alike.

The header and its meaning are those of draft-ietf-httpapi-idempotency-key-header-07. What makes it hold is that the
answer is committed together with the effect: there is never one without the other, whatever breaks down in between.
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
"""How long an answer is kept; after that its key is as if never used."""


@attrs.frozen
class IdempotencyKey:
    """A key as a caller gave it; None is a caller that nobody knows. Nothing that is kept can be read without it."""

    text: str = attrs.field(repr=False)
    caller: Actor | None

    @property
    def id(self) -> bytes:
        """The 32 bytes that an answer is kept by. Callers who choose the same text do not meet."""
        scope = "nobody" if self.caller is None else str(self.caller)
        return hashlib.sha256(json.dumps([scope, self.text]).encode()).digest()

    def fingerprint(self, request: Iterable[str], body: Iterable[bytes]) -> bytes:
        """32 bytes that tell a request from any other under this key, and tell nobody else what it was."""
        mac = hmac.new(self.text.encode(), json.dumps(list(request)).encode() + b"\n", hashlib.sha256)
        for chunk in body:
            mac.update(chunk)
        return mac.digest()


@attrs.frozen
class KeptAnswer:
    """What a request was answered, sealed, and the fingerprint of that request."""

    id: bytes
    fingerprint: bytes = attrs.field(repr=False)
    answer: bytes = attrs.field(repr=False)
    created_at: datetime
    expires_at: datetime

    def answers(self, fingerprint: bytes) -> bool:
        """Whether it was this request that was answered so."""
        return hmac.compare_digest(self.fingerprint, fingerprint)


class AnswerRepository(Protocol):
    """Keeps answers, by ids of 32 bytes. Every method sees what its unit of work sees."""

    def get(self, id: bytes) -> KeptAnswer | None:
        """The answer with this id, also when it has expired; None when there is none."""

    def claim(self, id: bytes) -> bool:
        """Whether no other unit of work has claimed this id; then none can until this one ends. Waits for nobody."""

    def add(self, answer: KeptAnswer) -> None:
        """Keep a new answer. Raises AlreadyExists when there is one with this id."""

    def delete(self, id: bytes) -> None:
        """Forget the answer with this id, if there is one."""

    def delete_expired(self, now: datetime, limit: int) -> int:
        """Forget up to ``limit`` answers that have expired at ``now``; returns how many it forgot."""


class AnswerSeal(Protocol):
    """Port: seals answers so that only who knows the key of the request can read them; shared by threads."""

    def seal(self, key: IdempotencyKey, answer: bytes) -> bytes:
        """The answer, encrypted and protected against changes."""

    def unseal(self, key: IdempotencyKey, sealed: bytes) -> bytes:
        """The answer that was sealed under this key. Raises ValueError for anything else."""


class AnswerKept(Exception):
    """The request needs no work: ``kept`` answers it. Not an error, so it is no KglError."""

    def __init__(self, kept: KeptAnswer) -> None:
        self.kept = kept
        super().__init__("this request was answered before; send that answer again")
