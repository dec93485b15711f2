"""Encrypts kept answers with a key derived from the idempotency key (AES-256-GCM, RFC 5869)."""

from __future__ import annotations

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from kgl_core.kernel.idempotency import IdempotencyKey
from kgl_core.kernel.ids import Random

_NONCE_BYTES = 12
_PURPOSE = b"kgl kept answer 1"


class AesGcmSeal:
    """A `kgl_core.kernel.idempotency.AnswerSeal`.

    An answer is as safe as the idempotency key is hard to guess; nobody guesses a UUID. The id is authenticated too, so
    that no answer passes for another.
    """

    def __init__(self, random: Random) -> None:
        self._random = random

    def seal(self, key: IdempotencyKey, answer: bytes) -> bytes:
        nonce = self._random(_NONCE_BYTES)
        return nonce + _cipher(key).encrypt(nonce, answer, key.id)

    def unseal(self, key: IdempotencyKey, sealed: bytes) -> bytes:
        try:
            return _cipher(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], key.id)
        except InvalidTag:
            raise ValueError("this was not sealed under this key; look for who has changed the table") from None


def _cipher(key: IdempotencyKey) -> AESGCM:
    derivation = HKDF(SHA256(), length=32, salt=key.id, info=_PURPOSE)
    return AESGCM(derivation.derive(key.text.encode()))
