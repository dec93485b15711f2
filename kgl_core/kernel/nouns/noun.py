"""Nouns: the kinds of things that kgl keeps, each described once.

Stores, loads, checks and the API take what they need from a description when they are imported: columns and their
conversions, filters, sorts, unique values, what is shown to nobody. Nothing is looked up by name in a request.
``docs/how-to/add-a-noun.md`` adds one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from operator import attrgetter
from types import NoneType, UnionType
from typing import Any, Final, Generic, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import attrs

from kgl_core.kernel.checked_records import MISSING, rules_of
from kgl_core.kernel.field_rules import Choice
from kgl_core.kernel.nouns.records import NEVER_CHANGE, Kept

R = TypeVar("R", bound=Kept)
D = TypeVar("D")
F = TypeVar("F")
V = TypeVar("V")

Comparison = Literal[
    "==", "<", "<=", ">", ">=", "contains", "begins", "same_name", "overlaps", "is_set", "holds", "has_names"
]


def _as_it_is(value: Any) -> Any:
    return value


@attrs.frozen
class Related:
    """Records of another noun that refer to a record: those of which ``field`` equals the filter's value.

    ``convert`` makes of the filter's value that of the field. Those records have these ``values`` besides, and nothing
    in the fields ``unset``.
    """

    noun: str
    field: str
    convert: Callable[[Any], Any] = _as_it_is
    values: Mapping[str, Any] = attrs.Factory(dict)
    unset: tuple[str, ...] = ()

    def reference(self, to: AnyNoun) -> str:
        """The field of those records that has the id of a record of this noun."""
        return next(name for name, noun in NOUNS[self.noun].references.items() if noun is to)


@attrs.frozen
class Condition:
    """What a filter asks of a record: one of these fields compares so with the filter's value, or is one of several.

    With "overlaps", two fields are the begin and the end of a `Period`, and the filter's value is a date. With
    "is_set", that value says whether the field has any. With "same_name", the first field has a name that is the same
    as one of several; the second has what ``sort_form`` makes of it, by which it is found. With "holds", the field is a
    JSON object that has all that is `Wanted`; with "has_names", it has all of several names. A record passes, too, if
    one of the records passes that are ``related`` to it.
    """

    fields: tuple[str, ...]
    comparison: Comparison = "=="
    related: Related | None = None
    sort_form: Callable[[str], str] = _as_it_is


_RECORD_CONDITIONS: Final[Mapping[str, Condition]] = {
    "created_after": Condition(("created_at",), ">"),
    "created_before": Condition(("created_at",), "<"),
    "updated_after": Condition(("updated_at",), ">"),
    "updated_before": Condition(("updated_at",), "<"),
}
"""The conditions of a `RecordFilter`, beside ``is_active``."""


@attrs.frozen
class Field:
    """A field of a record: its name, its type, if it can be None, and if it has a default.

    With ``is_empty_for_none``, stores hold an empty text for None, so that a unique index counts it as a value.
    """

    name: str
    type: Any
    is_optional: bool = False
    is_empty_for_none: bool = False
    has_default: bool = False


@attrs.frozen
class Unique:
    """What only one active record can have: a field's value, or the values of several. ``name`` is used in errors."""

    name: str
    fields: tuple[str, ...]


