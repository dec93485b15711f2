"""What records may hold: every fault at once, each with a pointer, a stable code and advice."""

import json
import unicodedata
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import attrs
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from kgl_core import EntityDraft, EntityFilter, Fault, InvalidInput, RelationshipDraft, RelationshipFilter
from kgl_core.access.users import UserDraft, UserFilter
from kgl_core.graph.metadata import METADATA_BYTES_MAX, METADATA_DEPTH_MAX, METADATA_KEYS_MAX, JsonObject
from kgl_core.kernel.checked_records import build, rebuild, rules_of, same_values, unknown_name, unknown_names
from kgl_core.kernel.field_rules import Number
from kgl_core.kernel.strict_json import Inexact, parse_json
from kgl_core.kernel.text import MARKS_MAX, identity_form, is_visible

A, B = UUID(int=1), UUID(int=2)

ANYTHING: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(st.characters(), max_size=80)
    | st.binary(max_size=5)
    | st.uuids()
    | st.datetimes()
    | st.sampled_from(["person", "x" * 501, "a\x00", "\ud800", "", " ", "ada@example.org", "admin", "1"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner)
        | st.sets(st.integers(), max_size=2)
        | st.dictionaries(st.text(max_size=5) | st.integers(), inner, max_size=4)
    ),
    max_leaves=8,
)
CLASSES = [EntityDraft, RelationshipDraft, UserDraft, EntityFilter, RelationshipFilter, UserFilter]

LINE = st.text(
    st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"], exclude_characters="\u202d\u202e"),
    min_size=1,
    max_size=60,
).filter(is_visible)
TYPE = st.from_regex(r"[A-Za-z][A-Za-z0-9_.:-]{0,63}", fullmatch=True)
CONFIDENCE = st.none() | st.integers(0, 1) | st.floats(0, 1)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab~/\n é", max_size=4), inner, max_size=3),
    max_leaves=6,
)
METADATA = st.dictionaries(st.text("ab~/ \U0001f600", max_size=4), JSON, max_size=4)
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "confidence": CONFIDENCE,
    "source": st.none() | LINE,
    "source_type": st.none() | LINE,
    "metadata": METADATA,
}
ENTITY_DRAFTS = st.fixed_dictionaries(
    {"type": TYPE, "name": LINE},
    optional={"aliases": st.lists(LINE, max_size=5), "key": st.none() | LINE, **FIELDS},
)
RELATIONSHIP_DRAFTS = st.fixed_dictionaries(
    {
        "source_entity_id": st.just(A) | st.just(str(A)),
        "relationship_type": TYPE,
        "target_entity_id": st.just(B) | st.just(str(B).upper()),
    },
    optional=FIELDS,
)
INSTANTS = st.none() | st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1), timezones=st.timezones())  # noqa: DTZ001
SHARED_FILTERS = {
    "min_confidence": CONFIDENCE,
    "max_confidence": CONFIDENCE,
    "source": st.none() | LINE,
    "created_after": INSTANTS,
    "updated_before": INSTANTS,
    "is_active": st.none() | st.booleans(),
}
ENTITY_FILTERS = st.fixed_dictionaries({}, optional={"type": TYPE | st.lists(TYPE, max_size=3), **SHARED_FILTERS})
RELATIONSHIP_FILTERS = st.fixed_dictionaries(
    {}, optional={"relationship_type": st.lists(TYPE, max_size=3), "entity_id": st.uuids(), **SHARED_FILTERS}
)
USER_DRAFTS = st.fixed_dictionaries(
    {"email": st.sampled_from(["Ada@Example.org", "a.b+c@x-y.co.uk", "o'hara!#$%&*/=?^`{|}~@example.org"])},
    optional={
        "first_name": st.none() | LINE,
        "last_name": st.none() | LINE,
        "role": st.sampled_from(["user", "moderator", "admin"]),
    },
)
VALID: list[tuple[type[Any], st.SearchStrategy[dict[str, Any]]]] = [
    (EntityDraft, ENTITY_DRAFTS),
    (RelationshipDraft, RELATIONSHIP_DRAFTS),
    (UserDraft, USER_DRAFTS),
    (EntityFilter, ENTITY_FILTERS),
    (RelationshipFilter, RELATIONSHIP_FILTERS),
]


