"""Searching by name: what is found, in which order, and what is told besides; the same on every store."""

from collections.abc import Sequence
from typing import Any

import attrs
import pytest

from kgl_adapters.memory.store import MemoryStore
from kgl_adapters.sql.exploration import name_statements
from kgl_adapters.sql.exploration import names as searched_names
from kgl_adapters.sql.exploration.name_statements import NameStatements
from kgl_core import HistoryLost, InvalidCursor, InvalidInput, KnowledgeGraph
from kgl_core.exploration.search import searching
from kgl_core.exploration.search.nearest_words import edits
from kgl_core.kernel.units_of_work import Store
from tests.contract.samples import changed, graph_on

SIGNS = [
    "Jean-Luc Oak",
    "O'Fern",
    "A&B Mill",
    "50% Cedar",
    "Elm: a tree",
    'a "quoted" elm',
    "OR",
    "NOT Elm",
    "(Elm)",
    "elm*",
    "a\\b",
    "C",
    "C++",
    "C#",
    ".NET",
    "A*",
]
CODES = ("DEC-0054", "apply_leaf", "photo-2024.jpg", "ash.example.org", "DS-7604NI-E1/4P", "v1.2.3")
UNSPACED = ("大灯工厂", "東京塔", "京都府", "重装gamma后台", "本田", "本地", "田中", "กรุงเทพมหานคร", "김치찌개")
FOLDED = ("Straße", "Strase", "Müller", "Mueller", "Øre", "Ore", "Berlin", "Berlín", "İnci", "Iş\u0131k", "ﬁr")
SHORT = ("The Who", "To Be", "It", "A")


def filled(store: Store, names: Sequence[str]) -> KnowledgeGraph:
    """A graph with an entity for each name."""
    kg = graph_on(store)
    kg.load([{"kind": "entity", "type": "t", "key": str(n), "name": name} for n, name in enumerate(names)])
    return kg


def found(kg: KnowledgeGraph, q: str, **query: Any) -> list[str]:
    """The names of the entities that a search finds, in its order."""
    return [each.entity.name for each in kg.search(q, **query).items]


def suggested(kg: KnowledgeGraph, q: str, **query: Any) -> list[str]:
    """The names of the entities that are suggested."""
    return [each.entity.name for each in kg.search.suggest(q, **query)]


def test_every_name_is_first_for_itself(store: Store) -> None:
    """Whatever signs it has, and whatever they mean in the language of some index."""
    kg = filled(store, [*SIGNS, *CODES, *UNSPACED, *FOLDED, *SHORT])
    for name in (*SIGNS, *CODES, *UNSPACED, *FOLDED, *SHORT):
        results = kg.search(name)
        assert (results.items[0].entity.name, results.items[0].score) == (name, 1.0)
        assert results.total == len(results.items)
        assert suggested(kg, name)[0] == name


@pytest.mark.parametrize(
    "q", ["%", "-", '"', '""', "*", "_", "\\", "'", "NEAR(", ":*", "AND", "' OR 1=1", "elm* OR ore"]
)
def test_no_sign_means_anything(store: Store, q: str) -> None:
    """Such a question finds names that hold it, or nothing; never everything."""
    kg = filled(store, [*SIGNS, *FOLDED, "-", "*"])
    assert set(found(kg, q)) <= {"-", "*"} | set(SIGNS)
    assert len(found(kg, q)) <= 2


@pytest.mark.parametrize(
    ("q", "names"),
    [
        ("0054", ["DEC-0054"]),
        ("leaf", ["apply_leaf"]),
        ("2024", ["photo-2024.jpg"]),
        ("example", ["ash.example.org"]),
        ("DS-7604", ["DS-7604NI-E1/4P"]),
        ("7604", ["DS-7604NI-E1/4P"]),
        ("1.2", ["v1.2.3"]),
        ("灯", ["大灯工厂"]),
        ("大灯", ["大灯工厂"]),
        ("京都", ["京都府"]),
        ("塔", ["東京塔"]),
        ("gamma", ["重装gamma后台"]),
        ("本田", ["本田"]),
        ("มหา", ["กรุงเทพมหานคร"]),
        ("찌개", ["김치찌개"]),
        ("STRASSE", ["Straße"]),
        ("muller", ["Müller"]),
        ("inci", ["İnci"]),
        ("fir", ["ﬁr"]),
        ("the", ["The Who"]),
        ("xx oak", []),
        ("oak xx", []),
    ],
)
def test_parts_of_names(store: Store, q: str, names: list[str]) -> None:
    """Each of these finds exactly the names that hold it, and so do suggestions."""
    kg = filled(store, [*SIGNS, *CODES, *UNSPACED, *FOLDED, *SHORT])
    assert sorted(found(kg, q)) == sorted(suggested(kg, q)) == sorted(names)


