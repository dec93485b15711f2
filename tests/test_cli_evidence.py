"""The commands of evidence, as an operator types them."""

import gzip
import json
import os
import re
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from kgl_adapters import connect
from kgl_core import KnowledgeGraph
from kgl_core.graph.entities import ENTITY
from kgl_core.graph.relationships import RELATIONSHIP
from tests.test_cli import KGL, kgl, lines, numbers

PAGE, OTHER = "https://example.org/page?a=1&b=2#c", "https://example.org/อื่น 😀"
ADA = {
    "label": "T1",
    "type": "person",
    "name": "Ada Lovelace",
    "confidence": 0.9,
    "locations": [{"sentence": 0, "start": 4, "end": 16, "quote": "Ada Lovelace"}, {"page": 3}],
}
NOTE_G = {"label": "T2", "type": "document", "name": "Note G", "locations": [{"sentence": 3}]}
WROTE = {"source_entity_label": "T1", "relationship_type": "wrote", "target_entity_label": "T2", "confidence": 0.125}
FOUND = {"version": "2.1", "title": "A page", "entities": [ADA, NOTE_G], "relationships": [WROTE]}
NOTHING = dict.fromkeys(("documents", "created", "updated", "restored", "retired", "unchanged", "refused"), 0)
OF_PAGE = ("--source", PAGE, "--extractor", "ner")


@pytest.fixture
def sqlite_url(tmp_path: Path, sqlite_template: Path) -> str:
    """The URL of an SQLite database at head: what is stored where, the contract tests try."""
    shutil.copy(sqlite_template, tmp_path / "graph.db")
    return f"sqlite:///{tmp_path / 'graph.db'}"


def document(source: str = PAGE, extractor: str = "ner", **fields: Any) -> dict[str, Any]:
    """A document that names its source and its extractor."""
    return {"source": source, "extractor": extractor, **FOUND, **fields}


def counted(told: str, **counts: int) -> None:
    """Check the counts in an answer; those that are not given are 0."""
    assert numbers(told) == {**NOTHING, **counts}


def by_name(kg: KnowledgeGraph) -> dict[str, str]:
    """The ids of all active entities by their names."""
    return {entity.name: str(entity.id) for entity in kg.entities.list().items}


def test_a_document_from_its_first_extraction_to_its_reinstatement(sqlite_url: str, tmp_path: Path) -> None:
    """Twice changes nothing; what is not found any more is retired; all of it goes and comes back."""
    file = tmp_path / "page.json"
    file.write_text(json.dumps(FOUND, indent=2))
    counted(kgl(sqlite_url, "extract", *OF_PAGE, str(file)).stdout, documents=1, created=3)
    counted(kgl(sqlite_url, "extract", *OF_PAGE, str(file)).stdout, documents=1, unchanged=3)
    less = json.dumps({**FOUND, "entities": [{**ADA, "confidence": 0.5}], "relationships": []})
    counted(kgl(sqlite_url, "extract", *OF_PAGE, "-", given=less).stdout, documents=1, updated=1, retired=2)
    withdrawn = kgl(sqlite_url, "withdraw", *OF_PAGE)
    assert withdrawn.stdout.splitlines() == [
        "1 assertion withdrawn.",
        "1 fact retired, 0 restored, 0 kept.",
    ]
    assert withdrawn.stderr == ""
    with connect(sqlite_url) as kg:
        assert by_name(kg) == {}
    assert kgl(sqlite_url, "reinstate", *OF_PAGE).stdout.splitlines() == [
        "1 assertion reinstated.",
        "0 facts retired, 1 restored, 0 kept.",
    ]
    counted(kgl(sqlite_url, "extract", *OF_PAGE, str(file)).stdout, documents=1, updated=1, restored=2)


@pytest.mark.parametrize("form", ["lines", "array", "spread", "packed", "with a mark", "two files"])
def test_every_form_of_file(sqlite_url: str, tmp_path: Path, form: str) -> None:
    """NDJSON, an array, objects over several lines, gzip, a byte order mark, several files."""
    two = [document(), document(OTHER)]
    text = {"array": json.dumps(two), "spread": "\n".join(json.dumps(each, indent=1) for each in two)}
    data = text.get(form, lines(*two)).encode()
    data = {"packed": gzip.compress(data), "with a mark": b"\xef\xbb\xbf" + data}.get(form, data)
    parts = data.splitlines() if form == "two files" else [data]
    files = []
    for number, part in enumerate(parts):
        files.append(tmp_path / f"{number}")
        files[-1].write_bytes(part)
    counted(kgl(sqlite_url, "extract", *map(str, files)).stdout, documents=2, created=6)
    with connect(sqlite_url) as kg:
        assert {source.uri for source in kg.sources.list().items} == {PAGE, OTHER}


