"""What the command prints, where that can't be printed, and what others have put into it."""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kgl_adapters import connect
from tests.test_cli import GRAPH, KGL, PASSWORD, kgl, lines, on_a_terminal

ESCAPES = "\x1b]0;owned\x07\x9b31m\u202e\x7f"
"""What sets a terminal's title, colours and direction of writing, and rings its bell."""


@pytest.fixture
def sqlite_url(tmp_path: Path, sqlite_template: Path) -> str:
    """The URL of an SQLite database at head, with an account, a client and a small graph."""
    shutil.copy(sqlite_template, tmp_path / "graph.db")
    url = f"sqlite:///{tmp_path / 'graph.db'}"
    with connect(url) as kg:
        kg.load(GRAPH)
        kg.users.create(email="ada@example.org", password=PASSWORD)
        kg.clients.create(name="AI", scopes=("graph:read",))
    return url


COMMANDS = {
    "help": "--help",
    "help of a command": "user create --help",
    "version": "--version",
    "migrate": "migrate",
    "history": "migrate --history",
    "import": "import -",
    "extract": "extract -",
    "export": "export",
    "stats": "stats",
    "stats as JSON": "stats --json",
    "users": "user list",
    "a new user": "user create eve@example.org --password-file -",
    "a disabled user": "user disable ada@example.org",
    "a role": "user set-role ada@example.org admin",
    "a password": "user set-password ada@example.org --password-file -",
    "clients": "client list",
    "a new client": "client create Publishing --scope graph:read",
}
CHANGING = [name for name in COMMANDS if name.startswith("a ")] + ["migrate", "import", "extract"]
DONE = "Error: the output could not be written ({}), but "


