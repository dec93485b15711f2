"""Records as lines of NDJSON: what is written is read again, and nothing else gets past."""

import json
from typing import Any
from uuid import UUID

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kgl_core import SYSTEM, Entity, EntityDraft, InvalidInput, Relationship, RelationshipDraft
from kgl_core.kernel.checked_records import build, same_values
from kgl_core.kernel.ids import EntityId, RelationshipId
from kgl_core.storage.record_lines import (
    LINE_BYTES_MAX,
    EntityLine,
    RelationshipLine,
    parse_line,
    read_line,
    write_line,
)
from tests.contract.samples import NOON
from tests.core.kernel.test_field_rules import ENTITY_DRAFTS, RELATIONSHIP_DRAFTS, refusal

ENTITY_LINE = b'{"kind": "entity", "key": "k", "type": "t", "name": "n"}'
KEPT: dict[str, Any] = {"created_by": SYSTEM, "created_at": NOON, "updated_at": NOON}


def refused(item: object) -> list[tuple[str, str]]:
    """The pointers and codes of the faults of an item."""
    with pytest.raises(InvalidInput) as error:
        read_line(item)
    assert error.value.faults
    str(error.value).encode()
    return [(fault.pointer, fault.code) for fault in error.value.faults]


@given(ENTITY_DRAFTS, st.uuids(), st.booleans())
def test_a_written_entity_is_read_again(values: dict[str, Any], id: UUID, is_active: bool) -> None:
    """As a mapping and as a line, with the same values; what is empty is not written."""
    if refusal(EntityDraft, values) is not None:
        return
    draft = attrs.asdict(build(EntityDraft, values), recurse=False)
    entity = Entity(id=EntityId(id), **draft, **KEPT)
    if not is_active:
        entity = attrs.evolve(entity, deleted_at=NOON, deleted_by=SYSTEM)
    written = write_line(entity)
    line = json.dumps(written)
    assert not [name for name, value in written.items() if value in (None, [], {}) and value is not False]
    for item in (written, line, line.encode(), json.dumps(written, ensure_ascii=False).encode(), line + "\r\n"):
        record = read_line(item)
        assert isinstance(record, EntityLine)
        assert same_values(record, entity, draft)
        assert (record.id, record.is_active) == (id, is_active)


@given(RELATIONSHIP_DRAFTS, st.uuids(), st.sampled_from(["active", "deleted", "taken along"]))
def test_a_written_relationship_is_read_again(values: dict[str, Any], id: UUID, state: str) -> None:
    """With its ends, and with the entity whose deletion took it along."""
    if refusal(RelationshipDraft, values) is not None:
        return
    draft = attrs.asdict(build(RelationshipDraft, values), recurse=False)
    relationship = Relationship(id=RelationshipId(id), **draft, **KEPT)
    if state != "active":
        relationship = attrs.evolve(relationship, deleted_at=NOON, deleted_by=SYSTEM)
    if state == "taken along":
        relationship = attrs.evolve(relationship, deleted_with=relationship.source_entity_id)
    record = read_line(json.dumps(write_line(relationship)))
    assert isinstance(record, RelationshipLine)
    assert same_values(record, relationship, draft)
    assert (record.id, record.is_active, record.deleted_with) == (
        id,
        state == "active",
        relationship.deleted_with,
    )
    assert (record.source_entity_key, record.target_entity_key) == (None, None)


@pytest.mark.parametrize("blank", ["", " ", "\n", "\t \r\n", b"", b"\n", b" \r\n"], ids=repr)
def test_blank_lines_are_no_records(blank: str | bytes) -> None:
    """Nor are they faults."""
    assert read_line(blank) is None


def test_a_byte_order_mark_is_passed_over() -> None:
    """As the first character of a line, as text and as bytes; anywhere else it is a fault."""
    for item in ("\ufeff" + ENTITY_LINE.decode(), b"\xef\xbb\xbf" + ENTITY_LINE):
        assert read_line(item) == read_line(ENTITY_LINE)
    assert refused(ENTITY_LINE + b"\xef\xbb\xbf") == [("", "malformed_json")]


@pytest.mark.parametrize(
    "line",
    [
        b"{",
        b"{}{}",
        b'{"kind": "entity",}',
        b"{'kind': 'entity'}",
        b'{"kind": "entity", "kind": "entity"}',
        b'{"metadata": {"a": {"b": 1, "b": 2}}}',
        b'{"confidence": NaN}',
        b'{"confidence": Infinity}',
        b'{"confidence": -Infinity}',
        b'{"confidence": ' + b"9" * 5000 + b"}",
        b'{"metadata": ' + b"[" * 100_000 + b"}",
        b'{"a":' * 50_000,
        b"\xff\xfe",
        b'{"name": "\xff"}',
        b'{"name": "\xed\xa0\x80"}',
        b'{"name": "a\nb"}',
        b'{"name": "\x00"}',
        b'{"name": "\\x41"}',
        b'{"n": 01}',
        b'{"n": .5}',
        b'{"n": +1}',
        b'{"n": 0x10}',
        b"nul",
        b"// comment",
        '{"kind": "entity"}'.encode("utf-16"),
    ],
)
def test_malformed_json_is_refused(line: bytes) -> None:
    """Also what lenient parsers take: names that stand twice, numbers that are none, and nesting without end."""
    assert refused(line) == [("", "malformed_json")]


@pytest.mark.parametrize("item", [b"null", b"[]", b'"entity"', b"1", b"true", None, [], 7, object()])
def test_a_record_is_an_object(item: object) -> None:
    """Nothing else is one."""
    assert refused(item) == [("", "not_an_object")]


