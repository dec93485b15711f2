"""Reads the parameters of queries and forms strictly, and defines those that several operations share."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Any, Final
from urllib.parse import parse_qsl

import attrs

from kgl_core.graph.metadata import MetadataConditions
from kgl_core.kernel.checked_records import build, check, ruled, rules_of, said, unknown_names
from kgl_core.kernel.errors import Fault, InvalidInput
from kgl_core.kernel.field_rules import (
    Choice,
    Each,
    Flag,
    Instant,
    Integer,
    Names,
    Number,
    Optional,
    Rule,
    Text,
)
from kgl_core.kernel.nouns.pages import CURSOR_LENGTH_MAX, LIMIT_MAX
from kgl_core.kernel.strict_json import parse_json, read_float
from kgl_core.kernel.times import parse_instant
from kgl_http.api.problems import BadRequest

LIMIT: Final = Integer(1, LIMIT_MAX)
CURSOR: Final = Optional(Text(CURSOR_LENGTH_MAX))
COUNT: Final = Optional(Choice(("exact",)))
_PARAMETERS_MAX: Final = 500
_QUERIES_MAX: Final = 256
_WHOLE: Final = re.compile(r"-?\d{1,18}", re.ASCII)
_NUMBER: Final = re.compile(r"-?(?:\d{1,30}(?:\.\d{0,30})?|\.\d{1,30})(?:[eE][+-]?\d{1,3})?", re.ASCII)


@attrs.frozen(kw_only=True)
class NoQuery:
    """No parameters."""


@attrs.frozen(kw_only=True)
class RecordQuery:
    """How one record is asked for."""

    include_deleted: bool = ruled(Flag(), default=False)

    def __attrs_post_init__(self) -> None:
        check(self)


@lru_cache(maxsize=_QUERIES_MAX)
def read_query(cls: Any, query_string: str) -> Any:
    """The query as an instance of the frozen class ``cls``, remembered for the next request with the same query.

    Raises BadRequest with every fault, unknown parameters among them.
    """
    values: dict[str, Any] = {}
    rules = rules_of(cls)
    given = read_parameters(query_string.encode("latin-1"))  # the bytes that were sent (PEP 3333)
    fields = {said(name): name for name in rules}
    dotted = {name for name, rule in rules.items() if isinstance(rule, MetadataConditions)}
    faults = unknown_names((name for name in given if _field_of(name, dotted) not in fields), fields, "parameter")
    for parameter, texts in given.items():
        field = _field_of(parameter, dotted)
        rule = rules.get(fields.get(field, ""))
        if rule is None:
            continue
        if field != parameter:
            values.setdefault(field, {})[parameter[len(field) + 1 :]] = [read_value(text) for text in texts]
        elif parameter in dotted:
            advice = f"write {parameter}.NAME=VALUE, with any name in place of NAME"
            faults.append(Fault(f"/{parameter}", "unknown_parameter", advice))
        elif _is_list(rule):
            values[parameter] = [from_text(rule, text) for text in texts]
        elif len(texts) > 1:
            faults.append(Fault(f"/{parameter}", "repeated", "give it once"))
        else:
            values[parameter] = from_text(rule, texts[0])
    try:
        query = build(cls, values)
    except InvalidInput as error:
        faults += map(_of_parameter, error.faults)
    if faults:
        raise BadRequest(faults)
    return query


def _field_of(parameter: str, dotted: Collection[str]) -> str:
    """The field that a parameter gives: the part before the dot, if that is one of those whose names follow a dot."""
    field, dot, _ = parameter.partition(".")
    return field if dot and field in dotted else parameter


def _of_parameter(fault: Fault) -> Fault:
    """The fault of a parameter; that of a date has advice about a +, which means a space in a URL."""
    if fault.code in ("not_an_instant", "not_a_date"):
        return attrs.evolve(fault, detail=f"{fault.detail}; in a URL, write the + of a time zone as %2B")
    return fault


def read_parameters(encoded: bytes) -> Mapping[str, list[str]]:
    """The texts of each parameter in a query or a form, by name. Raises BadRequest."""
    found: dict[str, list[str]] = {}
    if encoded:
        try:
            pairs = parse_qsl(encoded.decode(), keep_blank_values=True, errors="strict", max_num_fields=_PARAMETERS_MAX)
        except UnicodeDecodeError:
            raise BadRequest([Fault("", "not_utf8", "parameters must be UTF-8, percent-encoded")]) from None
        except ValueError:
            raise BadRequest([Fault("", "too_many", f"at most {_PARAMETERS_MAX} parameters")]) from None
        for name, text in pairs:
            found.setdefault(name, []).append(text)
    return found


def _is_list(rule: Rule) -> bool:
    return isinstance(rule, Each | Names)


def from_text(rule: Rule, text: str) -> Any:
    """The value of a parameter's text for ``rule``; text that is no such value stays text, which the rule refuses."""
    match rule:
        case Optional(Flag()) if text == "any":
            return None
        case Optional(inner):
            return from_text(inner, text)
        case Each(each):
            return from_text(each, text)
        case Flag():
            return {"true": True, "false": False}.get(text, text)
        case Integer() if _WHOLE.fullmatch(text):
            return int(text)
        case Number() if _NUMBER.fullmatch(text):
            return read_float(text)
        case Instant():
            return parse_instant(text) or text
    return text


def read_value(text: str) -> Any:
    """The JSON value that a parameter's text is; text that is no JSON means itself, so that it needs no quotes."""
    try:
        return parse_json(text, "the value")
    except InvalidInput:
        return text


def with_moments(cls: type, values: Any) -> Any:
    """The ``values`` of an object in JSON, with the moments that ``cls`` has as fields converted from text."""
    if type(values) is dict:
        for name, rule in rules_of(cls).items():
            if rule == Optional(Instant()) and type(values.get(name)) is str:
                values[name] = from_text(rule, values[name])
    return values


def filter_of(query: object, cls: type) -> dict[str, Any]:
    """The parameters of a query that the filter ``cls`` has, as keyword arguments."""
    return {name: getattr(query, name) for name in rules_of(cls)}


def require_alone(query: object, *names: str) -> None:
    """Raise InvalidInput if any of ``names``, which name records, is given together with parameters of a listing."""
    if not any(getattr(query, name) for name in names):
        return
    cls = type(query)
    others = [
        field.name
        for field in attrs.fields(cls)  # type: ignore[arg-type]
        if field.name not in (*names, "is_active") and getattr(query, field.name) != field.default
    ]
    if others:
        advice = f"give {' or '.join(names)} alone, or list without"
        raise InvalidInput([Fault(f"/{name}", "not_together", advice) for name in others])
