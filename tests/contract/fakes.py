"""Cheap stand-ins for what authentication asks of the outside world, that tell what was asked of them."""

import hashlib
import itertools
from collections.abc import Callable
from datetime import datetime
from typing import Any

from kgl_core import InvalidToken
from kgl_core.access.tokens import AccessClaims


class CheapHasher:
    """A password hasher that costs nothing and notes what it did; ``before_verifying`` runs each time it verifies."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self._salts = itertools.count()
        self.before_verifying: Callable[[], object] = lambda: None

    def hash(self, password: str) -> str:
        self.done.append("hash")
        return self._digest(str(next(self._salts)), password)

    def verify(self, hash: str, password: str) -> bool:
        self.done.append("verify")
        self.before_verifying()
        return hash == self._digest(hash.partition("$")[0], password)

    @staticmethod
    def _digest(salt: str, password: str) -> str:
        return f"{salt}${hashlib.sha256(f'{salt}{password}'.encode()).hexdigest()}"


class FakeSigner:
    """A token signer whose tokens are the numbers of the claims that it remembers."""

    def __init__(self) -> None:
        self.claims: list[AccessClaims] = []

    def sign(self, claims: AccessClaims) -> str:
        self.claims.append(claims)
        return str(self.claims.index(claims))

    def verify(self, token: str, now: datetime) -> AccessClaims:
        if not token.isdecimal() or int(token) >= len(self.claims):
            raise InvalidToken("its signature is wrong")
        claims = self.claims[int(token)]
        if claims.expires_at <= now:
            raise InvalidToken("it has expired")
        return claims

    def jwks(self) -> dict[str, Any]:
        return {"keys": []}
