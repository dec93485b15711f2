"""The errors that service clients get, with the codes of RFC 6749.

OAuthError
├── InvalidClient    the id or the secret is wrong, or the client has expired
├── InvalidScope     a scope is unknown, or was not granted to the client
└── InvalidGrant     the token was issued to another client
"""

from __future__ import annotations

from kgl_core.kernel.errors import KglError


class OAuthError(KglError):
    """A service client is refused. Each kind has the ``code`` that RFC 6749 (section 5.2) defines."""

    code = "oauth_error"


class InvalidClient(OAuthError):
    """A service client's id or secret is wrong, or it has expired; on purpose, it does not say which."""

    code = "invalid_client"

    def __init__(self) -> None:
        super().__init__("the client is unknown or has expired, or its secret is wrong; ask an admin for a new secret")


class InvalidScope(OAuthError):
    """A scope was asked for that is unknown, or that the client does not have; ``granted`` is what it has."""

    code = "invalid_scope"

    def __init__(self, granted: str) -> None:
        self.granted = granted
        super().__init__(f"this client was granted {granted}; ask for some of that, or leave scope out")


class InvalidGrant(OAuthError):
    """A client named a token that was issued to another one."""

    code = "invalid_grant"

    def __init__(self) -> None:
        super().__init__("the token was issued to another client; only that one can revoke it")