@attrs.frozen(kw_only=True, eq=False)
class Noun(Generic[R, D, F, V]):
    """The description of a noun: R are its records, D what callers say of one, F its filter, V its unique value.

    ``name`` and ``plural`` are the words for it, in errors and in paths. ``sorts`` maps what a listing can be sorted by
    to the field that holds it. ``conditions`` says what the filters ask that are not called as the field that they
    compare, beside those of a `RecordFilter`. ``fixed`` are fields that no later version changes, beside those of
    `NEVER_CHANGE`; ``hidden`` are shown to nobody; ``derived`` are properties that stores keep beside the fields, to
    filter and sort by; ``empty_for_none`` are optional texts that are part of a unique value; ``references`` are fields
    that hold the id of another noun's record; records are counted by ``type_field``; ``said_of_deleted`` are ids that
    lines of an export have of deleted records, beside what callers say. With ``is_removable``, records can be removed
    for good.

    Raises TypeError if it names a field that its records do not have.
    """

    name: str
    plural: str
    record: type[R]
    draft: type[D]
    filter: type[F]
    sorts: Mapping[str, str]
    unique: Unique | None = None
    conditions: Mapping[str, Condition] = attrs.Factory(dict)
    fixed: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    derived: tuple[str, ...] = ()
    empty_for_none: tuple[str, ...] = ()
    references: Mapping[str, Noun[Any, Any, Any, Any]] = attrs.Factory(dict)
    type_field: str | None = None
    said_of_deleted: tuple[str, ...] = ()
    is_removable: bool = False

    def __attrs_post_init__(self) -> None:
        known = {*self.field_names, *self.derived}
        named = {*self.sorts.values(), *self.fixed, *self.hidden, *self.references, *self.said_of_deleted}
        named.update(() if self.unique is None else self.unique.fields)
        named.update(() if self.type_field is None else (self.type_field,))
        for condition in self.all_conditions.values():
            named.update(condition.fields)
        missing = [*sorted(named - known), *(name for name in self.derived if not hasattr(self.record, name))]
        if missing:
            raise TypeError(f"the noun {self.name} names fields that its records do not have: {', '.join(missing)}")
        NOUNS[self.name] = self

    @cached_property
    def fields(self) -> tuple[Field, ...]:
        """The fields of a record, in their order."""
        found = fields_of(self.record)
        return tuple(attrs.evolve(f, is_empty_for_none=f.name in self.empty_for_none) for f in found)

    @cached_property
    def derived_fields(self) -> tuple[Field, ...]:
        """The ``derived`` properties, with their types."""
        return tuple(_field(name, get_type_hints(getattr(self.record, name).fget)["return"]) for name in self.derived)

    @cached_property
    def field_names(self) -> tuple[str, ...]:
        """The names of `fields`."""
        return tuple(field.name for field in self.fields)

    @cached_property
    def json_fields(self) -> tuple[str, ...]:
        """The names of the fields that hold JSON objects, which nobody else may change in place."""
        return tuple(field.name for field in self.fields if get_origin(field.type) is Mapping)

    @cached_property
    def said(self) -> tuple[str, ...]:
        """The names of the fields that callers say: those of the draft."""
        return tuple(rules_of(self.draft))

    @cached_property
    def changeable(self) -> tuple[str, ...]:
        """The names of the fields that callers say and later versions can change."""
        return tuple(name for name in self.said if name not in self.fixed)

    @cached_property
    def required(self) -> tuple[str, ...]:
        """The names of the fields that callers must say, and that are never empty."""
        return tuple(name for name, default in self._defaults.items() if default is MISSING)

    @cached_property
    def empty_values(self) -> Mapping[str, Any]:
        """What fields of the draft are that a caller leaves out, where that is not None."""
        made = {name: value.factory() if _is_made(value) else value for name, value in self._defaults.items()}
        return {name: value for name, value in made.items() if value is not None and value is not MISSING}

    @cached_property
    def noted(self) -> tuple[str, ...]:
        """The names of what kgl notes of a record, which callers may repeat but not change."""
        added = ("is_active",) if self.is_deletable else ()
        return (*(name for name in self.field_names if name not in self.said), *added)

    @cached_property
    def kept(self) -> frozenset[str]:
        """The names of the fields that no later version changes."""
        return frozenset({*NEVER_CHANGE, *self.fixed} & {*self.field_names})

    @cached_property
    def is_versioned(self) -> bool:
        """Whether its records have versions, so that a change can be refused because of another before it."""
        return "version" in self.field_names

    @cached_property
    def is_deletable(self) -> bool:
        """Whether its records stay when they are deleted, and can be restored."""
        return "deleted_at" in self.field_names

    @cached_property
    def all_conditions(self) -> Mapping[str, Condition]:
        """What each of its filters asks, except ``is_active`` where that tells the deleted records."""
        names = [name for name in rules_of(self.filter) if not (name == "is_active" and self.is_deletable)]
        known = {**_RECORD_CONDITIONS, **self.conditions}
        return {name: known.get(name, Condition((name,))) for name in names}

    @cached_property
    def sort_rule(self) -> Choice:
        """The rule for a sort: a name from ``sorts``, after a - for the reverse order."""
        return Choice(tuple(text for name in self.sorts for text in (name, f"-{name}")))

    @cached_property
    def unique_value(self) -> Callable[[Any], Any]:
        """The unique value of a record or a draft: that of its field, or a tuple; None where it has none."""
        return _nothing if self.unique is None else attrgetter(*self.unique.fields)

    @cached_property
    def _defaults(self) -> Mapping[str, Any]:
        draft: Any = self.draft
        return {field.name: field.default for field in attrs.fields(draft) if field.name in self.said}

    def sort_field(self, sort: str) -> str:
        """The field, or what is derived, that a sort orders by."""
        return self.sorts[sort.removeprefix("-")]


AnyNoun = Noun[Any, Any, Any, Any]
"""Any noun, where its types do not matter."""
NOUNS: Final[dict[str, AnyNoun]] = {}
"""Every noun that was described, by its name."""


def _is_made(default: Any) -> bool:
    return isinstance(default, attrs.Factory)  # type: ignore[arg-type]  # a class at run time


def _nothing(record: object) -> None:
    return None


def fields_of(cls: type) -> tuple[Field, ...]:
    """The fields of an attrs class with their types, in their order."""
    hints = get_type_hints(cls)
    return tuple(
        attrs.evolve(_field(field.name, hints[field.name]), has_default=field.default is not attrs.NOTHING)
        for field in attrs.fields(cls)
        if field.init
    )


def _field(name: str, hint: Any) -> Field:
    parts = get_args(hint)
    if get_origin(hint) in (Union, UnionType) and NoneType in parts:
        [inner] = (part for part in parts if part is not NoneType)
        return Field(name, getattr(inner, "__supertype__", inner), is_optional=True)
    return Field(name, getattr(hint, "__supertype__", hint))
