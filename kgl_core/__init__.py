"""kgl's rules, and the ports behind which everything else is. Imports the standard library and attrs, nothing else.

The names that this package exports are the library's public face, beside `kgl_adapters.connect`.
"""

from kgl_core.access.oauth_clients import Client, ClientCredentials
from kgl_core.access.oauth_errors import InvalidClient, InvalidGrant, InvalidScope, OAuthError
from kgl_core.access.users import User
from kgl_core.evidence.assertions import Assertion, AssertionDraft, Location, SourcedAssertion, Stance
from kgl_core.evidence.extraction.extractions import ExtractionResult, ItemNote, Moved, Supported, WithdrawalResult
from kgl_core.evidence.extraction.withdrawing import AlreadyWithdrawn, NotWithdrawn
from kgl_core.evidence.extraction.withdrawing_sources import TooManyFacts
from kgl_core.evidence.origins.contributions import Contribution, FoundBy, SharingSource
from kgl_core.evidence.origins.extractors import Extractor, ExtractorDraft
from kgl_core.evidence.origins.sources import Source, SourceDraft
from kgl_core.evidence.supporting import Value
from kgl_core.graph.deleting_and_restoring import Restoration
from kgl_core.graph.entities import Entity, EntityDraft, EntityFilter
from kgl_core.graph.journal.changes import Change, ChangeAction
from kgl_core.graph.journal.runs import Run, RunEnded, RunKind, RunState
from kgl_core.graph.relationships import Relationship, RelationshipDraft, RelationshipFilter
from kgl_core.kernel.errors import (
    AlreadyExists,
    Conflict,
    Deleted,
    EndsDeleted,
    Fault,
    HistoryLost,
    IdempotencyKeyReused,
    InvalidCredentials,
    InvalidCursor,
    InvalidInput,
    InvalidToken,
    KglError,
    NotFound,
    Overloaded,
    PermissionDenied,
    RegistrationClosed,
    RequestInFlight,
    Retired,
    StaleVersion,
    TooManyAttempts,
    TooManyRelationships,
    TransactionConflict,
)
from kgl_core.kernel.nouns.pages import Page
from kgl_core.kernel.permissions import SYSTEM, Actor, ActorKind, Role, Scope
from kgl_core.kernel.store_errors import (
    CommitUnknown,
    InvalidUrl,
    MigrationNeeded,
    SchemaTooNew,
    StatementTimeout,
    StoreBusy,
    StoreClosed,
    StoreError,
    StoreFault,
    StoreFull,
    StoreReadOnly,
    StoreReplaced,
    StoreUnavailable,
    UnreadableRow,
)
from kgl_core.knowledge_graph import KnowledgeGraph, Transaction
from kgl_core.storage.checking.findings import CheckReport, Problem
from kgl_core.storage.dumping import Dump
from kgl_core.storage.extracting_many import DocumentResult
from kgl_core.storage.loading.load import LoadResult, LoadSummary
from kgl_core.storage.loading.reading import Refusal
from kgl_core.storage.stats import Stats

__all__ = [
    "SYSTEM",
    "Actor",
    "ActorKind",
    "AlreadyExists",
    "AlreadyWithdrawn",
    "Assertion",
    "AssertionDraft",
    "Change",
    "ChangeAction",
    "CheckReport",
    "Client",
    "ClientCredentials",
    "CommitUnknown",
    "Conflict",
    "Contribution",
    "Deleted",
    "DocumentResult",
    "Dump",
    "EndsDeleted",
    "Entity",
    "EntityDraft",
    "EntityFilter",
    "ExtractionResult",
    "Extractor",
    "ExtractorDraft",
    "Fault",
    "FoundBy",
    "HistoryLost",
    "IdempotencyKeyReused",
    "InvalidClient",
    "InvalidCredentials",
    "InvalidCursor",
    "InvalidGrant",
    "InvalidInput",
    "InvalidScope",
    "InvalidToken",
    "InvalidUrl",
    "ItemNote",
    "KglError",
    "KnowledgeGraph",
    "LoadResult",
    "LoadSummary",
    "Location",
    "MigrationNeeded",
    "Moved",
    "NotFound",
    "NotWithdrawn",
    "OAuthError",
    "Overloaded",
    "Page",
    "PermissionDenied",
    "Problem",
    "Refusal",
    "RegistrationClosed",
    "Relationship",
    "RelationshipDraft",
    "RelationshipFilter",
    "RequestInFlight",
    "Restoration",
    "Retired",
    "Role",
    "Run",
    "RunEnded",
    "RunKind",
    "RunState",
    "SchemaTooNew",
    "Scope",
    "SharingSource",
    "Source",
    "SourceDraft",
    "SourcedAssertion",
    "StaleVersion",
    "Stance",
    "StatementTimeout",
    "Stats",
    "StoreBusy",
    "StoreClosed",
    "StoreError",
    "StoreFault",
    "StoreFull",
    "StoreReadOnly",
    "StoreReplaced",
    "StoreUnavailable",
    "Supported",
    "TooManyAttempts",
    "TooManyFacts",
    "TooManyRelationships",
    "Transaction",
    "TransactionConflict",
    "UnreadableRow",
    "User",
    "Value",
    "WithdrawalResult",
]
