"""Parts that schemas are made of: plain ones, patterns of text, and what wraps others."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from kgl_core.exploration.metadata_tests import ORDERING, TESTS_RULE, MetadataTests
from kgl_core.graph.metadata import NAMES_MAX, MetadataConditions
from kgl_core.graph.shared_fields import FILTER_VALUES_MAX
from kgl_core.kernel.periods import DATE_ADVICE, DATE_LENGTH_MAX, DATE_PATTERN
from kgl_core.kernel.text import INVISIBLE_16_BITS
from kgl_http.openapi.shown_fields import FIELDS_LENGTH_MAX, KNOWN_FIELDS

Schema = dict[str, Any]

UUID_SCHEMA: Final = {"type": "string", "format": "uuid"}
INSTANT_SCHEMA: Final = {"type": "string", "format": "date-time"}
DATE_SCHEMA: Final = {
    "type": "string",
    "maxLength": DATE_LENGTH_MAX,
    "pattern": DATE_PATTERN,
    "description": DATE_ADVICE,
}
FIELDS_SCHEMA: Final = {
    "type": "string",
    "maxLength": FIELDS_LENGTH_MAX,
    "pattern": f"^(?:{'|'.join(KNOWN_FIELDS)})(?:,(?:{'|'.join(KNOWN_FIELDS)}))*$",
    "description": "Names of fields, with commas between them.",
}

# Written out, because \s differs between regular expressions' dialects. Lone surrogates cannot be: a dialect that knows
# Unicode has no name for them, and JSON that holds them is none that every parser reads (RFC 8259, section 8.2).
_UNFIT: Final = r"\u0000-\u001f\u007f-\u009f\u2028\u2029\u202d\u202e"
_SPACE: Final = r"\u0020\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000"
# No more than nearly right: dialects differ in how they name combining marks and characters beyond 16 bits.
_INVISIBLE: Final = "".join(c if c == "-" else f"\\u{ord(c):04x}" for c in INVISIBLE_16_BITS)
_BLANK: Final = rf"{_SPACE}{_INVISIBLE}\u0300-\u036f"
LINE_PATTERN: Final = f"^[^{_UNFIT}]*[^{_UNFIT}{_BLANK}][^{_UNFIT}]*$"
NO_NUL_PATTERN: Final = r"^[^\u0000]*$"


def prose(doc: str | None) -> str:
    """A docstring as Markdown, without what only Python callers need."""
    text = re.sub(r",? checked as a whole: raises InvalidInput with every fault", "", doc or "")
    return "\n".join(line.strip() for line in text.replace("``", "`").splitlines()).strip()


_VALUE: Final[Schema] = {
    "anyOf": [
        {"type": ["boolean", "null"]},
        {"type": "number", "minimum": -(2**63), "maximum": 2**63 - 1},
        {"type": "string", "pattern": NO_NUL_PATTERN},
    ]
}
_CONDITIONS: Final[Schema] = {
    "type": "object",
    "propertyNames": {"pattern": NO_NUL_PATTERN},
    "maxProperties": NAMES_MAX,
}
CONDITIONS_SCHEMA: Final[Schema] = {
    **_CONDITIONS,
    "description": prose(MetadataConditions.__doc__),
    "additionalProperties": {
        "anyOf": [*_VALUE["anyOf"], {"type": "array", "items": _VALUE, "minItems": 1, "maxItems": FILTER_VALUES_MAX}]
    },
}
NAMED_PARAMETERS_SCHEMA: Final[Schema] = {
    **_CONDITIONS,
    "description": "Parameters called `metadata.NAME`, for any name: the value that is wanted under it. What is "
    "JSON is read as such (`1843` is a number, `true` is no text), and anything else is text; put text that looks like "
    'JSON in quotes (`"1843"`). A parameter that is repeated asks for any of its values; those of several names must '
    "all hold.",
    "patternProperties": {r"^metadata\.[^\u0000]*$": {"type": "string", "pattern": NO_NUL_PATTERN}},
    "additionalProperties": False,
}
_WITH_ORDER: Final[Schema] = {"anyOf": _VALUE["anyOf"][1:]}
TESTS_SCHEMA: Final[Schema] = {
    "type": "object",
    "description": prose(MetadataTests.__doc__),
    "propertyNames": {"pattern": NO_NUL_PATTERN},
    "maxProperties": TESTS_RULE.keys_max,
    "additionalProperties": {
        "anyOf": [
            *_VALUE["anyOf"],
            {
                "type": "object",
                "minProperties": 1,
                "properties": {
                    "ne": _VALUE,
                    "in": {"type": "array", "items": _VALUE, "minItems": 1, "maxItems": FILTER_VALUES_MAX},
                    **dict.fromkeys(ORDERING, _WITH_ORDER),
                    "exists": {"type": "boolean"},
                },
                "additionalProperties": False,
            },
        ]
    },
}


def nullable(schema: Schema) -> Schema:
    """The schema that also admits null."""
    kind = schema.get("type")
    if kind is None:
        return {"anyOf": [schema, {"type": "null"}]}
    kinds = kind if isinstance(kind, list) else [kind]
    if "null" in kinds:
        return schema
    values = {"enum": [*schema["enum"], None]} if "enum" in schema else {}
    return {**schema, "type": [*kinds, "null"], **values}


def object_schema(properties: Mapping[str, Schema], required: Sequence[str], doc: str | None) -> Schema:
    return {
        "type": "object",
        "description": prose(doc),
        "properties": dict(properties),
        **({"required": list(required)} if required else {}),
        "additionalProperties": False,
    }


def mapping_schema(inner: Schema, most: int) -> Schema:
    names = {"pattern": NO_NUL_PATTERN}
    return {"type": "object", "propertyNames": names, "additionalProperties": inner, "maxProperties": most}
