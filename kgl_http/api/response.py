"""Answers, with the headers that most of them have."""

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
    """An answer that has these headers from the beginning; a responder may set others in their place."""

    def __init__(self, options: falcon.ResponseOptions | None = None) -> None:
        super().__init__(options)
        self.set_headers(_DEFAULTS)
