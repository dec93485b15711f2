"""The rules for what listings ask of metadata: which values are wanted under which names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import attrs

from kgl_core.graph.metadata import METADATA_BYTES_MAX, JsonObject
from kgl_core.kernel.checked_records import escape
from kgl_core.kernel.errors import Fault
from kgl_core.kernel.field_rules import Each, Exact, Faults
from kgl_core.kernel.nouns.json_values import Wanted, value_key

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
