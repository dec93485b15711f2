"""All tables, as the newest migration leaves them, which a test compares: who looks at every table gets them here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sqlalchemy import MetaData

from kgl_adapters.sql.access.tables import CLIENTS
from kgl_adapters.sql.evidence.tables import ASSERTIONS
from kgl_adapters.sql.graph.names import NAMES
from kgl_adapters.sql.graph.tables import CHANGES
from kgl_adapters.sql.kernel.idempotency import ANSWERS
from kgl_adapters.sql.kernel.tables import Tables

_PARTS: Final[tuple[Tables, ...]] = (
    CLIENTS,
    CHANGES,
    NAMES,
    ASSERTIONS,
    ANSWERS,
)  # one of each file that defines tables

SCHEMA: Final[Mapping[bool, MetaData]] = {is_sqlite: _PARTS[0][is_sqlite].metadata for is_sqlite in (False, True)}
"""By whether the database is SQLite."""
