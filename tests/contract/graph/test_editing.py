"""What can be done with entities and relationships, on every store: effects, errors, and one change for each."""

from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest

from kgl_adapters import connect
from kgl_core import (
    AlreadyExists,
    Change,
    ChangeAction,
    Deleted,
    EndsDeleted,
    Entity,
    InvalidCursor,
    InvalidInput,
    KnowledgeGraph,
    NotFound,
    Relationship,
    StaleVersion,
    TooManyRelationships,
)
from tests.contract.samples import ids_of, new_id

NOWHERE = UUID("01890a5d-ac96-774b-bcce-b302099a8057")


def log(kg: KnowledgeGraph) -> list[Change]:
    """All changes."""
    return list(kg.changes(limit=200).items)


def deeds(kg: KnowledgeGraph, since: int = 0) -> list[tuple[ChangeAction, UUID]]:
    """What was done to which record, after the first ``since`` changes."""
    return [(change.action, change.record.id) for change in log(kg)[since:]]


@pytest.fixture
def ada(kg: KnowledgeGraph) -> Entity:
    """An entity with all fields."""
    return kg.entities.create(
        type="person",
        name="Ada Lovelace",
        aliases=["Countess"],
        key="Q7259",
        confidence=0.98,
        source="https://example.org/ada",
        source_type="wiki",
        metadata={"born": {"year": 1815}},
    )


@pytest.fixture
def notes(kg: KnowledgeGraph) -> Entity:
    """An entity with no more than it needs."""
    return kg.entities.create(type="document", name="Note G")


@pytest.fixture
def wrote(kg: KnowledgeGraph, ada: Entity, notes: Entity) -> Relationship:
    """A relationship between the two."""
    return kg.relationships.create(ada.id, "wrote", notes.id, confidence=0.9, metadata={"page": 1})


def test_created_entities_are_found(kg: KnowledgeGraph, ada: Entity, notes: Entity) -> None:
    """By id in both its forms, by key, among many, and in listings; those who created them are recorded."""
    assert kg.entities.get(ada.id) == kg.entities.get(str(ada.id).upper()) == kg.entities.get_by_key("Q7259") == ada
    assert kg.entities.get_many(ids=[str(notes.id), NOWHERE], keys=["Q7259", "absent"]) == [ada, notes]
    assert kg.entities.list().items == (ada, notes)
    assert (ada.version, ada.is_active, str(ada.created_by), ada.created_at) == (1, True, "system", ada.updated_at)
    assert (notes.aliases, notes.key, notes.confidence, notes.metadata) == ((), None, None, {})
    assert ada.id < notes.id


def test_creating_checks_everything_at_once(kg: KnowledgeGraph) -> None:
    """One error names every fault; nothing is kept."""
    with pytest.raises(InvalidInput) as refused:
        kg.entities.create(nam="x", type="1", confidence=2, metadata=[])  # type: ignore[call-arg,typeddict-item]
    assert [fault.pointer for fault in refused.value.faults] == ["/nam", "/type", "/name", "/confidence", "/metadata"]
    assert deeds(kg) == []


def test_a_key_is_held_by_one_active_entity(kg: KnowledgeGraph, ada: Entity, notes: Entity) -> None:
    """Creating, updating and restoring cannot take it; deleting frees it."""
    with pytest.raises(AlreadyExists):
        kg.entities.create(type="person", name="Impostor", key="Q7259")
    with pytest.raises(AlreadyExists):
        kg.entities.update(notes.id, key="Q7259")
    kg.entities.delete(ada.id)
    second = kg.entities.create(type="person", name="Second", key="Q7259")
    with pytest.raises(AlreadyExists) as refused:
        kg.entities.restore(ada.id)
    assert refused.value.field == "key"
    assert kg.entities.get_by_key("Q7259") == second
    kg.entities.update(second.id, key=None)
    assert kg.entities.restore(ada.id).entity.key == "Q7259"
    created, deleted, restored, updated = (
        ChangeAction.CREATED,
        ChangeAction.DELETED,
        ChangeAction.RESTORED,
        ChangeAction.UPDATED,
    )
    assert deeds(kg, 2) == [(deleted, ada.id), (created, second.id), (updated, second.id), (restored, ada.id)]


