"""``/changes``: reading on from a cursor, and waiting for what comes."""

import types
from collections.abc import Callable
from typing import Any

import pytest

from kgl_http.api import authentication
from kgl_http.graph import changes
from kgl_http.graph.changes import WAIT_S_MAX
from kgl_http.server.long_requests import LongRequestSlots
from tests.http.conftest import Api, problem
from tests.http.cursors import cursor_of, of_another_history, parts_of
from tests.http.storage.test_import_and_export import take_all_slots

PATH = "/api/v1/changes"


class FakeTime:
    """A clock that moves only when somebody sleeps, and does something then."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.slept: list[float] = []
        self.on_sleep: Callable[[], object] = lambda: None

    def monotonic(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now_s += seconds
        self.on_sleep()

    def wait(self, slots: LongRequestSlots, seconds: float) -> bool:
        self.sleep(seconds)
        return slots.waits_end


@pytest.fixture
def fake_time(monkeypatch: pytest.MonkeyPatch) -> FakeTime:
    """Time as the waiting sees it."""
    fake = FakeTime()
    monkeypatch.setattr(changes, "time", types.SimpleNamespace(monotonic=fake.monotonic))
    monkeypatch.setattr(LongRequestSlots, "wait", lambda slots, seconds: fake.wait(slots, seconds))
    return fake


def read(api: Api, **params: Any) -> dict[str, Any]:
    """An answer with changes."""
    answer = api("GET", PATH, params=params)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json
    return found


def test_a_change_says_who_did_what_when_and_how_the_record_was_then(api: Api) -> None:
    """Records of both kinds as they are shown elsewhere, each in the state that the change made."""
    ada, bob = api.entity(name="Ada"), api.entity(name="Bob")
    knows = api.relationship(ada["id"], bob["id"], by="eve")
    patched = api("PATCH", f"/api/v1/entities/{ada['id']}", json={"name": "Ada L."}).json["data"]
    gone = api("DELETE", f"/api/v1/relationships/{knows['id']}").json["data"]
    back = api("POST", f"/api/v1/relationships/{knows['id']}/restore").json["data"]
    found = read(api)["data"]
    assert [change["action"] for change in found] == [*["created"] * 3, "updated", "deleted", "restored"]
    kinds = ["entity", "entity", "relationship", "entity", "relationship", "relationship"]
    assert [change["kind"] for change in found] == kinds
    assert [change["record"] for change in found] == [ada, bob, knows, patched, gone, back]
    assert [change["at"] for change in found] == [change["record"]["updated_at"] for change in found]
    assert found[2]["actor"] == {"kind": "user", "id": str(api.account("eve").id)}
    assert set(found[0]) == {"cursor", "at", "actor", "action", "kind", "record", "run"}


def test_changes_are_read_on_from_a_cursor(api: Api) -> None:
    """Each change's own cursor leads to those past it; at the end the cursor stays, for the next time."""
    for name in "abc":
        api.entity(name=name)
    first = read(api, limit=2)
    assert [change["record"]["name"] for change in first["data"]] == ["a", "b"]
    assert first["meta"]["limit"] == 2
    assert first["meta"]["next_cursor"] == first["data"][-1]["cursor"]
    second = read(api, after=first["meta"]["next_cursor"])
    assert [change["record"]["name"] for change in second["data"]] == ["c"]
    end = read(api, after=second["meta"]["next_cursor"])
    assert (end["data"], end["meta"]["next_cursor"]) == ([], second["meta"]["next_cursor"])
    api.entity(name="d")
    assert [change["record"]["name"] for change in read(api, after=end["meta"]["next_cursor"])["data"]] == ["d"]
    assert read(api, after=first["data"][0]["cursor"], limit=1)["data"] == [first["data"][1]]


def test_an_empty_log_has_no_cursor(api: Api) -> None:
    """There is nothing to read on from: the next reading begins at the beginning too."""
    assert (read(api)["data"], read(api)["meta"]["next_cursor"]) == ([], None)


def test_what_cannot_be_read_on_from_is_refused(api: Api) -> None:
    """Cursors of other listings, damaged ones, and parameters out of range."""
    api.entity()
    api.entity()
    other = api("GET", "/api/v1/entities", params={"limit": 1}).json["meta"]["next_cursor"]
    for cursor in (other, "garbage", read(api)["meta"]["next_cursor"][:-2]):
        problem(api("GET", PATH, params={"after": cursor}), 400, "invalid_cursor")
    for name, value in (("limit", 0), ("limit", 201), ("wait", -1), ("wait", WAIT_S_MAX + 1), ("wait", "1.5")):
        found = problem(api("GET", PATH, params={name: value}), 400, "bad_request")
        assert found["errors"][0]["pointer"] == f"/{name}"
    problem(api("GET", PATH, params={"after": ""}), 400, "bad_request")
    problem(api("GET", PATH, params={"cursor": "x"}), 400, "bad_request")


