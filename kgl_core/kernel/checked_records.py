"""Records checked by the rules of their fields, with every fault reported at once.

A field declares its rule with `ruled`; a class applies them all by calling `check` in ``__attrs_post_init__``. attrs'
own validators stop at the first fault and show values in their messages.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Hashable, Iterable, Mapping
from copy import copy
from functools import cache, lru_cache
from itertools import islice
from typing import Any, Final, TypeVar

import attrs

from kgl_core.kernel.errors import FAULTS_MAX, Fault, InvalidInput
from kgl_core.kernel.field_rules import Faults, Optional, Rule

MISSING: Final[Any] = object()
"""The value of a required field that was not given; `check` reports it."""

_RULE: Final = "kgl_rule"
_NAME_SHOWN_MAX: Final = 64
_STR: Final = frozenset({str})
_SUGGESTIONS_MAX: Final = 10

T = TypeVar("T")


def ruled(rule: Rule, default: Any = MISSING, *, is_secret: bool = False) -> Any:
    """An attrs field with a rule. It is required unless it has a default; a secret is left out of the repr."""
    return attrs.field(default=default, repr=not is_secret, metadata={_RULE: rule})


@cache
def _rules(cls: Hashable) -> Mapping[str, Rule]:
    return {f.name: f.metadata[_RULE] for f in attrs.fields(cls) if _RULE in f.metadata}  # type: ignore[arg-type]


def said(field: str) -> str:
    """The name by which callers give a field: that of ``from_`` is from, which Python keeps for itself."""
    return field.rstrip("_")


@cache
def _said(cls: Hashable) -> Mapping[str, str]:
    return {said(name): name for name in _rules(cls)}


@cache
def _says_names(cls: Hashable) -> bool:
    """Whether callers give all fields of a class by the fields' own names."""
    return all(name == field for name, field in _said(cls).items())


@cache
def _checker(cls: Hashable) -> Callable[[Any], None]:
    """What applies the rules of a class: compiled once, as attrs compiles its methods, since every call needs it."""
    fields = attrs.fields_dict(cls)  # type: ignore[arg-type]
    names: dict[str, Any] = {"Stored": Stored, "InvalidInput": InvalidInput, "missing": MISSING, "copy": copy}
    names |= {"put": object.__setattr__, "required": required}
    lines = ["def check(record):", " faults = []"]
    for name, rule in _rules(cls).items():
        pointer, empty = f"/{said(name)}", _when_null(fields[name])
        # An optional field is None or follows the inner rule. None, and a default, need no call.
        is_optional = isinstance(rule, Optional) or empty is None
        names[f"rule_{name}"], names[f"empty_{name}"] = rule.rule if isinstance(rule, Optional) else rule, empty
        lines.append(f" value = record.{name}")
        if not (is_optional or empty is MISSING):
            lines += [" if value is None:", f"  value = copy(empty_{name})", f"  put(record, {name!r}, value)"]
        lines += [
            f" if value is missing: faults.append(required({said(name)!r}))",
            f" elif value is not {'None' if is_optional else f'empty_{name}'}:",
            f"  normal = value.value if value.__class__ is Stored else rule_{name}(value, {pointer!r}, faults)",
            f"  if normal is not value: put(record, {name!r}, normal)",
        ]
    source = "\n".join([*lines, " if faults: raise InvalidInput(faults)", ""])
    exec(compile(source, f"<rules of {cls}>", "exec"), names)  # noqa: S102  # names and rules of our own classes
    checker: Callable[[Any], None] = names["check"]
    return checker


def _when_null(field: attrs.Attribute[Any]) -> Any:
    """What None means in this field: its default, or MISSING when it is required."""
    default: Any = field.default
    return default.factory() if isinstance(default, attrs.Factory) else default  # type: ignore[arg-type]


def rules_of(cls: type) -> Mapping[str, Rule]:
    """The rules of an attrs class by field name, in the order of its fields."""
    return _rules(cls)


@attrs.frozen
class Stored:
    """A value that is already stored: `check` keeps it as it is, even if today's rules would refuse it."""

    value: Any


def required(name: str) -> Fault:
    """The fault of a field that is missing."""
    return Fault(f"/{name}", "required", f"give {'an' if name[0] in 'aeio' else 'a'} {name}")


def check(record: Any) -> None:
    """Apply the rules of ``record``'s class and set the normalized values. Raises InvalidInput with every fault.

    None means the same as leaving the field out.
    """
    cls: Any = type(record)
    _checker(cls)(record)


def build(cls: type[T], values: Mapping[str, Any]) -> T:
    """Make an instance of ``cls``, an attrs class with rules, from untrusted ``values`` by the names as `said`.

    Raises InvalidInput with every fault: unknown names (with a suggestion), missing ones, and what the rules find.
    """
    known: Mapping[str, str] = _said(cls)  # type: ignore[arg-type]
    unknown = [] if values.keys() <= known.keys() else unknown_names((n for n in values if n not in known), known)
    if unknown or not _says_names(cls):  # type: ignore[arg-type]
        values = {known[name]: value for name, value in values.items() if name in known}
    try:
        record = cls(**values)
    except InvalidInput as error:
        raise InvalidInput([*unknown, *error.faults]) from None
    if unknown:
        raise InvalidInput(unknown)
    return record


