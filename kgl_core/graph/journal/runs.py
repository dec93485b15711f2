"""Runs: work that belongs together, such as one load or one night's import. Changes say which run they are part of."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Never, TypedDict

import attrs

from kgl_core.kernel.checked_records import check, ruled
from kgl_core.kernel.errors import Conflict
from kgl_core.kernel.field_rules import Choice, Instant, Optional, Text
from kgl_core.kernel.ids import RunId
from kgl_core.kernel.nouns.noun import Noun
from kgl_core.kernel.permissions import Actor

TITLE_LENGTH_MAX: Final = 200
TITLE: Final = Optional(Text(TITLE_LENGTH_MAX))


class RunKind(StrEnum):
    """What makes a run: a load, an extraction, its withdrawal or reinstatement, or a caller who opens it."""

    LOAD = "load"
    EXTRACTION = "extraction"
    WITHDRAWAL = "withdrawal"
    REINSTATEMENT = "reinstatement"
    OPENED = "opened"


class RunState(StrEnum):
    """How far a run is. A load fails when the store does; what it had committed by then stays."""

    OPEN = "open"
    COMPLETED = "completed"
    FAILED = "failed"


@attrs.frozen(kw_only=True)
class RunDraft:
    """What a caller says of a run, checked as a whole: raises InvalidInput with every fault."""

    title: str | None = ruled(TITLE, default=None)

    def __attrs_post_init__(self) -> None:
        check(self)


@attrs.frozen(kw_only=True)
class RunEnd:
    """How a run has ended, checked as a whole: raises InvalidInput."""

    state: str = ruled(Choice((RunState.COMPLETED.value, RunState.FAILED.value)), default=RunState.COMPLETED.value)

    def __attrs_post_init__(self) -> None:
        check(self)


@attrs.frozen(kw_only=True, slots=False)
class Run:
    """A run: who began it and when. ``counts`` has how many changes of each action it made, once it has ended."""

    id: RunId
    title: str | None
    kind: RunKind
    state: RunState
    created_by: Actor
    created_at: datetime
    ended_at: datetime | None = None
    counts: Mapping[str, Any] = attrs.Factory(dict)


RUN_KIND: Final = Choice(tuple(kind.value for kind in RunKind))
RUN_STATE: Final = Choice(tuple(state.value for state in RunState))


class RunFilterFields(TypedDict, total=False):
    """The filters of a listing, as keyword arguments. `RunFilter` has the rules."""

    kind: str
    state: str
    created_after: datetime
    created_before: datetime


@attrs.frozen(kw_only=True)
class RunFilter:
    """Which runs a listing holds; None means any. ``created_after`` and ``created_before`` are exclusive."""

    kind: str | None = ruled(Optional(RUN_KIND), default=None)
    state: str | None = ruled(Optional(RUN_STATE), default=None)
    created_after: datetime | None = ruled(Optional(Instant()), default=None)
    created_before: datetime | None = ruled(Optional(Instant()), default=None)

    def __attrs_post_init__(self) -> None:
        check(self)


RUN: Final = Noun[Run, RunDraft, RunFilter, Never](
    name="run",
    plural="runs",
    record=Run,
    draft=RunDraft,
    filter=RunFilter,
    sorts={"created_at": "created_at"},
    fixed=("kind",),
)


class RunEnded(Conflict):
    """The run has ended, so nothing more can be part of it."""

    code = "run_ended"

    def __init__(self, run: Run) -> None:
        self.run = run
        super().__init__(f"run {run.id} has ended ({run.state}); open another one, or send this without it")
