"""The command line, as a user types it: what it answers, where, and with which exit status."""

import gzip
import json
import os
import pty
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from secrets import token_urlsafe

import pytest

from kgl_adapters import connect
from kgl_adapters.security.argon2_passwords import Argon2Hasher
from kgl_adapters.sql.storage.revisions import REVISIONS
from tests import commands

KGL = str(Path(sys.executable).parent / "kgl")
PASSWORD = "a few unrelated words"
GRAPH = [
    {"kind": "entity", "key": "ada", "type": "person", "name": "Ada Lovelace", "aliases": ["Countess"]},
    {"kind": "entity", "key": "note", "type": "document", "name": "Note G — “naïve”"},
    {"kind": "relationship", "source_entity_key": "ada", "relationship_type": "wrote", "target_entity_key": "note"},
]
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def sqlite_url(tmp_path: Path, sqlite_template: Path) -> str:
    """The URL of an SQLite database at head, for what does not depend on the store."""
    shutil.copy(sqlite_template, tmp_path / "graph.db")
    return f"sqlite:///{tmp_path / 'graph.db'}"


def kgl(
    url: str | None, *arguments: str, given: str | bytes = "", status: int = 0, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run the command, expect its exit status, and never a traceback."""
    variables = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"} | environment
    if url is not None:
        variables["DATABASE_URL"] = url
    put_in = given if isinstance(given, bytes) else given.encode()
    if any(name.startswith(("LC_", "PYTHON")) for name in environment):  # which Python reads when it starts
        answer = subprocess.run([KGL, *arguments], input=put_in, capture_output=True, env=variables)
    else:
        answer = commands.run([*arguments], variables, put_in)
    told = subprocess.CompletedProcess(answer.args, answer.returncode, answer.stdout.decode(), answer.stderr.decode())
    assert told.returncode == status, told
    assert "Traceback" not in told.stderr, told.stderr
    return told


def lines(*records: object) -> str:
    """Records as NDJSON."""
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)


@pytest.fixture
def graph(tmp_path: Path) -> str:
    """A file that holds a small graph."""
    file = tmp_path / "graph.ndjson"
    file.write_text(lines(*GRAPH), encoding="utf-8")
    return str(file)


def test_a_session_from_the_first_command_to_a_copy(url: str, graph: str, tmp_path: Path) -> None:
    """Migrate, import, import again, count, export, and import the copy elsewhere."""
    migrated = kgl(url, "migrate")
    assert f"empty → {REVISIONS[-1]}" in migrated.stdout
    assert (migrated.stdout.count("\n"), migrated.stderr) == (1, "")
    assert "nothing to do" in kgl(url, "migrate").stdout
    assert numbers(kgl(url, "import", graph).stdout) == {
        "created": 3,
        "updated": 0,
        "unchanged": 0,
        "kept": 0,
        "refused": 0,
    }
    again = kgl(url, "import", graph).stdout
    assert numbers(again)["unchanged"] == 3
    assert "Nothing changed" in again
    counted = json.loads(kgl(url, "stats", "--json").stdout)
    assert counted["entities"] == {"active": 2, "deleted": 0, "by_type": {"document": 1, "person": 1}}
    assert counted["changes"] == 3
    table = kgl(url, "stats").stdout
    assert [line.split() for line in table.splitlines()][:3] == [["entities", "2"], ["document", "1"], ["person", "1"]]
    exported = kgl(url, "export").stdout
    assert [json.loads(line)["kind"] for line in exported.splitlines()] == ["entity", "entity", "relationship"]
    copy = f"sqlite:///{tmp_path / 'copy.db'}"
    kgl(copy, "migrate")
    kgl(copy, "import", "-", given=exported)
    assert kgl(copy, "export").stdout == exported


def numbers(summary: str) -> dict[str, int]:
    """The counts in the answer of an import."""
    rows = [line.split() for line in summary.splitlines()]
    return {row[0]: int(row[1].replace(",", "")) for row in rows if len(row) == 2 and row[1][0].isdigit()}


def test_migrations_go_down_and_tell_their_history(url: str) -> None:
    """What is applied is ticked; a database below head is refused with the command to run."""
    assert kgl(url, "migrate", "--history").stdout.count("·") == len(REVISIONS)
    kgl(url, "migrate")
    assert kgl(url, "migrate", "--history").stdout.count("✓") == len(REVISIONS)
    down = kgl(url, "migrate", "--down", "1")
    assert f"{REVISIONS[-1]} → {REVISIONS[-2]}" in down.stdout
    assert (down.stdout.count("\n"), down.stderr) == (1, "")
    assert "kgl migrate" in kgl(url, "stats", status=1).stderr
    assert f"{REVISIONS[-2]} → empty" in kgl(url, "migrate", "--down", "99").stdout
    assert "exclude each other" in kgl(url, "migrate", "--down", "1", "--history", status=2).stderr
    assert "Invalid value" in kgl(url, "migrate", "--down", "0", status=2).stderr


def test_bad_lines_are_reported_and_the_rest_goes_on(sqlite_url: str, tmp_path: Path) -> None:
    """By file, line, reason and code, on standard error; the exit status says that there were some."""
    first, second = tmp_path / "first.ndjson", tmp_path / "second.ndjson"
    first.write_text("\ufeff" + lines(GRAPH[0], {"kind": "entity", "key": "x", "type": "t"}) + "\n" + lines(GRAPH[1]))
    second.write_bytes(b'{"kind": "entity"\n\xff\n' + lines(GRAPH[2], {"kind": "edge"}).encode() + b'{"a": 1, "a": 2}')
    told = kgl(sqlite_url, "import", str(first), str(second), status=1)
    assert numbers(told.stdout) == {"created": 3, "updated": 0, "unchanged": 0, "kept": 0, "refused": 5}
    reported = [line.rpartition(" ")[2] for line in told.stderr.splitlines()]
    assert reported == ["(required)", "(malformed_json)", "(malformed_json)", "(not_a_choice)", "(malformed_json)"]
    places = [line.split(": ")[0].rpartition("/")[2] for line in told.stderr.splitlines()]
    assert places == [
        "first.ndjson:2",
        "second.ndjson:1",
        "second.ndjson:2",
        "second.ndjson:4",
        "second.ndjson:5",
    ]


def test_an_endless_line_is_refused_without_being_held(sqlite_url: str) -> None:
    """The next line is read as if nothing had happened."""
    given = '{"kind": "entity", "key": "' + "x" * 3_000_000 + '"}\n' + lines(GRAPH[0])
    told = kgl(sqlite_url, "import", "-", given=given, status=1)
    assert numbers(told.stdout)["created"] == 1
    assert "<stdin>:1: record: a line has at most 1048576 bytes; leave something out (too_large)" in told.stderr


def test_atomic_keeps_everything_or_nothing(sqlite_url: str, graph: str) -> None:
    """One refused line, and the graph is as before."""
    told = kgl(sqlite_url, "import", "--atomic", graph, "-", given="x\n", status=1)
    assert "Nothing was kept" in told.stderr
    assert kgl(sqlite_url, "export").stdout == ""
    kgl(sqlite_url, "import", "--atomic", graph)
    assert len(kgl(sqlite_url, "export").stdout.splitlines()) == 3


@pytest.mark.parametrize("atomic", [(), ("--atomic",)])
def test_a_dry_run_answers_as_the_import_would(sqlite_url: str, graph: str, atomic: tuple[str, ...]) -> None:
    """With its counts, its refused lines and its exit status; and the graph is as before."""
    told = kgl(sqlite_url, "import", "--dry-run", *atomic, graph)
    assert numbers(told.stdout) == {"created": 3, "updated": 0, "unchanged": 0, "kept": 0, "refused": 0}
    assert "dry run" in told.stdout
    told = kgl(sqlite_url, "import", "--dry-run", *atomic, graph, "-", given="x\n", status=1)
    assert numbers(told.stdout)["refused"] == 1
    assert told.stderr.startswith("<stdin>:1: ")
    assert kgl(sqlite_url, "export").stdout == ""


def test_an_empty_file_is_no_error(sqlite_url: str) -> None:
    """There is nothing to do, and that is said."""
    assert "no records" in kgl(sqlite_url, "import", "-").stdout


def test_an_export_can_write_down_its_place_in_the_feed(sqlite_url: str, graph: str, tmp_path: Path) -> None:
    """Once it is complete: the feed goes on from there."""
    file = tmp_path / "cursor"
    for loaded in (0, 3):
        assert len(kgl(sqlite_url, "export", "--cursor-file", str(file)).stdout.splitlines()) == loaded
        kgl(sqlite_url, "import", graph)
        with connect(sqlite_url) as kg:
            assert len(kg.changes(after=file.read_text().strip()).items) == 3 - loaded
    file.unlink()
    kgl("sqlite:///nowhere/graph.db", "export", "--cursor-file", str(file), status=1)
    assert not file.exists()


def test_an_export_of_a_date_leaves_out_what_does_not_hold_then(sqlite_url: str) -> None:
    """Relationships only; what is no date is an error in one line, and nothing is written."""
    ends = {"kind": "relationship", "relationship_type": "t", "source_entity_key": "a", "target_entity_key": "a"}
    dated = [{**ends, "key": year, "valid_from": year, "valid_to": year} for year in ("1994", "1995")]
    kgl(sqlite_url, "import", "-", given=lines({"kind": "entity", "key": "a", "type": "t", "name": "A"}, *dated))
    for year in ("1994", "1995"):
        exported = kgl(sqlite_url, "export", "--valid-at", year).stdout.splitlines()
        assert [json.loads(line).get("valid_from") for line in exported] == [None, year]
    assert len(kgl(sqlite_url, "export").stdout.splitlines()) == 3
    refused = kgl(sqlite_url, "export", "--valid-at", "1994-00", status=1)
    assert (refused.stdout, refused.stderr.count("\n")) == ("", 1)
    assert "valid_at" in refused.stderr


def test_accounts_from_the_first_admin_to_a_new_password(url: str, tmp_path: Path) -> None:
    """Passwords come from a file or standard input, and are kept as Argon2id hashes only."""
    kgl(url, "migrate")
    told = kgl(url, "user", "create", "Ada@Example.org", "--role", "admin", "--password-file", "-", given=PASSWORD)
    assert "ada@example.org is a new admin" in told.stdout
    (tmp_path / "password").write_text(f"{PASSWORD} too\nnot this line\n")
    named = ("--first-name", "Grace", "--last-name", "Hopper")
    kgl(url, "user", "create", "grace@example.org", *named, "--password-file", str(tmp_path / "password"))
    assert (
        "taken"
        in kgl(url, "user", "create", "ada@example.org", "--password-file", "-", given=PASSWORD, status=1).stderr
    )
    assert [line.split() for line in kgl(url, "user", "list").stdout.splitlines()] == [
        ["ada@example.org", "admin", "enabled"],
        ["grace@example.org", "user", "enabled", "Grace", "Hopper"],
    ]
    assert "disabled" in kgl(url, "user", "disable", "GRACE@example.org").stdout
    assert "enabled" in kgl(url, "user", "enable", "grace@example.org").stdout
    assert "moderator" in kgl(url, "user", "set-role", "grace@example.org", "moderator").stdout
    kgl(url, "user", "set-password", "grace@example.org", "--password-file", "-", given="quite another one\n")
    with connect(url) as kg:
        grace = kg.users.get_by_email("grace@example.org")
        assert Argon2Hasher().verify(grace.password_hash, "quite another one")
        assert grace.password_hash.startswith("$argon2id$")
        assert grace.auth_version == 5
        ada = kg.users.get_by_email("ada@example.org")
        assert Argon2Hasher().verify(ada.password_hash, PASSWORD)


@pytest.mark.parametrize(
    ("arguments", "given", "says", "status"),
    [
        (["create", "ada@example.org", "--password-file", "-"], "short", "at least 8 characters", 1),
        (["create", "ada@example.org", "--password-file", "-"], "password123", "guessed first", 1),
        (["create", "ada at example", "--password-file", "-"], "short", "ada@example.org", 1),
        (["create", "ada@example.org", "--role", "king"], "", "Invalid value for '--role'", 2),
        (["create", "ada@example.org", "--password-file", "no such file"], "", "No such file", 2),
        (["create", "ada@example.org"], "", "--password-file", 2),
        (["disable", "nobody@example.org"], "", "there is no user nobody@example.org", 1),
        (["set-role", "nobody@example.org", "admin"], "", "there is no user", 1),
        (["set-password", "nobody@example.org", "--password-file", "-"], PASSWORD, "there is no user", 1),
    ],
)
def test_a_refused_account_says_why(sqlite_url: str, arguments: list[str], given: str, says: str, status: int) -> None:
    """The message never repeats the password."""
    told = kgl(sqlite_url, "user", *arguments, given=given, status=status)
    assert says in told.stderr
    assert "short" not in told.stderr.replace("too_short", "")


def test_a_password_is_asked_for_twice_and_not_shown(sqlite_url: str) -> None:
    """On a terminal, without --password-file."""
    told = on_a_terminal(
        [KGL, "--database-url", sqlite_url, "user", "create", "ada@example.org"],
        [(b"Password: ", PASSWORD.encode() + b"\n"), (b"Repeat for confirmation: ", PASSWORD.encode() + b"\n")],
    )
    assert b"ada@example.org is a new user" in told
    assert PASSWORD.encode() not in told


def test_going_down_asks_on_a_terminal(sqlite_url: str) -> None:
    """A person is asked before data go; no means no."""
    on_a_terminal([KGL, "--database-url", sqlite_url, "migrate", "--down", "1"], [(b"[y/N]: ", b"n\n")], status=1)
    assert kgl(sqlite_url, "migrate", "--history").stdout.count("✓") == len(REVISIONS)


def on_a_terminal(command: list[str], talk: list[tuple[bytes, bytes]], status: int = 0) -> bytes:
    """Run a command on a terminal of its own, answer its questions, and return all that it showed."""
    child, terminal = pty.fork()
    if child == 0:
        os.environ["TERM"] = "xterm"
        os.execv(command[0], command)
    shown = b""
    pending = list(talk)
    while True:
        try:
            part = os.read(terminal, 4096)
        except OSError:  # the terminal of a process that has ended
            break
        if not part:
            break
        shown += part
        if pending and shown.endswith(pending[0][0]):
            os.write(terminal, pending.pop(0)[1])
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == status, shown
    return shown


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("mysql://ada:hunter22@host/db", "kgl has no store called mysql"),
        ("postgresql://ada:hunter22@127.0.0.1:1/db", "check that the server runs"),
        ("sqlite:////no/such/folder/graph.db", "check that its folder exists"),
        ("memory://", "set DATABASE_URL to a file or a server"),
        ("MEMORY://", "set DATABASE_URL to a file or a server"),
        ("sqlite:///:memory:", "set DATABASE_URL to a file or a server"),
        ("nonsense", "cannot be read"),
        ("sqlite://graph.db", "three slashes before a relative path"),
        ("sqlite:///~/graph.db", "write the whole path"),
        ("sqlite:///\udcff.db", "is not text"),
        ("postgresql+asyncpg://ada:hunter22@host/db", "kgl has no store called postgresql+asyncpg"),
        ("POSTGRES+psycopg2://ada:hunter22@127.0.0.1:1/db", "check that the server runs"),
    ],
)
def test_an_unusable_database_is_one_clear_line(url: str, says: str) -> None:
    """For every command that needs one."""
    for command in ("stats", "migrate"):
        told = kgl(url, command, status=1)
        assert says in told.stderr
        assert "hunter22" not in told.stderr
        assert "memory://" not in told.stderr
        assert (told.stdout, told.stderr.count("\n")) == ("", 1)


@pytest.mark.parametrize(
    "command", ["stats", "export", "check", "user list", "client list", "user disable a@b.example"]
)
def test_a_mistyped_file_is_not_made(tmp_path: Path, command: str) -> None:
    """By commands for what should be there."""
    told = kgl(f"sqlite:///{tmp_path}/typo.db", *command.split(), status=1)
    assert f"there is no file {tmp_path}/typo.db" in told.stderr
    assert "kgl migrate" in told.stderr
    assert [*tmp_path.iterdir()] == []


def test_a_file_whose_name_the_locale_cannot_write_is_one_clear_line(tmp_path: Path) -> None:
    """Python decodes the environment by the locale."""
    ascii_only = {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    told = kgl(f"sqlite:///{tmp_path}/ü.db", "migrate", status=1, **ascii_only)
    assert "PYTHONUTF8=1" in told.stderr
    assert told.stderr.count("\n") == 1


@pytest.mark.parametrize("value", ["7", "65", "many", "-8", "8.5"])
def test_a_setting_that_cannot_be_used_is_named(sqlite_url: str, value: str) -> None:
    """With what to give instead."""
    told = kgl(sqlite_url, "stats", status=1, PASSWORD_LENGTH_MIN=value)
    assert "PASSWORD_LENGTH_MIN: give a whole number from 8 to 64" in told.stderr


def test_a_replica_is_a_standby_of_postgresql(sqlite_url: str) -> None:
    """The service does not start on one that it could never use, and quotes no password."""
    replica = {"DATABASE_REPLICA_URL": "postgresql://kgl:hunter22@127.0.0.1/kgl", "JWT_SECRET": token_urlsafe(48)}
    told = kgl(sqlite_url, "serve", status=1, **replica)
    assert "a replica is a standby of PostgreSQL" in told.stderr
    assert "hunter22" not in told.stderr


def test_the_minimum_of_passwords_is_a_setting(sqlite_url: str) -> None:
    """Eleven characters are enough by default, and not where fifteen are asked for."""
    create = ("user", "create", "ada@example.org", "--password-file", "-")
    told = kgl(sqlite_url, *create, given="testpass123", status=1, PASSWORD_LENGTH_MIN="15")
    assert "at least 15 characters" in told.stderr
    kgl(sqlite_url, *create, given="testpass123")


def test_help_and_version() -> None:
    """Help names every command and the exit statuses; without a command it is shown too."""
    told = kgl(None, "--help").stdout
    for word in ("migrate", "import", "export", "stats", "user", "DATABASE_URL", "Exit status"):
        assert word in told
    assert kgl(None, status=2).stderr.startswith("Usage: kgl")
    assert kgl(None, "--version").stdout.startswith("kgl 0.")
    assert "No such command" in kgl(None, "exprot", status=2).stderr
    for command in ("migrate", "import", "export", "stats", "user", "user create"):
        assert "Usage: kgl" in kgl(None, *command.split(), "--help").stdout


@pytest.mark.parametrize("form", ["packed", "array", "packed array", "spread"])
def test_files_of_other_forms_are_imported(sqlite_url: str, tmp_path: Path, form: str) -> None:
    """Told by their content, from a file and from standard input."""
    records = [{"kind": "entity", "key": f"k{n}", "type": "t", "name": "ハハ"} for n in range(3)]
    if "array" in form:
        text = json.dumps(records, indent=1)
    else:
        text = "\n".join(json.dumps(record, indent=2 if form == "spread" else None) for record in records)
    data = gzip.compress(text.encode()) if "packed" in form else text.encode()
    (tmp_path / "graph").write_bytes(data)
    assert numbers(kgl(sqlite_url, "import", str(tmp_path / "graph")).stdout)["created"] == 3
    assert numbers(kgl(sqlite_url, "import", "-", given=data).stdout)["unchanged"] == 3


def test_a_file_that_cannot_be_read_is_told_once(sqlite_url: str, tmp_path: Path) -> None:
    """By its name, and the other files are loaded: UTF-16, and gzip that ends early."""
    line = b'{"kind": "entity", "key": "a", "type": "t", "name": "n"}\n'
    files = {"wide": line.decode().encode("utf-16"), "cut": gzip.compress(line)[:-4], "whole": line}
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    told = kgl(sqlite_url, "import", *(str(tmp_path / name) for name in files), status=1)
    assert numbers(told.stdout) == {"created": 1, "updated": 0, "unchanged": 1, "kept": 0, "refused": 2}
    first, second = told.stderr.splitlines()
    assert first.startswith(f"{tmp_path}/wide:1: ")
    assert first.endswith("(not_utf8)")
    assert second.startswith(f"{tmp_path}/cut:2: ")
    assert second.endswith("(malformed_gzip)")


@pytest.mark.parametrize("existing", ["merge", "replace", "keep", "refuse"])
def test_import_says_what_becomes_of_what_is_there(sqlite_url: str, existing: str) -> None:
    """And refuses other words with exit status 2."""
    kgl(sqlite_url, "import", "-", given=lines({**GRAPH[0], "source": "book"}))
    given = lines({"kind": "entity", "key": "ada", "type": "person", "name": "เอดา"})
    told = kgl(sqlite_url, "import", "--existing", existing, "-", given=given, status=existing == "refuse")
    counted = {"merge": "updated", "replace": "updated", "keep": "kept", "refuse": "refused"}
    assert numbers(told.stdout)[counted[existing]] == 1
    with connect(sqlite_url) as graph:
        found = graph.entities.get_by_key("ada")
    assert found.source == (None if existing == "replace" else "book")
    assert "merge" in kgl(sqlite_url, "import", "--existing", "other", "-", status=2).stderr