def test_absent_and_deleted_are_told_apart(kg: KnowledgeGraph, wrote: Relationship, ada: Entity) -> None:
    """Everything that names a record raises NotFound for none, and Deleted for one that can be restored."""
    for repository in (kg.entities, kg.relationships):
        for call in (repository.get, repository.update, repository.delete, repository.restore):
            with pytest.raises(NotFound) as absent:
                call(NOWHERE)
            assert not isinstance(absent.value, Deleted)
    kg.entities.delete(ada.id)
    for repository, id in ((kg.entities, ada.id), (kg.relationships, wrote.id)):
        for call in (repository.get, repository.delete, repository.update):
            with pytest.raises(Deleted):
                call(id)
        assert not repository.get(id, include_deleted=True).is_active
        assert repository.get_many(ids=[id]) == []
        assert id not in ids_of(repository.list().items)
    with pytest.raises(NotFound):
        kg.entities.get_by_key("Q7259")


@pytest.mark.parametrize(
    "id", ["", "x", "{01890a5d-ac96-774b-bcce-b302099a8057}", "01890a5dac96774bbcceb302099a8057", 7, None]
)
def test_malformed_ids_are_refused(kg: KnowledgeGraph, id: Any) -> None:
    """Only a UUID and its canonical text are ids, in every call."""
    for repository in (kg.entities, kg.relationships):
        for call in (repository.get, repository.update, repository.delete, repository.restore):
            with pytest.raises(InvalidInput) as refused:
                call(id)
            assert [fault.code for fault in refused.value.faults] == ["invalid_id"]
        with pytest.raises(InvalidInput):
            repository.get_many(ids=[id])
    with pytest.raises(InvalidInput) as refused:
        kg.relationships.create(id, "knows", id)
    assert [fault.pointer for fault in refused.value.faults] == ["/source_entity_id", "/target_entity_id"]


def test_an_update_changes_what_it_names(kg: KnowledgeGraph, ada: Entity) -> None:
    """All else stays as it was; the version grows by one, and the change holds the record afterwards."""
    new = kg.entities.update(ada.id, name="Augusta Ada King", confidence=None, expected_version=1)
    assert (new.name, new.confidence, new.version) == ("Augusta Ada King", None, 2)
    kept = ("id", "type", "aliases", "key", "source", "source_type", "metadata", "created_by", "created_at")
    assert [getattr(new, name) for name in kept] == [getattr(ada, name) for name in kept]
    assert new.updated_at >= ada.updated_at
    assert kg.entities.get(ada.id) == new
    change = log(kg)[-1]
    assert (change.action, change.record, change.at, str(change.actor)) == ("updated", new, new.updated_at, "system")


def test_an_update_that_changes_nothing_is_none(kg: KnowledgeGraph, ada: Entity, wrote: Relationship) -> None:
    """Neither version nor log grow; the values given may be those before normalization."""
    before = deeds(kg)
    assert kg.entities.update(ada.id) == ada
    assert kg.entities.update(ada.id, name="Ada Lovelace", metadata={"born": {"year": 1815}}, key="Q7259") == ada
    assert kg.entities.update(ada.id, aliases=["Countess", "COUNTESS"]) == ada
    assert kg.relationships.update(wrote.id, confidence=0.9) == wrote
    assert deeds(kg) == before


def test_updates_are_checked_as_a_whole(kg: KnowledgeGraph, ada: Entity, wrote: Relationship) -> None:
    """Faults and unknown names are refused, with nothing kept; what identifies a relationship cannot change."""
    before = deeds(kg)
    with pytest.raises(InvalidInput) as refused:
        kg.entities.update(ada.id, name="", type="no type", version=3)  # type: ignore[call-arg]
    assert {(fault.pointer, fault.code) for fault in refused.value.faults} == {
        ("/version", "unknown_field"),
        ("/type", "pattern"),
        ("/name", "blank"),
    }
    with pytest.raises(InvalidInput):
        kg.entities.update(ada.id, name=None)  # type: ignore[typeddict-item]
    with pytest.raises(InvalidInput) as refused:
        kg.relationships.update(wrote.id, relationship_type="read", confidence=1)  # type: ignore[call-arg]
    assert [fault.pointer for fault in refused.value.faults] == ["/relationship_type"]
    assert deeds(kg) == before


