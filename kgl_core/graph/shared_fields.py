"""What entities and relationships share: where they come from, and how listings filter by that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import attrs

from kgl_core.graph.metadata import NAMES_RULE, MetadataConditions
from kgl_core.kernel.checked_records import ruled
from kgl_core.kernel.field_rules import Flag, Id, Integer, Number, Optional, Text
from kgl_core.kernel.ids import uri_id
from kgl_core.kernel.nouns.json_values import Wanted
from kgl_core.kernel.nouns.noun import Condition, Related
from kgl_core.kernel.nouns.records import RecordFilter, RecordFilterFields

SOURCE_LENGTH_MAX: Final = 2000
FILTER_VALUES_MAX: Final = 200
CONFIDENCE: Final = Optional(Number(0, 1))
SOURCE: Final = Optional(Text(SOURCE_LENGTH_MAX))
EXTRACTOR: Final = Text(200)
SOURCE_TYPE: Final = Optional(Text(64))
SOURCES: Final = Optional(Integer(0, 2**31 - 1))


class FactFilterFields(RecordFilterFields, total=False):
    """The filters that both have, as keyword arguments."""

    min_confidence: float
    max_confidence: float
    source: str
    source_type: str
    extractor: str
    run: UUID | str
    min_sources: int
    min_sources_against: int
    is_retired: bool
    metadata: Mapping[str, Any]
    has_metadata: str | Sequence[str]


@attrs.frozen(kw_only=True, slots=False)  # two bases can't both have slots
class _ByOrigin:
    min_confidence: float | None = ruled(CONFIDENCE, default=None)
    max_confidence: float | None = ruled(CONFIDENCE, default=None)
    source: str | None = ruled(SOURCE, default=None)
    source_type: str | None = ruled(SOURCE_TYPE, default=None)
    extractor: str | None = ruled(Optional(EXTRACTOR), default=None)
    run: UUID | None = ruled(Optional(Id()), default=None)
    min_sources: int | None = ruled(SOURCES, default=None)
    min_sources_against: int | None = ruled(SOURCES, default=None)
    is_retired: bool | None = ruled(Optional(Flag()), default=None)
    metadata: tuple[Wanted, ...] = ruled(MetadataConditions(FILTER_VALUES_MAX), default=())
    has_metadata: tuple[str, ...] = ruled(NAMES_RULE, default=())


@attrs.frozen(kw_only=True)
class FactFilter(RecordFilter, _ByOrigin):
    """Which entities or relationships a listing holds: by where they come from, and as in `RecordFilter`.

    Confidence bounds are inclusive, and an unknown confidence is within none. ``source``, ``extractor`` and ``run``
    are those of any assertion in force that supports a fact, and ``source`` is also the one that it shows. What is
    retired is not active either: with ``is_retired``, set ``is_active`` to False or None.

    ``metadata`` has names in metadata, and for each the value that is wanted, or a list of which any will do; all names
    must hold. A value is text, a number, true, false or null, and is never the same as one of another kind: ``1`` is
    ``1.0``, but not ``"1"``. ``has_metadata`` are names that metadata must have, even if their value is null.
    """


_SUPPORT: Final = Related("assertion", "extractor", values={"stance": "for"}, unset=("withdrawn_at", "about"))
FACT_CONDITIONS: Final[Mapping[str, Condition]] = {
    "min_confidence": Condition(("confidence",), ">="),
    "max_confidence": Condition(("confidence",), "<="),
    "source": Condition(("source",), related=attrs.evolve(_SUPPORT, field="source_id", convert=uri_id)),
    "extractor": Condition((), related=_SUPPORT),
    "run": Condition((), related=attrs.evolve(_SUPPORT, field="run")),
    "min_sources": Condition(("sources_for",), ">="),
    "min_sources_against": Condition(("sources_against",), ">="),
    "metadata": Condition(("metadata",), "holds"),
    "has_metadata": Condition(("metadata",), "has_names"),
}
"""The conditions of a `FactFilter`, beside those of a `RecordFilter` and those on the field of the same name."""
FACT_HIDDEN: Final = ("has_assertions",)
"""What nobody is shown of a fact."""
