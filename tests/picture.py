"""Draws the house into docs/architecture.md: its rooms, and which room imports which, as the code has it.

    .venv/bin/python -m tests.picture

writes the page anew. `tests/test_docs.py` fails when the page shows another house than the code.
"""

import ast
import re
import textwrap
from collections import defaultdict
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent
PAGE: Final = ROOT / "docs/architecture.md"
COMMAND: Final = ".venv/bin/python -m tests.picture"
RINGS: Final = ("kgl_http", "kgl_adapters", "kgl_core")
"""From the outside in: a ring imports itself and those behind it."""
SUBJECTS: Final = ("graph", "evidence", "exploration", "access", "storage")
_SHARED: Final = 2
"""How many columns there are for what all subjects share."""
_WIDTH: Final = 20

Rooms = dict[str, set[str]]
"""The rooms of the house, and those that each imports."""


def room_of(module: str) -> str:
    """The folder that a module is in, as far as subjects go: what is inside of a subject's folder belongs to it.

    So does what is inside of a kernel's.
    """
    folder = "/".join(module.split(".")[:-1])
    subject = re.match(rf".*?/({'|'.join(SUBJECTS)}|kernel)(?=/|$)", folder)
    return subject[0] if subject else folder


def imported(tree: ast.Module) -> Iterator[str]:
    """What a module imports of kgl, wherever in it, each as if it were a module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("kgl_"))
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("kgl_"):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def module_of(name: str) -> str:
    """The module that a dotted name leads to: itself, or the one that defines it."""
    while not (ROOT / (path := name.replace(".", "/"))).with_suffix(".py").is_file():
        if (ROOT / path / "__init__.py").is_file():
            return f"{name}.__init__"
        name = name.rpartition(".")[0]
    return name


def read_rooms() -> Rooms:
    """The house as the code has it."""
    rooms: Rooms = defaultdict(set)
    for ring in RINGS:
        for file in (ROOT / ring).rglob("*.py"):
            room = room_of(".".join(file.relative_to(ROOT).with_suffix("").parts))
            used = {room_of(module_of(name)) for name in imported(ast.parse(file.read_text()))}
            rooms[room] |= used - {room}
    return rooms


def picture(rooms: Rooms) -> str:
    """The rings from top to bottom and the subjects from left to right, with the imports of every room."""
    lines = [_row(["every subject", *[""] * (_SHARED - 1), *SUBJECTS])]
    for ring in RINGS:
        arrow = [] if ring == RINGS[0] else [f"{'v':^{len(_line())}}".rstrip()]
        lines += [*arrow, _line(ring), *_band(ring, rooms), _line()]
    return "\n".join(lines)


def _band(ring: str, rooms: Rooms) -> list[str]:
    columns: list[list[str]] = [[] for _ in range(_SHARED + len(SUBJECTS))]
    for room in sorted(room for room in rooms if ring_of(room) == ring):
        last = room.rpartition("/")[2]
        column = columns[_SHARED + SUBJECTS.index(last)] if last in SUBJECTS else min(columns[:_SHARED], key=len)
        column += [*([""] if column else []), *_box(room, rooms[room])]
    return [_row(list(cells)) for cells in zip_longest(*columns, fillvalue="")]


def _box(room: str, used: set[str]) -> list[str]:
    ring = ring_of(room)
    lines = [_short(room)]
    for other in RINGS[RINGS.index(ring) :]:
        mark = "> " if other == ring else f"v {other.removeprefix('kgl_')}: "
        if names := sorted(_short(name) for name in used if ring_of(name) == other):
            lines += textwrap.wrap(mark + " ".join(names), _WIDTH, initial_indent=" ", subsequent_indent="   ")
    return lines


def ring_of(room: str) -> str:
    """The outermost folder that a room is in."""
    return room.partition("/")[0]


def _short(room: str) -> str:
    return room.partition("/")[2] or "*.py"


def _row(cells: list[str]) -> str:
    return "".join(f"| {cell:{_WIDTH}} " for cell in cells) + "|"


def _line(name: str = "") -> str:
    plain = f"+{'-' * (_WIDTH + 2)}" * (_SHARED + len(SUBJECTS)) + "+"
    named = f"+- {name} " if name else ""
    return named + plain[len(named) :]


def table() -> str:
    """What each folder says of itself: the docstrings of the packages."""
    rows = []
    for ring in reversed(RINGS):
        for file in sorted((ROOT / ring).rglob("__init__.py")):
            said = " ".join((ast.get_docstring(ast.parse(file.read_text())) or "").replace("``", "`").split())
            rows.append(f"| `{file.parent.relative_to(ROOT)}/` | {said} |")
    return "\n".join(["| Folder | What lives there, and what may not |", "|---|---|", *rows])


def drawn(page: str) -> str:
    """The page with the picture and the table as the code has them."""
    for name, text in (("picture", f"```text\n{picture(read_rooms())}\n```"), ("rooms", table())):
        begin = page.index("-->\n", page.index(f"<!-- {name}: ")) + len("-->\n")
        page = f"{page[:begin]}\n{text}\n\n{page[page.index(f'<!-- end of {name} -->') :]}"
    return page


if __name__ == "__main__":
    PAGE.write_text(drawn(PAGE.read_text()))