def test_a_stale_version_is_refused_by_everything_that_changes(
    kg: KnowledgeGraph, ada: Entity, wrote: Relationship
) -> None:
    """The error says what was expected and what there is; a value that is no version is malformed."""
    kg.entities.update(ada.id, name="A")
    kg.relationships.update(wrote.id, source="s")
    before = deeds(kg)
    for repository, id in ((kg.entities, ada.id), (kg.relationships, wrote.id)):
        for call in (repository.update, repository.delete, repository.restore):
            with pytest.raises(StaleVersion) as stale:
                call(id, expected_version=1)
            assert (stale.value.id, stale.value.expected, stale.value.current) == (id, 1, 2)
            for bad in (0, -1, True, 2.0, "2"):
                with pytest.raises(InvalidInput):
                    call(id, expected_version=bad)  # type: ignore[arg-type]
    assert deeds(kg) == before
    kg.relationships.delete(wrote.id, expected_version=2)
    kg.relationships.restore(wrote.id, expected_version=3)
    kg.entities.delete(ada.id, expected_version=2)
    kg.entities.restore(ada.id, expected_version=3)


def test_deleting_and_restoring_an_entity(kg: KnowledgeGraph, ada: Entity) -> None:
    """The record stays and tells who deleted it; restored, it is as it was, two versions on."""
    gone = kg.entities.delete(ada.id)
    assert (gone.version, gone.is_active, str(gone.deleted_by), gone.deleted_at) == (
        2,
        False,
        "system",
        gone.updated_at,
    )
    assert kg.entities.get(ada.id, include_deleted=True) == gone
    assert kg.entities.list(is_active=False).items == (gone,)
    back = kg.entities.restore(ada.id)
    assert (back.entity.version, back.relationships, back.left_deleted) == (3, (), ())
    assert (back.entity.deleted_at, back.entity.deleted_by) == (None, None)
    assert kg.entities.get(ada.id) == back.entity
    assert deeds(kg) == [("created", ada.id), ("deleted", ada.id), ("restored", ada.id)]


def test_restoring_what_is_active_is_no_change(kg: KnowledgeGraph, ada: Entity, wrote: Relationship) -> None:
    """It answers with the record as it is."""
    before = deeds(kg)
    back = kg.entities.restore(ada.id)
    assert (back.entity, back.relationships, back.left_deleted) == (ada, (), ())
    assert kg.relationships.restore(wrote.id) == wrote
    assert deeds(kg) == before


def test_deleting_an_entity_takes_its_relationships_along(kg: KnowledgeGraph, ada: Entity, wrote: Relationship) -> None:
    """In both directions, each with its own change before the entity's; restoring brings back those, and only those."""
    notes = kg.entities.get(wrote.target_entity_id)
    cites = kg.relationships.create(notes.id, "cites", ada.id)
    own = kg.relationships.create(ada.id, "owns", notes.id)
    kg.relationships.delete(own.id)
    since = len(log(kg))
    kg.entities.delete(ada.id)
    for each in (wrote, cites):
        gone = kg.relationships.get(each.id, include_deleted=True)
        assert (gone.version, gone.deleted_with, str(gone.deleted_by)) == (2, ada.id, "system")
    taken = sorted([wrote.id, cites.id])
    assert deeds(kg, since) == [*(("deleted", id) for id in taken), ("deleted", ada.id)]
    assert kg.relationships.list().items == ()
    back = kg.entities.restore(ada.id)
    assert (sorted(back.relationships), back.left_deleted) == (taken, ())
    assert kg.relationships.get(own.id, include_deleted=True).is_active is False
    for each in (wrote, cites):
        here = kg.relationships.get(each.id)
        assert (here.version, here.deleted_at, here.deleted_by, here.deleted_with) == (3, None, None, None)
    assert deeds(kg, since + 3) == [("restored", ada.id), *(("restored", id) for id in taken)]


