"""The page on patterns, followed to the letter: each command is run, and answers as the page says."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
BLOCK = re.compile(r"^### (\S+)\n\n```\w+\n(.*?)^```|^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
PROGRAMS = {"kgl": str(Path(sys.executable).with_name("kgl")), "python": sys.executable}


def test_the_page_can_be_followed(tmp_path: Path) -> None:
    """From an empty folder with the demo graph in it."""
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    told = []
    for name, body, console in BLOCK.findall((ROOT / "docs/how-to/match-a-pattern.md").read_text()):
        if name:
            (tmp_path / name).write_text(body)
        for step in re.split(r"^\$ ", console, flags=re.MULTILINE)[1:]:
            command, _, expected = step.partition("\n")
            if command.startswith("export "):
                key, _, value = command.removeprefix("export ").partition("=")
                environment[key] = value
                continue
            program, *arguments = shlex.split(command)
            done = subprocess.run(
                [PROGRAMS[program], *arguments],
                cwd=tmp_path,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
                timeout=60,
            )
            assert done.returncode == 0, done.stderr
            if program == "python":
                told.append((command, done.stdout, expected))
    assert len(told) == 3
    for command, answer, expected in told:
        assert answer == expected, command
