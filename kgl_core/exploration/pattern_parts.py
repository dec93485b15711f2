"""The parts that patterns are made of: nodes, relationships between them, and what rows are sorted by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal
from uuid import UUID

import attrs

from kgl_core.exploration.metadata_tests import MetadataTest, MetadataTests
from kgl_core.graph.entities import KEY, NAME
from kgl_core.graph.shared_fields import CONFIDENCE, FILTER_VALUES_MAX, SOURCES
from kgl_core.kernel.checked_records import Built, Mapped, check, ruled
from kgl_core.kernel.field_rules import TYPE_NAME, Choice, Each, Flag, Id, Optional, Text
from kgl_core.kernel.periods import Date

PARTS_MAX: Final = 6
"""How many nodes, and how many relationships, a pattern has in all."""
VARIABLE: Final = Text(
    max_length=32,
    pattern=r"[A-Za-z][A-Za-z0-9_]{0,31}",
    advice="a variable starts with a letter and has up to 32 letters, digits and _",
)
_TYPES: Final = Each(TYPE_NAME, FILTER_VALUES_MAX, single=True)
_NAME_IN_METADATA: Final = Text(500)

OrderField = Literal["name", "created_at", "updated_at", "confidence"]
ORDER_FIELDS: Final = ("name", "created_at", "updated_at", "confidence")


class Checked:
    """Checked as a whole: raises InvalidInput with every fault."""

    def __attrs_post_init__(self) -> None:
        check(self)


@attrs.frozen(kw_only=True)
class NodePattern(Checked):
    """Which entities fit a node: all that is given must be so; ``{}`` is any entity.

    ``type`` is one or several, of which any will do. ``name`` is compared apart from case and accents, as lists sort
    it. A confidence that is unknown is less than any ``min_confidence``.
    """

    type: tuple[str, ...] = ruled(_TYPES, default=())
    id: UUID | None = ruled(Optional(Id()), default=None)
    key: str | None = ruled(Optional(KEY), default=None)
    name: str | None = ruled(Optional(NAME), default=None)
    metadata: tuple[MetadataTest, ...] = ruled(MetadataTests(), default=attrs.Factory(dict))
    min_confidence: float | None = ruled(CONFIDENCE, default=None)
    min_sources: int | None = ruled(SOURCES, default=None)


@attrs.frozen(kw_only=True)
class RelationshipPattern(Checked):
    """Which relationships fit, between the nodes ``source`` and ``target``: all that is given must be so.

    ``direction`` is from source to target (out), or any (both). ``valid_at`` is a date, as in `Date`.
    """

    source: str = ruled(VARIABLE)
    target: str = ruled(VARIABLE)
    type: tuple[str, ...] = ruled(_TYPES, default=())
    direction: Literal["out", "both"] = ruled(Choice(("out", "both")), default="out")
    metadata: tuple[MetadataTest, ...] = ruled(MetadataTests(), default=attrs.Factory(dict))
    min_confidence: float | None = ruled(CONFIDENCE, default=None)
    min_sources: int | None = ruled(SOURCES, default=None)
    valid_at: str | None = ruled(Optional(Date()), default=None)

    @property
    def ends(self) -> tuple[str, str]:
        """The variables of its nodes."""
        return (self.source, self.target)


NODES: Final = Mapped(VARIABLE, Built(NodePattern), PARTS_MAX)
RELATIONSHIPS: Final = Mapped(VARIABLE, Built(RelationshipPattern), PARTS_MAX)


@attrs.frozen(kw_only=True)
class PatternPart(Checked):
    """A part of a pattern that may be missing, or must not be there: relationships, and nodes that are new with them.

    Its relationships lead to nodes of the pattern around it.
    """

    nodes: Mapping[str, NodePattern] = ruled(NODES, default=attrs.Factory(dict))
    relationships: Mapping[str, RelationshipPattern] = ruled(attrs.evolve(RELATIONSHIPS, min_items=1))


@attrs.frozen(kw_only=True)
class RowOrder(Checked):
    """What rows are sorted by: a ``field`` of what ``variable`` stands for, or the value under a name in its metadata.

    ``metadata`` is that name. Numbers come before text. What has no such value comes last, in either direction.
    """

    variable: str = ruled(VARIABLE)
    field: OrderField | None = ruled(Optional(Choice(ORDER_FIELDS)), default=None)
    metadata: str | None = ruled(Optional(_NAME_IN_METADATA), default=None)
    descending: bool = ruled(Flag(), default=False)