def test_a_relationship_stays_deleted_while_its_other_end_is(kg: KnowledgeGraph, wrote: Relationship) -> None:
    """The answer names it, restoring the other end brings it back, whichever end was deleted and restored first."""
    ends = (wrote.source_entity_id, wrote.target_entity_id)
    for first, second in (ends, ends[::-1]):
        for one, other in ((first, second), (second, first)):
            kg.entities.delete(first)
            kg.entities.delete(second)
            back = kg.entities.restore(one)
            assert (back.relationships, back.left_deleted) == ((), (wrote.id,))
            with pytest.raises(EndsDeleted) as refused:
                kg.relationships.restore(wrote.id)
            assert refused.value.ids == (other,)
            back = kg.entities.restore(other)
            assert (back.relationships, back.left_deleted) == ((wrote.id,), ())
            assert kg.relationships.get(wrote.id).is_active


def test_a_hub_is_deleted_and_restored_whole(kg: KnowledgeGraph) -> None:
    """More relationships than one batch of the use case holds."""
    lines: list[dict[str, object]] = [{"kind": "entity", "key": "hub", "type": "t", "name": "hub"}]
    for number in range(1001):
        lines.append({"kind": "entity", "key": f"{number}", "type": "t", "name": "spoke"})
        lines.append(
            {
                "kind": "relationship",
                "source_entity_key": "hub",
                "relationship_type": "r",
                "target_entity_key": f"{number}",
            }
        )
    assert kg.load(lines).created == 2003
    hub = kg.entities.get_by_key("hub")
    kg.entities.delete(hub.id)
    assert kg.relationships.count() == 0
    assert len(kg.entities.restore(hub.id).relationships) == 1001
    assert kg.relationships.count(entity_id=hub.id) == 1001
    assert kg.stats().changes == 2003 + 2 * 1002


def test_a_deletion_takes_a_limited_number_along(kg: KnowledgeGraph, monkeypatch: pytest.MonkeyPatch) -> None:
    """An entity with more relationships stays as it is, until enough of them are deleted."""
    monkeypatch.setattr("kgl_core.graph.deleting_and_restoring.TAKEN_ALONG_MAX", 2)
    hub, *spokes = (kg.entities.create(type="t", name="hub") for _ in range(4))
    mine = [kg.relationships.create(hub.id, "r", spoke.id) for spoke in spokes[:2]]
    mine.append(kg.relationships.create(spokes[2].id, "r", hub.id))
    changes = kg.stats().changes
    with pytest.raises(TooManyRelationships) as refused:
        kg.entities.delete(hub.id)
    assert (refused.value.id, refused.value.most) == (hub.id, 2)
    assert kg.stats().changes == changes
    kg.relationships.delete(mine[0].id)
    kg.entities.delete(hub.id)
    assert set(kg.entities.restore(hub.id).relationships) == {mine[1].id, mine[2].id}


