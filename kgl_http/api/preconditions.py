"""Conditional requests (RFC 9110, section 13): entity tags of records, If-Match and If-None-Match."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from hashlib import blake2b
from typing import Any, Final

from kgl_core.kernel.errors import Fault
from kgl_core.kernel.nouns.records import Versioned
from kgl_core.kernel.permissions import Action, Grant, grant
from kgl_http.api.envelope import dump_json, send_json
from kgl_http.api.json_views import unstructure
from kgl_http.api.problems import BadRequest, IfMatchRequired, PreconditionFailed

Precondition = Callable[[Versioned], None]

# Section 8.8.3, in lists whose elements may be empty (section 5.6.1.2).
_TAGS: Final = re.compile(r'[ \t]*(?:(W/)?"([\x21\x23-\x7e\x80-\xff]*)"[ \t]*)?(?:,|$)')
_DIGEST_BYTES: Final = 8
_ANY: Final = "*"


def entity_tag(record: Versioned) -> str:
    """The strong ETag of a record: its version, and a digest of its JSON.

    After a backup was restored, a record can get the same version number twice; the digest differs.
    """
    return _tag(record.version, dump_json(unstructure(record)))


def send_record(req: Any, resp: Any, record: Versioned) -> None:
    """Answer with a record and its ETag, or with 304 to a GET whose If-None-Match has that ETag."""
    send_json_record(req, resp, unstructure(record))


def send_json_record(req: Any, resp: Any, record: Mapping[str, Any]) -> None:
    """`send_record`, of a record that is JSON already."""
    shown = dump_json(record)
    tag = _tag(record["version"], shown)
    resp.set_header("ETag", tag)
    if "HTTP_IF_NONE_MATCH" in req.env and req.method in ("GET", "HEAD") and is_held(req, tag):
        resp.status = 304
    else:
        send_json(req, resp, shown)


def is_held(req: Any, tag: str) -> bool:
    """Whether ``tag``, strong or weak, is in If-None-Match. Raises BadRequest.

    By the weak comparison (section 13.1.2): tags match even if one of them is weak.
    """
    tags = _read(req.get_header("If-None-Match"))
    return tags == _ANY or (tags is not None and tag.removeprefix("W/") in (text for _, text in tags))


def precondition(req: Any, *, is_required: bool) -> Precondition | None:
    """The check of If-Match and If-None-Match for a request that changes a record; None if neither was sent.

    Call it with the record, within the transaction that changes it; it raises PreconditionFailed (section 13.2.2). This
    function itself raises BadRequest for a malformed header, and IfMatchRequired.
    """
    wanted = _read(req.get_header("If-Match"))
    unwanted = _read(req.get_header("If-None-Match"))
    if wanted is None and is_required:
        raise IfMatchRequired
    if wanted in (None, _ANY) and unwanted is None:
        return None

    def require(record: Versioned) -> None:
        tag = entity_tag(record)
        shown = None if grant(req.actor, Action.READ) is Grant.NONE else tag
        # By the strong comparison (section 13.1.1): a weak tag matches nothing.
        if wanted not in (None, _ANY) and (False, tag) not in wanted:
            raise PreconditionFailed("stale_version", f"version {record.version} is current; read it again", shown)
        if unwanted is not None and is_held(req, tag):
            advice = (
                "the record is there, and If-None-Match asks that it is not; send its ETag as If-Match to change it"
            )
            raise PreconditionFailed("precondition_failed", advice, shown)

    return require


def _tag(version: int, shown: bytes) -> str:
    return f'"{version}-{blake2b(shown, digest_size=_DIGEST_BYTES).hexdigest()}"'


def _read(header: str | None) -> Any:
    """The entity tags in a header, as pairs of whether it is weak and its text; "*" for any, None without a header.

    Raises BadRequest.
    """
    if header is None:
        return None
    if header.strip() == _ANY:
        return _ANY
    tags, at = [], 0
    while at < len(header) and (found := _TAGS.match(header, at)):
        if found[2] is not None:
            tags.append((found[1] is not None, f'"{found[2]}"'))
        at = found.end()
    if at < len(header):
        advice = 'If-Match and If-None-Match take * or entity tags in quotes, such as "3-5f2b09d1c47ae8f0"'
        raise BadRequest([Fault("", "malformed_tag", advice)])
    return tags