@pytest.mark.parametrize("kind", [None, "", "Entity", "entities", 1, ["entity"], {"a": 1}])
def test_a_record_names_its_kind(kind: object) -> None:
    """Exactly."""
    assert refused({"kind": kind, "type": "t"}) == [("/kind", "not_a_choice")]
    assert refused({"type": "t"}) == [("/kind", "not_a_choice")]


def test_records_in_an_object_are_told_to_come_without_it() -> None:
    """As other programs and kgl's own answers have them; an object without a kind is something else."""
    for name in ("records", "data", "entities"):
        with pytest.raises(InvalidInput, match="without the object around them") as refused:
            read_line({name: [{"kind": "entity", "type": "person", "name": "Ada"}]})
        assert refused.value.faults[0].code == "enveloped"
    for fields in ({"aliases": ["Ada"]}, {"kind": "x", "records": [{}]}, {"records": []}, {}):
        with pytest.raises(InvalidInput, match=r"give .kind."):
            read_line(dict(fields))


def test_lines_that_end_with_a_carriage_return_alone_are_told_so() -> None:
    """They are one line, and no JSON; within text, a carriage return changes nothing."""
    line = b'{"kind": "entity", "type": "t", "name": "a"}'
    for lines in (line + b"\r" + line, (line + b"\r" + line).decode()):
        with pytest.raises(InvalidInput, match="line feed"):
            read_line(lines)
    with pytest.raises(InvalidInput, match="extra data"):
        read_line(line + line)


def test_a_line_has_a_size() -> None:
    """To the byte."""
    room = LINE_BYTES_MAX - len(ENTITY_LINE)
    assert read_line(ENTITY_LINE + b" " * room) is not None
    assert refused(ENTITY_LINE + b" " * (room + 1)) == [("", "too_large")]


def test_numbers_past_64_bits_are_refused() -> None:
    """Where a number is allowed at all."""
    line = '{"kind": "entity", "key": "k", "type": "t", "name": "n", "metadata": {"n": %s}}'
    assert read_line(line % (2**63 - 1)) is not None
    assert refused(line % 2**63) == [("/metadata/n", "out_of_range")]
    assert refused(line % "1e400") == [("/metadata/n", "not_finite")]
    assert refused(line % '"\\ud800"') == [("/metadata/n", "invalid_text")]


def test_every_fault_of_a_record_is_named() -> None:
    """Fields that records do not have are faults, and so is what would make a second load make a second entity."""
    assert refused({"kind": "entity", "typ": "t", "name": "", "id": "x", "is_active": 1, "version": 2}) == [
        ("/typ", "unknown_field"),
        ("/version", "unknown_field"),
        ("/id", "invalid_id"),
        ("/name", "blank"),
        ("/is_active", "not_a_flag"),
    ]
    assert refused({"kind": "entity", "type": "t", "name": "n"}) == [("/key", "required")]
    assert read_line({"kind": "entity", "type": "t", "name": "n", "id": str(UUID(int=1))}) is not None


def test_a_record_says_which_fields_it_gives() -> None:
    """Null empties a field where that can be; what is never empty may only be left out."""
    record = read_line({"kind": "entity", "key": "k", "aliases": None, "metadata": None, "source": None})
    assert isinstance(record, EntityLine)
    assert set(record.given) == {"key", "aliases", "metadata", "source"}
    assert (record.type, record.name, record.aliases, record.metadata) == (None, None, None, None)
    for name in ("type", "name"):
        assert refused({"kind": "entity", "key": "k", name: None}) == [(f"/{name}", "required")]
    assert refused({"kind": "relationship", "id": str(UUID(int=1)), "relationship_type": None}) == [
        ("/relationship_type", "required")
    ]


def test_each_end_is_named_once() -> None:
    """By id or by key, not by both and not by neither; only what is deleted was taken along."""
    record: dict[str, object] = {"kind": "relationship", "relationship_type": "r"}
    ids = {"source_entity_id": str(UUID(int=1)), "target_entity_id": str(UUID(int=2))}
    keys = {"source_entity_key": "a", "target_entity_key": "b"}
    neither = [("/source_entity_id", "end"), ("/target_entity_id", "end")]
    assert refused(record) == neither
    assert refused(record | ids | keys) == neither
    assert refused(ids | {"kind": "relationship"}) == [("/relationship_type", "required")]
    assert read_line({"kind": "relationship", "id": str(UUID(int=3))}) is not None  # found by its id
    assert read_line(record | ids) is not None
    assert read_line(record | keys) is not None
    assert refused(record | ids | {"deleted_with": str(UUID(int=1))}) == [("/deleted_with", "not_deleted")]


@given(
    st.binary(max_size=200) | st.text(max_size=100) | st.text('{}[]":,\\u0123456789abcdef truefalsn.eE+-', max_size=60)
)
def test_any_line_is_read_or_refused(line: bytes | str) -> None:
    """Nothing but InvalidInput comes out of a line, whatever is in it."""
    for read in (parse_line, read_line):
        try:
            read(line)
        except InvalidInput as error:
            str(error).encode()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
FIELD_NAMES = st.sampled_from([*(field.name for cls in (EntityLine, RelationshipLine) for field in attrs.fields(cls))])


@given(st.dictionaries(FIELD_NAMES | st.text(), JSON), st.sampled_from(["entity", "relationship"]))
def test_any_object_is_read_or_refused(fields: dict[str, Any], kind: str) -> None:
    """As a mapping and as a line, with the same answer unless JSON itself forbids a number."""
    answers = []
    for item in ({**fields, "kind": kind}, json.dumps({**fields, "kind": kind})):
        try:
            answers.append(repr(read_line(item)))
        except InvalidInput as error:
            answers.append(error.faults[0].code)
    assert answers[0] == answers[1] or answers[1] == "malformed_json"
