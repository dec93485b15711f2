"""The migrations that there are: their folder, and their numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Final

_PACKAGE: Final = Path(__file__).parents[2]
_INSTALLED: Final = _PACKAGE / "migrations"
MIGRATIONS: Final = _INSTALLED if _INSTALLED.is_dir() else _PACKAGE.parent / "migrations"
"""The folder of Alembic's scripts: within the installed package, or beside it in a checkout."""

REVISIONS: Final = tuple(sorted(path.name.partition("_")[0] for path in (MIGRATIONS / "versions").glob("[0-9]*.py")))
"""Every migration there is, in order; the last is head. Connecting compares them without reading the scripts."""