def faults(cls: type[Any], **values: Any) -> list[tuple[str, str]]:
    """The pointer and code of every fault, each of which gives advice."""
    with pytest.raises(InvalidInput) as refused:
        build(cls, values)
    assert all(fault.detail and "\n" not in fault.detail for fault in refused.value.faults)
    assert all(str(fault) in str(refused.value) for fault in refused.value.faults)
    return [(fault.pointer, fault.code) for fault in refused.value.faults]


def refusal(cls: type[Any], values: dict[str, Any]) -> InvalidInput | None:
    """How values are refused; None when they are taken."""
    try:
        build(cls, values)
    except InvalidInput as error:
        return error
    return None


@pytest.mark.parametrize("cls", CLASSES)
@given(data=st.data())
def test_anything_is_taken_or_refused_as_invalid(cls: type[Any], data: st.DataObject) -> None:
    """Whatever values arrive, no other error comes out, and every fault points to a field and can be shown."""
    names = [*rules_of(cls), "typo", "", "a/b~c", "\ud800"]
    refused = refusal(cls, data.draw(st.dictionaries(st.sampled_from(names), ANYTHING, max_size=len(names))))
    if refused is None:
        return
    assert refused.faults
    str(refused).encode()
    for fault in refused.faults:
        assert all((fault.code, fault.detail))
        assert fault.pointer.startswith("/")


@pytest.mark.parametrize(("cls", "values"), VALID, ids=[cls.__name__ for cls, _ in VALID])
@given(data=st.data())
def test_what_is_valid_is_kept_and_stays_valid(
    cls: type[Any], values: st.SearchStrategy[dict[str, Any]], data: st.DataObject
) -> None:
    """Building again from what was built gives the same, value by value and type by type."""
    given_values = data.draw(values)
    try:
        once = build(cls, given_values)
    except InvalidInput as refused:
        # Normalization may have made a valid text too long, and metadata may be too deep.
        assume(not {fault.code for fault in refused.faults} <= {"too_long", "too_deep", "blank"})
        raise
    twice = build(cls, attrs.asdict(once, recurse=False))
    assert twice == once
    assert same_values(once, twice, rules_of(cls))
    assert repr(twice) == repr(once)


def test_every_fault_is_found_in_the_order_of_the_fields() -> None:
    """Unknown names first, then each field's own; one fault hides no other."""
    found = faults(
        EntityDraft,
        nmae="x",
        type="1person",
        aliases=["fine", "", 7, "x" * 501],
        key="k\n",
        confidence=1.5,
        source="\ud800",
        source_type=7,
        metadata={"a": {"b": float("nan"), "c/~": 2**63}, "\x00": 1, "d": {1}},
    )
    assert found == [
        ("/nmae", "unknown_field"),
        ("/type", "pattern"),
        ("/name", "required"),
        ("/aliases/1", "blank"),
        ("/aliases/2", "not_text"),
        ("/aliases/3", "too_long"),
        ("/key", "control_character"),
        ("/confidence", "out_of_range"),
        ("/source", "lone_surrogate"),
        ("/source_type", "not_text"),
        ("/metadata/a/b", "not_finite"),
        ("/metadata/a/c~1~0", "out_of_range"),
        ("/metadata/\x00", "invalid_text"),
        ("/metadata/d", "not_json"),
    ]


def test_unknown_names_suggest_the_near_miss() -> None:
    """Or name what there is."""
    with pytest.raises(InvalidInput, match="did you mean confidence"):
        build(EntityDraft, {"type": "t", "name": "n", "confidense": 1})
    with pytest.raises(InvalidInput, match="known are email, first_name, last_name, role"):
        build(UserDraft, {"email": "ada@example.org", "zzz": 1})


