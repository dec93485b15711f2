"""The library's face: every use case, over one store and on behalf of one actor."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self
from uuid import UUID

import attrs

from kgl_core.access.managing_oauth_clients import Clients
from kgl_core.access.managing_users import Users
from kgl_core.access.passwords import Passwords
from kgl_core.access.users import User
from kgl_core.evidence.asserting import Assertions
from kgl_core.evidence.extraction.extracting import extract
from kgl_core.evidence.extraction.extractions import ExtractionResult, WithdrawalResult
from kgl_core.evidence.extraction.withdrawing import reinstate_extraction, withdraw_extraction
from kgl_core.evidence.origins.naming_extractors import Extractors
from kgl_core.evidence.origins.naming_sources import Sources
from kgl_core.exploration.exploring import RecordGraph
from kgl_core.exploration.search.searching import RecordSearch
from kgl_core.graph.editing_entities import Entities
from kgl_core.graph.editing_relationships import Relationships
from kgl_core.graph.journal.changes import Change
from kgl_core.graph.journal.reading_changes import Changes
from kgl_core.graph.journal.running import Runs, running, within
from kgl_core.graph.journal.runs import RunDraft, RunKind
from kgl_core.kernel.checked_records import build
from kgl_core.kernel.ids import Random
from kgl_core.kernel.nouns.pages import LIMIT_DEFAULT, Page
from kgl_core.kernel.permissions import Action, Actor, require
from kgl_core.kernel.units_of_work import Context, JoinedStore, once
from kgl_core.storage.checking.check import Check, Progress
from kgl_core.storage.checking.findings import CheckReport
from kgl_core.storage.dumping import Dump, OnUnreadable
from kgl_core.storage.extracting_many import DocumentResult, extract_many
from kgl_core.storage.indexing import rebuild_index
from kgl_core.storage.loading.existing_records import Existing
from kgl_core.storage.loading.load import Load, LoadResult, LoadSummary
from kgl_core.storage.loading.reading import Refusal
from kgl_core.storage.stats import Stats, read_stats


class Transaction:
    """Calls that are committed together, or not at all: what ``with kg.transaction() as tx`` gives.

    It belongs to one thread. A call that raises undoes itself and leaves the others as they are.
    """

    def __init__(self, context: Context, passwords: Passwords, random: Random) -> None:
        self.entities = Entities(context)
        self.relationships = Relationships(context)
        self.users = Users(context, passwords)
        self.clients = Clients(context, random)
        self.sources = Sources(context)
        self.extractors = Extractors(context)
        self.assertions = Assertions(context)
        self.search = RecordSearch(context)


class KnowledgeGraph:
    """One knowledge graph, shared by threads. ``kgl_adapters.connect`` makes it; it acts as the system at first."""

    def __init__(self, context: Context, passwords: Passwords, random: Random) -> None:
        self._context, self._passwords, self._random = context, passwords, random

    # Made when asked for: in the service, each request makes a graph that acts for its caller.

    @property
    def entities(self) -> Entities:
        """Create, read, list, change, delete and restore entities."""
        return Entities(self._context)

    @property
    def relationships(self) -> Relationships:
        """Create, read, list, change, delete and restore relationships."""
        return Relationships(self._context)

    @property
    def users(self) -> Users:
        """Manage accounts."""
        return Users(self._context, self._passwords)

    @property
    def clients(self) -> Clients:
        """Manage service clients."""
        return Clients(self._context, self._random)

    @property
    def runs(self) -> Runs:
        """Open, end and read runs."""
        return Runs(self._context)

    @contextmanager
    def run(self, title: str | None = None) -> Iterator[KnowledgeGraph]:
        """A run for the block: gives the same graph, whose changes are part of the run; its ``run_id`` says which.

        It ends with the block: as failed if the block raises. Raises PermissionDenied and InvalidInput.
        """
        require(self._context.actor, Action.CREATE)
        draft = build(RunDraft, {"title": title})
        with running(self._context, RunKind.OPENED, draft.title) as context:
            yield KnowledgeGraph(context, self._passwords, self._random)

    def in_run(self, id: UUID | str) -> KnowledgeGraph:
        """The same graph, whose changes are part of a run that is open.

        Raises NotFound, RunEnded, and PermissionDenied when somebody else opened it. Once it ends, its writes raise
        RunEnded too.
        """
        run = self.runs.require_open(id)
        return KnowledgeGraph(within(self._context, run), self._passwords, self._random)

    @property
    def run_id(self) -> UUID | None:
        """The run that changes are part of, if there is one."""
        return self._context.run

    @property
    def sources(self) -> Sources:
        """Describe, correct, rank, read and list sources, and tell what each contributes."""
        return Sources(self._context)

    @property
    def extractors(self) -> Extractors:
        """Name, rank, read and list extractors."""
        return Extractors(self._context)

    @property
    def graph(self) -> RecordGraph:
        """Walk over the graph: neighborhoods, paths, subgraphs, common neighbors, summaries."""
        return RecordGraph(self._context)

    @property
    def search(self) -> RecordSearch:
        """Find entities by name: ``kg.search("oak")``, ``kg.search.suggest("oa")``, ``kg.search.link(["Oak"])``."""
        return RecordSearch(self._context)

    @property
    def assertions(self) -> Assertions:
        """Assert facts, withdraw assertions, pin what they don't change, and read who says what."""
        return Assertions(self._context)

    def extract(self, source: str, extractor: str, document: Mapping[str, Any]) -> ExtractionResult:
        """Say all that an extractor found in a source, in place of what it said of it before. See `extract`."""
        return extract(self._context, source, extractor, document)

    def extract_many(self, documents: object, *, title: str | None = None) -> Generator[DocumentResult]:
        """Extract many documents: an open file of NDJSON, its text, or mappings. See `extract_many`."""
        return extract_many(self._context, documents, title)

    def withdraw(self, source: str, extractor: str) -> WithdrawalResult:
        """Withdraw all that an extractor says of a source. See `withdraw_extraction`."""
        return withdraw_extraction(self._context, source, extractor)

    def reinstate(self, source: str, extractor: str) -> WithdrawalResult:
        """Take back the withdrawal of an extraction. See `reinstate_extraction`."""
        return reinstate_extraction(self._context, source, extractor)

    def acting_as(self, user: User | Actor) -> KnowledgeGraph:
        """The same graph on behalf of a user, who may do what their role allows; a disabled user may do nothing."""
        actor = user.actor if isinstance(user, User) else user
        return KnowledgeGraph(self._context.acting_as(actor), self._passwords, self._random)

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Several calls as one: committed when the block ends, undone when it raises.

        Raises TransactionConflict when a concurrent transaction came first; then run the block again. Use ``tx`` for
        all that belongs to it: other calls on the graph do not see what it does, and writers may have to wait for it.
        """
        with self._context.store.begin() as uow:
            context = attrs.evolve(self._context, store=JoinedStore(uow), retry=once)
            yield Transaction(context, self._passwords, self._random)
            uow.commit()

    def changes(self, *, after: str | None = None, limit: int = LIMIT_DEFAULT) -> Page[Change]:
        """Up to ``limit`` (1..200) changes after the cursor ``after``; ``next_cursor`` is where to read on."""
        return Changes(self._context).read(after=after, limit=limit)

    def load(
        self,
        records: object,
        *,
        existing: str = Existing.MERGE,
        atomic: bool = False,
        dry_run: bool = False,
        title: str | None = None,
        on_refusal: Callable[[Refusal], None] | None = None,
        on_result: Callable[[LoadResult], None] | None = None,
    ) -> LoadSummary:
        """Create or update many records: an open file of NDJSON, its text or lines, or mappings. See `Load.run`."""
        return Load(self._context, on_refusal, on_result).run(
            records, existing=existing, atomic=atomic, dry_run=dry_run, title=title
        )

    def dump(self, *, on_unreadable: OnUnreadable | None = None, valid_at: str | None = None) -> Dump:
        """Every entity, then every relationship, at one moment, as records that `load` takes.

        Its ``cursor`` is its place in the feed of changes: ``changes(after=dump.cursor)`` has what happened since.
        ``on_unreadable`` is called for damaged records, which are left out then. ``valid_at`` is a date: relationships
        that do not hold then are left out. See `Dump`.
        """
        return Dump(self._context, on_unreadable, valid_at)

    def stats(self) -> Stats:
        """How many entities, relationships, changes and users there are."""
        return read_stats(self._context)

    def check(self, *, repair: bool = False, on_progress: Progress | None = None) -> CheckReport:
        """Check the whole store, and with ``repair`` mend what can be mended. See `Check.run`."""
        return Check(self._context, on_progress).run(repair=repair)

    def rebuild_index(self, *, on_progress: Progress | None = None) -> int:
        """Make the index of names anew, while others read and write. See `rebuild_index`."""
        return rebuild_index(self._context, on_progress)

    def close(self) -> None:
        """Return every connection; every later call raises StoreClosed."""
        self._context.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
