"""Settings: every variable takes what is right, refuses what is wrong, and nothing shows a secret."""

from datetime import timedelta
from ipaddress import ip_network
from typing import Any

import attrs
import environ
import pytest

from kgl_http.settings import InvalidSettings, Settings, read_settings, signing_problems

SECRET = "Zm9yIHRlc3RzIG9ubHksIDQ4IGNoYXJhY3RlcnMgbG9uZy4"
DAY = 86_400

# Per variable: the field, what it is when not set, texts that are taken with their meanings, texts that are refused.
VARIABLES: dict[str, tuple[str, Any, dict[str, Any], tuple[str, ...]]] = {
    "KGL_ENV": ("kgl_env", "production", {"development": "development"}, ("dev", "Production", " production")),
    "DATABASE_URL": ("database_url", "sqlite:///kgl.db", {"memory://": "memory://"}, ()),
    "JWT_SECRET": ("jwt_secret", "", {SECRET: SECRET}, ()),
    "JWT_ALG": ("jwt_alg", "HS256", {"ES256": "ES256", "Ed25519": "Ed25519"}, ("none", "hs256", "RS256", "EdDSA")),
    "JWT_KEYS": ("jwt_keys", "", {"keys": "keys"}, ()),
    "JWT_ISSUER": ("jwt_issuer", "backend-module", {"kgl": "kgl"}, ("a\nb", "x" * 201)),
    "JWT_AUDIENCE": ("jwt_audience", "kgl-api", {"lab": "lab"}, ("a\x00b", "x" * 201)),
    "ACCESS_TOKEN_TTL": (
        "access_token_ttl",
        timedelta(minutes=15),
        {"10": timedelta(seconds=10), str(DAY): timedelta(days=1)},
        ("9", str(DAY + 1), "-60", "15m", "1e3", "٦٠", "9" * 30),
    ),
    "REFRESH_TOKEN_TTL": (
        "refresh_token_ttl",
        timedelta(days=30),
        {"60": timedelta(minutes=1), str(366 * DAY): timedelta(days=366)},
        ("59", str(366 * DAY + 1), "a month"),
    ),
    "REGISTRATION": ("registration", "", {"open": "open", "closed": "closed"}, ("true", "Open", "on")),
    "REGISTRATIONS_PER_HOUR": ("registrations_per_hour", 20, {"1": 1, "1000000": 1_000_000}, ("0", "1000001", "2.5")),
    "PASSWORD_LENGTH_MIN": ("password_length_min", 8, {"8": 8, "64": 64}, ("7", "65", "eight")),
    "TRUSTED_PROXIES": (
        "trusted_proxies",
        (),
        {"10.0.0.0/8, ::1": (ip_network("10.0.0.0/8"), ip_network("::1/128")), " , ": ()},
        ("10.0.0.1/8", "proxy.example.org", "10.0.0.0/8;::1", "*"),
    ),
    "ROOT_PATH": (
        "root_path",
        "",
        {"/kgl": "/kgl", "/kgl/": "/kgl", "/": "", "/labs/kgl-2": "/labs/kgl-2", "/.kgl..": "/.kgl.."},
        (
            "kgl",
            "//kgl",
            "/a b",
            "/kgl?x",
            "/kgl#x",
            "/%2e",
            "/a/../b",
            "/.",
            "https://example.org/kgl",
            "/" + "x" * 65,
            "/กราฟ",
        ),
    ),
    "CORS_ORIGINS": (
        "cors_origins",
        (),
        {
            "https://app.example.org,http://localhost:5173": ("https://app.example.org", "http://localhost:5173"),
            "http://[::1]:5173": ("http://[::1]:5173",),
            "http://front_end:443": ("http://front_end:443",),
        },
        (
            "*",
            "null",
            "https://app.example.org/",
            "https://app.example.org/path",
            "https://*.example.org",
            "https://App.example.org",
            "app.example.org",
            "ftp://app.example.org",
            "https://ada@app.example.org",
            "https://app.example.org:port",
            "https://app.example.org:99999",
            "https://app.example.org:",
            "https://app.example.org:443",
            "http://localhost:80",
            "http://localhost:0",
            "https://[",
            "https://app example.org",
        ),
    ),
    "REQUIRE_IF_MATCH": ("require_if_match", False, {"true": True, "TRUE": True, "false": False}, ("1", "yes")),
    "IMPORT_BYTES_MAX": ("import_bytes_max", 1024**3, {"1024": 1024, str(1024**4): 1024**4}, ("1023", "1GB", "")),
    "LOG_LEVEL": ("log_level", "INFO", {"DEBUG": "DEBUG", "error": "ERROR"}, ("infos", "CRITICAL", "10")),
    "MODULE_ID": ("module_id", "backend", {"lab": "lab"}, ("a\tb",)),
    "DATABASE_REPLICA_URL": ("database_replica_url", "", {"postgresql://b/kgl": "postgresql://b/kgl"}, ()),
    "DATABASE_REPLICA_LAG_MAX": ("database_replica_lag_max", 5.0, {"1": 1.0, "3600": 3600.0}, ("0.5", "3601", "-1")),
    "DATABASE_POOL_SIZE": ("database_pool_size", 0, {"1": 1, "1000": 1000}, ("-1", "1001")),
    "DATABASE_POOL_OVERFLOW": ("database_pool_overflow", 0, {"5": 5}, ("-1", "1001")),
    "DATABASE_POOL_TIMEOUT": ("database_pool_timeout", 1.0, {"0.1": 0.1, "60": 60.0}, ("0", "61", "nan", "inf", "1e0")),
    "DATABASE_POOL_RECYCLE": ("database_pool_recycle", 1800, {"1": 1, "86400": 86_400}, ("0", "86401")),
    "DATABASE_POOL_PRE_PING": ("database_pool_pre_ping", False, {"true": True}, ("on",)),
    "DATABASE_STATEMENT_TIMEOUT": ("database_statement_timeout", 7.0, {"0.5": 0.5}, ("0.09", "3601", "30s")),
}
GOOD = [(name, text, meaning) for name, (_, _, good, _) in VARIABLES.items() for text, meaning in good.items()]
BAD = [(name, text) for name, (*_, bad) in VARIABLES.items() for text in bad if text]