def test_restoring_brings_a_limited_number_back(kg: KnowledgeGraph, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says so, and the others can be restored one by one."""
    hub, *spokes = (kg.entities.create(type="t", name="hub") for _ in range(4))
    mine = [kg.relationships.create(hub.id, "r", spoke.id).id for spoke in spokes]
    kg.entities.delete(hub.id)
    monkeypatch.setattr("kgl_core.graph.deleting_and_restoring.TAKEN_ALONG_MAX", 2)
    back = kg.entities.restore(hub.id)
    assert (back.relationships, back.left_deleted, back.has_more_deleted) == (tuple(mine[:2]), (), True)
    assert kg.relationships.restore(mine[2]).is_active


def test_relationships_need_two_active_ends(kg: KnowledgeGraph, ada: Entity, notes: Entity) -> None:
    """Ends that do not exist or are deleted are refused, each by its own error."""
    with pytest.raises(NotFound) as absent:
        kg.relationships.create(ada.id, "wrote", NOWHERE)
    assert (absent.value.kind, absent.value.name) == ("entity", NOWHERE)
    kg.entities.delete(ada.id)
    kg.entities.delete(notes.id)
    with pytest.raises(EndsDeleted) as gone:
        kg.relationships.create(notes.id, "cites", ada.id)
    assert gone.value.ids == (ada.id, notes.id)
    assert kg.stats().changes == 4


def test_a_triple_is_joined_once(kg: KnowledgeGraph, wrote: Relationship) -> None:
    """By creating as by restoring; other types and the other direction are other triples."""
    a, b = wrote.source_entity_id, wrote.target_entity_id
    with pytest.raises(AlreadyExists):
        kg.relationships.create(a, "wrote", b)
    kg.relationships.create(b, "wrote", a)
    kg.relationships.create(a, "Wrote", b)
    kg.relationships.delete(wrote.id)
    again = kg.relationships.create(a, "wrote", b)
    with pytest.raises(AlreadyExists) as refused:
        kg.relationships.restore(wrote.id)
    assert refused.value.field == "triple"
    kg.relationships.delete(again.id)
    assert kg.relationships.restore(wrote.id).version == 3
    assert kg.relationships.count() == 3


def test_a_relationship_is_updated_deleted_and_restored(kg: KnowledgeGraph, wrote: Relationship) -> None:
    """Each appends one change with the record afterwards."""
    since = len(log(kg))
    updated = kg.relationships.update(wrote.id, metadata={"page": 2}, source="s")
    assert (updated.confidence, updated.metadata, updated.source, updated.version) == (0.9, {"page": 2}, "s", 2)
    gone = kg.relationships.delete(wrote.id)
    assert (gone.deleted_with, gone.version) == (None, 3)
    back = kg.relationships.restore(wrote.id)
    assert [change.record for change in log(kg)[since:]] == [updated, gone, back]
    assert [change.action for change in log(kg)[since:]] == ["updated", "deleted", "restored"]
    assert kg.relationships.get(wrote.id) == back


def test_refused_calls_leave_no_change(kg: KnowledgeGraph, ada: Entity, wrote: Relationship) -> None:
    """The log holds what happened, and nothing of what was refused."""
    before = deeds(kg)
    for refused in (
        lambda: kg.entities.create(type="t", name="n", key="Q7259"),
        lambda: kg.entities.update(ada.id, name=""),
        lambda: kg.relationships.create(ada.id, "wrote", wrote.target_entity_id),
        lambda: kg.entities.delete(NOWHERE),
    ):
        with pytest.raises((AlreadyExists, InvalidInput, NotFound)):
            refused()
    assert deeds(kg) == before == [("created", record) for record in (ada.id, wrote.target_entity_id, wrote.id)]


def test_answers_can_be_altered_without_altering_the_graph(
    kg: KnowledgeGraph, ada: Entity, wrote: Relationship
) -> None:
    """What a caller does to metadata that it gave or got stays with the caller, in every answer."""
    given: dict[str, Any] = {"list": [1]}
    made = kg.entities.create(type="t", name="n", metadata=given)
    given["list"].append(2)
    made.metadata["list"].append(3)
    assert kg.entities.get(made.id).metadata == {"list": [1]}
    answers = [
        ada,
        kg.entities.get(ada.id),
        kg.entities.get_by_key("Q7259"),
        kg.entities.get_many(ids=[ada.id])[0],
        kg.entities.list().items[0],
        kg.entities.update(ada.id, source="s"),
        kg.entities.update(ada.id),
        kg.entities.delete(ada.id),
        kg.entities.restore(ada.id).entity,
        *(change.record for change in log(kg) if change.record.id == ada.id),
    ]
    for answer in answers:
        assert answer.metadata == {"born": {"year": 1815}}
        answer.metadata["born"]["year"] = 1900
    for record in kg.dump():
        record.get("metadata", {}).clear()
    assert kg.entities.get(ada.id).metadata == {"born": {"year": 1815}}
    assert kg.relationships.get(wrote.id).metadata == {"page": 1}
    assert all(c.record.metadata["born"]["year"] == 1815 for c in log(kg) if c.record.id == ada.id)


def test_listings_go_page_by_page(kg: KnowledgeGraph) -> None:
    """Following the cursors gives every item once; the last page has none; sizes are as asked for."""
    made = [kg.entities.create(type="ab"[number % 2], name=f"{number % 3}") for number in range(7)]
    for one, other in pairwise(made):
        kg.relationships.create(one.id, "next", other.id)
    for sort in ("created_at", "-updated_at", "name", "-name"):
        found: list[Entity] = []
        cursor = None
        while True:
            page = kg.entities.list(sort=sort, limit=3, cursor=cursor, type=["a", "b"])
            assert page.limit == 3
            found += page.items
            cursor = page.next_cursor
            if cursor is None:
                break
        assert sorted(ids_of(found)) == ids_of(made)
    page = kg.relationships.list(limit=6)
    assert (len(page.items), page.next_cursor) == (6, None)
    first = kg.relationships.list(limit=5)
    assert ids_of(kg.relationships.list(limit=5, cursor=first.next_cursor).items) == ids_of(page.items[5:])
    assert kg.entities.count(type="a") == 4
    assert kg.relationships.count(entity_id=made[1].id) == 2


def test_a_cursor_belongs_to_one_listing(kg: KnowledgeGraph) -> None:
    """With another filter or sort, of another noun, damaged or made up, it is refused."""
    made = [kg.entities.create(type="t", name=f"{number}") for number in range(3)]
    for one in made[1:]:
        kg.relationships.create(made[0].id, "r", one.id)
    cursor = kg.entities.list(limit=1, type="t").next_cursor
    assert cursor is not None
    assert kg.entities.list(limit=2, cursor=cursor, type=["t"]).items == tuple(made[1:])
    changes = kg.changes(limit=1).next_cursor
    other_calls: list[Any] = [
        lambda: kg.entities.list(cursor=cursor),
        lambda: kg.entities.list(cursor=cursor, type="u"),
        lambda: kg.entities.list(cursor=cursor, type="t", is_active=None),
        lambda: kg.entities.list(cursor=cursor, type="t", sort="-created_at"),
        lambda: kg.entities.list(cursor=cursor, type="t", sort="updated_at"),
        lambda: kg.relationships.list(cursor=cursor),
        lambda: kg.users.list(cursor=cursor),
        lambda: kg.changes(after=cursor),
        lambda: kg.entities.list(cursor=changes),
        lambda: kg.entities.list(cursor=kg.relationships.list(limit=1).next_cursor),
        *(
            lambda garbage=garbage: kg.entities.list(cursor=garbage, type="t")
            for garbage in (
                "",
                " ",
                "x",
                cursor[:-1],
                cursor[1:],
                cursor[:60] + "!" + cursor[61:],
                "🜨",
                "A" * 5000,
                7,
                b"x",
            )
        ),
        *(lambda garbage=garbage: kg.changes(after=garbage) for garbage in ("", "x", "🜨", "A" * 5000, 7)),
    ]
    for call in other_calls:
        with pytest.raises(InvalidCursor):
            call()


@pytest.mark.parametrize("limit", [0, -1, 201, True, 1.0, "1", None])
def test_limits_are_checked(kg: KnowledgeGraph, limit: Any) -> None:
    """Every listing takes 1 to 200."""
    for call in (kg.entities.list, kg.relationships.list, kg.users.list, kg.changes):
        with pytest.raises(InvalidInput) as refused:
            call(limit=limit)
        assert [fault.pointer for fault in refused.value.faults] == ["/limit"]


def test_filters_and_sorts_are_checked(kg: KnowledgeGraph) -> None:
    """An unknown one names the near miss; nothing is silently ignored."""
    with pytest.raises(InvalidInput, match="did you mean min_confidence"):
        kg.entities.list(min_confidense=0.5)  # type: ignore[call-arg]
    with pytest.raises(InvalidInput, match="-updated_at"):
        kg.entities.list(sort="color")  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="relationship_type"):
        kg.relationships.count(type="knows")  # type: ignore[call-arg]
    with pytest.raises(InvalidInput):
        kg.relationships.list(sort="name")  # type: ignore[arg-type]
    with pytest.raises(InvalidInput):
        kg.entities.list(created_after="2026-01-31")  # type: ignore[typeddict-item]


def test_many_are_fetched_at_once(kg: KnowledgeGraph) -> None:
    """Up to 1,000 ids, keys and names, answered in the order of ids, each once."""
    made = [kg.entities.create(type="t", name="n", key=f"k{number}") for number in range(12)]
    found = kg.entities.get_many(ids=reversed(ids_of(made)[4:]), keys=[each.key or "" for each in made[:8]])
    assert list(found) == made
    assert kg.entities.get_many() == []
    many = [str(number) for number in range(1_001)]
    for too_many in (
        {"ids": [new_id() for _ in many]},
        {"keys": many},
        {"names": many},
        {"keys": many[:500], "names": many[:501]},
    ):
        with pytest.raises(InvalidInput, match="at most 1000"):
            kg.entities.get_many(**too_many)
    assert list(kg.entities.get_many(keys=[each.key or "" for each in made], names=many[:900])) == made


def test_entities_are_fetched_by_name(kg: KnowledgeGraph) -> None:
    """By the whole name, in any case and with or without the accents of Latin letters; aliases do not count."""
    names = ("Zoë", "ZOE", "ハハ", "パパ", "ไม้", "ไม่", "كتاب", "हिन्दी", "👩‍🔬", "a" * 300 + "b", "a" * 300 + "c")
    made = {name: kg.entities.create(type="t", name=name, aliases=["Zoe of Crete"]) for name in names}
    gone = kg.entities.create(type="t", name="Zoe")
    kg.entities.delete(gone.id)
    for asked, expected in {
        "zoe": ["Zoë", "ZOE"],
        "ハハ": ["ハハ"],
        "ไม่": ["ไม่"],
        "كتاب": ["كتاب"],
        "हिन्दी": ["हिन्दी"],
        "👩‍🔬": ["👩‍🔬"],
        "A" * 300 + "B": ["a" * 300 + "b"],
        "Zoe of Crete": [],
        "zo": [],
        "%": [],
    }.items():
        assert kg.entities.get_many(names=[asked]) == [made[name] for name in expected], asked
    assert list(kg.entities.get_many(names=names)) == list(made.values())
    assert [entity.id for entity in kg.entities.get_many(names=["Zoe"], is_active=False)] == [gone.id]
    assert len(kg.entities.get_many(names=["Zoe"], is_active=None)) == 3


def test_names_that_find_too_much_are_refused(kg: KnowledgeGraph) -> None:
    """Nothing is left out without a word: the answer is whole, or says that it can't be."""
    kg.load({"kind": "entity", "type": "t", "name": "same", "key": str(number)} for number in range(5_001))
    with pytest.raises(InvalidInput, match="more than 5000"):
        kg.entities.get_many(names=["Same"])


def test_a_deleted_entity_is_found_by_its_key(kg: KnowledgeGraph) -> None:
    """The active one comes first; else the one that was deleted last, to those who ask for it."""
    with pytest.raises(NotFound) as unknown:
        kg.entities.get_by_key("Q1")
    assert not isinstance(unknown.value, Deleted)
    first, second = (kg.entities.delete(kg.entities.create(type="t", name="n", key="Q1").id) for _ in range(2))
    with pytest.raises(Deleted, match=f"Q1.*{second.id}.*restore"):
        kg.entities.get_by_key("Q1")
    assert kg.entities.get_by_key("Q1", include_deleted=True) == second
    assert kg.entities.get_many(keys=["Q1"]) == []
    assert list(kg.entities.get_many(keys=["Q1"], is_active=False)) == [first, second]
    third = kg.entities.create(type="t", name="n", key="Q1")
    assert kg.entities.get_by_key("Q1") == kg.entities.get_by_key("Q1", include_deleted=True) == third
    assert list(kg.entities.get_many(keys=["Q1"], is_active=None)) == [first, second, third]


def test_a_conflict_names_who_is_in_the_way(kg: KnowledgeGraph, ada: Entity) -> None:
    """The value that is taken and the record that holds it, whichever call meets it."""
    holder, other = kg.entities.create(type="t", name="n", key="คีย์"), kg.entities.create(type="t", name="n")
    for call in (
        lambda: kg.entities.create(type="t", name="n", key="คีย์"),
        lambda: kg.entities.update(other.id, key="คีย์"),
        lambda: kg.entities.patch(other.id, {"key": "คีย์"}),
    ):
        with pytest.raises(AlreadyExists, match=f"the key คีย์ is taken by entity {holder.id}") as refused:
            call()
        assert (refused.value.field, refused.value.value, refused.value.holder) == ("key", "คีย์", holder.id)
    kg.entities.delete(holder.id)
    again = kg.entities.create(type="t", name="n", key="คีย์")
    with pytest.raises(AlreadyExists, match=f"taken by entity {again.id}"):
        kg.entities.restore(holder.id)
    knows = kg.relationships.create(ada.id, "knows", other.id)
    with pytest.raises(AlreadyExists, match=f"taken by relationship {knows.id}"):
        kg.relationships.create(ada.id, "knows", other.id)
    kg.relationships.delete(knows.id)
    now = kg.relationships.create(ada.id, "knows", other.id)
    with pytest.raises(AlreadyExists, match=f"taken by relationship {now.id}"):
        kg.relationships.restore(knows.id)
    user = kg.users.create(email="ada@example.org", password="a few unrelated words")
    with pytest.raises(AlreadyExists, match=f"the email ada@example.org is taken by user {user.id}"):
        kg.users.create(email="ADA@example.org", password="a few unrelated words")
    with kg.transaction() as tx:
        with pytest.raises(AlreadyExists, match=f"taken by entity {again.id}"):
            tx.entities.create(type="t", name="n", key="คีย์")
        kept = tx.entities.create(type="t", name="kept")
    assert kg.entities.get(kept.id) == kept


def test_none_empties_a_field(kg: KnowledgeGraph) -> None:
    """As if it had been left out; what is required stays required."""
    made = kg.entities.create(type="t", name="n", aliases=None, metadata=None)  # type: ignore[arg-type]
    assert (made.aliases, made.metadata) == ((), {})
    full = kg.entities.update(made.id, aliases=["a"], metadata={"a": 1})
    emptied = kg.entities.update(full.id, aliases=None, metadata=None)  # type: ignore[arg-type]
    assert (emptied.aliases, emptied.metadata) == ((), {})
    with pytest.raises(InvalidInput, match="/name"):
        kg.entities.update(made.id, name=None)  # type: ignore[arg-type]


def test_the_log_is_read_on_from_where_one_stopped(kg: KnowledgeGraph, ada: Entity) -> None:
    """A page's cursor leads on, now or when there is more; with nothing new it stays where it was."""
    assert kg.changes(limit=1).items[0].record == ada
    cursor = kg.changes().next_cursor
    again = kg.changes(after=cursor)
    assert (again.items, again.next_cursor) == ((), cursor)
    kg.entities.update(ada.id, name="A")
    kg.entities.delete(ada.id)
    page = kg.changes(after=cursor, limit=1)
    assert [change.action for change in page.items] == ["updated"]
    assert [change.action for change in kg.changes(after=page.next_cursor).items] == ["deleted"]


def test_stats_count_what_there_is(kg: KnowledgeGraph, wrote: Relationship) -> None:
    """Active by type, deleted, changes and users, of one moment."""
    kg.users.create(email="ada@example.org", password="a few unrelated words")
    kg.entities.create(type="person", name="Grace")
    kg.entities.delete(wrote.target_entity_id)
    stats = kg.stats()
    assert (stats.entities.active, stats.entities.deleted, dict(stats.entities.by_type)) == (2, 1, {"person": 2})
    assert (stats.relationships.active, stats.relationships.deleted, stats.relationships.by_type) == (0, 1, {})
    assert (stats.changes, stats.users) == (6, 1)


def test_a_dump_loads_into_an_equal_graph(kg: KnowledgeGraph, wrote: Relationship, ada: Entity) -> None:
    """Also what was deleted, and the active that took its key or its place meanwhile."""
    a, b = wrote.source_entity_id, wrote.target_entity_id
    kg.relationships.delete(wrote.id)
    kg.relationships.create(a, "wrote", b)
    old = kg.entities.create(type="person", name="Old", key="held in turn")
    kg.relationships.create(old.id, "knows", a)
    kg.entities.delete(old.id)
    kg.entities.create(type="person", name="New", key="held in turn")
    records = list(kg.dump())
    assert [record["kind"] for record in records] == ["entity"] * 4 + ["relationship"] * 3
    with connect("memory://") as other:
        summary = other.load(records)
        assert summary.refusals == ()
        assert list(other.dump()) == records
        assert other.load(records).unchanged == len(records)
    assert kg.load(records).unchanged == len(records)
    assert ada.id == a