def test_the_order(store: Store) -> None:
    """The whole name, an alias, names that begin so, all words; among equals sources, confidence, degree, length."""
    kg = graph_on(store)

    def add(name: str, **fields: Any) -> Any:
        return kg.entities.create(type="t", name=name, **fields)

    add("Oak", aliases=["Robur"])
    add("Quercus", aliases=["Oak", "Eiche"])
    busy = [add(f"Oak Street {n}") for n in range(4)]
    hub = add("Hub")
    for street in busy[2:]:
        kg.relationships.create(street.id, "near", hub.id)
    kg.relationships.create(busy[3].id, "leads_to", hub.id)
    add("Oak Alley Lane", confidence=0.5)
    add("Oakwood", confidence=0.25)
    add("Old Oak Lane")
    add("Croak")
    assert found(kg, "oak") == [
        "Oak",
        "Quercus",
        "Oak Alley Lane",
        "Oakwood",
        "Oak Street 3",
        "Oak Street 2",
        "Oak Street 0",
        "Oak Street 1",
        "Old Oak Lane",
    ]
    assert [each.score for each in kg.search("oak", limit=3).items] == [1.0, 0.8, 0.6]
    assert suggested(kg, "oak", limit=3) == ["Oak", "Quercus", "Oak Alley Lane"]
    matched = kg.search("eich").items[0].matched
    assert (matched.field, matched.text, matched.offsets) == ("alias", "Eiche", ((0, 4),))


def test_a_key_is_found_by_its_beginning(store: Store) -> None:
    """And as a whole, but not by other words in it, which would drown names."""
    kg = graph_on(store)
    for n, name in enumerate(("Blue Oak", "Elm")):
        kg.entities.create(type="t", name=name, key=f"doc:Blue Trees#{n}")
    assert sorted(found(kg, "doc:blue")) == sorted(suggested(kg, "doc")) == ["Blue Oak", "Elm"]
    assert found(kg, "doc:Blue Trees#0") == ["Blue Oak"]
    assert found(kg, "blue") == suggested(kg, "blue") == ["Blue Oak"]
    assert found(kg, "trees") == found(kg, "trees doc") == []
    assert kg.search("tree").nearest_words == ()
    assert kg.check().is_clean


def test_what_is_deleted_or_renamed_is_not_found(store: Store) -> None:
    """The index follows every change, also one that is taken back."""
    kg = graph_on(store)
    oak = kg.entities.create(type="t", name="Oak", aliases=["Robur"], key="K-1")
    assert found(kg, "robur") == found(kg, "k-1") == ["Oak"]
    kg.entities.update(oak.id, name="Elm", aliases=["Ulmus", "Wych"])
    assert (found(kg, "oak"), found(kg, "robur"), found(kg, "wych")) == ([], [], ["Elm"])
    kg.entities.delete(oak.id)
    assert found(kg, "elm") == found(kg, "k-1") == []
    kg.entities.restore(oak.id)
    assert found(kg, "elm") == ["Elm"]

    def rename_and_fail() -> None:
        with kg.transaction() as tx:
            tx.entities.update(oak.id, name="Ash")
            assert [each.entity.name for each in tx.search("ash").items] == ["Ash"]
            raise RuntimeError

    with pytest.raises(RuntimeError):
        rename_and_fail()
    assert (found(kg, "ash"), found(kg, "elm")) == ([], ["Elm"])
    with kg.transaction() as tx:
        tx.entities.update(oak.id, name="Ash", confidence=0.5)
        tx.entities.update(oak.id, confidence=0.6)
        tx.entities.update(oak.id, name="Fir", aliases=["Ulmus"], key=None)
    assert (found(kg, "ash"), found(kg, "wych"), found(kg, "k-1"), found(kg, "ulmus")) == ([], [], [], ["Fir"])
    kg.entities.update(oak.id, type="tree")
    assert [each.entity.name for each in kg.search("fir", type="tree").items] == ["Fir"]
    assert kg.check().is_clean


