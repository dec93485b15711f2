"""Metadata: what a record holds besides its fields, as a JSON object of bounded size, and what listings ask of it."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from typing import Any, Final

import attrs

from kgl_core.kernel.checked_records import escape
from kgl_core.kernel.errors import Fault
from kgl_core.kernel.field_rules import Each, Exact, Faults
from kgl_core.kernel.nouns.json_values import Wanted, value_key
from kgl_core.kernel.strict_json import Inexact

METADATA_BYTES_MAX: Final = 10 * 1024
METADATA_DEPTH_MAX: Final = 5
METADATA_KEYS_MAX: Final = 50
_NUL_OR_SURROGATE: Final = re.compile(r"[\x00\ud800-\udfff]")


@attrs.frozen
class JsonValue:
    """A JSON value that metadata can hold under a name, kept exactly."""

    def __call__(self, value: Any, pointer: str, faults: Faults) -> Any:
        found: Faults = []
        kept = JsonObject()({"value": value}, "", found)
        faults += [attrs.evolve(fault, pointer=pointer + fault.pointer.removeprefix("/value")) for fault in found]
        return kept["value"]


class _Suspect(Exception):
    """A JSON value may break a rule and needs a closer look."""


@attrs.frozen
class JsonObject:
    """A JSON object of at most ``bytes_max`` of compact UTF-8, ``depth_max`` levels and ``keys_max`` names in all.

    Its text is stored exactly, and must not hold NUL or lone surrogates. Its numbers are finite, fit 64 bits and are
    stored exactly. However much is given, no more of it is looked at than may be stored.
    """

    bytes_max: int = METADATA_BYTES_MAX
    depth_max: int = METADATA_DEPTH_MAX
    keys_max: int = METADATA_KEYS_MAX

    def __call__(self, value: Any, pointer: str, faults: Faults) -> Any:
        if type(value) is not dict:
            faults.append(Fault(pointer, "not_an_object", "give a JSON object"))
            return value
        if not value:
            return {}
        try:
            return self._copy_plain(value)
        except _Suspect:
            pass
        before = len(faults)
        try:
            kept = _Copier(self, faults).copy(value, pointer, 1)
        except _TooMuch as error:
            faults.append(Fault(pointer, *error.args))
        if len(faults) > before:
            return value
        size = len(json.dumps(kept, ensure_ascii=False, separators=(",", ":")).encode())
        if size > self.bytes_max:
            faults.append(Fault(pointer, "too_large", f"at most {self.bytes_max} bytes of JSON, not {size}"))
        return kept

    def _copy_plain(self, value: dict[Any, Any]) -> dict[str, Any]:
        """A copy of metadata with a few plain values, as nearly all is. Raises _Suspect for anything else."""
        length = 0
        if len(value) > self.keys_max:
            raise _Suspect
        for name, item in value.items():
            kind = type(item)
            if type(name) is not str or kind not in _PLAIN_KINDS:
                raise _Suspect
            text = name + item if kind is str else name
            if (
                not text.isascii()
                or "\x00" in text
                or (kind is not str and item is not None and not -_PLAIN < item < _PLAIN)
            ):
                raise _Suspect
            length += len(text) + _PLAIN_BYTES
        if length * _ESCAPED_BYTES > self.bytes_max:
            raise _Suspect
        return dict(value)


class _TooMuch(Exception):
    """A JSON object is larger than its rule allows; its arguments are a fault's code and detail."""


