"""``/metrics``: what is counted and timed, under labels of which there are only so many."""

import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlencode

import pytest

from tests.http.conftest import AS_FORM, NOBODY, PASSWORD, Api, problem

ENTITIES = "/api/v1/entities"
LINE = re.compile(r"(?P<name>[a-z_]+)(?:\{.*\})? (?P<value>[0-9.e+-]+)")


def read(api: Api) -> dict[str, float]:
    """Every sample by its name and labels, without those that only tell when something was made."""
    answer = api("GET", "/metrics", by=NOBODY)
    assert answer.status_code == 200
    samples = {}
    for line in answer.text.splitlines():
        if not line.startswith("#"):
            found = LINE.fullmatch(line)
            assert found is not None, line
            if not found["name"].endswith("_created"):
                samples[line.rpartition(" ")[0]] = float(found["value"])
    return samples


def test_the_metrics_are_in_prometheus_text_format(api: Api) -> None:
    """For everybody who can reach the service, and never from a cache; each metric says what it is."""
    answer = api("GET", "/metrics", by=NOBODY)
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    for name, kind in (
        ("kgl_http_requests_total", "counter"),
        ("kgl_http_request_duration_seconds", "histogram"),
        ("kgl_http_requests_in_flight", "gauge"),
        ("kgl_database_connections_in_use", "gauge"),
        ("kgl_logins_total", "counter"),
        ("kgl_token_requests_total", "counter"),
        ("kgl_records_changed_total", "counter"),
    ):
        assert f"# TYPE {name} {kind}\n" in answer.text
        assert re.search(rf"^# HELP {name} [A-Z]", answer.text, re.M)


def test_every_answer_is_counted_and_timed_by_its_route(api: Api) -> None:
    """Under the route's template, never under the path that was asked for."""
    id = api.entity()["id"]
    before = read(api)
    api("GET", f"{ENTITIES}/{id}")
    api("GET", f"{ENTITIES}/{id}")
    problem(api("GET", f"{ENTITIES}/nothing"), 400, "bad_request")
    problem(api("GET", f"{ENTITIES}/{id}", by=NOBODY), 401, "not_authenticated")
    after = read(api)
    labels = f'method="GET",route="{ENTITIES}/{{id}}"'
    for status, times in ((200, 2), (400, 1), (401, 1)):
        sample = f'kgl_http_requests_total{{{labels},status="{status}"}}'
        assert after[sample] - before.get(sample, 0) == times
    sample = f"kgl_http_request_duration_seconds_count{{{labels}}}"
    assert after[sample] - before.get(sample, 0) == 4
    assert after[f"kgl_http_request_duration_seconds_sum{{{labels}}}"] > 0
    assert after[f'kgl_http_request_duration_seconds_bucket{{le="+Inf",{labels}}}'] == 4
    assert id not in str(after)


@pytest.mark.filterwarnings("ignore:Unknown REQUEST_METHOD")
def test_no_client_can_make_new_labels(api: Api) -> None:
    """Paths that lead nowhere, methods that nobody knows and whatever is in a query share their labels."""

    def try_it(n: int) -> None:
        api("GET", f"/nothing/{n}", params={"q": n})
        api("GET", f"/api/v1/problems/{n}")
        api(f"FOO{n}", "/nothing")
        api("GET", "/nothing", headers={"X-Request-ID": f"id-{n}", "User-Agent": f"agent-{n}"})
        read(api)

    try_it(0)
    known = set(read(api))
    for n in range(1, 20):
        try_it(n)
    assert set(read(api)) == known
    assert any('route="unmatched"' in sample for sample in known)
    assert any('method="other"' in sample for sample in known)


def test_requests_in_flight_are_those_that_are_being_answered(api: Api) -> None:
    """The one that reads the metrics, and none that has ended, however it did."""
    for path in (ENTITIES, "/nothing", "/health"):
        api("GET", path, by=NOBODY)
    assert read(api)["kgl_http_requests_in_flight"] == 1


def test_connections_in_use_are_those_taken_from_the_pool(api: Api) -> None:
    """None between requests; memory has none at all."""
    engine = api.container.engine()
    api.entity()
    assert read(api)["kgl_database_connections_in_use"] == 0
    if engine is not None:
        with engine.connect():
            assert read(api)["kgl_database_connections_in_use"] == 1
        assert read(api)["kgl_database_connections_in_use"] == 0


