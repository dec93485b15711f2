"""JSON as kgl takes it (RFC 8259), without what parsers disagree on: duplicate names, NaN and Infinity."""

from __future__ import annotations

import json
from typing import Any, Final

from kgl_core.errors import Fault, InvalidInput

MALFORMED: Final = "malformed_json"
"""The code of the one fault of what is no JSON."""

DEPTH_MAX: Final = 64
"""How deep objects and lists may nest (RFC 8259, section 9): far less than Python recurses, so that whatever walks
through a value that was parsed comes to its end."""


def parse_json(data: bytes | str, what: str) -> object:
    """The JSON value in ``data``, called ``what`` in messages; passes over a byte order mark. Raises InvalidInput."""
    try:
        text = data.decode() if isinstance(data, bytes) else data
        value = _DECODER.decode(text.removeprefix("\ufeff"))
        if text.count("{") + text.count("[") <= DEPTH_MAX or not _is_deep(value):
            return value
        reason = _TOO_DEEP
    except UnicodeDecodeError:
        reason = f"{what} must be UTF-8"
    except json.JSONDecodeError as error:
        reason = f"{error.msg.lower()} at line {error.lineno} column {error.colno}; {what} must be one JSON value"
    except _Duplicate as error:
        reason = f"the name {json.dumps(error.args[0][:64])} stands twice; keep one"
    except ValueError:
        reason = "NaN, Infinity and numbers of thousands of digits are not allowed; leave them out or give text"
    except RecursionError:
        reason = _TOO_DEEP
    raise InvalidInput([Fault("", MALFORMED, reason)])


_TOO_DEEP: Final = f"objects and lists are nested too deeply; at most {DEPTH_MAX} levels"


def _is_deep(value: object) -> bool:
    level = [value]
    for _ in range(DEPTH_MAX):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if type(outer) is dict else outer if type(outer) is list else ())
            if type(inner) is dict or type(inner) is list
        ]
    return bool(level)


class _Duplicate(Exception):
    """A name stands twice in one object."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise _Duplicate(name)
            seen.add(name)
    return found


def _refuse_constant(name: str) -> object:
    raise ValueError(name)


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_refuse_constant)