class _Copier:
    """Copies a JSON value and notes its faults; raises _TooMuch as soon as it is past a limit."""

    def __init__(self, rule: JsonObject, faults: Faults) -> None:
        self._rule, self._faults = rule, faults
        self._bytes_left, self._names_left = rule.bytes_max, rule.keys_max

    def copy(self, value: Any, pointer: str, depth: int) -> Any:
        kind = type(value)
        if kind is str:
            self._take_text(value, pointer)
        elif kind is dict or kind is list:
            self._take(_COMMA)
            if depth > self._rule.depth_max:
                advice = f"at most {self._rule.depth_max} levels of objects and lists"
                self._faults.append(Fault(pointer, "too_deep", advice))
                return value
            if kind is list:
                return [self.copy(item, f"{pointer}/{index}", depth + 1) for index, item in enumerate(value)]
            return self._copy_object(value, pointer, depth)
        else:
            self._take(_COMMA + 1)
            if fault := _fault_of(value):
                self._faults.append(Fault(pointer, *fault))
        return value

    def _copy_object(self, value: dict[Any, Any], pointer: str, depth: int) -> dict[str, Any]:
        self._names_left -= len(value)
        if self._names_left < 0:
            raise _TooMuch("too_many", f"at most {self._rule.keys_max} names in all")
        copied = {}
        for name, item in value.items():
            if type(name) is not str:
                self._faults.append(Fault(pointer, "not_text", "names in an object must be text"))
                continue
            at = f"{pointer}/{escape(name)}"
            self._take_text(name, at)
            copied[name] = self.copy(item, at, depth + 1)
        return copied

    def _take_text(self, text: str, pointer: str) -> None:
        self._take(len(text) + _COMMA + _QUOTES)
        if _NUL_OR_SURROGATE.search(text):
            self._faults.append(Fault(pointer, "invalid_text", "remove NUL characters and lone surrogates"))

    def _take(self, size: int) -> None:
        """Count bytes that will surely be written; the comma that a last item lacks is the outermost bracket."""
        self._bytes_left -= size
        if self._bytes_left < 0:
            raise _TooMuch("too_large", f"at most {self._rule.bytes_max} bytes of JSON")


def _fault_of(value: Any) -> tuple[str, str] | None:
    """The code and the detail of what is wrong with a value other than text, a list or an object."""
    kind = type(value)
    if kind is int and not -(2**63) <= value < 2**63:
        return "out_of_range", "whole numbers must fit 64 bits; give larger ones as text"
    if kind in (float, Inexact) and not math.isfinite(value):
        return "not_finite", "numbers must be finite, and no larger than a 64-bit float; give null or text"
    if kind is Inexact:
        return "inexact_number", f"a 64-bit float would make it {float(value)!r}; give that, or the number as text"
    if kind not in (int, float, bool, type(None)):
        return "not_json", "only text, numbers, true, false, null, lists and objects"
    return None


_COMMA: Final = 1  # or the colon after a name
_QUOTES: Final = 2
_PLAIN_KINDS: Final = frozenset({str, int, float, bool, type(None)})
_PLAIN: Final = 2**53  # numbers below it are surely finite, and fit
_PLAIN_BYTES: Final = 32  # a number, or what stands around text
_ESCAPED_BYTES: Final = 6  # of a character, at most


NAMES_MAX: Final = 20
"""How many names in metadata one filter may name."""
NAMES_RULE: Final = Each(Exact(METADATA_BYTES_MAX), NAMES_MAX, single=True)
"""The rule for names in metadata."""
WANTED_RULE: Final = JsonObject(keys_max=NAMES_MAX)
"""What holds for conditions on metadata as JSON."""


@attrs.frozen
class MetadataConditions:
    """Conditions on metadata: an object of names, each with the value that is wanted, or a list of which any will do.

    A value is text, a number, true, false or null. All names must hold.
    """

    values_max: int

    def __call__(self, value: Any, pointer: str, faults: Faults) -> Any:
        if type(value) is tuple and all(type(each) is Wanted for each in value):
            return value  # it was checked before
        before = len(faults)
        given = WANTED_RULE(value, pointer, faults)
        if len(faults) > before:
            return value
        found = [
            Wanted.of(name, self._values(asked, f"{pointer}/{escape(name)}", faults)) for name, asked in given.items()
        ]
        return tuple(sorted(found))

    def _values(self, asked: Any, pointer: str, faults: Faults) -> Sequence[Any]:
        values = asked if type(asked) is list else [asked]
        if not 1 <= len(values) <= self.values_max:
            faults.append(Fault(pointer, "not_a_list", f"give a value, or a list of 1 to {self.values_max} of them"))
        elif None in map(value_key, values):
            advice = "lists and objects are not compared; give text, a number, true, false or null"
            faults.append(Fault(pointer, "not_compared", advice))
        return values
