"""What the FastAPI services take and show, in pydantic's terms."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from kgl_core.graph.entities import ENTITY

COLUMNS: Final = ", ".join(ENTITY.field_names)
ACTOR: Final = "user:01890a5d-ac96-774b-bcce-b302099a8057"


class EntityDraft(BaseModel):
    """A new entity."""

    type: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9_.:-]{0,63}$")
    name: str = Field(min_length=1, max_length=500)
    aliases: list[str] = []
    key: str | None = None
    confidence: float | None = Field(default=None, ge=0, le=1)
    source: str | None = None
    source_type: str | None = None
    metadata: dict[str, Any] = {}


class Entity(EntityDraft):
    """An entity."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    created_by: str
    created_at: datetime
    updated_at: datetime
    version: int
    deleted_at: datetime | None = None
    deleted_by: str | None = None


class Meta(BaseModel):
    """What an answer says of itself."""

    request_id: str
    timestamp: datetime
    next_cursor: str | None = None
    limit: int | None = None


class Answer(BaseModel):
    """One entity in the envelope."""

    data: Entity
    meta: Meta
    errors: list[str] = []


class Page(BaseModel):
    """Entities in the envelope."""

    data: list[Entity]
    meta: Meta
    errors: list[str] = []
