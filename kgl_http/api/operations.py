"""Operations: each describes a responder, and stands beside it.

The middleware reads from an operation who may call it, and the API's document is made from the same description. A
responder without an operation can't be added to the application.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal, TypeVar

import attrs
import falcon

from kgl_core.kernel.permissions import Action
from kgl_core.knowledge_graph import KnowledgeGraph

METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
JSON: Final = "application/json"
MERGE_PATCH: Final = "application/merge-patch+json"
NDJSON: Final = "application/x-ndjson"
FORM: Final = "application/x-www-form-urlencoded"
PROBLEM: Final = "application/problem+json"

_GRAPH_WRITES: Final = (Action.CREATE, Action.CHANGE, Action.RESTORE)
_Responder = TypeVar("_Responder", bound=Callable[..., None])


@attrs.frozen
class Answer:
    """A successful answer: what its body holds.

    ``shape`` is ``one`` or ``page`` for the envelope around one ``model`` or a list of them, ``bare`` for a model
    without the envelope, ``text`` for another media type, ``none`` for no body. ``id_at`` is the JSON Pointer to the id
    of a new record. ``meta`` is what the envelope's meta has besides, by name with its type, and ``included`` the class
    of the records beside the data.
    """

    model: Any = None
    shape: Literal["one", "page", "bare", "text", "none"] = "one"
    media_type: str = JSON
    has_etag: bool = False
    has_location: bool = False
    has_changes_cursor: bool = False
    id_at: str = "/data/id"
    meta: Mapping[str, Any] = attrs.Factory(dict)
    included: Any = None


@attrs.frozen(kw_only=True)
class Operation:
    """What one method of one route does. ``action`` is what the caller must be allowed to do; None takes any account.

    ``is_for_clients`` marks operations that service clients call with their id and secret; their errors are those of
    OAuth 2.0. ``body`` and ``query`` are attrs classes whose rules check the input. ``errors`` are the statuses that
    not every operation can have. With ``takes_run``, changes are part of the run that the header Run names. With
    ``is_repeatable``, a POST does nothing when it is repeated, and takes no idempotency key. The API's document calls
    it ``name``, or without one as its method and its resource are called.
    """

    summary: str
    answers: Mapping[int, Answer]
    action: Action | None = None
    is_public: bool = False
    is_for_clients: bool = False
    body: Any = None
    is_partial: bool = False
    body_media_types: Sequence[str] = (JSON,)
    query: Any = None
    is_conditional: bool = False
    takes_run: bool = False
    is_repeatable: bool = False
    name: str | None = None
    errors: Sequence[int] = ()


def operation(**what: Any) -> Callable[[_Responder], _Responder]:
    """Decorate a responder with its description; takes the fields of `Operation`."""
    described = Operation(**what)

    def describe(responder: _Responder) -> _Responder:
        responder.operation = described  # type: ignore[attr-defined]
        return responder

    return describe


class Resource:
    """The base of all resources. HEAD is GET without the body (RFC 9110, section 9.3.2)."""

    def __init_subclass__(cls) -> None:
        if hasattr(cls, "on_get"):
            cls.on_head = cls.on_get  # type: ignore[attr-defined]


class GraphResource(Resource):
    """A resource over a knowledge graph."""

    def __init__(self, kg: KnowledgeGraph) -> None:
        self._kg = kg

    def _graph(self, req: Any) -> KnowledgeGraph:
        """The graph on behalf of the caller; changes are part of the run that the header Run names.

        Raises BadRequest, and as `KnowledgeGraph.in_run` does.
        """
        kg = self._kg.acting_as(req.actor)
        run = None if req.method in ("GET", "HEAD") else req.run
        return kg if run is None else kg.in_run(run)


def takes_key(method: str, operation: Operation) -> bool:
    """Whether an operation takes an idempotency key: a POST that writes to the graph, unless repeating it is harmless.

    Logins never do: a kept answer would let a caller in without checking or counting the password.
    """
    return method == "POST" and operation.action in _GRAPH_WRITES and not operation.is_repeatable


def operations_of(resource: object) -> dict[str, Operation]:
    """The operations of a resource by method. Raises LookupError if a responder has none."""
    found = {}
    for method in falcon.constants.COMBINED_METHODS:
        responder = getattr(resource, f"on_{method.lower()}", None)
        if responder is not None and method != "HEAD":
            if not hasattr(responder, "operation"):
                raise LookupError(f"{type(resource).__name__}.on_{method.lower()} is not described by @operation")
            found[method] = responder.operation
    return found
