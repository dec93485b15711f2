"""Inputs that must be refused, by the rule that guards what they are put into."""

import base64
import json
from collections.abc import Iterator
from typing import Any

from kgl_core.access.passwords import Secret
from kgl_core.exploration.metadata_tests import TESTS_RULE, MetadataTests
from kgl_core.graph.entities import ALIASES_MAX, BEGINNING, Beginning
from kgl_core.graph.metadata import WANTED_RULE, JsonObject, JsonValue, MetadataConditions
from kgl_core.graph.shared_fields import FILTER_VALUES_MAX
from kgl_core.kernel.checked_records import MISSING, Built, BuiltLater, Mapped, rules_of, said
from kgl_core.kernel.field_rules import (
    Choice,
    Each,
    Exact,
    Flag,
    Id,
    Instant,
    Integer,
    Names,
    Number,
    Optional,
    Rule,
    Text,
)
from kgl_core.kernel.periods import Date
from kgl_core.kernel.strict_json import DEPTH_MAX
from kgl_http.openapi.shown_fields import FieldNames

DEPTH = 100_000  # far past what any parser follows
MALFORMED_VALUES = {
    "NaN": "NaN",
    "Infinity": "Infinity",
    "-Infinity": "-Infinity",
    "5,000 digits": "1" * 5000,
    "a negative number of 5,000 digits": "-" + "1" * 5000,
    "deep lists": "[" * DEPTH,
    "deep objects": '{"a":' * DEPTH,
    "a list too many": "[" * DEPTH_MAX + "]" * DEPTH_MAX,
    "closed deep lists": "[" * DEPTH + "]" * DEPTH,
    "a name twice": '{"a": 1, "a": 1}',
    "a name twice, once escaped": '{"a": 1, "\\u0061": 2}',
    "a control character": '"a\nb"',
    "a bad escape": '"\\x00"',
    "half an escape": '"\\u00"',
    "single quotes": "'a'",
    "nothing": "",
    "a word": "undefined",
    "a comment": "/* */ 1",
    "a trailing comma": "[1,]",
    "hexadecimal": "0x10",
    "leading zero": "007",
    "plus": "+1",
    "half a number": "1.",
    "digits of another script": "\u0661",
    "full-width digits": "1\uff11",
}
"""What is no JSON, as the value of any field."""

_KINDS = {
    "null": None,
    "true": bool,
    "5": int,
    "1.5": float,
    '"text"': str,
    '""': str,
    "[]": list,
    '["a"]': list,
    "[[]]": list,
    "{}": dict,
    '{"a": 1}': dict,
    '{"$ne": ""}': dict,
}
_NUL, _SURROGATE = "a\\u0000b", "\\ud800"
_TEXTS = ["\\u0000", _NUL, _SURROGATE, "\\udfff\\ud800", "a\\udc00", "\\ud83d \\ude00"]
_BREAKS = ["a\\nb", "a\\r\\nBcc: x@example.org", "\\t", "\\u001b[31m", "\\u007f", "\\u0085", "\\u009b", "\\b", "\\f"]
_BREAKS += ["a\\u2028b", "\\u2029", "a\\u202eb"]
_BLANKS = ["", " ", "\\u00a0\\u3000", "\\u200b", "\\ufeff\\u2060", "\\u00ad", "\\u3164", "\\u0301", "\\u2800"]
_BLANKS += ["\\udb40\\udc01", "\\u115f\\u1160", "\\ufe0f", "\\u180e \\u200d"]
_NO_TYPES = ["1a", "a b", "_a", "\\u00e9", "a/b", "../a", "<script>", "a'--", "a" * 65, "\\uff21", "a\\u0301"]
_NO_EMAILS = ["ada", "a@b", "@example.org", "a@@b.org", "a b@c.org", "a@-b.org", "a@b..org", "a@b.org.", "a@[1.2.3.4]"]
_NO_EMAILS += ["a@b\\r\\nBcc:x@y", "\\u212a@example.org", "a@ex\\u00e4mple.org", '\\"a b\\"@c.org', "a" * 65 + "@b.org"]
_NO_IDS = ["", "x", "0", "01890a5dac96774bbcceb302099a8057", "{01890a5d-ac96-774b-bcce-b302099a8057}", "../../x"]
_NO_IDS += ["urn:uuid:01890a5d-ac96-774b-bcce-b302099a8057", "01890a5d-ac96-774b-bcce-b302099a805g", "\\u0000" * 36]
_NO_IDS += ["01890a5d-ac96-774b-bcce-b302099a8057 ", "\\uff10" * 36, "' OR 1=1 --", "\\ud800"]

