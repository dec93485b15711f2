"""Every store gives back exactly the text and the numbers that it took, by whatever way they went in."""

import json
from typing import Any

import attrs
import pytest

from kgl_core import Entity, EntityFilter, InvalidInput, KnowledgeGraph
from kgl_core.kernel.units_of_work import Store
from tests.contract.samples import created, entity, graph_on, ids_of, keep, relationship

LINES = [
    "plain",
    "O'Brien; DROP TABLE entities; --",
    'say "cheese"',
    "back\\slash \\n \\t \\\\ \\",
    "\\N",
    "NULL",
    "%s %(name)s :name ? $1 {} {0}",
    "  blank on both sides ",
    "\u00a0no-break\u2003spaces\u3000",
    "a\u2028b\u2029c",
    "\U0001f469\u200d\U0001f52c \U00010330 \U0010ffff",
    "\u202eright to left\u202c \u05d0\u05d1",
    "Vi\u1ec7t Nam \u00c5\u00e9 \u1e9b\u0323",
    "\ufeffmark",
    "\ufffd\ufffe\uffff",
    "<b>&amp;</b>",
]
TAKEN_LINES = [line for line in LINES if not set(line) & set("\u2028\u2029\u202e")]
"""Those that can be given today; a store may hold the others from before."""
PARAGRAPHS = [*LINES, "", " ", "\t", "\r\n", "line one\nline two\r\n\ttab", "\x01\x1f\x7f\x80\x9f", "\\.\n", "\n\\N\t"]
NUMBERS: list[float] = [
    0,
    1,
    1.0,
    -0.0,
    0.0,
    -1,
    2**63 - 1,
    -(2**63),
    2**53 + 1,
    1e300,
    5e-324,
    1.7976931348623157e308,
    0.1,
    1 / 3,
    1e16,
    1e22,
    123456789.123456789,
    100000000000000000000.0,
]
METADATA: list[dict[str, Any]] = [
    {},
    {"": ""},
    {"z": 1, "a": 2, "m": {"y": 1, "b": 2}, "A": 0},
    {"1": "text", "one": 1, "true": True, "false": False, "null": None},
    {"l": [], "o": {}, "ll": [[[]]], "lo": [{}]},
    {"deep": {"er": {"still": {"bottom": []}}}},
    {"numbers": NUMBERS},
    {"paragraphs": PARAGRAPHS},
    {name: name for name in PARAGRAPHS},
    {"long": "\U0001f600" * 2_550},
]


def same(found: object, given: object) -> bool:
    """Equal, to the type and sign of every number and to the order of names."""
    return found == given and json.dumps(found) == json.dumps(given)


def texts() -> list[Entity]:
    """Entities that hold every text in every field that can, and the longest that each can."""
    rows = [
        entity(line, aliases=(line, f"{line}!"), key=f"{line}{number}", source=line, source_type=line[:64])
        for number, line in enumerate(LINES)
    ]
    rows.append(
        entity(
            "\U0001f600" * 500,
            type="t" * 64,
            aliases=tuple(str(number) + "\U0001f600" * 490 for number in range(100)),
            key="\U0001f600" * 500,
            source="\U0001f600" * 2000,
            source_type="\U0001f600" * 64,
        )
    )
    # What no compression makes short: the columns with an index must hold it all the same.
    rows.append(
        entity("".join(chr(0x4E00 + n) for n in range(500)), key="".join(chr(0x20000 + n * 7) for n in range(500)))
    )
    return rows


@pytest.mark.parametrize("together", [False, True], ids=["alone", "together"])
def test_text_survives(store: Store, together: bool) -> None:
    """Names, aliases, keys and sources, of records added one by one or together, in their rows and their changes."""
    rows = texts()
    if together:
        with store.begin() as uow:
            uow.entities.add(rows)
            uow.changes.append([created(row) for row in rows])
            uow.commit()
    else:
        for row in rows:
            with store.begin() as uow:
                uow.entities.add([row])
                uow.changes.append([created(row)])
                uow.commit()
    with store.snapshot() as uow:
        for row in rows:
            assert uow.entities.get(row.id) == row
            assert uow.entities.get_by(row.key or "") == row
        assert sorted(ids_of(uow.entities.find([], [row.key or "" for row in rows]))) == sorted(ids_of(rows))
        assert [change.record for change in uow.changes.read(None, 100)] == rows


@pytest.mark.parametrize("together", [False, True], ids=["alone", "together"])
def test_metadata_survives(store: Store, together: bool) -> None:
    """Of both kinds of records and in their changes: the types of numbers, the order of names, and all text."""
    a, b = entity("a"), entity("b")
    entities = [entity(metadata=metadata) for metadata in METADATA]
    relationships = [
        relationship(a, b, relationship_type=f"t{number}", metadata=metadata)
        for number, metadata in enumerate(METADATA)
    ]
    keep(store, a, b)
    batches = (
        [(entities, relationships)] if together else [([e], [r]) for e, r in zip(entities, relationships, strict=True)]
    )
    for some_entities, some_relationships in batches:
        with store.begin() as uow:
            uow.entities.add(some_entities)
            uow.relationships.add(some_relationships)
            uow.changes.append([created(record) for record in (*some_entities, *some_relationships)])
            uow.commit()
    with store.snapshot() as uow:
        for number, metadata in enumerate(METADATA):
            for found in (uow.entities.get(entities[number].id), uow.relationships.get(relationships[number].id)):
                assert found is not None
                assert same(found.metadata, metadata)
        logged = {change.record.id: change.record.metadata for change in uow.changes.read(None, 100)}
    for record in (*entities, *relationships):
        assert same(logged[record.id], record.metadata)


