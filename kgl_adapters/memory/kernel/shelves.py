"""The records of a noun in dictionaries, in layers: what a unit of work writes lies over what is committed."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Hashable, MutableMapping
from typing import Any, Generic, TypeVar
from uuid import UUID

import attrs

from kgl_core.kernel.nouns.records import Kept

R = TypeVar("R", bound=Kept)
V = TypeVar("V")
K = TypeVar("K")


@attrs.define
class Shelf(Generic[R, V]):
    """Records by id, and who has a unique value. None means that a layer has removed the record, or freed the value.

    ``groups`` are the ids of records that have something in common which never changes, for repositories that look for
    that.
    """

    rows: MutableMapping[UUID, R | None] = attrs.Factory(dict)
    holders: MutableMapping[V, UUID | None] = attrs.Factory(dict)
    groups: MutableMapping[Hashable, tuple[UUID, ...] | None] = attrs.Factory(dict)

    def layer(self) -> Shelf[R, V]:
        """A shelf that shows what is in this one; what is written to it does not change this one."""
        return Shelf(layer_over(self.rows), layer_over(self.holders), layer_over(self.groups))

    def merge(self, layer: Shelf[R, V]) -> None:
        """Write into this shelf what was written to a layer over it."""
        merge(self.rows, layer.rows)
        merge(self.holders, layer.holders)
        merge(self.groups, layer.groups)

    def copy(self) -> Shelf[R, V]:
        """A copy, which later writes do not change."""
        return Shelf(dict(self.rows), dict(self.holders), dict(self.groups))


def layer_over(rows: MutableMapping[K, V | None]) -> MutableMapping[K, V | None]:
    """A mapping that shows ``rows``, and keeps what is written to it for itself."""
    return ChainMap({}, rows)


def merge(rows: MutableMapping[K, V | None], layer: MutableMapping[K, V | None]) -> None:
    """Write into ``rows`` what was written to a layer over them."""
    chain: Any = layer
    written = chain.maps[0]
    rows.update(written)
    if type(rows) is dict:  # there is nothing below that a None would have to hide
        for key in [key for key, row in written.items() if row is None]:
            del rows[key]