def test_where_there_are_no_names_none_is_suggested() -> None:
    """A request that takes no parameters says so."""
    assert "takes no parameter" in unknown_name("x", (), "parameter").detail


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("x" * 500, None),
        ("x" * 501, "too_long"),
        ("\U0001f600" * 500, None),
        ("\u0958" * 250, None),  # composes to two characters each
        ("\u0958" * 251, "too_long"),
        ("e\u0301" * 500, None),  # composes to one character each
        ("", "blank"),
        (" \u00a0\u3000", "blank"),
        ("a\tb", "control_character"),
        ("a\x7f", "control_character"),
        ("\x85", "control_character"),
        ("a\x00", "control_character"),
        ("\udc00", "lone_surrogate"),
        ("\u200b", "blank"),
        ("\u0301", "blank"),
        ("\u3164\u2800", "blank"),
        ("\U000e0001", "blank"),
        ("a\u2028b", "control_character"),
        ("a\u2029", "control_character"),
        ("ab\u202ecd", "direction_override"),
        ("\u202dab", "direction_override"),
        ("\u2067אב\u2069 \u200fג \u202bד\u202c", None),
        ("می‌خواهم", None),
        ("👩🏽‍💻", None),
        (" Ada\u3000", None),
        (" " * 1000 + "x" * 500 + " " * 500, None),
        (" " * 2000, "blank"),
        (" " * 2001, "too_long"),
        ("a" + "\u0301" * MARKS_MAX, None),
        ("b" + "\u0301" * (MARKS_MAX + 1), "too_many_marks"),
        ("\u0f71\u0f73" + "\u0f73" * MARKS_MAX, "too_many_marks"),
        ("a" + "\u0f73" * MARKS_MAX, "too_many_marks"),  # which are two in their normal form
        ("a" + "\u0316\u0300" * 60_000, "too_long"),
        (None, "not_text"),
        (b"a", "not_text"),
        (["a"], "not_text"),
        (True, "not_text"),
    ],
)
def test_names_are_one_line_of_visible_text(value: Any, code: str | None) -> None:
    """To the exact bound, counted after normalization; names are trimmed, and a kept one is kept when it comes back."""
    if code is None:
        kept = build(EntityDraft, {"type": "t", "name": value}).name
        assert kept == unicodedata.normalize("NFC", value.strip())
        assert build(EntityDraft, {"type": "t", "name": kept}).name == kept
    else:
        assert faults(EntityDraft, type="t", name=value) == [("/name", code)]


@pytest.mark.parametrize("field", ["key", "source", "source_type"])
def test_what_belongs_to_the_caller_is_not_normalized(field: str) -> None:
    """Keys and sources are kept as they are given; names are composed."""
    given_text = "e\u0301 A\u030a "
    assert getattr(build(EntityDraft, {"type": "t", "name": "n", field: given_text}), field) == given_text
    assert build(EntityDraft, {"type": "t", "name": given_text}).name == "é Å"


@pytest.mark.parametrize("field", ["key", "source", "source_type"])
@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("\u200b\u200d", "blank"),
        ("\u0301", "blank"),
        ("a\u2028", "control_character"),
        ("a\u202eb", "direction_override"),
        ("x" * 2001, "too_long"),
        ("\ud800" * 2001, "too_long"),
        ("e" + "\u0301" * 60, None),  # nothing sorts them
    ],
)
def test_what_belongs_to_the_caller_is_one_visible_line(field: str, value: str, code: str | None) -> None:
    """As names are, though it is kept exactly."""
    if code is None:
        assert getattr(build(EntityDraft, {"type": "t", "name": "n", field: value}), field) == value
    else:
        assert faults(EntityDraft, type="t", name="n", **{field: value}) == [(f"/{field}", code)]