def test_what_is_refused_is_told_and_the_rest_goes_on(sqlite_url: str, tmp_path: Path) -> None:
    """By file, line and item, on standard error; the exit status is 1, and such a document retires nothing."""
    kgl(sqlite_url, "extract", "-", given=lines(document()))
    file = tmp_path / "found.ndjson"
    bad = {**NOTE_G, "type": "no type"}
    faulty = [
        document(entities=[ADA, bad, 7], relationships=[]),
        {"extractor": "ner"},
        document(version=3),
        document(OTHER),
    ]
    text = lines(*faulty).splitlines()
    file.write_text("\n".join([text[0], "", text[1], "{", text[2], "[]", text[3]]))
    told = kgl(sqlite_url, "extract", str(file), status=1)
    counted(told.stdout, documents=6, created=3, unchanged=1, refused=2)
    *reported, last = told.stderr.splitlines()
    assert last == "4 documents were refused as a whole and changed nothing."
    assert [re.sub(r": .*\(", ": (", line.removeprefix(f"{file}")) for line in reported] == [
        ":1: (pattern)",
        ":1: (not_an_object)",
        ":3: (required)",
        ":4: (malformed_json)",
        ":5: (not_text)",
        ":6: (not_an_object)",
    ]
    assert f"{file}:1: /entities/1/type: " in reported[0]
    assert f"{file}:1: /entities/2: " in reported[1]
    assert f"{file}:3: /source: give a source" in reported[2]
    assert f"{file}:5: /version: " in reported[4]
    with connect(sqlite_url) as kg:
        assert len(kg.entities.list().items) == 4


def test_what_was_deleted_is_told_and_is_no_failure(sqlite_url: str) -> None:
    """Whoever deleted it had a reason; the rest is done, and the exit status is 0."""
    kgl(sqlite_url, "extract", "-", given=lines(document()))
    with connect(sqlite_url) as kg:
        kg.entities.delete(by_name(kg)["Note G"])
    told = kgl(sqlite_url, "extract", "-", given=lines(document(version="3")))
    counted(told.stdout, documents=1, updated=1)
    told_of, *_ = told.stderr.splitlines()
    assert re.fullmatch(r"<stdin>:1: /entities/1: .* a moderator can restore it \(deleted\)", told_of)
    first, second, *left = kgl(sqlite_url, "withdraw", *OF_PAGE).stdout.splitlines()
    assert (first, second) == ("3 assertions withdrawn.", "1 fact retired, 0 restored, 0 kept.")
    assert [line.split("  ")[::2] for line in left] == [["left", "somebody deleted it, or an end of it"]] * 2


def test_nothing_to_extract(sqlite_url: str, tmp_path: Path) -> None:
    """An empty file is no mistake, and no run."""
    file = tmp_path / "empty"
    for text in ("", "\n \n", "[]"):
        file.write_text(text)
        told = kgl(sqlite_url, "extract", "--title", "nightly", str(file)).stdout
        counted(told)
        assert told.endswith("Nothing to extract: no documents.\n")
    assert kgl(sqlite_url, "runs").stdout == ""


def test_a_file_that_cannot_be_read(sqlite_url: str, tmp_path: Path) -> None:
    """It is no file, packed in another way, cut off, or not UTF-8: a line says what to do, and the rest goes on."""
    assert "missing" in kgl(sqlite_url, "extract", str(tmp_path / "missing"), status=2).stderr
    whole = gzip.compress(lines(document()).encode())
    for data, code in ((b"PK\3\4", "packed"), (b"\xff\xfe{\0}\0", "not_utf8"), (whole[:-12], "")):
        file = tmp_path / "file"
        file.write_bytes(data)
        told = kgl(sqlite_url, "extract", str(file), "-", given=lines(document(OTHER)), status=1)
        assert numbers(told.stdout)["documents"] == 2
        assert f"({code}" in told.stderr
        assert "1 document was refused" in told.stderr


