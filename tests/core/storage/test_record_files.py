"""The records in files of any form: lines, arrays, spread objects and gzip, whatever the pieces that they come in."""

import bz2
import gzip
import io
import itertools
import json
import lzma
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kgl_core import InvalidInput
from kgl_core.storage.record_files import read_items, read_texts
from kgl_core.storage.record_lines import LINE_BYTES_MAX

ADA = {"kind": "entity", "key": 'a,]}"\\', "name": "เอดา", "metadata": {"list": [1, {"x": []}]}}
LINE = json.dumps(ADA, ensure_ascii=False).encode()
JSON = st.recursive(
    st.none() | st.integers() | st.text('{}[]",\\: \nก', max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text('{}[]",\\', max_size=3), inner, max_size=3),
    max_leaves=6,
)


def items(records: object) -> list[Any]:
    """What comes out, with the codes of what can't be read."""
    return [item.faults[0].code if isinstance(item, InvalidInput) else item for item in read_items(records)]


@given(st.lists(JSON, max_size=5), st.sampled_from([None, 0, 2]), st.integers(1, 9), st.booleans())
def test_an_array_comes_as_its_elements(values: list[Any], indent: int | None, size: int, is_packed: bool) -> None:
    """However it is written, and in whatever pieces it is read."""
    text = json.dumps(values, indent=indent, ensure_ascii=False).encode()
    file = io.BytesIO(gzip.compress(text) if is_packed else text)
    found = list(read_texts(lambda _: file.read(max(size, 4) if file.tell() else 64)))
    assert [json.loads(item) for item in found if isinstance(item, bytes)] == values
    assert len(found) == len(values)


@given(st.lists(st.dictionaries(st.text(min_size=1), JSON, min_size=1), min_size=1, max_size=3))
def test_objects_may_be_spread_over_lines(values: list[Any]) -> None:
    """One after the other."""
    text = "\n".join(json.dumps(value, indent=2) for value in values)
    assert [json.loads(item) for item in items(text)] == values


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (b"", []),
        (b"\xef\xbb\xbf", []),
        (b" \n\n", [b"", b""]),
        (LINE, [LINE]),
        (b"\xef\xbb\xbf" + LINE + b"\r\n" + LINE, [LINE + b"\r", LINE]),
        (b"{\n{}\n", [b"{", b"{}"]),
        (b"[]", []),
        (b" \n[ ] \n", []),
        (b"[,]", [b",", b"]"]),
        (b"[{},]", [b"{}", b"]"]),
        (b"[{}", ["malformed_json"]),
        (b"[{}]x", [b"{}", b"x"]),
        (b"[1, [2], null]", [b"1", b"[2]", b"null"]),
        (gzip.compress(LINE, mtime=0) + gzip.compress(b"\n" + LINE, mtime=0), [LINE, LINE]),
        (gzip.compress(LINE + b"\n", mtime=0)[:-1], [LINE, "malformed_gzip"]),
        (gzip.compress(LINE, mtime=0)[:5], ["malformed_gzip"]),
    ],
)
def test_what_comes_out_of_a_file(text: bytes, found: list[Any]) -> None:
    """As bytes, and from an open file."""
    assert items(text) == items(io.BytesIO(text)) == found


def test_texts_are_cut_at_their_limit() -> None:
    """Lines and elements: what is longer is cut, to be refused, and the next one is whole."""
    long = b'{"name":"' + b"x" * (3 * LINE_BYTES_MAX) + b'"}'
    for text in (long + b"\n" + LINE, b"[" + long + b"," + LINE + b"]"):
        assert [len(item) for item in items(text)] == [LINE_BYTES_MAX + 1, len(LINE)]
    full = LINE.ljust(LINE_BYTES_MAX)
    assert [len(item) for item in items(full + b"\n" + full)] == [LINE_BYTES_MAX] * 2


FORMS = [
    LINE + b"\r\n\n" + LINE,
    json.dumps([ADA, ADA], indent=1).encode(),
    json.dumps(ADA, indent=2).encode() + b"\n" + json.dumps(ADA, indent=2).encode(),
    b'{\n \n"a":1}{"b":\n2}',
    b"{\n{}\n",
    b"{",
    b"x",
    b"\xef\xbb",
    b"[" + LINE,
]


@given(
    st.sampled_from(FORMS),
    st.sampled_from([b"", b"\xef\xbb\xbf", b" \r\n\n", b"\xef\xbb\xbf\n "]),
    st.sampled_from(["plain", "packed", "members"]),
    st.lists(st.integers(1, 5), min_size=1, max_size=8),
)
def test_the_pieces_of_a_file_change_nothing(text: bytes, before: bytes, packing: str, sizes: list[int]) -> None:
    """Whatever each read returns, the same records come out: it may be a byte order mark alone, or blanks."""
    if packing == "members":
        text = b"".join(map(gzip.compress, (before, text[:1], text[1:])))
    elif packing == "packed":
        text = gzip.compress(before + text)
    else:
        text = before + text
    file, each = io.BytesIO(text), itertools.cycle(sizes)
    pieces = list(read_texts(lambda _: file.read(next(each))))
    assert list(map(str, pieces)) == list(map(str, read_texts(io.BytesIO(text).read)))
    assert pieces


@pytest.mark.parametrize("before", [b"\xef\xbb\xbf", b"\xef", b"\n", b" ", b"\xef\xbb\xbf "])
def test_a_first_read_without_a_record_is_not_the_end(before: bytes) -> None:
    """It has a byte order mark, a part of one, or white space."""
    whole = (b"\xef\xbb\xbf" if before == b"\xef" else before) + LINE
    pieces = [before, whole[len(before) :]]
    assert [item for item in read_texts(lambda _: pieces.pop(0) if pieces else b"") if item] == [LINE]


def test_white_space_before_an_array_is_not_kept() -> None:
    """However much it is; before lines, its line breaks count."""
    blanks = b" \n" * 300_000
    assert items(blanks + b"[" + LINE + b"]") == [LINE]
    assert items(gzip.compress(blanks + LINE)) == [b""] * 300_000 + [LINE]


@pytest.mark.parametrize("packed", [b"PK\3\4\x14", bz2.compress(LINE), lzma.compress(LINE)])
def test_what_other_programs_packed_is_told_once(packed: bytes) -> None:
    """With what to do."""
    with pytest.raises(InvalidInput, match="unpack it first"):
        read_items(packed)


@pytest.mark.parametrize(
    "records",
    [
        LINE.decode().encode("utf-16"),
        LINE.decode().encode("utf-16-le"),
        LINE.decode().encode("utf-16-be"),
        LINE.decode().encode("utf-32"),
        "graph.ndjson",
        Path("graph.ndjson"),
        7,
        None,
    ],
)
def test_what_holds_no_records_is_told_once(records: object) -> None:
    """With what to give instead."""
    with pytest.raises(InvalidInput):
        read_items(records)


def test_python_values_are_read_as_they_are() -> None:
    """A mapping is one record; text files, text and lists of lines hold several."""
    assert items(ADA) == [ADA]
    assert items([ADA, LINE]) == [ADA, LINE]
    for text in (LINE.decode(), bytearray(LINE), memoryview(LINE), io.StringIO(LINE.decode())):
        assert items(text) == [LINE]
