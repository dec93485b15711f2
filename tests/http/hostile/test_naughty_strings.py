"""Hard text in every text field: what is taken comes back as it was sent and is found by it, the rest is refused."""

import json
import unicodedata
from pathlib import Path
from typing import Any
from urllib.parse import quote

from falcon import testing

from kgl_http.api.operations import NDJSON
from tests.http.conftest import NOBODY, PASSWORD, Api, problem

ENTITIES = "/api/v1/entities"
RELATIONSHIPS = "/api/v1/relationships"
NAUGHTY: dict[str, list[str]] = json.loads(Path(__file__).with_name("naughty.json").read_text("utf-8"))
"""Text that programs have stumbled over, by what makes it hard."""
UNSEEN = {"", *"\u0301\u200b\u200c\u2060\ufeff\u180e\u115f\u3164\ufffe\uffff\U0010ffff\U000e0001"}
"""Those in which there is nothing to see."""
TEXTS = sorted({text for texts in NAUGHTY.values() for text in texts})


def is_line(text: str, length_max: int = 2000) -> bool:
    """Whether ``text`` may stand in a field that takes one line of so many characters."""
    breaks_or_turns = any(unicodedata.category(c) in ("Cc", "Zl", "Zp") or c in "\u202d\u202e" for c in text)
    return not breaks_or_turns and text.strip() not in UNSEEN and len(text) <= length_max


def composed(text: str) -> str:
    """The text in the form that names are kept in."""
    return unicodedata.normalize(
        "NFC", text.strip(" \t\n\u00a0\u3000\u00ad\u061c\u180e\u200b\u200e\u200f\u2060\ufeff").strip()
    )


def refuse(answer: testing.Result, pointer: str) -> None:
    """Check that the answer says that a field is at fault, and no other."""
    assert [fault["pointer"] for fault in problem(answer, 422, "invalid_input")["errors"]] == [pointer]


def test_in_each_field_of_an_entity(api: Api) -> None:
    """Names are kept in NFC, everything else to the last bit; what a field refuses, it refuses alone."""
    assert len(TEXTS) > 200
    for text in TEXTS:
        fields: dict[str, tuple[Any, Any, bool]] = {
            "name": (text, composed(text), is_line(composed(text), 500)),
            "aliases": ([text], [composed(text)], is_line(composed(text), 500)),
            "key": (text, text, is_line(text, 500)),
            "source": (text, text, is_line(text)),
            "source_type": (text, text, is_line(text, 64)),
            "metadata": ({text: [{text: text}]}, {text: [{text: text}]}, "\x00" not in text),
        }
        taken = {name: sent for name, (sent, _, is_taken) in fields.items() if is_taken}
        made = api.entity(**taken)
        assert {name: made[name] for name in taken} == {name: fields[name][1] for name in taken}
        assert api("GET", f"{ENTITIES}/{made['id']}").json["data"] == made
        for name in fields.keys() - taken.keys():
            answer = api("POST", ENTITIES, json={"type": "t", "name": "n", name: fields[name][0]})
            named = {fault["pointer"].split("/")[1] for fault in problem(answer, 422, "invalid_input")["errors"]}
            assert named == {name}, text


def test_in_each_field_of_a_relationship(api: Api) -> None:
    """As in those of an entity."""
    ends = {"source_entity_id": api.entity()["id"], "target_entity_id": api.entity()["id"]}
    for number, text in enumerate(TEXTS):
        usual = {**ends, "relationship_type": f"t{number}"}
        taken = {name: text for name, most in (("source", 2000), ("source_type", 64)) if is_line(text, most)}
        body = {**usual, **taken, "metadata": {} if "\x00" in text else {text: text}}
        answer = api("POST", RELATIONSHIPS, json=body)
        assert answer.status_code == 201, answer.text
        assert {name: answer.json["data"][name] for name in body} == body
        assert api("GET", answer.headers["location"]).json["data"] == answer.json["data"]
        for name in {"source", "source_type"} - taken.keys():
            refuse(api("PATCH", answer.headers["location"], json={name: text}), f"/{name}")
        problem(api("POST", RELATIONSHIPS, json={**usual, "relationship_type": f"{text} "}), 422, "invalid_input")


