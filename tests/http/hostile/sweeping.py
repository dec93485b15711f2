"""Requests that grow: the worst that is known of each kind of input, in every place that takes input.

The places come from the application's routes and their rules, so that no field of any can be forgotten.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote, quote_plus

import attrs

from kgl_core.evidence.extraction.extractions import ExtractedEntity, ExtractedRelationship, Extraction
from kgl_core.kernel.checked_records import rules_of
from kgl_core.storage.record_lines import EntityLine, RelationshipLine
from kgl_http.api.operations import NDJSON, Operation
from tests.http.calls import Call, Route, call_of, routes_of
from tests.http.conftest import Api

Grow = Callable[[int], str]
"""Makes a text of about so many characters."""
Request = Mapping[str, Any]
"""What is given to `Call.send` beside what the call has."""

TEXTS: Final[Mapping[str, Grow]] = {
    "marks in the worst order": lambda n: "a" + "\u0316\u0300" * (n // 2),
    "marks that decompose": lambda n: "a" + "\u0f73" * n,
    "letters that decompose far": lambda n: "\ufdfa\u1faf" * (n // 2),
    "jamo": lambda n: "\u1100\u1161\u11a8" * (n // 3),
    "capitals that end words": lambda n: "\u03a3'" * (n // 2),
    "nothing visible": lambda n: "\u200b\u0301" * (n // 2),
    "spaces": lambda n: " " * n + "x",
    "spaces of all kinds": lambda n: "\u00a0\t\u3000 " * (n // 4) + "x",
    "commas": lambda n: "x," * (n // 2),
    "quotes": lambda n: '"' * n,
    "quotes and spaces": lambda n: '" ' * (n // 2) + "x",
    "backslashes": lambda n: "\\" * n,
    "an address of dots": lambda n: "a@" + "a." * (n // 2),
    "an address of hyphens": lambda n: "a@a" + "-" * n,
    "addresses": lambda n: "a@a.a" * (n // 5),
    "digits": lambda n: "1" * n,
    "a fraction": lambda n: "0." + "0" * n + "1",
    "letters": lambda n: "A" * n,
    "dots": lambda n: "." * n,
    "hyphens": lambda n: "-" * n,
    "percent signs": lambda n: "%" * n,
    "brackets": lambda n: "[" * n,
    "semicolons": lambda n: "a;q=" * (n // 4),
    "lone surrogates": lambda n: "\ud800" * n,
}

VALUES: Final[Mapping[str, Grow]] = {
    "deep lists": lambda n: "[" * n,
    "closed deep lists": lambda n: "[" * (n // 2) + "]" * (n // 2),
    "deep objects": lambda n: '{"a":' * (n // 5),
    "many lists": lambda n: f'{{"a": [{",".join(["[]"] * (n // 3))}]}}',
    "many lists of lists": lambda n: f'{{"a": [{",".join(["[[[]]]"] * (n // 7))}]}}',
    "many objects": lambda n: f'{{"a": [{",".join(["{}"] * (n // 3))}]}}',
    "many names": lambda n: "{" + ",".join(f'"n{number}": 1' for number in range(n // 10)) + "}",
    "a name twice": lambda n: "{" + ",".join(f'"n{number}": 1' for number in [*range(n // 10), 0]) + "}",
    "a long name": lambda n: f'{{"{"x" * n}": 1}}',
    "a long name twice": lambda n: f'{{"{"x" * (n // 2)}": 1, "{"x" * (n // 2)}": 1}}',
    "many items": lambda n: f"[{','.join(['1'] * (n // 2))}]",
    "many texts": lambda n: f"[{','.join([json.dumps('a' + chr(0x316) + chr(0x300))] * (n // 20))}]",
    "a long number": lambda n: "1" * n,
    "a long fraction": lambda n: f'{{"a": 0.{"1" * n}}}',
    "a long exponent": lambda n: f'{{"a": 1e{"1" * n}}}',
    "many fractions": lambda n: f'{{"a": [{",".join(["0.12345678901234567"] * (n // 20))}]}}',
    "many long fractions": lambda n: f'{{"a": [{",".join(["0." + "1" * 900] * (n // 900))}]}}',
    "many long numbers": lambda n: f'{{"a": [{",".join(["1" * 4000] * (n // 4000))}]}}',
}

HEADERS: Final = (
    *("Accept", "Accept-Encoding", "Accept-Language", "Authorization", "Content-Encoding", "Content-Type", "Cookie"),
    *("Forwarded", "Host", "Idempotency-Key", "If-Match", "If-Modified-Since", "If-None-Match", "Origin", "Range"),
    *("Access-Control-Request-Headers", "Traceparent", "X-Forwarded-For", "X-Forwarded-Host", "X-Request-ID"),
)
_BEGINNINGS: Final[Mapping[str, tuple[str, ...]]] = {
    "Accept-Encoding": ("", "gzip"),
    "Authorization": ("", "Bearer ", "Basic "),
    "Content-Type": ("", "application/json;"),
    "If-Match": ("", 'W/"'),
    "X-Forwarded-For": ("", "127.0.0.1,"),
}


@attrs.frozen
class Probe:
    """One place of one call and what grows in it: ``request`` is the call's with about so many bytes there."""

    call: Call
    place: str
    what: str
    request: Callable[[int], Request]

    def __str__(self) -> str:
        return f"{self.call.route} {self.place}: {self.what}"