def test_every_variable_is_tried_here() -> None:
    """A variable that is added to the settings has to be added to this table."""
    fields = {field.metadata["environ_config"].name: field.name for field in attrs.fields(Settings)}
    assert fields == {name: field for name, (field, *_) in VARIABLES.items()}


@pytest.mark.parametrize("name", VARIABLES)
def test_a_variable_that_is_not_set_or_empty_has_its_default(name: str) -> None:
    """An empty value, as docker compose passes it for a variable that its user has not set, is no value."""
    field, default, *_ = VARIABLES[name]
    assert getattr(read_settings({}), field) == default
    assert getattr(read_settings({name: ""}), field) == default


@pytest.mark.parametrize(("name", "text", "meaning"), GOOD)
def test_what_is_right_is_taken(name: str, text: str, meaning: object) -> None:
    """Each variable's text becomes its value, up to the bounds."""
    found = getattr(read_settings({name: text}), VARIABLES[name][0])
    assert found == meaning
    assert type(found) is type(meaning) or isinstance(found, str)


@pytest.mark.parametrize(("name", "text"), BAD)
def test_what_is_wrong_is_refused_with_what_to_give(name: str, text: str) -> None:
    """The message names the variable and says what to give, and does not quote the value."""
    with pytest.raises(InvalidSettings, match=f"^{name}: give ") as caught:
        read_settings({name: text})
    assert len(caught.value.problems) == 1
    assert "leave it out for" in str(caught.value)


def test_all_problems_are_told_at_once() -> None:
    """Whoever sets the service up learns everything from the first try, the secret's problem too."""
    wrong = {name: bad[0] for name, (*_, bad) in VARIABLES.items() if bad and name != "JWT_ALG"}
    with pytest.raises(InvalidSettings) as caught:
        read_settings({**wrong, "JWT_SECRET": "short"}, for_service=True)
    assert [problem.partition(":")[0] for problem in caught.value.problems] == [*wrong, "JWT_SECRET"]
    assert str(caught.value) == "; ".join(caught.value.problems)


