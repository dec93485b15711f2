"""What a fact shows of what is said of it: which value wins, what is pinned, and what fits."""

import json
from collections.abc import Iterable
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kgl_core import Actor, ActorKind
from kgl_core.evidence.assertions import Assertion, SourcedAssertion, Stance
from kgl_core.evidence.combining import combined
from kgl_core.evidence.origins.extractors import EXTRACTOR, extractor_id
from kgl_core.evidence.origins.sources import SOURCE, source_id
from kgl_core.evidence.supporting import Origins, by_strength, shown, stated, stated_by, values_of
from kgl_core.graph.facts import pointer
from kgl_core.graph.metadata import METADATA_BYTES_MAX, METADATA_KEYS_MAX
from kgl_core.kernel.ids import AssertionId
from tests.contract.samples import NOON, SECOND, entity, new_id, relationship

ANN, BOT = Actor(ActorKind.USER, "ann"), Actor(ActorKind.SERVICE, "bot")
URIS = ["https://example.org/1", "d2", "文書"]
_SOURCES = {
    source_id(uri): SOURCE.record(
        id=source_id(uri),
        uri=uri,
        title=None,
        type=type_,
        published=None,
        metadata={},
        created_by=ANN,
        created_at=NOON,
        rank=rank,
    )
    for uri, type_, rank in zip(URIS, ("wiki", None, "pdf"), (0, 0, 5), strict=True)
}
DOUBTED = EXTRACTOR.record(id=extractor_id("y"), name="y", created_by=ANN, created_at=NOON, rank=-3)
ORIGINS = Origins(_SOURCES, {DOUBTED.name: DOUBTED})
ADA, BO = entity("Ada"), entity("Bo")
KNOWS = relationship(ADA, BO)


def say(values: Any = None, /, *, fact: Any = ADA, after: int = 0, **fields: Any) -> Assertion:
    """An assertion for a fact, by an extractor unless it says otherwise."""
    about = "entity_id" if "name" in vars(fact) else "relationship_id"
    defaults: dict[str, Any] = {
        "id": AssertionId(new_id()),
        about: fact.id,
        "extractor": "x",
        "values": {} if values is None else values,
        "asserted_by": BOT,
        "asserted_at": NOON + after * SECOND,
    }
    return Assertion(**{**defaults, **fields})


def sourced(said: Iterable[Assertion], source: str | None = None) -> list[SourcedAssertion]:
    """Assertions with the URI of their source."""
    return [SourcedAssertion(**vars(each), source=source) for each in said]


def of(uri: str) -> Any:
    """The id of a source."""
    return source_id(uri)


METADATA = st.dictionaries(
    st.sampled_from(["a", "b/c", "~d", "名前", "ชื่อ", "🙂", ""]),
    st.sampled_from([1, 1.0, True, "x", [1], {"y": None}]),
    max_size=4,
)
ENTITY_VALUES = st.fixed_dictionaries(
    {"type": st.sampled_from(["person", "poet"]), "name": st.sampled_from(["Ada", "Āda", "エイダ", "เอดา", "🙂"])},
    optional={
        "aliases": st.just(["A"]) | st.just(["B", "C"]),
        "metadata": METADATA.filter(bool),
        "source_type": st.just("s"),
    },
)
EDGE_VALUES = st.fixed_dictionaries(
    {},
    optional={
        "valid_from": st.sampled_from(["1990", "1991"]),
        "valid_to": st.sampled_from(["1992", "1993"]),
        "metadata": METADATA.filter(bool),
    },
)
FIELDS = st.fixed_dictionaries(
    {
        "confidence": st.sampled_from([None, 0.0, 0.5, 0.5, 0.9, 1.0]),
        "extractor": st.sampled_from([None, "x", "y"]),
        "source_id": st.sampled_from([None, *ORIGINS.sources]),
        "asserted_by": st.sampled_from([ANN, BOT]),
        "stance": st.sampled_from([Stance.FOR, Stance.FOR, Stance.FOR, Stance.AGAINST]),
        "after": st.integers(0, 3),
    }
)