def test_metadata_survives_an_update(store: Store) -> None:
    """Replacing writes values as adding does."""
    one = entity()
    keep(store, one)
    for version, metadata in enumerate(METADATA, 2):
        new = attrs.evolve(one, version=version, metadata=metadata, name=LINES[version], aliases=(LINES[version],))
        with store.begin() as uow:
            uow.entities.replace([new])
            uow.commit()
        with store.read() as uow:
            found = uow.entities.get(one.id)
        assert found == new
        assert same(found.metadata, metadata)


@pytest.mark.parametrize("confidence", [0.0, 1.0, 0.1 + 0.2, 5e-324, 1 - 2**-53, 1 / 3])
def test_confidence_survives(store: Store, confidence: float) -> None:
    """To the last bit, alone as among several."""
    one, two, three = (entity(confidence=confidence) for _ in range(3))
    keep(store, one)
    with store.begin() as uow:
        uow.entities.add([two, three])
        uow.commit()
    with store.read() as uow:
        found = [each.confidence for each in uow.entities.find([one.id, two.id, three.id])]
    assert found == [confidence] * 3
    assert all(type(each) is float for each in found)


def test_filters_and_keys_take_any_text(store: Store) -> None:
    """A value that looks like SQL or like a pattern is a value."""
    with store.begin() as uow:
        uow.entities.add(texts())
        uow.commit()
    with store.read() as uow:
        for line in TAKEN_LINES:
            assert [each.source for each in uow.entities.list(EntityFilter(source=line), "name", None, 9)] == [line]
            assert uow.entities.count(EntityFilter(source_type=line[:64])) == 1


def test_what_use_cases_take_comes_back(kg: KnowledgeGraph) -> None:
    """The same through the library's face: created, updated, listed, dumped and loaded again."""
    made = [
        kg.entities.create(type="t", name=line, aliases=[f"{line}!"], key=line, metadata={"line": line})
        for line in TAKEN_LINES
    ]
    for one, line in zip(made, reversed(TAKEN_LINES), strict=True):
        assert kg.entities.get_by_key(one.key or "") == one
        updated = kg.entities.update(one.id, source=line, metadata={"paragraphs": PARAGRAPHS})
        assert kg.entities.get(one.id) == updated
    names = [found.name for found in kg.entities.list(sort="name").items]
    assert sorted(names) == sorted(line.strip().strip("\ufeff") for line in TAKEN_LINES)
    assert kg.load(kg.dump()).unchanged == len(TAKEN_LINES)


def test_a_changed_number_is_a_change(kg: KnowledgeGraph) -> None:
    """1, 1.0, True and -0.0 are told apart, in the store as by an update."""
    one = kg.entities.create(type="t", name="n", metadata={"n": 1})
    for value in (1.0, True, 0, -0.0, 0.0, False, None, [], {}):
        updated = kg.entities.update(one.id, metadata={"n": value})
        assert updated.version == one.version + 1
        one = kg.entities.get(one.id)
        assert same(one.metadata, {"n": value})


def test_what_was_kept_before_todays_rules_stays(store: Store) -> None:
    """It is read, listed and dumped as it is, can be changed in everything else, and mended."""
    kg = graph_on(store)
    old = entity("\u200b", aliases=("\u0301", "a\u2028b"), key="\u2060", source="\u202eabc")
    other = entity("Ada")
    edge = relationship(old, other, source="a\u2029b")
    keep(store, old, other, edge)
    names = ("name", "aliases", "key", "source")
    assert kg.entities.get(old.id) == old
    assert old in kg.entities.list(sort="name").items
    [dumped] = [record for record in kg.dump() if record["id"] == str(old.id)]
    assert [dumped[name] for name in names] == [old.name, list(old.aliases), old.key, old.source]
    for changed in (
        kg.entities.update(old.id, confidence=0.5),
        kg.entities.patch(old.id, {"metadata": {"a": 1}}),
        kg.entities.patch(old.id, {"name": "\u200b", "type": "place"}),
    ):
        assert [getattr(changed, name) for name in names] == [getattr(old, name) for name in names]
    assert kg.relationships.update(edge.id, confidence=0.5).source == edge.source
    assert kg.relationships.patch(edge.id, {"metadata": {"a": 1}}).source == edge.source
    with pytest.raises(InvalidInput, match="/name: give at least one visible character"):
        kg.entities.update(old.id, name="\u2060")
    mended = kg.entities.update(old.id, name=" Ada ", aliases=["A"], key=None, source=None)
    assert (mended.name, mended.aliases, mended.version) == ("Ada", ("A",), 5)
