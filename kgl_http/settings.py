"""Settings: what the environment says, read once into one frozen class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import environ

from kgl_adapters.connect import DEFAULT_URL
from kgl_core.credentials import PASSWORD_LENGTH_MAX, PASSWORD_LENGTH_MIN


class InvalidSettings(Exception):
    """The environment holds values that cannot be used; the message names each and what to give instead."""


def _whole_number(text: Any) -> int:
    if isinstance(text, int):
        return text
    return int(text) if text.isascii() and text.isdigit() else -1


@environ.config(prefix="", frozen=True)
class Settings:
    """Every variable that kgl reads, with its default and its meaning."""

    database_url: str = environ.var(DEFAULT_URL, name="DATABASE_URL", help="where the graph is kept")
    password_length_min: int = environ.var(
        PASSWORD_LENGTH_MIN,
        name="PASSWORD_LENGTH_MIN",
        converter=_whole_number,
        help="how many characters a password has at least, 8 to 64",
    )


def read_settings(environment: Mapping[str, str]) -> Settings:
    """The settings in ``environment``; variables that are not ours are ignored, empty ones count as not set.

    Raises InvalidSettings, whose message lists every problem.
    """
    settings: Settings = environ.to_config(Settings, {name: value for name, value in environment.items() if value})
    if not PASSWORD_LENGTH_MIN <= settings.password_length_min <= PASSWORD_LENGTH_MAX // 2:
        raise InvalidSettings("PASSWORD_LENGTH_MIN: give a whole number from 8 to 64, or leave it out for 8")
    return settings