def test_variables_of_others_are_ignored() -> None:
    """An environment holds much that is not for kgl."""
    assert read_settings({"PATH": "/bin", "KGL_NOTHING": "x"}) == read_settings({})


def test_settings_never_show_a_secret() -> None:
    """Neither a representation nor a text of the settings holds the secret, or the database's password."""
    settings = read_settings({"JWT_SECRET": SECRET, "DATABASE_URL": "postgresql://kgl:hunter22@db/kgl"})
    for shown in (repr(settings), str(settings), f"{settings}", repr(attrs.asdict(settings))):
        assert SECRET not in shown
        assert "hunter22" not in shown
        assert "db/kgl" not in shown
    assert settings.jwt_secret == SECRET
    assert settings.database_url == "postgresql://kgl:hunter22@db/kgl"


def test_settings_cannot_be_changed() -> None:
    """What was read at the start holds for the whole life of a process."""
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        read_settings({}).kgl_env = "development"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("secret", "reason"),
    [
        ("", "missing"),
        ("Zm9yIHRlc3RzIG9ubHksIDQ4IGNoYXJ", "less than 32 bytes"),
        ("a" * 64, "can be guessed"),
        ("abcabcabc" * 8, "can be guessed"),
        ("0123456789012345678901234567890123456789", "can be guessed"),
        ("your-SECRET-key-with-plenty-of-characters", "can be guessed"),
        ("please-changeme-please-changeme-now!", "can be guessed"),
    ],
)
@pytest.mark.parametrize("env", ["production", "development"])
def test_the_service_refuses_a_weak_secret(secret: str, reason: str, env: str) -> None:
    """A secret that is missing, short or guessable stops the service in every environment, and is not quoted."""
    with pytest.raises(InvalidSettings, match=reason) as caught:
        read_settings({"KGL_ENV": env, "JWT_SECRET": secret}, for_service=True)
    assert "openssl rand -base64 48" in str(caught.value)
    assert not secret or secret not in str(caught.value)


@pytest.mark.parametrize("secret", [SECRET, "äöüßÄÖÜéèêëàâç-", "0" * 22 + "abcdefghij"])
def test_the_service_takes_a_secret_of_32_bytes(secret: str) -> None:
    """What counts are bytes of UTF-8, as they are what signs."""
    signed = secret if len(secret.encode()) >= 32 else secret * 2
    assert read_settings({"JWT_SECRET": signed}, for_service=True).jwt_secret == signed


def test_commands_need_no_secret() -> None:
    """``kgl migrate`` and its like sign nothing."""
    assert read_settings({}).jwt_secret == ""


@pytest.mark.parametrize("alg", ["ES256", "Ed25519"])
def test_keys_take_the_place_of_the_secret(alg: str) -> None:
    """Under an algorithm with key pairs the service needs keys, and no secret."""
    with pytest.raises(InvalidSettings, match="JWT_KEYS: name the folder"):
        read_settings({"JWT_ALG": alg, "JWT_SECRET": SECRET}, for_service=True)
    assert read_settings({"JWT_ALG": alg, "JWT_KEYS": "keys"}, for_service=True).jwt_keys == "keys"
    assert signing_problems({"JWT_ALG": alg, "JWT_KEYS": "keys"}) == []


@pytest.mark.parametrize(
    ("variables", "is_open"),
    [
        ({}, False),
        ({"KGL_ENV": "development"}, True),
        ({"REGISTRATION": "open"}, True),
        ({"KGL_ENV": "development", "REGISTRATION": "closed"}, False),
    ],
)
def test_registration_is_open_in_development_unless_said_otherwise(variables: dict[str, str], is_open: bool) -> None:
    """In production, an operator has to open it on purpose."""
    assert read_settings(variables).registration_is_open is is_open


def test_every_variable_says_what_it_is_for() -> None:
    """The reference is made of these sentences."""
    described = environ.generate_help(Settings, display_defaults=True)
    for field in attrs.fields(Settings):
        entry = field.metadata["environ_config"]
        assert entry.help
        assert entry.name in described