def test_records_are_found_by_them(api: Api) -> None:
    """By key and by source, percent-encoded or as bytes, where a server lets them in; no other text finds them."""
    made = {text: api.entity(key=text, source=text)["id"] for text in TEXTS if is_line(text, 150)}
    for text, id in made.items():
        encoded = quote(text, safe="")
        raw = "".join(quote(c, safe="") if c.isascii() else c for c in text).encode().decode("latin-1")
        for query in (f"key={encoded}", f"source={raw}"):
            answer = api("GET", ENTITIES, query_string=query)
            assert [found["id"] for found in answer.json["data"]] == [id], (text, query)


def test_in_an_export_and_back(api: Api) -> None:
    """What was imported is exported as it is, and an import of that changes nothing."""
    texts = [text for text in TEXTS if is_line(text, 500)]
    lines = [
        {
            "kind": "entity",
            "key": text,
            "type": "t",
            "name": text,
            "aliases": [text],
            "source": text,
            "metadata": {text: text},
        }
        for text in texts
    ]
    headers = {"Content-Type": NDJSON}
    sent = "\n".join(json.dumps(line, ensure_ascii=False) for line in lines).encode()
    for body, counts in ((sent, (len(texts), 0)), (None, (0, len(texts)))):
        body = api("GET", "/api/v1/export").content if body is None else body
        summary = json.loads(api("POST", "/api/v1/import", body=body, headers=headers).content.splitlines()[-1])[
            "summary"
        ]
        assert (summary["created"], summary["unchanged"], summary["refused"]) == (*counts, 0)
    exported = {line["key"]: line for line in map(json.loads, api("GET", "/api/v1/export").content.splitlines())}
    assert exported.keys() == set(texts)
    for text, line in exported.items():
        assert (line["name"], line["source"], line["metadata"]) == (composed(text), text, {text: text})


def test_in_each_field_of_an_account(api: Api) -> None:
    """A name is kept in NFC, a password is taken as it is and only as it is, and none of this is an email."""
    for number, text in enumerate(TEXTS):
        said = {"email": f"a{number}@example.org", "password": PASSWORD}
        refuse(api("POST", "/api/v1/auth/register", by=NOBODY, json={**said, "email": text}), "/email")
        fields = {"first_name": text, "password": f"{text} and eight"}
        are_taken = {"first_name": is_line(composed(text), 100), "password": "\x00" not in text and len(text) <= 118}
        taken = {name: fields[name] for name, is_taken in are_taken.items() if is_taken}
        answer = api("POST", "/api/v1/auth/register", by=NOBODY, json={**said, **taken})
        assert answer.status_code == 200, answer.text
        assert answer.json["data"]["first_name"] == (composed(text) if "first_name" in taken else None)
        for name in fields.keys() - taken.keys():
            refuse(api("POST", "/api/v1/auth/register", by=NOBODY, json={**said, name: fields[name]}), f"/{name}")
        if "password" in taken:
            other = {**said, "password": f"{text}  and eight"}
            # An address each: one that fails too often has to wait.
            call = {"by": NOBODY, "remote_addr": f"203.0.{number // 256}.{number % 256}"}
            problem(api("POST", "/api/v1/auth/token", json=other, **call), 401, "invalid_credentials")
            right = {**said, "password": taken["password"]}
            assert api("POST", "/api/v1/auth/token", json=right, **call).status_code == 200


def test_no_answer_can_be_taken_for_a_page(api: Api) -> None:
    """Text that looks like HTML comes back as JSON, which no browser may take for anything else."""
    for text in NAUGHTY["HTML"]:
        made = api.entity(name=text)
        for answer in (
            api("GET", f"{ENTITIES}/{made['id']}"),
            api("GET", f"{ENTITIES}/{quote(text, safe='')}"),
            api("GET", ENTITIES, query_string=f"{quote(text)}=1"),
            api("GET", f"/api/v1/problems/{quote(text, safe='')}"),
        ):
            assert answer.headers["content-type"] in ("application/json", "application/problem+json")
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert "default-src 'none'" in answer.headers["content-security-policy"]