def listed(values: Any) -> Any:
    """A caller's collection as a tuple, for `Each`; anything else as it is, for `Each` to refuse."""
    return tuple(values) if isinstance(values, Iterable) and not isinstance(values, str) else values


def _is_object(value: Any) -> bool:
    """Whether a value is a JSON object. Nearly all mappings are dicts, which is quicker to find out."""
    return (type(value) is dict or isinstance(value, Mapping)) and _STR.issuperset(map(type, value))


@attrs.frozen
class Built:
    """A rule for a JSON object that becomes a ``cls``, an attrs class with rules; an instance of it stays as it is."""

    cls: type

    def __call__(self, value: Any, pointer: str, faults: Faults) -> Any:
        if isinstance(value, self.cls):
            return value
        if not _is_object(value):
            faults.append(Fault(pointer, "not_an_object", "give a JSON object"))
            return value
        try:
            return build(self.cls, value)
        except InvalidInput as error:
            faults.extend(attrs.evolve(fault, pointer=f"{pointer}{fault.pointer}") for fault in error.faults)
            return value


@attrs.frozen
class Mapped:
    """A JSON object of ``min_items`` to ``max_items`` names that follow ``name``, with values that follow ``rule``."""

    name: Rule
    rule: Rule
    max_items: int
    min_items: int = 0

    def __call__(self, value: Any, pointer: str, faults: Faults) -> Any:
        if not _is_object(value):
            faults.append(Fault(pointer, "not_an_object", "give a JSON object"))
            return value
        if len(value) < self.min_items:
            faults.append(Fault(pointer, "too_few", f"at least {self.min_items}, not {len(value)}"))
        if len(value) > self.max_items:
            faults.append(Fault(pointer, "too_many", f"at most {self.max_items}, not {len(value)}"))
            return value
        kept = {}
        for name, item in value.items():
            at = f"{pointer}/{escape(name)}"
            self.name(name, at, faults)
            kept[name] = self.rule(item, at, faults)
        return kept


@attrs.frozen
class BuiltLater:
    """A rule that takes anything: whoever uses the value builds a ``cls`` of it, and says what is wrong with it."""

    cls: type

    def __call__(self, value: Any, pointer: str, faults: Faults) -> Any:
        return value


def rebuild(cls: type[T], values: Mapping[str, Any], stored: Mapping[str, Any]) -> T:
    """Like `build`, for changing a stored record: what is still as in ``stored`` is not checked again.

    So a record whose name is older than today's rules can be changed in every other field.
    """
    return build(cls, {name: _unless_stored(value, stored.get(name)) for name, value in values.items()})


def _unless_stored(value: object, stored: object) -> object:
    if value is stored or (type(value) is str and value == stored):
        return Stored(value)
    # JSON has lists where records have tuples.
    return Stored(stored) if type(stored) is tuple and type(value) is list and tuple(value) == stored else value


def unknown_names(names: Iterable[object], known: Iterable[str], what: str = "field") -> Faults:
    """A fault for each name that is not in ``known``, as many as an error holds. The first few suggest a name."""
    # Finding a suggestion is slow, too slow for many thousands of names.
    return [
        unknown_name(name, known, what, suggest=number < _SUGGESTIONS_MAX)
        for number, name in enumerate(islice(names, FAULTS_MAX + 1))
    ]


def unknown_name(name: object, known: Iterable[str], what: str = "field", *, suggest: bool = True) -> Fault:
    """The fault for a name that is not in ``known``; its detail suggests the closest known one."""
    text, names = str(name), tuple(sorted(known))
    near = _near(text, names) if suggest and len(text) <= _NAME_SHOWN_MAX else None
    if near is not None:
        advice = f"did you mean {near}?"
    else:
        advice = f"known are {', '.join(names)}" if names else f"leave it out, this takes no {what}"
    return Fault(f"/{escape(text)}", f"unknown_{what}", f"there is no such {what}; {advice}")


@lru_cache(maxsize=256)  # a load often has the same misspelled name in every line
def _near(name: str, known: tuple[str, ...]) -> str | None:
    return next(iter(difflib.get_close_matches(name, known, n=1)), None)


def same_values(one: object, other: object, names: Iterable[str]) -> bool:
    """Whether two records have the same values under these names. Unlike ==, it tells 1 from True and 1.0 in JSON."""
    for name in names:
        a, b = getattr(one, name), getattr(other, name)
        if a != b or (a and type(a) is dict and not same_json(a, b)):
            return False
    return True


def same_json(one: Any, other: Any) -> bool:
    """Whether two values are the same JSON. Unlike ==, it tells 1 from True and 1.0; names have no order."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def escape(name: str) -> str:
    """A name as a token of a JSON Pointer (RFC 6901, section 3), safe to show whatever the caller sent."""
    shown = name[:_NAME_SHOWN_MAX].encode("utf-8", "backslashreplace").decode()
    return shown.replace("~", "~0").replace("/", "~1")
