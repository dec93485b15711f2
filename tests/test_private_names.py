"""What kgl touches of its libraries beyond their public names: docs/architecture.md lists all of it."""

import ast
import inspect
import re
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("kgl", "kgl_core", "kgl_adapters", "kgl_http")
_ROW = re.compile(r"^\| ([\w-]+) \| (`.*?`.*?) \| `([\w/.]+)` \|", re.MULTILINE)
_BY_PYTHON = "_abc_impl"  # every abstract class has it
_TOKEN = re.compile(r"`([\w.]+)`")


def listed() -> dict[str, tuple[str, str]]:
    """The full names in the list, each with the file that uses it and the distribution that it belongs to."""
    text = (ROOT / "docs/architecture.md").read_text()
    section = text.partition("## Private names of libraries")[2].partition("\n## ")[0]
    found = {}
    for distribution, names, file in _ROW.findall(section):
        for part in names.split(";"):
            owner, *members = _TOKEN.findall(part)
            found |= {f"{owner}.{member}": (file, distribution) for member in members} or {owner: (file, distribution)}
    assert found
    return found


def sources() -> Iterator[tuple[str, ast.Module]]:
    """Our files, each with its tree."""
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            yield str(path.relative_to(ROOT)), ast.parse(path.read_text())


def is_private(name: str) -> bool:
    return name.startswith("_") and not (name.startswith("__") and name.endswith("__")) and name != "_"


def ours(trees: list[ast.Module]) -> set[str]:
    """The private names that our own sources define: functions, classes, and what is assigned to."""
    found: set[str] = set()
    for tree in trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                found.add(node.name)
            elif isinstance(node, ast.Attribute | ast.Name) and isinstance(node.ctx, ast.Store):
                found.add(node.attr if isinstance(node, ast.Attribute) else node.id)
    return found


def used_by_attribute() -> set[tuple[str, str]]:
    """Files, and the private names in them that nothing of ours defines."""
    files = dict(sources())
    own = ours([*files.values()])
    found = set()
    for file, tree in files.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and is_private(node.attr) and node.attr not in own:
                found.add((file, node.attr))
            elif isinstance(node, ast.ImportFrom):
                parts = [*(node.module or "").split("."), *(alias.name for alias in node.names)]
                if not (node.module or "").startswith(PACKAGES):
                    found |= {(file, part) for part in parts if is_private(part)}
    return found


def used_by_inheritance() -> set[tuple[str, str]]:
    """Files, and the private names of libraries' classes that classes of ours define again."""
    found = set()
    for file, tree in sources():
        classes = [node.name for node in tree.body if isinstance(node, ast.ClassDef)]
        module = (
            import_module(file.removesuffix(".py").replace("/", ".").removesuffix(".__init__")) if classes else None
        )
        for name in classes:
            cls: Any = getattr(module, name)
            skipped = {*PACKAGES, *sys.stdlib_module_names}
            others = [base for base in cls.__mro__[1:] if base.__module__.partition(".")[0] not in skipped]
            for own in vars(cls):
                if is_private(own) and own != _BY_PYTHON and any(own in vars(base) for base in others):
                    found.add((file, own))
    return found


def test_the_list_is_complete() -> None:
    """Nothing else that begins with an underscore is used of a library, by name or by inheritance."""
    told = {(file, name.rpartition(".")[2]) for name, (file, _) in listed().items()}
    assert used_by_attribute() | used_by_inheritance() <= told


def test_the_search_finds_what_it_looks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """An attribute, an import, and a method of a library's class that is defined again."""
    text = "from some_library import _hidden\nimport some_library\nsome_library.thing._secret()\n"
    monkeypatch.setattr(f"{__name__}.sources", lambda: iter([("file.py", ast.parse(text))]))
    assert used_by_attribute() == {("file.py", "_hidden"), ("file.py", "_secret")}


@pytest.mark.parametrize("name", listed())
def test_what_is_listed_is_there(name: str) -> None:
    """A library that drops one of these names fails this test, and not somebody's request."""
    parts = name.split(".")
    for count in range(len(parts) - 1, 0, -1):
        try:
            found: Any = import_module(".".join(parts[:count]))
        except ModuleNotFoundError:
            continue
        for part in parts[count:]:
            if not hasattr(found, part):
                assert inspect.isclass(found), f"{name} is gone"
                assert f"self.{part} = " in "".join(map(inspect.getsource, found.__mro__[:-1])), f"{name} is gone"
                return
            found = getattr(found, part)
        return
    pytest.fail(f"{name} cannot be imported")


@pytest.mark.parametrize("distribution", sorted({distribution for _, distribution in listed().values()}))
def test_what_they_belong_to_has_an_upper_bound(distribution: str) -> None:
    """Below its next minor version: until somebody has looked, it is not installed."""
    text = (ROOT / "pyproject.toml").read_text()
    assert re.search(rf'"{distribution}(\[\w+\])?>=(\d+)\.(\d+)[\d.]*,<\d+\.\d+"', text), f"no bound for {distribution}"
