"""What every `EntityRepository` promises, besides what all repositories do."""

from kgl_core import EntityFilter
from kgl_core.graph.entities import End
from kgl_core.kernel.units_of_work import Store
from tests.contract.samples import NOON, SECOND, changed, deleted, entity, keep, new_id


def listed(store: Store, sort: str = "created_at", **fields: object) -> list[str]:
    """The names of the entities that a filter admits, checked against their count."""
    wanted = EntityFilter(**fields)
    with store.read() as uow:
        names = [found.name for found in uow.entities.list(wanted, sort, None, 100)]
        assert uow.entities.count(wanted) == len(names)
    return names


def test_ends_tell_id_key_and_activity(store: Store) -> None:
    """What a relationship has to know of its ends, of active and deleted ones."""
    here, gone = entity(key="here"), deleted(entity(key="gone"))
    keep(store, here, gone)
    with store.begin() as uow:
        ends = uow.entities.ends([here.id, gone.id, new_id()], ["here", "gone", "absent"])
    assert sorted(ends) == sorted([End(here.id, "here", True), End(gone.id, "gone", False)])
    assert all(type(end.is_active) is bool for end in ends)


def test_ends_take_none_and_many(store: Store) -> None:
    """More keys than one statement would list."""
    many = [entity(key=f"k{number}") for number in range(1201)]
    with store.begin() as uow:
        assert list(uow.entities.ends([], [])) == []
        uow.entities.add(many)
        uow.commit()
    with store.read() as uow:
        assert len(uow.entities.ends((), [each.key or "" for each in many])) == 1201


def test_ends_are_those_of_the_unit_of_work(store: Store) -> None:
    """A new key shows at once."""
    one = entity(key="k")
    with store.begin() as uow:
        uow.entities.add([one])
        uow.entities.replace([changed(one, key="g")])
        assert list(uow.entities.ends([one.id], ["k"])) == [End(one.id, "g", True)]


def test_filters_admit_what_they_say(store: Store) -> None:
    """Each filter alone and with others: bounds of confidence are inclusive, unknown is within none."""
    a = entity("a", type="person", confidence=0.25, source="s1", source_type="t1")
    b = entity("b", type="place", confidence=0.5, source="s2", source_type="t2", created_at=NOON + SECOND)
    c = entity("c", type="Person", confidence=None, source="S1", created_at=NOON + 2 * SECOND)
    d = deleted(entity("d", type="person", confidence=0.25, created_at=NOON + 3 * SECOND))
    keep(store, a, b, c, d)
    assert listed(store) == ["a", "b", "c"]
    assert listed(store, type="person") == ["a"]
    assert listed(store, type=["person", "place", "absent"]) == ["a", "b"]
    assert listed(store, type=["person", "place"], is_active=None) == ["a", "b", "d"]
    assert listed(store, min_confidence=0.25) == ["a", "b"]
    assert listed(store, min_confidence=0.26) == ["b"]
    assert listed(store, max_confidence=0.25) == ["a"]
    assert listed(store, min_confidence=0, max_confidence=1) == ["a", "b"]
    assert listed(store, min_confidence=0.9, max_confidence=0.1) == []
    assert listed(store, source="s1") == ["a"]
    assert listed(store, source_type="t2") == ["b"]
    assert listed(store, type="person", source="s1", min_confidence=0.2, created_before=NOON + SECOND) == ["a"]


def test_names_sort_by_their_folded_form(store: Store) -> None:
    """Case and accents do not matter, code points do, whatever the database's own language is."""
    names = ["z", "Zoë", "ä", "A b", "a-b", "ß", "_", "9", "Ω", "日本", "\U0001f600", "\uff5e"]
    keep(store, *(entity(name) for name in names))
    expected = sorted(names, key=lambda name: entity(name).sort_name)
    assert listed(store, "name") == expected
    assert listed(store, "-name") == expected[::-1]
