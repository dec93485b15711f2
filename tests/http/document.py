"""The API's document, as the application serves it."""

from typing import Any, Final

from tests.http.conftest import NOBODY, making_apis


def _read() -> dict[str, Any]:
    with making_apis("memory://") as make_api:
        document: dict[str, Any] = make_api()("GET", "/api/v1/openapi.json", by=NOBODY).json
        return document


DOCUMENT: Final = _read()

OPERATIONS: Final[dict[str, tuple[str, str, dict[str, Any]]]] = {
    found["operationId"]: (method.upper(), path, found)
    for path, methods in DOCUMENT["paths"].items()
    for method, found in methods.items()
}
"""Method, path template and description by operationId."""
