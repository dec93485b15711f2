"""What can be done with accounts, on every store."""

from typing import Any

import pytest

from kgl_adapters.security.argon2_passwords import Argon2Hasher
from kgl_core import AlreadyExists, InvalidInput, KnowledgeGraph, NotFound, Role, User
from tests.contract.samples import ids_of, new_id

PASSWORD = "a few unrelated words"


@pytest.fixture
def ada(kg: KnowledgeGraph) -> User:
    """An account."""
    return kg.users.create(email="Ada@Example.org", password=PASSWORD, first_name="Ada")


def test_an_account_is_created_and_found(kg: KnowledgeGraph, ada: User) -> None:
    """Its email is kept in lower case and found in any; the password is kept as a hash of itself alone."""
    assert (ada.email, ada.first_name, ada.last_name, ada.role) == ("ada@example.org", "Ada", None, Role.USER)
    assert (ada.is_active, ada.auth_version, ada.last_login_at) == (True, 1, None)
    assert kg.users.get(ada.id) == kg.users.get(str(ada.id)) == kg.users.get_by_email("ADA@example.ORG") == ada
    assert PASSWORD not in ada.password_hash
    assert ada.password_hash not in repr(ada)
    assert Argon2Hasher().verify(ada.password_hash, PASSWORD)
    assert not Argon2Hasher().verify(ada.password_hash, PASSWORD + " ")


def test_an_email_has_one_account(kg: KnowledgeGraph, ada: User) -> None:
    """In whatever case, also when the account is disabled."""
    kg.users.disable(ada.id)
    with pytest.raises(AlreadyExists) as refused:
        kg.users.create(email="aDa@example.org", password=PASSWORD)
    assert (refused.value.kind, refused.value.field) == ("user", "email")
    assert kg.stats().users == 1


def test_creating_checks_everything_at_once(kg: KnowledgeGraph) -> None:
    """One error names every fault, the password's too, and quotes no password."""
    with pytest.raises(InvalidInput) as refused:
        kg.users.create(email="nobody", role="root", nickname="n", password="short!")  # type: ignore[call-arg]
    faults = {(fault.pointer, fault.code) for fault in refused.value.faults}
    assert faults == {
        ("/nickname", "unknown_field"),
        ("/email", "pattern"),
        ("/role", "not_a_choice"),
        ("/password", "too_short"),
    }
    assert "short!" not in str(refused.value)
    with pytest.raises(InvalidInput) as refused:
        kg.users.create(email="Ada.Lovelace@example.org", password="ada.LOVELACE")
    assert [fault.code for fault in refused.value.faults] == ["too_common"]
    assert kg.stats().users == 0


def test_absent_accounts_are_not_found(kg: KnowledgeGraph) -> None:
    """By every call that names one."""
    for call in (
        lambda: kg.users.get(new_id()),
        lambda: kg.users.get_by_email("nobody@example.org"),
        lambda: kg.users.disable(new_id()),
        lambda: kg.users.enable(new_id()),
        lambda: kg.users.set_role(new_id(), "admin"),
        lambda: kg.users.set_password(new_id(), PASSWORD),
    ):
        with pytest.raises(NotFound) as refused:
            call()
        assert refused.value.kind == "user"
    with pytest.raises(InvalidInput):
        kg.users.get("ada")
    with pytest.raises(InvalidInput):
        kg.users.get_by_email("ada")


def test_what_ends_sessions_raises_the_auth_version(kg: KnowledgeGraph, ada: User) -> None:
    """Role, activity and password do, each time that they change; repeating what is so does not."""
    steps: list[tuple[Any, dict[str, object]]] = [
        (lambda: kg.users.set_role(ada.id, "moderator"), {"role": Role.MODERATOR, "auth_version": 2}),
        (lambda: kg.users.set_role(ada.id, "moderator"), {"role": Role.MODERATOR, "auth_version": 2}),
        (lambda: kg.users.disable(ada.id), {"is_active": False, "auth_version": 3}),
        (lambda: kg.users.disable(ada.id), {"is_active": False, "auth_version": 3}),
        (lambda: kg.users.enable(ada.id), {"is_active": True, "auth_version": 4}),
        (lambda: kg.users.enable(ada.id), {"is_active": True, "auth_version": 4}),
        (lambda: kg.users.set_password(ada.id, "other unrelated words"), {"auth_version": 5}),
        (lambda: kg.users.set_password(ada.id, "other unrelated words"), {"auth_version": 6}),
    ]
    before = ada
    for step, expected in steps:
        after = step()
        assert {name: getattr(after, name) for name in expected} == expected
        assert kg.users.get(ada.id) == after
        assert (after.id, after.email, after.first_name, after.created_at) == (ada.id, ada.email, "Ada", ada.created_at)
        assert after.updated_at >= before.updated_at
        assert (after == before) == (after.auth_version == before.auth_version)
        before = after
    assert kg.changes().items == ()


def test_a_new_password_replaces_the_old(kg: KnowledgeGraph, ada: User) -> None:
    """The hash verifies the new one only; rules hold as for the first."""
    kg.users.set_password(ada.id, "other unrelated words")
    kept = kg.users.get(ada.id).password_hash
    assert Argon2Hasher().verify(kept, "other unrelated words")
    assert not Argon2Hasher().verify(kept, PASSWORD)
    for bad in ("short", "x" * 129, "password1", "ada@example.org", "ADA@EXAMPLE.ORG", "nul\x00nul\x00", None):
        with pytest.raises(InvalidInput) as refused:
            kg.users.set_password(ada.id, bad)  # type: ignore[arg-type]
        assert [fault.pointer for fault in refused.value.faults] == ["/password"]
    assert kg.users.get(ada.id).password_hash == kept


@pytest.mark.parametrize("role", ["root", "Admin", "", None, 1])
def test_unknown_roles_are_refused(kg: KnowledgeGraph, ada: User, role: Any) -> None:
    """Roles are what they are, by their exact names."""
    with pytest.raises(InvalidInput) as refused:
        kg.users.set_role(ada.id, role)
    assert [(fault.pointer, fault.code) for fault in refused.value.faults] == [("/role", "not_a_choice")]


def test_listings_go_by_email(kg: KnowledgeGraph) -> None:
    """Page by page, filtered by role and activity; a cursor belongs to its filter."""
    made = [
        kg.users.create(email=f"{name}@example.org", password=PASSWORD, role=role)
        for name, role in (("c", "user"), ("a", "admin"), ("b", "user"), ("d", "moderator"))
    ]
    kg.users.disable(made[2].id)
    by_email = sorted(ids_of(made), key=lambda id: next(user.email for user in made if user.id == id))
    found = []
    cursor = None
    while True:
        page = kg.users.list(limit=3, cursor=cursor)
        found += ids_of(page.items)
        cursor = page.next_cursor
        if cursor is None:
            break
    assert found == by_email
    assert [user.email[0] for user in kg.users.list(role="user").items] == ["b", "c"]
    assert [user.email[0] for user in kg.users.list(is_active=False).items] == ["b"]
    assert [user.email[0] for user in kg.users.list(role="user", is_active=True).items] == ["c"]
    with pytest.raises(InvalidInput):
        kg.users.list(role="root")
