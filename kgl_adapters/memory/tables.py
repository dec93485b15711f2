"""What a store in memory holds, in layers: what a unit of work writes lies over what is committed."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from itertools import chain
from typing import Any, Final
from uuid import UUID

import attrs

from kgl_adapters.memory.access.revocations import Revocation
from kgl_adapters.memory.kernel.shelves import Shelf, layer_over, merge
from kgl_core.access.throttling import Counter
from kgl_core.access.tokens import RefreshToken
from kgl_core.graph.journal.changes import Change
from kgl_core.kernel.idempotency import KeptAnswer
from kgl_core.kernel.nouns.noun import AnyNoun

_MAPPINGS: Final = ("refresh_tokens", "revocations", "counters", "answers")


@attrs.define
class Tables:
    """The records of each noun, and what is no noun. None means that a layer has deleted the row."""

    shelves: dict[AnyNoun, Shelf[Any, Any]] = attrs.Factory(dict)
    refresh_tokens: MutableMapping[bytes, RefreshToken | None] = attrs.Factory(dict)
    revocations: MutableMapping[UUID, Revocation | None] = attrs.Factory(dict)
    counters: MutableMapping[bytes, Counter | None] = attrs.Factory(dict)
    answers: MutableMapping[bytes, KeptAnswer | None] = attrs.Factory(dict)
    changes: list[Change] = attrs.Factory(list)
    below: Tables | None = None

    def of(self, noun: AnyNoun) -> Shelf[Any, Any]:
        """The records of a noun."""
        shelf = self.shelves.get(noun)
        if shelf is None:
            shelf = self.shelves[noun] = Shelf() if self.below is None else self.below.of(noun).layer()
        return shelf

    def all_changes(self) -> Iterator[Change]:
        """The changes of these tables, after those of the tables below them."""
        layers = [self]
        while (below := layers[-1].below) is not None:
            layers.append(below)
        return chain.from_iterable(layer.changes for layer in reversed(layers))

    def layer(self) -> Tables:
        """Tables that show the rows of these; what is written to them does not change these."""
        return Tables(
            {},
            layer_over(self.refresh_tokens),
            layer_over(self.revocations),
            layer_over(self.counters),
            layer_over(self.answers),
            [],
            self,
        )

    def merge(self, layer: Tables) -> None:
        """Write into these tables what was written to a layer over them."""
        for noun, shelf in layer.shelves.items():
            self.of(noun).merge(shelf)
        for name in _MAPPINGS:
            merge(getattr(self, name), getattr(layer, name))
        self.changes.extend(layer.changes)

    def copy(self) -> Tables:
        """A copy, which later writes do not change."""
        shelves = {noun: shelf.copy() for noun, shelf in self.shelves.items()}
        return Tables(
            shelves,
            dict(self.refresh_tokens),
            dict(self.revocations),
            dict(self.counters),
            dict(self.answers),
            list(self.changes),
        )
