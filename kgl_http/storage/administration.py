"""``/admin``: what those who run the service look at."""

from __future__ import annotations

from typing import Any

from kgl_core.kernel.permissions import Action
from kgl_core.storage.stats import Stats
from kgl_http.api.envelope import send
from kgl_http.api.operations import Answer, GraphResource, Resource, operation
from kgl_http.api.query_parameters import NoQuery


class Ping(Resource):
    """``/admin/ping``."""

    @operation(summary="See whether you are an admin", action=Action.OPERATE, answers={200: Answer(str)})
    def on_get(self, req: Any, resp: Any) -> None:
        req.read_query(NoQuery)
        send(req, resp, "pong")


class AdminStats(GraphResource):
    """``/admin/stats``."""

    @operation(
        summary="Count entities, relationships, changes and users", action=Action.OPERATE, answers={200: Answer(Stats)}
    )
    def on_get(self, req: Any, resp: Any) -> None:
        req.read_query(NoQuery)
        send(req, resp, self._kg.acting_as(req.actor).stats())