def assertions(fact: Any) -> st.SearchStrategy[list[Assertion]]:
    """Some assertions about a fact, each of its own id."""
    values = ENTITY_VALUES if fact is ADA else EDGE_VALUES
    one = st.builds(lambda values, fields: say(values, fact=fact, **fields), values, FIELDS)
    return st.lists(one, max_size=6)


@pytest.mark.parametrize("fact", [ADA, KNOWS], ids=["entity", "relationship"])
@given(data=st.data())
def test_the_order_of_assertions_does_not_matter(fact: Any, data: st.DataObject) -> None:
    """Neither for what is shown, to the last bit and type, nor for which values win."""
    said = data.draw(assertions(fact))
    other = data.draw(st.permutations(said))
    assert repr(shown(fact, said, ORIGINS)) == repr(shown(fact, other, ORIGINS))
    assert values_of(fact, sourced(said), ORIGINS) == values_of(fact, sourced(other), ORIGINS)


@given(assertions(ADA))
def test_a_fact_counts_and_combines_its_sources(said: list[Assertion]) -> None:
    """Each source once, whoever found what there; a word without source is its author's."""
    found = shown(ADA, said, ORIGINS)
    pro = [each for each in said if each.stance is Stance.FOR]
    con = [each for each in said if each.stance is Stance.AGAINST]
    assert found["sources_for"] == len({each.source_id or each.asserted_by for each in pro})
    assert found["sources_against"] == len({each.source_id or each.asserted_by for each in con})
    assert found["confidence"] == combined((each.source_id or each.asserted_by, each.confidence) for each in pro)
    assert found["has_assertions"] is True


def strength(each: Assertion) -> tuple[Any, ...]:
    """What makes an assertion win: direct, then of a source and an extractor of high rank, then sure, then new."""
    confidence = -1.0 if each.confidence is None else each.confidence
    rank = 0 if each.source_id is None else ORIGINS.sources[each.source_id].rank
    rank += DOUBTED.rank if each.extractor == "y" else 0
    return (each.extractor is None, rank, confidence, each.asserted_at, each.id.int)


@given(assertions(ADA))
def test_the_strongest_that_states_a_field_wins_it(said: list[Assertion]) -> None:
    """Field by field and name by name, by an independent rule; what only speaks against it states nothing."""
    found = shown(ADA, said, ORIGINS)
    pro = sorted((each for each in said if each.stance is Stance.FOR), key=strength, reverse=True)
    assert by_strength(pro, ORIGINS) == pro
    if not pro:
        assert {"name", "type", "aliases", "metadata"}.isdisjoint(found)
        assert (found["confidence"], found["source"], found["source_type"]) == (None, None, None)
        return
    assert (found["name"], found["type"]) == (pro[0].values["name"], pro[0].values["type"])
    assert found["aliases"] == tuple(next((each.values["aliases"] for each in pro if "aliases" in each.values), ()))
    metadata: dict[str, Any] = {}
    for each in pro:
        metadata = {**each.values.get("metadata", {}), **metadata}
    assert sorted(map(repr, found["metadata"].items())) == sorted(map(repr, metadata.items()))


@given(assertions(KNOWS))
def test_a_period_is_taken_as_one(said: list[Assertion]) -> None:
    """Both ends are of the strongest assertion that states any."""
    found = shown(KNOWS, said, ORIGINS)
    pro = sorted((each for each in said if each.stance is Stance.FOR), key=strength, reverse=True)
    dated = next((each.values for each in pro if {"valid_from", "valid_to"} & each.values.keys()), {})
    if pro:
        assert (found["valid_from"], found["valid_to"]) == (dated.get("valid_from"), dated.get("valid_to"))


