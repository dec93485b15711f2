"""What an extractor finds in a document, as tests send it, and the calls that send it."""

from typing import Any

from falcon import testing

from tests.http.conftest import Api

PATH = "/api/v1/extractions"
PAGE = "https://example.org/page"
AT = {"source": PAGE, "extractor": "spert"}
ADA = {
    "label": "T1",
    "type": "person",
    "name": "Ada Lovelace",
    "confidence": 0.9,
    "locations": [{"sentence": 0, "start": 4, "end": 16, "quote": "Ada Lovelace"}],
}
NOTE_G = {"label": "T2", "type": "document", "name": "Note G"}
WROTE = {
    "source_entity_label": "T1",
    "relationship_type": "wrote",
    "target_entity_label": "T2",
    "confidence": 0.8,
    "locations": [{"sentence": 3}],
}
FOUND = {"version": "2.1", "title": "Note G", "entities": [ADA, NOTE_G], "relationships": [WROTE]}
NOTHING = {"created": 0, "updated": 0, "restored": 0, "retired": 0, "unchanged": 0, "refused": 0}


def put(api: Api, body: Any = FOUND, at: Any = AT, **request: Any) -> testing.Result:
    """The answer to an extraction."""
    return api("PUT", PATH, params=at, json=body, **request)


def extracted(api: Api, body: Any = FOUND, at: Any = AT, **request: Any) -> dict[str, Any]:
    """What an extraction did."""
    answer = put(api, body, at, **request)
    assert answer.status_code == 200, answer.text
    done: dict[str, Any] = answer.json["data"]
    assert set(done) == {*NOTHING, "run", "retires", "labels", "items"}
    return done


def counts(done: dict[str, Any]) -> dict[str, int]:
    """How many facts had which outcome, without those that none had."""
    return {name: done[name] for name in NOTHING if done[name]}


def data_of(answer: testing.Result, status: int = 200) -> Any:
    """What an answer of this status holds."""
    assert answer.status_code == status, answer.text
    return answer.json["data"]
