"""``kgl client``: the services that call kgl on their own behalf."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import click
from click.core import ParameterSource

from kgl_core.access.oauth_clients import ClientCredentials
from kgl_core.kernel.permissions import Scope, scope_text
from kgl_http.cli.opening import all_items, connected
from kgl_http.cli.terminal import answering, note, require_output, say
from kgl_http.settings import Settings

_SHOWN_ONCE = "open it: it is where the secret is shown, this once"
_SCOPES = click.Choice([scope.value for scope in Scope])


@click.group()
def client() -> None:
    """Manage the services that call kgl on their own behalf."""


class _Moment(click.ParamType[datetime | None]):
    """A moment as ISO 8601, or ``never``, which becomes None."""

    name = "moment"

    def convert(self, value: Any, param: click.Parameter | None, context: click.Context | None) -> datetime | None:
        try:
            return None if value == "never" else datetime.fromisoformat(value)
        except ValueError:
            self.fail("give a date and time with a time zone, such as 2027-01-31T12:00:00Z, or never", param, context)


def _expiry(command: Callable[..., None]) -> Callable[..., None]:
    return click.option(
        "--expires-at", metavar="MOMENT", type=_Moment(), help="When the secret stops working, or never."
    )(command)


@client.command("create")
@click.argument("name")
@click.option(
    "--scope", "scopes", multiple=True, required=True, type=_SCOPES, help="What it may do; repeat it for several."
)
@_expiry
@click.pass_obj
def client_create(settings: Settings, name: str, scopes: tuple[str, ...], expires_at: datetime | None) -> None:
    """Make a service client called NAME, and show its secret this once."""
    require_output(_SHOWN_ONCE)
    with connected(settings, may_be_new=True) as kg:
        made = kg.clients.create(name=name, scopes=tuple(dict.fromkeys(scopes)), expires_at=expires_at)
    _show_credentials(made)


@client.command("list")
@click.pass_obj
def client_list(settings: Settings) -> None:
    """List the service clients in the order of their creation."""
    with connected(settings) as kg:
        for found in all_items(kg.clients.list):
            ends = "never expires" if found.expires_at is None else f"expires {found.expires_at:%Y-%m-%d %H:%MZ}"
            say(f"{found.id}  {ends:<25}  {scope_text(found.scopes):<22}  {found.name}")


@client.command("rotate")
@click.argument("id")
@_expiry
@click.pass_context
def client_rotate(context: click.Context, id: str, expires_at: datetime | None) -> None:
    """Give the client ID a new secret and show it this once; the old one and its tokens end.

    Without --expires-at, it expires when the old one would have.
    """
    is_given = context.get_parameter_source("expires_at") is ParameterSource.COMMANDLINE
    require_output(_SHOWN_ONCE)
    with connected(context.obj) as kg:
        made = kg.clients.rotate(id, expires_at=expires_at) if is_given else kg.clients.rotate(id)
    _show_credentials(made)


@client.command("delete")
@click.argument("id")
@click.pass_obj
def client_delete(settings: Settings, id: str) -> None:
    """Delete the client ID; its secret and tokens end, what it created stays."""
    with connected(settings) as kg:
        kg.clients.delete(id)
    with answering():
        say(f"client {id} is deleted")


def _show_credentials(made: ClientCredentials) -> None:
    id = made.client.id
    with answering(
        f"client {id} exists with a new secret that nobody has seen: run kgl client rotate {id} for another, "
        f"or kgl client delete {id}"
    ):
        say(f"client_id      {id}")
        say(f"client_secret  {made.secret}")
    note("Keep the secret now: it cannot be shown again.")
