"""What every repository of users promises, besides what all repositories do."""

import pytest

from kgl_core import AlreadyExists
from kgl_core.access.users import UserFilter
from kgl_core.kernel.units_of_work import Store
from tests.contract.samples import keep, user


def test_a_disabled_account_keeps_its_email(store: Store) -> None:
    """Nobody else can have it."""
    one = user("ada@example.org", is_active=False)
    keep(store, one)
    with store.begin() as uow, pytest.raises(AlreadyExists) as refused:
        uow.users.add([user("ada@example.org")])
    assert (refused.value.kind, refused.value.field) == ("user", "email")
    with store.read() as uow:
        assert uow.users.get_by("ada@example.org") == one


def test_emails_sort_code_point_by_code_point(store: Store) -> None:
    """Whatever the database's own language is, across pages too."""
    emails = ["a-b@x.org", "a.b@x.org", "a_b@x.org", "ab@x.org", "a1@x.org", "b@x.org", "b@a.org"]
    rows = [user(email) for email in emails]
    keep(store, *rows)
    expected = sorted(rows, key=lambda row: row.email)
    with store.read() as uow:
        assert list(uow.users.list(UserFilter(), "email", None, 100)) == expected
        for place, row in enumerate(expected, 1):
            assert list(uow.users.list(UserFilter(), "email", (row.email, row.id), 2)) == expected[place : place + 2]
