"""The least that the service's work can cost: bare Falcon, psycopg and orjson, without a check of anything.

It reads and writes the same tables and answers with bodies of the same shape as kgl's. Each thread keeps a connection
of its own in autocommit, which is cheaper than any pool, and lets psycopg prepare the statements that it repeats.
"""

import os
import threading
from base64 import urlsafe_b64encode
from datetime import UTC, datetime
from typing import Any, Final

import falcon
import orjson
import psycopg
from psycopg.types.json import set_json_loads
from uuid_utils.compat import uuid7

from kgl_core.graph.entities import ENTITY

_COLUMNS: Final = ", ".join(ENTITY.field_names)
_GET: Final = f"SELECT {_COLUMNS} FROM backend_entities.entities WHERE id = %s AND deleted_at IS NULL"
_LIST: Final = (
    f"SELECT {_COLUMNS} FROM backend_entities.entities WHERE deleted_at IS NULL ORDER BY created_at, id LIMIT 51"
)
_CREATE: Final = (
    "WITH made AS (INSERT INTO backend_entities.entities (id, type, name, aliases, key, confidence, source,"
    " source_type, metadata, created_by, created_at, updated_at, version, sort_name)"
    " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, 1, %s)),"
    " named AS (INSERT INTO backend_entities.entity_names (entity_id, position, field, type, words, terms)"
    " SELECT %s, number, field, %s, words, array_to_tsvector(string_to_array(words, ' ') || %s::text)"
    " FROM ROWS FROM (unnest(%s::int[]), unnest(%s::text[]), unnest(%s::text[])) AS r (number, field, words))"
    " INSERT INTO backend_entities.changes (at, actor, action, subject, subject_id, record)"
    " VALUES (%s, %s, 'created', 'entity', %s, %s)"
)
_ACTOR: Final = "user:01890a5d-ac96-774b-bcce-b302099a8057"
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
    entity = dict(zip(ENTITY.field_names, row, strict=True))
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


class Entities:
    """``/api/v1/entities``."""

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        rows = _connection().execute(_LIST).fetchall()
        last = rows[49]
        cursor = urlsafe_b64encode(orjson.dumps([last[10], last[0]])).decode()
        resp.data = _body([_entity(row) for row in rows[:50]], next_cursor=cursor, limit=50)

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        given = orjson.loads(req.bounded_stream.read())
        id, now = uuid7(), datetime.now(UTC)
        given_values = [given.get(name) for name in ("key", "confidence", "source", "source_type")]
        aliases = given.get("aliases", [])
        row = (id, given["type"], given["name"], aliases, *given_values, given.get("metadata", {}),
               _ACTOR, now, now, 1, None, None, [], 1, 0, False, False)  # fmt: skip
        record = orjson.dumps(dict(zip(ENTITY.field_names, row, strict=True)), option=orjson.OPT_UTC_Z).decode()
        texts = {3: orjson.dumps(row[3]).decode(), 8: orjson.dumps(row[8]).decode()}
        values = [texts.get(number, value) for number, value in enumerate(row[:12])]
        words = [name.lower() for name in (given["name"], *aliases)]
        names = ([*range(len(words))], ["name", *["alias"] * len(aliases)], words)
        _connection().execute(
            _CREATE, (*values, words[0], id, given["type"], f":{given['type']}", *names, now, _ACTOR, id, record)
        )
        resp.status = 201
        resp.location = f"/api/v1/entities/{id}"
        resp.data = _body(_entity(row))


app: Final = falcon.App()
app.add_route("/api/v1/entities", Entities())
app.add_route("/api/v1/entities/{id}", EntityById())
