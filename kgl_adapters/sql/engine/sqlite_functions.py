"""Functions that SQL on SQLite can call: every connection has those that are named here when it is opened."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

SQLITE_FUNCTIONS: Final[dict[str, Callable[..., Any]]] = {}
"""By name. All are deterministic; none may stand in an index or a table, which other programs open, too."""


def add_functions(connection: Any) -> None:
    """Let a new connection of SQLite's driver call them."""
    for name, function in SQLITE_FUNCTIONS.items():
        connection.create_function(name, function.__code__.co_argcount, function, deterministic=True)