def test_a_source_on_the_command_line_is_for_one_document(sqlite_url: str) -> None:
    """Or each would take the place of the one before it; what a document names itself goes before."""
    nameless = {name: value for name, value in document().items() if name not in ("source", "extractor")}
    two = lines(nameless, document(OTHER), {**nameless, "extractor": "spert"})
    told = kgl(sqlite_url, "extract", *OF_PAGE, "-", given=two, status=1)
    counted(told.stdout, documents=3, created=6)
    assert "<stdin>:3: /source: --source is for one document" in told.stderr
    with connect(sqlite_url) as kg:
        assert {source.uri for source in kg.sources.list().items} == {PAGE, OTHER}
    only = kgl(sqlite_url, "extract", "--extractor", "ner", "-", given=lines(nameless), status=1)
    assert "/source: give a source (required)" in only.stderr


def test_a_title_is_that_of_the_run(sqlite_url: str) -> None:
    """All documents are one run, withdrawals are runs of their own, and kgl runs says which is which."""
    kgl(sqlite_url, "extract", "--title", "nightly", "-", given=lines(document(), document(OTHER)))
    kgl(sqlite_url, "withdraw", *OF_PAGE)
    kgl(sqlite_url, "reinstate", *OF_PAGE)
    back, gone, nightly = kgl(sqlite_url, "runs").stdout.splitlines()
    assert re.fullmatch(r".*  completed  extraction +6 created +system  nightly", nightly)
    assert re.fullmatch(rf".*  completed  withdrawal +3 retired +system  {re.escape(PAGE)}", gone)
    assert re.fullmatch(rf".*  completed  reinstatement +3 restored +system  {re.escape(PAGE)}", back)
    assert len({line.index("  system") for line in (back, gone, nightly)}) == 1, "the columns stand below each other"
    assert "/title" in kgl(sqlite_url, "extract", "--title", "x" * 201, "-", given=lines(document()), status=1).stderr


def test_a_withdrawal_says_what_stays_and_why(sqlite_url: str) -> None:
    """By its other sources, by whoever made it by hand, or because relationships need it."""
    with connect(sqlite_url) as kg:
        hand = kg.entities.create(type="person", name="Ada Lovelace", key="ada")
        paper = kg.entities.create(type="document", name="Paper", key="paper")
    shared = {**NOTE_G, "key": "note-g"}
    mine = document(entities=[{**ADA, "key": "ada"}, shared, {"label": "T3", "type": "person", "name": "Charles"}])
    kgl(sqlite_url, "extract", "-", given=lines(mine, document(OTHER, entities=[shared], relationships=[])))
    with connect(sqlite_url) as kg:
        ids = by_name(kg)
        kg.relationships.create(ids["Charles"], "read", paper.id)
    told = kgl(sqlite_url, "withdraw", *OF_PAGE).stdout.splitlines()
    assert told[:2] == ["4 assertions withdrawn.", "1 fact retired, 0 restored, 3 kept."]
    assert sorted(told[2:]) == sorted(
        [
            f"kept  entity {hand.id}  by hand",
            f"kept  entity {ids['Note G']}  {OTHER}",
            f"kept  entity {ids['Charles']}  relationships need it",
        ]
    )


@pytest.mark.parametrize("command", ["withdraw", "reinstate"])
def test_an_address_that_does_not_exist(sqlite_url: str, command: str) -> None:
    """One line says what to look at; options that are missing are named."""
    kgl(sqlite_url, "extract", "-", given=lines(document()))
    for source, extractor in ((OTHER, "ner"), (PAGE, "spert")):
        told = kgl(sqlite_url, command, "--source", source, "--extractor", extractor, status=1)
        assert re.fullmatch(r"Error: there is no extraction .*; check the spelling.*\n", told.stderr)
    assert "--source" in kgl(sqlite_url, command, "--extractor", "ner", status=2).stderr
    assert "/source" in kgl(sqlite_url, command, "--source", "", "--extractor", "ner", status=1).stderr
    if command == "reinstate":
        assert "--extractor" in kgl(sqlite_url, command, "--source", PAGE, status=2).stderr
        assert "extract the whole document" in kgl(sqlite_url, command, *OF_PAGE, status=1).stderr


