"""Values of JSON, such as those of metadata: when two are the same, their order, and what a filter asks of them.

Values are the same if they are the same kind and mean the same: numbers by their value as it is written in decimal
(``1`` and ``1.0``), text by its code points. Numbers come before text, and nothing else has an order. Lists and objects
are not compared at all.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, Self

import attrs

_SIGN: Final = 1 << 63
_ALL: Final = (1 << 64) - 1
_MIDDLE: Final = 1 << 15


def value_key(value: Any) -> bytes | None:
    """What a value is compared by: equal for the same values. None for a list or an object.

    The keys of numbers and of text sort as `has_order` says.
    """
    if isinstance(value, str):
        return b"t" + value.encode()
    if value is None:
        return b"0"
    if isinstance(value, bool):
        return b"b1" if value else b"b0"
    if isinstance(value, int | float):
        return b"n" + _number_key(value)
    return None


def sort_key(value: Any) -> bytes | None:
    """What rows are sorted by: the key of a number or text; None for anything else."""
    return value_key(value) if has_order(value) else None


def has_order(value: Any) -> bool:
    """Whether a value has an order: numbers and text do."""
    return isinstance(value, str | int | float) and not isinstance(value, bool)


def decimal_of(value: int | float) -> Decimal:
    """The number as it is written."""
    return Decimal(repr(value)) if isinstance(value, float) else Decimal(value)


def _number_key(value: int | float) -> bytes:
    """The nearest float, and how much more the number is as it is written; both so that bytes sort as numbers do."""
    nearest = float(value) + 0.0  # the addition makes -0.0 plain 0.0
    more = int(decimal_of(value) - decimal_of(nearest))
    [bits] = struct.unpack(">Q", struct.pack(">d", nearest))
    return struct.pack(">QH", bits ^ (_ALL if bits & _SIGN else _SIGN), more + _MIDDLE)


def all_alike(value: Any) -> Sequence[Any]:
    """All values that are the same as this one: of a number, the whole number and the float, and both floats of 0."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return (value,)
    written = decimal_of(value)
    found: list[int | float] = []
    if -(2**63) <= written < 2**63 and written == int(written):
        found.append(int(written))
    nearest = float(written) + 0.0
    if decimal_of(nearest) == written:
        found += [nearest] if nearest else [0.0, -0.0]
    return found


@attrs.frozen(order=True)
class Wanted:
    """What is wanted under a name in a JSON object: any of ``values``, of which none is a list or an object.

    It is equal to another one that asks for the same.
    """

    name: str
    keys: tuple[bytes, ...]
    values: tuple[Any, ...] = attrs.field(eq=False, order=False, repr=False)

    @classmethod
    def of(cls, name: str, values: Iterable[Any]) -> Self:
        """Any of these values, each of which has a `value_key`."""
        by_key = {key: value for value in values if (key := value_key(value)) is not None}
        return cls(name, tuple(sorted(by_key)), tuple(by_key[key] for key in sorted(by_key)))

    def is_in(self, found: Mapping[str, Any]) -> bool:
        """Whether an object has one of the values under the name."""
        return self.name in found and value_key(found[self.name]) in self.keys
