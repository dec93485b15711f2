"""Rules as data: what one field may hold.

A rule takes a value and returns it normalized, or adds faults. `kgl_core.kernel.checked_records` applies the rules of a
class; the description of the API is made from them, too.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final, Protocol

import attrs

from kgl_core.kernel.errors import Fault
from kgl_core.kernel.ids import parse_id
from kgl_core.kernel.strict_json import Inexact
from kgl_core.kernel.text import MARKS_MAX, NFC_SHRINKS_MAX, has_too_many_marks, identity_form, is_visible

TYPE_PATTERN: Final = r"[A-Za-z][A-Za-z0-9_.:-]{0,63}"

# Controls and line separators, what overrides the direction of text, and surrogates.
_UNFIT: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202d\u202e\ud800-\udfff]")

_INEXACT: Final = re.compile(r"[\x00\ud800-\udfff]")

Faults = list[Fault]


class Rule(Protocol):
    """A rule for one value: returns it normalized, or appends to ``faults`` what is wrong, under ``pointer``."""

    def __call__(self, value: Any, pointer: str, faults: Faults) -> Any: ...


@attrs.frozen
class Optional:
    """None, or a value that follows the inner rule."""

    rule: Rule

    def __call__(self, value: Any, pointer: str, faults: Faults) -> Any:
        return None if value is None else self.rule(value, pointer, faults)


@attrs.frozen
class Text:
    """One line of text, 1 to ``max_length`` characters long, with at least one that is visible.

    It has no line breaks or other control characters, no lone surrogates, and nothing that reverses the text around it.
    ``pattern`` must match all of it. It is stored exactly as given, or as ``normalize`` makes it.
    """

    max_length: int
    pattern: str | None = None
    advice: str = ""
    normalize: Callable[[str], str] | None = None
    _given_max: int = attrs.field(init=False, eq=False, repr=False)
    _compiled: re.Pattern[str] | None = attrs.field(init=False, eq=False, repr=False)

    @_given_max.default
    def _bound(self) -> int:
        return self.max_length * (1 if self.normalize is None else NFC_SHRINKS_MAX)

    @_compiled.default
    def _compile(self) -> re.Pattern[str] | None:
        return None if self.pattern is None else re.compile(self.pattern)

    def __call__(self, value: Any, pointer: str, faults: Faults) -> Any:
        # The fast way: nearly all text is short, printable ASCII.
        if type(value) is str and len(value) <= self.max_length and value.isascii() and value.isprintable():
            normal = value if self.normalize is None else self.normalize(value)
            if not normal.isspace() and normal and (self._compiled is None or self._compiled.fullmatch(normal)):
                return normal
        return self._judged(value, pointer, faults)

    def _judged(self, value: Any, pointer: str, faults: Faults) -> Any:
        if type(value) is not str:
            faults.append(Fault(pointer, "not_text", "give text in quotes"))
            return value
        # The length comes first, because the other checks are slow on long text.
        if len(value) > self._given_max:
            faults.append(self._too_long(value, pointer))
            return value
        if fault := self._unfit(value, pointer):
            faults.append(fault)
            return value
        normal = value if self.normalize is None else self.normalize(value)
        if len(normal) > self.max_length:
            faults.append(self._too_long(normal, pointer))
        elif not is_visible(normal):
            faults.append(Fault(pointer, "blank", "give at least one visible character"))
        elif self._compiled is not None and not self._compiled.fullmatch(normal):
            faults.append(Fault(pointer, "pattern", self.advice))
        elif self.normalize is not None and has_too_many_marks(normal):
            faults.append(_too_many_marks(pointer))
        return normal

    def _too_long(self, text: str, pointer: str) -> Fault:
        return Fault(pointer, "too_long", f"at most {self.max_length} characters, not {len(text)}")

    def _unfit(self, text: str, pointer: str) -> Fault | None:
        found = _UNFIT.search(text)
        if found is None:
            return _too_many_marks(pointer) if self.normalize is not None and has_too_many_marks(text) else None
        if "\ud800" <= found[0] <= "\udfff":
            return Fault(pointer, "lone_surrogate", "text must be valid Unicode; remove lone surrogates")
        if found[0] in "\u202d\u202e":
            advice = "remove U+202D and U+202E; U+2067 and U+2069 enclose text that runs from right to left"
            return Fault(pointer, "direction_override", advice)
        return Fault(pointer, "control_character", "remove line breaks, tabs and other control characters")


def _too_many_marks(pointer: str) -> Fault:
    return Fault(pointer, "too_many_marks", f"at most {MARKS_MAX} combining marks in a row")


TYPE_NAME: Final = Text(
    max_length=64,
    pattern=TYPE_PATTERN,
    advice="a type starts with a letter and has up to 64 letters, digits and _ . : - such as works_at",
)


@attrs.frozen
class Exact:
    """Text of at most ``bytes_max`` bytes of UTF-8 that is kept exactly: no NUL and no lone surrogates."""

    bytes_max: int

    def __call__(self, value: Any, pointer: str, faults: Faults) -> Any:
        if type(value) is not str:
            faults.append(Fault(pointer, "not_text", "give text in quotes"))
        elif len(value) > self.bytes_max or len(value.encode("utf-8", "replace")) > self.bytes_max:
            faults.append(Fault(pointer, "too_long", f"at most {self.bytes_max} bytes of UTF-8"))
        elif _INEXACT.search(value):
            faults.append(Fault(pointer, "invalid_text", "remove NUL characters and lone surrogates"))
        return value


@attrs.frozen
class Number:
    """A finite number from ``ge`` to ``le``, stored as a float; it may have no more digits than a float can hold."""

    ge: float
    le: float

    def __call__(self, value: Any, pointer: str, faults: Faults) -> Any:
        if type(value) is not float and (not isinstance(value, (float, int)) or type(value) is bool):
            code, advice = "not_a_number", f"give a number from {self.ge:g} to {self.le:g}, without quotes"
        elif type(value) is Inexact:
            code, advice = "inexact_number", f"a 64-bit float would make it {float(value)!r}; give that"
        elif not self.ge <= value <= self.le:
            code, advice = "out_of_range", f"give a number from {self.ge:g} to {self.le:g}"
        else:
            return float(value) + 0.0  # the addition makes -0.0 plain 0.0
        faults.append(Fault(pointer, code, advice))
        return value


@attrs.frozen
class Integer:
    """A whole number from ``ge`` to ``le``."""

    ge: int
    le: int

    def __call__(self, value: Any, pointer: str, faults: Faults) -> Any:
        if type(value) is not int or not self.ge <= value <= self.le:
            faults.append(Fault(pointer, "out_of_range", f"give a whole number from {self.ge} to {self.le}"))
        return value


@attrs.frozen
class Flag:
    """True or False; 1, 0 and text are refused."""

    def __call__(self, value: Any, pointer: str, faults: Faults) -> Any:
        if type(value) is not bool:
            faults.append(Fault(pointer, "not_a_flag", "give true or false, without quotes"))
        return value


@attrs.frozen
class Choice:
    """One of ``values``, exactly."""

    values: tuple[str, ...]

    def __call__(self, value: Any, pointer: str, faults: Faults) -> Any:
        if value not in self.values or not isinstance(value, str):
            faults.append(Fault(pointer, "not_a_choice", f"give one of {', '.join(self.values)}"))
        return value


@attrs.frozen
class Id:
    """A UUID, or its canonical text."""

    def __call__(self, value: Any, pointer: str, faults: Faults) -> Any:
        found = parse_id(value)
        if found is None:
            faults.append(Fault(pointer, "invalid_id", "an id is a UUID of 36 characters with hyphens"))
        return found


@attrs.frozen
class Instant:
    """A moment: a timezone-aware datetime, stored in UTC."""

    def __call__(self, value: Any, pointer: str, faults: Faults) -> Any:
        if type(value) is not datetime or value.tzinfo is None:
            faults.append(
                Fault(pointer, "not_an_instant", "give a date and time with a time zone, such as 2026-01-31T12:00:00Z")
            )
            return value
        try:
            return value.astimezone(UTC)
        except OverflowError:
            faults.append(Fault(pointer, "out_of_range", "give a moment between the years 1 and 9999 in UTC"))
            return value


@attrs.frozen
class Each:
    """A list of ``min_items`` to ``max_items`` items that all follow ``rule``; stored as a tuple.

    With ``single``, one item may stand for a list of one.
    """

    rule: Rule
    max_items: int
    single: bool = False
    min_items: int = 0

    def __call__(self, value: Any, pointer: str, faults: Faults) -> Any:
        if type(value) is not tuple and type(value) is not list:
            if self.single:
                value = (value,)
            else:
                faults.append(Fault(pointer, "not_a_list", "give a list"))
                return value
        if len(value) < self.min_items:
            faults.append(Fault(pointer, "too_few", f"at least {self.min_items}, not {len(value)}"))
            return value
        if not value:
            return ()
        if len(value) > self.max_items:
            faults.append(Fault(pointer, "too_many", f"at most {self.max_items}, not {len(value)}"))
            return value
        found: Faults = []
        kept = tuple([self.rule(item, pointer, found) for item in value])
        if found:  # which need to say where
            return tuple([self.rule(item, f"{pointer}/{index}", faults) for index, item in enumerate(value)])
        return kept


@attrs.frozen
class Names:
    """A list of names in which none occurs twice: of several spellings of one (`identity_form`), the first stays."""

    each: Each

    def __call__(self, value: Any, pointer: str, faults: Faults) -> Any:
        before = len(faults)
        names = self.each(value, pointer, faults)
        if len(faults) > before or len(names) < 2:
            return names
        first: dict[str, str] = {}
        for name in names:
            first.setdefault(identity_form(name), name)
        return tuple(first.values())
