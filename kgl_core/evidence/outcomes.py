"""What becomes of facts when evidence about them changes."""

from __future__ import annotations

from enum import StrEnum

from kgl_core.graph.journal.changes import ChangeAction


class FactOutcome(StrEnum):
    """What became of a fact."""

    CREATED = "created"
    UPDATED = "updated"
    RESTORED = "restored"
    RETIRED = "retired"
    UNCHANGED = "unchanged"

    @staticmethod
    def of(action: ChangeAction) -> FactOutcome:
        """The outcome of a change that evidence made; nothing is deleted by it."""
        return FactOutcome(action.value)
