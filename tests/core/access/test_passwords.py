"""What a password must be, and that its hash says nothing of it."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kgl_adapters.security.argon2_passwords import Argon2Hasher, BoundedHasher
from kgl_core import InvalidInput, Overloaded
from kgl_core.access.passwords import (
    COMMON_PASSWORDS,
    PASSWORD_LENGTH_MAX,
    PASSWORD_LENGTH_MIN,
    Passwords,
    Secret,
    check_password,
)
from kgl_core.kernel.field_rules import Faults


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


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("x", None),
        (" \t\n", None),
        ("x" * 5, None),
        ("", "too_short"),
        ("x" * 6, "too_long"),
        ("x\x00", "invalid_text"),
        ("\udfff", "invalid_text"),
        (None, "not_text"),
        (b"x", "not_text"),
    ],
)
def test_a_secret_is_text_of_any_kind(value: Any, code: str | None) -> None:
    """Kept as it is; only what cannot be compared is refused."""
    faults: Faults = []
    assert Secret(5)(value, "/at", faults) == value
    assert [(fault.pointer, fault.code) for fault in faults] == ([] if code is None else [("/at", code)])


def test_the_fault_stands_where_the_password_does() -> None:
    """Callers name the field."""
    with pytest.raises(InvalidInput) as refused:
        check_password("short", pointer="/new_password")
    assert [fault.pointer for fault in refused.value.faults] == ["/new_password"]


class Counting:
    """A hasher that notes how many use it at once, and runs ``inside`` each time."""

    def __init__(self, inside: Callable[[], object]) -> None:
        self._inside, self._mutex = inside, threading.Lock()
        self.running = self.running_most = 0

    def hash(self, password: str) -> str:
        with self._mutex:
            self.running += 1
            self.running_most = max(self.running_most, self.running)
        try:
            self._inside()
        finally:
            with self._mutex:
                self.running -= 1
        return password.upper()

    def verify(self, hash: str, password: str) -> bool:
        return self.hash(password) == hash


def test_hashes_beyond_the_limits_are_refused_at_once() -> None:
    """As many run as may, nobody waits for long, and when one is done there is room again."""
    both_run, go_on = threading.Barrier(3, timeout=30), threading.Event()

    def inside() -> None:
        if not go_on.is_set():
            both_run.wait()
            assert go_on.wait(timeout=30)

    hasher = BoundedHasher(Counting(inside), running_max=2, waiting_max=0)
    with ThreadPoolExecutor(2) as pool:
        hashing, verifying = pool.submit(hasher.hash, "a"), pool.submit(hasher.verify, "B", "b")
        both_run.wait()
        for call in (lambda: hasher.hash("c"), lambda: hasher.verify("C", "c")):
            with pytest.raises(Overloaded) as refused:
                call()
            assert (refused.value.what, refused.value.retry_after_s) == ("password hashing", 1)
        go_on.set()
        assert (hashing.result(), verifying.result()) == ("A", True)
    assert hasher.hash("c") == "C"


def test_hashes_within_the_limits_wait_for_their_turn() -> None:
    """All get done, and never more at once than may run."""
    counting = Counting(lambda: None)
    hasher = BoundedHasher(counting, running_max=2, waiting_max=6)
    start = threading.Barrier(8, timeout=30)

    def work(number: int) -> list[str]:
        start.wait()
        return [hasher.hash(f"{number}/{turn}") for turn in range(50)]

    with ThreadPoolExecutor(8) as pool:
        assert sum(len(done) for done in pool.map(work, range(8))) == 400
    assert 1 <= counting.running_most <= 2


def test_a_failing_hash_gives_its_turn_back() -> None:
    """Whatever it raises."""

    def fail() -> None:
        raise MemoryError

    hasher = BoundedHasher(Counting(fail), running_max=1, waiting_max=0)
    for _ in range(3):
        with pytest.raises(MemoryError):
            hasher.hash("a")
