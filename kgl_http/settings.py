"""Settings: every environment variable that kgl reads, checked once and kept in one frozen class.

A converter takes a variable's text, or the default, and raises ValueError with what to give instead.

Longer than most files: each setting stands once, with its default, its converter and its help.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Final

import attrs
import environ

from kgl_adapters.connect import DEFAULT_URL
from kgl_core.access.passwords import PASSWORD_LENGTH_MAX, PASSWORD_LENGTH_MIN

SECRET_BYTES_MIN: Final = 32  # RFC 7518, section 3.2: as many as the hash has
_SECRET_CHARACTERS_MIN: Final = 10
_KNOWN_SECRETS: Final = ("secret", "password", "changeme", "change-me", "change_me", "example", "default", "0123456789")
_GIB: Final = 1024**3
# RFC 6454, section 6.2: a browser sends scheme, host and port, in lower case and nothing else.
_ORIGIN: Final = re.compile(
    r"(?P<scheme>https?)://([a-z0-9]([a-z0-9._-]*[a-z0-9])?|\[[0-9a-f:.]+\])(:(?P<port>[0-9]{1,5}))?"
)
_DEFAULT_PORTS: Final = (("http", "80"), ("https", "443"))

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Hidden(str):
    """Text that its ``repr`` does not show."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'" if self else "''"