def test_who_says_so(sqlite_url: str) -> None:
    """Of entities and of relationships, one a line: stance, confidence, source, extractor, who, and how many places."""
    kgl(sqlite_url, "extract", "-", given=lines(document(), document(OTHER, "spert", version="1")))
    with connect(sqlite_url) as kg:
        id = by_name(kg)["Ada Lovelace"]
        [edge, _] = kg.relationships.list().items
        kg.assertions.add(RELATIONSHIP, edge.id, stance="against", source="https://example.org/no", confidence=0.25)
        by_hand = kg.entities.create(type="person", name="By hand").id
    names = [line for line in kgl(sqlite_url, "export").stdout.splitlines() if "Ada" in line]
    assert len(names) == 2
    told = kgl(sqlite_url, "assertions", id).stdout.splitlines()
    assert told in (
        [f"for          0.9  {PAGE}  ner 2.1  system  2 places"],
        [f"for          0.9  {OTHER}  spert 1  system  2 places"],
    )
    assert sorted(kgl(sqlite_url, "assertions", str(edge.id)).stdout.splitlines())[0] == (
        "against     0.25  https://example.org/no  by hand  system"
    )
    assert kgl(sqlite_url, "assertions", str(by_hand)).stdout == "for      unknown  -  by hand  system\n"
    [entry] = map(json.loads, kgl(sqlite_url, "assertions", "--json", id).stdout.splitlines())
    assert entry["entity_id"] == id
    assert entry["locations"][0] == {"page": None, **ADA["locations"][0]}  # type: ignore[index]
    assert entry["asserted_by"]["kind"] == "system"


def test_what_a_source_contributes(sqlite_url: str) -> None:
    """All of it, by extractor, and who else says the same; about one value, an assertion says which."""
    kgl(sqlite_url, "extract", "-", given=lines(document(), document(PAGE, "spert")))
    with connect(sqlite_url) as kg:
        id = by_name(kg)["Ada Lovelace"]
        kg.assertions.add(ENTITY, id, source=OTHER)
        kg.assertions.add(ENTITY, id, source=PAGE, stance="against")
        kg.assertions.add(ENTITY, id, source=OTHER, about="/metadata/born", value=1815)
    assert kgl(sqlite_url, "contribution", "--source", PAGE).stdout.splitlines() == [
        "all: 4 entities, 2 relationships, 1 entities against",
        "by hand: 1 entities against",
        "ner: 2 entities, 1 relationships",
        "spert: 2 entities, 1 relationships",
        "5 facts that nothing else supports.",
        f"shared        1  {OTHER}",
    ]
    told = json.loads(kgl(sqlite_url, "contribution", "--source", PAGE, "--json").stdout)
    assert (told["entities_for"], told["is_complete"]) == (4, True)
    assert "there is no source nobody" in kgl(sqlite_url, "contribution", "--source", "nobody", status=1).stderr
    last = kgl(sqlite_url, "assertions", id).stdout.splitlines()[-1]
    assert last == f"for      unknown  {OTHER}  by hand  system  /metadata/born = 1815"


def test_a_quote_cannot_control_the_terminal(sqlite_url: str) -> None:
    """It is the source's text, to the last character, and escaped where it is printed."""
    quote = "\x1b]0;owned\x07 Ada\n\u202e\x9b31m"
    found = document(entities=[{**ADA, "locations": [{"quote": quote}]}], relationships=[])
    kgl(sqlite_url, "extract", "-", given=lines(found))
    with connect(sqlite_url) as kg:
        id = by_name(kg)["Ada Lovelace"]
    told = kgl(sqlite_url, "assertions", "--json", id).stdout
    assert [json.loads(line)["locations"][0]["quote"] for line in told.splitlines()] == [quote]
    assert not set("\x1b\x07\x9b\u202e") & set(told)


def test_all_of_a_source_is_withdrawn_after_a_dry_run(sqlite_url: str) -> None:
    """Without an extractor, whoever said it; the dry run tells the same, and keeps nothing."""
    kgl(sqlite_url, "extract", "-", given=lines(document(), document(PAGE, "spert"), document(OTHER)))
    before = kgl(sqlite_url, "export").stdout
    tried = kgl(sqlite_url, "withdraw", "--source", PAGE, "--dry-run").stdout.splitlines()
    assert tried == [
        "6 assertions withdrawn.",
        "6 facts retired, 0 restored, 0 kept.",
        "Nothing was kept: this was a dry run. Leave out --dry-run to withdraw.",
    ]
    assert kgl(sqlite_url, "export").stdout == before
    assert kgl(sqlite_url, "withdraw", "--source", PAGE).stdout.splitlines() == tried[:2]
    again = kgl(sqlite_url, "withdraw", "--source", PAGE, status=1).stderr
    assert re.fullmatch(rf"Error: there is no source that supports anything {re.escape(PAGE)}; .*\n", again)
    told = kgl(sqlite_url, "withdraw", *OF_PAGE, "--dry-run", status=2).stderr
    assert "leave out --extractor" in told


