"""Thirty inputs that must not hurt, one by one, as they were written down before anything was built.

Beside this list, `test_hostile_inputs` and `test_hostile_requests` try their classes on every operation and field.
"""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
from falcon import testing

from kgl_http.api.request import BODY_BYTES_MAX
from tests.adapters.keys import signs_with
from tests.http.access.test_tokens import JWKS, Rig, rig_of
from tests.http.conftest import NOBODY, PASSWORD, MakeApi
from tests.http.hostile.test_inputs import Trial

ENTITIES = "/api/v1/entities"
JSON = {"Content-Type": "application/json"}


@attrs.frozen
class Input:
    """A request, and the problem that answers it."""

    status: int
    code: str
    send: Callable[[Rig], testing.Result]
    pointer: str | None = None


def body(status: int, data: bytes, pointer: str | None = None, code: str = "", **headers: str) -> Input:
    """The body of a POST of an entity."""
    code = code or {400: "malformed_json", 422: "invalid_input", 415: "unsupported_media_type"}[status]
    sent = {**JSON, **{name.replace("_", "-"): text for name, text in headers.items()}}
    return Input(status, code, lambda rig: rig.api("POST", ENTITIES, body=data, headers=sent), pointer)


def entity(status: int, field: str, value: str, pointer: str | None = None) -> Input:
    """The body of a POST of an entity, with one field as it is written here."""
    fields = {"type": '"person"', "name": '"Ada"', field: value}
    text = ", ".join(f'"{name}": {value}' for name, value in fields.items())
    return body(status, f"{{{text}}}".encode(), "" if status == 400 else pointer or f"/{field}")


def query(text: str, pointer: str | None, code: str = "bad_request") -> Input:
    """The query of a listing."""
    return Input(400, code, lambda rig: rig.api("GET", ENTITIES, query_string=text), pointer)


def registration(pointer: str, **fields: Any) -> Input:
    """The body of a registration."""
    said = {"email": "eve@example.org", "password": PASSWORD, **fields}
    return Input(
        422, "invalid_input", lambda rig: rig.api("POST", "/api/v1/auth/register", by=NOBODY, json=said), pointer
    )


def token(make: Callable[[Rig], str]) -> Input:
    """A bearer token."""
    return Input(401, "invalid_token", lambda rig: rig.ask(make(rig), ENTITIES))


def path(text: str, status: int, code: str) -> Input:
    """A path."""
    return Input(status, code, lambda rig: rig.api("GET", text))


def refresh_token_of(rig: Rig) -> str:
    """What is traded for an access token, and is none."""
    said = {"email": "user@example.org", "password": PASSWORD}
    text: str = rig.api("POST", "/api/v1/auth/token", by=NOBODY, json=said).json["refresh_token"]
    return text


def signed_with_the_public_key(rig: Rig) -> str:
    """A token under HS256, whose secret everybody knows."""
    key, _ = rig.api("GET", JWKS, by=NOBODY).json["keys"]
    return rig.token({"alg": "HS256"}, sign=signs_with(json.dumps(key).encode()))


INPUTS = {
    "1. a NUL in a name": entity(422, "name", '"a\\u0000b"'),
    "2. a NUL in a name within metadata": entity(422, "metadata", '{"x\\u0000": 1}'),
    "3. a NUL in a query": query("q=%00", "/q"),
    "4. a NUL in a path": path(f"{ENTITIES}/%00", 400, "bad_request"),
    "5. a lone surrogate": entity(422, "name", '"\\ud800"'),
    "6. a raw byte FF": body(400, b'{"type": "person", "name": "\xff"}', ""),
    "7. NaN": entity(400, "metadata", '{"w": NaN}'),
    "8. -Infinity": entity(400, "metadata", '{"w": -Infinity}'),
    "9. a duplicate key": body(400, b'{"type": "person", "name": "Ada", "name": "Eve"}', ""),
    "10. 100,000 brackets": body(400, b"[" * 100_000, ""),
    "11. a 5,000-digit integer": entity(400, "metadata", '{"w": ' + "1" * 5000 + "}"),
    "12. an empty body": body(400, b"", ""),
    "13. a cut body": body(400, b'{"name":', ""),
    "14. null": body(422, b"null", ""),
    "15. a list": body(422, b"[]", ""),
    "16. text/plain": body(415, b'{"type": "person", "name": "Ada"}', Content_Type="text/plain"),
    "17. a byte too many": body(
        413, b'{"type": "person", "name": "Ada"}'.ljust(BODY_BYTES_MAX + 1), code="body_too_large"
    ),
    "18. a gzip bomb": body(413, gzip.compress(bytes(50_000_000)), code="body_too_large", Content_Encoding="gzip"),
    "19. a role of one's own": registration("/role", role="admin"),
    "20. superuser": registration("/is_superuser", is_superuser=True),
    "21. a password of 1 MiB": Input(
        413,
        "body_too_large",
        lambda rig: rig.api(
            "POST",
            "/api/v1/auth/register",
            by=NOBODY,
            json={"email": "eve@example.org", "password": "x" * 1024 * 1024},
        ),
    ),
    "22. an email with a line break": registration("/email", email="a@b\r\nBcc:x@y"),
    "23. alg none": token(lambda rig: rig.token({"alg": "none"}, sign=lambda data: b"")),
    "24. HS256 with the public key": token(signed_with_the_public_key),
    "25. a kid that is a path": token(lambda rig: rig.token({"kid": "../../dev/null"})),
    "27. another audience": token(lambda rig: rig.token(payload={"aud": "publishing"})),
    "28. a negative limit": query("limit=-1", "/limit"),
    "29. a garbage cursor": query("cursor=garbage", None, "invalid_cursor"),
    "30. a path out of the house": path("/static/..%2f..%2fetc%2fpasswd", 404, "no_route"),
}


def test_each_of_the_thirty(make_api: MakeApi, tmp_path: Path) -> None:
    """Is answered by a problem that says what is wrong, and changes nothing."""
    rig = rig_of(make_api, "ES256", tmp_path)
    rig.api.token("user")
    refresh_token = refresh_token_of(rig)
    inputs = {**INPUTS, "26. a refresh token": token(lambda rig: refresh_token)}
    assert len(inputs) == 30
    trial = Trial(rig.api)
    for name, input in inputs.items():
        trial.expect(name, input.send(rig), input.status, input.code, input.pointer)
    trial.close()
