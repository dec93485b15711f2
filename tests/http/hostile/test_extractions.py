"""Documents that are meant to hurt: whatever they hold, the answer is whole and soon there; what is right is done."""

import gc
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from kgl_core.evidence.assertions import LOCATIONS_MAX, QUOTE_BYTES_MAX
from kgl_core.evidence.extraction.extractions import ITEMS_MAX
from kgl_core.graph.metadata import METADATA_BYTES_MAX, METADATA_KEYS_MAX
from kgl_http.api.request import BODY_BYTES_MAX
from tests.http.conftest import Api, making_apis, problem
from tests.http.evidence.documents import ADA, AT, NOTE_G, PATH, WROTE, counts, data_of, extracted

Document = dict[str, Any]
SLOW_S = 0.05
"""What takes less is not compared: other programs may take as long."""
GROWTH_MAX = 3.0
TRIES_MAX = 6
_LARGE = METADATA_BYTES_MAX // 1_100
"""How many names with texts of 1,000 characters a record holds; twice as many are too many."""


@pytest.fixture
def storeless_api() -> Iterator[Api]:
    """The application over a store that adds no work of its own."""
    with making_apis("memory://") as make:
        yield make()


@pytest.fixture
def still_collector() -> Iterator[None]:
    """No collection of garbage, whose work depends on all that there is, hits what is measured."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def send(api: Api, text: str, at: Any = AT) -> Any:
    """The answer to a document as it is written, lone surrogates and all."""
    headers = {"Content-Type": "application/json"}
    answer = api("PUT", PATH, params=at, body=text.encode("utf-8", "surrogatepass"), headers=headers)
    assert answer.status_code < 500, answer.text
    return answer


# What items hold.


def test_hostile_text_in_items(api: Api) -> None:
    """NUL, lone surrogates and what turns text around are refused item by item; quotes are kept as they are."""
    bad = ["\\u0000", "a\\u0000b", "\\ud800", "\\udfff\\ud800", "a\\udc00"]
    entities = [f'{{"label": "L{n}", "type": "t", "name": "{text}"}}' for n, text in enumerate(bad)]
    entities += [f'{{"label": "{text}", "type": "t", "name": "n"}}' for text in bad]
    entities += [f'{{"label": "M{n}", "type": "t", "name": "n", "metadata": {{"{t}": 1}}}}' for n, t in enumerate(bad)]
    quoting = '{{"label": "Q{}", "type": "t", "name": "n", "locations": [{{"quote": "{}"}}]}}'
    entities += [quoting.format(number, text) for number, text in enumerate(bad)]
    done = data_of(send(api, f'{{"entities": [{",".join(entities)}]}}'))
    assert (counts(done), len(done["items"])) == ({"refused": 20}, 20)
    for text in (*bad, "\\u202e"):
        assert problem(send(api, f'{{"title": "{text}"}}'), 422, "invalid_input")["errors"][0]["pointer"] == "/title"
        assert problem(send(api, f'{{"{text}": 1}}'), 422, "invalid_input")
    raw = problem(send(api, '{"title": "\ud800"}'), 400, "malformed_json")
    assert "UTF-8" in raw["detail"]


def test_quotes_up_to_their_bytes(api: Api) -> None:
    """Of characters of four bytes, a quarter as many; to the last one as they were sent, line breaks too."""
    quotes = [
        "\U0001f9ee" * (QUOTE_BYTES_MAX // 4),
        "\u0e2b\u0e19\u0e49\u0e32\n\t\u202e\x1b[31m",
        "",
        "x" * QUOTE_BYTES_MAX,
    ]
    entities = [{**ADA, "label": f"L{number}", "locations": [{"quote": quote}]} for number, quote in enumerate(quotes)]
    over = {**ADA, "label": "over", "locations": [{"quote": quotes[0] + "x"}]}
    done = extracted(api, {"entities": [*entities, over]})
    assert [(note["pointer"], note["code"]) for note in done["items"]] == [
        (f"/entities/{len(quotes)}/locations/0/quote", "too_long")
    ]
    for number, quote in enumerate(quotes):
        [told] = data_of(api("GET", f"/api/v1/entities/{done['labels'][f'L{number}']}/assertions"))
        assert told["locations"][0]["quote"] == quote


def test_more_locations_than_an_assertion_has(api: Api) -> None:
    """Of one item they are refused; several items about one fact have no more together, or are told so."""
    places = [{"sentence": number} for number in range(LOCATIONS_MAX + 1)]
    done = extracted(api, {"entities": [{**ADA, "locations": places}, {**NOTE_G, "locations": places[1:]}]})
    assert [(note["pointer"], note["code"]) for note in done["items"]] == [("/entities/0/locations", "too_many")]
    [told] = data_of(api("GET", f"/api/v1/entities/{done['labels']['T2']}/assertions"))
    assert [place["sentence"] for place in told["locations"]] == list(range(1, LOCATIONS_MAX + 1))
    same = {"key": "ada", "type": "person", "name": "Ada"}
    parts = [{**same, "locations": [{"page": page, "sentence": n} for n in range(150)]} for page in range(5)]
    send(api, json.dumps({"entities": parts}), {"source": "parts", "extractor": "x"})
    again = extracted(api, {"entities": parts}, {"source": "parts", "extractor": "x"})
    assert (again["created"], again["updated"]) == (0, 0)


def test_a_place_twice_is_one_place(api: Api) -> None:
    """In one item and in several about one fact."""
    twice = {"key": "ada", "type": "person", "name": "Ada", "locations": [{"page": 1}, {"page": 1}, {"page": 2}]}
    extracted(api, {"entities": [twice, twice]})
    [entity] = data_of(api("GET", "/api/v1/entities"))
    [told] = data_of(api("GET", f"/api/v1/entities/{entity['id']}/assertions"))
    assert [place["page"] for place in told["locations"]] == [1, 2]


def test_deep_and_large_metadata(api: Api) -> None:
    """Of one item it is refused as in any entity; what several say together is no more than a record holds."""
    deep: Any = 1
    for _ in range(20):
        deep = {"a": [deep]}
    large = {f"n{number}": "x" * 1000 for number in range(_LARGE)}
    entities = [
        {**ADA, "metadata": {"deep": deep}},
        {**ADA, "label": "large", "metadata": {"a": "x" * METADATA_BYTES_MAX}},
        {**ADA, "label": "many", "metadata": {f"n{number}": 1 for number in range(METADATA_KEYS_MAX + 1)}},
        {**ADA, "label": "fine", "key": "ada", "metadata": large},
    ]
    done = extracted(api, {"entities": entities})
    assert [note["pointer"].split("/")[2] for note in done["items"]] == ["0", "1", "2"]
    other = {f"m{number}": "x" * 1000 for number in range(_LARGE)}
    at = {"source": "other", "extractor": "x"}
    assert counts(extracted(api, {"entities": [{**ADA, "key": "ada", "metadata": other}]}, at)) == {"updated": 1}
    fact = data_of(api("GET", f"/api/v1/entities/{done['labels']['fine']}"))
    assert len(json.dumps(fact["metadata"], separators=(",", ":"))) <= METADATA_BYTES_MAX
    values = data_of(api("GET", f"/api/v1/entities/{fact['id']}/values"))
    assert len([each for each in values if each["pointer"].startswith("/metadata/")]) == 2 * _LARGE
    assert api("PATCH", f"/api/v1/entities/{fact['id']}", json={"name": "Still fine"}).status_code == 200


def test_relationships_that_lead_to_themselves_and_to_each_other(api: Api) -> None:
    """A circle, a loop, and one triple a hundred times: each is one relationship."""
    loop = {**WROTE, "target_entity_label": "T1"}
    back = {**WROTE, "source_entity_label": "T2", "target_entity_label": "T1"}
    done = extracted(api, {"entities": [ADA, NOTE_G], "relationships": [loop, WROTE, back] * 100})
    assert counts(done) == {"created": 5}
    gone = data_of(api("DELETE", PATH, params=AT))
    assert len(gone["retired"]) == 5
    assert len(data_of(api("POST", f"{PATH}/reinstate", params=AT))["restored"]) == 5


def test_items_that_are_no_items(api: Api) -> None:
    """Numbers, null, texts and lists are refused one by one, as many as there may be; one too many is refused whole."""
    for item in (7, None, "text", [], [[{}]], True, {}):
        done = extracted(api, {"entities": [item] * 50 + [ADA], "relationships": [item] * 50})
        assert (done["refused"], done["retires"], len(done["items"])) == (100, False, 100)
    for name in ("entities", "relationships"):
        told = problem(send(api, json.dumps({name: [7] * (ITEMS_MAX + 1)})), 422, "invalid_input")
        assert [(fault["pointer"], fault["code"]) for fault in told["errors"]] == [(f"/{name}", "too_many")]
        for value in ({}, "text", 5, True):
            told = problem(send(api, json.dumps({name: value})), 422, "invalid_input")
            assert [fault["pointer"] for fault in told["errors"]] == [f"/{name}"]


def test_labels_that_look_alike(api: Api) -> None:
    """Composed and decomposed letters are one label, as they are one name; capitals are others."""
    labels = ["\u00e9", "e\u0301", "E\u0301", " \u00e9 "]
    entities = [{**ADA, "label": label, "name": f"n{number}"} for number, label in enumerate(labels)]
    done = extracted(api, {"entities": entities})
    assert {note["code"] for note in done["items"]} == {"duplicate_label"}
    assert set(done["labels"]) == {"\u00e9", "\u00c9"}
    relationship = {**WROTE, "source_entity_label": "e\u0301", "target_entity_label": "\u00c9"}
    assert extracted(api, {"entities": [entities[0], entities[2]], "relationships": [relationship]})["created"] == 1


# How much there is of it.


def many(make: Callable[[int], Any], kind: str = "entities") -> Callable[[int], Document]:
    """A document of so many items."""
    return lambda size: {kind: [make(number) for number in range(size)]}


def hub(size: int) -> Document:
    """Relationships that all leave one entity."""
    entities = [{"label": f"L{number}", "type": "t", "name": f"n{number}"} for number in range(size // 2)]
    edge = {"source_entity_label": "L0", "relationship_type": "r"}
    return {
        "entities": entities,
        "relationships": [{**edge, "target_entity_label": each["label"]} for each in entities],
    }


DOCUMENTS: dict[str, Callable[[int], Document]] = {
    "entities": many(lambda n: {"label": f"L{n}", "type": "t", "name": f"n{n}"}),
    "a hub": hub,
    "one label": many(lambda n: {"label": "L", "type": "t", "name": f"n{n}"}),
    "one key": many(lambda n: {"key": "K", "type": "t", "name": f"n{n}", "locations": [{"sentence": n}]}),
    "one triple": lambda size: {"entities": [ADA, NOTE_G], "relationships": [WROTE] * size},
    "one name": lambda size: {
        "match_names": True,
        "entities": [{"label": f"L{number}", "type": "t", "name": "same"} for number in range(size)],
    },
    "names to match": lambda size: {"match_names": True, **DOCUMENTS["entities"](size)},
    "numbers": many(lambda n: n),
    "null": many(lambda n: None, "relationships"),
    "misspelled names": many(lambda n: {f"labell{n}": n, "type": "t"}),
    "ends that are missing": many(
        lambda n: {**WROTE, "source_entity_key": f"k{n}", "source_entity_label": None}, "relationships"
    ),
}


@pytest.mark.soak
@pytest.mark.parametrize("name", DOCUMENTS)
def test_twice_as_many_items_take_no_more_than_twice_as_long(
    storeless_api: Api, still_collector: None, name: str
) -> None:
    """To extract for the first time, and again with another version."""
    numbers = iter(range(10**6))

    def cost_s(size: int) -> tuple[float, float]:
        at = {"source": f"s{next(numbers)}", "extractor": "x"}
        document = DOCUMENTS[name](size)
        # Names of its own: what many sources assert is more work.
        texts = (json.dumps({**document, "version": version}) for version in ("1", "2"))
        first, second = (text.replace('"name": "', f'"name": "{at["source"]} ') for text in texts)
        assert len(second) < BODY_BYTES_MAX
        times = [time.process_time()]
        for text in (first, second):
            assert send(storeless_api, text, at).status_code == 200
            times.append(time.process_time())
        return times[1] - times[0], times[2] - times[1]

    storeless_api.token("admin")
    small, large = cost_s(2_000), cost_s(4_000)
    for _ in range(TRIES_MAX):
        if all(b <= GROWTH_MAX * max(a, SLOW_S) for a, b in zip(small, large, strict=True)):
            return
        small = min(small[0], (again := cost_s(2_000))[0]), min(small[1], again[1])
        large = min(large[0], (again := cost_s(4_000))[0]), min(large[1], again[1])
    pytest.fail(f"{small} s for 2,000, but {large} s for 4,000")


@pytest.mark.soak
def test_taking_back_four_times_as_much_takes_about_four_times_as_long(
    empty_url: Callable[[str], str], still_collector: None
) -> None:
    """To withdraw and to put in force again a hub with all its spokes."""
    with making_apis(empty_url("sqlite")) as make_api:
        api = make_api()
        kg = api.kg.acting_as(api.actor("admin"))
        api.token("admin")

        def cost_s(size: int) -> tuple[float, float]:
            at = {"source": f"s{size}", "extractor": "x"}
            kg.extract(**at, document=hub(size))
            times = [time.process_time()]
            for method, path in (("DELETE", PATH), ("POST", f"{PATH}/reinstate")):
                assert api(method, path, params=at).status_code == 200
                times.append(time.process_time())
            return times[1] - times[0], times[2] - times[1]

        small, large = cost_s(3_000), cost_s(12_000)
    assert all(b <= 2 * GROWTH_MAX * max(a, SLOW_S) for a, b in zip(small, large, strict=True)), (small, large)


def test_as_many_items_as_there_may_be(storeless_api: Api) -> None:
    """Right ones and wrong ones are told of to the last."""
    right = many(lambda n: {"label": f"L{n}", "type": "t", "name": f"n{n}"})(ITEMS_MAX)
    done = data_of(send(storeless_api, json.dumps(right)))
    assert (counts(done), len(done["labels"])) == ({"created": ITEMS_MAX}, ITEMS_MAX)
    done = data_of(send(storeless_api, json.dumps({"entities": [7] * ITEMS_MAX})))
    assert (done["refused"], len(done["items"]), done["retired"]) == (ITEMS_MAX, ITEMS_MAX, 0)
    assert done["items"][-1]["pointer"] == f"/entities/{ITEMS_MAX - 1}"