def test_each_rule_beats_those_after_it() -> None:
    """A person's word is worth more than any extractor's; then the rank; then the surer; then the newer."""
    newer = say({"name": "newer"}, confidence=0.5, after=9)
    surer = say({"name": "surer"}, confidence=0.6, after=8)
    sure = say({"name": "sure"}, confidence=1.0, after=1)
    unknown = say({"name": "unknown"}, confidence=None, after=99)
    zero = say({"name": "zero"}, confidence=0.0, after=0)
    hand = say({"name": "hand"}, confidence=None, extractor=None, asserted_by=ANN)
    ranked = say({"name": "ranked"}, confidence=None, source_id=of("文書"))
    by_less = say({"name": "by less"}, confidence=None, source_id=of("文書"), extractor="y")
    least = say({"name": "least"}, confidence=1.0, extractor="y", after=99)
    ordered = [hand, ranked, by_less, sure, surer, newer, zero, unknown, least]
    assert by_strength(reversed(ordered), ORIGINS) == ordered
    for number, winner in enumerate(ordered):
        assert shown(ADA, ordered[number:], ORIGINS)["name"] == winner.values["name"]


def test_the_source_is_the_surest_ones_and_of_equals_the_first() -> None:
    """With its type: as the assertion says, or else as the source has it."""
    first = say(source_id=of("文書"), confidence=0.5, after=1)
    second = say(source_id=of("d2"), confidence=0.5, after=2)
    surest = say({"source_type": "told"}, source_id=of(URIS[0]), confidence=0.6, after=3)
    word = say(confidence=0.7)
    against = say(source_id=of("d2"), confidence=1.0, stance=Stance.AGAINST)

    def origin(*said: Assertion) -> Any:
        found = shown(ADA, said, ORIGINS)
        return found["source"], found["source_type"]

    assert origin(second, first, against) == ("文書", "pdf")
    assert origin(second) == ("d2", None)
    assert origin(first, surest) == (URIS[0], "told")
    assert origin(first, surest, word) == (None, None)
    assert origin(attrs.evolve(surest, values={})) == (URIS[0], "wiki")


PINNABLE = ["name", "type", "aliases", "confidence", "source", "source_type"]


@given(assertions(ADA), st.sets(st.sampled_from(PINNABLE)))
def test_what_is_pinned_stays(said: list[Assertion], pinned: set[str]) -> None:
    """And nothing else."""
    fact = attrs.evolve(ADA, pinned=tuple(sorted(map(pointer, pinned))), name="by hand", confidence=0.123)
    free, held = shown(ADA, said, ORIGINS), shown(fact, said, ORIGINS)
    assert pinned.isdisjoint(held)
    assert held == {name: value for name, value in free.items() if name not in pinned}


@given(assertions(ADA).filter(lambda said: any(each.stance is Stance.FOR for each in said)), METADATA, st.data())
def test_pinned_names_in_metadata_stay_present_or_absent(
    said: list[Assertion], by_hand: dict[str, Any], data: st.DataObject
) -> None:
    """The others follow what is said."""
    names = sorted({name for each in said for name in each.values.get("metadata", {})} | {*by_hand})
    pinned = data.draw(st.sets(st.sampled_from(names))) if names else set()
    fact = attrs.evolve(ADA, metadata=by_hand, pinned=tuple(pointer("metadata", name) for name in sorted(pinned)))
    free, held = shown(ADA, said, ORIGINS)["metadata"], shown(fact, said, ORIGINS)["metadata"]
    for name in names:
        wanted = by_hand if name in pinned else free
        assert (name in held) is (name in wanted)
        assert name not in held or repr(held[name]) == repr(wanted[name])


@pytest.mark.parametrize("pinned", ["/valid_from", "/valid_to"])
def test_one_pinned_end_holds_the_period(pinned: str) -> None:
    """Both ends, since the other one might be of another period."""
    fact = attrs.evolve(KNOWS, valid_from="1800", valid_to=None, pinned=(pinned,))
    found = shown(fact, [say({"valid_from": "1990", "valid_to": "1991"}, fact=fact)], ORIGINS)
    assert {"valid_from", "valid_to"}.isdisjoint(found)