@pytest.mark.parametrize("type_name", ["a", "Person", "works_at", "schema.org:Person-v2", "x" * 64])
def test_types_that_are_names(type_name: str) -> None:
    """A letter, then letters, digits and a few marks."""
    assert build(EntityDraft, {"type": type_name, "name": "n"}).type == type_name


@pytest.mark.parametrize("type_name", ["1a", "_a", "a b", "é", "a/b", "x" * 65, "a\n", "a\u00e9"])
def test_types_that_are_not(type_name: str) -> None:
    """All else is refused."""
    ((pointer, code),) = faults(EntityDraft, type=type_name, name="n")
    assert pointer == "/type"
    assert code in ("pattern", "too_long", "control_character")


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (0, None),
        (1, None),
        (0.0, None),
        (1.0, None),
        (5e-324, None),
        (None, None),
        (-0.0, None),
        (-5e-324, "out_of_range"),
        (1 + 2**-52, "out_of_range"),
        (2, "out_of_range"),
        (10**400, "out_of_range"),
        (float("nan"), "out_of_range"),
        (float("inf"), "out_of_range"),
        (True, "not_a_number"),
        ("0.5", "not_a_number"),
        ([0.5], "not_a_number"),
        (1j, "not_a_number"),
    ],
)
def test_confidence_is_a_number_from_0_to_1(value: Any, code: str | None) -> None:
    """Kept as a float, never coerced from anything else; minus zero is zero."""
    if code is not None:
        assert faults(EntityDraft, type="t", name="n", confidence=value) == [("/confidence", code)]
        return
    kept = build(EntityDraft, {"type": "t", "name": "n", "confidence": value}).confidence
    assert kept == value
    assert kept is None or (type(kept) is float and str(kept)[0] != "-")


SPELLINGS = ["Ada", "ADA", "àda", "  ada ", "Zoë", "zoe", "B", "\uff21\uff44\uff41", "ハハ", "パパ", "कम", "कम्"]


@given(st.lists(st.sampled_from(SPELLINGS), max_size=12))
def test_no_alias_stands_twice(aliases: list[str]) -> None:
    """Of several spellings of one name the first stays, in the order given; other names all stay."""
    kept = build(EntityDraft, {"type": "t", "name": "n", "aliases": aliases}).aliases
    names = [alias.strip() for alias in aliases]
    firsts = [name for at, name in enumerate(names) if identity_form(name) not in map(identity_form, names[:at])]
    assert list(kept) == firsts


def test_aliases_are_a_bounded_list() -> None:
    """Up to 100; a text is no list of its characters, and a set has no order to keep."""
    hundred = [str(number) for number in range(100)]
    assert build(EntityDraft, {"type": "t", "name": "n", "aliases": hundred}).aliases == tuple(hundred)
    assert faults(EntityDraft, type="t", name="n", aliases=[*hundred, "x"]) == [("/aliases", "too_many")]
    assert build(EntityDraft, {"type": "t", "name": "n", "aliases": None}).aliases == ()
    for bad in ("abc", {"a"}, {"a": 1}, 0, iter(["a"])):
        assert faults(EntityDraft, type="t", name="n", aliases=bad) == [("/aliases", "not_a_list")]


def test_relationships_join_two_entities_or_one_with_itself() -> None:
    """Ids in either form; malformed ones are named."""
    values = {"relationship_type": "knows", "source_entity_id": A}
    assert build(RelationshipDraft, {**values, "target_entity_id": str(A)}).target_entity_id == A
    for bad in ("x", "{" + str(B) + "}", B.hex, 2, None, f"urn:uuid:{B}", f" {B}", f"{B}\n"):
        assert faults(RelationshipDraft, **values, target_entity_id=bad) == [("/target_entity_id", "invalid_id")]


def nested(depth: int) -> dict[str, Any]:
    """An object of ``depth`` levels, of objects and lists in turn."""
    value: Any = 1
    for level in range(depth, 1, -1):
        value = [value] if level % 2 else {"n": value}
    return {"n": value}


