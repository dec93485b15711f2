"""The pages on evidence, followed to the letter: each command is run, and answers as the page says."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from kgl_adapters import connect
from kgl_core import Actor, ActorKind, Role
from kgl_core.graph.entities import ENTITY

ROOT = Path(__file__).parent.parent
PAGES = ("extract-from-documents", "run-an-extractor-every-night", "who-says-so")
ELVIS = "redocred:Memories (Elvis Presley song)#2"
BLOCK = re.compile(r"^### (\S+)\n\n```json\n(.*?)^```|^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\dZ")


def run(command: str, folder: Path, environment: dict[str, str]) -> str:
    """What a command writes, with ids and times as a page shows them."""
    program, *arguments = shlex.split(command)
    assert program == "kgl", f"the page runs {program}; only kgl is known here"
    done = subprocess.run(
        [str(Path(sys.executable).with_name("kgl")), *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return TIME.sub("TIME", done.stdout)


@pytest.mark.parametrize("page", PAGES)
def test_the_page_can_be_followed(page: str, tmp_path: Path) -> None:
    """From an empty folder with the demo graph in it."""
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    environment = {**os.environ}
    elvis = ""
    ran = 0
    for name, body, console in BLOCK.findall((ROOT / f"docs/how-to/{page}.md").read_text()):
        if name:
            (tmp_path / name).write_text(body.replace("ID_OF_ELVIS", elvis))
            continue
        for step in re.split(r"^\$ ", console, flags=re.MULTILINE)[1:]:
            command, _, expected = step.partition("\n")
            if command.startswith("export "):
                key, _, value = command.removeprefix("export ").partition("=")
                environment[key] = value
                continue
            told = run(command.replace("ID_OF_ELVIS", elvis), tmp_path, environment)
            ran += 1
            if command.startswith("kgl import"):
                elvis = id_of(ELVIS, tmp_path, environment)
            else:
                assert UUID.sub("ID", told) == expected, command
    assert ran >= 3


def test_the_page_tells_who_pinned_what() -> None:
    """The function on it finds whoever pinned it, as long as it is pinned."""
    [code] = re.findall(r"^```python\n(.*?)^```", (ROOT / "docs/how-to/who-says-so.md").read_text(), re.M | re.S)
    names: dict[str, Any] = {}
    exec(code, names)  # what is tried out is our own page
    ann, ben = (Actor(ActorKind.USER, name, Role.MODERATOR) for name in ("ann", "ben"))
    with connect("memory://") as kg:
        id = kg.extract("d", "x", {"entities": [{"key": "ada", "type": "person", "name": "Ada"}]}).labels
        [ada] = kg.entities.list().items
        assert names["who_pinned"](kg, ada.id) == id == {}
        pinned = kg.acting_as(ann).entities.update(ada.id, name="A. L.")
        kg.entities.create(type="person", name="Bo")
        kg.acting_as(ben).entities.update(ada.id, name="Ada L.", metadata={"born": 1815})
        told = names["who_pinned"](kg, ada.id)
        assert told["/name"] == (ann, pinned.updated_at)
        assert {pin: str(by) for pin, (by, _) in told.items()} == {"/metadata/born": "user:ben", "/name": "user:ann"}
        kg.assertions.pin(ENTITY, ada.id, ["/metadata/born"])
        assert [*names["who_pinned"](kg, ada.id)] == ["/metadata/born"]


def id_of(key: str, folder: Path, environment: dict[str, str]) -> str:
    """The id of the entity with this key."""
    lines = map(json.loads, run("kgl export", folder, environment).splitlines())
    return next(str(line["id"]) for line in lines if line.get("key") == key)
