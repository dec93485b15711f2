"""Makes JSON Schemas (draft 2020-12) of the API's input and output from the rules and types of attrs classes."""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Final, Literal, NewType, Union, get_args, get_origin, get_type_hints
from uuid import UUID

import attrs

from kgl_core.access.oauth_clients import CLIENT
from kgl_core.access.passwords import Secret
from kgl_core.access.tokens import IssuedAccess, IssuedTokens
from kgl_core.access.users import USER
from kgl_core.evidence.origins.extractors import EXTRACTOR
from kgl_core.evidence.origins.sources import SOURCE
from kgl_core.exploration.metadata_tests import MetadataTests
from kgl_core.graph.entities import BEGINNING, Beginning
from kgl_core.graph.journal.changes import Change
from kgl_core.graph.metadata import JsonObject, JsonValue, MetadataConditions
from kgl_core.graph.nouns import GRAPH_NOUNS
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
from kgl_core.kernel.nouns.noun import AnyNoun
from kgl_core.kernel.nouns.records import Record
from kgl_core.kernel.periods import Date
from kgl_core.kernel.permissions import Actor
from kgl_http.openapi.schema_parts import (
    CONDITIONS_SCHEMA,
    DATE_SCHEMA,
    FIELDS_SCHEMA,
    INSTANT_SCHEMA,
    LINE_PATTERN,
    NAMED_PARAMETERS_SCHEMA,
    NO_NUL_PATTERN,
    TESTS_SCHEMA,
    UUID_SCHEMA,
    Schema,
    mapping_schema,
    nullable,
    object_schema,
)
from kgl_http.openapi.shown_fields import FieldNames, Shown

_NOUNS: Final = (*GRAPH_NOUNS, SOURCE, EXTRACTOR, USER, CLIENT)
_BY_RECORD: Final[Mapping[type, AnyNoun]] = {noun.record: noun for noun in _NOUNS}
_BY_DRAFT: Final[Mapping[type, AnyNoun]] = {noun.draft: noun for noun in _NOUNS}

# What the converter shows otherwise than the class has it.
_HIDDEN: Final[Mapping[type, Sequence[str]]] = {
    **{noun.record: noun.hidden for noun in _NOUNS},
    Actor: ("role", "scopes", "_text"),
}
_ADDED: Final[Mapping[type, Mapping[str, Any]]] = {
    **{noun.record: {"is_active": bool} for noun in GRAPH_NOUNS},
    Change: {"kind": Literal[tuple(noun.name for noun in GRAPH_NOUNS)]},
    IssuedTokens: {"token_type": Literal["Bearer"]},
    IssuedAccess: {"token_type": Literal["Bearer"]},
}

_PLAIN: Final[Mapping[Any, Schema]] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    type(None): {"type": "null"},
    UUID: UUID_SCHEMA,
    datetime: INSTANT_SCHEMA,
    Any: {},
}


