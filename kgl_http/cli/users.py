"""``kgl user``: the people who have an account."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any
from uuid import UUID

import click

from kgl_core.access.managing_users import Users
from kgl_core.access.users import User
from kgl_core.kernel.permissions import Role
from kgl_http.cli.opening import all_items, connected
from kgl_http.cli.terminal import answering, say
from kgl_http.settings import Settings

_ROLES = click.Choice([role.value for role in Role])


@click.group()
def user() -> None:
    """Manage the people who have an account."""


def _password_option(command: Callable[..., None]) -> Callable[..., None]:
    return click.option(
        "--password-file",
        metavar="FILE",
        type=click.File("r", encoding="utf-8"),
        help="Read the password from the file's first line; - is standard input. Without it, you are asked.",
    )(command)


@user.command("create")
@click.argument("email")
@click.option("--role", type=_ROLES, default=Role.USER.value, show_default=True)
@click.option("--first-name", metavar="NAME")
@click.option("--last-name", metavar="NAME")
@_password_option
@click.pass_obj
def user_create(
    settings: Settings, email: str, role: str, first_name: str | None, last_name: str | None, password_file: Any
) -> None:
    """Make an account for EMAIL."""
    password = _read_password(password_file)
    with connected(settings, may_be_new=True) as kg:
        made = kg.users.create(email=email, role=role, first_name=first_name, last_name=last_name, password=password)
    with answering():
        say(f"{made.email} is a new {made.role.value} ({made.id})")


@user.command("list")
@click.pass_obj
def user_list(settings: Settings) -> None:
    """List the accounts by email."""
    with connected(settings) as kg:
        for found in all_items(kg.users.list):
            say(_line(found))


@user.command("disable")
@click.argument("email")
@click.pass_obj
def user_disable(settings: Settings, email: str) -> None:
    """Stop EMAIL from doing anything, until enabled."""
    _change(settings, email, Users.disable)


@user.command("enable")
@click.argument("email")
@click.pass_obj
def user_enable(settings: Settings, email: str) -> None:
    """Let EMAIL act again."""
    _change(settings, email, Users.enable)


@user.command("set-role")
@click.argument("email")
@click.argument("role", type=_ROLES)
@click.pass_obj
def user_set_role(settings: Settings, email: str, role: str) -> None:
    """Give EMAIL another ROLE: user, moderator or admin."""
    _change(settings, email, lambda users, id: users.set_role(id, role))


@user.command("set-password")
@click.argument("email")
@_password_option
@click.pass_obj
def user_set_password(settings: Settings, email: str, password_file: Any) -> None:
    """Give EMAIL another password."""
    with connected(settings) as kg:
        found = kg.users.get_by_email(email)
        kg.users.set_password(found.id, _read_password(password_file))
    with answering():
        say(f"{found.email} has a new password")


def _change(settings: Settings, email: str, change: Callable[[Users, UUID], User]) -> None:
    """Change the account with this email, and print it as it is then."""
    with connected(settings) as kg:
        changed = change(kg.users, kg.users.get_by_email(email).id)
    with answering():
        say(_line(changed))


def _read_password(file: Any) -> str:
    if file is not None:
        try:
            return str(file.readline()).rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise click.ClickException("the password is not UTF-8; write it in UTF-8") from error
    if not sys.stdin.isatty():
        raise click.UsageError("there is no terminal to ask on; give --password-file FILE, or - for standard input")
    return str(click.prompt("Password", hide_input=True, confirmation_prompt=True))


def _line(user: User) -> str:
    name = " ".join(part for part in (user.first_name, user.last_name) if part)
    return f"{user.email:<40} {user.role.value:<10} {'enabled' if user.is_active else 'disabled':<9} {name}".rstrip()