def test_pages_and_filters(store: Store) -> None:
    """Every entity once, in one order, also while others come and go; a cursor is good for its search alone."""
    kg = graph_on(store)
    made = [
        kg.entities.create(type=f"t{n % 2}", name=f"Oak {n:02}", source=f"https://s/{n % 3}", confidence=n / 20)
        for n in range(20)
    ]
    names = found(kg, "oak", limit=200)
    assert names == [f"Oak {n:02}" for n in reversed(range(20))]
    pages, cursor = [], None
    while True:
        page = kg.search("oak", limit=7, cursor=cursor)
        assert (page.total, page.truncated) == (20 - len(pages) // 7, None)
        pages += [each.entity.name for each in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
        kg.entities.delete(made[19 - len(pages) // 7].id)  # one that was shown
    assert pages == names
    assert found(kg, "oak", type="t1", min_confidence=0.5) == [f"Oak {n:02}" for n in (19, 15, 13, 11)]
    assert kg.search("oak", type="t1", limit=1).total == 9
    counted = kg.search("oak", facets=["type", "source"]).facets
    assert [(each.value, each.count) for each in counted["type"]] == [("t0", 9), ("t1", 9)]
    assert sum(each.count for each in counted["source"]) == 18
    kg.entities.create(type="t2", name="Elm", source="https://s")
    kg.entities.create(type="t2", name="Elm")
    assert [each.value for each in kg.search("elm", facets="source").facets["source"]] == ["https://s", None]
    first = kg.search("oak", limit=1).next_cursor
    with pytest.raises(InvalidCursor):
        kg.search("elm", cursor=first)
    with pytest.raises(InvalidCursor):
        kg.search("oak", type="t0", cursor=first)


def test_the_filters_of_lists(store: Store) -> None:
    """They mean the same in a search, in its total and in its facets."""
    kg = graph_on(store)
    for n, country in enumerate(("FR", "DE", 7)):
        kg.entities.create(type="t", name=f"Oak {n}", metadata={"coun'try%": country}, source=f"https://s/{n}")
    kg.entities.create(type="t", name="Oak 3")
    for filter, names in (
        ({"metadata": {"coun'try%": "FR"}}, ["Oak 0"]),
        ({"metadata": {"coun'try%": ["DE", 7.0]}}, ["Oak 1", "Oak 2"]),
        ({"has_metadata": "coun'try%"}, ["Oak 0", "Oak 1", "Oak 2"]),
        ({"name": ["OAK 1", "oak 3"]}, ["Oak 1", "Oak 3"]),
        ({"name_prefix": "oak 2"}, ["Oak 2"]),
        ({"source": "https://s/1", "min_sources": 1}, ["Oak 1"]),
    ):
        results = kg.search("oak", facets=["type"], **filter)  # type: ignore[arg-type]
        assert sorted(each.entity.name for each in results.items) == names
        assert [each.count for each in results.facets["type"]] == [results.total] == [len(names)]


def test_a_word_of_many_scripts_costs_little(store: Store) -> None:
    """No letters of twenty alphabets are tried at each of its places, which no database could be asked for at once."""
    kg = filled(store, ["Oak"])
    blocks = (0x61, 0x1E7, 0x259, 0x3B1, 0x430, 0x561, 0x5D0, 0x633, 0x710, 0x784, 0x7CA, 0x905, 0x985, 0xA05, 0xB05)
    word = "".join(map(chr, blocks))
    results = kg.search(f"{word} {word[::-1]} {word[1:]} unknown")
    assert (results.total, results.nearest_words) == (0, ())
    assert len(edits("абвгдежзийклмнопрсту")) < 10_000


def test_parts_are_looked_for_in_so_many_names(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """If more have the words, this is told, and the total is a least number."""
    kg = filled(store, [*(f"oak beech elm {n}" for n in range(6)), "oak elm beech"])
    for most, is_cut in ((8, False), (3, not isinstance(store, MemoryStore))):
        monkeypatch.setattr(name_statements, "LOOKED_THROUGH_MAX", most)
        made = {is_sqlite: NameStatements(is_sqlite=is_sqlite) for is_sqlite in (False, True)}
        monkeypatch.setattr(searched_names, "_STATEMENTS", made)
        results = kg.search('"elm beech"')
        assert results.total == len(results.items) <= 1
        if is_cut:
            assert results.truncated is not None
            assert results.truncated.reason == "max_candidates"
        else:
            assert results.truncated is None
            assert results.total == 1


def test_whole_words_are_taken_first(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where not all names can be looked at: what begins so, then whole words, then words that begin so."""
    names = ["Oak Elm Hall", "Oak Elmwood", *(f"Elmwood Oak {n}" for n in range(4)), "Elm Oak 1", "Elm Oak 2"]
    kg = filled(store, names)
    in_memory = isinstance(store, MemoryStore)
    first = [*names[:2], *names[6:], *names[2:6]]
    for most in (2, 4, 5, 9):
        monkeypatch.setattr(searching, "CANDIDATES_MAX", most)
        results = kg.search("oak elm", facets=["type"])
        taken = {each.entity.name for each in results.items}
        assert len(taken) == results.total == results.facets["type"][0].count
        assert taken == set(names) if in_memory else taken.issuperset(first[: min(most, 4)])
        assert len(taken) == (8 if in_memory else min(most, 8))
        assert (results.truncated is None) == (in_memory or most > len(names))


@pytest.mark.parametrize("q", ["", "  ", "\u200b", "x" * 501, "a" + "\u0301" * 40])
def test_no_question(store: Store, q: str) -> None:
    """Each says what is wrong with it."""
    kg = graph_on(store)
    for ask in (kg.search, kg.search.suggest):
        with pytest.raises(InvalidInput) as refused:
            ask(q)
        assert [fault.pointer for fault in refused.value.faults] == ["/q"]


def test_arguments_are_checked(store: Store) -> None:
    """Deleted entities are not searched; limits and facets are what they may be."""
    kg = graph_on(store)
    for query, pointer in (
        ({"is_active": False}, "/is_active"),
        ({"is_active": None}, "/is_active"),
        ({"is_retired": True}, "/is_retired"),
        ({"limit": 201}, "/limit"),
        ({"facets": ["name"]}, "/facets/0"),
        ({"facets": 5}, "/facets/0"),
        ({"typ": "t"}, "/typ"),
    ):
        with pytest.raises(InvalidInput) as refused:
            kg.search("oak", **query)
        assert [fault.pointer for fault in refused.value.faults] == [pointer]
    with pytest.raises(InvalidInput):
        kg.search.suggest("oak", limit=21)


def test_a_cursor_of_another_history(store: Store) -> None:
    """Where the entity at which a page ended is not the one that it was."""
    kg = filled(store, ["Oak", "Oak tree"])
    cursor = kg.search("oak", limit=1).next_cursor
    assert cursor is not None
    with store.begin() as uow:
        [first] = [each.entity for each in kg.search("oak", limit=1).items]
        uow.entities.delete(first.id)
        uow.commit()
    with pytest.raises(HistoryLost):
        kg.search("oak", limit=1, cursor=cursor)
    kg.rebuild_index()
    kg.check(repair=True)


def test_nearest_words(store: Store) -> None:
    """Of what nobody is called; not where something is found, nor of what can't be edited."""
    kg = filled(store, ["United Oak", "Untied Shoe", "Ашан", "東京", "Unity", "K 100"])
    assert kg.search("unitde").nearest_words == ("united",)
    assert kg.search("untied oa").nearest_words == ()  # both words are there, but in no name together
    assert kg.search("ашат").nearest_words == ("ашан",)
    assert kg.search("unired").nearest_words == ("united",)
    assert kg.search("oka").nearest_words == ("oak",)
    assert kg.search("uited shoes").nearest_words == ("united", "shoe")
    assert kg.search("東亰").nearest_words == kg.search("101").nearest_words == kg.search("oak").nearest_words == ()


def test_long_names_in_every_script(store: Store) -> None:
    """All can be stored, and found by their whole, on every store."""
    names = [text * 500 for text in ("x", "字", "ก", "ﬃ", "🔵", "a1", "ﷺ")]
    names = [name[:500] for name in names]
    kg = filled(store, names)
    for name in names:
        assert found(kg, name) == [name]


def test_names_that_are_taken_back_within_a_transaction(store: Store) -> None:
    """What a unit of work knows of names does not outlive what was done within it."""
    kg = filled(store, ["Oak"])
    [oak] = kg.entities.list().items
    with store.begin() as uow:
        uow.entities.get(oak.id, lock="update")
        with uow.begin() as inner:
            inner.entities.replace([changed(oak, name="Elm")])
            inner.entities.get(oak.id, lock="update")  # and nothing of it is kept
        uow.entities.replace([changed(oak, name="Elm")])
        uow.commit()
    assert (found(kg, "elm"), found(kg, "oak")) == (["Elm"], [])
    with store.begin() as uow:
        elm = uow.entities.get(oak.id, lock="update")
        assert elm is not None
        with uow.begin() as inner:
            inner.entities.replace([changed(elm, name="Ash")])
            inner.commit()
        uow.entities.replace([attrs.evolve(elm, version=elm.version + 2)])
        uow.commit()
    assert (found(kg, "elm"), found(kg, "ash")) == (["Elm"], [])
