"""Linking: which entities have just these names, for many names at once; the same on every store."""

import gc

import pytest

from kgl_core import InvalidInput, KnowledgeGraph
from kgl_core.exploration.search.linking import Linked
from kgl_core.kernel.units_of_work import Store
from tests.contract.samples import graph_on


def told(linked: Linked) -> list[tuple[str, str, str]]:
    """What was found for a name: the names of the entities, how alike they are, and which of their names it is."""
    return [(match.entity.name, match.likeness, match.text) for match in linked.matches]


def one(kg: KnowledgeGraph, name: str, type: str | None = None, limit: int = 5) -> list[tuple[str, str, str]]:
    """What is found for one name."""
    [linked] = kg.search.link([{"name": name, "type": type}], limit=limit)
    assert (linked.name, linked.type) == (name, type)
    return told(linked)


def test_identity_comes_before_search(store: Store) -> None:
    """Whether kgl takes both for one name, or only search does; aliases and keys count; parts of names do not."""
    kg = graph_on(store)
    for name, type, more in (
        ("Jean-Luc Oak", "person", {}),
        ("JEAN-LUC OAK", "ship", {}),
        ("Jean Luc Oak", "person", {"aliases": ["J. L. Oak"]}),
        ("Jean-Luc Oakes", "person", {}),
        ("Müller", "person", {"key": "K-7"}),
        ("Ørsted", "person", {}),
        ("本田", "company", {"aliases": ["ホンダ"]}),
    ):
        kg.entities.create(type=type, name=name, **more)  # type: ignore[arg-type]
    assert one(kg, "jean-luc oak") == [
        ("Jean-Luc Oak", "identity", "Jean-Luc Oak"),
        ("JEAN-LUC OAK", "identity", "JEAN-LUC OAK"),
        ("Jean Luc Oak", "search", "Jean Luc Oak"),
    ]
    assert one(kg, "Jean-Luc Oak", "ship") == [("JEAN-LUC OAK", "identity", "JEAN-LUC OAK")]
    assert one(kg, "J L Oak") == [("Jean Luc Oak", "search", "J. L. Oak")]
    assert one(kg, "MULLER") == [("Müller", "identity", "Müller")]
    assert one(kg, "k-7") == [("Müller", "identity", "K-7")]
    assert one(kg, "Orsted") == [("Ørsted", "search", "Ørsted")]
    assert one(kg, "ﾎﾝﾀﾞ") == [("本田", "search", "ホンダ")]
    assert one(kg, "Jean") == one(kg, "本") == one(kg, "Oak", "tree") == []


def test_many_names_at_once(store: Store) -> None:
    """Answered in their order, each by itself, also the same name twice; what is left out is told."""
    kg = graph_on(store)
    kg.load([{"kind": "entity", "type": "t", "key": f"k{n}", "name": f"Oak {n % 400}"} for n in range(1_000)])
    names = [f"oak {n}" for n in range(999)] + ["OAK 7"]
    linked = kg.search.link(names, limit=2)
    assert [each.name for each in linked] == names
    assert [len(each.matches) for each in linked] == [2] * 400 + [0] * 599 + [2]
    assert [each.is_cut for each in linked] == [True] * 200 + [False] * 799 + [True]
    assert kg.search.link([]) == ()
    assert gc.isenabled()


def test_arguments_are_checked(store: Store) -> None:
    """Each fault is told with its place."""
    kg = graph_on(store)
    for names, limit, pointers in (
        (["Oak", " "], 5, ["/names/1/name"]),
        ([{"name": "Oak", "kind": "t"}], 5, ["/names/0/kind"]),
        ([{"type": "t"}], 5, ["/names/0/name"]),
        ([7], 5, ["/names/0"]),
        ("Oak", 5, ["/names"]),
        (None, 5, ["/names"]),
        (["Oak"], 21, ["/limit"]),
        (["Oak"] * 1_001, 5, ["/names"]),
    ):
        with pytest.raises(InvalidInput) as refused:
            kg.search.link(names, limit=limit)  # type: ignore[arg-type]
        assert [fault.pointer for fault in refused.value.faults] == pointers


def test_linking_in_a_transaction(store: Store) -> None:
    """Who links before creating sees what the same transaction has created."""
    kg = graph_on(store)
    with kg.transaction() as tx:
        tx.entities.create(type="t", name="Oak")
        assert told(tx.search.link(["oak"])[0]) == [("Oak", "identity", "Oak")]
        assert told(kg.search.link(["oak"])[0]) == [] or store.__class__.__name__ == "MemoryStore"
