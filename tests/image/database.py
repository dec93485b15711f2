"""Debian's PostgreSQL in place of the Compose file's: at its address, with its user, its database and the password."""

import os
import pwd
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from tests.image.containers import Secrets, composed, environment
from tests.serving.service import until


@contextmanager
def database(env: Secrets) -> Iterator[str]:
    """The URL of an empty database for as long as the block runs, reached from this machine with the password."""
    settings = environment(composed(env)["db"])
    user, password, name = (settings[f"POSTGRES_{part}"] for part in ("USER", "PASSWORD", "DB"))
    [*_, programs] = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    postgres = pwd.getpwnam("postgres")
    identity = {"user": postgres.pw_uid, "group": postgres.pw_gid, "extra_groups": []}
    with tempfile.TemporaryDirectory(prefix="kgl-pg-", dir="/tmp") as folder:
        home = Path(folder)
        (home / "password").write_text(password)
        for path in (home, home / "password"):
            os.chown(path, postgres.pw_uid, postgres.pw_gid)
        made = [programs / "initdb", f"--username={user}", f"--pwfile={home / 'password'}", "--auth=scram-sha-256"]
        subprocess.run(
            [*made, "--encoding=UTF8", "--no-locale", "--no-sync", home / "data"],
            cwd=home,
            check=True,
            capture_output=True,
            **identity,
        )
        options = ("-D", home / "data", "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c")
        with (home / "log").open("wb") as log:
            server = subprocess.Popen(
                [programs / "postgres", *options, "fsync=off"], cwd=home, stdout=log, stderr=log, **identity
            )
        url = f"postgresql://{user}@127.0.0.1:5432"

        def answers() -> bool:
            assert server.poll() is None, (home / "log").read_text()
            try:
                psycopg.connect(f"{url}/postgres", password=password).close()
            except psycopg.OperationalError:
                return False
            return True

        try:
            until(answers)
            with psycopg.connect(f"{url}/postgres", password=password, autocommit=True) as connection:
                connection.execute(f'CREATE DATABASE "{name}"')
            yield f"{url}/{name}"
        finally:
            server.terminate()
            server.wait()
