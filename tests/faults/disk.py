"""Disks that are full, and can be freed again."""

import errno
import mmap
import os
import resource
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psycopg

from tests.serving.service import Service

FILE_BYTES_MAX: Final = 2 << 20
"""Less than SQLite's log grows to before it is emptied into the database, more than a service logs meanwhile."""
_PAGE: Final = bytes(mmap.PAGESIZE)

_NO_SPACE: Final = """
CREATE FUNCTION no_space() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE disk_full; END';
CREATE TRIGGER no_space BEFORE INSERT ON backend_entities.changes EXECUTE FUNCTION no_space()
"""
_SPACE: Final = "DROP TRIGGER no_space ON backend_entities.changes; DROP FUNCTION no_space()"


@contextmanager
def small_files(service: Service) -> Iterator[None]:
    """For as long as the block runs, no file of the service can grow beyond FILE_BYTES_MAX."""
    unlimited = {process: resource.prlimit(process, resource.RLIMIT_FSIZE) for process in service.processes()}
    for process, (_, hard) in unlimited.items():
        resource.prlimit(process, resource.RLIMIT_FSIZE, (FILE_BYTES_MAX, hard))
    yield
    for process, limits in unlimited.items():
        resource.prlimit(process, resource.RLIMIT_FSIZE, limits)


@contextmanager
def no_space_for_changes(url: str) -> Iterator[None]:
    """For as long as the block runs, PostgreSQL says of each change that its disk is full."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_NO_SPACE)
        yield
        connection.execute(_SPACE)


@contextmanager
def small_disk(mebibytes: int) -> Iterator[Path]:
    """A file system of that size, for anybody to write to, for as long as the block runs."""
    assert os.geteuid() == 0, "mounting needs root: mark the test with pytest.mark.root"
    with tempfile.TemporaryDirectory(prefix="kgl-disk-", dir="/tmp") as folder:
        os.chmod(folder, 0o755)
        disk = Path(folder, "disk")
        disk.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m,mode=0777", "tmpfs", disk], check=True)
        try:
            yield disk
        finally:
            subprocess.run(["umount", "--lazy", disk], check=True)


@contextmanager
def full(disk: Path) -> Iterator[None]:
    """For as long as the block runs, not one page is free on a disk."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while file.write(_PAGE):
                pass
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
    yield
    ballast.unlink()
