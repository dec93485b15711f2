"""The service over a store that was restored from a backup: what clients kept from before is found out."""

from pathlib import Path

import pytest

from tests.conftest import WITH_CONCURRENT_WRITERS
from tests.contract.restoring import SqlArchive, archive_of
from tests.http.conftest import making_apis, problem


@pytest.mark.parametrize("store_name", ["sqlite", *WITH_CONCURRENT_WRITERS])
def test_what_was_kept_from_before_a_restore_is_found_out(
    store_name: str, sqlite_template: Path, tmp_path: Path, postgres_server: str, postgres_template: str
) -> None:
    """ETags with the same version, places in the feed and pages, each answered with the way out."""
    with archive_of(store_name, sqlite_template, tmp_path, postgres_server, postgres_template) as archive:
        assert isinstance(archive, SqlArchive)
        with making_apis(archive.url) as make:
            api = make()
            path = f"/api/v1/entities/{api.entity(name='Ada')['id']}"
            old = api("GET", path).headers["etag"]
        archive.back_up()
        with making_apis(archive.url) as make:
            api = make()
            lost = api("PATCH", path, json={"name": "Ada, lost"}).headers["etag"]
            for name in "xyz":
                api.entity(name=name)
            place = api("GET", "/api/v1/changes").json["meta"]["next_cursor"]
            page = api("GET", "/api/v1/entities", params={"limit": 3}).json["meta"]["next_cursor"]
        archive.restore()
        with making_apis(archive.url) as make:
            api = make()
            assert api("GET", path, headers={"If-None-Match": old}).status_code == 304
            problem(api("PATCH", path, json={"name": "Eve"}, headers={"If-Match": lost}), 412, "stale_version")
            current = api("PATCH", path, json={"name": "Ada, again"}, headers={"If-Match": old}).headers["etag"]
            assert current[:3] == lost[:3] == '"2-'
            for method in ("PUT", "PATCH", "DELETE"):
                body = None if method == "DELETE" else {"type": "person", "name": "Eve"}
                answer = api(method, path, json=body, headers={"If-Match": lost})
                problem(answer, 412, "stale_version")
                assert answer.headers["etag"] == current
            answer = api("GET", path, headers={"If-None-Match": lost})
            assert (answer.status_code, answer.json["data"]["name"]) == (200, "Ada, again")
            for name in "abcdef":
                api.entity(name=name)
            problem(api("GET", "/api/v1/changes", params={"after": place}), 410, "history_lost")
            problem(api("GET", "/api/v1/entities", params={"limit": 3, "cursor": page}), 410, "history_lost")
            again = api("GET", "/api/v1/export").headers["changes-cursor"]
            assert api("GET", "/api/v1/changes", params={"after": again}).json["data"] == []
