"""What every `UserRepository` promises."""

from datetime import timedelta

import attrs
import pytest

from kgl_core import AlreadyExists, NotFound, Role, User
from kgl_core.access.users import UserFilter
from kgl_core.kernel.nouns.pages import Position
from kgl_core.kernel.units_of_work import Store
from tests.contract.samples import NOON, SECOND, ids_of, keep, new_id, user


def test_a_user_comes_back_as_it_was_kept(store: Store) -> None:
    """Every field survives, with its type."""
    full = user(
        "ada@example.org",
        first_name="Ada 🜨",
        last_name="O'Lovelace \\N",
        role=Role.ADMIN,
        is_active=False,
        auth_version=9,
        updated_at=NOON + timedelta(microseconds=1),
        last_login_at=NOON + SECOND,
    )
    keep(store, full)
    with store.read() as uow:
        by_id, by_email = uow.users.get(full.id), uow.users.get_by("ada@example.org")
    assert by_id == by_email == full
    assert by_id is not None
    assert (type(by_id.role), type(by_id.is_active)) == (Role, bool)
    assert by_id.created_at.utcoffset() == timedelta(0)


def test_an_absent_user_is_none(store: Store) -> None:
    """Absence is no error; emails are compared as they are given, so that callers normalize them first."""
    keep(store, user("ada@example.org"))
    with store.begin() as uow:
        assert uow.users.get(new_id()) is None
        assert uow.users.get(new_id(), lock="update") is None
        assert uow.users.get_by("Ada@example.org") is None


@pytest.mark.parametrize("field", ["id", "email"])
def test_add_refuses_what_is_taken(store: Store, field: str) -> None:
    """An id and an email belong to one account, also when it is disabled."""
    one = user("ada@example.org", is_active=False)
    keep(store, one)
    other = user("grace@example.org", id=one.id) if field == "id" else user("ada@example.org")
    with store.begin() as uow, pytest.raises(AlreadyExists) as refused:
        uow.users.add([other])
    assert (refused.value.kind, refused.value.field) == ("user", field)
    with store.read() as uow:
        assert uow.users.count(UserFilter()) == 1


def test_replace_keeps_the_new_state(store: Store) -> None:
    """All but id and creation may change; others are untouched."""
    one, other = user("ada@example.org"), user("grace@example.org")
    keep(store, one, other)
    new = attrs.evolve(
        one,
        email="countess@example.org",
        password_hash="$other",
        first_name="Ada",
        last_name="King",
        role=Role.MODERATOR,
        is_active=False,
        auth_version=2,
        updated_at=NOON + SECOND,
        last_login_at=NOON,
    )
    with store.begin() as uow:
        assert uow.users.get(one.id, lock="update") == one
        uow.users.replace([new])
        assert uow.users.get(one.id) == new
        uow.commit()
    with store.read() as uow:
        assert uow.users.get(one.id) == new
        assert uow.users.get(other.id) == other
        assert uow.users.get_by("ada@example.org") is None


def test_replace_of_an_unknown_user_is_not_found(store: Store) -> None:
    """Who has no account cannot have it changed."""
    stranger = user()
    with store.begin() as uow, pytest.raises(NotFound) as refused:
        uow.users.replace([stranger])
    assert (refused.value.kind, refused.value.name) == ("user", stranger.id)


def test_pages_go_by_email(store: Store) -> None:
    """Code point by code point, whatever the database's own language is; filters admit what they say."""
    emails = ["a-b@x.org", "a.b@x.org", "a_b@x.org", "ab@x.org", "a1@x.org", "b@x.org", "b@a.org"]
    rows = [
        user(email, role=Role.ADMIN if number % 3 == 0 else Role.USER, is_active=number % 2 == 0)
        for number, email in enumerate(emails)
    ]
    keep(store, *rows)
    for fields in (
        {},
        {"role": "admin"},
        {"role": "moderator"},
        {"is_active": True},
        {"role": "user", "is_active": False},
    ):
        wanted = UserFilter(**fields)
        expected = sorted(
            (
                row
                for row in rows
                if row.role == (wanted.role or row.role) and wanted.is_active in (None, row.is_active)
            ),
            key=lambda row: row.email,
        )
        for limit in (1, 2, 100):
            found: list[User] = []
            after: Position | None = None
            page = None
            while page is None or len(page) == limit:
                with store.read() as uow:
                    page = list(uow.users.list(wanted, "email", after, limit))
                found += page
                assert len(found) < 100, "the pages do not end"
                after = (found[-1].email, found[-1].id) if found else None
            assert ids_of(found) == ids_of(expected)
