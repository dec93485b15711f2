"""What lines and plans make of a noun that kgl does not have: all of it comes from the description."""

from typing import Any, Final
from uuid import UUID

import attrs
import pytest

from kgl_adapters.memory.store import MemoryStore
from kgl_core import SYSTEM, Actor, ActorKind, InvalidInput, KglError, Role
from kgl_core.kernel.checked_records import check, ruled
from kgl_core.kernel.field_rules import Flag, Id, Optional, Text
from kgl_core.kernel.nouns.noun import Noun, Unique
from kgl_core.kernel.nouns.records import Record, RecordFilter, said_first
from kgl_core.kernel.units_of_work import Context
from kgl_core.storage.loading.existing_records import Existing
from kgl_core.storage.loading.noun_plan import NounPlan
from kgl_core.storage.record_lines import LINES, NounLine, line_class, read_line
from tests.contract.samples import NOON, SECOND, Clock, Ids, deleted, ids_of, new_id, sample


@attrs.frozen(kw_only=True)
class BookDraft:
    """What a caller says of a book."""

    title: str = ruled(Text(100))
    place: str = ruled(Text(100))
    owner: UUID | None = ruled(Optional(Id()), default=None)
    is_lent: bool = ruled(Flag(), default=False)

    def __attrs_post_init__(self) -> None:
        check(self)


@attrs.frozen(kw_only=True, slots=False, field_transformer=said_first)
class Book(Record):
    """A book as a store keeps it."""

    title: str
    place: str
    owner: UUID | None
    is_lent: bool


BOOK: Final = Noun[Book, BookDraft, RecordFilter, str](
    name="book",
    plural="books",
    record=Book,
    draft=BookDraft,
    filter=RecordFilter,
    sorts={"created_at": "created_at"},
    unique=Unique("title", ("title",)),
)
USER = Actor(ActorKind.USER, "u", Role.USER)


@pytest.fixture(autouse=True)
def lines_of_books(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines may tell of books."""
    monkeypatch.setitem(LINES, "book", line_class(BOOK))  # type: ignore[arg-type]


def book(**fields: Any) -> Any:
    """A book, as it is stored."""
    return sample(BOOK, **{"title": "Notes", "place": "shelf", **fields})


def line(**fields: Any) -> NounLine:
    """What a line says of a book."""
    found = read_line({"kind": "book", **fields})
    assert isinstance(found, NounLine)
    return found


def plan(*stored: Any, actor: Actor = SYSTEM, existing: Existing = Existing.MERGE) -> NounPlan:
    """A plan over these books."""
    return NounPlan(BOOK, Context(MemoryStore(), actor, Clock(NOON + SECOND), Ids(seed=3)), stored, existing)


def decide(on: NounPlan, **fields: Any) -> str:
    """The outcome of a line, or the code of its error."""
    try:
        return str(on.apply(line(**fields))[0])
    except InvalidInput as error:
        return f"{error.faults[0].pointer} {error.faults[0].code}"
    except KglError as error:
        return error.code


def test_the_description_tells_what_is_required_and_what_is_empty() -> None:
    """From the draft's defaults."""
    assert (BOOK.required, BOOK.empty_values) == (("title", "place"), {"is_lent": False})
    with pytest.raises(TypeError, match="the noun book names fields that its records do not have: author"):
        attrs.evolve(BOOK, sorts={"author": "author"})


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({}, ("/title", "required")),
        ({"place": "shelf"}, ("/title", "required")),
        ({"title": None, "id": str(new_id())}, ("/title", "required")),
        ({"title": "t", "place": None}, ("/place", "required")),
        ({"title": "t", "plaec": "p"}, ("/plaec", "unknown_field")),
        ({"title": "t", "is_lent": 1}, ("/is_lent", "not_a_flag")),
    ],
)
def test_a_line_names_its_book_and_empties_nothing_that_is_required(
    fields: dict[str, Any], fault: tuple[str, str]
) -> None:
    """By its id or its title, as the draft's rules have it."""
    with pytest.raises(InvalidInput) as refused:
        line(**fields)
    assert [(found.pointer, found.code) for found in refused.value.faults] == [fault]


def test_what_is_new_is_created() -> None:
    """If nothing is missing; deleted, if the line says so."""
    on = plan()
    assert decide(on, title="Notes", place="shelf") == "created"
    assert decide(on, title="Letters") == "/place required"
    assert decide(on, title="Notes", place="shelf", is_active=False) == "active"
    assert decide(on, title="Letters", place="shelf", is_active=False, id=str(new_id())) == "created"
    assert decide(on, title="Letters", place="shelf") == "deleted"
    made: Any = on.created
    assert ids_of(made) == sorted(ids_of(made))
    assert {(each.title, each.is_lent, each.is_active) for each in made} == {
        ("Notes", False, True),
        ("Letters", False, False),
    }


def test_what_is_there_is_changed_by_title_or_id() -> None:
    """The other fields stay, unless all are replaced; a title that another one has is refused."""
    notes, letters = book(owner=new_id(), is_lent=True), book(title="Letters")
    on = plan(notes, letters)
    assert decide(on, title="Notes", place="shelf") == "unchanged"
    assert decide(on, title="Notes", place="desk") == "updated"
    assert decide(on, id=str(notes.id), title="Letters") == "title_taken"
    assert decide(on, id=str(notes.id), title="Essays", is_lent=None) == "updated"
    assert decide(on, title="Notes", place="shelf") == "created"
    [changed] = on.updated
    expected = attrs.evolve(notes, title="Essays", place="desk", is_lent=False, version=3, updated_at=NOON + SECOND)
    assert changed == expected
    replacing = plan(notes, existing=Existing.REPLACE)
    assert decide(replacing, title="Notes") == "/place required"
    assert decide(replacing, title="Notes", place="shelf") == "updated"
    [replaced] = replacing.updated
    assert replaced == attrs.evolve(notes, owner=None, is_lent=False, version=2, updated_at=NOON + SECOND)


def test_what_may_not_be_changed_is_left() -> None:
    """Where the load says so, where the book is deleted, and where it is somebody else's."""
    notes, gone = book(), deleted(book(title="Gone"))
    assert decide(plan(notes, existing=Existing.KEEP), title="Notes", place="desk") == "kept"
    assert decide(plan(notes, existing=Existing.REFUSE), title="Notes", place="desk") == "already_exists"
    assert decide(plan(notes, actor=USER), title="Notes", place="desk") == "permission_denied"
    assert decide(plan(gone), title="Gone", place="desk") == "deleted"
    assert decide(plan(gone), title="Gone", is_active=False) == "unchanged"
    assert decide(plan(gone), id=str(gone.id), title="Gone", place="desk") == "deleted"