class InvalidSettings(Exception):
    """The environment has values that cannot be used. The message names each, and what to give instead."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(problems))


def _whole(least: int, most: int) -> Callable[[Any], int]:
    def convert(value: Any) -> int:
        text = str(value)
        if text.isascii() and text.isdigit() and len(text) <= 18 and least <= int(text) <= most:
            return int(text)
        raise ValueError(f"give a whole number from {least} to {most}")

    return convert


def _seconds(least: float, most: float) -> Callable[[Any], float]:
    def convert(value: Any) -> float:
        if re.fullmatch(r"\d{1,9}(\.\d{1,6})?", str(value), re.ASCII) and least <= float(value) <= most:
            return float(value)
        raise ValueError(f"give seconds, from {least:g} to {most:g}")

    return convert


def _duration(least: timedelta, most: timedelta) -> Callable[[Any], timedelta]:
    seconds = _whole(int(least.total_seconds()), int(most.total_seconds()))

    def convert(value: Any) -> timedelta:
        try:
            return timedelta(seconds=seconds(value))
        except ValueError as error:
            raise ValueError(f"{error}, in seconds") from None

    return convert


def _choice(*values: str) -> Callable[[Any], str]:
    def convert(value: Any) -> str:
        if value in values:
            return str(value)
        raise ValueError(f"give one of {', '.join(values)}")

    return convert


def _flag(value: Any) -> bool:
    found = {"true": True, "false": False}.get(str(value).lower())
    if found is None:
        raise ValueError("give true or false")
    return found


def _text(value: Any) -> str:
    text = str(value)
    if not text.isprintable() or len(text) > 200:
        raise ValueError("give up to 200 printable characters")
    return text


def _path(value: Any) -> str:
    if not re.fullmatch(r"(/(?!\.{1,2}(/|$))[A-Za-z0-9._~-]{1,64}){0,8}/?", str(value)):
        raise ValueError("give a path of letters, digits and . _ ~ -, without . and .. as a part, such as /kgl")
    return str(value).rstrip("/")


def _registration(value: Any) -> str:
    return "" if value == "" else _choice("open", "closed")(value)


def _items(value: Any) -> list[str]:
    return [item.strip() for item in str(value).split(",") if item.strip()]


def _origins(value: Any) -> tuple[str, ...]:
    origins = _items(value)
    for origin in origins:
        parts = _ORIGIN.fullmatch(origin)
        if parts is None or (parts["port"] and not 0 < int(parts["port"]) < 2**16):
            raise ValueError("give exact origins in lower case, such as https://app.example.org, separated by commas")
        if (parts["scheme"], parts["port"]) in _DEFAULT_PORTS:
            raise ValueError("give origins without the port that their scheme has anyway, as browsers do")
    return tuple(origins)


def _networks(value: Any) -> tuple[Network, ...]:
    try:
        return tuple(ipaddress.ip_network(item) for item in _items(value))
    except ValueError:
        raise ValueError("give addresses or networks, such as 10.0.0.0/8 or ::1, separated by commas") from None


_DAY: Final = timedelta(days=1)


@environ.config(prefix="", frozen=True)
class Settings:
    """Every variable that kgl reads."""

    kgl_env: str = environ.var(
        "production",
        name="KGL_ENV",
        converter=_choice("production", "development"),
        help="`production`, or `development`: readable logs on a terminal, registration open, a secret made for you",
    )
    database_url: Hidden = environ.var(
        DEFAULT_URL, name="DATABASE_URL", converter=Hidden, help="where the graph is kept"
    )
    jwt_secret: Hidden = environ.var(
        "",
        name="JWT_SECRET",
        converter=Hidden,
        help="signs tokens under HS256: 32 random bytes or more, as from `openssl rand -base64 48`",
    )
    jwt_alg: str = environ.var(
        "HS256",
        name="JWT_ALG",
        converter=_choice("HS256", "ES256", "Ed25519"),
        help="how tokens are signed: `HS256`, `ES256` or `Ed25519`",
    )
    jwt_keys: str = environ.var(
        "", name="JWT_KEYS", help="the folder or JWKS file of private keys, for ES256 and Ed25519"
    )
    jwt_issuer: str = environ.var("backend-module", name="JWT_ISSUER", converter=_text, help="the tokens' `iss`")
    jwt_audience: str = environ.var("kgl-api", name="JWT_AUDIENCE", converter=_text, help="the tokens' `aud`")
    access_token_ttl: timedelta = environ.var(
        900,
        name="ACCESS_TOKEN_TTL",
        converter=_duration(timedelta(seconds=10), _DAY),
        help="how long an access token lives, in seconds",
    )
    refresh_token_ttl: timedelta = environ.var(
        2_592_000,
        name="REFRESH_TOKEN_TTL",
        converter=_duration(timedelta(minutes=1), 366 * _DAY),
        help="how long a refresh token lives, in seconds",
    )
    registration: str = environ.var(
        "",
        name="REGISTRATION",
        converter=_registration,
        help="`open` or `closed`: whether anybody may register; empty: open in development only",
    )
    registrations_per_hour: int = environ.var(
        20,
        name="REGISTRATIONS_PER_HOUR",
        converter=_whole(1, 1_000_000),
        help="how often one address may try to register in an hour",
    )
    password_length_min: int = environ.var(
        PASSWORD_LENGTH_MIN,
        name="PASSWORD_LENGTH_MIN",
        converter=_whole(PASSWORD_LENGTH_MIN, PASSWORD_LENGTH_MAX // 2),
        help="how many characters a password has at least, 8 to 64",
    )
    trusted_proxies: tuple[Network, ...] = environ.var(
        "",
        name="TRUSTED_PROXIES",
        converter=_networks,
        help="addresses or networks whose `X-Forwarded-For` is believed, separated by commas",
    )
    root_path: str = environ.var(
        "",
        name="ROOT_PATH",
        converter=_path,
        help="the path below which a proxy offers the service, if it takes that path away: `/kgl`",
    )
    cors_origins: tuple[str, ...] = environ.var(
        "",
        name="CORS_ORIGINS",
        converter=_origins,
        help="origins whose pages may call the API, separated by commas",
    )
    require_if_match: bool = environ.var(
        False,
        name="REQUIRE_IF_MATCH",
        converter=_flag,
        help="`true`: changes without `If-Match` are refused with 428",
    )
    import_bytes_max: int = environ.var(
        _GIB,
        name="IMPORT_BYTES_MAX",
        converter=_whole(1024, 1024 * _GIB),
        help="how large the body of an import may be, in bytes",
    )
    log_level: str = environ.var(
        "INFO",
        name="LOG_LEVEL",
        converter=lambda value: _choice("DEBUG", "INFO", "WARNING", "ERROR")(str(value).upper()),
        help="`DEBUG`, `INFO`, `WARNING` or `ERROR`: the least level that is logged",
    )
    module_id: str = environ.var(
        "backend", name="MODULE_ID", converter=_text, help="the `module_id` of every line of the log"
    )
    database_replica_url: Hidden = environ.var(
        "",
        name="DATABASE_REPLICA_URL",
        converter=Hidden,
        help="a standby of PostgreSQL that answers reads of entities and relationships",
    )
    database_replica_lag_max: float = environ.var(
        5,
        name="DATABASE_REPLICA_LAG_MAX",
        converter=_seconds(1, 3600),
        help="how old what the standby answers may be, in seconds; past that, the primary answers",
    )
    database_pool_size: int = environ.var(
        0,
        name="DATABASE_POOL_SIZE",
        converter=_whole(0, 1000),
        help="connections that a worker keeps; 0: as many as it has threads",
    )
    database_pool_overflow: int = environ.var(
        0,
        name="DATABASE_POOL_OVERFLOW",
        converter=_whole(0, 1000),
        help="connections beyond these that a worker may open for a moment",
    )
    database_pool_timeout: float = environ.var(
        1,
        name="DATABASE_POOL_TIMEOUT",
        converter=_seconds(0.1, 60),
        help="how long a request waits for a connection before 503, in seconds",
    )
    database_pool_recycle: int = environ.var(
        1800,
        name="DATABASE_POOL_RECYCLE",
        converter=_whole(1, 86_400),
        help="how old a connection may get before it is opened anew, in seconds",
    )
    database_pool_pre_ping: bool = environ.var(
        False,
        name="DATABASE_POOL_PRE_PING",
        converter=_flag,
        help="`true`: a connection is tried before it is used, unless the pool did so in the last second",
    )
    database_statement_timeout: float = environ.var(
        7,  # with the wait for a connection and the answer's way, nothing hangs for 10 s
        name="DATABASE_STATEMENT_TIMEOUT",
        converter=_seconds(0.1, 3600),
        help="how long a statement of PostgreSQL may take, and a walk or a pattern on SQLite too, in seconds",
    )

    @property
    def is_development(self) -> bool:
        """Whether this is a developer's machine, where convenience matters more than caution."""
        return self.kgl_env == "development"

    @property
    def registration_is_open(self) -> bool:
        """Whether anybody may register."""
        return self.registration == "open" or (self.registration == "" and self.is_development)


