"""Answers, with the headers that they have by default."""

from __future__ import annotations

from typing import Final

import falcon

_DEFAULTS: Final = (
    # What keeps a browser from taking an answer for what it is not.
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Frame-Options", "DENY"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
    ("Cache-Control", "private, no-cache"),
)


class Response(falcon.Response):
    """An answer that begins with the default headers. A responder may replace them."""

    def __init__(self, options: falcon.ResponseOptions | None = None) -> None:
        super().__init__(options)
        self.set_headers(_DEFAULTS)
