"""Pages for people: they need nothing from elsewhere, and every problem's type leads to one."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from urllib.parse import urljoin

import pytest

from kgl_http.api.problems import PROBLEMS
from kgl_http.openapi import docs_pages as pages
from tests.http.conftest import NOBODY, Api, MakeApi, making_apis, problem

PAGES = ("docs", "redoc", "problems", "problems/deleted")


@pytest.fixture
def make_api() -> Iterator[MakeApi]:
    """Makes the application over the memory store: none of this depends on the store."""
    with making_apis("memory://") as make:
        yield make


class Links(HTMLParser):
    """The places that a page loads from or leads to, and its scripts' text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.places: list[str] = []
        self.scripts = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = ("src", "href", "data-document")
        self.places += [value for name, value in attrs if name in names and value and not value.startswith("data:")]

    def handle_data(self, data: str) -> None:
        if self.lasttag == "script":
            self.scripts += data.strip()


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("ending", ["", "/"])
def test_a_page_leads_to_what_is_there(api: Api, page: str, ending: str) -> None:
    """Every link of a page is relative and answered, also behind a prefix and after a slash at the end."""
    answer = api("GET", f"/api/v1/{page}{ending}", by=NOBODY)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    links = Links(answer.text)
    assert links.places
    assert links.scripts == ""
    for place in links.places:
        assert not re.match(r"\w+:|/", place), place
        found = urljoin(f"https://example.org/prefix/api/v1/{page}{ending}", place)
        path = found.removeprefix("https://example.org/prefix")
        assert api("GET", path, by=NOBODY).status_code == 200, path


def test_the_root_leads_to_the_documents_page(api: Api) -> None:
    """By a relative reference, which holds behind a prefix too; nothing else is answered there."""
    answer = api("GET", "/", by=NOBODY)
    assert (answer.status_code, answer.text) == (302, "")
    assert (
        urljoin("https://example.org/prefix/", answer.headers["location"]) == "https://example.org/prefix/api/v1/docs"
    )
    assert api("HEAD", "/", by=NOBODY).status_code == 302
    assert api("POST", "/", by=NOBODY).status_code == 405
    assert api("GET", "/", by=NOBODY, params={"x": "y"}).status_code == 400


@pytest.mark.parametrize("page", PAGES)
def test_a_page_runs_our_own_scripts_only(api: Api, page: str) -> None:
    """The policy of a page admits no script, request or frame from elsewhere, and no script in the page."""
    policy = api("GET", f"/api/v1/{page}", by=NOBODY).headers["content-security-policy"]
    rules = {rule.split()[0]: rule.split()[1:] for rule in policy.split(";")}
    assert rules["default-src"] == rules["frame-ancestors"] == rules["base-uri"] == ["'none'"]
    assert rules.get("script-src", ["'self'"]) == ["'self'"]
    assert rules.get("connect-src", ["'self'"]) == ["'self'"]
    assert not re.search(r"https?:|\*|'unsafe-eval'", policy)


def test_every_problem_has_a_page(api: Api) -> None:
    """What a problem's type refers to says what it is and what to do."""
    listed = api("GET", "/api/v1/problems", by=NOBODY).text
    for code, found in PROBLEMS.items():
        page = api("GET", f"/api/v1/problems/{code}", by=NOBODY).text
        assert f"<h1>{found.title}</h1>" in page
        assert f"<code>{code}</code>, status {found.status}" in page
        assert "`" not in page
        assert found.title in listed


@pytest.mark.parametrize("path", ["problems/nonsense", "docs/assets/nonsense.js", "docs/assets/scalar.js"])
def test_there_is_no_page_or_asset_of_another_name(api: Api, path: str) -> None:
    """Only names that we know are looked up, so that no path leads out of the folder."""
    problem(api("GET", f"/api/v1/{path}", by=NOBODY), 404, "not_found")


@pytest.mark.parametrize("name", ["..%2fproblems.html", "%2e%2e%2f%2e%2e%2fapp.py", "..", "redoc.js%00", "offapi"])
def test_no_name_leads_out_of_the_folder(api: Api, name: str) -> None:
    """A path in the place of a name finds nothing."""
    assert api("GET", f"/api/v1/docs/assets/{name}", by=NOBODY).status_code == 404


def test_assets_are_held_by_browsers(api: Api) -> None:
    """A browser asks once a day whether an asset has changed, and is told so without it."""
    path = "/api/v1/docs/assets/swagger_style.css"
    first = api("GET", path, by=NOBODY)
    assert first.headers["cache-control"] == "public, max-age=86400"
    assert first.headers["content-type"] == "text/css; charset=utf-8"
    tag = first.headers["etag"]
    for held in (tag, tag.removeprefix("W/"), f'"other", {tag}', "*"):
        again = api("GET", path, by=NOBODY, headers={"If-None-Match": held})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    changed = api("GET", path, by=NOBODY, headers={"If-None-Match": '"other"'})
    assert (changed.status_code, changed.content) == (200, first.content)
    head = api("HEAD", path, by=NOBODY)
    assert (head.content, head.headers["content-length"]) == (b"", str(len(first.content)))
    problem(api("GET", path, by=NOBODY, headers={"If-None-Match": "nonsense"}), 400, "bad_request")


def test_pages_are_not_made_without_their_assets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the service's packages are not installed, the application says so when it starts."""
    monkeypatch.setattr(pages, "find_spec", lambda name: None)
    with pytest.raises(RuntimeError, match=r"pip install 'kgl-backend\[service\]'"):
        pages.Asset()