def read_settings(environment: Mapping[str, str], *, for_service: bool = False) -> Settings:
    """The settings in ``environment``. Other variables are ignored; empty ones count as not set.

    With ``for_service``, they must be enough to sign tokens. Raises InvalidSettings, whose message lists every problem.
    """
    given = {name: value for name, value in environment.items() if value}
    problems = []
    for field in attrs.fields(Settings):  # type: ignore[arg-type]
        entry = field.metadata["environ_config"]
        try:
            if field.converter is not None:
                field.converter(given.get(entry.name, entry.default))
        except ValueError as error:
            problems.append(f"{entry.name}: {error}, or leave it out for {entry.default!r}")
    if for_service:
        problems += signing_problems(given)
    if problems:
        raise InvalidSettings(problems)
    settings: Settings = environ.to_config(Settings, given)
    return settings


def signing_problems(environment: Mapping[str, str]) -> list[str]:
    """What is wrong with the secret or the keys that sign tokens, if anything. Never quotes a secret."""
    algorithm = environment.get("JWT_ALG") or "HS256"
    if algorithm in ("ES256", "Ed25519"):
        is_named = environment.get("JWT_KEYS")
        return [] if is_named else ["JWT_KEYS: name the folder or JWKS file that holds the private keys"]
    if algorithm != "HS256":
        return []  # which is a problem of its own
    fault = secret_fault(environment.get("JWT_SECRET", ""))
    advice = "set it to 32 random bytes or more, such as openssl rand -base64 48 prints"
    return [f"JWT_SECRET: {fault}; {advice}"] if fault else []


def secret_fault(secret: str) -> str | None:
    """Why ``secret`` can't sign tokens, without quoting it; None if it can."""
    if not secret:
        return "it is missing"
    if len(secret.encode(errors="surrogateescape")) < SECRET_BYTES_MIN:
        return f"it has less than {SECRET_BYTES_MIN} bytes"
    if len(set(secret)) < _SECRET_CHARACTERS_MIN or any(word in secret.lower() for word in _KNOWN_SECRETS):
        return "it can be guessed"
    return None


def makes_secret(environment: Mapping[str, str]) -> bool:
    """Whether the service makes its own secret: on a developer's machine where none is set."""
    is_shared = environment.get("JWT_ALG") in (None, "", "HS256")
    return environment.get("KGL_ENV") == "development" and is_shared and not environment.get("JWT_SECRET")
