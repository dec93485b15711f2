"""Stores that can be put back to an earlier state, as an operator does with a backup."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from kgl_adapters.memory.store import MemoryStore
from kgl_adapters.memory.tables import Tables
from kgl_adapters.sql.engine.engines import make_engine, parse_url
from kgl_adapters.sql.units_of_work import SqlStore
from kgl_core.kernel.units_of_work import Store
from tests.postgres import fresh_database


class MemoryArchive:
    """A store in memory: a backup is a copy of its rows."""

    def __init__(self) -> None:
        self.store: Store = MemoryStore()
        self._kept: Tables | None = None

    def back_up(self) -> None:
        """Keep the present state."""
        assert isinstance(self.store, MemoryStore)
        self._kept = self.store._tables.copy()

    def restore(self) -> None:
        """Go back to the state that was kept."""
        assert isinstance(self.store, MemoryStore)
        assert self._kept is not None
        self.store._tables = self._kept.copy()

    def forget_changes(self, first: int, last: int) -> None:
        """Lose these changes, counted from 1, from the log alone."""
        assert isinstance(self.store, MemoryStore)
        del self.store._tables.changes[first - 1 : last]


class SqlArchive:
    """A store in a database. While it is copied, nobody is connected."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.store: Store = self._open()

    def _open(self) -> SqlStore:
        return SqlStore(make_engine(parse_url(self.url)))

    def forget_changes(self, first: int, last: int) -> None:
        """Lose these changes, counted from 1, from the log alone."""
        assert isinstance(self.store, SqlStore)
        with self.store.engine.connect() as connection:
            schema = "" if self.url.startswith("sqlite") else "backend_entities."
            rows = f"SELECT sequence FROM {schema}changes ORDER BY sequence LIMIT {last - first + 1} OFFSET {first - 1}"
            connection.exec_driver_sql(f"DELETE FROM {schema}changes WHERE sequence IN ({rows})")


class SqliteArchive(SqlArchive):
    """A store in a file: a backup is a copy of the file."""

    def __init__(self, file: Path) -> None:
        self._file, self._kept = file, file.with_suffix(".backup")
        super().__init__(f"sqlite:///{file}")

    def back_up(self) -> None:
        """Keep the present state."""
        self.store.close()
        shutil.copyfile(self._file, self._kept)
        self.store = self._open()

    def restore(self) -> None:
        """Go back to the state that was kept."""
        self.store.close()
        for name in ("-wal", "-shm"):
            Path(f"{self._file}{name}").unlink(missing_ok=True)
        shutil.copyfile(self._kept, self._file)
        self.store = self._open()


class PostgresArchive(SqlArchive):
    """A store in PostgreSQL: a backup is a copy of the database."""

    def __init__(self, server_url: str, template: str, stack: ExitStack) -> None:
        self._server, self._stack = server_url, stack
        self._kept = template
        super().__init__(self._copy(template))

    def _copy(self, url: str) -> str:
        return self._stack.enter_context(fresh_database(self._server, url))

    def back_up(self) -> None:
        """Keep the present state."""
        self.store.close()
        self._kept = self._copy(self.url)
        self.store = self._open()

    def restore(self) -> None:
        """Go back to the state that was kept."""
        self.store.close()
        self.url = self._copy(self._kept)
        self.store = self._open()


Archive = MemoryArchive | SqliteArchive | PostgresArchive


@contextmanager
def archive_of(store: str, sqlite_template: Path, folder: Path, server_url: str, template: str) -> Iterator[Archive]:
    """An empty store of this name."""
    with ExitStack() as stack:
        archive: Archive
        if store == "memory":
            archive = MemoryArchive()
        elif store == "sqlite":
            file = folder / "archived.db"
            shutil.copyfile(sqlite_template, file)
            archive = SqliteArchive(file)
        else:
            archive = PostgresArchive(server_url, template, stack)
        yield archive
        archive.store.close()
