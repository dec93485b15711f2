"""A FastAPI service over SQLAlchemy's ORM: sync handlers in threads, and a session for each request by Depends."""

import os
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID, uuid4

from fastapi import Depends, FastAPI, HTTPException, Response
from sqlalchemy import JSON, Identity, create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker
from uuid_utils.compat import uuid7

from tests.benchmarks.peers import models
from tests.benchmarks.peers.models import ACTOR, Answer, EntityDraft, Meta, Page

engine = create_engine(os.environ["PEER_DATABASE_URL"].replace("postgresql://", "postgresql+psycopg://", 1))
new_session = sessionmaker(engine)


class Base(DeclarativeBase):
    """The tables."""

    type_annotation_map = {dict[str, Any]: JSON, list[str]: JSON}  # noqa: RUF012  # as SQLAlchemy wants it


class Entity(Base):
    """An entity's row."""

    __tablename__ = "entities"
    __table_args__ = {"schema": "backend_entities"}  # noqa: RUF012

    id: Mapped[UUID] = mapped_column(primary_key=True)
    type: Mapped[str]
    name: Mapped[str]
    aliases: Mapped[list[str]]
    key: Mapped[str | None]
    confidence: Mapped[float | None]
    source: Mapped[str | None]
    source_type: Mapped[str | None]
    metadata_: Mapped[dict[str, Any]] = mapped_column("metadata")
    created_by: Mapped[str]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    version: Mapped[int]
    deleted_at: Mapped[datetime | None]
    deleted_by: Mapped[str | None]
    sort_name: Mapped[str]


class Change(Base):
    """A change's row."""

    __tablename__ = "changes"
    __table_args__ = {"schema": "backend_entities"}  # noqa: RUF012

    sequence: Mapped[int] = mapped_column(Identity(), primary_key=True)
    at: Mapped[datetime]
    actor: Mapped[str]
    action: Mapped[str]
    subject: Mapped[str]
    subject_id: Mapped[UUID]
    record: Mapped[dict[str, Any]]


def get_db() -> Iterator[Session]:
    """A session for the request."""
    db = new_session()
    try:
        yield db
    finally:
        db.close()


Db = Annotated[Session, Depends(get_db)]
app = FastAPI()


def _meta(**more: Any) -> Meta:
    return Meta(request_id=str(uuid4()), timestamp=datetime.now(UTC), **more)


def _shown(entity: Entity) -> models.Entity:
    fields = {name: getattr(entity, name) for name in models.Entity.model_fields if name != "metadata"}
    return models.Entity(**fields, metadata=entity.metadata_)


@app.get("/api/v1/entities/{id}")
def get_entity(id: UUID, db: Db) -> Answer:
    """One entity."""
    entity = db.query(Entity).filter(Entity.id == id, Entity.deleted_at.is_(None)).first()
    if entity is None:
        raise HTTPException(status_code=404)
    return Answer(data=_shown(entity), meta=_meta())


@app.get("/api/v1/entities")
def list_entities(db: Db, limit: int = 50) -> Page:
    """The first page."""
    query = db.query(Entity).filter(Entity.deleted_at.is_(None)).order_by(Entity.created_at, Entity.id)
    found = query.limit(limit + 1).all()
    last = found[limit - 1]
    cursor = urlsafe_b64encode(f"{last.created_at.isoformat()} {last.id}".encode()).decode()
    return Page(data=[_shown(entity) for entity in found[:limit]], meta=_meta(next_cursor=cursor, limit=limit))


@app.post("/api/v1/entities", status_code=201)
def create_entity(draft: EntityDraft, response: Response, db: Db) -> Answer:
    """A new entity, and its change."""
    now = datetime.now(UTC)
    given = draft.model_dump(exclude={"metadata"})
    entity = Entity(
        id=uuid7(),
        **given,
        metadata_=draft.metadata,
        created_by=ACTOR,
        created_at=now,
        updated_at=now,
        version=1,
        sort_name=draft.name.casefold(),
    )
    db.add(entity)
    record = _shown(entity).model_dump(mode="json")
    db.add(Change(at=now, actor=ACTOR, action="created", subject="entity", subject_id=entity.id, record=record))
    db.commit()
    db.refresh(entity)
    response.headers["Location"] = f"/api/v1/entities/{entity.id}"
    return Answer(data=_shown(entity), meta=_meta())