_NO_MOMENTS = ["", "now", "2999", "2999-01-31", "2999-01-31T12:00:00", "2999-02-30T12:00:00Z", "2999-01-31T25:00:00Z"]
_NO_MOMENTS += ["0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00", "1e9", "0", "\\u0000", "\\ud800", "9" * 5000]
_NO_DATES = ["", "now", "0000", "199", "19940", "-0044", "+1994", "1994-00", "1994-13", "1994-05-00", "2024-02-30"]
_NO_DATES += ["10000-01-01", "24:00:00", "1994-05-17T24:00:00Z", "1994-05-17T08:30:00", "1994/05", "1994-W20", "1e9"]
_NO_DATES += ["0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00", "1994 ", "\\u0000", "\\ud800", "1994\\n"]
_NO_DATES += [
    "\\u0e51\\u0e59\\u0e59\\u0e54",
    "\\u0661\\u0669\\u0669\\u0664",
    "\\uff11\\uff19\\uff19\\uff14",
    "9" * 10_000,
]


def values_for(rule: Rule, *, is_removable: bool = False) -> Iterator[str]:
    """JSON values that ``rule`` refuses, written out; ``is_removable`` where null takes the field away."""
    if isinstance(rule, Optional):
        yield from (value for value in values_for(rule.rule) if value != "null")
        return
    admitted = _admitted(rule)
    for value in (value for value, kind in _KINDS.items() if kind not in admitted):
        if value != "null" or not is_removable:
            yield value
    match rule:
        case Text(most, pattern):
            yield from _quoted([*_TEXTS, *_BREAKS, *_BLANKS, "x" * (most + 1), "\\u00e9" * (most + 1)])
            if pattern is not None:
                yield from _quoted(_NO_EMAILS if "@" in pattern else _NO_TYPES)
        case Secret(most):
            yield from _quoted([*_TEXTS, "", "x" * (most + 1), "x" * (1024 * 1000)])
        case Exact(most):
            yield from _quoted([*_TEXTS, "x" * (most + 1), "\\u00e9" * (most // 2 + 1)])
        case Integer(least, most):
            yield from [str(least - 1), str(most + 1), "1.0", "1e3", "-0.0", "1e400", "9" * 300, '"5"', "true"]
        case Number():
            yield from ["-0.001", "1.001", "5", "-1", "1e400", "-1e400", "9" * 300, '"0.5"', '"NaN"', "true"]
        case Choice():
            yield from _quoted(["", "ADMIN", "user ", "\\u0000", "\\ud800", "root", "x" * 10_000])
        case Id():
            yield from _quoted(_NO_IDS)
        case Instant():
            yield from _quoted(_NO_MOMENTS)
        case Date():
            yield from _quoted(_NO_DATES)
        case Names(Each(inner, most)) | Each(inner, most):
            yield from ["[]"] if isinstance(rule, Each) and rule.min_items else []
            yield json.dumps([f"n{number}" for number in range(most + 1)])
            yield from (f'["a", {value}]' for value in values_for(inner))
        case JsonObject():
            yield from _objects(rule)
        case JsonValue():
            yield from _objects(JsonObject())
        case MetadataTests():
            # More stands around these than around the others.
            yield from (text for text in _objects(TESTS_RULE) if text.count("[") < DEPTH_MAX - 10)
            yield from ('{"a": []}', '{"a": {}}', '{"a": {"nonsense": 1}}', '{"a": {"gt": null}}', '{"a": {"in": 5}}')
        case MetadataConditions():
            yield from (text for text in _objects(WANTED_RULE) if text.count("[") < DEPTH_MAX - 10)
            yield from ('{"a": []}', '{"a": {}}', '{"a": [[]]}', '{"a": {"gt": 1}}')
        case Beginning():
            yield from values_for(BEGINNING)
            yield from _quoted(["\\u00b4", "\\ufdfa" * 20])
        case Mapped(names, inner, most, least):
            yield from ["{}"] if least else []
            yield json.dumps({f"n{number}": {} for number in range(most + 1)})
            yield from (f"{{{name}: {{}}}}" for name in values_for(names) if name.startswith('"'))
            yield from (f'{{"a": {value}}}' for value in values_for(inner))
        case FieldNames():
            yield from ('"nonsense"', '"id,"', '["id", "ID"]', '["id", 5]', '"\\u0000"')
        case Built(cls):
            yield from ('{"nonsense": 1}', '{"": null}', '{"__class__": {}}')
            yield from fields_for(cls)


def fields_for(cls: type) -> Iterator[str]:
    """JSON objects whose only field is one that its rule refuses."""
    required = {field.name for field in cls.__attrs_attrs__ if field.default is MISSING}  # type: ignore[attr-defined]
    for name, rule in rules_of(cls).items():
        yield from (f'{{"{said(name)}": {value}}}' for value in values_for(rule, is_removable=name not in required))


def _admitted(rule: Rule) -> tuple[type | None, ...]:
    match rule:
        case BuiltLater():
            return (None, *_KINDS.values())  # it is refused where it is used
        case JsonValue():
            return (None, *_KINDS.values())
        case Text() | Exact() | Secret() | Beginning() | Choice() | Id() | Instant() | Date():
            return (str,)
        case Integer():
            return (int,)
        case Number():
            return (int, float)
        case Each(inner, single=True):
            return (list, *_admitted(inner))
        case Names() | Each():
            return (list,)
        case FieldNames():
            return (str, list)
        case JsonObject() | MetadataTests() | MetadataConditions() | Mapped() | Built():
            return (dict,)
        case Flag():
            return (bool,)
    raise LookupError(f"say in {__name__} what {rule} refuses")


def _quoted(texts: list[str]) -> Iterator[str]:
    return (f'"{text}"' for text in texts)


def _objects(rule: JsonObject) -> Iterator[str]:
    for text in _TEXTS:
        yield from (f'{{"{text}": 1}}', f'{{"a": "{text}"}}', f'{{"a": [{{"b": "{text}"}}]}}')
    yield from (f'{{"a": {number}}}' for number in (2**63, -(2**63) - 1, "1e400", "-1e400", 10**30))
    yield '{"a":' * (rule.depth_max + 1) + "1" + "}" * (rule.depth_max + 1)
    yield '{"a":' + "[" * rule.depth_max + "]" * rule.depth_max + "}"
    yield '{"a":' + "[" * (DEPTH_MAX - 3) + "]" * (DEPTH_MAX - 3) + "}"  # with a body around it, as deep as JSON may be
    yield json.dumps({f"n{number}": number for number in range(rule.keys_max + 1)})
    yield json.dumps({"a": "x" * rule.bytes_max})
    yield json.dumps({"a": "\u00e9" * (rule.bytes_max // 2)}, ensure_ascii=False)
    yield json.dumps({"x" * rule.bytes_max: 1})
    yield json.dumps({"a": [0] * rule.bytes_max})


_NO_WHOLE = [
    "",
    "-1",
    "abc",
    "1.5",
    "1e1",
    "%2B5",
    " 5",
    "5 ",
    "0x10",
    "9" * 30,
    "%EF%BC%91",
    "null",
    "true",
    "5,5",
    "%00",
]
_NO_NUMBERS = [
    "",
    "abc",
    "nan",
    "inf",
    "-inf",
    "Infinity",
    "-0.1",
    "1.1",
    "1e400",
    ".5.",
    "0,5",
    "%00",
    "1_0",
    "9" * 400,
]
_NO_FLAGS = ["", "True", "TRUE", "1", "0", "yes", "on", "none", "%00", "true,false"]
_NO_INSTANTS = ["", "now", "2026", "2026-01-31", "2026-01-31T12:00:00", "2026-02-30T12:00:00Z", "2026-01-31T25:00:00Z"]
_NO_INSTANTS += [
    "0001-01-01T00:00:00%2B01:00",
    "9999-12-31T23:59:59-01:00",
    "1e9",
    "0",
    "%00",
    "2026-01-31T12:00:00+02:00",
]
_NOT_UTF8 = ["%ff", "%c0%80", "%ed%a0%80", "%f5%80%80%80", "a%80"]


def texts_for(rule: Rule) -> Iterator[str]:
    """Values of a query's parameter that ``rule`` refuses, percent-encoded."""
    if isinstance(rule, Optional):
        yield from texts_for(rule.rule)
        return
    yield from _NOT_UTF8
    match rule:
        case Text(most, pattern):
            yield from ["%00", "a%00b", "a%0d%0ab", "%1b", "%7f", "%c2%85", "x" * (most + 1)]
            yield from [] if pattern is None else ["1a", "a%20b", "a/b", "%C3%A9", "a'--", "a" * 65]
            yield from ["", "%20", "%e3%80%80"]
        case Integer(least, most):
            yield from [*_NO_WHOLE, str(least - 1), str(most + 1)]
        case Number():
            yield from _NO_NUMBERS
        case Flag():
            yield from _NO_FLAGS
        case Choice():
            yield from ["", "name;drop", "-", "--name", "%00", "x" * 4000]
        case Id():
            yield from ["", "x", "%00", "01890a5dac96774bbcceb302099a8057", "..%2f", "%EF%BC%90" * 36, "' OR 1=1 --"]
        case Instant():
            yield from _NO_INSTANTS
        case Date():
            yield from ["", "%00", "1994-00", "-0044", "10000", "2024-02-30", "24:00:00", "9999-12-31T23:59:59-01:00"]
            yield from ["%E0%B9%91%E0%B9%99%E0%B9%99%E0%B9%94", "1994-05-17T08:30:00+02:00", "1994%20", "9" * 5_000]
        case Exact():
            yield from ["%00", "a%00b"]
        case MetadataConditions():
            yield from ["", "a", "{}"]  # the name is missing
        case Beginning():
            yield from [*texts_for(BEGINNING), "%C2%B4", "%EF%B7%BA" * 20]
        case FieldNames():
            yield from ["", "nonsense", "id,", "%00", "id,ID", "x" * 5_000]
        case Each(inner):
            yield from (text for text in texts_for(inner) if text not in _NOT_UTF8)
        case _:
            raise LookupError(f"say in {__name__} what {rule} refuses in a query")


def is_list(rule: Rule) -> bool:
    """Whether a parameter with this rule may stand several times."""
    return isinstance(rule, Each)


def cursor_of(*parts: Any) -> str:
    """A cursor of one's own making."""
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


CURSORS = [
    "garbage",
    "%00",
    "e30",
    "W10",
    "bnVsbA",
    "NQ",
    "WyJhIl0",
    "====",
    "A",
    "-_-_",
    "%E2%82%AC",
    "W1tbW1tb",
    base64.urlsafe_b64encode(b"[" * 3000).decode().rstrip("="),
    cursor_of("changes", 2**63),
    cursor_of("x", 1),
    cursor_of("changes", -1),
    cursor_of("changes", "1", "2", "3", "4"),
    cursor_of("changes", None),
    cursor_of("changes", True),
    cursor_of(None, {}),
    "x" * 4096,
    "x" * 4097,
]
"""Cursors that nobody handed out."""

PARAMETERS_MAX = 500
VALUES_MAX = max(FILTER_VALUES_MAX, ALIASES_MAX)