def test_the_assertions_of_what_does_not_exist(sqlite_url: str) -> None:
    """One line names the id and says where ids are; what was deleted still has its assertions."""
    unknown = uuid4()
    told = kgl(sqlite_url, "assertions", str(unknown), status=1).stderr
    assert told == f"Error: there is no entity or relationship {unknown}; kgl export writes them with their ids\n"
    assert "/id" in kgl(sqlite_url, "assertions", "ada", status=1).stderr
    with connect(sqlite_url) as kg:
        id = kg.entities.create(type="person", name="Ada").id
        kg.entities.delete(id)
    assert kgl(sqlite_url, "assertions", str(id)).stdout.startswith("for ")


def test_more_assertions_than_a_page_has(sqlite_url: str) -> None:
    """All of them are told."""
    entity = {"key": "ada", "type": "person", "name": "Ada"}
    many = [{"source": f"s{number}", "extractor": "ner", "entities": [entity]} for number in range(203)]
    counted(kgl(sqlite_url, "extract", "-", given=lines(*many)).stdout, documents=203, created=1, updated=202)
    with connect(sqlite_url) as kg:
        [ada] = kg.entities.list().items
    told = kgl(sqlite_url, "assertions", str(ada.id)).stdout.splitlines()
    assert {line.split()[2] for line in told} == {f"s{number}" for number in range(203)}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_extraction_says_what_it_kept(sqlite_url: str, tmp_path: Path, number: signal.Signals) -> None:
    """In one line, with the status of the signal; its run has failed, and what was extracted before is there."""
    file = tmp_path / "begun"
    file.write_text(lines(document(), {"source": "s"}))
    command = [KGL, "--database-url", sqlite_url, "extract", "--title", "begun", str(file), "-"]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),  # as on a terminal
    ) as work:
        assert work.stderr
        assert b"begun:2" in work.stderr.readline()  # and it will wait for more
        work.send_signal(number)
        out, err = work.communicate(timeout=20)
    assert (work.returncode, out) == (128 + number, b"")
    *_, last = err.decode().splitlines()  # after what was refused
    assert last == "Error: interrupted: what was extracted before stays; run it again to go on"
    assert b"Traceback" not in err
    assert re.search(r"  failed +extraction +3 created", kgl(sqlite_url, "runs").stdout)


@pytest.mark.parametrize("command", ["extract -", "withdraw", "reinstate"])
def test_an_answer_that_cannot_be_written(sqlite_url: str, command: str) -> None:
    """Says that the work was done."""
    kgl(sqlite_url, "extract", "-", given=lines(document()))
    if command == "reinstate":
        kgl(sqlite_url, "withdraw", *OF_PAGE)
    name, *rest = command.split()
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [KGL, "--database-url", sqlite_url, name, *OF_PAGE, *rest],
            input=lines(document()),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ},
        )
    assert (done.returncode, done.stderr) == (
        1,
        "Error: the output could not be written (No space left on device), but the command did its work\n",
    )


def test_a_database_that_is_not_there(tmp_path: Path) -> None:
    """Whoever only reads, or takes back, makes none; an extraction into a new one is told how to make it."""
    url = f"sqlite:///{tmp_path / 'none.db'}"
    for command in (("withdraw", *OF_PAGE), ("reinstate", *OF_PAGE), ("assertions", str(uuid4()))):
        assert "kgl migrate" in kgl(url, *command, status=1).stderr
    assert not (tmp_path / "none.db").exists()
    assert "memory" in kgl("memory://", "extract", "-", given=lines(document()), status=1).stderr


def test_a_file_that_is_none_of_documents_is_told_in_few_lines(sqlite_url: str, tmp_path: Path) -> None:
    """Binary data has thousands of lines that are none; the end says what a file should be."""
    file = tmp_path / "binary"
    file.write_bytes(b"\x81\xfe\n" * 5_000)
    told = kgl(sqlite_url, "extract", str(file), status=1).stderr.splitlines()
    assert len(told) == 22
    assert told[-2:] == [
        "A file is JSON, or NDJSON with one document a line, in UTF-8. Check that these are such files.",
        "5,000 documents were refused as a whole and changed nothing, of which the first 20 are shown.",
    ]


