"""The API's document, and pages for people: what it says, to try out or to read, and what each problem means.

Nothing is fetched from elsewhere: the assets are those of the ``offapi`` package and of ``kgl_http/pages``. Links are
relative, so that they hold behind a proxy that adds a prefix to the path.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from functools import cache, cached_property
from html import escape
from http import HTTPStatus
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import attrs
import falcon

from kgl_core.distribution import DISTRIBUTION
from kgl_core.kernel.errors import NotFound
from kgl_http.api.envelope import dump_json
from kgl_http.api.error_handlers import below_root
from kgl_http.api.operations import Answer, Resource, operation
from kgl_http.api.preconditions import is_held
from kgl_http.api.problems import PROBLEMS, Problem
from kgl_http.api.query_parameters import NoQuery

HTML: Final = "text/html"
_PAGES: Final = Path(__file__).parent / "pages"
_ASSETS: Final = {
    "swagger_bundle.js": "text/javascript",
    "swagger_style.css": "text/css",
    "swagger_start.js": "text/javascript",
    "redoc.js": "text/javascript",
    "redoc_start.js": "text/javascript",
}
_ASSET_AGE_S: Final = 24 * 60 * 60
_PAGE_AGE_S: Final = 5 * 60

# Both viewers style their elements one by one, and Redoc searches in a worker that it makes from a blob.
_VIEWER_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src data:; "
    "connect-src 'self'; worker-src blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_PAGE_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class Root(Resource):
    """``/``."""

    @operation(
        summary="Go to the page that shows this document",
        is_public=True,
        answers={302: Answer(None, "none", has_location=True)},
    )
    def on_get(self, req: Any, resp: Any) -> None:
        req.read_query(NoQuery)
        resp.status = 302
        resp.content_type = falcon.MEDIA_TEXT  # of a body that is empty: not JSON, which can't be
        resp.location = "api/v1/docs"


class OpenApi(Resource):
    """``/openapi.json``, which is written when it is first asked for."""

    def __init__(self, describe: Callable[[], Mapping[str, Any]]) -> None:
        self._describe = describe

    @cached_property
    def _written(self) -> tuple[bytes, str]:
        data = dump_json(self._describe())
        return data, _tag(data)

    @operation(
        summary="Get this document",
        is_public=True,
        answers={200: Answer(dict[str, Any], "bare", has_etag=True)},
    )
    def on_get(self, req: Any, resp: Any) -> None:
        req.read_query(NoQuery)
        data, tag = self._written
        if not _is_held(req, resp, tag, max_age_s=_PAGE_AGE_S):
            resp.data = data


class SwaggerUi(Resource):
    """``/docs``."""

    def __init__(self) -> None:
        self._html = _read("swagger.html")

    @operation(
        summary="Look at this document with Swagger UI, and try it out",
        is_public=True,
        answers={200: Answer(None, "text", media_type=HTML)},
    )
    def on_get(self, req: Any, resp: Any) -> None:
        req.read_query(NoQuery)
        _send_html(req, resp, self._html, _VIEWER_POLICY)


class Redoc(Resource):
    """``/redoc``."""

    def __init__(self) -> None:
        self._html = _read("redoc.html")

    @operation(
        summary="Read this document with Redoc",
        is_public=True,
        answers={200: Answer(None, "text", media_type=HTML)},
    )
    def on_get(self, req: Any, resp: Any) -> None:
        req.read_query(NoQuery)
        _send_html(req, resp, self._html, _VIEWER_POLICY)


@attrs.frozen
class _File:
    path: Path
    media_type: str
    size: int
    tag: str


class Asset(Resource):
    """``/docs/assets/{name}``. Raises RuntimeError when made where the service's packages are not installed."""

    def __init__(self) -> None:
        self._files = {name: _open_asset(name, media_type) for name, media_type in _ASSETS.items()}

    @operation(
        summary="Get a script or a style sheet of the two pages that show this document",
        is_public=True,
        answers={200: Answer(None, "text", media_type="text/*", has_etag=True)},
        errors=(404,),
    )
    def on_get(self, req: Any, resp: Any, name: str) -> None:
        req.read_query(NoQuery)
        file = self._files.get(name)
        if file is None:
            raise NotFound("asset", "of this name", f"there are {', '.join(self._files)}")
        if _is_held(req, resp, file.tag, max_age_s=_ASSET_AGE_S):
            return
        resp.content_type = f"{file.media_type}; charset=utf-8"
        resp.content_length = file.size
        if req.method == "GET":
            resp.stream = file.path.open("rb")