class Schemas:
    """Makes schemas. Those of classes are in ``components`` by name, and others refer to them."""

    def __init__(self) -> None:
        self.components: dict[str, Schema] = {}

    def add(self, name: str, schema: Schema) -> Schema:
        """Store ``schema`` as ``name`` and return a reference to it. Raises ValueError if another has that name."""
        if self.components.setdefault(name, schema) != schema:
            raise ValueError(f"two schemas are called {name}; rename one of the classes")
        return {"$ref": f"#/components/schemas/{name}"}

    def taken(self, cls: type, *, is_partial: bool = False, is_change: bool = False, called: str = "") -> Schema:
        """The schema of a body that becomes a ``cls``, or is a merge patch of one (RFC 7396), where null removes.

        It is ``called`` so, or as the class is. With ``is_change``, the body changes a record, and may repeat the
        fields that kgl sets.
        """
        fields = {field.name: field for field in attrs.fields(cls)}
        properties, required = {}, []
        for name, rule in rules_of(cls).items():
            is_required = fields[name].default is MISSING
            schema = self.of_rule(rule)
            properties[said(name)] = schema if is_required else nullable(schema)
            if is_required and not is_partial:
                required.append(said(name))
        noun = _BY_DRAFT.get(cls) if is_change else None
        if noun is not None:
            hints = {**get_type_hints(noun.record), **_ADDED.get(noun.record, {})}
            properties |= {name: {**self.shown(hints[name]), "readOnly": True} for name in noun.noted}
        if is_partial:
            doc = f"A change of a `{cls.__name__}`: what is left out stays as it is, and null removes (RFC 7396)."
            return self.add(f"{cls.__name__.removesuffix('Draft')}Patch", object_schema(properties, required, doc))
        if noun is not None:
            doc = (
                f"A whole `{cls.__name__}`: what is left out becomes empty. What kgl sets may come back as it was "
                "read, and must not be changed."
            )
            return self.add(
                f"{cls.__name__.removesuffix('Draft')}Replacement", object_schema(properties, required, doc)
            )
        return self.add(called or cls.__name__, object_schema(properties, required, cls.__doc__))

    def form(self, cls: type) -> Schema:
        """The schema of a form: the parameters of ``cls``, none of them null, and others, which are ignored.

        A parameter without a value is as good as none (RFC 6749, section 3.2), so those that may be left out may be
        empty.
        """
        fields = {field.name: field for field in attrs.fields(cls)}
        properties = {name: self.of_parameter(rule) for name, rule in rules_of(cls).items()}
        required = [name for name in properties if fields[name].default is MISSING]
        empty: Schema = {"type": "string", "maxLength": 0}
        properties |= {name: {"anyOf": [properties[name], empty]} for name in properties.keys() - required}
        schema = object_schema(properties, required, cls.__doc__)
        return self.add(cls.__name__, {**schema, "additionalProperties": True})

    def of_rule(self, rule: Rule) -> Schema:
        """The schema of what ``rule`` takes in a body. Raises TypeError for a rule that is unknown here."""
        match rule:
            case Optional(inner):
                return nullable(self.of_rule(inner))
            case Each(each, single=True):
                return {"anyOf": [self.of_rule(each), self._list(rule)]}
            case Each():
                return self._list(rule)
            case Names(each):
                return self.of_rule(each)
            case JsonObject():
                return self._json_object(rule)
            case JsonValue():
                return self._json_value(JsonObject())
            case Text(most, pattern):
                exact = LINE_PATTERN if pattern is None else f"^(?:{pattern})$"
                return {"type": "string", "minLength": 1, "maxLength": most, "pattern": exact}
            case Secret(most, least):
                length = {"minLength": least, "maxLength": most}
                return {"type": "string", "format": "password", **length, "pattern": NO_NUL_PATTERN}
            case Number(least, most):
                return {"type": "number", "minimum": least, "maximum": most}
            case Integer(least, most):
                return {"type": "integer", "minimum": least, "maximum": most}
            case Choice(values):
                return {"type": "string", "enum": list(values)}
            case Flag():
                return {"type": "boolean"}
            case Id():
                return dict(UUID_SCHEMA)
            case BuiltLater(cls):
                return self.taken(cls)
            case Built(cls):
                return self.taken(cls, called=f"{cls.__name__}Draft")  # answers show the class by its own name
            case Exact(most):
                limit = f"At most {most} bytes of UTF-8."
                return {"type": "string", "maxLength": most, "pattern": NO_NUL_PATTERN, "description": limit}
            case Instant():
                return dict(INSTANT_SCHEMA)
            case Date():
                return dict(DATE_SCHEMA)
            case Mapped(name, each, most, least):
                about = {"propertyNames": self.of_rule(name), "minProperties": least, "maxProperties": most}
                return {"type": "object", **about, "additionalProperties": self.of_rule(each)}
            case MetadataTests():
                return self.add("MetadataTests", TESTS_SCHEMA)
            case MetadataConditions():
                return self.add("MetadataConditions", CONDITIONS_SCHEMA)
            case Beginning():
                return self.of_rule(BEGINNING)
            case FieldNames():
                return dict(FIELDS_SCHEMA)
        raise TypeError(f"no schema is known for {rule}; describe it in kgl_http/openapi/schemas.py")

    def of_parameter(self, rule: Rule) -> Schema:
        """The schema of what ``rule`` takes in a query, where nothing is null, and ``any`` is both values of a flag."""
        match rule:
            case Optional(Flag()):
                return {"type": "string", "enum": ["true", "false", "any"]}
            case Optional(inner):
                return self.of_parameter(inner)
            case Each():
                return self._list(rule)
            case MetadataConditions():
                return dict(NAMED_PARAMETERS_SCHEMA)
        return self.of_rule(rule)

    def _list(self, rule: Each) -> Schema:
        least = {"minItems": rule.min_items} if rule.min_items else {}
        return {"type": "array", "items": self.of_rule(rule.rule), **least, "maxItems": rule.max_items}

    def shown(self, kind: Any) -> Schema:
        """The schema of a value of type ``kind`` in an answer. Raises TypeError for a type that is unknown here."""
        if isinstance(kind, NewType):
            kind = kind.__supertype__
        if get_origin(kind) is Annotated:
            return self._shown_partly(*get_args(kind))
        if kind is Record:
            kind = Union[tuple(noun.record for noun in GRAPH_NOUNS)]  # noqa: UP007  # made of a list
        plain: Schema | None = _PLAIN.get(kind)
        if plain is not None:
            return dict(plain)
        origin, parts = get_origin(kind), get_args(kind)
        if origin is Literal:
            return {"type": "string", "enum": list(parts)}
        if origin in (Union, types.UnionType):
            schemas = [self.shown(part) for part in parts if part is not type(None)]
            schema = schemas[0] if len(schemas) == 1 else {"anyOf": schemas}
            return nullable(schema) if type(None) in parts else schema
        if origin is tuple:
            length = {} if parts[-1] is Ellipsis else {"minItems": len(parts), "maxItems": len(parts)}
            return {"type": "array", "items": self.shown(parts[0]), **length}
        if origin in (Mapping, dict):
            return {"type": "object", "additionalProperties": self.shown(parts[1])}
        if isinstance(kind, type) and issubclass(kind, StrEnum):
            return {"type": "string", "enum": [member.value for member in kind]}
        if attrs.has(kind):
            return self._shown_class(kind)
        raise TypeError(f"no schema is known for {kind}; describe it in kgl_http/openapi/schemas.py")

    def _shown_partly(self, cls: type, how: Shown) -> Schema:
        properties = self._properties(cls) | {name: self.shown(kind) for name, kind in how.added.items()}
        return self.add(how.name, object_schema(properties, how.required, cls.__doc__))

    def _shown_class(self, cls: type) -> Schema:
        properties = self._properties(cls)
        return self.add(cls.__name__, object_schema(properties, list(properties), cls.__doc__))

    def _properties(self, cls: type) -> Schema:
        hints = get_type_hints(cls, include_extras=True)
        rules = rules_of(_BY_RECORD[cls].draft) if cls in _BY_RECORD else {}
        properties: Schema = {}
        for name in (field.name for field in attrs.fields(cls) if field.name not in _HIDDEN.get(cls, ())):
            rule = rules.get(name)
            # What is kept in metadata may have been taken in another spelling than its schema asks for, such as 1e300.
            is_kept = rule is not None and not isinstance(rule, JsonObject)
            properties[name] = self.of_rule(rule) if is_kept and rule is not None else self.shown(hints[name])
        return properties | {name: self.shown(kind) for name, kind in _ADDED.get(cls, {}).items()}

    def _json_value(self, rule: JsonObject) -> Schema:
        """What a JSON object can hold under a name."""
        inner: Schema = {}
        for level in range(rule.depth_max):
            kinds: list[Schema] = [
                {"type": ["boolean", "null"]},
                {"type": "number", "minimum": -(2**63), "maximum": 2**63 - 1},
                {"type": "string", "pattern": NO_NUL_PATTERN},
            ]
            if level:
                kinds += [{"type": "array", "items": inner}, mapping_schema(inner, rule.keys_max)]
            inner = self.add(f"JsonOfDepth{level}", {"anyOf": kinds})
        return inner

    def _json_object(self, rule: JsonObject) -> Schema:
        inner = self._json_value(rule)
        limits = (
            f"At most {rule.bytes_max} bytes of compact JSON, {rule.depth_max} levels and {rule.keys_max} names in all."
        )
        return self.add("Metadata", {**mapping_schema(inner, rule.keys_max), "description": limits})
