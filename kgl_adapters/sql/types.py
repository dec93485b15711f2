"""Column types, named for what they hold, and their types in the two databases.

None of them converts values: `kgl_adapters/sql/kernel/row_forms.py` does.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import TIMESTAMP, BigInteger, Boolean, Float, Integer, LargeBinary, Text, Uuid
from sqlalchemy.types import UserDefinedType


class Plain(UserDefinedType[Any]):
    """A column type of the database, by name. Values stay as the driver has them."""

    cache_ok = True

    def __init__(self, name: str) -> None:
        self.name = name

    def get_col_spec(self, **_: object) -> str:
        return self.name


SQLITE: Final = "sqlite"
INTEGER: Final = Plain("INTEGER")

ID: Final = Uuid().with_variant(Plain("BLOB"), SQLITE)
"""A UUID; in SQLite its 16 bytes, which take 37 % less room than text."""

INSTANT: Final = TIMESTAMP(timezone=True).with_variant(INTEGER, SQLITE)
"""A moment; in SQLite the microseconds since 1970 in UTC."""

TEXT: Final = Text(collation="C").with_variant(Text(), SQLITE)
"""Text that compares by code point, so that both databases, and Python, sort it alike."""

JSON: Final = Plain("JSON").with_variant(Text(), SQLITE)
"""JSON as text that is kept exactly: jsonb would rewrite numbers and the order of names."""

BYTES: Final = LargeBinary().with_variant(Plain("BLOB"), SQLITE)
"""Bytes as they are, such as a hash."""

CONFIDENCE: Final = Float(53).with_variant(Plain("REAL"), SQLITE)
COUNT: Final = Integer().with_variant(INTEGER, SQLITE)
FLAG: Final = Boolean().with_variant(INTEGER, SQLITE)
SEQUENCE: Final = BigInteger().with_variant(INTEGER, SQLITE)
