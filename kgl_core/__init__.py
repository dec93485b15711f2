"""kgl's rules: entities, relationships, users and their permissions, behind ports. Standard library and attrs only."""

from kgl_core.changes import Change, ChangeAction
from kgl_core.entities import Entity, EntityDraft, EntityFilter
from kgl_core.errors import (
    AlreadyExists,
    Conflict,
    Deleted,
    EndsDeleted,
    Fault,
    InvalidCursor,
    InvalidInput,
    InvalidUrl,
    KglError,
    MigrationNeeded,
    NotFound,
    PermissionDenied,
    SchemaTooNew,
    StaleVersion,
    StoreBusy,
    StoreClosed,
    StoreError,
    StoreFault,
    StoreFull,
    StoreReadOnly,
    StoreUnavailable,
    TransactionConflict,
)
from kgl_core.knowledge_graph import KnowledgeGraph, Transaction
from kgl_core.pages import Page
from kgl_core.permissions import SYSTEM, Actor, ActorKind, Role
from kgl_core.relationships import Relationship, RelationshipDraft, RelationshipFilter
from kgl_core.usecases.entities import Restoration
from kgl_core.usecases.load import LoadSummary, Refusal
from kgl_core.usecases.stats import Stats
from kgl_core.users import User

__all__ = [
    "SYSTEM",
    "Actor",
    "ActorKind",
    "AlreadyExists",
    "Change",
    "ChangeAction",
    "Conflict",
    "Deleted",
    "EndsDeleted",
    "Entity",
    "EntityDraft",
    "EntityFilter",
    "Fault",
    "InvalidCursor",
    "InvalidInput",
    "InvalidUrl",
    "KglError",
    "KnowledgeGraph",
    "LoadSummary",
    "MigrationNeeded",
    "NotFound",
    "Page",
    "PermissionDenied",
    "Refusal",
    "Relationship",
    "RelationshipDraft",
    "RelationshipFilter",
    "Restoration",
    "Role",
    "SchemaTooNew",
    "StaleVersion",
    "Stats",
    "StoreBusy",
    "StoreClosed",
    "StoreError",
    "StoreFault",
    "StoreFull",
    "StoreReadOnly",
    "StoreUnavailable",
    "Transaction",
    "TransactionConflict",
    "User",
]
