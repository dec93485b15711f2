"""Metadata: what a record says beside its fields, as a JSON object of bounded size."""

from __future__ import annotations

import json
import math
import re
from typing import Any, Final

import attrs

from kgl_core.errors import Fault
from kgl_core.rules import Faults, escape

METADATA_BYTES_MAX: Final = 10 * 1024
METADATA_DEPTH_MAX: Final = 5
METADATA_KEYS_MAX: Final = 50
_NUL_OR_SURROGATE: Final = re.compile(r"[\x00\ud800-\udfff]")


class _Suspect(Exception):
    """A JSON value may break a rule: it has to be looked at closely."""


@attrs.frozen
class JsonObject:
    """A JSON object of at most ``bytes_max`` of compact UTF-8, ``depth_max`` levels and ``keys_max`` names in all.

    Its text is kept exactly, but must not hold NUL or lone surrogates; its numbers are finite and fit 64 bits.
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
        names = [0]
        kept = self._copy(value, pointer, faults, 1, names)
        if len(faults) > before:
            return value
        if names[0] > self.keys_max:
            faults.append(Fault(pointer, "too_many", f"at most {self.keys_max} names in all, not {names[0]}"))
        size = len(json.dumps(kept, ensure_ascii=False, separators=(",", ":")).encode())
        if size > self.bytes_max:
            faults.append(Fault(pointer, "too_large", f"at most {self.bytes_max} bytes of JSON, not {size}"))
        return kept

    def _copy_plain(self, value: dict[Any, Any]) -> dict[str, Any]:
        """A copy of what nearly all metadata is: a few plain values. Raises _Suspect for anything else."""
        length = 0
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
        if len(value) > self.keys_max or length * _ESCAPED_BYTES > self.bytes_max:
            raise _Suspect
        return dict(value)

    def _copy(self, value: Any, pointer: str, faults: Faults, depth: int, names: list[int]) -> Any:
        kind = type(value)
        if kind is str:
            self._check_text(value, pointer, faults)
        elif kind is int:
            if not -(2**63) <= value < 2**63:
                advice = "whole numbers must fit 64 bits; give larger ones as text"
                faults.append(Fault(pointer, "out_of_range", advice))
        elif kind is float:
            if not math.isfinite(value):
                faults.append(Fault(pointer, "not_finite", "numbers must be finite; leave it out or give null"))
        elif kind is dict or kind is list:
            if depth > self.depth_max:
                faults.append(Fault(pointer, "too_deep", f"at most {self.depth_max} levels of objects and lists"))
                return value
            if kind is list:
                return [self._copy(item, f"{pointer}/{i}", faults, depth + 1, names) for i, item in enumerate(value)]
            names[0] += len(value)
            copied = {}
            for name, item in value.items():
                if type(name) is not str:
                    faults.append(Fault(pointer, "not_text", "names in an object must be text"))
                    continue
                at = f"{pointer}/{escape(name)}"
                self._check_text(name, at, faults)
                copied[name] = self._copy(item, at, faults, depth + 1, names)
            return copied
        elif value is not None and kind is not bool:
            faults.append(Fault(pointer, "not_json", "only text, numbers, true, false, null, lists and objects"))
        return value

    @staticmethod
    def _check_text(text: str, pointer: str, faults: Faults) -> None:
        if _NUL_OR_SURROGATE.search(text):
            faults.append(Fault(pointer, "invalid_text", "remove NUL characters and lone surrogates"))


_PLAIN_KINDS: Final = frozenset({str, int, float, bool, type(None)})
_PLAIN: Final = 2**53  # numbers below it are surely finite, and fit
_PLAIN_BYTES: Final = 32  # a number, or what stands around text
_ESCAPED_BYTES: Final = 6  # of a character, at most
