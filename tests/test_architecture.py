"""The house keeps its shape: what may import what, what is loaded when, and how long a file gets."""

import ast
import subprocess
import sys
from collections.abc import Container, Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

import kgl_adapters
import kgl_core
import kgl_http
from kgl_adapters.sql.storage.revisions import REVISIONS

ROOT = Path(__file__).parent.parent
PACKAGES = [Path(package.__file__ or "").parent for package in (kgl_core, kgl_adapters, kgl_http)]
LINES_MAX = 300
FILES_MAX = 13


def imports(file: Path) -> set[str]:
    """The first names of all modules that a file imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file} imports relatively"
            found.add((node.module or "").partition(".")[0])
    return found


def test_the_core_imports_the_standard_library_and_attrs() -> None:
    """And itself; nothing else, so that it runs anywhere."""
    allowed = {*sys.stdlib_module_names, "attrs", "kgl_core"}
    found = {file.name: imports(file) - allowed for file in PACKAGES[0].rglob("*.py")}
    foreign = {name: names for name, names in found.items() if names}
    assert foreign == {}, "the core asks for what it needs by a port, which an adapter implements"


def test_the_core_has_no_clock_or_randomness_of_its_own() -> None:
    """Both are handed in."""
    for file in PACKAGES[0].rglob("*.py"):
        found = imports(file) & {"time", "random", "secrets", "threading", "socket", "sqlite3", "logging"}
        assert not found, f"{file}: take the clock, the ids or the randomness of the Context instead"
        text = file.read_text()
        calls = [call for call in ("datetime.now(", "uuid4(", "uuid1(", "utcnow(") if call in text]
        assert not calls, f"{file}: take the clock or the ids of the Context instead"


def loaded_by(*statements: str) -> set[str]:
    """The top-level modules that are loaded after these statements, in a Python of their own."""
    code = "; ".join([*statements, "import sys", "print(*{name.partition('.')[0] for name in sys.modules})"])
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    ("statements", "absent"),
    [
        (
            ["import kgl_core"],
            {"sqlalchemy", "alembic", "psycopg", "orjson", "argon2", "falcon", "click", "kgl_adapters"},
        ),
        (["import kgl_adapters"], {"alembic", "psycopg", "falcon", "click", "kgl_http"}),
        (
            ["from kgl_adapters import connect", "kg = connect('memory://')", "kg.stats()", "kg.close()"],
            {"alembic", "psycopg", "falcon"},
        ),
        (["import kgl_http.cli.main", "import kgl_http.settings"], {"falcon", "alembic", "psycopg"}),
    ],
    ids=["core", "adapters", "memory", "command line"],
)
def test_importing_loads_no_more_than_is_needed(statements: list[str], absent: set[str]) -> None:
    """Migrations, drivers and the web are loaded by those who use them, so that starting stays quick."""
    assert loaded_by(*statements) & absent == set(), "import these within the function that needs them"


def test_no_file_outgrows_a_reader() -> None:
    """A file about one thing is read at a sitting; one that is longer says in its docstring why."""
    long = {
        str(file.relative_to(ROOT)): len(text.splitlines())
        for package in PACKAGES
        for file in package.rglob("*.py")
        if len((text := file.read_text()).splitlines()) > LINES_MAX
        and "Longer than most files:" not in (ast.get_docstring(ast.parse(text)) or "")
    }
    advice = (
        "split these by what they decide, or begin a paragraph of the docstring with 'Longer than most files:' and why"
    )
    assert long == {}, advice


def test_no_folder_outgrows_a_glance() -> None:
    """Who opens a folder takes in its names at once."""
    folders = {
        str(folder.relative_to(ROOT)): len([file for file in folder.glob("*.py") if file.name != "__init__.py"])
        for package in PACKAGES
        for folder in [package, *package.rglob("*")]
        if folder.is_dir()
    }
    crowded = {folder: count for folder, count in folders.items() if count > FILES_MAX}
    assert crowded == {}, f"a folder has at most {FILES_MAX} files: make a room of those that belong together"


def test_no_modules_import_each_other() -> None:
    """Not around any number of corners, nor for types alone: a reader would have to know all at once."""
    modules = {name_of(file): file for package in PACKAGES for file in package.rglob("*.py")}
    graph = {name: {found for found in imported(file, modules) if found != name} for name, file in modules.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        circle = " -> ".join(reversed(error.args[1]))
        pytest.fail(f"These import each other; move what they share into a file below both: {circle}")


def name_of(file: Path) -> str:
    """The name by which a file is imported."""
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(file: Path, modules: Container[str]) -> Iterator[str]:
    """Those of ``modules`` that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in modules)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                found = f"{node.module}.{alias.name}"
                yield from (name for name in (found if found in modules else node.module,) if name in modules)


def test_the_known_revisions_are_the_migrations_in_order() -> None:
    """Connecting compares revisions without reading the scripts."""
    config = Config()
    config.set_main_option("script_location", str(ROOT / "migrations"))
    scripts = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
    assert tuple(reversed(scripts)) == REVISIONS, "add each migration's number to REVISIONS"


def test_every_public_name_exists_and_every_module_says_why() -> None:
    """What `kgl_core` exports can be imported, in order; a module opens with what it is for."""
    assert list(kgl_core.__all__) == sorted(kgl_core.__all__, key=lambda name: (name.upper() != name, name))
    assert all(hasattr(kgl_core, name) for name in kgl_core.__all__)
    silent = [
        str(file.relative_to(ROOT))
        for package in PACKAGES
        for file in package.rglob("*.py")
        if not ast.get_docstring(ast.parse(file.read_text()))
    ]
    assert silent == [], "begin these with a docstring that says what they are for"
