"""Faults: what is wrong with one value of the input."""

from __future__ import annotations

from typing import ClassVar, Final

import attrs


@attrs.frozen
class Fault:
    """One broken rule: where (a JSON Pointer, RFC 6901), which (a stable code), and what to do."""

    pointer: str
    code: str
    detail: str

    def __str__(self) -> str:
        return f"{self.pointer or 'record'}: {self.detail}"


FAULTS_MAX: Final = 100
"""How many faults one error names."""


class KglError(Exception):
    """The root of the tree: catch this to catch everything that kgl raises on purpose."""

    code: ClassVar[str] = "error"
