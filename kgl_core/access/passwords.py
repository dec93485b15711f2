"""Passwords: which are allowed, and the port that hashes them.

The rules follow NIST SP 800-63B-4, section 3.1.1: a minimum length and a list of common passwords, not a mix of
characters.
"""

from __future__ import annotations

from typing import Any, Final, Protocol

import attrs

from kgl_core.kernel.errors import Fault, InvalidInput
from kgl_core.kernel.field_rules import Faults

PASSWORD_LENGTH_MIN: Final = 8
PASSWORD_LENGTH_MAX: Final = 128

COMMON_PASSWORDS: Final = frozenset(
    """
    00000000 11111111 12121212 12341234 12344321 12345678 123123123 123321123 1234567890 123456789 123454321
    1234567891 12345678910 123456789a 123456abc 123456qwe 123qweasd 1g2w3e4r 1q2w3e4r 1q2w3e4r5t 1q2w3e4r5t6y
    1qaz2wsx 1qaz2wsx3edc 22222222 55555555 66666666 77777777 87654321 88888888 987654321 9876543210 99999999
    a1234567 a12345678 a123456789 aa123456 aa12345678 abc12345 abcd1234 abcdefgh access14 adminadmin admin123
    admin1234 administrator alexander asdf1234 asdfasdf asdfghjk asdfghjkl babygirl baseball basketball batman123
    blink182 butterfly changeme changeme123 charlie1 chocolate computer corvette cowboys1 danielle dearbook
    dragon123 elephant facebook firebird football football1 footballs forever1 fuckyou1 garfield gateway1
    guest123 hello123 helloworld iloveyou iloveyou1 internet jennifer jonathan jordan23 letmein1 letmein123
    liverpool liverpool1 lovely123 manchester marlboro master12 maverick mercedes michael1 michelle midnight
    monkey123 mustang1 mynoob12 myspace1 nicholas nothing1 p@ssw0rd pakistan passw0rd password password!
    password01 password1 password1! password12 password123 password1234 passwords patricia princess princess1
    q1w2e3r4 q1w2e3r4t5 qazwsxedc qqqqqqqq qwer1234 qwerqwer qwert123 qwerty12 qwerty123 qwerty1234 qwertyui
    qwertyuiop rainbow1 redskins rockyou1 samantha secret123 security service1 shadow12 slipknot spiderman
    starwars startrek steelers sunshine sunshine1 superman superman1 swordfish target123 test1234 testtest
    tinkerbell trustno1 trustno1! unknown1 usuckballz1 vacation victoria webmaster welcome1 welcome123 whatever
    william1 windows1 xxxxxxxx zaq12wsx zaq1zaq1 zxcvbnm1 zxcvbnm123 zxcvbnmzxcvbnm
    """.split()  # noqa: SIM905  # a list of strings would fill pages
)


@attrs.frozen
class Secret:
    """Text of ``min_length`` to ``max_length`` characters, any but NUL and lone surrogates, kept exactly.

    No fault quotes it.
    """

    max_length: int
    min_length: int = 1

    def __call__(self, value: Any, pointer: str, faults: Faults) -> Any:
        if type(value) is not str:
            faults.append(Fault(pointer, "not_text", "give text in quotes"))
        elif len(value) < self.min_length:
            faults.append(Fault(pointer, "too_short", f"give at least {self.min_length} characters"))
        elif len(value) > self.max_length:
            faults.append(Fault(pointer, "too_long", f"at most {self.max_length} characters"))
        elif "\x00" in value or any("\ud800" <= c <= "\udfff" for c in value):
            faults.append(Fault(pointer, "invalid_text", "remove NUL characters and lone surrogates"))
        return value


PASSWORD: Final = Secret(PASSWORD_LENGTH_MAX)
"""A password to be compared: one that is too short is simply wrong."""
NEW_PASSWORD: Final = Secret(PASSWORD_LENGTH_MAX, PASSWORD_LENGTH_MIN)


def check_password(
    password: object, email: str = "", length_min: int = PASSWORD_LENGTH_MIN, pointer: str = "/password"
) -> str:
    """Return the password if it may be used. Raises InvalidInput when it breaks a rule; the message never quotes it.

    It has ``length_min`` to PASSWORD_LENGTH_MAX characters, any but NUL and lone surrogates, is not one of the
    commonest, and is neither the account's own ``email`` nor the part before its @. ``pointer`` is its place in the
    input.
    """
    faults: Faults = []
    text: str = PASSWORD(password, pointer, faults)
    if not faults and len(text) < length_min:
        advice = f"at least {length_min} characters; a few words make a good one"
        faults.append(Fault(pointer, "too_short", advice))
    elif not faults and (text.lower() in COMMON_PASSWORDS or text.lower() in (email, email.partition("@")[0])):
        advice = "this one is guessed first; a few unrelated words make a good one"
        faults.append(Fault(pointer, "too_common", advice))
    if faults:
        raise InvalidInput(faults)
    return text


class PasswordHasher(Protocol):
    """Makes and checks password hashes; a check takes the same work for right and wrong passwords."""

    def hash(self, password: str) -> str:
        """A salted hash that says how it was made; different every time. May raise Overloaded."""

    def verify(self, hash: str, password: str) -> bool:
        """Whether ``hash`` was made from ``password``. May raise Overloaded."""


@attrs.frozen
class Passwords:
    """The hasher of accounts' passwords, and the number of characters they need at least."""

    hasher: PasswordHasher
    length_min: int = PASSWORD_LENGTH_MIN

    def check(self, password: object, email: str, pointer: str = "/password") -> str:
        """Return the password if the account with ``email`` may have it; raises as `check_password` does."""
        return check_password(password, email, self.length_min, pointer)
