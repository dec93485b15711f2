"""The records in files of any form: lines, arrays, spread objects and gzip, whatever the pieces that they come in."""

import gzip
import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kgl_core import InvalidInput
from kgl_core.record_files import read_items, read_texts
from kgl_core.records import LINE_BYTES_MAX

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
        (b" \n\n", [b" ", b""]),
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