def bodies(api: Api) -> Iterator[Probe]:
    """Every field of every JSON body, form, item and line; whole bodies; and names that nobody knows."""
    for route in routes_of(api):
        call = call_of(api, route)
        if route.takes_form:
            for name in rules_of(route.operation.body):
                others = {other: value for other, value in call.body.items() if other != name}
                for what, grow in TEXTS.items():
                    yield Probe(call, name, what, _form(others, name, grow))
        elif route.takes_json:
            for name in [*rules_of(route.operation.body), "unknown"]:
                yield from _fields(call, call.body, name)
            yield from _wholes(call)
            if route.operation.body is Extraction:
                for plural, cls in (("entities", ExtractedEntity), ("relationships", ExtractedRelationship)):
                    for name in [*rules_of(cls), "unknown"]:
                        yield from _fields(call, _ITEM[plural], name, (f'{{"{plural}": [', "]}"))
        elif str(route) == "POST /api/v1/extractions":
            for name in ["source", "extractor", *rules_of(Extraction), "unknown"]:
                yield from _fields(call, {"source": "s", "extractor": "e"}, name)
            yield from _wholes(call)
        elif NDJSON in route.operation.body_media_types:
            for cls, kind in ((EntityLine, "entity"), (RelationshipLine, "relationship")):
                usual = {"kind": kind, "type": "t", "name": "n", "key": "k"} if kind == "entity" else {"kind": kind}
                for name in ["kind", *rules_of(cls), "unknown"]:
                    yield from _fields(call, usual, name)
            yield from _wholes(call)


def queries(api: Api) -> Iterator[Probe]:
    """Every parameter of every query, once and many times, what is no query at all, and what stands in paths."""
    for route in routes_of(api):
        call = call_of(api, route)
        for name in [*_parameters(route.operation), "unknown"]:
            for what, grow in TEXTS.items():
                yield Probe(call, f"?{name}", what, _query(name, grow))
            yield Probe(call, f"?{name}", "many", lambda n, name=name: {"query_string": f"{name}=a&" * (n // 5)})
        for what, grow in TEXTS.items():
            yield Probe(call, "?", what, lambda n, grow=grow: {"query_string": _latin(grow(n))})
            if "{" in route.template:
                yield Probe(call, "/", what, _path(route, grow))


def headers(api: Api) -> Iterator[Probe]:
    """Every header that anything looks at, in every call, alone and after what it has to begin with."""
    for route in routes_of(api):
        call = call_of(api, route)
        for name in HEADERS:
            for beginning in _BEGINNINGS.get(name, ("",)):
                for what, grow in TEXTS.items():
                    place = f"{name}: {beginning}".strip()
                    yield Probe(call, place, what, _header(name, beginning, grow))


def _parameters(operation: Operation) -> list[str]:
    return [] if operation.query is None else list(rules_of(operation.query))


_ITEM: Final[Mapping[str, Any]] = {
    "entities": {"label": "T1", "type": "t", "name": "n"},
    "relationships": {"source_entity_key": "k", "relationship_type": "t", "target_entity_key": "k"},
}


def _fields(call: Call, usual: Mapping[str, Any], name: str, around: tuple[str, str] = ("", "")) -> Iterator[Probe]:
    others = json.dumps({other: value for other, value in usual.items() if other != name})
    for what, grow in TEXTS.items():
        yield Probe(call, name, what, _field(others, name, lambda n, grow=grow: json.dumps(grow(n)), around))
        # As it is, too: an escape of six bytes may be a sixth of the work.
        raw = lambda n, grow=grow: json.dumps(grow(n), ensure_ascii=False)  # noqa: E731
        yield Probe(call, name, f"{what}, in UTF-8", _field(others, name, raw, around))
        listed = lambda n, grow=grow: json.dumps([grow(n // 50)] * 50, ensure_ascii=False)  # noqa: E731
        yield Probe(call, name, f"fifty of {what}", _field(others, name, listed, around))
    for what, grow in VALUES.items():
        yield Probe(call, name, what, _field(others, name, grow, around))


def _wholes(call: Call) -> Iterator[Probe]:
    for what, grow in VALUES.items():
        yield Probe(call, "body", what, lambda n, grow=grow: {"body": grow(n).encode()})
    for what, grow in TEXTS.items():
        yield Probe(call, "body", what, lambda n, grow=grow: {"body": _bytes(grow(n))})
    lines = lambda n: {"body": b'{"kind": "entity", "confidense": 1}\n' * (n // 36)}  # noqa: E731
    yield Probe(call, "body", "many lines", lines)


def _field(others: str, name: str, grow: Grow, around: tuple[str, str]) -> Callable[[int], Request]:
    comma = ", " if others != "{}" else ""
    before, after = around
    return lambda n: {"body": _bytes(f'{before}{others[:-1]}{comma}"{name}": {grow(n)}}}{after}')}


def _form(others: Mapping[str, str], name: str, grow: Grow) -> Callable[[int], Request]:
    before = "".join(f"{other}={quote_plus(value)}&" for other, value in others.items())
    return lambda n: {"body": f"{before}{name}={quote_plus(_bytes(grow(n)))}".encode()}


def _query(name: str, grow: Grow) -> Callable[[int], Request]:
    return lambda n: {"query_string": f"{name}={quote(_bytes(grow(n)))}"}


def _path(route: Route, grow: Grow) -> Callable[[int], Request]:
    before, _, after = route.template.replace("{", "}").split("}")
    return lambda n: {"path": f"{before}{quote(_bytes(grow(n)), safe='')}{after}"}


def _header(name: str, beginning: str, grow: Grow) -> Callable[[int], Request]:
    return lambda n: {"headers": {name: beginning + _latin(grow(n))}}


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _latin(text: str) -> str:
    """The text as servers hand on its bytes (PEP 3333), without what would end a header or a query."""
    return _bytes(text).decode("latin-1").replace("?", "")
