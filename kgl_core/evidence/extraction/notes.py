"""Notes: what there is to tell of the items of an extraction, one by one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar
from uuid import UUID

from kgl_core.evidence.extraction.extractions import ItemNote
from kgl_core.graph.facts import Fact
from kgl_core.kernel.checked_records import Built
from kgl_core.kernel.field_rules import Faults

I = TypeVar("I")  # noqa: E741  # an item


class Notes:
    """The notes about the items of one extraction, in the order in which they were made."""

    def __init__(self, made: Iterable[ItemNote] = ()) -> None:
        self.all: list[ItemNote] = [*made]

    def copy(self) -> Notes:
        """The same notes, to which others can be added."""
        return Notes(self.all)

    @property
    def refused(self) -> int:
        """How many items were refused; both ends of one relationship may be at fault."""
        return len({"/".join(note.pointer.split("/")[:3]) for note in self.all if note.is_refused})

    def refuse(self, at: str, code: str, detail: str) -> None:
        """Note why an item is refused."""
        self.all.append(ItemNote(pointer=at, code=code, detail=detail))

    def tell(self, at: str, code: str, detail: str, id: UUID) -> None:
        """Note what an item that is accepted says otherwise of a fact than it is."""
        self.all.append(ItemNote(pointer=at, code=code, detail=detail, is_refused=False, id=id))

    def deleted(self, at: str, fact: Fact) -> None:
        """Note that somebody has deleted what an item is about."""
        self.tell(
            at, "deleted", f"it was deleted by {fact.deleted_by} and stays so; a moderator can restore it", fact.id
        )

    def repeated(self, at: str, id: UUID, names: Sequence[str]) -> None:
        """Note that an item before it says other values of the same fact under these names, if there are any."""
        if names:
            detail = f"an item before it says another {' and '.join(names)} of {id}, which is taken; say each fact once"
            self.tell(at, "repeated", detail, id)

    def namesake(self, at: str, deleted: Fact | None) -> None:
        """Note that an item means a new entity, although somebody has deleted one of its type and name."""
        if deleted is not None:
            detail = f"entity {deleted.id} of this type and name was deleted by {deleted.deleted_by}; this is a new one"
            self.tell(at, "deleted_namesake", detail, deleted.id)

    def moved(self, at: str, given: UUID | None, now: UUID) -> None:
        """Note that an item is about another entity than the id that it gives, if it is."""
        if given is not None and given != now:
            detail = f"entity {given} is retired, and {now} has its key now; the item is taken to mean that one"
            self.tell(at, "moved", detail, now)

    def key_not_given(self, at: str, entity: Fact) -> None:
        """Note that an entity does not get the key that an item gives it."""
        detail = f"{entity.created_by} created entity {entity.id}, which has no key; ask them or a moderator to set it"
        self.tell(at, "key_not_given", detail, entity.id)

    def checked(self, cls: type[I], name: str, items: Sequence[Any]) -> list[tuple[int, I]]:
        """The items that are in order, with their numbers; the others are refused."""
        rule = Built(cls)
        found: list[tuple[int, I]] = []
        for number, item in enumerate(items):
            faults: Faults = []
            built = rule(item, f"/{name}/{number}", faults)
            if faults:
                self.refuse(faults[0].pointer, faults[0].code, faults[0].detail)
            else:
                found.append((number, built))
        return found