def test_logins_are_counted_by_how_they_end(api: Api) -> None:
    """Accepted, refused and throttled; what is no login at all is none."""
    email = api.account("eve").email

    def log_in(password: object) -> int:
        body = {"email": email, "password": password}
        return api("POST", "/api/v1/auth/token", by=NOBODY, json=body).status_code

    assert log_in(PASSWORD) == 200
    assert [log_in("wrong horse") for _ in range(6)] == [401] * 5 + [429]
    assert log_in(7) == 422
    samples = read(api)
    found = {name: value for name, value in samples.items() if name.startswith("kgl_logins_total")}
    assert found == {
        'kgl_logins_total{outcome="accepted"}': 1,
        'kgl_logins_total{outcome="refused"}': 5,
        'kgl_logins_total{outcome="throttled"}': 1,
    }


def test_requests_for_tokens_are_counted_by_grant_and_how_they_end(api: Api) -> None:
    """Of people with a refresh token, and of clients with a secret; a login is not among them."""
    login = {"email": api.account("eve").email, "password": PASSWORD}
    token = api("POST", "/api/v1/auth/token", by=NOBODY, json=login).json["refresh_token"]

    def refresh(refresh_token: object) -> int:
        return api("POST", "/api/v1/auth/refresh", by=NOBODY, json={"refresh_token": refresh_token}).status_code

    assert [refresh(text) for text in (token, token, "made up", 7)] == [200, 200, 401, 422]
    made = api.credentials("reader")

    def ask(secret: str, **more: str) -> int:
        sent = {"grant_type": "client_credentials", "client_id": str(made.client.id), "client_secret": secret, **more}
        return api("POST", "/api/v1/oauth/token", by=NOBODY, body=urlencode(sent), headers=AS_FORM).status_code

    assert [ask(made.secret), ask(made.secret, scope="graph:write"), ask(made.secret, grant_type="x")] == [
        200,
        400,
        400,
    ]
    assert [ask("wrong") for _ in range(6)] == [401] * 5 + [429]
    found = {name: value for name, value in read(api).items() if name.startswith("kgl_token_requests_total")}
    assert found == {
        'kgl_token_requests_total{grant="refresh_token",outcome="accepted"}': 2,
        'kgl_token_requests_total{grant="refresh_token",outcome="refused"}': 1,
        'kgl_token_requests_total{grant="client_credentials",outcome="accepted"}': 1,
        'kgl_token_requests_total{grant="client_credentials",outcome="refused"}': 7,
        'kgl_token_requests_total{grant="client_credentials",outcome="throttled"}': 1,
    }


def test_changes_are_counted_by_kind_and_action(api: Api) -> None:
    """Those that were committed, whichever way they came: one by one, along with another, or imported."""
    ada, bob = api.entity(key="Q1")["id"], api.entity()["id"]
    api.relationship(ada, bob)
    api("PATCH", f"{ENTITIES}/{ada}", json={"name": "Ada L."})
    api("PATCH", f"{ENTITIES}/{ada}", json={"name": "Ada L."})
    problem(api("POST", ENTITIES, json={"type": "x", "name": "X", "key": "Q1"}), 409, "already_exists")
    api("DELETE", f"{ENTITIES}/{ada}")
    api("POST", f"{ENTITIES}/{ada}/restore")
    body = b'{"kind":"entity","key":"Q2","type":"x","name":"X"}\n{"kind":"entity","key":"Q1","type":"x","name":"Y"}\n'
    for params in ({}, {"dry_run": "true"}):
        api("POST", "/api/v1/import", body=body, headers={"Content-Type": "application/x-ndjson"}, params=params)
    samples = read(api)
    found = {name: value for name, value in samples.items() if name.startswith("kgl_records_changed_total")}
    assert found == {
        'kgl_records_changed_total{action="created",kind="entity"}': 3,
        'kgl_records_changed_total{action="updated",kind="entity"}': 2,
        'kgl_records_changed_total{action="deleted",kind="entity"}': 1,
        'kgl_records_changed_total{action="restored",kind="entity"}': 1,
        'kgl_records_changed_total{action="created",kind="relationship"}': 1,
        'kgl_records_changed_total{action="deleted",kind="relationship"}': 1,
        'kgl_records_changed_total{action="restored",kind="relationship"}': 1,
    }
    assert len(api("GET", "/api/v1/changes").json["data"]) == sum(found.values())


def test_the_metrics_of_all_workers_are_summed(tmp_path: Path) -> None:
    """Where the variable of Prometheus' client names a folder; counts outlive the process that counted."""
    count = "metrics = Metrics(); metrics.answered('GET', '/health', 200, 0.01); metrics.began()"
    script = f"from kgl_http.server.metrics import Metrics; {count}; print(metrics.render().decode())"
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    for worker in (1, 2):
        shown = subprocess.run(
            [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
        ).stdout
        assert f'kgl_http_requests_total{{method="GET",route="/health",status="200"}} {worker}.0' in shown
        assert "pid=" not in shown
