"""What a password must be, and that its hash says nothing of it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kgl_adapters.passwords import Argon2Hasher
from kgl_core import InvalidInput
from kgl_core.credentials import (
    COMMON_PASSWORDS,
    PASSWORD_LENGTH_MAX,
    PASSWORD_LENGTH_MIN,
    Passwords,
    check_password,
)


def refusal(password: Any, email: str, length_min: int) -> InvalidInput | None:
    """How a password is refused; None when it is taken, as it is."""
    try:
        assert check_password(password, email, length_min) == password
    except InvalidInput as error:
        return error
    return None


def code_of(password: Any, email: str = "", length_min: int = PASSWORD_LENGTH_MIN) -> str | None:
    """The code of the one fault, None when the password is taken; nothing ever quotes it."""
    refused = refusal(password, email, length_min)
    if refused is None:
        return None
    (fault,) = refused.faults
    assert fault.pointer == "/password"
    assert fault.detail
    if isinstance(password, str) and len(password) > 4 and password != "password":  # which is the field's name too
        assert password not in str(refused)
    return fault.code


@pytest.mark.parametrize(
    ("password", "code"),
    [
        ("p4ss-w0", "too_short"),
        ("p4ss-w0r", None),
        ("", "too_short"),
        ("x7" * 64, None),
        ("x7" * 64 + "y", "too_long"),
        ("\U0001f600\U0001f601\U0001f602\U0001f603" * 2, None),
        ("        ", None),
        ("tab\tand\nline", None),
        ("nul\x00nul\x00", "invalid_text"),
        ("lone\ud800lone", "invalid_text"),
        ("password", "too_common"),
        ("PassWord123", "too_common"),
        (None, "not_text"),
        (12345678, "not_text"),
        (b"p4ss-w0rd", "not_text"),
        (["p", "4"], "not_text"),
    ],
)
def test_the_rules(password: Any, code: str | None) -> None:
    """Length in characters, of any kind but NUL and lone surrogates; not the commonest; text and nothing else."""
    assert code_of(password) == code


@pytest.mark.parametrize("password", sorted(COMMON_PASSWORDS))
def test_the_commonest_are_refused_in_any_case(password: str) -> None:
    """Each of them is long enough to have needed the list."""
    assert code_of(password) == code_of(password.upper()) == "too_common"


def test_ones_own_email_is_refused() -> None:
    """The whole, and the part before the @, in any case; what only holds it is not."""
    email = "ada.lovelace@example.org"
    for password in ("ada.lovelace", "Ada.LOVELACE", email, email.upper()):
        assert code_of(password, email) == "too_common"
    assert code_of("example.org", email) is None
    assert code_of("ada.lovelace 1815", email) is None


def test_the_shortest_length_is_a_setting() -> None:
    """To the character; the longest is not."""
    assert code_of("x7" * 7, length_min=15) == "too_short"
    assert code_of("x7" * 7 + "y", length_min=15) is None
    assert Passwords(Argon2Hasher(), 15).check("x7" * 8, "") == "x7" * 8
    with pytest.raises(InvalidInput, match="at least 15"):
        Passwords(Argon2Hasher(), 15).check("x7" * 7, "")


@given(st.text(st.characters(), max_size=140) | st.integers() | st.binary())
def test_any_value_is_taken_or_refused(password: Any) -> None:
    """No other error comes out, and what is taken can be hashed."""
    if code_of(password) is None:
        assert PASSWORD_LENGTH_MIN <= len(password) <= PASSWORD_LENGTH_MAX
        password.encode()


def test_a_hash_verifies_its_password_and_no_other() -> None:
    """Salted, so never twice the same; a hash that is none verifies nothing."""
    hasher = Argon2Hasher()
    password = "a few unrelated words \U0001f600"
    one, two = hasher.hash(password), hasher.hash(password)
    assert one != two
    assert password not in one
    assert one.startswith("$argon2id$")
    assert hasher.verify(one, password)
    assert hasher.verify(two, password)
    for other in (password + " ", password[:-1], "", password.upper()):
        assert not hasher.verify(one, other)
    for damaged in ("", "x", one[:-4], one.replace("argon2id", "argon2x")):
        assert not hasher.verify(damaged, password)
