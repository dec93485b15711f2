"""An idiomatic FastAPI service: async handlers, pydantic models, and an asyncpg pool in each worker."""

import json
import os
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID, uuid4

import asyncpg
from fastapi import FastAPI, HTTPException, Response
from uuid_utils.compat import uuid7

from tests.benchmarks.peers.models import ACTOR, COLUMNS, Answer, Entity, EntityDraft, Meta, Page

_POOL_SIZE: Final = 4
_GET: Final = f"SELECT {COLUMNS} FROM backend_entities.entities WHERE id = $1 AND deleted_at IS NULL"
_LIST: Final = (
    f"SELECT {COLUMNS} FROM backend_entities.entities WHERE deleted_at IS NULL ORDER BY created_at, id LIMIT $1"
)
_INSERT: Final = (
    "INSERT INTO backend_entities.entities (id, type, name, aliases, key, confidence, source, source_type, metadata,"
    " created_by, created_at, updated_at, version, sort_name)"
    f" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11, 1, $12) RETURNING {COLUMNS}"
)
_INSERT_CHANGE: Final = (
    "INSERT INTO backend_entities.changes (at, actor, action, subject, subject_id, record)"
    " VALUES ($1, $2, 'created', 'entity', $3, $4)"
)


async def _prepare(connection: asyncpg.Connection) -> None:
    await connection.set_type_codec("json", encoder=json.dumps, decoder=json.loads, schema="pg_catalog")


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    url = os.environ["PEER_DATABASE_URL"]
    async with asyncpg.create_pool(url, min_size=_POOL_SIZE, max_size=_POOL_SIZE, init=_prepare) as pool:
        app.state.pool = pool
        yield


app = FastAPI(lifespan=_lifespan)


def _meta(**more: Any) -> Meta:
    return Meta(request_id=str(uuid4()), timestamp=datetime.now(UTC), **more)


@app.get("/api/v1/entities/{id}")
async def get_entity(id: UUID) -> Answer:
    """One entity."""
    row = await app.state.pool.fetchrow(_GET, id)
    if row is None:
        raise HTTPException(404)
    return Answer(data=Entity(**row), meta=_meta())


@app.get("/api/v1/entities")
async def list_entities(limit: int = 50) -> Page:
    """The first page."""
    rows = await app.state.pool.fetch(_LIST, limit + 1)
    last = rows[limit - 1]
    cursor = urlsafe_b64encode(f"{last['created_at'].isoformat()} {last['id']}".encode()).decode()
    return Page(data=[Entity(**row) for row in rows[:limit]], meta=_meta(next_cursor=cursor, limit=limit))


@app.post("/api/v1/entities", status_code=201)
async def create_entity(draft: EntityDraft, response: Response) -> Answer:
    """A new entity, and its change."""
    id, now = uuid7(), datetime.now(UTC)
    values = (draft.type, draft.name, draft.aliases, draft.key, draft.confidence, draft.source, draft.source_type)
    async with app.state.pool.acquire() as connection, connection.transaction():
        row = await connection.fetchrow(_INSERT, id, *values, draft.metadata, ACTOR, now, draft.name.casefold())
        entity = Entity(**row)
        await connection.execute(_INSERT_CHANGE, now, ACTOR, id, entity.model_dump(mode="json"))
    response.headers["Location"] = f"/api/v1/entities/{id}"
    return Answer(data=entity, meta=_meta())
