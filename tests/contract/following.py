"""Following a graph from outside: an export, and from its place on the feed of changes."""

import random
import threading
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import attrs

from kgl_core import Change, EndsDeleted, Entity, KnowledgeGraph, NotFound, StoreBusy, TransactionConflict
from kgl_core.kernel.errors import AlreadyExists
from kgl_core.storage.record_lines import write_line

Copy = dict[str, dict[str, Any]]


def changes_after(kg: KnowledgeGraph, cursor: str | None) -> Iterator[Change]:
    """What the feed has past a cursor, page by page, until there is no more."""
    while (page := kg.changes(after=cursor, limit=50)).items:
        yield from page.items
        cursor = page.next_cursor


@attrs.define
class Follower:
    """A copy of a graph: what an export held, with the changes taken over that the feed has told of since."""

    copy: Copy
    cursor: str

    @staticmethod
    def of(kg: KnowledgeGraph) -> "Follower":
        """One that begins with an export."""
        with kg.dump() as dump:
            return Follower({str(record["id"]): record for record in dump}, dump.cursor)

    def catch_up(self, kg: KnowledgeGraph) -> list[Change]:
        """Take over the changes since, and say which they were."""
        told = list(changes_after(kg, self.cursor))
        for change in told:
            self.copy[str(change.record.id)] = write_line(change.record)
            assert change.cursor is not None
            self.cursor = change.cursor
        return told


def export_while_written(kg: KnowledgeGraph, is_over: Callable[[int], bool], *, writers: int) -> list[Follower]:
    """Exports that were made while others wrote; their number is told to ``is_over`` after each.

    The first export waits until each writer has written.
    """
    done = threading.Event()
    begun = threading.Barrier(writers + 1)
    failed: list[BaseException] = []

    def write(seed: int) -> None:
        try:
            Writer(kg, seed).write_until(done, begun)
        except BaseException as error:
            failed.append(error)
            begun.abort()
            raise

    threads = [threading.Thread(target=write, args=(seed,)) for seed in range(writers)]
    for thread in threads:
        thread.start()
    found: list[Follower] = []
    try:
        begun.wait()
        while not (failed or is_over(len(found))):
            found.append(Follower.of(kg))
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert not failed
    return found


class Writer:
    """Does to a graph whatever can be done, in an order of its own."""

    def __init__(self, kg: KnowledgeGraph, seed: int) -> None:
        self._kg, self._random, self._seed = kg, random.Random(seed), seed
        self._entities: list[UUID] = []
        self._relationships: list[UUID] = []

    def write_until(self, done: threading.Event, begun: threading.Barrier) -> None:
        """Change after change, of one record or of several together; the first is made before ``begun`` is passed."""
        steps = [self._create, self._create, self._join, self._change, self._delete, self._restore, self._together]
        self._create()
        begun.wait()
        while not done.is_set():
            try:
                self._random.choice(steps)()
            except (NotFound, EndsDeleted, AlreadyExists, StoreBusy, TransactionConflict):
                continue

    def _one(self) -> UUID:
        return self._random.choice(self._entities)

    def _create(self) -> None:
        self._entities.append(self._kg.entities.create(type="t", name=f"{self._seed}: {self._random.random()}").id)

    def _join(self) -> None:
        made = self._kg.relationships.create(self._one(), f"r{self._random.randrange(9)}", self._kg_other())
        self._relationships.append(made.id)

    def _kg_other(self) -> UUID:
        made: Entity = self._kg.entities.create(type="t", name=f"{self._seed} other")
        self._entities.append(made.id)
        return made.id

    def _change(self) -> None:
        self._kg.entities.update(self._one(), metadata={"n": self._random.random()})

    def _delete(self) -> None:
        self._kg.entities.delete(self._one())

    def _restore(self) -> None:
        self._kg.entities.restore(self._one())

    def _together(self) -> None:
        with self._kg.transaction() as tx:
            for number in range(3):
                self._entities.append(tx.entities.create(type="t", name=f"{self._seed} together {number}").id)
            tx.entities.update(self._entities[-1], confidence=0.5)
