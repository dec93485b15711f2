"""Clients that do everything at once while everything fails, and know what they were told."""

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from typing import Any, Final
from urllib.parse import quote

import attrs

from kgl_core import KnowledgeGraph
from tests.faults.load import all_pages
from tests.serving.service import API, Answer, Service, answer

CLIENTS: Final = 64
_LINES: Final = 3
_FIRST: Final = 1
"""The version of a new record."""

Known = tuple[int, bool] | None
"""A record's version, and whether it is active; None where it does not exist."""


@attrs.define
class Drill:
    """``service`` is the one that runs now; ``tokens``: those of accounts that write, then those of others."""

    service: Service
    writers: list[str]
    readers: list[str]
    statuses: Counter[tuple[str, int | str]] = attrs.field(factory=Counter)
    wrong: list[str] = attrs.field(factory=list)
    states: dict[str, set[Known]] = attrs.field(factory=dict)
    """By id: every state that a record may be in, given what was told."""
    names: set[str] = attrs.field(factory=set)
    """Of all records that were tried to be created and may exist."""
    imported: set[str] = attrs.field(factory=set)
    feed: list[tuple[str, int]] = attrs.field(factory=list)
    """Each change that was read: a record's id and version."""
    cursor: str | None = None
    ending: threading.Event = attrs.field(factory=threading.Event)

    def count(self) -> int:
        """How many requests were answered."""
        return self.statuses.total()


class Client:
    """One of them, on a connection that it keeps; its records are its own, so that it knows what they are."""

    def __init__(self, drill: Drill, number: int) -> None:
        self._drill, self._number = drill, number
        self._writes = number % 2 == 0
        tokens = drill.writers if self._writes else drill.readers
        self._token = tokens[number % len(tokens)]
        self._chance = random.Random(number)
        self._connection: HTTPConnection | None = None
        self._mine: list[str] = []
        self._made = 0

    def run(self) -> None:
        """Do one thing after another until the drill ends."""
        reading = [self._get, self._list, self._list]
        writing = [self._create, self._create, self._update, self._update, self._delete, self._get_mine]
        while not self._drill.ending.is_set():
            if self._number == 1:
                self._follow()
            elif self._chance.random() < 0.01:
                (self._import if self._writes else self._export)()
            else:
                self._chance.choice(writing if self._writes else reading)()
        if self._connection is not None:
            self._connection.close()

    def _send(self, kind: str, method: str, path: str, body: bytes | None = None, media: str = "json") -> Answer | None:
        """The answer; None where none came, which only a service that is not there, or an export, may do."""
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": f"application/{media}"}
        if self._connection is None:
            self._connection = HTTPConnection("127.0.0.1", self._drill.service.port, timeout=60)
        try:
            self._connection.request(method, API + path, body, headers)
            found = answer(self._connection.getresponse())
        except (OSError, HTTPException) as error:
            self._connection.close()
            self._connection = None
            self._drill.statuses[kind, type(error).__name__] += 1
            self._drill.ending.wait(0.05)
            if kind != "export" and not isinstance(error, ConnectionRefusedError):
                self._drill.wrong.append(f"{kind}: {error!r}")
            return None
        self._drill.statuses[kind, found.status] += 1
        if found.status == 503 and int(found.headers.get("retry-after", "0")) > 0:
            self._drill.ending.wait(0.05)
        elif found.status >= 300 and not (kind == "get" and found.status == 404):
            self._drill.wrong.append(f"{kind}: {found.status} {found.body[:300]!r}")
        return found

    def _create(self) -> None:
        self._made += 1
        name = f"{self._number}-{self._made} ชื่อ"
        self._drill.names.add(name)
        found = self._send("create", "POST", "/entities", json.dumps({"type": "drill", "name": name}).encode())
        if found is not None and found.status == 201:
            self._drill.states[found.data["id"]] = {(_FIRST, True)}
            self._mine.append(found.data["id"])
        elif not _is_unknown(found):
            self._drill.names.discard(name)

    def _update(self) -> None:
        self._change("update", "PATCH", json.dumps({"metadata": {"number": self._chance.random()}}).encode())

    def _delete(self) -> None:
        self._change("delete", "DELETE", None)

    def _change(self, kind: str, method: str, body: bytes | None) -> None:
        if not self._mine:
            return
        id = self._chance.choice(self._mine)
        [(version, _)] = self._drill.states[id]  # type: ignore[misc]
        found = self._send(kind, method, f"/entities/{id}", body, "merge-patch+json" if body else "json")
        after: Known = (version + 1, kind != "delete")
        if found is not None and found.status < 300:
            self._drill.states[id] = {after}
        elif _is_unknown(found):
            self._drill.states[id].add(after)
        if kind == "delete" or len(self._drill.states[id]) > 1:
            self._mine.remove(id)

    def _import(self) -> None:
        self._made += 1
        keys = [f"{self._number}/{self._made}/{line}" for line in range(_LINES)]
        lines = b"".join(
            json.dumps({"kind": "entity", "type": "drill", "name": key, "key": key}).encode() + b"\n" for key in keys
        )
        self._drill.names.update(keys)
        found = self._send("import", "POST", "/import", lines, "x-ndjson")
        if found is not None and found.status == 200:
            summary = json.loads(found.body.splitlines()[-1])["summary"]
            if summary["created"] == _LINES:
                self._drill.imported.update(keys)
            else:
                self._drill.wrong.append(f"import: {summary}")

    def _get_mine(self) -> None:
        """Callers see their own writes."""
        if not self._mine:
            return
        id = self._chance.choice(self._mine)
        [(version, _)] = self._drill.states[id]  # type: ignore[misc]
        found = self._send("get mine", "GET", f"/entities/{id}")
        if found is not None and found.status == 200 and found.data["version"] != version:
            self._drill.wrong.append(f"own write not seen: {found.data['version']} and not {version} of {id}")

    def _get(self) -> None:
        ids = [*self._drill.states]
        if ids:
            self._send("get", "GET", f"/entities/{self._chance.choice(ids)}")

    def _list(self) -> None:
        found = self._send("list", "GET", "/entities?type=drill&limit=20&sort=-created_at")
        if found is not None and found.status == 200 and not isinstance(found.data, list):
            self._drill.wrong.append("a list is none")

    def _export(self) -> None:
        self._send("export", "GET", "/export")

    def _follow(self) -> None:
        after = "" if self._drill.cursor is None else f"&after={quote(self._drill.cursor)}"
        found = self._send("feed", "GET", f"/changes?limit=200&wait=1{after}")
        if found is not None and found.status == 200:
            self._drill.feed += [(change["record"]["id"], change["record"]["version"]) for change in found.data]
            self._drill.cursor = found.json["meta"]["next_cursor"]