def test_a_place_that_is_lost_is_told_with_the_way_out(api: Api) -> None:
    """410 for a cursor of another history and for one of kgl 0.1, and what the problem says works."""
    for name in "abc":
        api.entity(name=name)
    cursor = read(api, limit=2)["meta"]["next_cursor"]
    _, sequence, _ = parts_of(cursor)
    old = cursor_of(["changes", sequence])
    for lost in (of_another_history(cursor), old, cursor_of(["changes", 2**62, "0" * 18])):
        for wait in (0, 30):
            found = problem(api("GET", PATH, params={"after": lost, "wait": wait}), 410, "history_lost")
            assert "fresh export" in found["detail"]
    assert "Changes-Cursor" in api("GET", found["type"], by="nobody").text
    again = api("GET", "/api/v1/export").headers["changes-cursor"]
    api.entity(name="d")
    assert [change["record"]["name"] for change in read(api, after=again)["data"]] == ["d"]


def test_waiting_ends_with_the_first_change(api: Api, fake_time: FakeTime) -> None:
    """The answer comes as soon as somebody changes something, and holds that."""
    end = read(api)["meta"]["next_cursor"]

    def change_at_the_third() -> None:
        if len(fake_time.slept) == 3:
            api.entity(name="Ada")

    fake_time.on_sleep = change_at_the_third
    found = read(api, wait=30, **({"after": end} if end else {}))
    assert [change["record"]["name"] for change in found["data"]] == ["Ada"]
    assert fake_time.slept == [changes.POLL_S] * 3


def test_waiting_ends_after_the_time_that_was_asked_for(api: Api, fake_time: FakeTime) -> None:
    """With the cursor that was given, and never later."""
    api.entity()
    end = read(api)["meta"]["next_cursor"]
    found = read(api, wait=1, after=end)
    assert (found["data"], found["meta"]["next_cursor"]) == ([], end)
    assert sum(fake_time.slept) == pytest.approx(1)
    read(api, after=end)
    assert sum(fake_time.slept) == pytest.approx(1)


def test_waiting_ends_when_the_worker_stops(api: Api, fake_time: FakeTime) -> None:
    """At once with what there is: nothing, or what has come just then; and so do waits that begin later."""
    fake_time.on_sleep = api.container.slots().end_waits
    assert read(api, wait=30)["data"] == []
    assert read(api, wait=30)["data"] == []
    assert fake_time.slept == [changes.POLL_S] * 2
    fake_time.on_sleep = lambda: api.entity(name="Ada")
    assert [change["record"]["name"] for change in read(api, wait=30)["data"]] == ["Ada"]


def test_who_is_disabled_while_waiting_learns_nothing(
    api: Api, fake_time: FakeTime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wait ends with 401 when its token does, whatever has changed by then."""
    monkeypatch.setattr(authentication, "STANDING_AGE_MAX_S", 0.0)
    api.token("eve")

    def disable() -> None:
        api.kg.users.disable(api.account("eve").id)
        api.entity(name="secret")

    fake_time.on_sleep = disable
    answer = api("GET", PATH, params={"wait": 30}, by="eve")
    problem(answer, 401, "invalid_token")
    assert fake_time.slept == [changes.POLL_S]


def test_who_need_not_wait_does_not(api: Api, fake_time: FakeTime) -> None:
    """Where there are changes they are told at once, whatever ``wait`` says, and no slot is needed."""
    api.entity()
    take_all_slots(api)
    assert len(read(api, wait=30)["data"]) == 1
    assert fake_time.slept == []


def test_when_too_many_wait_the_next_is_told_to_come_back(api: Api, fake_time: FakeTime) -> None:
    """Waiting takes threads: half of them stay free, and a wait that ends gives its place back."""
    callers = take_all_slots(api)
    answer = api("GET", PATH, params={"wait": 1})
    problem(answer, 503, "overloaded")
    assert answer.headers["retry-after"] == "1"
    assert fake_time.slept == []
    api.container.slots().give_back(callers[0])
    for _ in callers:
        assert read(api, wait=1)["data"] == []


def test_a_wait_makes_way_for_an_export(api: Api, fake_time: FakeTime) -> None:
    """It ends early, with nothing new, when an import or an export needs its place; it keeps nobody from one."""
    slots = api.container.slots()
    callers: list[object] = []
    fake_time.on_sleep = lambda: callers.extend(take_all_slots(api))
    assert read(api, wait=30)["data"] == []
    assert len(fake_time.slept) == 1
    for caller in callers:
        slots.give_back(caller)
    fake_time.on_sleep = lambda: None
    assert read(api, wait=1)["data"] == []
    assert sum(fake_time.slept) > 1


def test_a_wait_that_fails_gives_its_slot_back(api: Api, fake_time: FakeTime) -> None:
    """Whatever goes wrong meanwhile, others can wait after it."""

    def fail() -> None:
        raise RuntimeError

    fake_time.on_sleep = fail
    for _ in range(3):
        problem(api("GET", PATH, params={"wait": 1}), 500, "internal_error")


def test_only_who_may_read_is_told(api: Api) -> None:
    """Nobody is not; every account is."""
    problem(api("GET", PATH, by="nobody"), 401, "not_authenticated")
    assert api("GET", PATH, by="user").status_code == 200
