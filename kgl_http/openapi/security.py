"""Who may call an operation, for the API's document: as security schemes, and in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from kgl_core.kernel.permissions import ROLE_GRANTS, SCOPE_GRANTS, Action, Grant, Scope
from kgl_http.api.operations import Operation

Requirement = dict[str, list[str]]


def security_schemes(root_path: str) -> Mapping[str, Mapping[str, Any]]:
    """The security schemes of a service below ``root_path``."""
    return {
        "bearer": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": f"The `access_token` that `POST {root_path}/api/v1/auth/token` gives.",
        },
        "oauth2": {
            "type": "oauth2",
            "description": "For service clients: an access token for their id and secret.",
            "flows": {
                "clientCredentials": {
                    # From the root: what is relative to the server is read otherwise by Swagger UI.
                    "tokenUrl": f"{root_path}/api/v1/oauth/token",
                    "scopes": {scope.value: ", ".join(SCOPE_GRANTS[scope]) for scope in Scope},
                }
            },
        },
        "client": {
            "type": "http",
            "scheme": "basic",
            "description": "A service client's id and secret; or `client_id` and `client_secret` in the form.",
        },
    }


def security_of(operation: Operation) -> list[Requirement] | None:
    """The security that the operation needs; None if it is the default."""
    if operation.is_public:
        return []
    if operation.is_for_clients:
        return [{"client": []}]
    action = operation.action
    scopes = [scope.value for scope in Scope if action is not None and action in SCOPE_GRANTS[scope]]
    return [{"bearer": []}, *({"oauth2": [scope]} for scope in scopes)] if scopes else None


def permission_prose(operation: Operation) -> str:
    """Who may call the operation, in words."""
    if operation.is_public:
        return "Open to anybody."
    if operation.is_for_clients:
        return "Open to service clients, who prove who they are by their secret."
    if operation.action is None:
        return "Open to everybody who has an account."
    granted = [*_grants(operation.action, ROLE_GRANTS), *_grants(operation.action, SCOPE_GRANTS)]
    return f"Open to: {', '.join(granted)}."


def _grants(action: Action, table: Mapping[Any, Mapping[Action, Grant]]) -> Iterable[str]:
    for holder, grants in table.items():
        reach = grants.get(action, Grant.NONE)
        if reach is not Grant.NONE:
            yield f"`{holder}`" + (" (of what they created)" if reach is Grant.OWN else "")