def _is_unknown(found: Answer | None) -> bool:
    """Whether the effect may have been kept although it was not acknowledged."""
    return found is not None and found.status == 503 and found.json["code"] == "commit_unknown"


@contextmanager
def drilling(drill: Drill) -> Iterator[None]:
    """The clients, for as long as the block runs."""
    with ThreadPoolExecutor(CLIENTS) as threads:
        running = [threads.submit(Client(drill, number).run) for number in range(CLIENTS)]
        try:
            yield
        finally:
            drill.ending.set()
        for client in running:
            client.result()


def check(drill: Drill, kg: KnowledgeGraph) -> None:
    """Nothing acknowledged is lost, nothing is there that nobody made, and the feed missed nothing."""
    assert not drill.wrong, (drill.wrong[:20], drill.statuses)
    kept: dict[str, Known] = {}
    names: Counter[str] = Counter()
    for record in kg.dump():
        found = kg.entities.get(str(record["id"]), include_deleted=True)
        kept[str(found.id)] = (found.version, found.is_active)
        names[found.name] += 1
    assert {id: states for id, states in drill.states.items() if kept.get(id) not in states} == {}
    assert drill.imported <= names.keys()
    assert not names - Counter(drill.names), "each is kept at most once"
    changes = [
        (str(change.record.id), change.record.version)
        for change in all_pages(lambda cursor: kg.changes(after=cursor, limit=200).items)
    ]
    assert Counter(changes) == Counter((id, n) for id, state in kept.items() if state for n in range(1, state[0] + 1))
    assert drill.feed == changes[: len(drill.feed)]
    assert len(drill.feed) > len(changes) // 2


def pause(drill: Drill, seconds: float) -> None:
    """Let the clients go on for a while, in which something must have been answered well."""
    before = sum(count for (_, status), count in drill.statuses.items() if status in (200, 201))
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline or (
        sum(count for (_, status), count in drill.statuses.items() if status in (200, 201)) == before
    ):
        assert time.monotonic() < deadline + 30, f"nothing is answered: {drill.statuses}"
        drill.ending.wait(0.1)


def tokens(service: Service, prefix: str, many: int, password: str, kg: KnowledgeGraph) -> list[str]:
    """Access tokens of new accounts."""
    found = []
    for number in range(many):
        email = f"{prefix}{number}@example.org"
        kg.users.create(email=email, password=password, role="moderator")
        told: Any = service("POST", f"{API}/auth/token", {"email": email, "password": password})
        found.append(str(told.json["access_token"]))
    return found
