"""Reads the records in a file or a text one by one, in bounded memory.

The form may be NDJSON, one JSON array of records, or objects that span several lines; any of these may be gzipped.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any, Final

from kgl_core.kernel.errors import Fault, InvalidInput
from kgl_core.kernel.strict_json import MALFORMED
from kgl_core.storage.gzip_stream import MAGIC, Read, Unpacked
from kgl_core.storage.record_lines import LINE_BYTES_MAX

_CHUNK_BYTES: Final = 256 * 1024
_BOM: Final = b"\xef\xbb\xbf"
_SPACE: Final = b" \t\r\n"  # RFC 8259, section 2
_NOT_UTF8: Final = (b"\xff\xfe", b"\xfe\xff", b"\0", b"{\0", b"[\0")
_ARCHIVES: Final = (b"PK\3\4", b"BZh", b"\xfd7zX", b"\x28\xb5\x2f\xfd")  # zip, bzip2, xz, Zstandard
_UNREADABLE: Final = (
    (_NOT_UTF8, "not_utf8", "this is not UTF-8, perhaps UTF-16; save it as UTF-8"),
    (_ARCHIVES, "packed", "this is packed, but not by gzip; unpack it first, or pack it by gzip"),
)
_TOLD_BY_BYTES: Final = 4
"""How many bytes it takes to see the form of what is not an object."""
_OPEN: Final = (b"{", b"[", b",", b":")
_OUTSIDE: Final = re.compile(rb'["{}\[\],]')
_INSIDE: Final = re.compile(rb'["\\]')


def read_items(records: object) -> Iterable[object]:
    """The items in what a caller gives as records: each a mapping, a line, or an InvalidInput in its place.

    ``records`` is an open file (binary, or text), NDJSON or a JSON array as bytes or str, one mapping, or any iterable
    of mappings and lines. Raises InvalidInput for anything else, and as `read_texts` does.
    """
    if isinstance(records, Mapping):
        return [records]
    if isinstance(records, bytes | bytearray | memoryview):
        return read_texts(io.BytesIO(records).read)
    if isinstance(records, str) and (not records or records.isspace() or "{" in records or "[" in records):
        return read_texts(io.BytesIO(records.encode("utf-8", "surrogatepass")).read)
    if isinstance(records, str | os.PathLike):
        raise _unreadable("not_records", "a path is not read; give the open file: open(path, 'rb')")
    read = getattr(records, "read", None)
    if callable(read):
        return read_texts(lambda size: _encoded(read(size)))
    if isinstance(records, Iterable):
        return records
    raise _unreadable("not_records", "give an open file, NDJSON text, or an iterable of records")


def read_texts(read: Read, *, unpacks: bool = True) -> Iterator[bytes | InvalidInput]:
    """The JSON texts of the records in a file that ``read`` reads: its lines, or the values of an array or a sequence.

    The beginning shows the form: an array, or an object that goes on after its first line. Values are numbered like
    lines. A text longer than LINE_BYTES_MAX is cut after that. An InvalidInput stands where no more can be read.

    The form does not depend on how much each call of ``read`` returns.

    Raises InvalidInput for a file that does not begin with UTF-8, for archives of other programs, and for gzip unless
    ``unpacks`` is set.
    """
    head = b""
    while len(head) < len(MAGIC) and (piece := read(_CHUNK_BYTES)):
        head += piece
    read = _after(head, read)
    if head.startswith(MAGIC):
        if not unpacks:
            raise _unreadable("packed", "this is gzip; say so with Content-Encoding: gzip")
        read = Unpacked(read).read
    begin, breaks, rest = _beginning(_chunks(read))
    for marks, code, detail in _UNREADABLE:
        if begin.startswith(marks):
            raise _unreadable(code, detail)
    if begin.startswith(b"["):
        return _elements(chain([begin[1:]], rest))
    return (_objects if _is_spread(begin) else _lines)(chain(_blank_lines(breaks), [begin], rest))


_Chunks = Iterator[bytes | InvalidInput]


def _chunks(read: Read) -> _Chunks:
    """What is read, and at the end the reason why no more can be, if there is one."""
    try:
        while piece := read(_CHUNK_BYTES):
            yield piece
    except InvalidInput as error:
        yield error


def _beginning(chunks: _Chunks) -> tuple[bytes, int, _Chunks]:
    """As many of the chunks as it takes to see their form, without byte order mark and leading white space.

    Also the number of line breaks in that white space, and the chunks that follow.
    """
    begin, breaks, is_past_mark, searched = bytearray(), 0, False, 0
    for chunk in chunks:
        if isinstance(chunk, InvalidInput):
            return bytes(begin), breaks, iter([chunk])
        begin += chunk
        if not is_past_mark:
            if len(begin) < len(_BOM) and _BOM.startswith(begin):
                continue
            begin, is_past_mark = begin.removeprefix(_BOM), True
        if begin[:1] in _SPACE:
            text = begin.lstrip(_SPACE)
            breaks += begin.count(b"\n", 0, len(begin) - len(text))
            begin = text
        if not begin.startswith(b"{"):
            is_known = len(begin) >= _TOLD_BY_BYTES
        else:
            end = begin.find(b"\n", searched)
            searched = len(begin) if end < 0 else end
            is_known = len(begin) > LINE_BYTES_MAX or (
                end >= 0 and (not begin[:end].rstrip().endswith(_OPEN) or bool(begin[end:].strip()))
            )
        if is_known:
            break
    return bytes(begin), breaks, chunks


def _blank_lines(count: int) -> Iterator[bytes]:
    while count > 0:
        yield b"\n" * min(count, _CHUNK_BYTES)
        count -= _CHUNK_BYTES


def _lines(chunks: Iterable[bytes | InvalidInput]) -> Iterator[bytes | InvalidInput]:
    begun, is_cut = bytearray(), False
    for chunk in chunks:
        if isinstance(chunk, InvalidInput):
            yield chunk
            return
        *lines, rest = chunk.split(b"\n")
        if lines:
            if not is_cut:
                lines[0] = bytes(begun + lines[0])[: LINE_BYTES_MAX + 1]
            yield from lines[is_cut:]
            begun, is_cut = bytearray(rest), False
        elif not is_cut:
            begun += rest
        if len(begun) > LINE_BYTES_MAX:
            yield bytes(begun[: LINE_BYTES_MAX + 1])
            begun, is_cut = bytearray(), True
    if begun:
        yield bytes(begun)


def _is_spread(begin: bytes) -> bool:
    """Whether an object begins that goes on in the next line, as no line of NDJSON does."""
    first, _, rest = begin[: LINE_BYTES_MAX + 1].partition(b"\n")
    return first.startswith(b"{") and first.rstrip().endswith(_OPEN) and rest.lstrip().startswith((b'"', b"}", b"]"))


class _Marks:
    """Finds the brackets and commas of JSON that are not within strings, chunk by chunk."""

    def __init__(self) -> None:
        self._depth = 0
        self._pattern, self._skip = _OUTSIDE, 0

    def of(self, chunk: bytes) -> Iterator[tuple[bytes, int, int]]:
        """Each mark, how deep in brackets it leads, and where it ends."""
        at = self._skip
        while (found := self._pattern.search(chunk, at)) is not None:
            at, mark = found.end(), found[0]
            if mark == b"\\":
                at += 1  # past the escaped byte
            elif mark == b'"':
                self._pattern = _INSIDE if self._pattern is _OUTSIDE else _OUTSIDE
            else:
                self._depth += (mark in b"{[") - (mark in b"}]")
                yield mark, self._depth, at
                self._depth = max(self._depth, 0)
        self._skip = max(0, at - len(chunk))


class _Text:
    """The text of one value, added to piece by piece; cut after LINE_BYTES_MAX."""

    def __init__(self) -> None:
        self._pieces = bytearray()

    def add(self, piece: bytes) -> None:
        """Add another piece."""
        self._pieces += piece[: LINE_BYTES_MAX + 1 - len(self._pieces)]

    def take(self) -> bytes:
        """The text so far, without surrounding space; then start the next one."""
        text = bytes(self._pieces).strip() if len(self._pieces) <= LINE_BYTES_MAX else bytes(self._pieces)
        self._pieces.clear()
        return text


def _elements(chunks: Iterable[bytes | InvalidInput]) -> Iterator[bytes | InvalidInput]:
    """The elements of an array whose first bracket has been read. Anything else is passed on as it is."""
    marks, text = _Marks(), _Text()
    is_first, is_closed = True, False
    for chunk in chunks:
        if isinstance(chunk, InvalidInput):
            yield chunk
            return
        start = 0
        for mark, depth, end in marks.of(chunk):
            if is_closed or depth > 0 or (depth == 0 and mark != b","):
                continue
            text.add(chunk[start : end - 1])
            start, element, is_closed = end, text.take(), depth < 0
            if element or not (is_closed and is_first):
                yield element or mark
            is_first = False
        text.add(chunk[start:])
    if not is_closed:
        yield _unreadable(MALFORMED, "the array is not closed: something is missing at its end")
    elif rest := text.take():
        yield rest


def _objects(chunks: Iterable[bytes | InvalidInput]) -> Iterator[bytes | InvalidInput]:
    """The objects of a sequence. Anything else is passed on as it is."""
    marks, text = _Marks(), _Text()
    for chunk in chunks:
        if isinstance(chunk, InvalidInput):
            yield chunk
            return
        start = 0
        for mark, depth, end in marks.of(chunk):
            if depth <= 0 and mark != b",":
                text.add(chunk[start:end])
                start = end
                yield text.take()
        text.add(chunk[start:])
    if rest := text.take():
        yield rest


def _after(head: bytes, read: Read) -> Read:
    """Reads ``head``, which was read already, and then the rest."""
    again = [head]
    return lambda size: again.pop() if again else read(size)


def _encoded(data: Any) -> bytes:
    return data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data or b""


def _unreadable(code: str, detail: str) -> InvalidInput:
    return InvalidInput([Fault("", code, detail)])
