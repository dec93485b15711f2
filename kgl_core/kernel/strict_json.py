"""Strict JSON (RFC 8259), without what parsers disagree on: duplicate names, NaN and Infinity."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from kgl_core.kernel.errors import Fault, InvalidInput

MALFORMED: Final = "malformed_json"
"""The code of the only fault of text that is not JSON."""

DEPTH_MAX: Final = 64
"""How deep objects and lists may nest (RFC 8259, section 9): far less than Python can recurse, so that code can safely
walk through any parsed value."""


_EXACT_LENGTH_MAX: Final = 16
"""A literal this short has at most 15 digits besides its point, which every float holds (IEEE 754, DBL_DIG)."""
_NUMBER_LENGTH_MAX: Final = 1_000
_NUMBER: Final = re.compile(r"-?([0-9]*)(?:\.([0-9]*))?(?:[eE]([+-]?[0-9]+))?")


class Inexact(float):
    """The float for a number that no float holds exactly: it has too many digits, or is too large or too small."""


def parse_json(data: bytes | str, what: str) -> object:
    """Parse the JSON value in ``data``, which messages call ``what``; skips a byte order mark. Raises InvalidInput."""
    try:
        text = data.decode() if isinstance(data, bytes) else data
        value = _DECODER.decode(text.removeprefix("\ufeff"))
        if text.count("{") + text.count("[") <= DEPTH_MAX or not _is_deep(value):
            return value
        reason = _TOO_DEEP
    except UnicodeDecodeError:
        reason = f"{what} must be UTF-8"
    except json.JSONDecodeError as error:
        fault = error.msg.lower().removesuffix(" at")
        reason = f"{fault} at line {error.lineno} column {error.colno}; {what} must be one JSON value"
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
    """A name occurs twice in one object."""


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


def read_float(literal: str) -> float:
    """The float that a literal means; an `Inexact` when the float's shortest text means another number."""
    if len(literal) <= _EXACT_LENGTH_MAX and "e" not in literal and "E" not in literal:
        return float(literal)
    if len(literal) > _NUMBER_LENGTH_MAX:
        raise ValueError(literal)
    value = float(literal)
    text = repr(value)
    return value if text == literal or _number(text) == _number(literal) else Inexact(value)


def _number(literal: str) -> tuple[str, int] | None:
    """The significant digits of a literal, and the power of ten of the last; None for infinity. Signs are the same."""
    found = _NUMBER.fullmatch(literal)
    if found is None:
        return None
    whole, fraction, exponent = found[1], found[2] or "", int(found[3] or 0)
    digits = (whole + fraction).lstrip("0")
    significant = digits.rstrip("0")
    return significant, exponent - len(fraction) + len(digits) - len(significant) if significant else 0


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_refuse_constant, parse_float=read_float)


def escape_line_breaks(data: bytes) -> bytes:
    """The same JSON in UTF-8, without anything in its texts that some reader takes for a line break.

    JSON may hold U+0085, U+2028 and U+2029 as they are, but `str.splitlines` and others end a line at them.
    """
    if data.isascii() or (b"\xc2\x85" not in data and b"\xe2\x80" not in data):
        return data
    for code in (0x85, 0x2028, 0x2029):
        data = data.replace(chr(code).encode(), b"\\u%04x" % code)
    return data
