"""JSON as it is read strictly: numbers are what was written, and lines stay lines."""

import json
import math
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kgl_core import InvalidInput
from kgl_core.kernel.strict_json import MALFORMED, Inexact, escape_line_breaks, parse_json


@pytest.mark.parametrize(
    "literal",
    [
        "0.1",
        "1.10",
        "1e-7",
        "-0.0",
        "0.0e99",
        "1E5",
        "1e22",
        "1e23",
        "5e-324",
        "0." + "0" * 323 + "5",
        "1.7976931348623157e308",
        "0.30000000000000004",
        "0.98000000000000000000",
        "100000000000000000000000.0",
        "9007199254740992.0",
        "1" + "0" * 300 + ".0",
    ],
)
def test_numbers_that_a_float_holds(literal: str) -> None:
    """However they are written."""
    value = parse_json(literal, "it")
    assert type(value) is float
    assert Decimal(repr(value)) == Decimal(literal)
    assert math.copysign(1, value) == (-1 if literal[0] == "-" else 1)


@pytest.mark.parametrize(
    "literal",
    [
        "12345678901234567890.0",
        "9007199254740993.0",
        "0.1e-400",
        "1e-400",
        "4e-324",
        "0.12345678901234567",
        "3.14159265358979323846",
        "123456789012345678e0",
        "0.97999999999999998",
        "0.1" + "0" * 400 + "1",
    ],
)
def test_numbers_that_no_float_holds(literal: str) -> None:
    """They come as what a float makes of them, marked, so that rules can refuse them."""
    for text in (literal, f"-{literal}"):
        value = parse_json(text, "it")
        assert type(value) is Inexact
        assert value == float(text)
        assert Decimal(repr(float(value))) != Decimal(text)


@pytest.mark.parametrize(
    "literal", ["0." + "1" * 5_000, "1" * 5_000, "1e" + "1" * 5_000, "-" + "0.0" * 1 + "0" * 5_000]
)
def test_numbers_of_thousands_of_digits(literal: str) -> None:
    """Whatever they mean."""
    with pytest.raises(InvalidInput) as refused:
        parse_json(f'{{"a": [{literal}]}}', "it")
    assert [fault.code for fault in refused.value.faults] == [MALFORMED]


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_what_a_float_writes_it_reads(value: float) -> None:
    """In its shortest form, and in every other that means the same."""
    for text in (repr(value), f"{Decimal(repr(value)):E}", f"{Decimal(repr(value)):f}"):
        if set(text) & set(".eE"):
            read = parse_json(text, "it")
            assert (type(read), repr(read)) == (float, repr(value))


@given(st.from_regex(r"-?(0|[1-9][0-9]{0,24})(\.[0-9]{1,24})?([eE][+-]?[0-9]{1,3})?", fullmatch=True))
@example("1e400")
@example("-0e0")
def test_a_number_is_exact_or_marked(literal: str) -> None:
    """As decimal arithmetic has it."""
    value = parse_json(literal, "it")
    if type(value) is int:
        assert value == int(literal)
    elif type(value) is float:
        assert Decimal(repr(value)) == Decimal(literal)
    else:
        assert type(value) is Inexact
        assert value == float(literal)
        assert math.isinf(value) or Decimal(repr(float(value))) != Decimal(literal)


@given(st.text() | st.text(st.sampled_from("\x85\u2028\u2029\u2027\x84\\é\U0001f600")))
def test_json_stays_one_line(text: str) -> None:
    """For every reader, and means the same."""
    written = json.dumps({text: [text]}, ensure_ascii=False).encode("utf-8", "replace")
    line = escape_line_breaks(written)
    assert len(line.decode().splitlines()) == 1
    assert json.loads(line) == json.loads(written)