def test_the_values_of_a_fact_are_told(sqlite_url: str) -> None:
    """With a star where they show, with ranks, and what is pinned first; as JSON as the API has it."""
    item = {"type": "person", "key": "ada"}
    for name, extractor in (("Ada", "x"), ("เอดา", "y")):
        kgl(
            sqlite_url,
            "extract",
            "-",
            given=lines(document(PAGE, extractor, entities=[{**item, "name": name}], relationships=[])),
        )
    kgl(sqlite_url, "extractor", "rank", "x", "-1")
    with connect(sqlite_url) as kg:
        [ada] = kg.entities.list().items
        kg.entities.update(ada.id, metadata={"born": 1815})
    assert kgl(sqlite_url, "values", str(ada.id)).stdout.splitlines() == [
        "* /metadata/born = 1815  pinned",
        f'* /name = "เอดา"  {PAGE}  y',
        f'  /name = "Ada"  {PAGE}  x  rank -1',
        f'* /type = "person"  {PAGE}  y',
        f'* /type = "person"  {PAGE}  x  rank -1',
    ]
    told = [json.loads(line) for line in kgl(sqlite_url, "values", "--json", str(ada.id)).stdout.splitlines()]
    assert [(each["pointer"], each["rank"]) for each in told[:2]] == [("/metadata/born", None), ("/name", 0)]
    assert "kgl export writes them" in kgl(sqlite_url, "values", str(uuid4()), status=1).stderr


def test_sources_and_extractors_are_listed_and_ranked(sqlite_url: str) -> None:
    """In the order of their first assertion; ranks below 0 are no options, and all facts follow."""
    other = document(OTHER, "x 源", entities=[{**ADA, "key": "ada", "name": "Other"}], relationships=[])
    found = document(type="page", entities=[{**ADA, "key": "ada", "confidence": 0.5}], relationships=[])
    kgl(sqlite_url, "extract", "-", given=lines(found, other))
    assert kgl(sqlite_url, "source", "list").stdout.splitlines() == [
        f"    0  {PAGE}  page  A page",
        f"    0  {OTHER}  A page",
    ]
    assert kgl(sqlite_url, "source", "list", "--type", "page").stdout.splitlines() == [f"    0  {PAGE}  page  A page"]
    assert kgl(sqlite_url, "extractor", "list").stdout.splitlines() == ["    0  ner", "    0  x 源"]
    with connect(sqlite_url) as kg:
        assert [*by_name(kg)] == ["Other"]
    assert kgl(sqlite_url, "extractor", "rank", "x 源", "-2").stdout == "the rank of x 源 is -2\n"
    with connect(sqlite_url) as kg:
        assert [*by_name(kg)] == ["Ada Lovelace"]
    assert kgl(sqlite_url, "source", "rank", OTHER, "3").stdout == f"the rank of {OTHER} is 3\n"
    with connect(sqlite_url) as kg:
        assert [*by_name(kg)] == ["Other"]
    [line] = kgl(sqlite_url, "source", "show", OTHER, "--json").stdout.splitlines()
    shown = kgl(sqlite_url, "source", "show", OTHER).stdout.splitlines()
    assert [part.split()[-1] for part in shown[:2]] == ["😀", json.loads(line)["id"]]
    assert "rank      3" in shown
    [_, line] = kgl(sqlite_url, "extractor", "list", "--json").stdout.splitlines()
    assert (json.loads(line)["name"], json.loads(line)["rank"]) == ("x 源", -2)
    for group, *more in (("source", "--title", "T", "--published", "1843"), ("extractor",)):
        assert kgl(sqlite_url, group, "add", "new", *more).stdout.startswith(f"{group} ")
        assert "is taken by" in kgl(sqlite_url, group, "add", "new", status=1).stderr
        assert kgl(sqlite_url, group, "list").stdout.splitlines()[-1] == f"    0  new{'  T' if more else ''}"
    assert "published 1843" in kgl(sqlite_url, "source", "show", "new").stdout
    for group, known in (("source", PAGE), ("extractor", "ner")):
        assert f"there is no {group} none" in kgl(sqlite_url, group, "rank", "none", "1", status=1).stderr
        assert "1000" in kgl(sqlite_url, group, "rank", known, "1001", status=1).stderr
        assert "integer" in kgl(sqlite_url, group, "rank", "none", "--much", status=2).stderr