def run(url: str, command: str, out: object, err: object = subprocess.PIPE) -> tuple[int, str]:
    """The exit status of a command with these outputs, and what it wrote to standard error."""
    done = subprocess.run(
        [KGL, "--database-url", url, *command.split()],
        input=f"{PASSWORD}\n",
        stdout=out,  # type: ignore[call-overload]
        stderr=err,
        text=True,
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_what_cannot_be_written_is_told_in_one_line(sqlite_url: str, name: str) -> None:
    """With status 1, and with what was done; and where that can't be written either, with the status alone."""
    with open("/dev/full", "w") as full:
        status, told = run(sqlite_url, COMMANDS[name], full)
        [line] = errors(told)
        reason = "No space left on device"
        if name in CHANGING:
            assert line.startswith(DONE.format(reason))
        else:
            assert line == f"Error: cannot write the output: {reason}"
        assert status == 1
        assert run(sqlite_url, COMMANDS[name], full, full)[0] == 1


@pytest.mark.parametrize("name", COMMANDS)
def test_a_reader_that_is_gone_ends_it(sqlite_url: str, name: str) -> None:
    """As ``kgl export | head -1`` may find it: quietly, unless it has changed something."""
    with closed_pipe() as pipe:
        status, told = run(sqlite_url, COMMANDS[name], pipe)
    found = errors(told)
    if name in CHANGING:
        assert [line.startswith(DONE.format("Broken pipe")) for line in found] == [True]
    else:
        assert found == []
    assert status == 1


def errors(told: str) -> list[str]:
    """The lines that a command wrote to standard error, without those about refused records."""
    return [line for line in told.splitlines() if not line.startswith("<stdin>")]


def shell(url: str, command: str) -> subprocess.CompletedProcess[str]:
    """Run a command with its redirections."""
    program = f'"{KGL}" --database-url "{url}" {command}'
    return subprocess.run(["/bin/sh", "-c", program], capture_output=True, text=True, stdin=subprocess.DEVNULL)


def test_a_secret_that_nobody_could_see_is_told_of(sqlite_url: str) -> None:
    """A closed output is refused before anything is made; after a failure, the client and the way out are named."""
    with connect(sqlite_url) as kg:
        [client] = kg.clients.list().items
    for command in ("create Publishing --scope graph:read", f"rotate {client.id}"):
        done = shell(sqlite_url, f"client {command} >&-")
        assert (done.returncode, done.stderr.startswith("Error: standard output is closed")) == (1, True)
    with connect(sqlite_url) as kg:
        assert kg.clients.list().items == (client,)
    done = shell(sqlite_url, f"client rotate {client.id} >/dev/full")
    assert f"kgl client rotate {client.id}" in done.stderr
    assert f"kgl client delete {client.id}" in done.stderr
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    done = shell(sqlite_url, "client create Publishing --scope graph:read >/dev/full")
    with connect(sqlite_url) as kg:
        made = next(found.id for found in kg.clients.list().items if found.name == "Publishing")
    assert f"kgl client delete {made}" in done.stderr


@pytest.mark.parametrize(
    ("command", "status"),
    [
        ("check 2>&-", 0),
        ("stats 2>/dev/full", 0),
        ("stats >&-", 1),
        ("user list >&-", 1),
        ("--help >&-", 1),
        ("import /dev/null 2>&-", 0),
        ("import /etc/passwd 2>/dev/full", 1),
        ("nonsense 2>/dev/full", 2),
        ("nonsense 2>&-", 2),
        ("user disable nobody@example.org 2>&-", 1),
    ],
)
def test_a_stream_that_cannot_be_used_decides_only_its_own_part(sqlite_url: str, command: str, status: int) -> None:
    """Errors that nobody can read leave the status as it is, and do not land in the output."""
    done = shell(sqlite_url, command)
    assert done.returncode == status
    assert "Traceback" not in done.stderr
    assert "Error" not in done.stdout


def test_a_check_with_a_closed_error_output_answers(sqlite_url: str) -> None:
    """As with an open one."""
    assert shell(sqlite_url, "check 2>&-").stdout.endswith("No faults.\n")


@pytest.mark.parametrize(("option", "kept"), [("", "run it again"), ("--atomic", "nothing was kept")])
def test_an_interrupted_load_says_what_it_kept(sqlite_url: str, tmp_path: Path, option: str, kept: str) -> None:
    """In one line, with status 130."""
    file = tmp_path / "begun"
    file.write_text("x\n" * 5_000)
    command = [KGL, "--database-url", sqlite_url, "import", *option.split(), str(file), "-"]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # As on a terminal. What runs in the background of a script ignores it, and so does all that this starts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as load:
        assert load.stderr
        assert b"begun:1" in load.stderr.readline()  # and it will wait for more
        load.send_signal(signal.SIGINT)
        out, err = load.communicate(timeout=20)
    line = err.decode().splitlines()[-1]  # after those of refused records
    assert (load.returncode, out, line.startswith("Error: interrupted")) == (130, b"", True), line
    assert kept in line


@contextmanager
def closed_pipe() -> Iterator[int]:
    """A pipe that nobody reads from."""
    reader, writer = os.pipe()
    os.close(reader)
    yield writer
    os.close(writer)


def test_a_reader_that_stops_reading_ends_it_quietly(sqlite_url: str) -> None:
    """As ``kgl export | head -1`` does in the midst of many records."""
    kgl(sqlite_url, "import", "-", given=lines(*({**GRAPH[0], "key": f"k{n}"} for n in range(5_000))))
    pipe = subprocess.Popen(
        [KGL, "--database-url", sqlite_url, "export"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert pipe.stdout
    assert pipe.stderr
    assert pipe.stdout.readline().startswith(b'{"kind":"entity"')
    pipe.stdout.close()
    assert pipe.stderr.read() == b""
    pipe.stderr.close()
    pipe.wait()


@pytest.mark.parametrize("err", ["full", "closed pipe", "closed"])
def test_a_load_goes_on_when_nobody_reads_its_refusals(sqlite_url: str, tmp_path: Path, err: str) -> None:
    """Lines past a refused one are loaded, whatever becomes of the message."""
    file = tmp_path / "graph.ndjson"
    file.write_text("x\n" * 500 + lines({**GRAPH[0], "key": "after"}))
    redirect = {"full": "2>/dev/full", "closed pipe": "2>&1 >/dev/null | true", "closed": "2>&-"}[err]
    subprocess.run(["/bin/sh", "-c", f'"{KGL}" --database-url "{sqlite_url}" import "{file}" {redirect}'])
    assert "after" in kgl(sqlite_url, "export").stdout


@pytest.mark.parametrize("stream", ["<&-", ">&-", "2>&-"])
@pytest.mark.parametrize("command", ["import -", "extract -", "export", "stats", "user create eve@example.org"])
def test_a_closed_stream_is_no_crash(sqlite_url: str, tmp_path: Path, command: str, stream: str) -> None:
    """Of whatever the command would read or write."""
    err = tmp_path / "err"
    closing = f'"{KGL}" --database-url "{sqlite_url}" {command} {stream}'
    redirect = "" if stream == "2>&-" else f"2>{err}"
    given = {} if stream == "<&-" else {"input": PASSWORD.encode()}
    done = subprocess.run(
        ["/bin/sh", "-c", f"{closing} {redirect}"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **given
    )
    assert done.returncode <= 2
    assert b"Traceback" not in (err.read_bytes() if redirect else done.stderr)


def test_a_hostile_file_cannot_speak_to_the_terminal(sqlite_url: str, tmp_path: Path) -> None:
    """Not by the names of fields, not by values, not by its own name."""
    hostile = tmp_path / f"{ESCAPES}.ndjson"
    hostile.write_text(
        lines(
            {"kind": "entity", "type": "t", "name": "n", ESCAPES: 1},
            {"kind": "entity", "type": ESCAPES, "name": ESCAPES},
            {"kind": ESCAPES},
            {"kind": "relationship", "source_entity_key": ESCAPES, "relationship_type": "x", "target_entity_key": "y"},
        )
    )
    told = kgl(sqlite_url, "import", str(hostile), status=1).stderr
    assert told.count("\n") == 4
    assert safe(told)
    assert "\\u001b]0;owned\\u0007\\u009b31m\\u202e\\u007f.ndjson:1: /\\u001b]" in told
    assert safe(on_a_terminal([KGL, "--database-url", sqlite_url, "import", str(hostile)], [], 1).decode(), "\x1b[\r")
    assert safe(kgl(sqlite_url, "import", str(tmp_path / ESCAPES), status=2).stderr)
    assert safe(kgl(sqlite_url, "user", "disable", ESCAPES, status=1).stderr)
    assert safe(kgl(sqlite_url, "client", "delete", ESCAPES, status=1).stderr)
    assert safe(kgl(f"{ESCAPES}://x", "stats", status=1).stderr)
    assert safe(kgl(sqlite_url, "stats", status=1, LOG_LEVEL=ESCAPES).stderr)


def safe(shown: str, besides: str = "") -> bool:
    """Whether a terminal would print all of this, and do nothing else but end lines."""
    found = {*ESCAPES} & {*shown} - {*besides}
    assert "]0;owned" not in shown.replace("\\u001b]0;owned", "")
    return not found - {*"0;owned31m]"}


def test_what_was_stored_cannot_speak_to_the_terminal(sqlite_url: str, tmp_path: Path) -> None:
    """Types, names and metadata, whichever version took them; and an export is still the same JSON."""
    with connect(sqlite_url) as kg:
        kg.load([{"kind": "entity", "key": "m", "type": "t", "name": "n", "metadata": {"text": ESCAPES}}])
        engine = kg._context.store.engine  # type: ignore[attr-defined]
        with engine.begin() as connection:
            connection.exec_driver_sql("UPDATE entities SET type = ? WHERE key = 'ada'", (ESCAPES,))
            connection.exec_driver_sql("UPDATE users SET first_name = ?", (ESCAPES,))
            connection.exec_driver_sql("UPDATE oauth_clients SET name = ?", (ESCAPES,))
    for command in (["stats"], ["stats", "--json"], ["user", "list"], ["client", "list"], ["export"]):
        shown = kgl(sqlite_url, *command).stdout
        assert safe(shown), shown
        assert "owned" in shown
    exported = [json.loads(line) for line in kgl(sqlite_url, "export").stdout.splitlines()]
    [text] = [record["metadata"]["text"] for record in exported if "metadata" in record]
    assert text == ESCAPES


def test_a_database_that_others_can_read_is_told_of(tmp_path: Path, sqlite_url: str) -> None:
    """In one line, by every command that opens it, with what to run; it is not changed."""
    file = tmp_path / "graph.db"
    file.chmod(0o644)
    for command in (["stats"], ["migrate"], ["user", "list"]):
        told = kgl(sqlite_url, *command).stderr
        assert (told.count("\n"), told.startswith("Warning: other users")) == (1, True), told
        assert f"run chmod 600 {file}" in told
    assert file.stat().st_mode & 0o777 == 0o644
    file.chmod(0o600)
    assert kgl(sqlite_url, "stats").stderr == ""


def test_an_export_to_a_file_is_for_its_owner_alone(sqlite_url: str, tmp_path: Path) -> None:
    """Whatever the umask, and whatever was there; what fails leaves the old file as it is, and nothing else."""
    folder = tmp_path / "copies"
    folder.mkdir()
    copy = folder / "copy.ndjson"
    before = os.umask(0)
    try:
        kgl(sqlite_url, "export", "--output", str(copy))
    finally:
        os.umask(before)
    assert copy.stat().st_mode & 0o777 == 0o600
    assert copy.read_text() == kgl(sqlite_url, "export").stdout
    assert kgl("sqlite:////no/such/folder/g.db", "export", "--output", str(copy), status=1).stdout == ""
    assert "No such file" in kgl(sqlite_url, "export", "--output", "/no/such/folder/x", status=1).stderr
    assert kgl(sqlite_url, "export", "--output", "/dev/stdout").stdout == copy.read_text()
    assert [*folder.iterdir()] == [copy]


def test_a_load_shows_how_far_it_is_on_a_terminal(sqlite_url: str, tmp_path: Path) -> None:
    """And reports bad lines beside the bar, and how long it took."""
    file = tmp_path / "graph.ndjson"
    file.write_text(lines(*({**GRAPH[0], "key": f"k{n}"} for n in range(3_000))) + "x\n")
    told = on_a_terminal([KGL, "--database-url", sqlite_url, "import", str(file)], [], status=1)
    assert b"%" in told
    assert b"graph.ndjson:3001: " in told
    assert b"3,000" in told
    assert b"Took " in told


def test_an_export_shows_how_far_it_is_on_a_terminal(sqlite_url: str, tmp_path: Path) -> None:
    """And how long it took; where it is shown itself, there is no bar between its lines."""
    told = on_a_terminal([KGL, "--database-url", sqlite_url, "export", "--output", str(tmp_path / "copy")], [])
    assert b"%" in told
    assert b"3 records in " in told
    told = on_a_terminal([KGL, "--database-url", sqlite_url, "export"], [])
    assert b"%" not in told
    assert told.count(b'{"kind"') == 3
    assert b"3 records in " in told


def test_an_output_in_another_encoding_is_no_crash(sqlite_url: str) -> None:
    """What it lacks is escaped."""
    assert "\\u2713 0001" in kgl(sqlite_url, "migrate", "--history", PYTHONIOENCODING="latin-1").stdout


def test_a_password_that_is_no_text_is_refused(sqlite_url: str) -> None:
    """Without a traceback, and without showing it."""
    told = kgl(sqlite_url, "user", "create", "b@example.org", "--password-file", "-", given=b"\xff\xfe x", status=1)
    assert "UTF-8" in told.stderr
