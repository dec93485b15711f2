"""What can become of a loaded record, and what the record that it names holds afterwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from enum import StrEnum
from functools import cache
from typing import Any, Final
from uuid import UUID

import attrs

from kgl_core.graph.nouns import GraphNoun
from kgl_core.kernel.checked_records import rules_of, same_values
from kgl_core.kernel.errors import Conflict, Fault, InvalidInput
from kgl_core.kernel.field_rules import Rule
from kgl_core.kernel.nouns.merge_patch import merge_patch
from kgl_core.kernel.nouns.records import Record
from kgl_core.storage.record_lines import Line


class Outcome(StrEnum):
    """What became of a record."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    KEPT = "kept"
    REFUSED = "refused"


class Existing(StrEnum):
    """What becomes of an entity or relationship that a record names and the graph holds already.

    MERGE sets the fields that the record gives, REPLACE all fields, so that those left out become empty. KEEP leaves
    what is there, REFUSE refuses the record. What is retired is not there: it comes back in each of them.
    """

    MERGE = "merge"
    REPLACE = "replace"
    KEEP = "keep"
    REFUSE = "refuse"


class RecordRefused(Conflict):
    """The graph's present state forbids this record. ``code`` says why."""

    def __init__(self, code: str, detail: str) -> None:
        self.code = code  # type: ignore[misc]  # one class, because only their codes tell these apart
        super().__init__(detail)


class KeyTaken(RecordRefused):
    """The key that a record gives an entity is held by another entity, which may still give it up."""

    def __init__(self, key: str, holder: UUID) -> None:
        super().__init__("key_taken", f"the key {key} is held by entity {holder}; leave out the id to update that one")


LEAVING: Final = (Existing.KEEP, Existing.REFUSE)
"""The ways in which nothing that exists is changed."""


def already_exists(kind: str, current: Record) -> RecordRefused:
    """The refusal of a record that names something which exists."""
    advice = "import it with existing=merge or existing=replace to change it"
    return RecordRefused("already_exists", f"{kind} {current.id} is here already; {advice}")


def settle(
    noun: GraphNoun, values: dict[str, Any], line: Line, current: Record, *, is_whole: bool
) -> Mapping[str, Any]:
    """The fields of a stored record that change: objects are merged name by name, unless ``is_whole`` is set.

    What is there already in such an object, including nulls, stays as it is. Raises InvalidInput when it becomes too
    large.
    """
    is_as_given = True
    for name, rule in _rules_of_objects(noun):
        given = values.get(name)
        if given is None or is_whole or getattr(current, name) == given:
            continue
        is_as_given = False
        faults: list[Fault] = []
        values[name] = rule(merge_patch(getattr(current, name), given), f"/{name}", faults)
        if faults:
            raise InvalidInput(faults)
    for name, empty in noun.empty_values.items():
        if name in values and values[name] is None:
            values[name], is_as_given = copy(empty), False
    if is_as_given or not same_values(current, attrs.evolve(current, **values), values):
        return values
    return {}


@cache
def _rules_of_objects(noun: GraphNoun) -> Sequence[tuple[str, Rule]]:
    rules = rules_of(noun.draft)
    return [(name, rules[name]) for name in noun.json_fields]
