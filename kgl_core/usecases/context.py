"""What every use case is bound to."""

from __future__ import annotations

import attrs

from kgl_core.ids import Clock, IdSource
from kgl_core.permissions import Actor
from kgl_core.unit_of_work import Store


@attrs.frozen
class Context:
    """The store that is worked on, who acts, and where time and ids come from."""

    store: Store
    actor: Actor
    now: Clock
    new_id: IdSource
