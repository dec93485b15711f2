"""PostGraphile, which makes a GraphQL service of the tables: one process of Node, as it is installed by npm.

Where several rows are to be written at once, its way is a function in the database.
"""

import json
import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import psycopg

from kgl_core.graph.entities import ENTITY
from tests.benchmarks.contenders import HOST, THREADS, WORKERS, Contender, answers, plain
from tests.serving.service import until

COMMAND: Final = "postgraphile"
INSTALL: Final = "npm install --global postgraphile@4.14.1"
_CREATE: Final = """
CREATE FUNCTION backend_entities.keep_entity(
    type text, name text, aliases json, confidence float8, source text, source_type text, metadata json
) RETURNS backend_entities.entities LANGUAGE sql VOLATILE AS $$
    WITH made AS (
        INSERT INTO backend_entities.entities (id, type, name, aliases, confidence, source, source_type, metadata,
            created_by, created_at, updated_at, version, sort_name)
        VALUES (gen_random_uuid(), $1, $2, $3, $4, $5, $6, $7, 'system', now(), now(), 1, lower($2))
        RETURNING *
    ), change AS (
        INSERT INTO backend_entities.changes (at, actor, action, subject, subject_id, record)
        SELECT now(), 'system', 'created', 'entity', id, to_json(made) FROM made
    ) SELECT * FROM made
$$
"""


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(map(str.title, others))


_FIELDS: Final = " ".join(map(_camel, ENTITY.field_names))
_GET: Final = f"query($id: UUID!) {{ entityById(id: $id) {{ {_FIELDS} }} }}"
_PAGE: Final = (
    "{ allEntities(first: 50, orderBy: [CREATED_AT_ASC, ID_ASC], condition: {deletedAt: null})"
    f" {{ nodes {{ {_FIELDS} }} pageInfo {{ endCursor }} }} }}"
)
_KEEP: Final = f"mutation($input: KeepEntityInput!) {{ keepEntity(input: $input) {{ entity {{ {_FIELDS} }} }} }}"


class PostGraphile(Contender):
    """Speaks GraphQL instead of kgl's paths."""

    def get(self, id: str) -> bytes:
        return self._ask(_GET, id=id)

    def page(self) -> bytes:
        return self._ask(_PAGE)

    def creation(self, draft: Mapping[str, Any]) -> bytes:
        as_text = {name: json.dumps(draft.get(name, empty)) for name, empty in (("aliases", []), ("metadata", {}))}
        return self._ask(_KEEP, input={_camel(name): value for name, value in (dict(draft) | as_text).items()})

    def _ask(self, query: str, **variables: Any) -> bytes:
        return self.request("POST", "/graphql", json.dumps({"query": query, "variables": variables}).encode())


def is_there() -> bool:
    """Whether it is installed."""
    return shutil.which(COMMAND) is not None


@contextmanager
def postgraphile(database_url: str, folder: Path) -> Iterator[Contender]:
    """The service, with as many connections to the database as kgl has. Raises RuntimeError where it answers errors."""
    with psycopg.connect(plain(database_url)) as connection:
        connection.execute(_CREATE)
        found = connection.execute("SELECT id FROM backend_entities.entities LIMIT 1").fetchone()
    with socket.create_server((HOST, 0)) as free:
        address = (HOST, int(free.getsockname()[1]))
    options = ["--connection", plain(database_url), "--schema", "backend_entities", "--host", HOST]
    options += ["--port", str(address[1]), "--max-pool-size", str(WORKERS * THREADS)]
    options += ["--disable-query-log", "--disable-graphiql"]
    folder.mkdir()
    with (folder / "out").open("wb") as out:
        process = subprocess.Popen([COMMAND, *options], cwd=folder, stdout=out, stderr=subprocess.STDOUT)
    try:
        until(lambda: answers(address, process, folder / "out"))
        made = PostGraphile("PostGraphile", process.pid, 1, address)
        draft = {"type": "t", "name": "n"}
        for request in (made.get(str(found and found[0])), made.page(), made.creation(draft)):
            _require_data(address, request)
        yield made
    finally:
        process.terminate()
        process.wait()


def _require_data(address: tuple[str, int], request: bytes) -> None:
    # GraphQL answers errors with 200, which no client under load would notice.
    with socket.create_connection(address, 20) as connection:
        connection.sendall(request.replace(b" HTTP/1.1\r\n", b" HTTP/1.0\r\n", 1))
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    if b'"errors"' in answer or b'"data"' not in answer:
        raise RuntimeError(f"PostGraphile cannot do it: {answer[-500:]!r}")
