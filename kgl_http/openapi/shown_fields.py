"""Which fields of records an answer shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import attrs

from kgl_core.exploration.walked_records import PART_FIELDS
from kgl_core.kernel.errors import Fault
from kgl_core.kernel.field_rules import Faults, Optional

FIELDS_LENGTH_MAX: Final = 1_000
KNOWN_FIELDS: Final = tuple(sorted({*PART_FIELDS, "distance"}))


@attrs.frozen(eq=False)
class Shown:
    """How an answer shows a record otherwise than its class has it: as an annotation of the class.

    The schema has this ``name``; only the ``required`` fields are there for certain, and those in ``added`` are new.
    """

    name: str
    required: tuple[str, ...]
    added: Mapping[str, Any] = attrs.Factory(dict)


@attrs.frozen
class FieldNames:
    """The rule for names of fields of entities and relationships, as a list or with commas between them."""

    def __call__(self, value: Any, pointer: str, faults: Faults) -> Any:
        names = value.split(",") if type(value) is str and len(value) <= FIELDS_LENGTH_MAX else value
        if type(names) not in (tuple, list) or not all(type(name) is str for name in names):
            faults.append(Fault(pointer, "not_a_list", "give names of fields with commas between them: id,name,type"))
            return value
        if unknown := [name for name in names if name not in KNOWN_FIELDS]:
            advice = f"there is no field {unknown[0][:64]!r}; the fields are {', '.join(KNOWN_FIELDS)}"
            faults.append(Fault(pointer, "not_a_choice", advice))
        return tuple(names)


FIELDS: Final = Optional(FieldNames())
"""The rule of the parameter that says which fields of records to show; None for all."""