class Problems(Resource):
    """``/problems``."""

    @operation(
        summary="Read about all problems that an answer can name",
        is_public=True,
        answers={200: Answer(None, "text", media_type=HTML)},
    )
    def on_get(self, req: Any, resp: Any) -> None:
        req.read_query(NoQuery)
        items = (
            f'<dt><a href="{{up}}problems/{escape(code)}">{escape(problem.title)}</a></dt>'
            f"<dd>{_said(req, problem)}</dd>"
            for code, problem in PROBLEMS.items()
        )
        _send_html(req, resp, _page("Problems", f"<dl>{''.join(items)}</dl>"), _PAGE_POLICY)


class ProblemByCode(Resource):
    """``/problems/{code}``: where the ``type`` of a problem leads (RFC 9457, section 3.1.1)."""

    @operation(
        summary="Read what a problem means and what to do about it",
        is_public=True,
        answers={200: Answer(None, "text", media_type=HTML)},
        errors=(404,),
    )
    def on_get(self, req: Any, resp: Any, code: str) -> None:
        req.read_query(NoQuery)
        problem = PROBLEMS.get(code)
        if problem is None:
            raise NotFound("problem", "of this code", "GET /api/v1/problems lists them all")
        content = (
            f"<p>{_said(req, problem)}</p>"
            f"<p><code>{escape(code)}</code>, status {problem.status} {HTTPStatus(problem.status).phrase}</p>"
            '<p><a href="{up}../problems">All problems</a></p>'
        )
        _send_html(req, resp, _page(problem.title, content), _PAGE_POLICY)


def _read(name: str) -> str:
    return (_PAGES / name).read_text(encoding="utf-8")


def _said(req: Any, problem: Problem) -> str:
    """A problem's explanation as HTML."""
    return re.sub(r"`([^`]*)`", r"<code>\1</code>", escape(below_root(req, problem.explanation), quote=False))


def _page(title: str, content: str) -> str:
    return _read("problems.html").replace("{title}", escape(title)).replace("{content}", content)


def _send_html(req: Any, resp: Any, html: str, policy: str) -> None:
    """Answer with a page, after replacing its ``{up}`` by the path to its folder."""
    is_folder = req.env["PATH_INFO"].endswith("/")  # served as well, but links start a level deeper there
    resp.content_type = f"{HTML}; charset=utf-8"
    resp.set_header("Content-Security-Policy", policy)
    resp.set_header("Cache-Control", f"public, max-age={_PAGE_AGE_S}")
    resp.data = html.replace("{up}", "../" if is_folder else "").encode()


def _is_held(req: Any, resp: Any, tag: str, *, max_age_s: int) -> bool:
    """Whether the client already has what ``tag`` stands for; then the answer is 304. Raises BadRequest."""
    resp.set_header("ETag", tag)
    resp.set_header("Cache-Control", f"public, max-age={max_age_s}")
    if is_held(req, tag):
        resp.status = 304
        return True
    return False


def _tag(data: bytes) -> str:
    # Weak, so that it names the compressed bytes as well.
    return f'W/"{hashlib.blake2s(data, digest_size=16).hexdigest()}"'


def _open_asset(name: str, media_type: str) -> _File:
    own = _PAGES / name
    return _opened(own if own.exists() else _offapi() / name, media_type)


@cache
def _opened(path: Path, media_type: str) -> _File:
    data = path.read_bytes()
    return _File(path, media_type, len(data), _tag(data))


def _offapi() -> Path:
    # Found, not imported: importing it reads all that it has into memory.
    spec = find_spec("offapi")
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError(f"the package offapi is missing: pip install '{DISTRIBUTION}[service]'")
    return Path(spec.submodule_search_locations[0])
