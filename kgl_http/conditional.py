"""Conditional requests (RFC 9110, section 13): a record's version is its strong entity tag."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from kgl_core.entities import Entity
from kgl_core.errors import Fault
from kgl_core.relationships import Relationship
from kgl_http.envelope import send
from kgl_http.errors import BadRequest, IfMatchRequired

Record = Entity | Relationship

# Section 8.8.3, in lists whose elements may be empty (section 5.6.1.2).
_TAGS: Final = re.compile(r'[ \t]*(?:(W/)?"([\x21\x23-\x7e\x80-\xff]*)"[ \t]*)?(?:,|$)')
_VERSION: Final = re.compile(r"[1-9][0-9]{0,17}")
_NEVER: Final = 2**62
"""A version that no record reaches."""


def entity_tag(record: Record) -> str:
    """The ETag of a record."""
    return f'"{record.version}"'


def send_record(req: Any, resp: Any, record: Record) -> None:
    """Answer with a record and its ETag; a GET whose If-None-Match names that is answered with 304."""
    tag = entity_tag(record)
    resp.set_header("ETag", tag)
    if req.method in ("GET", "HEAD") and is_held(req, tag):
        resp.status = 304
    else:
        send(req, resp, record)


def is_held(req: Any, tag: str) -> bool:
    """Whether If-None-Match says that the client has what ``tag``, strong or weak, names. Raises BadRequest.

    By the weak comparison (section 13.1.2): a tag matches also when only one of the two is weak.
    """
    header = req.get_header("If-None-Match")
    if header is None:
        return False
    return header.strip() == "*" or tag.removeprefix("W/") in (f'"{text}"' for _, text in _read(header))


def expected_version(req: Any, read: Callable[[], Record], *, is_required: bool) -> int | None:
    """The version that a change may be made of, or None for any, by If-Match (section 13.1.1).

    Of several tags, the present one if it is among them, which ``read`` finds out. Where no tag can match, a version
    that is not the present one: whether the caller may make the change at all comes first (section 13.2.1). Raises
    BadRequest when the header is malformed, and IfMatchRequired.
    """
    header = req.get_header("If-Match")
    if header is None:
        if is_required:
            raise IfMatchRequired
        return None
    if header.strip() == "*":
        return None
    versions = {int(text) for is_weak, text in _read(header) if not is_weak and _VERSION.fullmatch(text)} or {_NEVER}
    if len(versions) > 1:
        current = read().version
        return current if current in versions else min(versions)
    return versions.pop()


def _read(header: str) -> list[tuple[bool, str]]:
    """The entity tags in a header: whether each is weak, and its text. Raises BadRequest."""
    tags, at = [], 0
    while at < len(header) and (found := _TAGS.match(header, at)):
        if found[2] is not None:
            tags.append((found[1] is not None, found[2]))
        at = found.end()
    if at < len(header):
        advice = 'If-Match and If-None-Match take * or entity tags in quotes, such as "3"'
        raise BadRequest([Fault("", "malformed_tag", advice)])
    return tags
