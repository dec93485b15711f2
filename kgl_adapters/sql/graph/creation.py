"""Creates an entity and its change in one statement of PostgreSQL, which is a transaction by itself.

Two statements between BEGIN and COMMIT are less than half as fast.
"""

from __future__ import annotations

from typing import Final

from kgl_adapters.sql import schema
from kgl_adapters.sql.graph.announcing import ANNOUNCED, insert_announced
from kgl_adapters.sql.graph.rows import CHANGE_COLUMNS

_ENTITY_COLUMNS: Final = tuple(column.name for column in schema.entities.c)


_NAMES, _MARKS = ", ".join(f'"{column}"' for column in _ENTITY_COLUMNS), ", ".join("%s" for _ in _ENTITY_COLUMNS)

CREATION: Final = (
    f"WITH entity AS (INSERT INTO {schema.entities.fullname} ({_NAMES}) VALUES ({_MARKS})),"  # noqa: S608  # our names
    f" {ANNOUNCED} {insert_announced(CHANGE_COLUMNS)}"
)
"""Takes `Rows.entity_values` and then `Rows.change_values`."""
