"""The least that the service's work can cost: bare Falcon, psycopg and orjson, without a check of anything.

It reads and writes the same tables and answers with bodies of the same shape as kgl's. Each thread keeps a connection
of its own in autocommit, which is cheaper than any pool, and lets psycopg prepare the statements that it repeats.
"""

import os
import threading
from datetime import UTC, datetime
from typing import Any, Final

import falcon
import orjson
import psycopg
from psycopg.types.json import set_json_loads

from kgl_adapters.sql.rows import ENTITY_COLUMNS

_COLUMNS: Final = ", ".join(ENTITY_COLUMNS)
_GET: Final = f"SELECT {_COLUMNS} FROM backend_entities.entities WHERE id = %s AND deleted_at IS NULL"
_REQUEST_ID: Final = "0123456789abcdef0123456789abcdef"

_own: Final = threading.local()


def _connection() -> psycopg.Connection:
    found: psycopg.Connection | None = getattr(_own, "connection", None)
    if found is None:
        found = _own.connection = psycopg.connect(os.environ["FLOOR_DATABASE_URL"], autocommit=True)
        set_json_loads(orjson.loads, found)
        found.execute("SET timezone TO 'UTC'")
    return found


def _entity(row: tuple[Any, ...]) -> dict[str, Any]:
    entity = dict(zip(ENTITY_COLUMNS, row, strict=True))
    for by in ("created_by", "deleted_by"):
        if entity[by] is not None:
            kind, _, id = entity[by].partition(":")
            entity[by] = {"kind": kind, "id": id or None}
    entity["is_active"] = entity["deleted_at"] is None
    return entity


def _body(data: Any, **more: Any) -> bytes:
    meta = {"request_id": _REQUEST_ID, "timestamp": datetime.now(UTC), **more}
    return orjson.dumps({"data": data, "meta": meta, "errors": []}, option=orjson.OPT_UTC_Z)


class EntityById:
    """``/api/v1/entities/{id}``."""

    def on_get(self, req: falcon.Request, resp: falcon.Response, id: str) -> None:
        row = _connection().execute(_GET, (id,)).fetchone()
        if row is None:
            raise falcon.HTTPNotFound
        resp.data = _body(_entity(row))


app: Final = falcon.App()
app.add_route("/api/v1/entities/{id}", EntityById())