def size(metadata: Any) -> int:
    """The bytes of metadata, as its rule counts them."""
    return len(json.dumps(dict(metadata), ensure_ascii=False, separators=(",", ":")).encode())


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["a", "源", "~/", "c", "🙂", "x"]),
            st.integers(0, METADATA_BYTES_MAX // 2),
            st.sampled_from('aก源🙂"\n'),
        ),
        max_size=8,
    )
)
def test_metadata_takes_what_fits_and_the_stronger_first(parts: list[tuple[str, int, str]]) -> None:
    """The limits of bytes hold, and a name is only left out where it did not fit."""
    said = [
        say({"metadata": {name: character * (length // len(character.encode()))}}, confidence=1 - number / 100)
        for number, (name, length, character) in enumerate(parts)
    ]
    found = shown(ADA, said, ORIGINS)
    if not said:
        return
    kept = found["metadata"]
    assert size(kept) <= METADATA_BYTES_MAX
    expected: dict[str, Any] = {}
    seen: set[str] = set()
    for each in said:
        [(name, value)] = each.values["metadata"].items()
        if name not in seen and size({**expected, name: value}) <= METADATA_BYTES_MAX:
            expected[name] = value
        seen.add(name)
    assert kept == expected


def test_metadata_takes_as_many_names_as_may_be() -> None:
    """Inner names count too."""
    first = {f"n{number}": number for number in range(METADATA_KEYS_MAX - 3)}
    inner = {"deep": [{"a": 1, "b": 2, "c": 3}], "z1": 1, "z2": 2, "z3": 3, "z4": 4}
    found = shown(ADA, [say({"metadata": first}, confidence=1.0), say({"metadata": inner})], ORIGINS)["metadata"]
    assert found == {**first, "z1": 1, "z2": 2, "z3": 3}


def test_values_are_told_with_their_pointers_and_whether_they_show() -> None:
    """By pointer, the winning one first; what is only near the shown one, such as 1.0 for 1, does not show."""
    fact = attrs.evolve(ADA, name="Ada", metadata={"a/b": 1, "名": None})
    strong = say({"name": "Ada", "metadata": {"a/b": 1, "名": None}}, confidence=0.9)
    weak = say({"name": "A.", "metadata": {"a/b": 1.0, "c": 1}, "source_type": "s"}, confidence=0.5)
    against = say({"name": "no"}, stance=Stance.AGAINST, confidence=1.0)
    found = values_of(fact, [*sourced([weak, against]), *sourced([strong], "s")], ORIGINS)
    assert [(value.pointer, value.value, value.is_shown, value.source) for value in found] == [
        ("/metadata/a~1b", 1, True, "s"),
        ("/metadata/a~1b", 1.0, False, None),
        ("/metadata/c", 1, False, None),
        ("/metadata/名", None, True, "s"),
        ("/name", "Ada", True, "s"),
        ("/name", "A.", False, None),
    ]
    assert [type(value.value) for value in found[:2]] == [int, float]


def test_what_is_empty_is_not_stated() -> None:
    """So that it hides no value of others; a false or a zero is stated."""
    assert stated({"a": None, "b": (), "c": {}, "d": [], "e": 0, "f": False, "g": "", "h": ("x",)}) == {
        "e": 0,
        "f": False,
        "g": "",
        "h": ["x"],
    }
    told = attrs.evolve(ADA, aliases=("A",), metadata={"a": 1}, source="s", source_type="t", confidence=0.5, key="k")
    assert stated_by(told) == {
        "type": "person",
        "name": "Ada",
        "aliases": ["A"],
        "metadata": {"a": 1},
        "source_type": "t",
    }
    assert stated_by(attrs.evolve(KNOWS, valid_to="1990")) == {"valid_to": "1990"}


def test_a_fact_shows_itself_when_only_it_speaks() -> None:
    """What it states of itself, told back, changes nothing."""
    told = attrs.evolve(
        ADA, aliases=("A",), metadata={"a": [1.0, {"~": "/"}]}, confidence=0.3, source=URIS[1], source_type="t"
    )
    itself = say(stated_by(told), source_id=of(URIS[1]), confidence=0.3, extractor=None, asserted_by=told.created_by)
    assert attrs.evolve(told, **shown(told, [itself], ORIGINS)) == attrs.evolve(told, has_assertions=True)
