"""The rows of a store in memory, in layers: what a unit of work writes lies over what is committed."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import MutableMapping
from typing import Final
from uuid import UUID

import attrs

from kgl_adapters.memory.access.revocations import Revocation
from kgl_core.access.oauth_clients import Client
from kgl_core.access.throttling import Counter
from kgl_core.access.tokens import RefreshToken
from kgl_core.access.users import User
from kgl_core.graph.changes import Change
from kgl_core.graph.entities import Entity
from kgl_core.graph.relationships import Relationship, Triple
from kgl_core.kernel.idempotency import KeptAnswer

_MAPPINGS: Final = (
    "entities",
    "keys",
    "relationships",
    "triples",
    "users",
    "clients",
    "refresh_tokens",
    "revocations",
    "counters",
    "answers",
)


@attrs.define
class Tables:
    """The rows, and who has a unique value. None means that a layer has freed the value, or deleted the row."""

    entities: MutableMapping[UUID, Entity] = attrs.Factory(dict)
    keys: MutableMapping[str, UUID | None] = attrs.Factory(dict)
    relationships: MutableMapping[UUID, Relationship] = attrs.Factory(dict)
    triples: MutableMapping[Triple, UUID | None] = attrs.Factory(dict)
    users: MutableMapping[UUID, User] = attrs.Factory(dict)
    clients: MutableMapping[UUID, Client | None] = attrs.Factory(dict)
    refresh_tokens: MutableMapping[bytes, RefreshToken | None] = attrs.Factory(dict)
    revocations: MutableMapping[UUID, Revocation | None] = attrs.Factory(dict)
    counters: MutableMapping[bytes, Counter | None] = attrs.Factory(dict)
    answers: MutableMapping[bytes, KeptAnswer | None] = attrs.Factory(dict)
    changes: list[Change] = attrs.Factory(list)
    below: Tables | None = None

    def layer(self) -> Tables:
        """Tables that show the rows of these; what is written to them does not change these."""
        return Tables(
            ChainMap({}, self.entities),
            ChainMap({}, self.keys),
            ChainMap({}, self.relationships),
            ChainMap({}, self.triples),
            ChainMap({}, self.users),
            ChainMap({}, self.clients),
            ChainMap({}, self.refresh_tokens),
            ChainMap({}, self.revocations),
            ChainMap({}, self.counters),
            ChainMap({}, self.answers),
            [],
            self,
        )

    def merge(self, layer: Tables) -> None:
        """Write into these tables what was written to a layer over them."""
        for name in _MAPPINGS:
            rows, written = getattr(self, name), getattr(layer, name).maps[0]
            rows.update(written)
            if type(rows) is dict:  # there is nothing below that a None would have to hide
                for key in [key for key, row in written.items() if row is None]:
                    del rows[key]
        self.changes.extend(layer.changes)

    def copy(self) -> Tables:
        """A copy, which later writes do not change."""
        return Tables(
            dict(self.entities),
            dict(self.keys),
            dict(self.relationships),
            dict(self.triples),
            dict(self.users),
            dict(self.clients),
            dict(self.refresh_tokens),
            dict(self.revocations),
            dict(self.counters),
            dict(self.answers),
            list(self.changes),
        )
