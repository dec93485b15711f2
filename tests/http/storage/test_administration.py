"""``/admin``: for those who run the service."""

import pytest

from tests.http.conftest import NOBODY, Api, problem


def test_an_admin_is_told_so(api: Api) -> None:
    """A ping that only admins get through."""
    assert api("GET", "/api/v1/admin/ping").json["data"] == "pong"


def test_the_stats_count_what_there_is(api: Api) -> None:
    """By type, the deleted beside them, and the changes and accounts."""
    ada, bob, eve = (api.entity(name=name)["id"] for name in ("Ada", "Bob", "Eve"))
    api.entity(type="city", name="Rome")
    api.relationship(ada, bob)
    api.relationship(ada, eve, relationship_type="likes")
    api("DELETE", f"/api/v1/entities/{eve}")
    stats = api("GET", "/api/v1/admin/stats").json["data"]
    assert stats == {
        "entities": {"active": 3, "deleted": 1, "by_type": {"city": 1, "person": 2}},
        "relationships": {"active": 1, "deleted": 1, "by_type": {"knows": 1}},
        "changes": 8,
        "users": 1,
    }


@pytest.mark.parametrize("path", ["/api/v1/admin/ping", "/api/v1/admin/stats"])
def test_only_admins_operate_the_service(api: Api, path: str) -> None:
    """Users and moderators are refused, nobody is asked for a token, and there are no parameters."""
    for by in ("user", "moderator"):
        problem(api("GET", path, by=by), 403, "permission_denied")
    problem(api("GET", path, by=NOBODY), 401, "not_authenticated")
    problem(api("GET", path, params={"verbose": "1"}), 400, "bad_request")
