"""JSON in columns: objects such as metadata, and lists of texts such as aliases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

_TEXT: Final = frozenset({str})
_NO_METADATA: Final = "{}"
_NO_TEXTS: Final = "[]"


def write_json(value: Any) -> str:
    """Compact JSON of what the core has checked: ids as text, moments as RFC 3339 with Z."""
    return orjson.dumps(value, option=orjson.OPT_UTC_Z).decode()


def read_object(text: str) -> dict[str, Any]:
    """The JSON object in a column. Raises ValueError for anything else."""
    found = orjson.loads(text)
    if type(found) is not dict:
        raise ValueError("it is no JSON object")
    return found


def write_metadata(value: Mapping[str, Any]) -> str:
    """A JSON object for its column."""
    return write_json(value) if value else _NO_METADATA


def read_metadata(text: str) -> dict[str, Any]:
    """The JSON object in a column. Raises ValueError for anything else."""
    return {} if text == _NO_METADATA else read_object(text)


def write_texts(value: Sequence[str]) -> str:
    """A JSON array of strings for its column."""
    return write_json(value) if value else _NO_TEXTS


def read_list(text: str) -> list[str]:
    """The JSON array of strings in a column, as a list. Raises ValueError for anything else."""
    return [*read_texts(text)]


def read_texts(text: str) -> tuple[str, ...]:
    """The JSON array of strings in a column. Raises ValueError for anything else."""
    return () if text == _NO_TEXTS else texts(orjson.loads(text))


def show_object(text: str) -> orjson.Fragment:
    """The valid JSON in a column as it is, if it is an object. Raises ValueError for anything else."""
    if text[0] != "{":
        raise ValueError("it is no JSON object")
    return orjson.Fragment(text)


def show_array(text: str) -> orjson.Fragment:
    """The valid JSON in a column as it is, if it is an array. Raises ValueError for anything else."""
    if text[0] != "[":
        raise ValueError("it is no JSON array")
    return orjson.Fragment(text)


def texts(found: Any) -> tuple[str, ...]:
    """A decoded JSON array of strings. Raises ValueError for anything else."""
    if type(found) is not list or not _TEXT.issuperset(map(type, found)):
        raise ValueError("it is no JSON array of strings")
    return tuple(found)