def metadata_faults(value: Any) -> list[str]:
    """The codes of the faults of ``value`` as metadata."""
    try:
        kept = build(EntityDraft, {"type": "t", "name": "n", "metadata": value}).metadata
    except InvalidInput as refused:
        return [fault.code for fault in refused.faults]
    assert kept == value
    assert json.dumps(kept) == json.dumps(value)
    return []


def test_metadata_has_a_size() -> None:
    """Of compact JSON in UTF-8, to the byte, whatever it is made of."""
    for unit, width in (("x", 1), ("é", 2), ("\U0001f600", 4), ("\n", 2), ('"', 2), ("\\", 2), ("\x01", 6)):
        room = METADATA_BYTES_MAX - len('{"a":""}')
        full = unit * (room // width) + "x" * (room % width)
        assert metadata_faults({"a": full}) == []
        assert metadata_faults({"a": full + "x"}) == ["too_large"]
        assert metadata_faults({full[: room // width]: ""}) == []
        assert metadata_faults({"a": [full + "x"]}) == ["too_large"]
    numbers = [0.1] * ((METADATA_BYTES_MAX - len('{"a":[]}') + 1) // 4)
    assert metadata_faults({"a": numbers}) == []
    assert metadata_faults({"a": [*numbers, 0.1]}) == ["too_large"]


def test_metadata_has_a_depth() -> None:
    """The object itself is the first level."""
    assert metadata_faults(nested(METADATA_DEPTH_MAX)) == []
    assert metadata_faults(nested(METADATA_DEPTH_MAX + 1)) == ["too_deep"]
    assert metadata_faults(nested(900)) == ["too_deep"]


def test_metadata_has_a_number_of_names() -> None:
    """Counted through all levels."""
    assert metadata_faults({str(number): number for number in range(METADATA_KEYS_MAX)}) == []
    assert metadata_faults({str(number): number for number in range(METADATA_KEYS_MAX + 1)}) == ["too_many"]
    inside = {"in": [{str(number): "é"} for number in range(METADATA_KEYS_MAX - 1)]}
    assert metadata_faults(inside) == []
    assert metadata_faults({**inside, "one more": None}) == ["too_many"]


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (2**63 - 1, None),
        (-(2**63), None),
        (2**63, "out_of_range"),
        (-(2**63) - 1, "out_of_range"),
        (1.7976931348623157e308, None),
        (float("inf"), "not_finite"),
        (float("-inf"), "not_finite"),
        (float("nan"), "not_finite"),
        ("\x00", "invalid_text"),
        ("a\ud800b", "invalid_text"),
        ("\n\t\x01\x7f", None),
        (Inexact(0.1), "inexact_number"),
        (b"x", "not_json"),
        ((1, 2), "not_json"),
        (UUID(int=1), "not_json"),
        (datetime(2026, 1, 1, tzinfo=UTC), "not_json"),
        ({1: 2}, "not_text"),
        ({None: 2}, "not_text"),
        ({"\x00": 2}, "invalid_text"),
        ({"\udfff": 2}, "invalid_text"),
    ],
)
def test_metadata_holds_json_and_nothing_else(value: Any, code: str | None) -> None:
    """At the top as further in; nothing is coerced."""
    expected = [] if code is None else [code]
    assert metadata_faults({"a": value}) == expected
    assert metadata_faults({"a": [{"b": value}]}) == expected
    assert metadata_faults({"first": "é", "a": value}) == expected


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ({"a": [[]] * 300_000}, "too_large"),
        ({"a": [{"b": []}] * 300_000}, "too_many"),
        ({"a": [[[[[]]]]] * 300_000}, "too_large"),
        ({"a": [None] * 300_000}, "too_large"),
        ({"a": [float("nan")] * 300_000}, "too_large"),
        ({"a": "\x00" * 300_000}, "too_large"),
        ({"é" * 300_000: 1}, "too_large"),
        ({str(number): "é" for number in range(300_000)}, "too_many"),
    ],
)
def test_metadata_is_measured_before_it_is_looked_at(value: Any, code: str) -> None:
    """No more of it is walked through than may be kept, so that the faults in it are few."""
    found: list[Any] = []
    JsonObject()(value, "/metadata", found)
    assert found[-1].code == code
    assert len(found) <= METADATA_BYTES_MAX


@given(JSON)
def test_what_is_measured_is_never_more_than_what_is_written(value: Any) -> None:
    """An object of just the size that is allowed is taken, whatever it is made of; of one byte more, it is not."""
    written = {"a": value}
    size = len(json.dumps(written, ensure_ascii=False, separators=(",", ":")).encode())
    for bytes_max, codes in ((size, []), (size - 1, ["too_large"])):
        found: list[Any] = []
        JsonObject(bytes_max=bytes_max, depth_max=99, keys_max=999)(written, "", found)
        assert [fault.code for fault in found] == codes


@pytest.mark.parametrize("value", [False, [], "{}", 1, [("a", 1)]])
def test_metadata_is_an_object(value: Any) -> None:
    """Not what could be made one."""
    assert metadata_faults(value) == ["not_an_object"]


@given(METADATA)
def test_metadata_is_copied(value: dict[str, Any]) -> None:
    """What is kept shares nothing with what was given, so that the caller cannot alter it later."""
    found: list[Any] = []
    kept = JsonObject()(value, "/metadata", found)
    assume(not found)
    before = json.dumps(kept)
    for item in value.values():
        if isinstance(item, list):
            item.append("altered")
        elif isinstance(item, dict):
            item["altered"] = True
    value["altered"] = True
    assert json.dumps(kept) == before


def test_filters_check_their_values() -> None:
    """Every fault at once, as in records; the near miss of an unknown filter is suggested."""
    found = faults(
        EntityFilter,
        type=["ok", "not ok"],
        min_confidence=-1,
        max_confidence="1",
        created_after="2026-01-31",
        created_before=datetime(2026, 1, 31),  # noqa: DTZ001
        updated_after=datetime.min.replace(tzinfo=timezone(timedelta(hours=1))),
        is_active="true",
        min_confidense=1,
    )
    assert found == [
        ("/min_confidense", "unknown_field"),
        ("/min_confidence", "out_of_range"),
        ("/max_confidence", "not_a_number"),
        ("/created_after", "not_an_instant"),
        ("/created_before", "not_an_instant"),
        ("/updated_after", "out_of_range"),
        ("/is_active", "not_a_flag"),
        ("/type/1", "pattern"),
    ]
    assert faults(EntityFilter, type=["t"] * 201) == [("/type", "too_many")]
    assert faults(UserFilter, role="root", is_active=1) == [("/role", "not_a_choice"), ("/is_active", "not_a_flag")]
    assert faults(RelationshipFilter, entity_id="x", source_entity_id=1) == [
        ("/entity_id", "invalid_id"),
        ("/source_entity_id", "invalid_id"),
    ]


def test_filters_mean_the_same_in_every_form() -> None:
    """One type or a list of one, an instant in any zone: the same filter, and so the same cursors."""
    assert build(EntityFilter, {"type": "t"}) == build(EntityFilter, {"type": ["t"]})
    noon = datetime(2026, 1, 31, 12, tzinfo=UTC)
    other = noon.astimezone(timezone(timedelta(hours=5, minutes=30)))
    one, two = (build(EntityFilter, {"created_after": moment}) for moment in (noon, other))
    assert repr(one) == repr(two)


@pytest.mark.parametrize(
    ("email", "kept"),
    [
        ("ada@example.org", "ada@example.org"),
        ("ADA@Example.ORG", "ada@example.org"),
        ("a" * 64 + "@" + "b" * 63 + ".org", None),
        ("x@" + ".".join(["b" * 63] * 3) + "." + "c" * 60, None),
    ],
)
def test_emails_are_kept_in_lower_case(email: str, kept: str | None) -> None:
    """Up to 254 characters, 64 of them before the @ and 63 in a label."""
    assert build(UserDraft, {"email": email}).email == (kept or email)


@pytest.mark.parametrize(
    "email",
    [
        "ada",
        "ada@",
        "@example.org",
        "ada@localhost",
        "ada@-x.org",
        "ada@x-.org",
        "ada@x..org",
        "a@b@c.org",
        "a b@x.org",
        "ada@exämple.org",
        "a" * 65 + "@x.org",
        "ada@" + "b" * 64 + ".org",
        "x@" + ".".join(["b" * 63] * 4),
        "a@b.org\r\nBcc: x@y.org",
        "a@b.org\n",
        "<a@b.org>",
        "a@\u212adb.org",
        "a@b.org\x00",
        None,
        7,
    ],
)
def test_what_is_no_email_is_refused(email: Any) -> None:
    """Also line breaks, other scripts' look-alikes, and lengths past the bounds."""
    ((pointer, _),) = faults(UserDraft, email=email)
    assert pointer == "/email"


OLD = {"type": "old type", "name": "\u200b", "aliases": ("\u0301", "\u2028"), "key": "\u2028"}
"""What a store may hold from before there were today's rules."""


def test_what_is_stored_may_stay() -> None:
    """A change of other fields does not trip over it; a change of it must keep the rules, in every other field too."""
    usual = attrs.asdict(build(EntityDraft, {"type": "t", "name": "n"}), recurse=False)
    stored = {**usual, **OLD}
    changed = rebuild(EntityDraft, {**stored, "confidence": 1}, stored)
    assert {name: getattr(changed, name) for name in stored} == {**stored, "confidence": 1.0}
    assert rebuild(EntityDraft, {**stored, "name": "".join(["\u200b"])}, stored).name == "\u200b"
    for name, value in (("name", "\u2060"), ("aliases", ["\u0301"]), ("confidence", 2), ("key", "\u200b")):
        with pytest.raises(InvalidInput) as refused:
            rebuild(EntityDraft, {**stored, name: value}, stored)
        assert {fault.pointer.split("/")[1] for fault in refused.value.faults} == {name}
    assert rebuild(EntityDraft, {**stored, "name": "Ada"}, stored).name == "Ada"
    with pytest.raises(InvalidInput, match="give a name"):
        rebuild(EntityDraft, {name: value for name, value in stored.items() if name != "name"}, stored)


def test_many_unknown_names_are_told_of_without_looking_for_what_is_near() -> None:
    """The first few say it, and none that is longer than any name."""
    details = [fault.detail for fault in unknown_names((f"confidense{n}" for n in range(10_000)), ["confidence"])]
    assert len(details) == 101
    assert ["mean" in detail for detail in details[:11]] == [True] * 10 + [False]
    assert "mean" not in unknown_name("confidence" * 100_000, ["confidence" * 7]).detail


@pytest.mark.parametrize("literal", ["1.00000000000000000001", "-1e-400", "1e-400", "0.99999999999999999999"])
def test_a_number_is_not_rounded(literal: str) -> None:
    """What a float can't hold is refused, in a record and in each spelling."""
    faults: list[Fault] = []
    Number(0, 1)(parse_json(literal, "it"), "/confidence", faults)
    assert [fault.code for fault in faults] == ["inexact_number"]


@pytest.mark.parametrize("literal", ["0.30", "1e-1", "1.0", "0.1", "0", "1", "10e-1", "0.30000000000000004", "-0.0"])
def test_ordinary_numbers_are_taken(literal: str) -> None:
    """However they are spelled."""
    faults: list[Fault] = []
    assert Number(0, 1)(parse_json(literal, "it"), "/confidence", faults) == float(literal)
    assert faults == []
